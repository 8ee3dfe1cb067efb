package media

import "encoding/binary"

// Sizes of what we send and take. A packet never exceeds maxPacket; longer datagrams are cut by the socket and refused.
const (
	headerSize   = 12
	frameSamples = 160 // 20 ms at 8 kHz
	maxPacket    = 1500
)

// Payload types that are fixed (RFC 3551 table 4).
const ptComfortNoise = 13

// header is what we need of an RTP header (RFC 3550 5.1). The payload is packet[off:end].
type header struct {
	ts, ssrc uint32
	off, end int
	seq      uint16
	pt       uint8
	marker   bool
}

// isRTCP tells RTCP from RTP on a shared port (RFC 5761 4).
func isRTCP(b []byte) bool { return len(b) >= 2 && b[1] >= 192 && b[1] <= 223 }

// parse reads an RTP header. It is false for anything that is not a complete RTP packet of version 2.
func (h *header) parse(b []byte) bool {
	if len(b) < headerSize || b[0]>>6 != 2 {
		return false
	}
	off, end := headerSize+4*int(b[0]&0x0f), len(b)
	if b[0]&0x10 != 0 { // header extension, RFC 3550 5.3.1
		if len(b) < off+4 {
			return false
		}
		off += 4 + 4*int(binary.BigEndian.Uint16(b[off+2:]))
	}
	if b[0]&0x20 != 0 { // padding: the last octet counts itself
		pad := int(b[end-1])
		if pad == 0 {
			return false
		}
		end -= pad
	}
	if off > end {
		return false
	}
	*h = header{
		marker: b[1]&0x80 != 0,
		pt:     b[1] & 0x7f,
		seq:    binary.BigEndian.Uint16(b[2:]),
		ts:     binary.BigEndian.Uint32(b[4:]),
		ssrc:   binary.BigEndian.Uint32(b[8:]),
		off:    off,
		end:    end,
	}
	return true
}

// putHeader writes a plain 12-byte header: no CSRC, no extension, no padding.
func putHeader(b []byte, pt uint8, marker bool, seq uint16, ts, ssrc uint32) {
	_ = b[headerSize-1]
	b[0] = 0x80
	b[1] = pt & 0x7f
	if marker {
		b[1] |= 0x80
	}
	binary.BigEndian.PutUint16(b[2:], seq)
	binary.BigEndian.PutUint32(b[4:], ts)
	binary.BigEndian.PutUint32(b[8:], ssrc)
}
