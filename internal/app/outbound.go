package app

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"hotline/internal/httpapi"
	"hotline/ivr"
	"hotline/queue"
	"hotline/telephony"
	"hotline/telephony/calllog"
	"hotline/telephony/media"
	"hotline/tickets"
)

// Calls out: an agent presses a number, the agent's telephone is connected first, then the customer is called, and from
// the answer on it is a talk like any other.

const (
	customerRings = 45 * time.Second // a customer's telephone rings so long at most
	deskRings     = 20 * time.Second // the agent's own desk phone
)

// callsOut are the calls out that run. Its context ends them when the server stops.
type callsOut struct {
	ctx   context.Context
	wg    sync.WaitGroup
	dials dials

	quit    chan struct{} // closed: calls that have not come to a talk are given up
	once    sync.Once     // closes quit
	dialing sync.WaitGroup
}

// leave gives up the calls that have not come to a talk, and waits until they are over.
func (o *callsOut) leave() {
	o.once.Do(func() { close(o.quit) })
	o.dialing.Wait()
}

var errStopping = errors.New("the server stops")

// startOut makes calls out possible. Stopping it ends those that outlived the drain, and waits for them.
func (a *App) startOut(ctx context.Context) error {
	run, stop := context.WithCancelCause(context.WithoutCancel(ctx))
	a.out.ctx, a.out.quit = run, make(chan struct{})
	a.onStop(func(context.Context) error {
		stop(errStopping)
		a.out.wg.Wait()
		return nil
	})
	return nil
}

// Dial implements httpapi.Live.
func (a *App) Dial(ctx context.Context, login string, r tickets.DialRequest, queueName string) (httpapi.Dialled, error) {
	d, err := a.callOut(ctx, login, r, queueName)
	if refused, ok := errors.AsType[*dialRefusal](err); ok {
		return d, &httpapi.Problem{Status: refused.status, Code: refused.code, Field: refused.field, Detail: refused.en}
	}
	return d, err
}

// callOut begins a call and returns while the agent's telephone is being connected; how it goes on is told by call.state
// and call.end. An error means that nothing was called: a *dialRefusal says why, in words.
func (a *App) callOut(ctx context.Context, login string, r tickets.DialRequest, queueName string) (httpapi.Dialled, error) {
	if a.alarms.draining.Load() {
		return httpapi.Dialled{}, refuseDial(errStopping)
	}
	actor, err := a.tickets.Actor(ctx, login)
	if err != nil {
		return httpapi.Dialled{}, err
	}
	target, err := a.tickets.DialTarget(ctx, actor, r)
	if err != nil {
		return httpapi.Dialled{}, refuseDial(err)
	}
	to, err := a.outbound(target.Number)
	if err != nil && !errors.Is(err, errNoTrunkOut) { // without a trunk the try is made, and fails: the ticket shows it
		a.metrics.dialRefused.WithLabelValues(policyWhy(err)).Inc()
		a.log.Warn("call out refused", "agent", login, "why", policyWhy(err))
		return httpapi.Dialled{}, refuseDial(err)
	}
	if err := a.out.dials.take(login, a.now(), a.cfg.DialPerHour); err != nil {
		return httpapi.Dialled{}, refuseDial(err)
	}
	o := &outCall{a: a, login: login, target: target, to: to, queue: a.dialQueue(ctx, login, cmp.Or(queueName, target.Queue), target.Team)}
	if err := o.begin(context.WithoutCancel(ctx), actor); err != nil {
		a.out.dials.free(login)
		return httpapi.Dialled{}, err
	}
	d := httpapi.Dialled{Call: string(o.c.id), Number: target.Number, Ext: target.Ext, Name: o.c.snapshot().FromName}
	if target.Ticket != nil {
		d.Ticket = target.Ticket.Number
	}
	a.out.dialing.Add(1)
	a.out.wg.Go(o.serve)
	return d, nil
}

