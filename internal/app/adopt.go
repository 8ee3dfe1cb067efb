package app

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"hotline/ivr"
	"hotline/queue"
	"hotline/telephony"
	"hotline/telephony/calllog"
	"hotline/tickets"
)

// cutCalls are the calls that the end of the last process left open. Those of the native driver are over; those that a
// PBX carries may live on until it has told.
type cutCalls struct {
	found []*calllog.Summary // by the journal; used during the start only

	mu     sync.Mutex // guards what follows
	alive  map[telephony.LegID]*calllog.Summary
	closed map[telephony.LegID]bool    // those of alive that were given up
	kept   map[telephony.CallID]string // agents of talks among alive: nobody else gets them before it is known what became of the talk
}

func (c *cutCalls) clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.alive, c.closed, c.kept = map[telephony.LegID]*calllog.Summary{}, map[telephony.LegID]bool{}, map[telephony.CallID]string{}
}

func (c *cutCalls) add(s *calllog.Summary) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.alive[s.Begin.Leg] = s
}

// take gives the call of a leg, once; nil: there is none.
func (c *cutCalls) take(leg telephony.LegID) *calllog.Summary {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.alive[leg]
	delete(c.alive, leg)
	return s
}

// giveUp takes the calls from the list whose leg is not known to the driver. more: others are left.
func (c *cutCalls) giveUp(known func(telephony.LegID) bool) (out []*calllog.Summary, more bool) {
	c.mu.Lock()
	legs := slices.Collect(maps.Keys(c.alive))
	c.mu.Unlock()
	legs = slices.DeleteFunc(legs, known)
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, leg := range legs {
		if s := c.alive[leg]; s != nil { // not taken meanwhile
			out = append(out, s)
			c.closed[leg] = true
			delete(c.alive, leg)
		}
	}
	return out, len(c.alive) > 0
}

// calls are those of which it is not known yet what became of them.
func (c *cutCalls) calls() (out []telephony.CallID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.alive {
		out = append(out, s.Call)
	}
	return out
}

// some reports whether it is not known yet of every call what became of it.
func (c *cutCalls) some() bool { c.mu.Lock(); defer c.mu.Unlock(); return len(c.alive) > 0 }

// over reports whether a leg's call was given up.
func (c *cutCalls) over(leg telephony.LegID) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closed[leg]
}

// talks are the kept agents with their calls.
func (c *cutCalls) talks() (out []queue.LiveCall) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for call, agent := range c.kept {
		out = append(out, queue.LiveCall{Call: call, Agent: agent})
	}
	return out
}

func (c *cutCalls) keep(call telephony.CallID, agent string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.kept[call] = agent
}

// unkeep forgets a kept agent and names it; empty: none was.
func (c *cutCalls) unkeep(call telephony.CallID) (agent string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	agent = c.kept[call]
	delete(c.kept, call)
	return agent
}

// closeCut ends the calls that a crash cut off, each once and with its true last state; the rows, the callbacks and the
// tickets follow by the ordinary way. Calls that Asterisk carries are kept until it has told which of them live.
func (a *App) closeCut(ctx context.Context) error {
	for _, s := range a.cut.found {
		if a.byAsterisk() && s.Begin.Driver == driverAsterisk {
			a.cut.add(s)
			a.keepAgent(ctx, s)
			continue
		}
		if err := a.closeOne(ctx, s); err != nil {
			return err
		}
	}
	a.cut.found = nil
	if err := a.engine.KeepPlaces(ctx, a.cut.calls()); err != nil {
		return err
	}
	return a.recordings.Recover(ctx)
}

// inTalk reports whether a call was a talk with an agent.
func inTalk(s *calllog.Summary) bool {
	return s.State == calllog.StateTalking && s.Agent != "" && !s.Speaks
}

