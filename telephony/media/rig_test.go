package media

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"log/slog"
	"math"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"hotline/telephony/media/tone"
)

func TestMain(m *testing.M) {
	if os.Getenv(generatorEnv) != "" {
		os.Exit(runGenerator())
	}
	goleak.VerifyTestMain(m)
}

// patience is how long a test waits for what must come; only failing tests need it.
const patience = 15 * time.Second

func newTestPacer(t testing.TB) *Pacer {
	t.Helper()
	p := NewPacer(PacerConfig{Log: slog.New(slog.DiscardHandler)})
	p.Start()
	t.Cleanup(p.Close)
	return p
}

// eachSockets runs a test against every kind of Sockets.
func eachSockets(t *testing.T, f func(t *testing.T, loops int)) {
	t.Helper()
	kinds := map[string]int{"goroutines": 0}
	if runtime.GOOS == "linux" {
		kinds["loops"] = 2
	}
	for name, loops := range kinds {
		t.Run(name, func(t *testing.T) { f(t, loops) })
	}
}

// newPorts makes a pool and closes it after the test.
func newPorts(t testing.TB, cfg PortsConfig) *Ports {
	t.Helper()
	p, err := NewPorts(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// packet builds an RTP packet.
func packet(pt uint8, marker bool, seq uint16, ts, ssrc uint32, payload ...byte) []byte {
	b := make([]byte, headerSize, headerSize+len(payload))
	putHeader(b, pt, marker, seq, ts, ssrc)
	return append(b, payload...)
}

// eventPacket builds a telephone-event packet.
func eventPacket(pt uint8, seq uint16, ts, ssrc uint32, key uint8, end bool, dur uint16) []byte {
	flags := byte(10)
	if end {
		flags |= 0x80
	}
	return packet(pt, false, seq, ts, ssrc, key, flags, byte(dur>>8), byte(dur))
}

// sink is a Transport that keeps what it is given.
type sink struct {
	mu   sync.Mutex
	cond *sync.Cond
	got  [][]byte
	at   []time.Time
	err  error
}

func newSink() *sink {
	s := &sink{}
	s.cond = sync.NewCond(&s.mu)
	return s
}

func (s *sink) WriteRTP(p []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return s.err
	}
	s.got = append(s.got, bytes.Clone(p))
	s.at = append(s.at, time.Now())
	s.cond.Broadcast()
	return nil
}

func (s *sink) packets() [][]byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([][]byte(nil), s.got...)
}

// wait returns once n packets came.
func (s *sink) wait(t testing.TB, n int) [][]byte {
	t.Helper()
	stop := time.AfterFunc(patience, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.cond.Broadcast()
	})
	defer stop.Stop()
	begin := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.got) < n {
		if time.Since(begin) >= patience {
			t.Fatalf("%d packets came, want %d", len(s.got), n)
		}
		s.cond.Wait()
	}
	return append([][]byte(nil), s.got...)
}

// parsed is a packet that must be RTP.
func parsed(t testing.TB, b []byte) header {
	t.Helper()
	var h header
	if !h.parse(b) {
		t.Fatalf("not RTP: %x", b)
	}
	return h
}

// pcmOf decodes packets one after another.
func pcmOf(t testing.TB, packets [][]byte) (pcm []int16) {
	t.Helper()
	for _, b := range packets {
		h := parsed(t, b)
		part := make([]int16, h.end-h.off)
		Law(h.pt).Decode(part, b[h.off:h.end])
		pcm = append(pcm, part...)
	}
	return pcm
}

// phone is a far side: it says a tone in packets of 20 ms to its peer, and keeps what it hears.
type phone struct {
	name string
	law  Law
	conn *net.UDPConn
	stop chan struct{}
	wg   sync.WaitGroup

	mu     sync.Mutex
	cond   *sync.Cond
	heard  []int16
	events []header
	peer   netip.AddrPort
}

func newPhone(t testing.TB, name string, law Law, hz float64) *phone {
	t.Helper()
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	ph := &phone{name: name, law: law, conn: conn, stop: make(chan struct{})}
	ph.cond = sync.NewCond(&ph.mu)
	ph.wg.Add(2)
	go ph.listen()
	go ph.talk(hz)
	t.Cleanup(func() {
		close(ph.stop)
		ph.conn.Close()
		ph.wg.Wait()
	})
	return ph
}

func (ph *phone) addr() netip.AddrPort { return ph.conn.LocalAddr().(*net.UDPAddr).AddrPort() }

func (ph *phone) listen() {
	defer ph.wg.Done()
	buf := make([]byte, maxPacket)
	for {
		n, _, err := ph.conn.ReadFromUDPAddrPort(buf)
		if err != nil {
			return
		}
		var h header
		if !h.parse(buf[:n]) {
			continue
		}
		ph.mu.Lock()
		if h.pt == 101 {
			ph.events = append(ph.events, h)
		} else {
			part := make([]int16, h.end-h.off)
			Law(h.pt).Decode(part, buf[h.off:h.end])
			ph.heard = append(ph.heard, part...)
		}
		ph.cond.Broadcast()
		ph.mu.Unlock()
	}
}

