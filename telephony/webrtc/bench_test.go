package webrtc

import (
	"encoding/binary"
	"net"
	"net/netip"
	"runtime"
	"syscall"
	"testing"
	"time"

	pion "github.com/pion/webrtc/v4"

	"hotline/telephony/media"
)

// The WebRTC leg against a plain RTP leg (performance M3): cost of one packet, 20 ms of G.711, over loopback.

func rtpPacket() []byte {
	p := make([]byte, 172)
	p[0], p[1] = 0x80, byte(media.PCMA)
	return p
}

func next(p []byte, i int) {
	binary.BigEndian.PutUint16(p[2:], uint16(i))
	binary.BigEndian.PutUint32(p[4:], uint32(i)*160)
}

// cpu is what the process has used so far.
func cpu() time.Duration {
	var r syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &r)
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

func BenchmarkSendPlain(b *testing.B) {
	ports, err := media.NewPorts(media.PortsConfig{IP: netip.MustParseAddr("127.0.0.1"), Any: true})
	if err != nil {
		b.Fatal(err)
	}
	defer ports.Close()
	s, err := ports.Open()
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	sink, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.MustParseAddrPort("127.0.0.1:0")))
	if err != nil {
		b.Fatal(err)
	}
	defer sink.Close()
	if err := s.SetRemote(sink.LocalAddr().(*net.UDPAddr).AddrPort()); err != nil {
		b.Fatal(err)
	}
	p := rtpPacket()
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		next(p, i)
		if err := s.WriteRTP(p); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSendWebRTC(b *testing.B) {
	_, ph, _ := benchCall(b)
	p := rtpPacket()
	tr := ph.current().track
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		next(p, i)
		if err := tr.WriteRTP(p); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkReceivePlain and BenchmarkReceiveWebRTC measure the CPU of the whole process for one packet sent and received;
// what the sender takes is measured by the benchmarks above.
func BenchmarkReceivePlain(b *testing.B) {
	ports, err := media.NewPorts(media.PortsConfig{IP: netip.MustParseAddr("127.0.0.1"), Any: true})
	if err != nil {
		b.Fatal(err)
	}
	defer ports.Close()
	in, err := ports.Open()
	if err != nil {
		b.Fatal(err)
	}
	defer in.Close()
	c, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(in.LocalAddr()))
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	if err := in.SetRemote(c.LocalAddr().(*net.UDPAddr).AddrPort()); err != nil {
		b.Fatal(err)
	}
	ep := media.NewEndpoint(media.EndpointConfig{Law: media.PCMA})
	defer ep.Close()
	in.Bind(ep)
	benchReceive(b, ep, func(p []byte) error { _, err := c.Write(p); return err })
}

func BenchmarkReceiveWebRTC(b *testing.B) {
	_, ph, track := benchCall(b)
	benchReceive(b, ph.ep, func(p []byte) error { _, err := track.Write(p); return err })
}

// benchReceive sends in bursts of 32 and waits until they have come: no loss, little idle time.
func benchReceive(b *testing.B, ep *media.Endpoint, send func([]byte) error) {
	p := rtpPacket()
	seq, lost := 0, uint64(0)
	var before runtime.MemStats
	runtime.ReadMemStats(&before)
	start := cpu()
	for b.Loop() {
		got := ep.Stats().ReceivedPackets
		for range 32 {
			next(p, seq)
			seq++
			if err := send(p); err != nil {
				b.Fatal(err)
			}
		}
		for give := time.Now().Add(time.Second); ep.Stats().ReceivedPackets < got+32; time.Sleep(50 * time.Microsecond) {
			if time.Now().After(give) {
				lost += got + 32 - ep.Stats().ReceivedPackets
				break
			}
		}
	}
	var after runtime.MemStats
	runtime.ReadMemStats(&after)
	n := float64(seq)
	b.ReportMetric(float64(cpu()-start)/n, "cpu-ns/packet")
	b.ReportMetric(float64(after.Mallocs-before.Mallocs)/n, "allocs/packet")
	b.ReportMetric(float64(lost), "lost")
}

// benchCall connects a pion client with a plain track.
func benchCall(b *testing.B) (*Server, *Phone, *pion.TrackLocalStaticRTP) {
	s, err := New(Config{Addr: "127.0.0.1:0"})
	if err == nil {
		err = s.Start(b.Context())
	}
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = s.Stop(b.Context()) })
	var se pion.SettingEngine
	se.SetIncludeLoopbackCandidate(true)
	pc, err := pion.NewAPI(pion.WithSettingEngine(se)).NewPeerConnection(pion.Configuration{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = pc.GracefulClose() })
	track, err := pion.NewTrackLocalStaticRTP(pion.RTPCodecCapability{MimeType: pion.MimeTypePCMA, ClockRate: 8000}, "a", "b")
	if err != nil {
		b.Fatal(err)
	}
	if _, err := pc.AddTrack(track); err != nil {
		b.Fatal(err)
	}
	up := make(chan struct{}, 1)
	pc.OnConnectionStateChange(func(st pion.PeerConnectionState) {
		if st == pion.PeerConnectionStateConnected {
			up <- struct{}{}
		}
	})
	offer, err := pc.CreateOffer(nil)
	if err != nil {
		b.Fatal(err)
	}
	gathered := pion.GatheringCompletePromise(pc)
	if err := pc.SetLocalDescription(offer); err != nil {
		b.Fatal(err)
	}
	<-gathered
	answer, _, err := s.Attach(b.Context(), "bench", pc.LocalDescription().SDP, nil)
	if err != nil {
		b.Fatal(err)
	}
	if err := pc.SetRemoteDescription(pion.SessionDescription{Type: pion.SDPTypeAnswer, SDP: answer}); err != nil {
		b.Fatal(err)
	}
	<-up
	return s, s.Phone("bench"), track
}
