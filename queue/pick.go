package queue

// bestAgent finds the free agent for a caller: the preferred one, else by the queue's strategy. It compares the best of
// each skill profile, so its cost does not grow with the number of agents.
func (s *state) bestAgent(c *caller) (*agent, decision) {
	if a := c.prefer; a != nil && s.now < c.preferTo && a.pooled && a.serves(c) {
		return a, s.why(c, a, "preferred", "call")
	}
	var best poolItem
	bestScore, choice, need := int32(-1), 0, c.line.need
	bySkill := c.q.cfg.Strategy == BySkills
	for i := range c.q.open {
		o := &c.q.open[i]
		score := need.scoreOf(o.profile)
		if score == unable {
			continue
		}
		choice++
		if !bySkill {
			score = 0
		}
		if best.m == nil || score > bestScore || score == bestScore && o.best.before(&best) {
			best, bestScore = o.best, score
		}
	}
	if best.m == nil {
		return nil, decision{}
	}
	why := s.why(c, best.m.a, c.q.rule(), "call")
	why.choice, why.level, why.score = choice, best.m.level, max(0, bestScore)
	return best.m.a, why
}

func (q *queueState) rule() string {
	switch q.cfg.Strategy {
	case BySkills:
		return "skills"
	case ByPriority:
		return "level"
	}
	return "longest_idle"
}

// serves reports whether the agent is a member of the caller's queue with the skills asked for.
func (a *agent) serves(c *caller) bool {
	for i := range a.mems {
		if a.mems[i].pool.q == c.q {
			return c.line.need.scoreOf(a.profile) != unable
		}
	}
	return false
}

// bestCall finds the caller for an agent who became free: the head of the lines the agent can serve, by the one order
// of callers. The agent's own callers (Entry.Prefer) go before others of the same class.
func (s *state) bestCall(a *agent) (*caller, decision) {
	var best *caller
	choice := 0
	for i := range a.mems {
		busy := a.mems[i].pool.q.busy
		for j := range busy {
			b := &busy[j]
			if best != nil && (b.prio < best.prio || b.prio == best.prio && b.eff > best.eff) {
				continue // cannot win, whoever could serve it
			}
			if b.l.need.scoreOf(a.profile) == unable {
				continue
			}
			choice++
			if best == nil || b.first.before(best) {
				best = b.first
			}
		}
	}
	if best == nil {
		return nil, decision{}
	}
	rule, ahead := "order", false
	if own := s.ownCall(a); own != nil && own.prio >= best.prio {
		ahead = own != best
		best, rule = own, "preferred"
	}
	why := s.why(best, a, rule, "agent")
	why.choice, why.ahead = choice, ahead
	return best, why
}

// ownCall is the best of the callers in line who prefer this agent and whom the agent can serve.
func (s *state) ownCall(a *agent) *caller {
	var own *caller
	for _, c := range a.mine {
		if c.pos >= 0 && s.now < c.preferTo && a.serves(c) && (own == nil || c.before(own)) {
			own = c
		}
	}
	return own
}

func (s *state) why(c *caller, a *agent, rule, side string) decision {
	return decision{rule: rule, side: side, idle: s.now - a.idle, prio: c.prio, wait: s.now - c.since, credit: c.credit}
}

// seekCall gives a free agent the best caller, or puts the agent into the pools.
func (s *state) seekCall(a *agent) {
	if a.state != Available || a.rests || a.pooled || !a.connected() {
		return
	}
	if c, why := s.bestCall(a); c != nil {
		c.line.remove(c)
		s.makeOffer(c, a, why)
		return
	}
	a.pooled = true
	s.free++
	for i := range a.mems {
		m := &a.mems[i]
		it := poolItem{idle: a.idle, m: m}
		if m.pool.q.cfg.Strategy == ByPriority {
			it.level = m.level
		}
		m.pool.push(it)
	}
}

// unpool takes an agent out of all pools.
func (s *state) unpool(a *agent) {
	if !a.pooled {
		return
	}
	a.pooled = false
	s.free--
	for i := range a.mems {
		m := &a.mems[i]
		m.pool.remove(m.pos)
	}
}
