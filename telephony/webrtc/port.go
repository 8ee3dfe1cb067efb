package webrtc

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/logging"
	"github.com/prometheus/client_golang/prometheus"
)

const (
	udpWriteLimit   = 100 * time.Millisecond // a full socket buffer costs at most so long, then packets are lost
	tcpWriteLimit   = 5 * time.Second        // a peer that takes nothing for so long is cut
	tcpWriteBuffer  = 16 << 10               // about 1.5 s of sound; when full, packets are dropped
	tcpReadBuffer   = 64                     // packets
	tcpFirstBinding = 5 * time.Second        // a TCP connection must identify itself by STUN so soon
	tcpMax          = 4096                   // TCP connections at once
	udpBuffer       = 1 << 20
)

// port is the one media port: a UDP socket per local address and a TCP listener, the same number everywhere.
type port struct {
	addr netip.AddrPort // as bound; the address may be unspecified
	udp  *udpMuxes
	tcp  *ice.TCPMuxDefault
	list *limitedListener
}

// openPort binds addr on udp and tcp. With port 0 it looks for a number that is free on both.
func openPort(addr netip.AddrPort, drop func() bool, logs logging.LoggerFactory, refused prometheus.Counter) (*port, error) {
	var lastErr error
	for range 20 {
		ln, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(addr))
		if err != nil {
			return nil, fmt.Errorf("listen on %s/tcp: %w", addr, err)
		}
		got := netip.AddrPortFrom(addr.Addr(), ln.Addr().(*net.TCPAddr).AddrPort().Port())
		mux := &udpMuxes{addr: got, drop: drop, log: logs.NewLogger("ice"), byAddr: map[netip.AddrPort]ice.UDPMux{}}
		if err = mux.refresh(); err == nil {
			p := &port{addr: got, udp: mux}
			p.list = &limitedListener{Listener: ln, max: tcpMax, refused: refused, open: map[*limitedConn]struct{}{}}
			p.tcp = ice.NewTCPMuxDefault(ice.TCPMuxParams{Listener: p.list, Logger: logs.NewLogger("ice"),
				ReadBufferSize: tcpReadBuffer, WriteBufferSize: tcpWriteBuffer, FirstStunBindTimeout: tcpFirstBinding,
				AliveDurationForConnFromStun: tcpFirstBinding})
			return p, nil
		}
		lastErr = fmt.Errorf("listen on %s/udp: %w", got, err)
		err = errors.Join(mux.Close(), ln.Close())
		if addr.Port() != 0 || !errors.Is(lastErr, syscall.EADDRINUSE) {
			return nil, errors.Join(lastErr, err)
		}
	}
	return nil, lastErr
}

// close ends both; connections of the muxes end with it.
func (p *port) close() error {
	p.list.cut() // else the TCP mux waits for every connection that has not said who it is
	return errors.Join(p.udp.Close(), p.tcp.Close())
}

// udpMuxes is an ice.UDPMux over one socket per local address. For an unspecified address it follows the host: every
// gathering looks for new addresses, so a laptop that changed networks needs no restart. An address that went away
// keeps its socket until the end, which costs a descriptor.
type udpMuxes struct {
	addr netip.AddrPort
	drop func() bool
	log  logging.LeveledLogger

	mu     sync.Mutex
	closed bool
	byAddr map[netip.AddrPort]ice.UDPMux
}

// refresh opens sockets for addresses that have none.
func (m *udpMuxes) refresh() error {
	ips := []netip.Addr{m.addr.Addr()}
	if m.addr.Addr().IsUnspecified() {
		var err error
		if ips, err = hostAddresses(m.addr.Addr().Is4()); err != nil {
			return err
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return net.ErrClosed
	}
	var errs []error
	for _, ip := range ips {
		at := netip.AddrPortFrom(ip, m.addr.Port())
		if m.byAddr[at] != nil {
			continue
		}
		c, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(at))
		if err != nil {
			errs = append(errs, err)
			continue
		}
		_ = c.SetReadBuffer(udpBuffer) // the kernel may give less, which is no error
		_ = c.SetWriteBuffer(udpBuffer)
		m.byAddr[at] = ice.NewUDPMuxDefault(ice.UDPMuxParams{UDPConn: &udpConn{UDPConn: c, drop: m.drop}, Logger: m.log})
	}
	if len(m.byAddr) > 0 && m.addr.Addr().IsUnspecified() {
		return nil // an address that vanished meanwhile is no reason to refuse
	}
	return errors.Join(errs...)
}

// hostAddresses lists the addresses browsers may reach us at: neither loopback nor link-local.
func hostAddresses(only4 bool) ([]netip.Addr, error) {
	all, err := net.InterfaceAddrs()
	if err != nil {
		return nil, fmt.Errorf("list addresses: %w", err)
	}
	var ips []netip.Addr
	for _, a := range all {
		p, err := netip.ParsePrefix(a.String())
		if err != nil {
			continue
		}
		ip := p.Addr().Unmap()
		if ip.IsLoopback() || ip.IsLinkLocalUnicast() || ip.IsMulticast() || (only4 && !ip.Is4()) {
			continue
		}
		ips = append(ips, ip)
	}
	if len(ips) == 0 {
		return nil, errors.New("this host has no address but loopback: give one in the address")
	}
	return ips, nil
}

