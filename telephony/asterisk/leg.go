package asterisk

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"hotline/telephony"
	"hotline/telephony/media"
)

// Leg is one channel of Asterisk and its audio. One goroutine, its owner, takes its events and ends it; requests are
// made by whoever calls its methods, which may be any goroutine.
type Leg struct {
	d       *Driver
	id      telephony.LegID
	inbound bool
	trunk   *trunk // nil: an endpoint that is none of our trunks
	side    telephony.Side
	channel string // its id in Asterisk
	log     *slog.Logger
	entered event // with which it came; inbound only

	ep     *media.Endpoint
	digits chan telephony.Digit // size 32; full: the oldest is dropped
	box    chan event           // size legBox; full: the leg reads how its channel is
	ctx    context.Context      // ends with the leg
	cancel context.CancelCauseFunc
	done   chan struct{}

	answered atomic.Bool
	placed   atomic.Bool // Asterisk knows the channel
	law      atomic.Uint32
	turn     atomic.Uint64 // counts Plays: the newest may move the caller
	overflow chan struct{} // size 1: box ran full
	urgent   chan why      // size 4, first wins: ends the leg for a reason of ours
	ready    chan struct{} // closed when a call of ours is answered
	ringing  func()        // once, when a call of ours rings; may be nil
	ringFor  time.Duration // of a call of ours
	audio    audio

	mu      sync.Mutex      // guards what follows
	party   telephony.Party // does not change once the application has the leg
	hanging bool
	end     telephony.End

	facts facts // belongs to the owner
}

// legBox is how many events may wait for a leg's owner, which waits for nothing but the table.
const legBox = 128

// settleFor is how long after the first word of an end the rest may come.
const settleFor = 250 * time.Millisecond

// why is a reason of ours to end a leg.
type why struct {
	what   happening
	cause  telephony.Cause
	detail string
}

var _ telephony.Leg = (*Leg)(nil)

// newLeg makes a leg that is not running yet.
func (d *Driver) newLeg(id telephony.LegID, channel string, inbound bool, tr *trunk) *Leg {
	l := &Leg{d: d, id: id, channel: channel, inbound: inbound, trunk: tr, side: telephony.SideCustomer,
		digits: make(chan telephony.Digit, 32), box: make(chan event, legBox), done: make(chan struct{}),
		overflow: make(chan struct{}, 1), urgent: make(chan why, 4), ready: make(chan struct{})}
	l.ctx, l.cancel = context.WithCancelCause(d.run)
	l.log = d.log.With("leg", string(id))
	l.law.Store(uint32(media.PCMA))
	l.audio.init()
	cfg := media.EndpointConfig{Name: string(id), Law: media.PCMA, Silent: true, Pacer: d.cfg.Pacer, Library: d.cfg.Library, Now: d.cfg.Now}
	if d.cfg.MediaTimeout > 0 {
		cfg.MediaTimeout, cfg.OnMediaTimeout = d.cfg.MediaTimeout, l.unheard
	}
	l.ep = media.NewEndpoint(cfg)
	return l
}

func (l *Leg) direction() string {
	if l.inbound {
		return "in"
	}
	return "out"
}

// start runs the owner. False: the driver stops, and the leg never was.
func (l *Leg) start() bool {
	if l.trunk != nil {
		l.trunk.calls.Add(1)
	}
	l.d.met.legs.WithLabelValues(l.direction()).Inc()
	if l.d.legs.run(l.own) {
		return true
	}
	l.release()
	l.cancel(errStopping)
	return false
}

// release gives back what start took.
func (l *Leg) release() {
	l.ep.Close()
	if l.trunk != nil {
		l.trunk.calls.Add(-1)
	}
	l.d.met.legs.WithLabelValues(l.direction()).Dec()
}

// ID is unique for ever, and kept when a later process adopts the leg.
func (l *Leg) ID() telephony.LegID { return l.id }

// Party is what the signalling said.
func (l *Leg) Party() telephony.Party {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.party
}

// Inbound tells a call that came in from one that we made.
func (l *Leg) Inbound() bool { return l.inbound }

// Endpoint is the leg's audio, for rooms and taps. It closes with the leg.
func (l *Leg) Endpoint() *media.Endpoint { return l.ep }

// Law is the codec of our side. Asterisk converts if the channel speaks another one.
func (l *Leg) Law() media.Law { return media.Law(l.law.Load()) }

// Answered reports whether the call is up.
func (l *Leg) Answered() bool { return l.answered.Load() }

// Progress opens early media.
func (l *Leg) Progress(ctx context.Context) error {
	if l.answered.Load() {
		return nil
	}
	return l.open(ctx, "progress", "open early media")
}

// Answer answers the channel, connects our audio and returns when both are done.
func (l *Leg) Answer(ctx context.Context) error {
	if l.answered.Load() {
		return nil
	}
	return l.open(ctx, "answer", "answer")
}

// open asks for progress or answer while our audio is being connected.
func (l *Leg) open(ctx context.Context, verb, doing string) error {
	if err := l.alive(ctx); err != nil {
		return err
	}
	ctx, cancel := l.bound(ctx)
	defer cancel()
	err := l.patiently(ctx, func() error {
		told := make(chan error, 1)
		go func() { told <- l.request(ctx, "POST", verb) }() // joined below
		return errors.Join(l.attach(ctx), <-told)
	})
	if err != nil {
		return l.failed(ctx, doing, err)
	}
	if verb == "answer" {
		l.answered.Store(true)
		l.rearm()
	}
	return nil
}

