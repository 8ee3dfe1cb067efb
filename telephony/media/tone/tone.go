// Package tone is in charge of sines: making them and finding them again in what somebody heard.
package tone

import "math"

// Amplitude is the peak of the sine of hz in samples taken at rate, 0..1 of full scale (Goertzel's algorithm). It is 0
// for no samples. Take a whole number of periods, or some hundred milliseconds, for a sharp answer.
func Amplitude(samples []int16, hz, rate float64) float64 {
	n := len(samples)
	if n == 0 || rate <= 0 {
		return 0
	}
	w := 2 * math.Pi * hz / rate
	c := 2 * math.Cos(w)
	var s1, s2 float64
	for _, v := range samples {
		s1, s2 = float64(v)+c*s1-s2, s1
	}
	p := s1*s1 + s2*s2 - c*s1*s2
	if p < 0 { // rounding
		return 0
	}
	return 2 / float64(n) * math.Sqrt(p) / 32768
}

// Generator makes a sum of sines, sample after sample, without a break between calls of Fill. The zero Generator is
// silent. It belongs to one goroutine.
type Generator struct {
	steps  []float64 // turns per sample
	phases []float64 // turns
	gain   float64   // peak of one sine, in sample units
}

// NewGenerator makes a generator of the given frequencies at rate; gain is the peak of their sum, 0..1.
func NewGenerator(rate, gain float64, hz ...float64) *Generator {
	g := &Generator{phases: make([]float64, len(hz))}
	for _, f := range hz {
		g.steps = append(g.steps, f/rate)
	}
	if len(hz) > 0 {
		g.gain = gain * 32767 / float64(len(hz))
	}
	return g
}

// Fill writes the next samples.
func (g *Generator) Fill(dst []int16) {
	for i := range dst {
		var v float64
		for k, step := range g.steps {
			v += math.Sin(2 * math.Pi * g.phases[k])
			if g.phases[k] += step; g.phases[k] >= 1 {
				g.phases[k] -= math.Floor(g.phases[k])
			}
		}
		dst[i] = int16(math.Round(v * g.gain))
	}
}

// Clone is a generator that goes on from here by itself.
func (g *Generator) Clone() *Generator {
	c := *g
	c.phases = append([]float64(nil), g.phases...)
	return &c
}
