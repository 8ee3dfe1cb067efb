package app

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"hotline/ivr"
	"hotline/telephony"
	"hotline/telephony/calllog"
	"hotline/tickets"
)

// ServeCall carries one inbound call from INVITE to the last hang-up. When it returns, no goroutine, port, file, queue
// place or reservation of this call is left. It reads downwards; each line calls down and gets a value back.
func (a *App) ServeCall(ctx context.Context, in callerLeg) {
	c, err := a.begin(ctx, in) // journalled before we answer
	if err != nil {
		a.log.Error("call refused: journal does not take it", "cause", err)
		in.Hangup(telephony.CauseOverload)
		return
	}
	var end telephony.End // zero = server error: forgetting to set it shows
	defer func() { a.finish(ctx, c, end, recover()) }()
	end = a.arrive(ctx, c)
}

// arrive finds out who calls and where to, and carries the call to its end.
func (a *App) arrive(ctx context.Context, c *call) telephony.End {
	in := c.in
	a.identify(ctx, c) // a claim with a trust level, never a credential
	if c.who.Blocked {
		in.Hangup(telephony.CauseDeclined)
		return telephony.End{Result: telephony.ResultCaller, Reason: telephony.ReasonRejected, By: telephony.SideSystem, Detail: "number policy"}
	}
	route, ok := a.route(in.Party().Called)
	if !ok {
		return a.unknownNumber(ctx, c)
	}
	if route.MaxCalls > 0 && a.calls.count(in.Party().Called) > route.MaxCalls {
		in.Hangup(telephony.CauseBusy)
		return telephony.End{Result: telephony.ResultServer, Reason: telephony.ReasonOverload, By: telephony.SideSystem, Detail: "max_calls of the number"}
	}
	c.set = a.menus()
	c.run = c.set.StartRoute(route, a.ivrCaller(c), a.ivrEnv(ctx, c))
	return a.carry(ctx, c, c.run.Next(ctx, in))
}

// carry goes from hand-over to hand-over until the call is over, and says how it ended.
func (a *App) carry(ctx context.Context, c *call, out ivr.Outcome) telephony.End {
	for !out.Final() { // the menu hands over, and goes on at the exit that came true
		c.noteRun(ctx, a)
		exit, over := a.do(ctx, c, out)
		if over != nil {
			return *over
		}
		out = c.run.Resume(ctx, c.in, exit)
	}
	return menuEnd(ctx, out, c.in)
}

// do carries out what the menu asked for: it gives the exit to go on by, or how the call ended.
func (a *App) do(ctx context.Context, c *call, out ivr.Outcome) (exit string, over *telephony.End) {
	if t := c.run.Attached()["ticket"]; t != "" && t != c.ticket {
		c.ticket = t
		c.noteIdentity(ctx, a, t)
	}
	switch out.Kind {
	case ivr.KindQueue:
		return a.queueAndTalk(ctx, c, out)
	case ivr.KindVoicemail:
		return a.voicemail(ctx, c, *out.Voicemail)
	case ivr.KindTransfer:
		return a.transfer(ctx, c, *out.Transfer)
	}
	return "", &telephony.End{Result: telephony.ResultServer, Reason: telephony.ReasonError, Detail: "menu asked for " + out.Kind}
}

// begin journals the arrival and registers the call.
func (a *App) begin(ctx context.Context, in callerLeg) (*call, error) {
	id := telephony.CallID(telephony.NewID(a.now()))
	p := in.Party()
	log, err := a.journal.Begin(ctx, id, calllog.Begin{Direction: calllog.In, Driver: driverOf(in), Party: p, Leg: in.ID()})
	if err != nil {
		return nil, err
	}
	c := a.newCall(id, in, log)
	a.metrics.started.Inc()
	c.note(ctx, a, calllog.TypeLegBegin, calllog.LegBegin{Leg: in.ID(), Role: "customer", Endpoint: p.Trunk})
	return c, nil
}

// newCall makes a live call and registers it.
func (a *App) newCall(id telephony.CallID, in callerLeg, log *calllog.Call) *call {
	p := in.Party()
	c := &call{id: id, in: in, log: log, cmds: make(chan command, mailboxSize)}
	c.view = callView{Call: string(id), Key: string(id), Direction: string(calllog.In), State: "new", Since: a.now(), From: p.Caller.Value, FromName: p.Caller.DisplayName,
		Trust: string(p.Caller.Trust), Recording: "off"}
	if p.Withheld() {
		c.view.From, c.view.FromName = "", ""
	}
	a.calls.add(c)
	return c
}

// note journals a fact; a journal that fails has its own alarm, the call goes on.
func (c *call) note(ctx context.Context, a *App, t calllog.Type, data any) {
	if err := c.log.Note(ctx, t, data); err != nil && !a.left(c) {
		a.log.Error("call fact not journalled", "call", c.id, "type", t, "cause", err)
	}
}