// patiently repeats what a caller cannot do without while Asterisk gives no answer: the caller is there all the same.
func (l *Leg) patiently(ctx context.Context, do func() error) error {
	for wait := 20 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		err := do()
		if _, answered := errors.AsType[*statusError](err); err == nil || answered || !pause(ctx, wait) {
			return err
		}
	}
}

// errChannelGone says that Asterisk does not know the leg's channel any more.
var errChannelGone = errors.New("the channel is gone")

// request asks for something of the leg's channel.
func (l *Leg) request(ctx context.Context, method, what string, q ...string) error {
	return l.noteGone(l.d.rest.ask(ctx, method, channelPath(l.channel, "/"+what), q, nil, nil))
}

// noteGone recognises that the leg's channel is gone, which ends the leg.
func (l *Leg) noteGone(err error) error {
	s, ok := errors.AsType[*statusError](err)
	if !ok || (s.Code != http.StatusNotFound && s.Code != http.StatusBadRequest) || !strings.Contains(strings.ToLower(s.Message), "channel was not found") &&
		!strings.Contains(strings.ToLower(s.Message), "channel not found") {
		return err
	}
	l.post(event{kind: evAbsent, channel: l.channel, at: l.d.cfg.Now()})
	return fmt.Errorf("%w: %w", errChannelGone, err)
}

// alive reports why a request would be of no use.
func (l *Leg) alive(ctx context.Context) error {
	select {
	case <-l.done:
		return telephony.ErrLegEnded
	default:
	}
	return context.Cause(ctx)
}

// bound ties a context to the leg.
func (l *Leg) bound(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	if l.ctx.Err() != nil { // AfterFunc would tell a moment later, and a request could slip through
		cancel(telephony.ErrLegEnded)
	}
	stop := context.AfterFunc(l.ctx, func() { cancel(telephony.ErrLegEnded) })
	return ctx, func() { stop(); cancel(nil) }
}

// chore runs f in the background with a context that ends with the leg, unless it has.
func (l *Leg) chore(f func(ctx context.Context)) {
	l.d.chore(func(ctx context.Context) {
		ctx, cancel := l.bound(ctx)
		defer cancel()
		if ctx.Err() == nil {
			f(ctx)
		}
	})
}

// failed is the error of a method. A leg whose channel is gone has ended, even if that is still being worked out.
func (l *Leg) failed(ctx context.Context, doing string, err error) error {
	select {
	case <-l.done:
		return telephony.ErrLegEnded
	default:
	}
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	if errors.Is(err, errChannelGone) {
		select { // the events that tell how it ended are on their way
		case <-l.done:
			return telephony.ErrLegEnded
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return fmt.Errorf("%s leg %s: %w", doing, l.id, err)
}

// Digits delivers each key once.
func (l *Leg) Digits() <-chan telephony.Digit { return l.digits }

func (l *Leg) pushDigit(d telephony.Digit) {
	for {
		select {
		case l.digits <- d:
			return
		default:
		}
		select {
		case <-l.digits:
			l.d.met.lostDigits.Inc()
		default:
		}
	}
}

// keyTime is how long Asterisk is asked to play a key, and to rest after it.
const keyTime = 100 * time.Millisecond

// SendDigits has Asterisk send keys as the channel can, and returns when the last should be out.
func (l *Leg) SendDigits(ctx context.Context, keys string) error {
	for i := range len(keys) {
		if !telephony.ValidKey(keys[i]) {
			return errors.New("send keys: not a key of the keypad")
		}
	}
	if err := l.alive(ctx); err != nil || keys == "" {
		return err
	}
	ctx, cancel := l.bound(ctx)
	defer cancel()
	ms := fmt.Sprint(keyTime.Milliseconds())
	if err := l.request(ctx, "POST", "dtmf", "dtmf", keys, "duration", ms, "between", ms); err != nil {
		return l.failed(ctx, "send keys to", err)
	}
	out := time.NewTimer(time.Duration(len(keys)) * 2 * keyTime)
	defer out.Stop()
	select {
	case <-out.C:
		return nil
	case <-ctx.Done():
		return l.failed(ctx, "send keys to", nil)
	}
}

// Hangup ends the leg. Done follows at once; Asterisk is told as soon as it can be.
func (l *Leg) Hangup(c telephony.Cause) { l.endFor(why{what: hangup, cause: c}) }

// endFor asks the owner to end the leg. The first reason counts.
func (l *Leg) endFor(w why) {
	l.mu.Lock()
	first := !l.hanging
	l.hanging = true
	l.mu.Unlock()
	if first {
		l.urgent <- w // size 4 and only the first writes: never blocks
	}
}

// Done is closed when the leg is over.
func (l *Leg) Done() <-chan struct{} { return l.done }

// End tells how the leg ended.
func (l *Leg) End() telephony.End {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.end
}

// post hands an event to the owner. It never blocks.
func (l *Leg) post(e event) {
	select {
	case l.box <- e:
	default:
		l.d.met.overflows.WithLabelValues("leg").Inc()
		select {
		case l.overflow <- struct{}{}:
		default:
		}
	}
}

// unheard is told that no packet came for too long.
func (l *Leg) unheard() {
	if !l.answered.Load() || !l.d.State().Ready {
		return // nobody speaks yet; or Asterisk is away: reconciliation arms the watch again
	}
	l.endFor(why{what: noMedia, cause: telephony.CauseTimeout, detail: "no audio from the other side"})
}
