package media

import "math/bits"

// Law is a G.711 companding law. Its value is the static RTP payload type (RFC 3551 table 4).
type Law uint8

// The two laws. The zero Law is µ-law.
const (
	PCMU Law = 0
	PCMA Law = 8
)

// String is the encoding name as SDP writes it.
func (l Law) String() string {
	if l == PCMA {
		return "PCMA"
	}
	return "PCMU"
}

// Silence is the octet of the smallest positive sample.
func (l Law) Silence() byte {
	if l == PCMA {
		return 0xd5
	}
	return 0xff
}

// Decode expands law into linear samples; dst must be as long as law.
func (l Law) Decode(dst []int16, law []byte) {
	t := &expandU
	if l == PCMA {
		t = &expandA
	}
	dst = dst[:len(law)]
	for i, b := range law {
		dst[i] = t[b]
	}
}

// Encode compresses linear samples; dst must be as long as pcm.
func (l Law) Encode(dst []byte, pcm []int16) {
	t := &compressU
	if l == PCMA {
		t = &compressA
	}
	dst = dst[:len(pcm)]
	for i, s := range pcm {
		dst[i] = t[uint16(s)>>2]
	}
}

// Tables: 2 x 512 bytes to expand, 2 x 16 KiB to compress (14 bits decide in both laws), 2 x 256 bytes law to law.
var (
	expandU, expandA     = expandTable(expandMu), expandTable(expandALaw)
	compressU, compressA = compressTable(compressMu), compressTable(compressALaw)
	muToA, aToMu         = convertTable(&expandU, &compressA), convertTable(&expandA, &compressU)
)

// convert rewrites a payload of law from into the other law, in place.
func convert(payload []byte, from Law) {
	t := &muToA
	if from == PCMA {
		t = &aToMu
	}
	for i, b := range payload {
		payload[i] = t[b]
	}
}

// fillSilence overwrites payload with silence in law l.
func fillSilence(payload []byte, l Law) {
	s := l.Silence()
	for i := range payload {
		payload[i] = s
	}
}

func expandTable(f func(byte) int16) (t [256]int16) {
	for i := range t {
		t[i] = f(byte(i))
	}
	return t
}

func compressTable(f func(int) byte) (t [1 << 14]byte) {
	for i := range t {
		t[i] = f(int(int16(uint16(i << 2))))
	}
	return t
}

func convertTable(expand *[256]int16, compress *[1 << 14]byte) (t [256]byte) {
	for i := range t {
		t[i] = compress[uint16(expand[i])>>2]
	}
	return t
}

// muBias and muClip belong to G.711 µ-law: the bias makes every segment start at a power of two.
const (
	muBias = 132
	muClip = 32635
)

// expandMu decodes one µ-law octet (G.711 table 2).
func expandMu(b byte) int16 {
	b = ^b
	v := (int(b&0x0f)<<3+muBias)<<(b>>4&7) - muBias
	if b&0x80 != 0 {
		v = -v
	}
	return int16(v)
}

// compressMu encodes one sample as µ-law (G.711 table 2).
func compressMu(v int) byte {
	var sign byte
	if v < 0 {
		sign, v = 0x80, -v
	}
	v = min(v, muClip) + muBias
	seg := bits.Len(uint(v)) - 8 // v is at least 132, so bit 7 or a higher one is set
	return ^(sign | byte(seg)<<4 | byte(v>>(seg+3))&0x0f)
}

// expandALaw decodes one A-law octet (G.711 table 1).
func expandALaw(b byte) int16 {
	b ^= 0x55
	v, seg := int(b&0x0f)<<4+8, b>>4&7
	if seg > 0 {
		v = (v + 0x100) << (seg - 1)
	}
	if b&0x80 == 0 { // the sign bit is 1 for positive samples
		v = -v
	}
	return int16(v)
}

// compressALaw encodes one sample as A-law (G.711 table 1).
func compressALaw(v int) byte {
	sign := byte(0x80)
	if v < 0 {
		sign, v = 0, -v-1
	}
	v >>= 4 // 11 bits of magnitude
	seg := max(0, bits.Len(uint(v))-4)
	low := v & 0x0f
	if seg > 1 {
		low = v >> (seg - 1) & 0x0f
	}
	return (sign | byte(seg)<<4 | byte(low)) ^ 0x55
}