// finish hangs up, writes the one terminal record, whatever happened, and tells the log in one line.
func (a *App) finish(ctx context.Context, c *call, end telephony.End, panicked any) {
	ctx = context.WithoutCancel(ctx) // calls end when contexts do
	if panicked != nil {
		a.metrics.panics.Inc()
		a.log.Error("call panicked", "call", c.id, "panic", fmt.Sprint(panicked), "stack", string(debug.Stack()))
		end = telephony.End{Result: telephony.ResultServer, Reason: telephony.ReasonPanic, By: telephony.SideSystem, Detail: fmt.Sprint(panicked)}
	}
	a.freeKept(ctx, c.id)
	if a.left(c) { // it goes on in the next process
		a.calls.remove(c)
		return
	}
	end = end.OrServerError()
	c.in.Hangup(telephony.CauseNormal)
	select { // the leg's own end is part of the story; it follows within the driver's limits
	case <-c.in.Done():
	case <-time.After(legEndLimit):
	}
	c.note(ctx, a, calllog.TypeLegEnd, calllog.LegEnd{Leg: c.in.ID(), End: c.in.End()})
	if note := c.snapshot().Note; note != "" && c.log.Summary().Note != note {
		c.note(ctx, a, calllog.TypeNote, calllog.NoteText{Agent: c.log.Summary().Agent, Text: note})
	}
	if err := c.log.Finish(ctx, end); err != nil {
		a.log.Error("call end not journalled; it will be closed at the next start", "call", c.id, "cause", err)
	}
	c.update(a.now(), func(v *callView) { v.State = "ended" })
	a.calls.remove(c)
	s := c.log.Summary()
	a.metrics.ended.WithLabelValues(string(end.Result), string(end.Reason)).Inc()
	a.log.Info("call ended", "call", c.id, "result", end.Result, "reason", end.Reason, "by", end.By, "detail", end.Detail, "code", end.Code,
		"trunk", c.in.Party().Trunk, "trust", c.in.Party().Caller.Trust, "queue", s.Queue, "agent", s.Agent, "wait_ms", s.Wait.Milliseconds(),
		"talk_ms", s.Talk.Milliseconds(), "hold_ms", s.Hold.Milliseconds(), "total_ms", a.now().Sub(s.Started).Milliseconds(),
		"answered_ms", since(s.Started, s.Answered), "queued_ms", since(s.Started, s.Queued), "talked_ms", since(s.Started, s.Talked))
	a.publish()
}

// since is the stage time of the summary line; -1: not reached.
func since(from, to time.Time) int64 {
	if to.IsZero() {
		return -1
	}
	return to.Sub(from).Milliseconds()
}

// legEndLimit is how long the call waits for its own leg to be over.
const legEndLimit = 35 * time.Second

// lookupLimit bounds what the caller waits for the database: a card that comes late is worth less than an answer.
const lookupLimit = 700 * time.Millisecond

// identify looks the caller up. Without an answer in time the caller is unknown and the call goes on.
func (a *App) identify(ctx context.Context, c *call) {
	c.who = tickets.Caller{Level: "none", Rule: "L11", Raw: c.in.Party().Caller.Value, Trust: string(c.in.Party().Caller.Trust)}
	if !a.dbBreaker.allow(a.now()) {
		return
	}
	look, stop := context.WithTimeout(ctx, lookupLimit)
	defer stop()
	who, err := a.tickets.Lookup(look, c.party())
	a.dbBreaker.report(a.now(), err)
	if err != nil {
		a.log.Warn("caller not looked up", "call", c.id, "cause", err)
		return
	}
	c.who = who
	name := ""
	if who.Contact != nil {
		name = who.Contact.Name
	}
	c.update(a.now(), func(v *callView) {
		if who.E164 != "" {
			v.From = who.E164
		}
		if name != "" {
			v.FromName = name
		}
		v.Lang = who.Locale
	})
	c.noteIdentity(ctx, a, c.ticket)
}

// noteIdentity journals who it may be, and the ticket number keyed in the menu.
func (c *call) noteIdentity(ctx context.Context, a *App, ticket string) {
	who, name := c.who, ""
	if who.Contact != nil {
		name = who.Contact.Name
	}
	c.note(ctx, a, calllog.TypeIdentified, calllog.Identified{E164: who.E164, Ext: who.Ext, Level: who.Level, Rule: who.Rule, Name: name, Lang: who.Locale, Ticket: ticket})
}

// ivrCaller is what the menu may know: facts and claims.
func (a *App) ivrCaller(c *call) ivr.Caller {
	p := c.in.Party()
	out := ivr.Caller{CallID: string(c.id), From: c.snapshot().From, Called: p.Called, Trunk: p.Trunk, Trust: p.Caller.Trust, Anonymous: p.Withheld(),
		Lang: c.who.Locale, VIP: c.who.VIP, Blocked: c.who.Blocked}
	if c.who.Contact != nil {
		out.CustomerID, out.Name = fmt.Sprint(c.who.Contact.ID), c.who.Contact.Name
	}
	return out
}