// dialQueue finds the queue whose rules hold for a call out (recording, wrap-up, music): the one wanted, else one of the
// ticket's team, else the agent's first; always one of the agent's own. Empty: the agent is in none.
func (a *App) dialQueue(ctx context.Context, login, wanted, team string) string {
	snap, err := a.engine.Snapshot(ctx)
	if err != nil {
		return ""
	}
	for _, s := range snap.Agents {
		if s.Login != login || len(s.Queues) == 0 {
			continue
		}
		if slices.Contains(s.Queues, wanted) {
			return wanted
		}
		for _, q := range s.Queues {
			if team != "" && a.queueConfig(q).Team == team {
				return q
			}
		}
		return s.Queues[0]
	}
	return ""
}

// outCall is one call out on its way to a talk.
type outCall struct {
	a      *App
	login  string
	target tickets.DialTarget
	to     string // address for dial; empty: no trunk takes calls out
	queue  string
	c      *call
	leg    *dialledLeg
	gone   string // who gave it up while it rang: agent, supervisor; empty: nobody
}

// begin reserves the agent, journals the call and takes the callback, in this order: whatever breaks off afterwards, the
// call's end gives agent and callback back, also after a crash.
func (o *outCall) begin(ctx context.Context, actor tickets.Actor) error {
	a, t := o.a, o.target
	id := telephony.CallID(telephony.NewID(a.now()))
	if err := a.engine.Dialing(ctx, id, o.login, o.queue); err != nil && !errors.Is(err, queue.ErrUnknownAgent) { // who is in no queue has no state to keep
		return refuseDial(err)
	}
	party := telephony.Party{Called: t.Number, Caller: telephony.Identity{Source: "none"}}
	if _, rest, ok := strings.Cut(o.to, ":"); ok {
		party.Trunk, _, _ = strings.Cut(rest, ":")
		party.Caller.Value, party.Region, party.AreaCode = a.trunkFace(party.Trunk)
	}
	o.leg = newDialledLeg(telephony.LegID(telephony.NewID(a.now())), party)
	begin := calllog.Begin{Direction: calllog.Out, Driver: a.driver(), Party: party, Leg: o.leg.ID(), Callback: t.Callback, Agent: o.login}
	if t.Ticket != nil {
		begin.Ticket = t.Ticket.Number
	}
	log, err := a.journal.Begin(ctx, id, begin)
	if err != nil {
		_ = a.engine.DialFailed(ctx, id, o.login, 0)
		return err
	}
	o.c = &call{id: id, in: o.leg, log: log, out: true, cmds: make(chan command, mailboxSize)}
	o.c.view = callView{Call: string(id), Key: string(id), Direction: string(calllog.Out), State: "dialing", Since: a.now(), From: t.Number, FromName: t.Name,
		Trust: string(telephony.TrustAsserted), Queue: o.queue, QueueName: a.queueConfig(o.queue).Name, Agent: o.login, Lang: t.Lang, Recording: "off"}
	if t.Ticket != nil {
		o.c.view.Ticket = &ticketView{Number: t.Ticket.Number, Title: t.Ticket.Title}
	}
	a.calls.add(o.c)
	if t.Callback != 0 {
		err := a.db.Tx(ctx, func(tx pgx.Tx) error { return a.tickets.TakeCallback(ctx, tx, actor, t.Callback, string(id)) })
		if err != nil {
			_ = a.engine.DialFailed(ctx, id, o.login, 0)
			a.finish(ctx, o.c, telephony.End{Result: telephony.ResultServer, Reason: telephony.ReasonError, By: telephony.SideSystem, Detail: "callback not taken"}, nil)
			return refuseDial(err)
		}
	}
	return nil
}

// trunkFace is what a trunk shows for us, and how it reads numbers.
func (a *App) trunkFace(name string) (callerID, region, area string) {
	a.set.mu.RLock()
	defer a.set.mu.RUnlock()
	t := a.set.trunks[name]
	return cmp.Or(t.CallerID, t.User), t.Region, t.AreaCode
}

// serve carries the call from here to its end. It reads as ServeCall does.
func (o *outCall) serve() {
	a, c, ctx := o.a, o.c, o.a.out.ctx
	defer a.out.dials.free(o.login)
	through := sync.OnceFunc(a.out.dialing.Done)
	defer through()       // after finish
	var end telephony.End // zero = server error: forgetting to set it shows
	defer func() { a.finish(ctx, c, end, recover()) }()
	a.publish()
	o.identify(ctx)
	a.sendCall(o.login, c) // the page opens the microphone
	side, err := o.connectAgent(ctx)
	if err != nil {
		end = o.failed(ctx, nil, err)
		return
	}
	if err := o.callCustomer(ctx, side); err != nil {
		end = o.failed(ctx, side, err)
		return
	}
	a.metrics.dials.WithLabelValues("answered").Inc()
	through()
	_, over := a.converse(ctx, c, &waiting{a: a, c: c, q: &ivr.QueueReq{Name: o.queue, Lang: o.target.Lang}}, side, nil)
	end = *cmp.Or(over, &telephony.End{})
}

