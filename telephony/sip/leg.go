package sip

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"hotline/telephony"
	"hotline/telephony/media"
)

// Leg is one SIP dialog and its audio. One goroutine, its owner, keeps the dialog's state and handles its messages one
// by one; the methods here may be called from any goroutine and talk to it.
type Leg struct {
	s       *Server
	id      telephony.LegID
	party   telephony.Party
	inbound bool
	trunk   *trunk // nil: a desk phone or a plain address
	side    telephony.Side
	log     *slog.Logger

	sock   *media.Socket
	ep     *media.Endpoint
	digits chan telephony.Digit // size 32; full: the oldest is dropped
	box    chan *event          // size legBox; full: requests get 503, answers come again
	ctx    context.Context      // ends with the leg
	cancel context.CancelCauseFunc
	done   chan struct{}

	answered atomic.Bool
	law      atomic.Uint32
	held     atomic.Bool
	accepted atomic.Uint64 // CSeq+1 of the last INVITE we answered with 2xx

	mu       sync.Mutex // guards what follows
	onHold   func(bool)
	hanging  bool
	cause    telephony.Cause
	hang     chan struct{} // size 1: wakes the owner after Hangup
	end      telephony.End
	finished bool

	o owner // belongs to the owner goroutine alone
}

// legBox is how many messages may wait for a leg's owner, which only stops for a DNS look-up or a TCP connection.
const legBox = 64

var _ telephony.Leg = (*Leg)(nil)

// newLeg makes a leg that is not running yet. Its place was reserved.
func (s *Server) newLeg(inbound bool, tr *trunk) *Leg {
	l := &Leg{s: s, id: telephony.LegID(telephony.NewID(s.cfg.Now())), inbound: inbound, trunk: tr,
		digits: make(chan telephony.Digit, 32), box: make(chan *event, legBox), done: make(chan struct{}),
		hang: make(chan struct{}, 1), side: telephony.SideCustomer}
	l.ctx, l.cancel = context.WithCancelCause(s.run)
	l.log = s.log.With("leg", string(l.id))
	l.law.Store(uint32(media.PCMA))
	if tr != nil {
		tr.live.calls.Add(1)
	}
	s.met.calls.WithLabelValues(l.direction()).Inc()
	s.legs.Add(1)
	return l
}

func (l *Leg) direction() string {
	if l.inbound {
		return "in"
	}
	return "out"
}

// openMedia takes an RTP port and makes the endpoint.
func (l *Leg) openMedia() error {
	sock, err := l.s.cfg.Sockets.Open()
	if err != nil {
		return fmt.Errorf("open an RTP port: %w", err)
	}
	cfg := media.EndpointConfig{Name: string(l.id), Transport: sock, Law: l.Law(), Silent: true, Pacer: l.s.cfg.Pacer,
		Library: l.s.cfg.Library, OnDigit: l.pushDigit}
	if l.s.cfg.MediaTimeout > 0 {
		cfg.MediaTimeout = l.s.cfg.MediaTimeout
		cfg.OnMediaTimeout = func() { l.post(event{kind: evNoMedia}) }
	}
	l.sock, l.ep = sock, media.NewEndpoint(cfg)
	sock.Bind(l.ep)
	return nil
}

// ID is unique for ever.
func (l *Leg) ID() telephony.LegID { return l.id }

// Party is what the signalling said.
func (l *Leg) Party() telephony.Party { return l.party }

// Endpoint is the leg's audio, for rooms and taps. It closes with the leg.
func (l *Leg) Endpoint() *media.Endpoint { return l.ep }

// Law is the codec agreed on; before the answer, the one the other side likes best.
func (l *Leg) Law() media.Law { return media.Law(l.law.Load()) }

// Held reports whether the other side put us on hold: it takes no audio from us.
func (l *Leg) Held() bool { return l.held.Load() }

// OnHold sets who hears when the other side holds or resumes. Called by the leg's owner: it must not block.
func (l *Leg) OnHold(f func(held bool)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.onHold = f
}

// Ringing sends 180. A no-op once answered or over.
func (l *Leg) Ringing(ctx context.Context) error { return l.command(ctx, cmdRinging) }

// Progress opens early media by 183 with SDP. A caller that offered nothing gets a plain 180.
func (l *Leg) Progress(ctx context.Context) error { return l.command(ctx, cmdProgress) }

