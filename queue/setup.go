package queue

import (
	"maps"
	"slices"
)

func (s *state) stepSetup(ev *event) result {
	switch ev.kind {
	case evSetQueue:
		s.setQueue(*ev.queueCfg)
	case evKeepQueues:
		for _, key := range slices.Sorted(maps.Keys(s.queues)) {
			if !ev.keep[key] {
				s.dropQueue(s.queues[key])
			}
		}
	case evSetAgents:
		for i := range ev.agentCfgs {
			s.setAgentCfg(&ev.agentCfgs[i])
		}
	case evKeepAgents:
		for _, login := range slices.Sorted(maps.Keys(s.agents)) {
			if !ev.keep[login] {
				s.dropAgent(s.agents[login])
			}
		}
	case evDay:
		s.day++
		clear(s.today)
		for _, q := range s.queues {
			q.fig = Figures{}
		}
	}
	return result{}
}

func (s *state) setQueue(cfg Queue) {
	q := s.queues[cfg.Key]
	if q == nil {
		q = &queueState{}
		q.apply(cfg)
		s.queues[cfg.Key] = q
		s.tell(effect{kind: fxQueueNew, queue: q})
		members := s.unlinked[cfg.Key]
		delete(s.unlinked, cfg.Key)
		for _, a := range members {
			s.relink(a)
		}
		s.restoreQueue(q)
		return
	}
	old := q.cfg
	q.apply(cfg)
	if old.Strategy != q.cfg.Strategy {
		s.reorder(q)
	}
	if old.MaxWaitS != q.cfg.MaxWaitS {
		s.rewait(q, old)
	}
	if old.OnNoAgents != q.cfg.OnNoAgents {
		s.unserveQueue(q)
	}
}

// reorder rebuilds the pools for another strategy.
func (s *state) reorder(q *queueState) {
	for _, p := range q.pools {
		for i := range p.items {
			it := &p.items[i]
			it.level = 0
			if q.cfg.Strategy == ByPriority {
				it.level = it.m.level
			}
		}
		for i := len(p.items)/2 - 1; i >= 0; i-- {
			p.down(i)
		}
		if len(p.items) > 0 {
			q.open[p.openAt].best = p.items[0]
		}
	}
}

// rewait gives those who wait the new limit, unless they came with their own.
func (s *state) rewait(q *queueState, old Queue) {
	oldLimit := (&queueState{}).limit(old)
	for c := q.first; c != nil; c = c.next {
		own := c.maxUntil != noInstant && c.maxUntil-c.since != oldLimit
		if own || c.state == EntryParked {
			continue
		}
		c.maxUntil = noInstant
		s.stopCaller(c)
		if q.maxWait > 0 {
			c.maxUntil = c.since + q.maxWait
			s.armCaller(c, tWait, max(0, c.maxUntil-s.now))
		}
	}
}

func (q *queueState) limit(cfg Queue) instant {
	q.apply(cfg)
	return q.maxWait
}

// dropQueue ends the stay of all its callers; its members stay signed on.
func (s *state) dropQueue(q *queueState) {
	q.gone = true
	for q.first != nil {
		s.endCaller(q.first, OutFlowed, "closed", Closed, q.cfg.OnTimeout)
	}
	delete(s.queues, q.cfg.Key)
	s.tell(effect{kind: fxQueueGone, queue: q})
	for _, t := range s.talks {
		if t.q == q {
			s.forgetTalk(t)
		}
	}
	for _, a := range s.agents {
		if a.queue == q {
			a.queue = nil
		}
		if slices.ContainsFunc(a.mems, func(m member) bool { return m.pool.q == q }) {
			s.relink(a)
		}
	}
}

func (s *state) setAgentCfg(cfg *Agent) {
	a := s.agents[cfg.Login]
	if a == nil {
		s.births++
		a = &agent{login: cfg.Login, num: s.births, conn: None, state: Offline, since: s.now, acwUntil: noInstant}
		s.agents[cfg.Login] = a
		s.tell(effect{kind: fxAgentNew, a: a})
		defer s.restoreAgent(a)
	} else if !a.gone && sameAgent(&a.cfg, cfg) {
		return
	}
	a.gone = false
	a.cfg = *cfg // the engine made copies, outside of the owner's goroutine
	if a.cfg.Kind == "" {
		a.cfg.Kind = Browser
	}
	s.relink(a)
	s.judge(a) // another kind of phone may be connected or not
}

func sameAgent(a, b *Agent) bool {
	return (a.Kind == b.Kind || b.Kind == "" && a.Kind == Browser) &&
		slices.Equal(a.Queues, b.Queues) && maps.Equal(a.Skills, b.Skills)
}

// relink rebuilds the agent's places in the pools from its configuration.
func (s *state) relink(a *agent) {
	s.unpool(a)
	s.staff(a, a.state, Offline)
	s.left = s.left[:0]
	for i := range a.mems {
		if q := a.mems[i].pool.q; a.state != Offline && q.cfg.OnNoAgents != PolicyWait {
			s.left = append(s.left, q)
		}
	}
	a.profile = s.profileOf(a.cfg.Skills)
	a.mems = slices.Grow(a.mems[:0], len(a.cfg.Queues))
	a.names = make([]string, 0, len(a.cfg.Queues))
	for _, m := range a.cfg.Queues {
		a.names = append(a.names, m.Queue)
		q := s.queues[m.Queue]
		if q == nil {
			if !slices.Contains(s.unlinked[m.Queue], a) {
				s.unlinked[m.Queue] = append(s.unlinked[m.Queue], a)
			}
			continue
		}
		if !slices.ContainsFunc(a.mems, func(have member) bool { return have.pool.q == q }) {
			a.mems = append(a.mems, member{a: a, pool: q.pool(a.profile), level: int32(m.Level)})
		}
	}
	s.staff(a, Offline, a.state)
	for _, q := range s.left {
		s.unserveQueue(q)
	}
	s.seekCall(a)
}

// dropAgent signs an agent off who is no longer configured; one in a call is kept until it ends.
func (s *state) dropAgent(a *agent) {
	if a.gone {
		return
	}
	a.gone = true
	switch {
	case a.state == Ringing:
		a.next, a.nextReason = Offline, "removed"
		s.failOffer(a.offer, Cancelled)
	case a.state.onCall() || a.state == ACW:
		s.setNext(a, Offline, "removed", "")
	case a.state == Offline:
		s.dismiss(a)
	default:
		s.endRest(a)
		s.setAgent(a, Offline, "removed", "")
	}
}

// dismiss forgets an agent for good.
func (s *state) dismiss(a *agent) {
	s.stopWork(a)
	s.stopGrace(a)
	for _, c := range a.mine {
		c.prefer = nil
	}
	a.mine = nil
	for key, list := range s.unlinked {
		if i := slices.Index(list, a); i >= 0 {
			s.unlinked[key] = slices.Delete(list, i, i+1)
		}
	}
	delete(s.agents, a.login)
	s.tell(effect{kind: fxAgentGone, a: a})
}
