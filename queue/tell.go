package queue

import (
	"encoding/json"
)

// tellAll carries the core's effects out: rows, events of places, changes, metrics, log.
func (e *Engine) tellAll() {
	for i := range e.st.out {
		e.tellOne(&e.st.out[i])
	}
}

func (e *Engine) tellOne(fx *effect) {
	switch fx.kind {
	case fxAgentMoved:
		e.agentMoved(fx)
	case fxAgentRow:
		e.agentChanged(fx.a, fx.a.state)
	case fxAgentNew:
		e.met.agents(Offline, 1)
	case fxAgentBack:
		e.met.agents(Offline, -1)
		e.met.agents(fx.agentTo, 1)
		e.agentChanged(fx.a, Offline)
	case fxAgentGone:
		e.met.agents(fx.a.state, -1)
	case fxEntry:
		e.entryChanged(fx)
	case fxOffer:
		e.offerChanged(fx)
	case fxPlace:
		e.tellPlace(fx)
	case fxMoved:
		if p := e.places[fx.c.row]; p != nil {
			delete(e.places, fx.c.row)
			p.id.Store(fx.c2.row)
			e.places[fx.c2.row] = p
			p.put(Event{Kind: Moved, Queue: fx.c2.q.cfg.Key, Reason: fx.reason})
		}
		e.log.Info("call moved", "call", fx.c.call, "from", fx.c.q.cfg.Key, "to", fx.c2.q.cfg.Key, "by", fx.by,
			"reason", fx.reason)
	case fxQueueNew:
		e.met.addQueue(fx.queue.cfg.Key)
	case fxQueueGone:
		e.met.dropQueue(fx.queue.cfg.Key)
	case fxOrphan:
		r := fx.saved.EntryRow
		r.State, r.Outcome, r.Reason, r.Ended = EntryEnded, OutFlowed, "closed", e.wall.Round(0)
		r.Wait = max(0, r.Ended.Sub(r.Entered))
		e.save(func(w *writer) { w.putEntry(r) })
	default:
		e.tellTrouble(fx)
	}
}

// tellTrouble logs what should not be, and what came late.
func (e *Engine) tellTrouble(fx *effect) {
	var login string
	if fx.a != nil {
		login = fx.a.login
	}
	switch fx.kind {
	case fxIgnored:
		e.log.Debug("event ignored", "event", fx.what.String(), "state", fx.reason, "agent", login, "call", fx.call)
	case fxSwept:
		e.met.swept()
		e.log.Warn("stale state freed", "what", fx.reason, "agent", login, "call", fx.call)
	case fxIllegal:
		e.met.swept()
		e.log.Error("illegal move refused", "move", fx.reason)
	}
}

func (e *Engine) save(put func(*writer)) {
	if e.out != nil {
		put(e.out)
	}
}

func (e *Engine) agentMoved(fx *effect) {
	e.met.agents(fx.agentFrom, -1)
	e.met.agents(fx.agentTo, 1)
	e.save(func(w *writer) {
		row := AgentLogRow{ID: e.nextLog, Login: fx.a.login, From: fx.agentFrom, To: fx.agentTo, Reason: fx.reason, By: fx.by,
			At: e.wall.Round(0), Call: fx.call, Offer: int64(fx.offer)}
		if fx.queue != nil {
			row.Queue = fx.queue.cfg.Key
		}
		w.putLog(row)
	})
	e.nextLog++
	st := e.agentStat(fx.a)
	st.State, st.Reason, st.By, st.Call = fx.agentTo, fx.reason, fx.by, fx.call
	e.publish(Change{Agent: &AgentChange{AgentStat: st, From: fx.agentFrom}})
	e.save(func(w *writer) { w.putAgent(e.agentRow(fx.a)) })
}

func (e *Engine) agentChanged(a *agent, from AgentState) {
	e.publish(Change{Agent: &AgentChange{AgentStat: e.agentStat(a), From: from}})
	e.save(func(w *writer) { w.putAgent(e.agentRow(a)) })
}

func (e *Engine) agentRow(a *agent) AgentRow {
	r := AgentRow{Login: a.login, State: a.state, Reason: a.reason, By: a.by, Since: e.at(a.since), Next: a.next,
		NextReason: a.nextReason, Back: a.back, BackReason: a.backReason, Connection: a.conn, Missed: a.missed, Call: a.call,
		Seen: e.wall.Round(0)}
	if a.state == ACW && a.acwUntil != noInstant {
		r.Until = e.at(a.acwUntil)
	}
	if a.queue != nil {
		r.Queue = a.queue.cfg.Key
	}
	return r
}