// identify looks the called person up with the agent's eyes: the page shows a name, the journal keeps the number.
func (o *outCall) identify(ctx context.Context) {
	a, c := o.a, o.c
	c.who = tickets.Caller{Level: "none", Rule: "L11", Raw: o.target.Number, Trust: tickets.TrustAsserted}
	if who := a.cardFor(c, o.login); who.E164 != "" {
		c.who = who
	}
	c.who.E164 = o.target.Number // also when the database did not answer
	if c.who.Contact != nil && c.who.Contact.Name != "" {
		c.update(a.now(), func(v *callView) { v.FromName, v.Lang = c.who.Contact.Name, cmp.Or(v.Lang, c.who.Locale) })
	}
	c.noteIdentity(ctx, a, "")
}

// Reasons why a call out came to nothing before the customer's telephone was called.
var (
	errNoSound  = errors.New("no sound from the agent's page")
	errDeskDead = errors.New("the agent's desk phone does not answer")
	errGivenUp  = errors.New("given up")
)

// connectAgent gets the agent's own telephone ready: the page's sound, or the desk phone off the hook.
func (o *outCall) connectAgent(ctx context.Context) (side *agentSide, err error) {
	a, c := o.a, o.c
	if a.agentKind(o.login) != queue.Desk {
		ep := a.rtc.Phone(o.login).Endpoint()
		a.rtc.Phone(o.login).Prefer(c.in.Law())
		ep.ResetMedia() // sound counts from now
		side = &agentSide{login: o.login, kind: queue.Browser, ep: ep, legID: telephony.LegID(telephony.NewID(a.now())), browse: true}
		return side, o.during(ctx, nil, func(ctx context.Context) error {
			up, stop := context.WithTimeout(ctx, a.cfg.ConnectLimit)
			defer stop()
			if err := ep.WaitMedia(up); err != nil {
				return errors.Join(errNoSound, err)
			}
			return nil
		})
	}
	var leg callerLeg
	err = o.during(ctx, nil, func(ctx context.Context) (err error) {
		leg, err = a.dial(ctx, dialRequest{To: a.deskAddress(o.login), Law: c.in.Law(), Ring: deskRings, Caller: telephony.Identity{Value: o.target.Number},
			CallerName: cmp.Or(c.snapshot().FromName, o.target.Number)})
		if err != nil {
			return errors.Join(errDeskDead, err)
		}
		return nil
	})
	if leg != nil {
		side = &agentSide{login: o.login, kind: queue.Desk, ep: leg.Endpoint(), leg: leg, legID: leg.ID()}
	}
	return side, err
}

// callCustomer calls the number; the agent hears it ring. With a nil error customer and agent are there.
func (o *outCall) callCustomer(ctx context.Context, side *agentSide) error {
	a, c := o.a, o.c
	c.note(ctx, a, calllog.TypeDialled, nil)
	c.note(ctx, a, calllog.TypeLegBegin, calllog.LegBegin{Leg: o.leg.ID(), Role: "customer", Endpoint: o.leg.Party().Trunk})
	if o.to == "" {
		return errNoTrunkOut
	}
	var leg callerLeg
	err := o.during(ctx, side.done(), func(ctx context.Context) (err error) {
		ringing := make(chan struct{})
		hear, quiet := context.WithCancel(ctx)
		var tone sync.WaitGroup
		tone.Go(func() {
			select {
			case <-ringing:
				_ = side.ep.Play(hear, ringback) // a tone that cannot be played costs the tone
			case <-hear.Done():
			}
		})
		leg, err = a.dial(ctx, dialRequest{To: o.to, Law: side.law(), Ring: customerRings, Leg: o.leg.ID(), OnRinging: sync.OnceFunc(func() { close(ringing) })})
		quiet()
		tone.Wait()
		return err
	})
	if err == nil {
		err = o.leg.attach(leg)
	} else if leg != nil { // answered in the instant it was given up
		leg.Hangup(telephony.CauseNormal)
	}
	if err != nil {
		return err
	}
	c.note(ctx, a, calllog.TypeAnswered, nil)
	if err := a.engine.Contact(ctx, c.id, o.login, queue.Talking); err != nil && !errors.Is(err, queue.ErrUnknownAgent) {
		return err
	}
	return nil
}

