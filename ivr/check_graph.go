package ivr

import (
	"slices"
)

// edge is a wired exit between two nodes of one flow.
type edge struct {
	from, to string
	exit     exit
}

// edges lists the exits of a node that lead to another node. @back may lead to any node that waits; it never makes a
// node reachable for the first time, so it is left out.
func (c *checker) edges(n *node) []edge {
	if n.step == nil {
		return nil
	}
	var out []edge
	for _, x := range n.step.exits() {
		to := x.to.name
		if to == "@repeat" {
			to = n.id
		}
		if c.flow.nodes[to] != nil {
			out = append(out, edge{n.id, to, x})
		}
	}
	if _, ok := n.step.(*menuStep); ok {
		for _, k := range c.flow.keys {
			if c.flow.nodes[k.to.name] != nil {
				out = append(out, edge{n.id, k.to.name, exit{"global " + k.key, k.to, true}})
			}
		}
	}
	return out
}

// reach walks from the starts along the edges that follow allows.
func (c *checker) reach(starts []string, follow func(edge) bool) map[string]bool {
	seen := map[string]bool{}
	var walk func(id string)
	walk = func(id string) {
		n := c.flow.nodes[id]
		if n == nil || seen[id] {
			return
		}
		seen[id] = true
		for _, e := range c.edges(n) {
			if follow == nil || follow(e) {
				walk(e.to)
			}
		}
	}
	for _, s := range starts {
		walk(s)
	}
	return seen
}

// graph checks what only the whole flow shows.
func (c *checker) graph() {
	f := c.flow
	if f.nodes[f.entry] == nil {
		return
	}
	starts := []string{f.entry}
	if f.onError != "" {
		starts = append(starts, f.onError)
	}
	live := c.reach(starts, nil)
	for _, id := range f.order {
		c.node = f.nodes[id]
		if !live[id] {
			c.err(c.node.at, "L050", "wire it, or remove it", "the node %q cannot be reached", id)
			continue
		}
		c.wayOut(id)
	}
	c.node = nil
	c.silentLoops(live)
	c.afterCall()
	c.depth()
	c.verifiedOnly()
}

// wayOut: from every node the caller must be able to get somewhere.
func (c *checker) wayOut(id string) {
	n := c.flow.nodes[id]
	ends, person := false, false
	for to := range c.reach([]string{id}, nil) {
		s := c.flow.nodes[to].step
		switch s.(type) {
		case *endStep, *returnStep:
			ends = true
		case *queueStep, *transferStep, *voicemailStep:
			ends, person = true, true
		case *callStep:
			person = true
		}
		if s != nil {
			for _, x := range s.exits() {
				// A target that does not exist has its own finding; this one would only follow from it.
				ends = ends || x.to.name == "@end" || !x.to.builtin() && c.flow.nodes[x.to.name] == nil
			}
		}
	}
	if n.step != nil && !ends {
		c.err(n.at, "L051", "lead to end:, queue: or transfer:", "from the node %q no path leads to an end, a queue or a transfer", id)
	}
	if _, ok := n.step.(*menuStep); ok && !person && !c.flow.sub {
		c.warn(n.at, "L025", "wire a key to a queue", "no way from the menu %q leads to a person", id)
	}
}

// silentLoops finds cycles that the caller could go round without ever being asked or having to wait.
func (c *checker) silentLoops(live map[string]bool) {
	state := map[string]int{}
	var stack []string
	var walk func(id string)
	walk = func(id string) {
		state[id] = 1
		stack = append(stack, id)
		for _, e := range c.edges(c.flow.nodes[id]) {
			if e.exit.asks {
				continue
			}
			switch state[e.to] {
			case 0:
				walk(e.to)
			case 1:
				i := slices.Index(stack, e.to)
				c.node = c.flow.nodes[e.to]
				c.err(e.exit.to.at, "L052", "ask the caller in between", "a loop that never asks the caller: %s", joinLoop(stack[i:]))
				c.node = nil
			}
		}
		stack = stack[:len(stack)-1]
		state[id] = 2
	}
	for _, id := range c.flow.order {
		if live[id] && state[id] == 0 {
			walk(id)
		}
	}
}

func joinLoop(ids []string) string {
	s := ""
	for _, id := range ids {
		s += id + " -> "
	}
	return s + ids[0]
}