func (e *Engine) entryChanged(fx *effect) {
	c := fx.c
	key := c.q.cfg.Key
	e.met.waiting(key, c.q.len)
	ch := EntryChange{WaitingCall: e.waitingCall(c)}
	ch.State = fx.entry
	if fx.entry == EntryEnded {
		ch.Outcome, ch.Reason, ch.Wait = c.outcome, c.reason, c.wait
		e.met.waited(key, c.outcome, c.wait)
		if p := e.places[c.row]; p != nil && c.reason != "moved" {
			delete(e.places, c.row)
			p.finish()
		}
	}
	e.publish(Change{Entry: &ch})
	e.save(func(w *writer) { w.putEntry(e.entryRow(c, fx.entry)) })
}

func (e *Engine) entryRow(c *caller, st EntryState) EntryRow {
	r := EntryRow{ID: c.row, Call: c.call, Queue: c.q.cfg.Key, Priority: c.prio, Skills: c.skills, Lang: c.lang, Tag: c.tag,
		Later: c.later, Entered: e.at(c.since), Credit: c.credit, State: st, Offers: c.offers}
	if c.prefer != nil {
		r.Prefer = c.prefer.login
	}
	if c.maxUntil != noInstant {
		r.MaxUntil = e.at(c.maxUntil)
	}
	if st == EntryEnded {
		r.Outcome, r.Reason, r.Ended, r.Wait = c.outcome, c.reason, e.at(c.ended), c.wait
		if c.agent != nil {
			r.Agent = c.agent.login
		}
	}
	return r
}

func (e *Engine) offerChanged(fx *effect) {
	o := fx.o
	if fx.offerState == OfferMade {
		e.gone[o.id] = make(chan struct{})
	} else if !fx.offerState.live() {
		if fx.offerState != OfferJoined {
			close(e.gone[o.id])
		}
		delete(e.gone, o.id)
		e.met.offered(o.q, fx.offerState)
	}
	e.save(func(w *writer) {
		r := OfferRow{ID: int64(o.id), Call: o.call, Agent: o.a.login, State: fx.offerState, Made: e.at(o.made),
			Expires: e.at(o.expires), Why: o.why.json()}
		if o.c != nil {
			r.Row, r.Queue = o.c.row, o.q.cfg.Key
		}
		if o.rang != 0 {
			r.RangAt = e.at(o.rang)
		}
		if o.taken != 0 {
			r.TakenAt = e.at(o.taken)
		}
		if !fx.offerState.live() {
			r.Ended, r.Result = e.at(o.ended), o.result
		}
		w.putOffer(r)
	})
}

// why is the stored form of a decision. Times are whole milliseconds.
type why struct {
	Rule   string `json:"rule"`
	Side   string `json:"side"`
	By     string `json:"by,omitempty"`
	Reason string `json:"reason,omitempty"`
	Choice int    `json:"choice,omitempty"`
	Idle   int64  `json:"idle_ms"`
	Level  int32  `json:"level,omitempty"`
	Score  int32  `json:"score,omitempty"`
	Prio   int    `json:"priority"`
	Waited int64  `json:"waited_ms"`
	Credit int64  `json:"credit_ms,omitempty"`
	Ahead  bool   `json:"ahead_of_order,omitempty"`
}

func (d *decision) json() json.RawMessage {
	b, err := json.Marshal(why{Rule: d.rule, Side: d.side, By: d.by, Reason: d.reasons, Choice: d.choice,
		Idle: d.idle.Milliseconds(), Level: d.level, Score: d.score, Prio: d.prio, Waited: d.wait.Milliseconds(),
		Credit: d.credit.Milliseconds(), Ahead: d.ahead})
	if err != nil {
		return json.RawMessage(`{}`) // strings and numbers: cannot be
	}
	return b
}

func (e *Engine) tellPlace(fx *effect) {
	p := e.places[fx.c.row]
	if p == nil {
		return
	}
	ev := Event{Kind: fx.event, Queue: fx.c.q.cfg.Key, Reason: fx.reason, Do: fx.do}
	switch fx.event {
	case Offered, Withdrawn:
		ev.Offer = e.offerOf(fx.o)
	case Position:
		ev.Position, ev.Waiting = fx.pos, fx.count
	}
	p.put(ev)
}

func (e *Engine) offerOf(o *offer) Offer {
	out := Offer{ID: o.id, Call: o.call, Agent: o.a.login, Kind: o.a.cfg.Kind, RingFor: o.ringFor, ExpiresAt: e.at(o.expires),
		Waited: o.waited, Gone: e.gone[o.id]}
	if o.q != nil {
		out.Queue = o.q.cfg.Key
	}
	return out
}

// publish numbers a change and hands it to every subscriber; one that does not keep up is cut off.
func (e *Engine) publish(c Change) {
	e.seq++
	c.Seq, c.At = e.seq, e.wall.Round(0)
	for s := range e.subs {
		select {
		case s.c <- c:
		default:
			s.lagged = true
			e.unsubscribe(s)
		}
	}
}

func (e *Engine) unsubscribe(s *Subscription) {
	if _, ok := e.subs[s]; ok {
		delete(e.subs, s)
		close(s.c)
	}
}
