package sip

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"
)

// receiveBuffer is the UDP socket's: the default drops packets at 1 500 calls a second (performance.md 2.5).
const receiveBuffer = 4 << 20

// hop is where messages go and came from: one address over one transport.
type hop struct {
	s    *Server
	addr netip.AddrPort
	conn *tcpConn // nil: UDP
}

func (h hop) reliable() bool { return h.conn != nil }

func (h hop) proto() string {
	if h.conn != nil {
		return "tcp"
	}
	return "udp"
}

// send hands one message to the network. It never blocks: a full UDP buffer loses the packet as the network would, a
// TCP peer that does not read is cut off.
func (h hop) send(b []byte) error {
	if h.conn != nil {
		return h.conn.send(b)
	}
	_, err := h.s.udp.WriteToUDPAddrPort(b, h.addr)
	return err
}

// listen opens both sockets on the same port.
func (s *Server) listen(ctx context.Context) error {
	host, port, err := net.SplitHostPort(s.cfg.Addr)
	if err != nil {
		return fmt.Errorf("listen for SIP: %w", err)
	}
	// With port 0 the port UDP got may be taken for TCP: try a few.
	for range 20 {
		err = s.listenOn(ctx, net.JoinHostPort(host, port))
		if err == nil || port != "0" || !errors.Is(err, syscall.EADDRINUSE) {
			break
		}
	}
	if err != nil {
		return fmt.Errorf("listen for SIP on %s: %w", s.cfg.Addr, err)
	}
	if err := s.udp.SetReadBuffer(receiveBuffer); err != nil {
		s.log.Warn("cannot enlarge the SIP receive buffer", "error", err)
	}
	return nil
}

func (s *Server) listenOn(ctx context.Context, addr string) error {
	var lc net.ListenConfig
	pc, err := lc.ListenPacket(ctx, "udp", addr)
	if err != nil {
		return err
	}
	l, err := lc.Listen(ctx, "tcp", pc.LocalAddr().String())
	if err != nil {
		return errors.Join(err, pc.Close())
	}
	s.udp, s.tcp = pc.(*net.UDPConn), l
	return nil
}

// readUDP is the goroutine that reads datagrams; it ends when the socket is closed. One reader keeps messages in the
// order they came.
func (s *Server) readUDP() {
	defer s.wg.Done()
	buf := make([]byte, maxMessage)
	for {
		n, from, err := s.udp.ReadFromUDPAddrPort(buf)
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return
			}
			continue // ICMP errors of earlier sends surface here
		}
		from = netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
		s.guard(func() { s.receive(hop{s: s, addr: from}, buf[:n]) })
	}
}

// guard runs f and counts a panic instead of dying of it.
func (s *Server) guard(f func()) {
	defer func() {
		if v := recover(); v != nil {
			s.panicked(v)
		}
	}()
	f()
}