// afterCall: what is reached only after a talk may not put the caller into another one.
func (c *checker) afterCall() {
	f := c.flow
	normal := c.reach([]string{f.entry, f.onError}, func(e edge) bool { return e.exit.name != ExitAfterCall })
	var starts []string
	for _, id := range f.order {
		if f.nodes[id].step == nil {
			continue
		}
		for _, x := range f.nodes[id].step.exits() {
			if x.name == ExitAfterCall {
				starts = append(starts, x.to.name)
			}
		}
	}
	after := c.reach(starts, nil)
	for _, id := range f.order {
		if !after[id] || normal[id] {
			continue
		}
		c.node = f.nodes[id]
		switch s := c.node.step.(type) {
		case *queueStep, *voicemailStep, *transferStep:
			c.err(c.node.at, "L019", "end the call instead", "%s is not allowed after a talk", s.kind())
		}
	}
	c.node = nil
}

// depth reports nodes that lie behind more than three questions.
func (c *checker) depth() {
	f := c.flow
	dist := map[string]int{f.entry: 0}
	queue := []string{f.entry}
	for len(queue) > 0 { // 0-1 breadth-first search: edges out of a question cost one
		id := queue[0]
		queue = queue[1:]
		n := f.nodes[id]
		cost := 0
		switch n.step.(type) {
		case *menuStep, *inputStep:
			cost = 1
		}
		for _, e := range c.edges(n) {
			d, ok := dist[e.to]
			if ok && d <= dist[id]+cost {
				continue
			}
			dist[e.to] = dist[id] + cost
			if cost == 0 {
				queue = append([]string{e.to}, queue...)
			} else {
				queue = append(queue, e.to)
			}
		}
	}
	for _, id := range f.order {
		if dist[id] > 3 {
			c.node = f.nodes[id]
			c.add(SevInfo, c.node.at, "L031", "shorten the way", "%d menus or inputs before the node %q", dist[id], id)
		}
	}
	c.node = nil
}

// verifiedOnly: a customer's data may be spoken only behind a switch that makes sure of `verified` (L046).
func (c *checker) verifiedOnly() {
	f := c.flow
	open := c.reach([]string{f.entry, f.onError}, func(e edge) bool {
		s, ok := f.nodes[e.from].step.(*switchStep)
		if !ok {
			return true
		}
		for i, k := range s.cases {
			if e.exit.name == caseName(i) && k.when.requiresVerified() {
				return false
			}
		}
		return true
	})
	for _, id := range f.order {
		if !open[id] {
			continue
		}
		c.node = f.nodes[id]
		for _, list := range says(c.node) {
			for _, it := range list {
				if it.val != nil && slices.Contains(it.val.reads, "customer") && !it.when.requiresVerified() {
					c.err(it.at, "L046", "put it behind a switch on call.trust == 'verified'", "customer data is spoken to a caller who is not verified")
				}
			}
		}
	}
	c.node = nil
}

// says lists everything a node says.
func says(n *node) []sayList {
	var out []sayList
	for _, a := range n.actions {
		if a.kind == "say" {
			out = append(out, a.say)
		}
	}
	switch s := n.step.(type) {
	case *menuStep:
		out = append(out, s.prompt, s.short, s.invalid, s.noinput)
	case *inputStep:
		out = append(out, s.prompt, s.invalid, s.noinput)
		if s.confirm != nil {
			out = append(out, s.confirm.prompt)
		}
	case *languageStep:
		out = append(out, s.prompt)
	case *queueStep:
		out = append(out, s.whisper)
		for _, o := range s.offers {
			out = append(out, o.prompt)
		}
	case *voicemailStep:
		out = append(out, s.prompt)
	}
	return out
}

// variables checks which are read and written, and whether one may be read before it has a value.
func (c *checker) variables() {
	f := c.flow
	readAt := map[string][]string{} // variable -> nodes reading it
	for _, e := range f.exprs {
		for _, n := range e.reads {
			if v := f.vars[n]; v != nil {
				v.read = true
				readAt[n] = append(readAt[n], e.node)
			}
		}
	}
	for _, name := range sortedKeys(f.vars) {
		v := f.vars[name]
		if !v.read {
			c.add(SevInfo, v.at, "L042", "remove it", "the variable %q is never read", name)
			continue
		}
		if v.hasDef || v.param || f.nodes[f.entry] == nil {
			continue
		}
		unset := c.reach([]string{f.entry, f.onError}, func(e edge) bool { return !sets(f.nodes[e.from], name) })
		for _, id := range readAt[name] {
			n := f.nodes[id]
			if n != nil && unset[id] && !sets(n, name) {
				c.node = n
				c.warn(v.at, "L043", "give it a default", "the variable %q may be read in %q before it is set", name, id)
				c.node = nil
				break
			}
		}
	}
}

// sets reports whether a node gives the variable a value.
func sets(n *node, name string) bool {
	for _, a := range n.actions {
		if a.kind == "set" {
			for _, b := range a.binds {
				if b.name == name {
					return true
				}
			}
		}
	}
	s, ok := n.step.(*inputStep)
	return ok && s.into == name
}
