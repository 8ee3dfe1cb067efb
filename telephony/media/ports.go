package media

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// ErrNoPorts says that every port of the range is in use or resting.
var ErrNoPorts = errors.New("no free media port")

// PortsConfig makes a Ports.
type PortsConfig struct {
	IP       netip.Addr // to bind; zero: 127.0.0.1
	Min, Max uint16     // the range, both ends in it; both 0: 20000 to 29999
	Any      bool       // take whatever even port the system gives, for tests; Min, Max and Rest mean nothing then
	// Rest is how long a closed port is not used again, so that packets of the old call do not enter a new one.
	// 0: 10 s; negative: not at all.
	Rest time.Duration
	// Loops is how many event loops read all sockets together (Linux; one a core is a good number). 0: a goroutine for
	// each socket. Loops cost less for each packet, but whatever Endpoint.OnDigit or a Tap does holds all sockets up.
	Loops int
	// AllowLoopback lets far sides be on this machine although IP is not on loopback.
	AllowLoopback bool
	Now           func() time.Time // nil: time.Now
	Registerer    prometheus.Registerer
}

// Read and write buffers of a media socket: a second and more of 20 ms packets.
const socketBuffer = 256 << 10

// maxReadErrors in a row end a socket's reader.
const maxReadErrors = 100

// Ports opens RTP sockets in a range of ports, one goroutine reading each. The first port is a random one, so that a
// restart does not meet the packets of the calls before it. It implements Sockets.
type Ports struct {
	cfg      PortsConfig
	loopback bool
	totals   socketTotals
	listen   func(netip.AddrPort) (boundWire, error)
	loops    *loops // nil: none

	mu   sync.Mutex           // guards the rest
	next int                  // index of the port to try first
	used map[uint16]time.Time // zero: in use; else resting until then
	busy int
}

// boundWire is a wire that is bound but not read yet.
type boundWire interface {
	wire
	local() netip.AddrPort
	start(s *Socket) error
}

// NewPorts makes a pool. It opens no port yet. Close it when all sockets are closed.
func NewPorts(cfg PortsConfig) (*Ports, error) {
	if !cfg.IP.IsValid() {
		cfg.IP = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	}
	cfg.IP = cfg.IP.Unmap()
	if cfg.Min == 0 && cfg.Max == 0 {
		cfg.Min, cfg.Max = 20000, 29999
	}
	if cfg.Rest == 0 {
		cfg.Rest = 10 * time.Second
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	p := &Ports{
		cfg:      cfg,
		loopback: cfg.AllowLoopback || cfg.IP.IsLoopback(),
		listen:   listenUDP,
		used:     map[uint16]time.Time{},
	}
	if !cfg.Any {
		if cfg.Min == 0 || p.size() < 1 {
			return nil, fmt.Errorf("media ports %d-%d: no even port in the range", cfg.Min, cfg.Max)
		}
		p.next = rand.IntN(p.size())
	}
	if cfg.Loops > 0 {
		ls, err := newLoops(cfg.Loops)
		if err != nil {
			return nil, err
		}
		p.loops, p.listen = ls, ls.listen
	}
	if cfg.Registerer != nil {
		p.register(cfg.Registerer)
	}
	return p, nil
}

// Close ends the event loops, if any, and waits for them. Sockets still open hear nothing any more.
func (p *Ports) Close() error {
	if p.loops == nil {
		return nil
	}
	return p.loops.close()
}

// lowest is the first even port of the range.
func (p *Ports) lowest() int { return int(p.cfg.Min) + int(p.cfg.Min)&1 }

// size is how many even ports the range has.
func (p *Ports) size() int {
	if int(p.cfg.Max) < p.lowest() {
		return 0
	}
	return (int(p.cfg.Max)-p.lowest())/2 + 1
}

// Open implements Sockets. ErrNoPorts when all are in use or resting.
func (p *Ports) Open() (*Socket, error) {
	if p.cfg.Any {
		return p.openAny()
	}
	var last error
	for range p.size() {
		port, ok := p.reserve()
		if !ok {
			break
		}
		w, err := p.listen(netip.AddrPortFrom(p.cfg.IP, port))
		if err != nil { // another program has it: it rests as if used
			last = err
			p.release(port)
			continue
		}
		return p.socket(w, func() { p.release(port) })
	}
	if last != nil {
		return nil, fmt.Errorf("open media port in %d-%d: %w: %w", p.cfg.Min, p.cfg.Max, ErrNoPorts, last)
	}
	return nil, fmt.Errorf("open media port in %d-%d: %w", p.cfg.Min, p.cfg.Max, ErrNoPorts)
}

// openAny asks the system for ports until one is even.
func (p *Ports) openAny() (*Socket, error) {
	for {
		w, err := p.listen(netip.AddrPortFrom(p.cfg.IP, 0))
		if err != nil {
			return nil, fmt.Errorf("open media port: %w", err)
		}
		if w.local().Port()%2 == 0 {
			p.mu.Lock()
			p.busy++
			p.mu.Unlock()
			return p.socket(w, func() {
				p.mu.Lock()
				p.busy--
				p.mu.Unlock()
			})
		}
		if err := w.close(); err != nil {
			return nil, fmt.Errorf("open media port: %w", err)
		}
	}
}

// socket makes the Socket and sets its reader going.
func (p *Ports) socket(w boundWire, release func()) (*Socket, error) {
	s := &Socket{
		wire: w, local: w.local(), loopback: p.loopback, release: release, now: p.cfg.Now, totals: &p.totals,
	}
	if err := w.start(s); err != nil {
		_ = s.Close()
		return nil, fmt.Errorf("read media port: %w", err)
	}
	return s, nil
}

// reserve finds the next port that is neither in use nor resting.
func (p *Ports) reserve() (uint16, bool) {
	now := p.cfg.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	for range p.size() {
		port := uint16(p.lowest() + 2*p.next)
		p.next = (p.next + 1) % p.size()
		until, taken := p.used[port]
		if taken && (until.IsZero() || now.Before(until)) {
			continue
		}
		p.used[port] = time.Time{}
		p.busy++
		return port, true
	}
	return 0, false
}

// release lets a port rest.
func (p *Ports) release(port uint16) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.busy--
	if p.cfg.Rest < 0 {
		delete(p.used, port)
		return
	}
	p.used[port] = p.cfg.Now().Add(p.cfg.Rest)
}

