package media

import (
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// ErrBadRemote refuses a media address that no honest far side has.
var ErrBadRemote = errors.New("address refused")

// errNoRemote says that the signalling has not told where to send.
var errNoRemote = errors.New("media address is not known yet")

// Sockets opens RTP sockets. Ports is the one on the standard library; whatever comes instead passes the same tests.
type Sockets interface {
	// Open gives a socket on an even port of its own. Its reader runs at once.
	Open() (*Socket, error)
}

// wire is what a kind of Sockets implements: one UDP socket, whose reader calls Socket.received.
type wire interface {
	// writeTo sends a datagram. It neither blocks nor keeps b.
	writeTo(b []byte, to netip.AddrPort) error
	// close closes the socket and returns when its reader calls received no more.
	close() error
}

// SocketStats are a socket's counters since it was opened.
type SocketStats struct {
	Received   uint64         // datagrams from the locked source
	Foreign    uint64         // from elsewhere, dropped
	Unbound    uint64         // came before Bind, dropped
	SendErrors uint64         // could not be sent
	Locked     netip.AddrPort // whose packets are taken; invalid: nobody's yet
}

// Socket is one RTP socket: it takes packets from one far side and hands them to an Endpoint, and it is the Transport
// there. All methods may be called from any goroutine; Close not from the reader's, in which Endpoint.OnDigit runs.
type Socket struct {
	wire     wire
	local    netip.AddrPort
	loopback bool // loopback remotes are allowed
	release  func()
	now      func() time.Time
	totals   *socketTotals

	endpoint atomic.Pointer[Endpoint]
	locked   atomic.Pointer[netip.AddrPort] // copy of lock.locked, for the reader
	sendTo   atomic.Pointer[netip.AddrPort] // nil: nowhere

	received, foreign, unbound, sendErrors atomic.Uint64

	mu   sync.Mutex // guards lock
	lock sourceLock

	closing  sync.Once
	closeErr error
}

// socketTotals are the counters of all sockets of one Sockets.
type socketTotals struct {
	foreign, unbound, sendErrors atomic.Uint64
}

// LocalAddr is the address and port to put into SDP, unless the administrator names another address.
func (s *Socket) LocalAddr() netip.AddrPort { return s.local }

// SetRemote says where the far side is, as the signalling tells. Hostile addresses are refused with ErrBadRemote and
// change nothing. The invalid address means: nowhere for now; nothing is sent or taken.
func (s *Socket) SetRemote(a netip.AddrPort) error {
	if a.IsValid() {
		if err := checkRemote(a, s.loopback); err != nil {
			return err
		}
		a = netip.AddrPortFrom(a.Addr().Unmap().WithZone(""), a.Port())
		if a == s.local {
			return fmt.Errorf("send media to %v: %w: our own socket", a, ErrBadRemote)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if a == s.lock.remote {
		return nil
	}
	s.lock.remote = a
	s.lock.reset()
	s.publish()
	return nil
}

// SetSource says whose packets are taken. The zero Source, strict, holds before the first call.
func (s *Socket) SetSource(src Source) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lock.policy = src
	s.lock.reset()
	s.publish()
}

// Bind says who gets the packets. nil: nobody.
func (s *Socket) Bind(e *Endpoint) { s.endpoint.Store(e) }

// publish copies the lock to where the packet path reads it. Caller holds mu.
func (s *Socket) publish() {
	locked, to := s.lock.locked, s.lock.remote
	if locked.IsValid() {
		to = locked
		s.locked.Store(&locked)
	} else {
		s.locked.Store(nil)
	}
	if to.IsValid() {
		s.sendTo.Store(&to)
	} else {
		s.sendTo.Store(nil)
	}
}

// received takes one datagram from the wire's reader. Zero allocations for the locked source.
func (s *Socket) receive(b []byte, from netip.AddrPort) {
	if l := s.locked.Load(); l == nil || *l != from {
		if !s.judge(b, from) {
			s.foreign.Add(1)
			s.totals.foreign.Add(1)
			return
		}
	}
	s.received.Add(1)
	e := s.endpoint.Load()
	if e == nil {
		s.unbound.Add(1)
		s.totals.unbound.Add(1)
		return
	}
	e.Receive(b, s.now())
}

// judge is the slow way of receive: from is not the locked source.
func (s *Socket) judge(b []byte, from netip.AddrPort) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	ok, changed := s.lock.take(from, b)
	if changed {
		s.publish()
	}
	return ok
}

// WriteRTP implements Transport: to the locked source, or where the signalling said.
func (s *Socket) WriteRTP(packet []byte) error {
	to := s.sendTo.Load()
	if to == nil {
		return errNoRemote
	}
	if err := s.wire.writeTo(packet, *to); err != nil {
		s.sendErrors.Add(1)
		s.totals.sendErrors.Add(1)
		return err
	}
	return nil
}

// Stats are the counters so far.
func (s *Socket) Stats() SocketStats {
	st := SocketStats{
		Received: s.received.Load(), Foreign: s.foreign.Load(), Unbound: s.unbound.Load(), SendErrors: s.sendErrors.Load(),
	}
	if l := s.locked.Load(); l != nil {
		st.Locked = *l
	}
	return st
}

// Close closes the socket, waits for its reader and lets the port rest. Closing again is a no-op.
func (s *Socket) Close() error {
	s.closing.Do(func() {
		s.endpoint.Store(nil)
		s.closeErr = s.wire.close()
		s.release()
	})
	return s.closeErr
}
