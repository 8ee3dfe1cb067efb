package recordings

// The payload types of the two G.711 laws (RFC 3551) and their WAV format tags.
const (
	ptMu, ptA   = 0, 8
	wavA, wavMu = 6, 7
	silenceA    = 0xD5
	silenceMu   = 0xFF
)

var (
	linearA, linearMu [256]int16 // law to linear (ITU-T G.711)
	muToA, aToMu      [256]byte  // nearest code of the other law
)

func init() {
	for i := range 256 {
		linearA[i], linearMu[i] = expandA(byte(i)), expandMu(byte(i))
	}
	for i := range 256 {
		muToA[i] = nearest(&linearA, linearMu[i])
		aToMu[i] = nearest(&linearMu, linearA[i])
	}
}

func expandA(b byte) int16 {
	b ^= 0x55
	v := int16(b&0x0f)<<4 + 8
	if seg := (b >> 4) & 7; seg > 0 {
		v = (v + 0x100) << (seg - 1)
	}
	if b&0x80 == 0 {
		return -v
	}
	return v
}

func expandMu(b byte) int16 {
	b = ^b
	v := (int16(b&0x0f)<<3+0x84)<<((b>>4)&7) - 0x84
	if b&0x80 != 0 {
		return -v
	}
	return v
}

// nearest finds the code whose value is closest; of two equal ones the first.
func nearest(table *[256]int16, v int16) (best byte) {
	least := 1 << 20
	for i, w := range table {
		if d := max(int(w)-int(v), int(v)-int(w)); d < least {
			least, best = d, byte(i)
		}
	}
	return best
}

func silence(law int) byte {
	if law == ptMu {
		return silenceMu
	}
	return silenceA
}

func appendSilence(b []byte, law, n int) []byte {
	for range n {
		b = append(b, silence(law))
	}
	return b
}

// appendPeaks adds the greatest amplitude of each 20 ms, per channel.
func appendPeaks(out, plain []byte, law, channels int) []byte {
	table := &linearA
	if law == ptMu {
		table = &linearMu
	}
	step := rate / peaksPerSecond * channels
	for len(plain) > 0 {
		n := min(step, len(plain))
		for ch := range channels {
			top := 0
			for i := ch; i < n; i += channels {
				v := int(table[plain[i]])
				top = max(top, v, -v)
			}
			out = append(out, byte(min(255, top>>7)))
		}
		plain = plain[n:]
	}
	return out
}
