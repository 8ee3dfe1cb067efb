package webrtc

import (
	"encoding/binary"
	"errors"
	"sync/atomic"

	"github.com/pion/rtp"
	pion "github.com/pion/webrtc/v4"

	"hotline/telephony/media"
)

// track carries the endpoint's packets to the browser: a media.Transport on one side, a pion.TrackLocal on the other.
// It is our own rather than pion's static track, because that one gives every packet the payload type of the codec:
// telephone-events of the trunk would reach the browser as clicks.
type track struct {
	allowed [2]bool // PCMU, PCMA: what the browser agreed to
	codec   pion.RTPCodecParameters
	dropped func() // counts what may not go out

	out atomic.Pointer[trackWriter] // nil until pion has bound the track
}

type trackWriter struct {
	header rtp.Header // of the packet being written
	w      pion.TrackLocalWriter
}

var errShortPacket = errors.New("packet too short for RTP")

// WriteRTP implements media.Transport, which promises one writer at a time. It never blocks longer than the socket's
// write limit and drops what the browser did not agree to. Until the connection is up packets are lost, as on any wire.
func (t *track) WriteRTP(packet []byte) error {
	o := t.out.Load()
	if o == nil {
		return nil
	}
	payload, ok := payloadOf(packet)
	if !ok {
		return errShortPacket
	}
	pt := packet[1] & 0x7f
	if (pt != uint8(media.PCMU) || !t.allowed[0]) && (pt != uint8(media.PCMA) || !t.allowed[1]) {
		t.dropped()
		return nil
	}
	o.header.Marker = packet[1]&0x80 != 0
	o.header.PayloadType = pt
	o.header.SequenceNumber = binary.BigEndian.Uint16(packet[2:])
	o.header.Timestamp = binary.BigEndian.Uint32(packet[4:])
	_, err := o.w.WriteRTP(&o.header, payload)
	return err
}

// payloadOf finds the payload of an RTP packet (RFC 3550 5.1, 5.3.1).
func payloadOf(p []byte) ([]byte, bool) {
	if len(p) < 12 || p[0]>>6 != 2 {
		return nil, false
	}
	n := 12 + 4*int(p[0]&0x0f)
	if p[0]&0x10 != 0 {
		if len(p) < n+4 {
			return nil, false
		}
		n += 4 + 4*int(binary.BigEndian.Uint16(p[n+2:]))
	}
	end := len(p)
	if p[0]&0x20 != 0 { // padding
		end -= int(p[end-1])
	}
	if n > end {
		return nil, false
	}
	return p[n:end], true
}

// Bind implements pion.TrackLocal.
func (t *track) Bind(c pion.TrackLocalContext) (pion.RTPCodecParameters, error) {
	t.out.Store(&trackWriter{header: rtp.Header{Version: 2, SSRC: uint32(c.SSRC())}, w: c.WriteStream()})
	return t.codec, nil
}

// Unbind implements pion.TrackLocal.
func (t *track) Unbind(pion.TrackLocalContext) error {
	t.out.Store(nil)
	return nil
}

// ID implements pion.TrackLocal.
func (t *track) ID() string { return "sound" }

// RID implements pion.TrackLocal.
func (t *track) RID() string { return "" }

// StreamID implements pion.TrackLocal.
func (t *track) StreamID() string { return "hotline" }

// Kind implements pion.TrackLocal.
func (t *track) Kind() pion.RTPCodecType { return pion.RTPCodecTypeAudio }