// law is the codec of the agent's end.
func (s *agentSide) law() media.Law {
	if s.browse {
		return media.PCMA
	}
	return s.ep.Law()
}

// during does work that takes its time while the mailbox is served: the agent, or a supervisor, may give the call up.
// gone is closed when the agent's desk phone hung up; nil: never. It gives errGivenUp then, and the work is over when it
// returns.
func (o *outCall) during(ctx context.Context, gone <-chan struct{}, work func(context.Context) error) error {
	work1, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	done := make(chan error, 1)
	go func() { done <- work(work1) }() // joined here
	quit := o.a.out.quit
	for {
		select {
		case <-quit:
			quit = nil
			cancel(errStopping)
		case err := <-done:
			if why := context.Cause(work1); why != nil {
				return why
			}
			return err
		case <-gone:
			o.gone, gone = cmp.Or(o.gone, "agent"), nil
			cancel(errGivenUp)
		case m := <-o.c.cmds:
			switch m.name {
			case "hangup", "kick":
				o.gone = "agent"
				if m.name == "kick" {
					o.gone = "supervisor"
				}
				cancel(errGivenUp)
				m.reply <- commandReply{}
			default:
				m.refuse()
			}
		}
	}
}

// failed frees the agent of a call that came to no talk, tells why, and gives the call's end.
func (o *outCall) failed(ctx context.Context, side *agentSide, err error) telephony.End {
	a, c := o.a, o.c
	f := dialFailure(err)
	if side != nil {
		side.hangup(telephony.CauseNormal)
	}
	if f.why == "cancelled" && o.gone == "supervisor" {
		f.end.By = telephony.SideSystem
	}
	f.end.Detail = cmp.Or(f.end.Detail, err.Error())
	o.leg.fail(f.end)
	c.in.Hangup(telephony.CauseNormal)
	_ = a.engine.DialFailed(context.WithoutCancel(ctx), c.id, o.login, 0)
	a.metrics.dials.WithLabelValues(f.why).Inc()
	c.update(a.now(), func(v *callView) { v.State = "ended" })
	a.hub.Send(o.login, "call.end", map[string]any{"call": string(c.id), "why": f.why, "by": f.end.By, "talk_s": 0, "hold_s": 0, "text": f.text})
	return f.end
}

// queueOut puts the customer of a lost agent into the queue of the call, before those of their class: they were talking.
// Without a queue, or when it takes nobody, the call is over; the agent finds "call back" on the page.
func (a *App) queueOut(ctx context.Context, c *call, w *waiting, agent string) (string, *telephony.End) {
	_ = a.engine.ContactEnded(ctx, c.id, agent)
	if w.q.Name == "" {
		c.in.Hangup(telephony.CauseNormal)
		return "", &telephony.End{Result: telephony.ResultServer, Reason: telephony.ReasonError, By: telephony.SideSystem, Detail: "the agent's sound was lost and there is no queue to go to"}
	}
	c.set = a.menus()
	c.run = c.set.StartRoute(ivr.Route{Number: c.in.Party().Called, Queue: w.q.Name, FallbackQueue: w.q.Name, Lang: w.q.Lang}, a.ivrCaller(c), a.ivrEnv(ctx, c))
	out := c.run.Next(ctx, c.in)
	for !out.Final() {
		if out.Queue != nil {
			out.Queue.Priority += afterLoss
		}
		exit, over := a.do(ctx, c, out)
		if over != nil {
			return "", over
		}
		out = c.run.Resume(ctx, c.in, exit)
	}
	end := menuEnd(ctx, out, c.in)
	return "", &end
}

// afterLoss lifts a customer whose agent was lost in the middle of a talk above those who wait for one; a VIP has 10.
const afterLoss = 20