// keepAgent puts the agent of a talk that may go on into it again, lost for now, so that it is free for no other call
// before the driver has told.
func (a *App) keepAgent(ctx context.Context, s *calllog.Summary) {
	if !inTalk(s) || a.agentKind(s.Agent) != queue.Browser {
		return
	}
	if err := a.engine.AdoptTalk(ctx, s.Agent, talkEntry(s)); err != nil {
		a.log.Info("agent of a cut talk not kept for it", "call", s.Call, "agent", s.Agent, "cause", err)
		return
	}
	a.cut.keep(s.Call, s.Agent)
	_ = a.engine.Contact(ctx, s.Call, s.Agent, queue.LostCall)
}

// talkEntry is a talk for the queue engine.
func talkEntry(s *calllog.Summary) queue.Entry {
	return queue.Entry{Call: s.Call, Queue: s.Queue, Lang: s.Lang, Credit: s.Wait, Later: true}
}

// freeKept frees the agent that was kept for a call whose talk does not go on.
func (a *App) freeKept(ctx context.Context, call telephony.CallID) {
	if agent := a.cut.unkeep(call); agent != "" {
		_ = a.engine.ContactEnded(context.WithoutCancel(ctx), call, agent)
	}
}

// closeOne writes the end of a call that is no more.
func (a *App) closeOne(ctx context.Context, s *calllog.Summary) error {
	end := telephony.End{Result: telephony.ResultUnknown, Reason: telephony.ReasonCrash, By: telephony.SideSystem, Detail: "server stopped in state " + string(s.State)}
	if err := a.journal.Resume(s).Finish(ctx, end); err != nil {
		return err
	}
	_ = a.engine.DropPlace(ctx, s.Call)
	a.freeKept(ctx, s.Call)
	a.log.Warn("call cut by a crash closed", "call", s.Call, "state", s.State)
	a.metrics.ended.WithLabelValues(string(end.Result), string(end.Reason)).Inc()
	return nil
}

// noteRun journals the menu's run, where somebody may have to go on with it: a call that its driver keeps up without us.
func (c *call) noteRun(ctx context.Context, a *App) {
	if !outlives(c.in) || c.run == nil {
		return
	}
	b, err := json.Marshal(c.run.State())
	if err != nil {
		a.log.Error("menu state not journalled", "call", c.id, "cause", err)
		return
	}
	c.note(ctx, a, calllog.TypeMenuState, calllog.MenuState{Run: b})
}

// GoOn carries a call on that was there before this process. It reports whether the leg belongs to one; then it returns
// when that call is over, as ServeCall does.
func (a *App) GoOn(ctx context.Context, in callerLeg) bool {
	s := a.cut.take(in.ID())
	if s == nil {
		return false
	}
	was := *s
	if was.Begin.Direction == calllog.Out {
		a.goOnOut(ctx, in, s)
		return true
	}
	c := a.newCall(s.Call, in, a.journal.Resume(s))
	c.update(a.now(), func(v *callView) { v.Note, v.Lang = was.Note, was.Lang })
	c.adopted(ctx, a, &was)
	var end telephony.End
	defer func() { a.finish(ctx, c, end, recover()) }()
	if was.State == calllog.StateNew { // nothing was decided yet
		end = a.arrive(ctx, c)
		return true
	}
	c.ticket = was.Who.Ticket
	if was.Speaks {
		c.said = was.Message
	}
	if was.State == calllog.StateWaiting || was.State == calllog.StateRinging {
		c.waited = was.Waited(a.now())
	}
	a.identify(ctx, c)
	end = a.goOnAt(ctx, c, &was)
	return true
}

// goOnAt carries an adopted call on from where it was.
func (a *App) goOnAt(ctx context.Context, c *call, was *calllog.Summary) telephony.End {
	out, ok := a.restore(ctx, c, was)
	if !ok {
		return a.unknownNumber(ctx, c)
	}
	switch {
	case out.Kind != ivr.KindQueue:
	case inTalk(was):
		exit, over := a.rejoin(ctx, c, out, was)
		if over != nil {
			return *over
		}
		out = c.run.Resume(ctx, c.in, exit)
	case was.Speaks: // the queue's own answering machine
		return *a.queueVoicemail(ctx, c, out.Queue.Name)
	}
	a.freeKept(ctx, c.id)
	return a.carry(ctx, c, out)
}

