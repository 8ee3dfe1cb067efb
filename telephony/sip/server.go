package sip

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"
)

// Server speaks SIP on one UDP and one TCP port. Goroutines: one that reads UDP, one that accepts TCP and two per
// connection, a few that check passwords, one that keeps house, one per registration at a provider, and two per leg:
// its owner and the application's. Stop joins them all.
type Server struct {
	cfg    Config
	onCall func(ctx context.Context, leg *Leg)
	log    *slog.Logger
	met    *metrics

	udp *net.UDPConn
	tcp net.Listener

	tx        *txLayer
	auth      *digestAuth
	registrar *registrar
	strangers *strangers
	dialogs   *dialogs
	trunks    atomic.Pointer[trunkTable]
	tagKey    []byte

	trunkMu  sync.Mutex // guards regs, started and closing, and serialises SetTrunks
	regs     map[string]*registration
	guests   []chan func() // work that waits for passwords, by Call-ID; size guestQueue each
	draining atomic.Bool

	connMu      sync.Mutex // guards what follows
	conns       map[netip.AddrPort]*tcpConn
	connsFrom   map[netip.Addr]int
	connsClosed bool

	wg               sync.WaitGroup
	legs             sync.WaitGroup
	run              context.Context // ends when legs must end
	abort            context.CancelCauseFunc
	stopped          chan struct{}
	stopOnce         sync.Once
	started, closing bool
}

// guestWorkers check passwords; each has guestQueue requests waiting, more are dropped and come again.
const (
	guestWorkers = 4
	guestQueue   = 128
)

// errStopping is the cause of a leg's context when Stop ends it.
var errStopping = errors.New("stopping")

// New checks the configuration. onCall gets every admitted inbound call in a goroutine of its own; its context ends when
// the leg does, or when Stop runs out of patience. When onCall returns, the leg is hung up.
func New(cfg Config, users Users, onCall func(ctx context.Context, leg *Leg)) (*Server, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("sip: %w", err)
	}
	if users == nil || onCall == nil {
		return nil, errors.New("sip: users and onCall are needed")
	}
	met := newMetrics(cfg.Registerer)
	s := &Server{cfg: cfg, onCall: onCall, log: cfg.Log, met: met, tx: newTxLayer(cfg.T1, met),
		auth: newDigestAuth(users, cfg.Now, met), strangers: newStrangers(), dialogs: newDialogs(),
		tagKey: make([]byte, 16), regs: map[string]*registration{}, conns: map[netip.AddrPort]*tcpConn{},
		connsFrom: map[netip.Addr]int{}, stopped: make(chan struct{})}
	s.registrar = newRegistrar(cfg.Now, met, cfg.OnRegistration)
	s.trunks.Store(&trunkTable{byName: map[string]*trunk{}})
	_, _ = rand.Read(s.tagKey)
	s.run, s.abort = context.WithCancelCause(context.Background())
	for range guestWorkers {
		s.guests = append(s.guests, make(chan func(), guestQueue))
	}
	return s, nil
}

// Start opens the sockets and serves until Stop. ctx bounds only the opening.
func (s *Server) Start(ctx context.Context) error {
	if err := s.listen(ctx); err != nil {
		return err
	}
	s.wg.Add(3 + len(s.guests))
	go s.readUDP()
	go s.acceptTCP()
	go s.keepHouse()
	for _, q := range s.guests {
		go s.guestWorker(q)
	}
	s.trunkMu.Lock()
	defer s.trunkMu.Unlock()
	s.started = true
	s.syncRegistrations(s.trunks.Load())
	return nil
}

// Stop refuses new calls, waits for the live ones until ctx ends, then ends them too, and closes everything. It returns
// an error if calls had to be cut. Calling it again returns nil.
func (s *Server) Stop(ctx context.Context) error {
	var err error
	s.stopOnce.Do(func() { err = s.stop(ctx) })
	return err
}

func (s *Server) stop(ctx context.Context) error {
	s.SetDraining(true)
	var err error
	if !wait(ctx, &s.legs) {
		err = fmt.Errorf("stop SIP with %d calls live: %w", s.Calls(), context.Cause(ctx))
		s.abort(errStopping)
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		wait(grace, &s.legs)
	}
	s.trunkMu.Lock()
	s.closing = true
	s.stopRegistrations()
	started := s.started
	s.trunkMu.Unlock()
	s.abort(errStopping)
	close(s.stopped)
	if started {
		err = errors.Join(err, s.udp.Close(), s.tcp.Close())
	}
	s.closeConns()
	s.tx.close()
	s.legs.Wait()
	s.wg.Wait()
	return err
}

// wait waits for a group; false: ctx ended first.
func wait(ctx context.Context, wg *sync.WaitGroup) bool {
	done := make(chan struct{})
	go func() { wg.Wait(); close(done) }() // ends with the group, which Stop waits for in any case
	select {
	case <-done:
		return true
	case <-ctx.Done():
		return false
	}
}

// Addr tells where we listen. Valid after Start.
func (s *Server) Addr() (udp, tcp netip.AddrPort) {
	udp = s.udp.LocalAddr().(*net.UDPAddr).AddrPort()
	tcp = s.tcp.Addr().(*net.TCPAddr).AddrPort()
	return netip.AddrPortFrom(udp.Addr().Unmap(), udp.Port()), netip.AddrPortFrom(tcp.Addr().Unmap(), tcp.Port())
}

// SetDraining refuses new calls with 503 and a random Retry-After while on. Live calls and calls out go on.
func (s *Server) SetDraining(on bool) { s.draining.Store(on) }

// Calls counts live legs, both ways.
func (s *Server) Calls() int { return s.dialogs.live() }

// keepHouse expires what is old, once a second.
func (s *Server) keepHouse() {
	defer s.wg.Done()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-s.stopped:
			return
		case <-tick.C:
			s.guard(func() {
				s.registrar.sweep()
				s.auth.sweep()
				s.strangers.sweep(time.Now())
				s.dialogs.sweep(time.Now())
			})
		}
	}
}

// guestWorker does work that may wait for passwords, so that established calls never do.
func (s *Server) guestWorker(q chan func()) {
	defer s.wg.Done()
	for {
		select {
		case <-s.stopped:
			return
		case f := <-q:
			s.guard(f)
		}
	}
}

// guest queues work by Call-ID, so that one call's messages stay in order. Full: dropped and counted; the sender
// repeats itself.
func (s *Server) guest(callID string, f func()) {
	h := uint32(2166136261) // FNV-1a
	for i := range len(callID) {
		h = (h ^ uint32(callID[i])) * 16777619
	}
	select {
	case s.guests[h%uint32(len(s.guests))] <- f:
	default:
		s.met.refuse("rate")
	}
}

// panicked counts and logs a recovered panic.
func (s *Server) panicked(v any) {
	s.met.panics.Inc()
	s.log.Error("panic in signalling", "panic", fmt.Sprint(v), "stack", string(debug.Stack()))
}