// ivrEnv is the menu's world: the queues as they are, and where its figures go.
func (a *App) ivrEnv(ctx context.Context, c *call) ivr.Env {
	return ivr.Env{
		Now:   a.now,
		Log:   a.log.With("call", string(c.id)),
		Queue: func(name string) ivr.QueueInfo { return a.queueInfo(ctx, name) },
		Record: func(op string) { // the menu decides before the talk; what it says there holds for the whole call
			switch op {
			case "start", "resume":
				c.noRecord = false
			case "stop", "pause":
				c.noRecord = true
			}
		},
		Sys: func() ivr.Sys {
			n := len(a.calls.list())
			return ivr.Sys{Load: float64(n) / float64(max(1, a.cfg.SIPMaxCalls)), Calls: n}
		},
		Trace: func(s ivr.Step) {
			switch s.Kind {
			case ivr.StepEntered:
				c.update(a.now(), func(v *callView) { v.State = "menu" })
				c.note(ctx, a, calllog.TypeMenu, calllog.MenuStep{Flow: s.Flow, Version: c.set.Hash(), Node: s.Node, Label: c.set.Label(s.Flow, s.Node)})
				c.noteRun(ctx, a)
			case ivr.StepLeft:
				c.note(ctx, a, calllog.TypeMenu, calllog.MenuStep{Flow: s.Flow, Node: s.Node, Exit: s.Exit, Key: s.Key})
			}
			a.metrics.menu.WithLabelValues(string(s.Kind)).Inc()
		},
	}
}

func (a *App) queueInfo(ctx context.Context, name string) ivr.QueueInfo {
	snap, err := a.engine.Snapshot(ctx)
	if err != nil {
		return ivr.QueueInfo{}
	}
	for _, q := range snap.Queues {
		if q.Key == name {
			return ivr.QueueInfo{Waiting: q.Waiting, Ready: q.Available, LoggedIn: q.Staffed, Longest: int(q.Longest.Seconds())}
		}
	}
	return ivr.QueueInfo{}
}

// unknownNumber is for numbers nobody serves: 404, after a spoken notice on trunks that want one. It is a call all the
// same, with its row: somebody tried to reach us.
func (a *App) unknownNumber(ctx context.Context, c *call) telephony.End {
	end := telephony.End{Result: telephony.ResultCaller, Reason: telephony.ReasonNotFound, By: telephony.SideSystem, Detail: "number is not served"}
	if a.unknownNotice(c.in.Party().Trunk) {
		if err := c.in.Progress(ctx); err == nil {
			_ = c.in.Play(ctx, a.notice("ss-noservice"))
		}
	}
	c.in.Hangup(telephony.CauseNotFound)
	return end
}

// menuEnd translates the end of a menu run.
func menuEnd(ctx context.Context, out ivr.Outcome, in telephony.Leg) telephony.End {
	end := telephony.End{Result: telephony.ResultSuccess, Reason: telephony.ReasonCompleted, By: telephony.SideSystem, Detail: out.Detail}
	switch out.End {
	case ivr.EndAbandoned:
		return callerLeft(in, telephony.ReasonAbandonedMenu)
	case ivr.EndVoicemail:
		end.Reason = telephony.ReasonVoicemail
	case ivr.EndCallback, ivr.EndDeflected:
		end.Reason = telephony.ReasonCallback
	case ivr.EndRejected:
		end.Result, end.Reason = telephony.ResultCaller, telephony.ReasonRejected
	case ivr.EndOverload:
		end.Result, end.Reason = telephony.ResultServer, telephony.ReasonOverload
	case ivr.EndStopped:
		if !cutOff(ctx) { // the context ended with the caller's leg
			return callerLeft(in, telephony.ReasonAbandonedMenu)
		}
		end.Result, end.Reason = telephony.ResultServer, telephony.ReasonDraining
	case ivr.EndError:
		end.Result, end.Reason = telephony.ResultServer, telephony.ReasonError
	}
	return end
}

// callerLeft names the end of a call whose customer is gone: a plain hang-up takes the stage's reason, a leg that
// failed keeps its own.
func callerLeft(in telephony.Leg, stage telephony.Reason) telephony.End {
	e := in.End()
	switch e.Reason {
	case "", telephony.ReasonHangup, telephony.ReasonCancelled:
		return telephony.End{Result: telephony.ResultCaller, Reason: stage, By: telephony.SideCustomer, Code: e.Code, Detail: e.Detail}
	}
	if e.Reason != telephony.ReasonUnreachable { // then nobody hung up
		e.By = telephony.SideCustomer
	}
	return e
}

// cutOff reports whether the server has given the call up. A call's context also ends with the caller's leg; then the leg
// is done already, and whoever waits finds that out.
func cutOff(ctx context.Context) bool {
	return ctx.Err() != nil && !errors.Is(context.Cause(ctx), telephony.ErrLegEnded)
}

// drainedEnd is the end of calls that outlive the drain limit.
func drainedEnd(ctx context.Context) *telephony.End {
	detail := ""
	if err := context.Cause(ctx); err != nil && !errors.Is(err, context.Canceled) {
		detail = err.Error()
	}
	return &telephony.End{Result: telephony.ResultServer, Reason: telephony.ReasonDraining, By: telephony.SideSystem, Detail: detail}
}
