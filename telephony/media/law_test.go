package media

import (
	"math"
	"testing"
)

// TestLawKnownValues checks octets against the tables of G.711.
func TestLawKnownValues(t *testing.T) {
	for _, c := range []struct {
		law Law
		b   byte
		pcm int16
	}{
		{PCMU, 0xff, 0}, {PCMU, 0x7f, 0}, {PCMU, 0x80, 32124}, {PCMU, 0x00, -32124}, {PCMU, 0xfe, 8}, {PCMU, 0xf0, 120},
		{PCMU, 0xef, 132}, {PCMU, 0x8f, 16764},
		{PCMA, 0xd5, 8}, {PCMA, 0x55, -8}, {PCMA, 0xaa, 32256}, {PCMA, 0x2a, -32256}, {PCMA, 0xd4, 24}, {PCMA, 0xc5, 264},
		{PCMA, 0xf5, 528},
	} {
		var pcm [1]int16
		c.law.Decode(pcm[:], []byte{c.b})
		if pcm[0] != c.pcm {
			t.Errorf("%v %#x: decoded %d, want %d", c.law, c.b, pcm[0], c.pcm)
		}
	}
}

func TestLawRoundTrip(t *testing.T) {
	for _, law := range []Law{PCMU, PCMA} {
		for i := range 256 {
			in := []byte{byte(i)}
			var pcm [1]int16
			law.Decode(pcm[:], in)
			out := make([]byte, 1)
			law.Encode(out, pcm[:])
			if out[0] != in[0] && !(law == PCMU && in[0] == 0x7f) { // minus zero becomes zero
				t.Errorf("%v %#x: came back as %#x", law, in[0], out[0])
			}
		}
		for v := -32768; v <= 32767; v++ {
			b := make([]byte, 1)
			var pcm [1]int16
			law.Encode(b, []int16{int16(v)})
			law.Decode(pcm[:], b)
			limit := math.Max(20, math.Abs(float64(v))/24) // half a step of the segment, the clipped top
			if d := math.Abs(float64(pcm[0]) - float64(v)); d > limit {
				t.Fatalf("%v %d: decoded %d", law, v, pcm[0])
			}
		}
	}
}

func TestLawToLaw(t *testing.T) {
	for _, law := range []Law{PCMU, PCMA} {
		for i := range 256 {
			var before, after [1]int16
			b := []byte{byte(i)}
			law.Decode(before[:], b)
			convert(b, law)
			(PCMU + PCMA - law).Decode(after[:], b)
			limit := math.Max(16, math.Abs(float64(before[0]))/24)
			if d := math.Abs(float64(before[0]) - float64(after[0])); d > limit {
				t.Errorf("%v %#x: %d became %d", law, i, before[0], after[0])
			}
		}
		s := []byte{law.Silence()}
		convert(s, law)
		var pcm [1]int16
		(PCMU + PCMA - law).Decode(pcm[:], s)
		if pcm[0] < -8 || pcm[0] > 8 {
			t.Errorf("silence of %v became %d", law, pcm[0])
		}
	}
}

func TestHoleIsNoSample(t *testing.T) {
	for _, table := range []*[256]int16{&expandU, &expandA} {
		for b, v := range table {
			if v == hole {
				t.Errorf("octet %#x decodes to the mark of a missing sample", b)
			}
		}
	}
}
