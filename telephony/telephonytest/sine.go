package telephonytest

import "math"

// Sine is a tone at half scale, 8 kHz; whole seconds of whole frequencies loop without a gap.
func Sine(hz float64, seconds int) []int16 {
	pcm := make([]int16, 8000*seconds)
	for i := range pcm {
		pcm[i] = int16(16383 * math.Sin(2*math.Pi*hz*float64(i)/8000))
	}
	return pcm
}