// talk says the tone by absolute deadlines; hz 0 says nothing.
func (ph *phone) talk(hz float64) {
	defer ph.wg.Done()
	if hz == 0 {
		return
	}
	g := tone.NewGenerator(8000, 0.5, hz)
	pcm, b := make([]int16, frameSamples), make([]byte, headerSize+frameSamples)
	begin := time.Now()
	for n := 0; ; n++ {
		timer := time.NewTimer(time.Until(begin.Add(time.Duration(n) * frameTime)))
		select {
		case <-ph.stop:
			timer.Stop()
			return
		case <-timer.C:
		}
		g.Fill(pcm)
		ph.law.Encode(b[headerSize:], pcm)
		putHeader(b, uint8(ph.law), n == 0, uint16(n), uint32(n)*frameSamples, uint32(hz))
		ph.mu.Lock()
		peer := ph.peer
		ph.mu.Unlock()
		if peer.IsValid() {
			ph.conn.WriteToUDPAddrPort(b, peer)
		}
	}
}

func (ph *phone) call(peer netip.AddrPort) {
	ph.mu.Lock()
	ph.peer = peer
	ph.mu.Unlock()
}

// hear waits for the next n samples; fewer come back when patience ends.
func (ph *phone) hear(n int) []int16 {
	stop := time.AfterFunc(patience, func() {
		ph.mu.Lock()
		defer ph.mu.Unlock()
		ph.cond.Broadcast()
	})
	defer stop.Stop()
	end := time.Now().Add(patience)
	ph.mu.Lock()
	defer ph.mu.Unlock()
	from := len(ph.heard)
	for len(ph.heard) < from+n && time.Now().Before(end) {
		ph.cond.Wait()
	}
	return append([]int16(nil), ph.heard[from:]...)
}

// allTones are the frequencies of the tone table; what is not expected must be absent.
var allTones = []float64{1000, 440, 700, 1500, 350, 320}

// judgeTones compares what is heard in pcm with what should be.
func judgeTones(pcm []int16, want ...float64) error {
	if len(pcm) == 0 {
		return fmt.Errorf("heard no packets")
	}
	for _, hz := range allTones {
		wanted := false
		for _, w := range want {
			wanted = wanted || w == hz
		}
		a := tone.Amplitude(pcm, hz, 8000)
		if wanted && a < 0.15 {
			return fmt.Errorf("%v Hz is missing: %.3f", hz, a)
		}
		if !wanted && a > 0.02 {
			return fmt.Errorf("%v Hz should not be heard: %.3f", hz, a)
		}
	}
	return nil
}

// hears waits until a stretch of 400 ms has exactly the tones.
func (ph *phone) hears(t testing.TB, want ...float64) {
	t.Helper()
	var err error
	for end := time.Now().Add(patience); time.Now().Before(end); {
		pcm := ph.hear(3200)
		if len(pcm) < 3200 {
			t.Fatalf("%s heard %d samples only", ph.name, len(pcm))
		}
		if err = judgeTones(pcm[:3200], want...); err == nil {
			return
		}
	}
	t.Fatalf("%s: %v", ph.name, err)
}

// connect gives a phone an endpoint through a socket.
func connect(t testing.TB, ports Sockets, ph *phone, cfg EndpointConfig) (*Endpoint, *Socket) {
	t.Helper()
	s, err := ports.Open()
	if err != nil {
		t.Fatal(err)
	}
	cfg.Name, cfg.Law, cfg.Transport = ph.name, ph.law, s
	e := NewEndpoint(cfg)
	if err := s.SetRemote(ph.addr()); err != nil {
		t.Fatal(err)
	}
	s.Bind(e)
	ph.call(s.LocalAddr())
	t.Cleanup(func() {
		e.Close()
		s.Close()
	})
	return e, s
}

// wavFile writes a WAV file and returns its path.
func wavFile(t testing.TB, name string, tag, channels, rate int, data []byte) string {
	t.Helper()
	bits := 16
	if tag != wavPCM {
		bits = 8
	}
	var b bytes.Buffer
	b.WriteString("RIFF")
	binary.Write(&b, binary.LittleEndian, uint32(36+len(data)))
	b.WriteString("WAVEfmt ")
	binary.Write(&b, binary.LittleEndian, uint32(16))
	for _, v := range []any{
		uint16(tag), uint16(channels), uint32(rate), uint32(rate * channels * bits / 8), uint16(channels * bits / 8),
		uint16(bits),
	} {
		binary.Write(&b, binary.LittleEndian, v)
	}
	b.WriteString("data")
	binary.Write(&b, binary.LittleEndian, uint32(len(data)))
	b.Write(data)
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// sine makes PCM16 data of a sine, the same on all channels.
func sine(hz float64, rate, channels int, d time.Duration) []byte {
	n := int(d.Seconds() * float64(rate))
	b := make([]byte, 0, n*channels*2)
	for i := range n {
		v := int16(16384 * math.Sin(2*math.Pi*hz*float64(i)/float64(rate)))
		for range channels {
			b = binary.LittleEndian.AppendUint16(b, uint16(v))
		}
	}
	return b
}

func withTimeout(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// series are all values of a registry, by name and label values.
func series(t testing.TB, reg *prometheus.Registry) map[string]float64 {
	t.Helper()
	all, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, f := range all {
		for _, m := range f.GetMetric() {
			name := f.GetName()
			for _, l := range m.GetLabel() {
				name += " " + l.GetValue()
			}
			got[name] = m.GetCounter().GetValue() + m.GetGauge().GetValue() + m.GetHistogram().GetSampleSum()
		}
	}
	return got
}