func (p *Ports) register(reg prometheus.Registerer) {
	counter := func(name, help, reason string, v func() uint64) {
		reg.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: name, Help: help, ConstLabels: prometheus.Labels{"reason": reason},
		}, func() float64 { return float64(v()) }))
	}
	const name, help = "hotline_media_socket_drops_total", "Datagrams that RTP sockets did not take or send, by reason."
	counter(name, help, "foreign", p.totals.foreign.Load)
	counter(name, help, "unbound", p.totals.unbound.Load)
	counter(name, help, "send_error", p.totals.sendErrors.Load)
	reg.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "hotline_media_ports_in_use", Help: "Open RTP sockets.",
	}, func() float64 {
		p.mu.Lock()
		defer p.mu.Unlock()
		return float64(p.busy)
	}))
	reg.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "hotline_media_ports", Help: "Even ports in the RTP range.",
	}, func() float64 { return float64(p.size()) }))
}

// udpWire is a wire on the standard library: a goroutine that reads a net.UDPConn.
type udpWire struct {
	conn  *net.UDPConn
	addr  netip.AddrPort
	ended chan struct{} // closed when the reader has returned; nil before start
}

func listenUDP(addr netip.AddrPort) (boundWire, error) {
	network := "udp4"
	if addr.Addr().Is6() {
		network = "udp6"
	}
	conn, err := net.ListenUDP(network, net.UDPAddrFromAddrPort(addr))
	if err != nil {
		return nil, err
	}
	// The system may grant less; packets lost for it show in the kernel's counters.
	_ = conn.SetReadBuffer(socketBuffer)
	_ = conn.SetWriteBuffer(socketBuffer)
	local := conn.LocalAddr().(*net.UDPAddr).AddrPort()
	return &udpWire{conn: conn, addr: netip.AddrPortFrom(local.Addr().Unmap(), local.Port())}, nil
}

func (w *udpWire) local() netip.AddrPort { return w.addr }

// start begins to read; close joins the goroutine.
func (w *udpWire) start(s *Socket) error {
	w.ended = make(chan struct{})
	go w.read(s)
	return nil
}

func (w *udpWire) read(s *Socket) {
	defer close(w.ended)
	buf := make([]byte, maxPacket)
	for errs := 0; ; {
		n, from, err := w.conn.ReadFromUDPAddrPort(buf)
		if err != nil {
			// An ICMP answer to something we sent passes; a socket that only fails is left to the media time-out.
			if errs++; errs > maxReadErrors || errors.Is(err, net.ErrClosed) {
				return
			}
			continue
		}
		errs = 0
		s.receive(buf[:n], netip.AddrPortFrom(from.Addr().Unmap(), from.Port()))
	}
}

func (w *udpWire) writeTo(b []byte, to netip.AddrPort) error {
	_, err := w.conn.WriteToUDPAddrPort(b, to)
	return err
}

func (w *udpWire) close() error {
	err := w.conn.Close()
	if w.ended != nil {
		<-w.ended
	}
	return err
}
