package media

import "math"

// The low-pass in front of 8 kHz: a windowed sinc that keeps speech to 3.4 kHz and is over 60 dB down at 4.6 kHz, so
// that the little that folds back lies above the telephone band.
const (
	lobes    = 24   // zero crossings on each side
	cutoff   = 0.95 // of 4 kHz
	kaiser   = 7.0
	narrowHz = 8000
)

// resample brings pcm from rate down to 8 kHz. At 8 kHz it returns pcm itself.
func resample(pcm []int16, rate int) []int16 {
	if rate == narrowHz || len(pcm) == 0 {
		return pcm
	}
	g := gcd(rate, narrowHz)
	up, down := narrowHz/g, rate/g // out sample i lies at in sample i*down/up
	ratio := float64(rate) / narrowHz
	half := int(math.Ceil(lobes * ratio / cutoff))
	phases := make([][]float64, up) // the filter for each place between two input samples, made when first needed
	out := make([]int16, len(pcm)*up/down)
	for i := range out {
		at := i * down
		base, ph := at/up, at%up
		if phases[ph] == nil {
			phases[ph] = filter(float64(ph)/float64(up), ratio, half)
		}
		out[i] = convolve(pcm, base-half+1, phases[ph])
	}
	return out
}

// filter makes the taps for an output sample that lies frac behind an input sample; tap k belongs to the input sample
// k-half+1 from there.
func filter(frac, ratio float64, half int) []float64 {
	taps := make([]float64, 2*half)
	var sum float64
	for k := range taps {
		x := (float64(k-half+1) - frac) * cutoff / ratio // in zero crossings
		taps[k] = sinc(x) * kaiserWindow(x/lobes)
		sum += taps[k]
	}
	for k := range taps {
		taps[k] /= sum // unity at 0 Hz
	}
	return taps
}

// convolve sums taps over pcm from index from on; outside pcm there is silence.
func convolve(pcm []int16, from int, taps []float64) int16 {
	if from < 0 {
		taps, from = taps[min(-from, len(taps)):], 0
	}
	n := min(len(taps), max(0, len(pcm)-from))
	var v float64
	for k, t := range taps[:n] {
		v += t * float64(pcm[from+k])
	}
	return clip16(int32(math.Round(v)))
}

func clip16(v int32) int16 { return int16(max(-32768, min(32767, v))) }

func sinc(x float64) float64 {
	if x == 0 {
		return 1
	}
	return math.Sin(math.Pi*x) / (math.Pi * x)
}

// kaiserWindow is the Kaiser window at x in -1..1.
func kaiserWindow(x float64) float64 {
	if x <= -1 || x >= 1 {
		return 0
	}
	return bessel0(kaiser*math.Sqrt(1-x*x)) / bessel0(kaiser)
}

// bessel0 is the modified Bessel function of order zero.
func bessel0(x float64) float64 {
	sum, term := 1.0, 1.0
	for k := 1.0; term > sum*1e-12; k++ {
		term *= x / (2 * k) * x / (2 * k)
		sum += term
	}
	return sum
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
