package queue

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// snapshot draws the whole picture. Called in the owner's goroutine.
func (e *Engine) snapshot() Snapshot {
	e.wall = e.cfg.Now()
	now := e.instant()
	s := Snapshot{Seq: e.seq, At: e.wall.Round(0)}
	for _, key := range slices.Sorted(maps.Keys(e.st.queues)) {
		q := e.st.queues[key]
		s.Queues = append(s.Queues, e.queueStat(q, now))
		for i, c := range e.st.inOrder(q) {
			w := e.waitingCall(c)
			w.Position = i + 1
			s.Waiting = append(s.Waiting, w)
		}
	}
	s.Agents = make([]AgentStat, 0, len(e.st.agents))
	for _, a := range e.st.agents {
		s.Agents = append(s.Agents, e.agentStat(a))
	}
	slices.SortFunc(s.Agents, func(a, b AgentStat) int { return cmp.Compare(a.Login, b.Login) })
	return s
}

// instant is now in the core's time.
func (e *Engine) instant() instant { return max(e.st.now, time.Since(e.base)) }

func (e *Engine) queueStat(q *queueState, now instant) QueueStat {
	if !q.fig.Balanced() {
		e.met.swept()
		e.log.Error("figures of a queue do not add up", "queue", q.cfg.Key)
	}
	st := QueueStat{Key: q.cfg.Key, Name: q.cfg.Name, Waiting: q.len, Today: q.fig, SL: q.fig.SL2(), Abandon: q.fig.AB1(),
		ASA: q.fig.ASA()}
	st.Today.FByReason = maps.Clone(q.fig.FByReason)
	for _, p := range q.pools {
		st.Available += len(p.items)
		st.Talking += p.talking
		st.Staffed += p.staffed
	}
	for c := q.first; c != nil; c = c.next {
		wait := max(0, now-c.since)
		st.Longest = max(st.Longest, wait)
		if wait > q.threshold {
			st.OverSL++
		}
	}
	return st
}

func (e *Engine) agentStat(a *agent) AgentStat {
	st := AgentStat{Login: a.login, Kind: a.cfg.Kind, State: a.state, Reason: a.reason, By: a.by, Since: e.at(a.since),
		Next: a.next, NextReason: a.nextReason, Call: a.call, Online: a.connected() && a.state != Offline || a.conn == Online,
		Missed: a.missed, Queues: a.names}
	if a.queue != nil {
		st.Queue = a.queue.cfg.Key
	}
	switch {
	case a.state == ACW && a.acwUntil != noInstant:
		st.Until = e.at(a.acwUntil)
	case a.state == Available && a.rests:
		st.Until = e.at(a.restTo)
	}
	return st
}

func (e *Engine) waitingCall(c *caller) WaitingCall {
	w := WaitingCall{Call: c.call, Queue: c.q.cfg.Key, Priority: c.prio, Lang: c.lang, Tag: c.tag, Since: e.at(c.since),
		Credit: c.credit, State: c.state, Position: c.told}
	if c.offer != nil {
		w.Agent = c.offer.a.login
	}
	return w
}
