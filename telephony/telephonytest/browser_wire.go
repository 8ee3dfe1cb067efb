package telephonytest

import (
	"encoding/binary"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"

	"github.com/pion/rtp"
	pion "github.com/pion/webrtc/v4"

	"hotline/telephony/media"
)

// cuttable is a UDP socket that can lose everything.
type cuttable struct {
	*net.UDPConn
	cut atomic.Bool
}

// ReadFromAddrPort implements ice.AddrPortReaderWriter.
func (c *cuttable) ReadFromAddrPort(b []byte) (int, netip.AddrPort, error) {
	for {
		n, from, err := c.ReadFromUDPAddrPort(b)
		if err != nil || !c.cut.Load() {
			return n, from, err
		}
	}
}

// WriteToAddrPort implements ice.AddrPortReaderWriter.
func (c *cuttable) WriteToAddrPort(b []byte, to netip.AddrPort) (int, error) {
	if c.cut.Load() {
		return len(b), nil
	}
	return c.WriteToUDPAddrPort(b, to)
}

// WriteTo implements net.PacketConn.
func (c *cuttable) WriteTo(b []byte, to net.Addr) (int, error) {
	if c.cut.Load() {
		return len(b), nil
	}
	return c.UDPConn.WriteTo(b, to)
}

// micTrack puts Audio's packets on the connection as they are, keys with their own payload type on the same SSRC.
type micTrack struct {
	mu   sync.Mutex // guards all
	law  media.Law
	ssrc uint32
	w    pion.TrackLocalWriter
}

func (m *micTrack) use(l media.Law) { m.mu.Lock(); m.law = l; m.mu.Unlock() }

func (m *micTrack) write(p []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.w == nil || len(p) < 12 {
		return
	}
	h := rtp.Header{Version: 2, Marker: p[1]&0x80 != 0, PayloadType: p[1] & 0x7f, SSRC: m.ssrc,
		SequenceNumber: binary.BigEndian.Uint16(p[2:]), Timestamp: binary.BigEndian.Uint32(p[4:])}
	_, _ = m.w.WriteRTP(&h, p[12:])
}

// Bind implements pion's TrackLocal.
func (m *micTrack) Bind(c pion.TrackLocalContext) (pion.RTPCodecParameters, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, codec := range c.CodecParameters() {
		if codec.PayloadType == pion.PayloadType(m.law) {
			m.ssrc, m.w = uint32(c.SSRC()), c.WriteStream()
			return codec, nil
		}
	}
	return pion.RTPCodecParameters{}, pion.ErrUnsupportedCodec
}

// Unbind implements pion's TrackLocal.
func (m *micTrack) Unbind(pion.TrackLocalContext) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.w = nil
	return nil
}

// ID implements pion's TrackLocal.
func (m *micTrack) ID() string { return "mic" }

// RID implements pion's TrackLocal.
func (m *micTrack) RID() string { return "" }

// StreamID implements pion's TrackLocal.
func (m *micTrack) StreamID() string { return "page" }

// Kind implements pion's TrackLocal.
func (m *micTrack) Kind() pion.RTPCodecType { return pion.RTPCodecTypeAudio }
