package media

import (
	"errors"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// peer is a bare UDP socket of a far side.
func peer(t testing.TB) (*net.UDPConn, netip.AddrPort) {
	t.Helper()
	c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c, c.LocalAddr().(*net.UDPAddr).AddrPort()
}

// socketRig is a socket bound to an endpoint.
type socketRig struct {
	*Socket
	e *Endpoint
}

func openSocket(t testing.TB, p *Ports) socketRig {
	t.Helper()
	s, err := p.Open()
	must(t, err)
	e := NewEndpoint(EndpointConfig{Transport: s})
	s.Bind(e)
	t.Cleanup(func() {
		e.Close()
		must(t, s.Close())
	})
	return socketRig{s, e}
}

// send writes packets and waits until the socket has judged all of them.
func (r socketRig) send(t testing.TB, c *net.UDPConn, packets ...[]byte) {
	t.Helper()
	st := r.Stats()
	want := st.Received + st.Foreign + uint64(len(packets))
	for _, p := range packets {
		if _, err := c.WriteToUDPAddrPort(p, r.LocalAddr()); err != nil {
			t.Fatal(err)
		}
	}
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if st = r.Stats(); st.Received+st.Foreign >= want {
			return
		}
	}
	t.Fatalf("%+v: packets were lost", st)
}

func audios(from, n uint16, ssrc uint32) (all [][]byte) {
	for i := range n {
		all = append(all, audio(from+i, ssrc))
	}
	return all
}

func TestSourceStrict(t *testing.T) {
	eachSockets(t, func(t *testing.T, loops int) {
		p := newPorts(t, PortsConfig{Any: true, Loops: loops})
		r := openSocket(t, p)
		good, goodAddr := peer(t)
		bad, _ := peer(t)
		r.send(t, good, audios(1, 3, 7)...)
		if st := r.Stats(); st.Foreign != 3 {
			t.Errorf("before SetRemote: %+v", st)
		}
		if err := r.WriteRTP(audio(1, 1)); err == nil {
			t.Error("sent without knowing where")
		}
		must(t, r.SetRemote(goodAddr))
		r.send(t, bad, audios(1, 50, 8)...)
		r.send(t, good, audios(4, 3, 7)...)
		r.send(t, bad, audios(51, 50, 7)...)
		if st := r.Stats(); st.Received != 3 || st.Foreign != 103 || st.Locked != goodAddr {
			t.Errorf("%+v", st)
		}
		if st := r.e.Stats(); st.ReceivedPackets != 3 {
			t.Errorf("%+v", st)
		}
		// A new remote, as in a re-INVITE: the old one is a stranger now.
		must(t, r.SetRemote(bad.LocalAddr().(*net.UDPAddr).AddrPort()))
		r.send(t, good, audios(7, 1, 7)...)
		if st := r.Stats(); st.Foreign != 104 {
			t.Errorf("%+v", st)
		}
		must(t, r.SetRemote(netip.AddrPort{}))
		if err := r.WriteRTP(audio(1, 1)); err == nil {
			t.Error("sent to nowhere")
		}
	})
}

func TestSourceLearn(t *testing.T) {
	eachSockets(t, func(t *testing.T, loops int) {
		p := newPorts(t, PortsConfig{Any: true, Loops: loops})
		r := openSocket(t, p)
		nat, natAddr := peer(t)
		bad, _ := peer(t)
		said, saidAddr := peer(t)
		r.SetSource(Source{Learn: true})
		must(t, r.SetRemote(saidAddr))

		// Junk, and a spray of unrelated packets, lock nothing.
		r.send(t, bad, []byte("junk"), audio(1, 8), audio(77, 9), audio(5, 10), []byte{0x80, 200, 0, 1}, audio(6, 11))
		if st := r.Stats(); st.Received != 0 || st.Locked.IsValid() {
			t.Fatalf("%+v", st)
		}
		// The far side behind NAT locks in fewer than five packets, a stranger in between or not.
		r.send(t, nat, audios(1, 2, 7)...)
		r.send(t, bad, audios(1, 1, 8)...)
		r.send(t, nat, audios(3, 3, 7)...)
		if st := r.Stats(); st.Locked != natAddr || st.Received != 2 {
			t.Fatalf("%+v", st)
		}
		// Nobody else gets in, and answers go to the locked address.
		r.send(t, bad, audios(1, 100, 8)...)
		if st := r.Stats(); st.Locked != natAddr || st.Received != 2 {
			t.Errorf("%+v", st)
		}
		must(t, r.WriteRTP(audio(1, 1)))
		must(t, nat.SetReadDeadline(time.Now().Add(patience)))
		if n, err := nat.Read(make([]byte, maxPacket)); err != nil || n != headerSize+frameSamples {
			t.Errorf("answer: %d bytes, %v", n, err)
		}
		// The address that the signalling named is authenticated: it takes over.
		r.send(t, said, audios(1, 1, 9)...)
		if st := r.Stats(); st.Locked != saidAddr {
			t.Errorf("%+v", st)
		}
		r.send(t, nat, audios(6, 10, 7)...)
		if st := r.Stats(); st.Locked != saidAddr || st.Received != 3 {
			t.Errorf("%+v", st)
		}
	})
}

// TestSourceOnly learns only from the addresses allowed.
func TestSourceOnly(t *testing.T) {
	p := newPorts(t, PortsConfig{Any: true})
	r := openSocket(t, p)
	c, addr := peer(t)
	_, saidAddr := peer(t)
	must(t, r.SetRemote(saidAddr))
	r.SetSource(Source{Learn: true, Only: []netip.Addr{netip.MustParseAddr("192.0.2.1")}})
	r.send(t, c, audios(1, 20, 7)...)
	if st := r.Stats(); st.Locked.IsValid() {
		t.Errorf("%+v", st)
	}
	r.SetSource(Source{Learn: true, Only: []netip.Addr{addr.Addr()}})
	r.send(t, c, audios(21, 4, 7)...)
	if st := r.Stats(); st.Locked != addr {
		t.Errorf("%+v", st)
	}
}