// Answer sends 200 and returns when the ACK came. Without one the leg ends (ReasonNoACK) and Answer gives ErrLegEnded.
// When ctx ends first the leg lives on, its 200 sent.
func (l *Leg) Answer(ctx context.Context) error { return l.command(ctx, cmdAnswer) }

// command asks the owner for something and waits for its answer.
func (l *Leg) command(ctx context.Context, what cmdKind) error {
	reply := make(chan error, 1)
	select {
	case l.box <- &event{kind: evCommand, cmd: what, reply: reply}:
	case <-l.done:
		return telephony.ErrLegEnded
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	select {
	case err := <-reply:
		return err
	case <-l.done:
		select {
		case err := <-reply: // answered in the same moment
			return err
		default:
			return telephony.ErrLegEnded
		}
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Answered reports whether the call is up: the ACK came, or the side we dialled answered.
func (l *Leg) Answered() bool { return l.answered.Load() }

// Play plays a prompt; see telephony.Leg. Before Progress or Answer there is nobody to hear it.
func (l *Leg) Play(ctx context.Context, p telephony.Prompt) error {
	select {
	case <-l.done:
		return telephony.ErrLegEnded
	default:
	}
	err := l.ep.Play(ctx, p)
	if err != nil && ctx.Err() == nil {
		select {
		case <-l.done:
			return telephony.ErrLegEnded
		default:
		}
	}
	return err
}

// Digits delivers each key once, from RFC 4733 events and SIP INFO.
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
			l.s.met.lostDigits.Inc()
		default:
		}
	}
}

// SendDigits sends keys as RFC 4733 events.
func (l *Leg) SendDigits(ctx context.Context, keys string) error {
	select {
	case <-l.done:
		return telephony.ErrLegEnded
	default:
	}
	return l.ep.SendDigits(ctx, keys)
}

// Hangup ends the leg: a refusal before the answer, BYE after it, CANCEL for a call of ours that still rings.
func (l *Leg) Hangup(c telephony.Cause) {
	l.mu.Lock()
	first := !l.hanging
	if first {
		l.hanging, l.cause = true, c
	}
	l.mu.Unlock()
	if first {
		l.hang <- struct{}{} // size 1 and only the first writes: never blocks
	}
}

func (l *Leg) hangCause() telephony.Cause {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.cause
}

// Done is closed when the leg is over; its last messages may still be on their way.
func (l *Leg) Done() <-chan struct{} { return l.done }

// End tells how the leg ended.
func (l *Leg) End() telephony.End {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.end
}

// post hands an event to the owner; false: its mailbox is full. It never blocks.
func (l *Leg) post(e event) bool {
	select {
	case l.box <- &e:
		return true
	default:
		return false
	}
}

// confirms reports whether an ACK is for a 2xx of ours.
func (l *Leg) confirms(m *message) bool { return l.accepted.Load() == uint64(m.cseq)+1 }

// finish makes the ending final. Only the owner calls it; the first time counts.
func (l *Leg) finish(e telephony.End, detail string) {
	l.mu.Lock()
	if l.finished {
		l.mu.Unlock()
		return
	}
	l.finished = true
	e.Detail = detail
	l.end = e
	l.mu.Unlock()
	if l.ep != nil {
		l.ep.Close()
	}
	if l.sock != nil {
		_ = l.sock.Close()
	}
	if l.trunk != nil {
		l.trunk.live.calls.Add(-1)
	}
	l.s.dialogs.release()
	l.s.met.calls.WithLabelValues(l.direction()).Dec()
	close(l.done)
	l.cancel(telephony.ErrLegEnded)
	l.log.Info("leg ended", "sip_call_id", l.o.dlg.callID, "direction", l.direction(), "result", string(e.Result),
		"reason", string(e.Reason), "by", string(e.By), "code", e.Code, "detail", detail)
}

func (l *Leg) over() bool {
	select {
	case <-l.done:
		return true
	default:
		return false
	}
}

// alarm is a timer of the owner's; stopped, it never fires.
type alarm struct{ t *time.Timer }

func (a *alarm) set(d time.Duration) {
	if a.t == nil {
		a.t = time.NewTimer(d)
		return
	}
	a.t.Reset(d)
}

func (a *alarm) stop() {
	if a.t != nil {
		a.t.Stop()
	}
}

func (a *alarm) c() <-chan time.Time {
	if a.t == nil {
		return nil
	}
	return a.t.C
}
