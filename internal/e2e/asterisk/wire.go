package asterisk

import (
	"context"
	"errors"
	"net"
	"sync"
	"testing"
	"time"
)

// Wire carries TCP between Hotline and Asterisk's ARI until a test cuts it. Give Hotline http://Addr/ari as URL.
// Its methods may be used from any goroutine.
type Wire struct {
	Addr string // host:port on loopback

	to string
	l  net.Listener
	wg sync.WaitGroup

	mu     sync.Mutex // guards what follows
	gate   chan struct{}
	open   bool // gate is closed: bytes pass
	refuse bool
	closed bool
	pairs  map[*pair]struct{}
	taken  int
}

// pair is one connection of Hotline's and the one to Asterisk that carries it on.
type pair struct {
	near, far net.Conn // far is nil until Asterisk is reached
	lost      chan struct{}
	once      sync.Once
}

// NewWire makes a wire to host:port. It is closed when the test ends.
func NewWire(t testing.TB, to string) *Wire {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &Wire{Addr: l.Addr().String(), to: to, l: l, gate: make(chan struct{}), open: true, pairs: map[*pair]struct{}{}}
	close(w.gate)
	w.wg.Go(w.accept)
	t.Cleanup(w.close)
	return w
}

func (w *Wire) accept() {
	for {
		c, err := w.l.Accept()
		if err != nil {
			return
		}
		p := &pair{near: c, lost: make(chan struct{})}
		w.mu.Lock()
		if w.refuse || w.closed {
			w.mu.Unlock()
			reset(c)
			continue
		}
		w.taken++
		w.pairs[p] = struct{}{}
		w.wg.Go(func() { w.carry(p) })
		w.mu.Unlock()
	}
}

// carry reaches Asterisk and moves bytes until either side ends.
func (w *Wire) carry(p *pair) {
	defer func() { w.mu.Lock(); delete(w.pairs, p); w.mu.Unlock() }()
	defer reset(p.near)
	if !w.pass() {
		return
	}
	far, err := net.DialTimeout("tcp", w.to, 5*time.Second)
	if err != nil {
		return
	}
	w.mu.Lock()
	p.far = far
	w.mu.Unlock()
	var both sync.WaitGroup
	both.Go(func() { w.move(p, p.near, far); reset(far) })
	w.move(p, far, p.near)
	select {
	case <-p.lost: // half-open: the near side goes on without an answer, until it gives up
	default:
		reset(p.near)
	}
	both.Wait()
}

// move carries bytes one way. On a lost connection it swallows what still comes.
func (w *Wire) move(p *pair, from, to net.Conn) {
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		if err != nil {
			return
		}
		if !w.pass() {
			return
		}
		select {
		case <-p.lost:
			continue
		default:
		}
		if _, err := to.Write(buf[:n]); err != nil {
			select {
			case <-p.lost:
			default:
				return
			}
		}
	}
}

// pass waits while the wire is cut. It is false when the wire is closed for good.
func (w *Wire) pass() bool {
	w.mu.Lock()
	gate := w.gate
	w.mu.Unlock()
	<-gate
	w.mu.Lock()
	defer w.mu.Unlock()
	return !w.closed
}

// Cut parts the two as a broken network does: nothing passes, no connection ends, new ones get no answer. What was sent
// meanwhile arrives after Heal, as TCP's repetition does it.
func (w *Wire) Cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.open {
		w.open, w.gate = false, make(chan struct{})
	}
}

// Heal ends Cut and Refuse.
func (w *Wire) Heal() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.refuse = false
	if !w.open {
		w.open = true
		close(w.gate)
	}
}

// CutFor cuts, waits and heals. The error is the context's.
func (w *Wire) CutFor(ctx context.Context, d time.Duration) error {
	w.Cut()
	defer w.Heal()
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Lose makes all connections half-open: Asterisk's end is gone, Hotline's lives on, takes what is written to it and never
// says a word. New connections pass.
func (w *Wire) Lose() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for p := range w.pairs {
		p.once.Do(func() { close(p.lost) })
		if p.far != nil {
			reset(p.far)
		}
	}
}

// Break resets all connections; new ones pass.
func (w *Wire) Break() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.breakAll()
}

func (w *Wire) breakAll() {
	for p := range w.pairs {
		reset(p.near)
		if p.far != nil {
			reset(p.far)
		}
	}
}

// Refuse resets all connections and every new one, until Heal.
func (w *Wire) Refuse() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.refuse = true
	w.breakAll()
}

// Taken tells how many connections came so far, the refused ones not counted.
func (w *Wire) Taken() int { w.mu.Lock(); defer w.mu.Unlock(); return w.taken }

func (w *Wire) close() {
	w.mu.Lock()
	w.closed = true
	w.breakAll()
	if !w.open {
		w.open = true
		close(w.gate)
	}
	w.mu.Unlock()
	w.l.Close()
	w.wg.Wait()
}

// reset ends a connection with RST.
func reset(c net.Conn) {
	if tcp, is := c.(*net.TCPConn); is {
		_ = tcp.SetLinger(0)
	}
	if err := c.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		return
	}
}