func TestHostileRemotes(t *testing.T) {
	p := newPorts(t, PortsConfig{Any: true})
	r := openSocket(t, p)
	_, good := peer(t)
	must(t, r.SetRemote(good))
	for _, a := range []string{"0.0.0.0:4000", "0.1.2.3:4000", "224.0.0.1:4000", "239.255.255.250:1900", "255.255.255.255:4000",
		"240.0.0.1:4000", "192.0.2.1:0", "[::]:4000", "[ff02::1]:4000", "[::ffff:0.0.0.0]:4000", "[::ffff:224.0.0.1]:4000"} {
		if err := r.SetRemote(netip.MustParseAddrPort(a)); !errors.Is(err, ErrBadRemote) {
			t.Errorf("%s: %v", a, err)
		}
	}
	if err := r.SetRemote(r.LocalAddr()); !errors.Is(err, ErrBadRemote) {
		t.Errorf("our own address: %v", err)
	}
	if to := r.sendTo.Load(); to == nil || *to != good {
		t.Errorf("a refused address changed the remote to %v", to)
	}
	for _, a := range []string{"127.0.0.1:4000", "[::1]:4000", "[::ffff:127.0.0.1]:4000"} {
		if err := checkRemote(netip.MustParseAddrPort(a), false); !errors.Is(err, ErrBadRemote) {
			t.Errorf("%s outside loopback: %v", a, err)
		}
	}
}

// freeRange finds an even port that is free now and gives a range of n even ports from there, of which some may be
// taken by others.
func freeRange(t testing.TB, n uint16) (lo, hi uint16) {
	t.Helper()
	p := newPorts(t, PortsConfig{Any: true})
	for {
		s, err := p.Open()
		must(t, err)
		lo = s.LocalAddr().Port()
		must(t, s.Close())
		if lo < 65535-2*n {
			return lo, lo + 2*n - 1
		}
	}
}

func TestPortsRest(t *testing.T) {
	eachSockets(t, func(t *testing.T, loops int) {
		now := time.Unix(0, 0)
		lo, hi := freeRange(t, 4)
		reg := prometheus.NewRegistry()
		p := newPorts(t, PortsConfig{
			Min: lo, Max: hi, Loops: loops, Rest: 10 * time.Second, Now: func() time.Time { return now }, Registerer: reg,
		})
		var all []*Socket
		seen := map[uint16]bool{}
		for {
			s, err := p.Open()
			if err != nil {
				if !errors.Is(err, ErrNoPorts) {
					t.Error(err)
				}
				break
			}
			port := s.LocalAddr().Port()
			if port%2 != 0 || port < lo || port > hi || seen[port] {
				t.Errorf("port %d of %d-%d", port, lo, hi)
			}
			seen[port] = true
			all = append(all, s)
		}
		if len(all) == 0 {
			t.Skip("another program took the ports meanwhile")
		}
		port := all[0].LocalAddr().Port()
		must(t, all[0].Close())
		must(t, all[0].Close())
		now = now.Add(9 * time.Second)
		if s, err := p.Open(); err == nil {
			t.Errorf("port %d was used again after 9 s", s.LocalAddr().Port())
			must(t, s.Close())
		}
		now = now.Add(1001 * time.Millisecond)
		s, err := p.Open()
		if err != nil || s.LocalAddr().Port() != port {
			t.Errorf("after the rest: %v", err)
		}
		if err == nil {
			must(t, s.Close())
		}
		for _, s := range all[1:] {
			must(t, s.Close())
		}
		if p.busy != 0 {
			t.Errorf("%d ports in use", p.busy)
		}
		if got := series(t, reg); len(got) != 5 {
			t.Errorf("metrics %v", got)
		}
	})
}

// TestPortsStartAtRandom makes many pools and wants different first ports.
func TestPortsStartAtRandom(t *testing.T) {
	first := map[int]bool{}
	for range 20 {
		p, err := NewPorts(PortsConfig{})
		must(t, err)
		first[p.next] = true
	}
	if len(first) < 10 {
		t.Errorf("%d different starts of 20", len(first))
	}
	for _, c := range []PortsConfig{{Min: 4001, Max: 4001}, {Min: 5000, Max: 4000}, {Max: 4000}} {
		if _, err := NewPorts(c); err == nil {
			t.Errorf("range %d-%d was accepted", c.Min, c.Max)
		}
	}
}

// TestMetrics wants every series from the start, and counters that outlive their endpoint.
func TestMetrics(t *testing.T) {
	reg := prometheus.NewRegistry()
	p := NewPacer(PacerConfig{Registerer: reg})
	defer p.Close()
	if got := series(t, reg); len(got) != 2+2+1+1+1+8+1+1+2 {
		t.Errorf("%d series: %v", len(got), got)
	}
	e := NewEndpoint(EndpointConfig{Pacer: p})
	feedIn(e, audio(1, 7), audio(4, 7))
	e.Close()
	e = NewEndpoint(EndpointConfig{Pacer: p})
	feedIn(e, audio(1, 7))
	defer e.Close()
	got := series(t, reg)
	if got["hotline_media_packets_total in"] != 3 || got["hotline_media_packets_lost_total"] != 2 || got["hotline_media_endpoints"] != 1 {
		t.Errorf("%v", got)
	}
}
