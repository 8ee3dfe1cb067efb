package ivr

import "go.yaml.in/yaml/v3"

func (r *flowReader) queue(e entry) step {
	m := r.fields(e.v, "queue", "name", "priority", "skills", "max_wait", "moh", "whisper", "timeout", "full", "no_agents",
		"announce", "after_call", "offer")
	s := &queueStep{at: r.pos(e.k), timeout: r.need(m, e, "timeout"), full: r.need(m, e, "full"), noAgents: r.need(m, e, "no_agents"),
		afterCall: r.maybe(m, "after_call"), whisper: r.maybeSay(m, "whisper")}
	if x, ok := m["name"]; ok {
		s.name, _ = r.id(x.v, "name")
		s.nameAt = r.pos(x.v)
	} else {
		r.err(e.k, "L003", "add name: id", "queue has no name")
	}
	if x, ok := m["priority"]; ok {
		s.priority = r.expr(x.v, "priority", typeInt)
	}
	for _, n := range r.list(m["skills"].v, "skills") {
		if id, ok := r.id(n, "skill"); ok {
			s.skills = append(s.skills, varRef{id, r.pos(n)})
		}
	}
	if x, ok := m["max_wait"]; ok {
		s.maxWait, _ = r.positive(x.v, "max_wait")
	}
	if x, ok := m["moh"]; ok {
		s.moh, _ = r.id(x.v, "moh")
		s.mohAt = r.pos(x.v)
	}
	if x, ok := m["announce"]; ok {
		r.announce(s, x)
	}
	for _, n := range r.list(m["offer"].v, "offer") {
		r.offer(s, n)
	}
	return s
}

func (r *flowReader) announce(s *queueStep, e entry) {
	m := r.fields(e.v, "announce", "first", "every", "position", "wait")
	s.announceAt = r.pos(e.k)
	s.announce.First = r.needDuration(m, e, "first")
	s.announce.Every = r.needDuration(m, e, "every")
	if x, ok := m["position"]; ok {
		p := r.fields(x.v, "position", "max")
		s.announce.PositionMax = 10
		if y, ok := p["max"]; ok {
			s.announce.PositionMax, _ = r.number(y.v, "max", 1, 100)
		}
	}
	if x, ok := m["wait"]; ok {
		w := r.fields(x.v, "wait", "round", "max")
		s.announce.WaitRound = r.needDuration(w, x, "round")
		s.announce.WaitMax = r.needDuration(w, x, "max")
	}
}

func (r *flowReader) offer(s *queueStep, n *yaml.Node) {
	m := r.fields(n, "offer", "key", "after", "when", "prompt", "goto", "max")
	e := entry{"offer", n, n}
	o := offerDecl{prompt: r.needSay(m, e, "prompt"), to: r.need(m, e, "goto"), after: r.needDuration(m, e, "after")}
	if x, ok := m["key"]; ok {
		o.key, _ = r.key(x.v, "key")
	} else {
		r.err(n, "L018", `add key: "1"`, "the offer has no key")
	}
	for _, other := range s.offers {
		if o.key != "" && other.key == o.key {
			r.err(n, "L018", "use another key", "two offers on the key %q", o.key)
		}
	}
	if x, ok := m["when"]; ok {
		o.when = r.expr(x.v, "when", typeBool)
	}
	if x, ok := m["max"]; ok {
		o.max, _ = r.number(x.v, "max", 1, 100)
	}
	s.offers = append(s.offers, o)
}
