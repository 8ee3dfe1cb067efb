package app

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"time"

	"hotline/queue"
	"hotline/telephony"
	"hotline/telephony/calllog"
	"hotline/tickets"
)

func offerName(id queue.OfferID) string { return strconv.FormatInt(int64(id), 10) }

// ring rings the agent of an offer while the caller hears music. It gives the answered side, with sound, or why not;
// an empty reason means that the offer was taken back and nothing is to be reported.
func (a *App) ring(ctx context.Context, c *call, w *waiting, o queue.Offer) (*agentSide, queue.FailReason) {
	c.note(ctx, a, calllog.TypeOffered, calllog.Offered{Offer: offerName(o.ID), Agent: o.Agent, Queue: o.Queue})
	c.update(a.now(), func(v *callView) { v.State, v.Agent = "ringing", o.Agent })
	a.publish()
	limit, stop := context.WithTimeoutCause(ctx, o.RingFor, telephony.ErrNoAnswer)
	defer stop()
	if o.Kind == queue.Desk {
		return a.ringDesk(limit, c, w, o)
	}
	return a.ringBrowser(limit, c, w, o)
}

// ringBrowser shows the card on the agent's page and waits for the answer, then for sound.
func (a *App) ringBrowser(ctx context.Context, c *call, w *waiting, o queue.Offer) (*agentSide, queue.FailReason) {
	ph := a.rtc.Phone(o.Agent)
	ph.Prefer(c.in.Law())
	ph.Endpoint().ResetMedia() // sound counts from now: what an old page sends is not an answer
	p := &pendingOffer{call: c, id: o.ID, answer: make(chan queue.FailReason, 1)}
	a.offers.put(o.Agent, p)
	gone := "moved"
	defer func() {
		a.offers.drop(o.Agent, p)
		a.hub.Send(o.Agent, "call.gone", map[string]any{"call": string(c.id), "why": gone})
	}()
	a.hub.Send(o.Agent, "call.offer", a.offerCard(c, w, o))
	_ = a.engine.OfferRinging(ctx, o.ID)
	select {
	case why := <-p.answer:
		if why != "" {
			gone = "rejected"
			return nil, why
		}
	case <-o.Gone:
		gone = "timeout"
		return nil, ""
	case <-c.in.Done():
		gone = "caller_left"
		return nil, queue.CallerLeft
	case <-ctx.Done():
		gone = "timeout"
		if errors.Is(context.Cause(ctx), telephony.ErrNoAnswer) {
			return nil, queue.NoAnswer
		}
		return nil, queue.CallerLeft
	}
	gone = "taken"
	if err := a.engine.OfferAccepted(ctx, o.ID); err != nil {
		gone = "timeout"
		return nil, ""
	}
	c.update(a.now(), func(v *callView) { v.State = "connecting" })
	a.sendCall(o.Agent, c)
	up, stop := context.WithTimeout(ctx, a.cfg.ConnectLimit)
	defer stop()
	go func() { // a caller who leaves ends the wait; ends with the context at the latest
		select {
		case <-c.in.Done():
			stop()
		case <-up.Done():
		}
	}()
	if err := ph.Endpoint().WaitMedia(up); err != nil {
		if c.in.End() != (telephony.End{}) {
			return nil, queue.CallerLeft
		}
		a.log.Warn("agent answered without sound", "call", c.id, "agent", o.Agent, "cause", err)
		return nil, queue.NoMedia
	}
	return &agentSide{login: o.Agent, kind: queue.Browser, ep: ph.Endpoint(), legID: telephony.LegID(telephony.NewID(a.now())), browse: true}, ""
}

// ringDesk dials the agent's desk phone.
func (a *App) ringDesk(ctx context.Context, c *call, w *waiting, o queue.Offer) (*agentSide, queue.FailReason) {
	dial, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watched := make(chan struct{})
	go func() { // joined below
		defer close(watched)
		select {
		case <-o.Gone:
			cancel(errElsewhere)
		case <-c.in.Done():
			cancel(telephony.ErrLegEnded)
		case <-dial.Done():
		}
	}()
	v := c.snapshot()
	name := v.FromName
	if name == "" && v.From == "" {
		name = "withheld"
	}
	leg, err := a.dial(dial, dialRequest{To: a.deskAddress(o.Agent), Law: c.in.Law(), Ring: o.RingFor, CallerName: name,
		Caller: telephony.Identity{Value: v.From, DisplayName: name}, OnRinging: func() { _ = a.engine.OfferRinging(ctx, o.ID) }})
	cause := context.Cause(dial)
	cancel(nil)
	<-watched
	if err != nil {
		return nil, deskFailure(err, cause)
	}
	if err := a.engine.OfferAccepted(ctx, o.ID); err != nil {
		leg.Hangup(telephony.CauseElsewhere)
		return nil, ""
	}
	return &agentSide{login: o.Agent, kind: queue.Desk, ep: leg.Endpoint(), leg: leg, legID: leg.ID()}, ""
}