// GetConn implements ice.UDPMux.
func (m *udpMuxes) GetConn(ufrag string, addr net.Addr) (net.PacketConn, error) {
	ua, ok := addr.(*net.UDPAddr)
	if !ok {
		return nil, fmt.Errorf("%s is no udp address", addr)
	}
	ap := ua.AddrPort()
	m.mu.Lock()
	mux := m.byAddr[netip.AddrPortFrom(ap.Addr().Unmap().WithZone(""), ap.Port())]
	m.mu.Unlock()
	if mux == nil {
		return nil, fmt.Errorf("no media socket on %s", addr)
	}
	return mux.GetConn(ufrag, addr)
}

// RemoveConnByUfrag implements ice.UDPMux.
func (m *udpMuxes) RemoveConnByUfrag(ufrag string) {
	for _, mux := range m.all() {
		mux.RemoveConnByUfrag(ufrag)
	}
}

// GetListenAddresses implements ice.UDPMux; pion asks at every gathering.
func (m *udpMuxes) GetListenAddresses() []net.Addr {
	if m.addr.Addr().IsUnspecified() {
		if err := m.refresh(); err != nil {
			m.log.Errorf("look for new local addresses: %v", err)
		}
	}
	var out []net.Addr
	for _, mux := range m.all() {
		out = append(out, mux.GetListenAddresses()...)
	}
	return out
}

// Close implements ice.UDPMux.
func (m *udpMuxes) Close() error {
	m.mu.Lock()
	m.closed = true
	m.mu.Unlock()
	var errs []error
	for _, mux := range m.all() {
		errs = append(errs, mux.Close())
	}
	return errors.Join(errs...)
}

func (m *udpMuxes) all() []ice.UDPMux {
	m.mu.Lock()
	defer m.mu.Unlock()
	keys := make([]netip.AddrPort, 0, len(m.byAddr))
	for k := range m.byAddr {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, netip.AddrPort.Compare)
	out := make([]ice.UDPMux, len(keys))
	for i, k := range keys {
		out[i] = m.byAddr[k]
	}
	return out
}

// udpConn is a UDP socket whose writes end in time. The deadline is moved on when half of it is used up, since setting
// it for every packet would cost as much as sending.
type udpConn struct {
	*net.UDPConn
	drop func() bool // tests: lose everything while true

	mu    sync.Mutex // guards moving the deadline
	until atomic.Int64
}

// ReadFromAddrPort implements ice.AddrPortReaderWriter.
func (c *udpConn) ReadFromAddrPort(b []byte) (int, netip.AddrPort, error) {
	for {
		n, from, err := c.ReadFromUDPAddrPort(b)
		if err == nil && c.drop != nil && c.drop() {
			continue
		}
		return n, from, err
	}
}

// WriteToAddrPort implements ice.AddrPortReaderWriter.
func (c *udpConn) WriteToAddrPort(b []byte, to netip.AddrPort) (int, error) {
	if c.drop != nil && c.drop() {
		return len(b), nil
	}
	c.arm()
	return c.WriteToUDPAddrPort(b, to)
}

// WriteTo implements net.PacketConn; STUN checks come this way.
func (c *udpConn) WriteTo(b []byte, to net.Addr) (int, error) {
	if c.drop != nil && c.drop() {
		return len(b), nil
	}
	c.arm()
	return c.UDPConn.WriteTo(b, to)
}

// SetWriteDeadline implements net.Conn; the mux uses it to interrupt a write.
func (c *udpConn) SetWriteDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.until.Store(0)
	return c.UDPConn.SetWriteDeadline(t)
}

func (c *udpConn) arm() {
	now := time.Now()
	if c.until.Load()-now.UnixNano() > int64(udpWriteLimit/2) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.until.Load()-now.UnixNano() > int64(udpWriteLimit/2) {
		return
	}
	end := now.Add(udpWriteLimit)
	if c.UDPConn.SetWriteDeadline(end) == nil {
		c.until.Store(end.UnixNano())
	}
}

// limitedListener caps connections and can cut them all.
type limitedListener struct {
	net.Listener
	max     int
	refused prometheus.Counter

	mu     sync.Mutex
	closed bool
	open   map[*limitedConn]struct{}
}

// Accept implements net.Listener.
func (l *limitedListener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		lc := &limitedConn{Conn: c, l: l}
		l.mu.Lock()
		ok := !l.closed && len(l.open) < l.max
		if ok {
			l.open[lc] = struct{}{}
		}
		l.mu.Unlock()
		if ok {
			return lc, nil
		}
		l.refused.Inc()
		_ = c.Close()
	}
}

// cut closes every connection and takes no more.
func (l *limitedListener) cut() {
	l.mu.Lock()
	l.closed = true
	open := make([]*limitedConn, 0, len(l.open))
	for c := range l.open {
		open = append(open, c)
	}
	l.mu.Unlock()
	for _, c := range open {
		_ = c.Close()
	}
}

type limitedConn struct {
	net.Conn
	l *limitedListener
}

// Write implements net.Conn with a deadline.
func (c *limitedConn) Write(b []byte) (int, error) {
	if err := c.SetWriteDeadline(time.Now().Add(tcpWriteLimit)); err != nil {
		return 0, err
	}
	return c.Conn.Write(b)
}

// Close implements net.Conn.
func (c *limitedConn) Close() error {
	c.l.mu.Lock()
	delete(c.l.open, c)
	c.l.mu.Unlock()
	return c.Conn.Close()
}
