package media

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"hotline/telephony"
)

// cpu is the processor time this process has used: what a packet costs, whoever wakes whom.
func cpu() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// window is how many packets the generator keeps under way; as many calls, each with its own sockets.
const window = 16

// push sends n packets through window calls, one under way in each, and returns the processor time used, the
// generator's share included.
func (r *relayRig) push(b *testing.B, n int) time.Duration {
	b.Helper()
	var wg sync.WaitGroup
	begin := cpu()
	for i := range r.in {
		wg.Go(func() {
			p, got := make([]byte, headerSize+frameSamples), make([]byte, maxPacket)
			for range n/window + 1 {
				r.seq[i]++
				putHeader(p, 0, false, r.seq[i], uint32(r.seq[i])*frameSamples, uint32(i+1))
				if _, err := r.in[i].WriteToUDPAddrPort(p, r.at[i]); err != nil {
					b.Error(err)
					return
				}
				if _, _, err := r.out[i].ReadFromUDPAddrPort(got); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	return cpu() - begin
}

func benchConns(b *testing.B) (all []*net.UDPConn) {
	for range window {
		c, _ := peer(b)
		must(b, c.SetDeadline(time.Now().Add(10*time.Minute)))
		all = append(all, c)
	}
	return all
}

// relayRig is window calls: what in[i] sends to at[i] must come out at out[i].
type relayRig struct {
	in, out []*net.UDPConn
	at      []netip.AddrPort
	seq     [window]uint16
	rooms   []*Room
}

// newDirect lets the generator speak to itself: its own share, to be taken off.
func newDirect(b *testing.B) *relayRig {
	r := &relayRig{in: benchConns(b), out: benchConns(b)}
	for _, c := range r.out {
		r.at = append(r.at, c.LocalAddr().(*net.UDPAddr).AddrPort())
	}
	return r
}

// newRelay is window rooms with two parties each.
func newRelay(b *testing.B, ports Sockets) *relayRig {
	b.Helper()
	r := &relayRig{in: benchConns(b), out: benchConns(b)}
	for i := range window {
		room := NewRoom(RoomConfig{})
		b.Cleanup(room.Close)
		for k, c := range []*net.UDPConn{r.in[i], r.out[i]} {
			s, err := ports.Open()
			must(b, err)
			e := NewEndpoint(EndpointConfig{Transport: s})
			must(b, s.SetRemote(c.LocalAddr().(*net.UDPAddr).AddrPort()))
			s.Bind(e)
			b.Cleanup(func() {
				e.Close()
				s.Close()
			})
			must(b, room.Join(e, []Role{Customer, Agent}[k]))
			if k == 0 {
				r.at = append(r.at, s.LocalAddr())
			}
		}
		r.rooms = append(r.rooms, room)
	}
	return r
}

// newFloor is window goroutines that read one net.UDPConn and write to another: what physics and Go demand.
func newFloor(b *testing.B) *relayRig {
	r := &relayRig{in: benchConns(b), out: benchConns(b)}
	for i := range window {
		a, addr := peer(b)
		to, _ := peer(b)
		dst := r.out[i].LocalAddr().(*net.UDPAddr).AddrPort()
		r.at = append(r.at, addr)
		floor(b, a, to, dst)
	}
	return r
}

// floor is one goroutine that reads a and writes to dst.
func floor(b *testing.B, a, to *net.UDPConn, dst netip.AddrPort) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		buf := make([]byte, maxPacket)
		for {
			n, _, err := a.ReadFromUDPAddrPort(buf)
			if err != nil {
				return
			}
			if _, err := to.WriteToUDPAddrPort(buf[:n], dst); err != nil {
				return
			}
		}
	}()
	b.Cleanup(func() {
		a.Close()
		<-done
	})
}

// compare runs the generator alone and two kinds of relay in turns, and reports what a packet costs in each and the
// median of the ratios of ours to base, the generator's share taken off.
func compare(b *testing.B, ours, base *relayRig) {
	b.Helper()
	const rounds = 10
	n := max(b.N/rounds, 4000)
	direct := newDirect(b)
	arms := []*relayRig{direct, base, ours}
	for _, r := range arms {
		r.push(b, n) // the first round of anything is slow
	}
	var ratios, costs, bases []float64
	for round := range rounds {
		var used [3]float64
		for k := range arms {
			i := (k + round) % len(arms)
			used[i] = float64(arms[i].push(b, n).Nanoseconds()) / float64(n)
		}
		costs, bases = append(costs, used[2]-used[0]), append(bases, used[1]-used[0])
		ratios = append(ratios, (used[2]-used[0])/(used[1]-used[0]))
	}
	b.ReportMetric(median(costs), "ns/op")
	b.ReportMetric(median(bases), "base-ns")
	b.ReportMetric(median(ratios), "ratio")
}

func median(v []float64) float64 {
	slices.Sort(v)
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
}

// BenchmarkH1Relay is the processor time of one packet through sockets, endpoints and a room; ratio is against the
// floor, at most 1.5.
func BenchmarkH1Relay(b *testing.B) {
	compare(b, newRelay(b, newPorts(b, PortsConfig{Any: true})), newFloor(b))
}

// BenchmarkH1Loops is BenchmarkH1Relay with event loops instead of a goroutine for each socket.
func BenchmarkH1Loops(b *testing.B) {
	compare(b, newRelay(b, newPorts(b, PortsConfig{Any: true, Loops: 1})), newFloor(b))
}

// BenchmarkH1Floor compares the floor with itself: how far to trust the ratios of this run.
func BenchmarkH1Floor(b *testing.B) { compare(b, newFloor(b), newFloor(b)) }

// BenchmarkH2Tap is a relay with a recording tap against one without; ratio at most 1.15.
func BenchmarkH2Tap(b *testing.B) {
	ours := newRelay(b, newPorts(b, PortsConfig{Any: true}))
	for _, r := range ours.rooms {
		r.AddTap(&ringTap{buf: make([]byte, 1<<16)})
	}
	compare(b, ours, newRelay(b, newPorts(b, PortsConfig{Any: true})))
}

// ringTap does what a recorder does in its Frame: copies.
type ringTap struct {
	buf []byte
	at  int
}

func (r *ringTap) Frame(_ int, _ uint8, _ int64, payload []byte) {
	if r.at+len(payload) > len(r.buf) {
		r.at = 0
	}
	r.at += copy(r.buf[r.at:], payload)
}

// null is a transport that costs nothing.
type null struct{}

func (null) WriteRTP([]byte) error { return nil }

// receiver is an endpoint in a room with another, and the packets to push into it.
func receiver(t testing.TB, from, to Law, tap bool) func() {
	a := NewEndpoint(EndpointConfig{Law: from, EventPT: 101, Transport: null{}})
	c := NewEndpoint(EndpointConfig{Law: to, EventPT: 101, Transport: null{}})
	r := NewRoom(RoomConfig{})
	must(t, r.Join(a, Customer))
	must(t, r.Join(c, Agent))
	if tap {
		r.AddTap(&ringTap{buf: make([]byte, 1<<16)})
	}
	t.Cleanup(func() {
		r.Close()
		a.Close()
		c.Close()
	})
	p, n := make([]byte, headerSize+frameSamples), 0
	return func() {
		n++
		putHeader(p, uint8(from), false, uint16(n), uint32(n)*frameSamples, 7)
		a.Receive(p, a.start.Add(time.Duration(n)*frameTime))
	}
}

// BenchmarkReceive is our own share of a relayed packet, without sockets.
func BenchmarkReceive(b *testing.B) {
	for _, c := range []struct {
		name string
		to   Law
		tap  bool
	}{{"same law", PCMA, false}, {"other law", PCMU, false}, {"tap", PCMA, true}} {
		b.Run(c.name, func(b *testing.B) {
			push := receiver(b, PCMA, c.to, c.tap)
			b.ReportAllocs()
			for b.Loop() {
				push()
			}
		})
	}
}

// TestRelayDoesNotAllocate holds the packet path to zero: relayed, converted, recorded, a key, a foreign packet.
func TestRelayDoesNotAllocate(t *testing.T) {
	for name, push := range map[string]func(){
		"same law":  receiver(t, PCMA, PCMA, false),
		"other law": receiver(t, PCMA, PCMU, false),
		"recorded":  receiver(t, PCMA, PCMA, true),
	} {
		if n := testing.AllocsPerRun(1000, push); n != 0 {
			t.Errorf("%s: %v allocations a packet", name, n)
		}
	}
	e := NewEndpoint(EndpointConfig{EventPT: 101})
	defer e.Close()
	seq, ev := uint16(0), eventPacket(101, 0, 160, 7, 5, false, 160)
	if n := testing.AllocsPerRun(1000, func() {
		seq++
		putHeader(ev, 101, false, seq, uint32(seq)*2000, 7)
		e.Receive(ev, e.start)
	}); n != 0 {
		t.Errorf("key: %v allocations a packet", n)
	}
	eachSockets(t, testSocketDoesNotAllocate)
}

// testSocketDoesNotAllocate sends a packet, and lets one go through a room there and back.
func testSocketDoesNotAllocate(t *testing.T, loops int) {
	ports := newPorts(t, PortsConfig{Any: true, Loops: loops})
	r := openSocket(t, ports)
	_, addr := peer(t)
	must(t, r.SetRemote(addr))
	other, pkt := netip.AddrPortFrom(addr.Addr(), addr.Port()^1), audio(1, 7)
	if n := testing.AllocsPerRun(1000, func() {
		r.receive(pkt, other)
		must(t, r.WriteRTP(pkt))
	}); n != 0 {
		t.Errorf("socket: %v allocations a packet", n)
	}

	a, b := openSocket(t, ports), openSocket(t, ports)
	c, addr := peer(t)
	must(t, c.SetReadDeadline(time.Now().Add(patience)))
	must(t, a.SetRemote(addr))
	must(t, b.SetRemote(addr))
	room := NewRoom(RoomConfig{})
	defer room.Close()
	must(t, room.Join(a.e, Customer))
	must(t, room.Join(b.e, Agent))
	buf, seq, to := make([]byte, maxPacket), uint16(0), a.LocalAddr()
	if n := testing.AllocsPerRun(1000, func() {
		seq++
		putHeader(pkt, 0, false, seq, uint32(seq)*frameSamples, 7)
		if _, err := c.WriteToUDPAddrPort(pkt, to); err != nil {
			t.Fatal(err)
		}
		if _, _, err := c.ReadFromUDPAddrPort(buf); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("there and back: %v allocations a packet", n)
	}
}

// mixRig is a room with n parties who all speak, and a function that makes one frame.
func mixRig(t testing.TB, n int) func() {
	r := NewRoom(RoomConfig{})
	t.Cleanup(r.Close)
	all := make([]*Endpoint, n)
	for i := range all {
		all[i] = NewEndpoint(EndpointConfig{Law: []Law{PCMU, PCMA}[i%2], Transport: null{}})
		t.Cleanup(all[i].Close)
		must(t, r.Join(all[i], Agent))
	}
	p, frame, at := make([]byte, headerSize+frameSamples), 0, time.Now()
	plan := r.plan.Load()
	return func() {
		frame++
		at = at.Add(frameTime)
		for i, e := range all {
			putHeader(p, uint8(i%2*8), false, uint16(frame), uint32(frame)*frameSamples, uint32(i+1))
			e.Receive(p, at)
		}
		plan.run(int64(frame), at)
	}
}

// BenchmarkM2Mix is the cost of receiving, mixing and sending per party and frame.
func BenchmarkM2Mix(b *testing.B) {
	for _, n := range []int{3, 5, 50} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			frame := mixRig(b, n)
			b.ReportAllocs()
			for b.Loop() {
				frame()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/party")
		})
	}
}

func TestMixDoesNotAllocate(t *testing.T) {
	if n := testing.AllocsPerRun(200, mixRig(t, 4)); n != 0 {
		t.Errorf("%v allocations a frame", n)
	}
}

// stamps is a transport that sends, and notes when.
type stamps struct {
	to Transport
	at []time.Time
}

func (s *stamps) WriteRTP(p []byte) error {
	s.at = append(s.at, time.Now())
	return s.to.WriteRTP(p)
}

// BenchmarkH4Pacing plays to 300 channels for three seconds and reports how far packets leave from an even 20 ms.
func BenchmarkH4Pacing(b *testing.B) {
	const channels, seconds = 300, 3
	pacer := newTestPacer(b)
	ports := newPorts(b, PortsConfig{Any: true})
	_, addr := peer(b)
	all := make([]*stamps, channels)
	var wg sync.WaitGroup
	used := cpu()
	for i := range all {
		s, err := ports.Open()
		must(b, err)
		must(b, s.SetRemote(addr))
		all[i] = &stamps{to: s}
		e := NewEndpoint(EndpointConfig{Pacer: pacer, Transport: all[i]})
		b.Cleanup(func() {
			e.Close()
			s.Close()
		})
		wg.Go(func() {
			p := telephony.Prompt{Clips: []telephony.Clip{{Silence: seconds * time.Second}}}
			if err := e.Play(context.Background(), p); err != nil {
				b.Error(err)
			}
		})
	}
	wg.Wait()
	used = cpu() - used
	var late []float64
	for _, s := range all {
		first := time.Duration(1 << 62) // the earliest of the stream, were it even
		for n, at := range s.at {
			first = min(first, at.Sub(s.at[0])-time.Duration(n)*frameTime)
		}
		for n, at := range s.at {
			late = append(late, float64(at.Sub(s.at[0])-time.Duration(n)*frameTime-first)/1e6)
		}
	}
	slices.Sort(late)
	for name, q := range map[string]float64{"p50-ms": 0.5, "p99-ms": 0.99, "p99.9-ms": 0.999, "max-ms": 1} {
		b.ReportMetric(late[int(q*float64(len(late)-1))], name)
	}
	b.ReportMetric(float64(used.Nanoseconds())/float64(len(late)), "cpu-ns/packet")
}