// deskFailure says what an unanswered desk phone means to the queue. cause is why the dialling was given up, if it was.
func deskFailure(err, cause error) queue.FailReason {
	switch {
	case errors.Is(cause, errElsewhere):
		return ""
	case errors.Is(cause, telephony.ErrLegEnded):
		return queue.CallerLeft
	case errors.Is(err, telephony.ErrNoAnswer), errors.Is(cause, telephony.ErrNoAnswer):
		return queue.NoAnswer
	case errors.Is(err, telephony.ErrBusy), errors.Is(err, telephony.ErrRefused):
		return queue.Rejected
	case errors.Is(err, context.Canceled):
		return queue.CallerLeft
	}
	return queue.Unreachable
}

// pendingOffer is an offer on a page, waiting for the agent.
type pendingOffer struct {
	call   *call
	id     queue.OfferID
	answer chan queue.FailReason // size 1: the first answer counts; empty: taken
}

// offers are the offers on pages now, one per agent.
type offers struct {
	mu sync.Mutex // guards m
	m  map[string]*pendingOffer
}

func (o *offers) put(login string, p *pendingOffer) { o.mu.Lock(); o.m[login] = p; o.mu.Unlock() }

func (o *offers) drop(login string, p *pendingOffer) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.m[login] == p {
		delete(o.m, login)
	}
}

func (o *offers) get(login string) *pendingOffer { o.mu.Lock(); defer o.mu.Unlock(); return o.m[login] }

// reply answers the agent's offer of that call, empty: taken, else why not; false: there is no such offer.
func (o *offers) reply(login, call string, why queue.FailReason) bool {
	p := o.get(login)
	if p == nil || string(p.call.id) != call {
		return false
	}
	select {
	case p.answer <- why:
		return true
	default:
		return false
	}
}

// offerCard is the data of call.offer: who it may be, with its trust, and the tickets it may be about.
func (a *App) offerCard(c *call, w *waiting, o queue.Offer) map[string]any {
	v := c.snapshot()
	card := a.cardFor(c, o.Agent)
	menu := []map[string]any{}
	for _, s := range c.log.Summary().Path {
		if label := c.set.Label(c.flowID(), s.Node); label != nil && s.Exit != "" {
			menu = append(menu, map[string]any{"node": s.Node, "label": label})
		}
	}
	return map[string]any{"call": string(c.id), "from": v.From, "from_name": v.FromName, "trust": v.Trust, "queue": o.Queue,
		"queue_name": a.queueConfig(o.Queue).Name, "waited_s": int(o.Waited.Seconds()), "menu": menu, "lang": v.Lang, "card": card,
		"expires": a.now().Add(o.RingFor).UnixMilli(), "auto": false}
}

// cardFor looks the caller up with the agent's eyes: tickets the agent may not see are not named. Without the database
// the card keeps what is known and lists no tickets.
func (a *App) cardFor(c *call, login string) tickets.Caller {
	ctx, stop := context.WithTimeout(context.Background(), lookupLimit)
	defer stop()
	if a.dbBreaker.allow(a.now()) {
		actor, err := a.tickets.Actor(ctx, login)
		if err == nil {
			var who tickets.Caller
			if who, err = a.tickets.LookupFor(ctx, actor, c.party()); err == nil {
				return who
			}
		}
		a.dbBreaker.report(a.now(), err)
		a.log.Warn("card without tickets", "call", c.id, "agent", login, "cause", err)
	}
	who := c.who
	who.Candidates = nil
	return who
}

// flowID is the flow the caller is or was in.
func (c *call) flowID() string {
	if p := c.run.Path(); len(p) > 0 {
		return p[len(p)-1].Flow
	}
	return ""
}

// positions are the places of waiting callers as last told by the engine.
type positions struct {
	mu sync.Mutex // guards m
	m  map[telephony.CallID]int
}

func (p *positions) set(id telephony.CallID, n int) { p.mu.Lock(); p.m[id] = n; p.mu.Unlock() }
func (p *positions) get(id telephony.CallID) int    { p.mu.Lock(); defer p.mu.Unlock(); return p.m[id] }
func (p *positions) drop(id telephony.CallID)       { p.mu.Lock(); delete(p.m, id); p.mu.Unlock() }

// breaker spares callers the wait for a database that just failed to answer.
type breaker struct {
	mu    sync.Mutex // guards until
	until time.Time
}

const breakFor = 2 * time.Second

func (b *breaker) allow(now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return !now.Before(b.until)
}

func (b *breaker) report(now time.Time, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.until = time.Time{}
	if _, ours := errors.AsType[*tickets.Error](err); err != nil && !ours {
		b.until = now.Add(breakFor)
	}
}
