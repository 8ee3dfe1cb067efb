package sip

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"time"
)

// Bounds on TCP peers.
const (
	maxConns       = 1024 // all
	maxConnsSource = 32   // one address
	outQueue       = 64   // messages waiting for a peer to read; full: the peer is cut off
)

var errSlowPeer = errors.New("peer does not read")

// tcpConn is one TCP connection: a reader, a writer, and a bounded queue between.
type tcpConn struct {
	s      *Server
	c      net.Conn
	remote netip.AddrPort
	out    chan []byte // size outQueue

	once sync.Once
	gone chan struct{} // closed by close
}

// acceptTCP ends when the listener is closed.
func (s *Server) acceptTCP() {
	defer s.wg.Done()
	for {
		c, err := s.tcp.Accept()
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return
			}
			s.log.Warn("accept a SIP connection", "error", err)
			select { // out of file descriptors: do not spin
			case <-time.After(50 * time.Millisecond):
				continue
			case <-s.stopped:
				return
			}
		}
		if s.adopt(c) == nil {
			_ = c.Close()
		}
	}
}

// adopt starts the goroutines of a connection; nil: too many.
func (s *Server) adopt(c net.Conn) *tcpConn {
	addr, err := netip.ParseAddrPort(c.RemoteAddr().String())
	if err != nil {
		return nil
	}
	addr = netip.AddrPortFrom(addr.Addr().Unmap(), addr.Port())
	t := &tcpConn{s: s, c: c, remote: addr, out: make(chan []byte, outQueue), gone: make(chan struct{})}
	s.connMu.Lock()
	defer s.connMu.Unlock()
	if s.connsClosed || len(s.conns) >= maxConns || s.connsFrom[addr.Addr()] >= maxConnsSource {
		s.met.refuse("slow")
		return nil
	}
	s.conns[addr] = t
	s.connsFrom[addr.Addr()]++
	s.met.connections.Inc()
	s.wg.Add(2)
	go t.read()
	go t.write()
	return t
}

// connect finds the open connection to an address or opens one.
func (s *Server) connect(ctx context.Context, addr netip.AddrPort) (*tcpConn, error) {
	s.connMu.Lock()
	t := s.conns[addr]
	s.connMu.Unlock()
	if t != nil {
		return t, nil
	}
	d := net.Dialer{Timeout: 10 * time.Second}
	c, err := d.DialContext(ctx, "tcp", addr.String())
	if err != nil {
		return nil, err
	}
	if t := s.adopt(c); t != nil {
		return t, nil
	}
	return nil, errors.Join(errors.New("too many connections"), c.Close())
}

func (t *tcpConn) send(b []byte) error {
	select {
	case <-t.gone:
		return net.ErrClosed
	default:
	}
	select {
	case t.out <- b:
		return nil
	default:
		t.s.met.refuse("slow")
		t.close()
		return errSlowPeer
	}
}

// close may be called by anyone, any number of times. Both goroutines end soon after.
func (t *tcpConn) close() {
	t.once.Do(func() {
		close(t.gone)
		s := t.s
		s.connMu.Lock()
		if s.conns[t.remote] == t {
			delete(s.conns, t.remote)
		}
		if s.connsFrom[t.remote.Addr()]--; s.connsFrom[t.remote.Addr()] <= 0 {
			delete(s.connsFrom, t.remote.Addr())
		}
		s.connMu.Unlock()
		s.met.connections.Dec()
	})
}

func (t *tcpConn) write() {
	defer t.s.wg.Done()
	defer t.c.Close()
	for {
		select {
		case b := <-t.out:
			if !t.put(b) {
				return
			}
		case <-t.gone:
			for { // what was queued before the end still goes out
				select {
				case b := <-t.out:
					if !t.put(b) {
						return
					}
				default:
					return
				}
			}
		}
	}
}

func (t *tcpConn) put(b []byte) bool {
	_ = t.c.SetWriteDeadline(time.Now().Add(t.s.cfg.stall))
	_, err := t.c.Write(b)
	if err != nil {
		t.close()
	}
	return err == nil
}

// read cuts the stream into messages (RFC 3261 18.3). Whoever stalls inside a message for stall, or is unknown and
// idle for idle (Config), is cut off.
func (t *tcpConn) read() {
	defer t.s.wg.Done()
	defer t.close()
	from := hop{s: t.s, addr: t.remote, conn: t}
	var buf []byte
	var began time.Time // of the message that is not whole yet
	chunk := make([]byte, 4096)
	for {
		var deadline time.Time
		switch {
		case len(buf) > 0:
			deadline = began.Add(t.s.cfg.stall)
		case !t.s.listed(t.remote):
			deadline = time.Now().Add(t.s.cfg.idle)
		}
		_ = t.c.SetReadDeadline(deadline)
		n, err := t.c.Read(chunk)
		if err != nil {
			if len(buf) > 0 && !errors.Is(err, io.EOF) && !errors.Is(err, net.ErrClosed) {
				t.s.met.refuse("slow")
			}
			return
		}
		buf = append(buf, chunk[:n]...)
		rest, ok := t.frames(from, buf)
		if !ok {
			return
		}
		if len(buf) == n || len(rest) < len(buf) {
			began = time.Now()
		}
		buf = append(buf[:0], rest...)
	}
}

// frames hands over every whole message in buf and returns the rest. False: the stream cannot be followed further.
func (t *tcpConn) frames(from hop, buf []byte) ([]byte, bool) {
	for {
		for pongs := 0; bytes.HasPrefix(buf, []byte("\r\n")); {
			// RFC 5626 3.5.1: a double CRLF between messages asks for a single one.
			if bytes.HasPrefix(buf, []byte("\r\n\r\n")) {
				buf = buf[4:]
				if pongs++; pongs == 1 {
					_ = t.send([]byte("\r\n"))
				}
				continue
			}
			buf = buf[2:]
		}
		if len(buf) == 0 {
			return nil, true
		}
		size, r := frame(buf)
		if r != nil {
			t.s.guard(func() { t.s.refuseFrame(from, buf, r) })
			return nil, false
		}
		if size == 0 || size > len(buf) {
			return buf, true
		}
		msg := buf[:size]
		t.s.guard(func() { t.s.receive(from, msg) })
		buf = buf[size:]
	}
}

// frame tells how long the first message in buf is; 0: not yet known. A refusal ends the connection, since where the
// next message starts cannot be known (RFC 4475 3.1.2.3, 3.3.9).
func frame(buf []byte) (int, *refusal) {
	at := splitHeader(buf)
	if at < 0 {
		if len(buf) > maxHeader {
			return 0, &refusal{code: 513, reason: "Message Too Large", why: "too_large"}
		}
		return 0, nil
	}
	m, _, r := scan(buf[:at])
	if m == nil {
		return 0, r
	}
	n, ok := m.length()
	switch {
	case !m.has("Content-Length"):
		return 0, bad("Missing Content-Length")
	case !ok || m.lengths > 1:
		return 0, bad("Bad Content-Length")
	case n > maxBody:
		return 0, &refusal{code: 413, reason: "Request Entity Too Large", why: "too_large"}
	}
	return at + int(n), nil
}

// closeConns cuts off every peer and refuses new ones.
func (s *Server) closeConns() {
	s.connMu.Lock()
	s.connsClosed = true
	all := make([]*tcpConn, 0, len(s.conns))
	for _, t := range s.conns {
		all = append(all, t)
	}
	s.connMu.Unlock()
	for _, t := range all {
		t.close()
		_ = t.c.SetReadDeadline(time.Now())
	}
}

func (t *tcpConn) String() string { return fmt.Sprintf("tcp %s", t.remote) }
