package media

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"hotline/telephony"
)

// Errors that callers branch on. An endpoint that is over answers telephony.ErrLegEnded.
var (
	// ErrReplaced says that a prompt did not end: another one, or the talk, took its place.
	ErrReplaced = errors.New("prompt was replaced by other audio")
	// ErrNoEvents says that the far side takes no telephone-event.
	ErrNoEvents = errors.New("far side takes no telephone events")
	// ErrNoPacer says that the endpoint has no running clock to play by.
	ErrNoPacer = errors.New("media clock is not running")
)

// Transport carries complete RTP packets to the far side. WriteRTP must neither block nor keep the packet; it may be
// called from any goroutine, never from two at once for one endpoint.
type Transport interface {
	WriteRTP(packet []byte) error
}

// Format is what the signalling agreed on for one endpoint.
type Format struct {
	Law     Law   // what we send: PCMA, else PCMU; both are always understood
	EventPT uint8 // telephone-event payload type in both directions; 0: none agreed
	Send    bool  // we may send (false: the far side holds us)
	Recv    bool  // we listen (false: packets are dropped, and the media time-out rests)
}

// EndpointConfig makes an Endpoint. Pacer and Library are needed to play and to send keys.
type EndpointConfig struct {
	Name       string    // for logs
	Transport  Transport // nil until SetTransport: nothing is sent
	Law        Law
	EventPT    uint8
	DropEvents bool // never send telephone-event, though we understand it: pion would make clicks of it
	Silent     bool // send nothing and take nothing before the first Configure
	Pacer      *Pacer
	Library    *Library
	Now        func() time.Time // nil: time.Now
	// OnDigit is told each key once, from the goroutine that calls Receive. It must not block, nor close the transport.
	OnDigit func(telephony.Digit)
	// MediaTimeout is how long without any packet, while Recv holds, until OnMediaTimeout is called: once, and again
	// only after media came back. 0: never. It is called in a goroutine of its own and may still run when Close returns.
	MediaTimeout   time.Duration
	OnMediaTimeout func()
}

// Endpoint is one party's audio: what comes from the far side and what goes there. All methods may be called from any
// goroutine.
type Endpoint struct {
	cfg   EndpointConfig
	start time.Time
	law   atomic.Uint32 // Law that we send
	in    in
	out   out

	route atomic.Pointer[route] // where received audio goes; nil: nowhere
	room  atomic.Pointer[Room]

	last  atomic.Int64 // when the newest packet came, since start; never: -1
	heard atomic.Bool  // a packet came since ResetMedia

	keysBusy chan struct{} // size 1: holds a token while SendDigits runs
	done     chan struct{} // closed by Close

	mu     sync.Mutex    // guards the rest
	heardC chan struct{} // closed when heard turns true
	player *player       // of Play, while it plays
	watch  *watch
}

// NewEndpoint makes an endpoint. It sends and listens at once unless cfg.Silent.
func NewEndpoint(cfg EndpointConfig) *Endpoint {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	e := &Endpoint{
		cfg:      cfg,
		start:    cfg.Now(),
		keysBusy: make(chan struct{}, 1),
		done:     make(chan struct{}),
		heardC:   make(chan struct{}),
	}
	e.last.Store(-1)
	e.out.init()
	e.out.transport = cfg.Transport
	e.apply(Format{Law: cfg.Law, EventPT: cfg.EventPT, Send: !cfg.Silent, Recv: !cfg.Silent})
	if cfg.MediaTimeout > 0 && cfg.OnMediaTimeout != nil {
		e.watch = newWatch(e, cfg.MediaTimeout, cfg.OnMediaTimeout)
	}
	if cfg.Pacer != nil {
		cfg.Pacer.metrics.register(e)
	}
	return e
}

// Name is the configured name.
func (e *Endpoint) Name() string { return e.cfg.Name }

// Law is what we send now.
func (e *Endpoint) Law() Law { return Law(e.law.Load()) }

// Configure changes what the signalling agreed on: a re-INVITE, hold by the far side, another codec.
func (e *Endpoint) Configure(f Format) {
	e.apply(f)
	if e.watch != nil {
		e.watch.wake()
	}
}

// Format is what Configure said last.
func (e *Endpoint) Format() Format {
	f := Format{Law: e.Law()}
	e.in.mu.Lock()
	f.EventPT, f.Recv = e.in.eventPT, e.in.recv
	e.in.mu.Unlock()
	e.out.mu.Lock()
	f.Send = e.out.send
	e.out.mu.Unlock()
	return f
}