// adopted journals that the call goes on, and that the agent's leg ended with the process that had it.
func (c *call) adopted(ctx context.Context, a *App, was *calllog.Summary) {
	c.note(ctx, a, calllog.TypeAdopted, nil)
	if was.Side != "" {
		c.note(ctx, a, calllog.TypeLegEnd, calllog.LegEnd{Leg: was.Side, End: telephony.End{Result: telephony.ResultUnknown, Reason: telephony.ReasonCrash, By: telephony.SideSystem}})
	}
	a.log.Info("call goes on after a restart", "call", c.id, "state", was.State, "queue", was.Queue, "agent", was.Agent)
}

// goOnOut carries a call out on that was there before this process, when it had become a talk: with the agent's page, or,
// when that agent cannot take part, by the queue whose rules held for it.
func (a *App) goOnOut(ctx context.Context, in callerLeg, s *calllog.Summary) {
	was := *s
	leg := newDialledLeg(was.Begin.Leg, was.Begin.Party)
	err := leg.attach(in)
	c := a.newCall(was.Call, leg, a.journal.Resume(s))
	c.out = true
	c.update(a.now(), func(v *callView) {
		v.Direction, v.From, v.Note, v.Lang = string(calllog.Out), was.Begin.Party.Called, was.Note, was.Lang
		v.Queue, v.QueueName = was.Queue, a.queueConfig(was.Queue).Name
	})
	c.adopted(ctx, a, &was)
	var end telephony.End
	defer func() { a.finish(ctx, c, end, recover()) }()
	c.who = tickets.Caller{Level: was.Who.Level, Rule: was.Who.Rule, Raw: was.Begin.Party.Called, E164: was.Who.E164, Trust: tickets.TrustAsserted}
	if err != nil || was.Talked.IsZero() { // it had not come to a talk: the agent calls again
		end = telephony.End{Result: telephony.ResultUnknown, Reason: telephony.ReasonCrash, By: telephony.SideSystem, Detail: "server stopped while dialling"}
		return
	}
	w := &waiting{a: a, c: c, q: &ivr.QueueReq{Name: was.Queue, Lang: was.Lang}}
	var over *telephony.End
	side, err := a.backInTalk(ctx, c, &was, talkEntry(&was))
	if err == nil {
		_, over = a.converse(ctx, c, w, side, &was)
	} else {
		a.log.Info("talk not taken up again", "call", c.id, "agent", was.Agent, "cause", err)
		a.freeKept(ctx, c.id)
		_, over = a.queueOut(ctx, c, w, was.Agent)
	}
	end = *cmp.Or(over, &telephony.End{})
}

// errNoTalk says that a call was no talk any more when the process ended that had it.
var errNoTalk = errors.New("it was waiting")

// errDeskGone says that a desk phone's side of a talk ended with the process that had it.
var errDeskGone = errors.New("the desk phone's side has ended")

// backInTalk puts the agent of a talk into it again, lost for now.
func (a *App) backInTalk(ctx context.Context, c *call, was *calllog.Summary, e queue.Entry) (*agentSide, error) {
	switch {
	case !inTalk(was):
		return nil, errNoTalk
	case a.agentKind(was.Agent) != queue.Browser:
		return nil, errDeskGone
	}
	if err := a.engine.AdoptTalk(ctx, was.Agent, e); err != nil {
		return nil, err
	}
	ph := a.rtc.Phone(was.Agent)
	ph.Prefer(c.in.Law())
	return &agentSide{login: was.Agent, kind: queue.Browser, ep: ph.Endpoint(), legID: telephony.LegID(telephony.NewID(a.now())), browse: true}, nil
}