func (e *Endpoint) apply(f Format) {
	if f.Law != PCMA {
		f.Law = PCMU
	}
	e.law.Store(uint32(f.Law))
	e.in.mu.Lock()
	e.in.eventPT, e.in.recv = f.EventPT, f.Recv
	e.in.mu.Unlock()
	e.out.mu.Lock()
	e.out.send, e.out.eventPT = f.Send, f.EventPT
	if e.cfg.DropEvents {
		e.out.eventPT = 0
	}
	e.out.mu.Unlock()
}

// since is the endpoint's own clock.
func (e *Endpoint) since(t time.Time) time.Duration { return t.Sub(e.start) }

// Receive takes one packet from the transport's reader, which came at the time given. The packet is overwritten and
// not kept. Any bytes will do: what is not RTP of the agreed kind is counted and dropped. Zero allocations.
func (e *Endpoint) Receive(packet []byte, at time.Time) {
	var h header
	since := e.since(at)
	k, key := e.in.take(packet, &h, since)
	if k == kindDrop {
		return
	}
	e.last.Store(int64(since))
	if k == kindQuiet {
		return
	}
	if !e.heard.Load() {
		e.firstHeard()
	}
	if key != 0 && e.cfg.OnDigit != nil {
		e.cfg.OnDigit(telephony.Digit{Key: key, At: at, Source: "rfc4733"})
	}
	if r := e.route.Load(); r != nil {
		if k == kindEvent {
			r.event(packet, &h, at)
		} else {
			r.audio(packet, &h, at)
		}
	}
}

// firstHeard wakes WaitMedia and the media watch.
func (e *Endpoint) firstHeard() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.heard.CompareAndSwap(false, true) {
		close(e.heardC)
	}
}

// LastReceived is when the newest packet came; the zero time: none ever did.
func (e *Endpoint) LastReceived() time.Time {
	if n := e.last.Load(); n >= 0 {
		return e.start.Add(time.Duration(n))
	}
	return time.Time{}
}

// WaitMedia returns when a packet has come since the last ResetMedia (nil), ctx ended (its cause) or the endpoint was
// closed (telephony.ErrLegEnded).
func (e *Endpoint) WaitMedia(ctx context.Context) error {
	e.mu.Lock()
	c := e.heardC
	e.mu.Unlock()
	select {
	case <-c:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-e.done:
		return telephony.ErrLegEnded
	}
}

// ResetMedia makes WaitMedia wait for the next packet, and lets the next packet choose the stream we follow.
func (e *Endpoint) ResetMedia() {
	e.in.mu.Lock()
	e.in.reset()
	e.in.mu.Unlock()
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.heard.CompareAndSwap(true, false) {
		e.heardC = make(chan struct{})
	}
}

// SetTransport swaps the transport under a living endpoint, as when a browser comes back. The outgoing stream goes on.
// After it returns the old transport is not written to any more. nil: nothing is sent.
func (e *Endpoint) SetTransport(t Transport) {
	e.in.mu.Lock()
	e.in.reset()
	e.in.mu.Unlock()
	e.out.mu.Lock()
	defer e.out.mu.Unlock()
	if !e.out.closed {
		e.out.transport, e.out.cur = t, nil
	}
}

// Stats are the counters so far.
func (e *Endpoint) Stats() Stats {
	s := e.in.snapshot()
	e.out.mu.Lock()
	defer e.out.mu.Unlock()
	s.add(&e.out.stats)
	return s
}

// Close ends the endpoint: it leaves its room, prompts and waits end with telephony.ErrLegEnded, nothing is sent any
// more. The transport is its maker's to close. Closing again is a no-op.
func (e *Endpoint) Close() {
	e.out.mu.Lock()
	was := e.out.closed
	e.out.closed, e.out.transport = true, nil
	e.out.mu.Unlock()
	if was {
		return
	}
	close(e.done)
	if r := e.room.Load(); r != nil {
		r.Leave(e)
	}
	e.stopPlayer(telephony.ErrLegEnded)
	if e.watch != nil {
		e.watch.stop()
	}
	if e.cfg.Pacer != nil {
		e.cfg.Pacer.metrics.unregister(e)
	}
}

// errorf names the endpoint in front of an error.
func (e *Endpoint) errorf(doing string, err error) error {
	if e.cfg.Name == "" {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return fmt.Errorf("%s to %s: %w", doing, e.cfg.Name, err)
}