// restore makes the menu's run as it was and gives what it hands over, or where it ends. A run of menu files that are no
// more begins anew, but a caller who had left the menu for a queue goes straight there. false: nobody serves the number.
func (a *App) restore(ctx context.Context, c *call, was *calllog.Summary) (ivr.Outcome, bool) {
	c.set = a.menus()
	var st ivr.State
	if was.Run != nil && json.Unmarshal(was.Run, &st) == nil {
		run, err := c.set.Restore(st, a.ivrCaller(c), a.ivrEnv(ctx, c))
		if err == nil {
			c.run = run
			if st.Recording == "stop" || st.Recording == "pause" {
				c.noRecord = true
			}
			return c.run.Next(ctx, c.in), true
		}
		a.log.Warn("menu begins anew", "call", c.id, "cause", err)
	}
	route, ok := a.route(c.in.Party().Called)
	if was.State != calllog.StateMenu && was.State != calllog.StateNew && was.Queue != "" {
		route, ok = ivr.Route{Number: c.in.Party().Called, Queue: was.Queue, Lang: was.Lang}, true
	}
	if !ok {
		return ivr.Outcome{}, false
	}
	c.run = c.set.StartRoute(route, a.ivrCaller(c), a.ivrEnv(ctx, c))
	return c.run.Next(ctx, c.in), true
}

// rejoin goes on with a talk: with the agent's browser when it comes back within the grace time, as after a reload. A
// desk phone's side ended with us, and an agent who is signed off or in another call is no partner: the caller goes to
// the head of the queue, that agent first.
func (a *App) rejoin(ctx context.Context, c *call, out ivr.Outcome, was *calllog.Summary) (exit string, over *telephony.End) {
	q, _ := a.stay(c, out)
	if was.Queue != "" {
		q.Name = was.Queue
	}
	entry := queue.Entry{Call: c.id, Queue: q.Name, Skills: q.Skills, Lang: was.Lang, Credit: was.Wait, Later: true, Front: true, Prefer: was.Agent, Tag: "reconnect"}
	c.update(a.now(), func(v *callView) { v.Queue, v.QueueName, v.Lang = q.Name, a.queueConfig(q.Name).Name, was.Lang })
	side, err := a.backInTalk(ctx, c, was, entry)
	if err == nil {
		return a.converse(ctx, c, &waiting{a: a, c: c, q: &q, out: out}, side, was)
	}
	a.log.Info("talk not taken up again", "call", c.id, "agent", was.Agent, "cause", err)
	a.freeKept(ctx, c.id)
	place, err := a.engine.Enter(ctx, entry)
	if err != nil {
		return a.notAdmitted(ctx, c, out, a.queueConfig(q.Name), err)
	}
	a.entered(ctx, c, q.Name, q.Lang, "reconnect")
	return a.inQueue(ctx, c, out, &q, place)
}

// leaveCalls leaves the calls that Asterisk carries and that outlived the drain to the next process, as a crash would, but
// with everything written: journal and queue close first, so that the calls' functions end without a trace.
func (a *App) leaveCalls(ctx context.Context) {
	if a.ari == nil {
		return
	}
	a.out.leave() // a number that is still being called is not left to anybody
	if len(a.calls.list()) == 0 && !a.cut.some() {
		return
	}
	a.leaving.Store(true)
	a.log.Info("running calls stay in Asterisk for the next start", "calls", len(a.calls.list()))
	if err := errors.Join(a.stopEngine(), a.journal.Close(), a.ari.Leave(context.WithoutCancel(ctx))); err != nil {
		a.log.Error("calls left to Asterisk", "cause", err)
	}
}

// left reports whether a call goes on in the next process.
func (a *App) left(c *call) bool { return a.leaving.Load() && outlives(c.in) }

// Limits of taking calls over.
const (
	// giveUp is how long calls wait for an Asterisk that does not answer.
	giveUp = 150 * time.Second
	// claimEvery is how often it is looked whether calls that were found in Asterisk have gone before they were taken over.
	claimEvery = 500 * time.Millisecond
)

// adoptGrace is how long places in queues that were there before a crash wait for their calls: hardly, where no call
// outlives the process.
func (a *App) adoptGrace() time.Duration {
	if a.byAsterisk() {
		return giveUp + 30*time.Second
	}
	return time.Second
}
