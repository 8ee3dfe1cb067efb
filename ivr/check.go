package ivr

import (
	"fmt"
	"slices"
	"strings"

	"hotline/ivr/say"
)

// bundle is everything a set is made of, before and after the check.
type bundle struct {
	flows    map[string]*flow
	prompts  map[string]*prompt
	cals     map[string]*calendar
	lists    map[string]*numberList
	nouns    say.Nouns
	routes   []Route
	routesAt []pos
	sayers   map[string]*say.Sayer
}

// checker finds what is wrong with a bundle. Codes are those of ivr.md section 9.
type checker struct {
	*bundle
	opt   Options
	music func(id string) bool // whether music of that name exists; nil: not checked
	probs *[]Problem
	flow  *flow
	node  *node
}

func (c *checker) add(sev Severity, at pos, code, fix, format string, args ...any) {
	p := Problem{File: at.file, Line: at.line, Col: at.col, Code: code, Severity: sev, Msg: fmt.Sprintf(format, args...), Fix: fix}
	if c.flow != nil {
		p.Flow = c.flow.id
	}
	if c.node != nil {
		p.Node = c.node.id
	}
	*c.probs = append(*c.probs, p)
}

func (c *checker) err(at pos, code, fix, format string, args ...any) {
	c.add(SevError, at, code, fix, format, args...)
}

func (c *checker) warn(at pos, code, fix, format string, args ...any) {
	c.add(SevWarning, at, code, fix, format, args...)
}

// run checks the whole bundle.
func (c *checker) run() {
	c.routesCheck()
	c.subflows()
	for _, id := range sortedKeys(c.flows) {
		c.flow = c.flows[id]
		c.checkFlow()
		c.flow, c.node = nil, nil
	}
	for _, id := range sortedKeys(c.prompts) {
		p := c.prompts[id]
		if !p.used {
			c.add(SevInfo, p.at, "L022", "remove it, or use it", "the prompt %q is never used", id)
		}
		for _, l := range sortedKeys(p.text) {
			if n := len([]rune(p.text[l])); n > 220 {
				c.warn(p.at, "L023", "shorten or split it", "the prompt %q takes about %d s in %s (%d characters)", id, n/15, l, n)
			}
		}
	}
}

func (c *checker) routesCheck() {
	for i, r := range c.routes {
		at := c.routesAt[i]
		if r.Flow != "" {
			switch f := c.flows[r.Flow]; {
			case f == nil:
				c.err(at, "L030", suggest(r.Flow, sortedKeys(c.flows)), "the route of %s names the flow %q, which does not exist", r.Number, r.Flow)
			case f.sub:
				c.err(at, "L019", "route to an inbound flow", "the route of %s names the sub-flow %q", r.Number, r.Flow)
			case r.Lang != "" && !slices.Contains(f.languages, r.Lang):
				c.err(at, "L021", "", "the route of %s wants the language %q, which the flow %q does not speak", r.Number, r.Lang, r.Flow)
			}
		}
		c.queueExists(r.Queue, at)
		c.queueExists(r.FallbackQueue, at)
		if r.Flow != "" && r.FallbackQueue == "" {
			c.warn(at, "L030", "add fallback_queue: id", "the route of %s has no fallback_queue: when the flow fails, the caller is hung up on", r.Number)
		}
	}
}

func (c *checker) queueExists(name string, at pos) {
	if name == "" || c.opt.Queues == nil || c.opt.Queues[name] {
		return
	}
	c.err(at, "L030", suggest(name, sortedKeys(c.opt.Queues)), "the queue %q does not exist", name)
}

func suggest(name string, all []string) string {
	if near := nearest(name, all); near != "" {
		return fmt.Sprintf("did you mean %q?", near)
	}
	if len(all) > 0 && len(all) <= 8 {
		return "there are: " + strings.Join(all, ", ")
	}
	return ""
}

// subflows gives sub-flows the languages of their callers and finds recursion.
func (c *checker) subflows() {
	state := map[string]int{} // 1 on the way, 2 done
	var visit func(f *flow, langs []string, depth int)
	visit = func(f *flow, langs []string, depth int) {
		if f.sub {
			for _, l := range langs {
				if !slices.Contains(f.languages, l) {
					f.languages = append(f.languages, l)
				}
			}
		}
		if state[f.id] == 1 || depth > 50 {
			return
		}
		state[f.id] = 1
		for _, id := range f.order {
			if s, ok := f.nodes[id].step.(*callStep); ok {
				if to := c.flows[s.flow]; to != nil && to.sub {
					if state[to.id] == 1 {
						c.flow, c.node = f, f.nodes[id]
						c.err(s.flowAt, "L054", "", "the sub-flow %q calls itself, perhaps through others", to.id)
						c.flow, c.node = nil, nil
						continue
					}
					visit(to, langs, depth+1)
				}
			}
		}
		state[f.id] = 2
	}
	for _, id := range sortedKeys(c.flows) {
		if f := c.flows[id]; !f.sub {
			visit(f, f.languages, 0)
			clear(state)
		}
	}
	for _, id := range sortedKeys(c.flows) { // sub-flows nobody calls may still recurse
		if f := c.flows[id]; f.sub && len(f.languages) == 0 {
			visit(f, nil, 0)
			clear(state)
		}
	}
}

func (c *checker) checkFlow() {
	f := c.flow
	c.compileAll()
	if f.entry != "" && f.nodes[f.entry] == nil {
		c.err(f.entryAt, "L010", suggest(f.entry, f.order), "the entry node %q does not exist", f.entry)
	}
	if f.onError != "" {
		c.resolve(target{f.onError, f.onErrorAt})
	}
	for _, k := range f.keys {
		c.resolve(k.to)
	}
	for _, a := range f.onHangup {
		c.checkAction(a)
	}
	for _, l := range f.languages {
		if f.sub {
			break
		}
		if _, ok := c.sayers[l]; !ok {
			c.add(SevInfo, f.at, "L021", "", "the language %q has no spoken numbers; values cannot be said in it", l)
		}
	}
	for _, id := range f.order {
		c.node = f.nodes[id]
		for _, a := range c.node.actions {
			c.checkAction(a)
		}
		if c.node.step != nil {
			c.checkStep(c.node.step)
			for _, x := range c.node.step.exits() {
				c.resolve(x.to)
			}
		}
		c.node = nil
	}
	c.graph()
	c.variables()
}

// resolve checks that a target exists.
func (c *checker) resolve(t target) {
	if t.name == "" || t.builtin() || c.flow.nodes[t.name] != nil {
		return
	}
	c.err(t.at, "L013", suggest(t.name, c.flow.order), "the node %q does not exist", t.name)
}

// compileAll compiles every expression of the flow. The type of a `set` comes from its variable.
func (c *checker) compileAll() {
	f := c.flow
	f.plainEnv, f.valueEnv = newExprEnv(f, false), newExprEnv(f, true)
	setWants(f, f.onHangup)
	for _, id := range f.order {
		setWants(f, f.nodes[id].actions)
		if s, ok := f.nodes[id].step.(*callStep); ok {
			if sub := c.flows[s.flow]; sub != nil {
				setTypes(sub, s.with)
			}
		}
	}
	for _, e := range f.exprs {
		c.node = f.nodes[e.node]
		if msg, at := e.compile(f); msg != "" {
			c.err(at, "L040", "", "%s: %s", e.what, msg)
			continue
		}
		for _, lc := range e.calls {
			c.literal(e, lc)
		}
	}
	c.node = nil
}

func setWants(f *flow, as []*action) {
	for _, a := range as {
		if a.kind == "set" {
			setTypes(f, a.binds)
		}
	}
}

func setTypes(f *flow, bs []binding) {
	for _, b := range bs {
		if v := f.vars[b.name]; v != nil && b.val != nil {
			b.val.want = v.typ
		}
	}
}

func (c *checker) literal(e *expression, lc literalCall) {
	if !lc.literal {
		c.err(e.at, "L040", lc.fn+"('name')", "%s: the first argument of %s must be written out, so that it can be checked", e.what, lc.fn)
		return
	}
	switch lc.fn {
	case "queue":
		c.queueExists(lc.arg, e.at)
	case "open":
		if c.cals[lc.arg] == nil {
			c.err(e.at, "L030", suggest(lc.arg, sortedKeys(c.cals)), "the calendar %q does not exist", lc.arg)
		}
	case "in_list":
		if c.lists[lc.arg] == nil {
			c.err(e.at, "L030", suggest(lc.arg, sortedKeys(c.lists)), "the list %q does not exist", lc.arg)
		}
	}
}

func (c *checker) checkAction(a *action) {
	c.checkSay(a.say)
	switch a.kind {
	case "set":
		for _, b := range a.binds {
			v := c.flow.vars[b.name]
			if v == nil {
				c.err(b.at, "L041", suggest(b.name, sortedKeys(c.flow.vars)), "the variable %q is not declared", b.name)
				continue
			}
			v.written = true
			if !v.secret && c.readsSecret(b.val) != "" {
				c.err(b.at, "L044", "declare it with secret: true", "the secret %q would be copied into %q, which is not secret", c.readsSecret(b.val), b.name)
			}
		}
	case "attach":
		for _, b := range a.binds {
			if s := c.readsSecret(b.val); s != "" {
				c.err(b.at, "L044", "remove it", "the secret variable %q would be attached", s)
			}
		}
	case "moh":
		c.musicExists(a.text, a.at)
	case "lang":
		if a.expr != nil && a.expr.prog != nil {
			if len(a.expr.prog.Constants) == 1 {
				if s, ok := a.expr.prog.Constants[0].(string); ok && len(a.expr.reads) == 0 && !slices.Contains(c.flow.languages, s) && !c.flow.sub {
					c.err(a.at, "L021", "", "the flow does not speak %q", s)
				}
			}
		}
	case "wait":
		if a.wait.Seconds() > 15 {
			c.warn(a.at, "L053", "at most 3s", "%v without a sound", a.wait)
		}
	}
}

func (c *checker) musicExists(id string, at pos) {
	if id != "" && id != defaultMusic && c.music != nil && !c.music(id) {
		c.warn(at, "L033", "add music/"+id+".wav", "there is no music %q; the default is played", id)
	}
}

func (c *checker) readsSecret(e *expression) string {
	if e == nil {
		return ""
	}
	for _, n := range e.reads {
		if v := c.flow.vars[n]; v != nil && v.secret {
			return n
		}
	}
	return ""
}

var russianGenitive = []string{"до", "около", "более", "менее", "от", "с", "после", "в течение"}

// checkSay checks one say and marks its prompts as used.
func (c *checker) checkSay(list sayList) {
	for i, it := range list {
		switch it.kind {
		case "prompt":
			c.promptExists(it)
		case "text":
			for _, l := range c.flow.languages {
				if it.text[l] == "" {
					c.err(it.at, "L021", "add "+l+":", "the text has no %s", l)
				}
			}
		case "pause":
		default:
			c.checkValue(list, i)
		}
		if it.when != nil && it.when.konst != nil {
			c.warn(it.when.at, "L045", "", "when is always %v", *it.when.konst)
		}
	}
}

func (c *checker) promptExists(it *sayItem) {
	p := c.prompts[it.prompt]
	if p == nil {
		if it.prompt != "" {
			c.err(it.at, "L020", suggest(it.prompt, sortedKeys(c.prompts)), "the prompt %q is not in the catalogue", it.prompt)
		}
		return
	}
	p.used = true
	for _, l := range c.flow.languages {
		if _, _, ok := p.textIn(l); !ok {
			c.err(it.at, "L021", "add it to prompts.yaml", "the prompt %q has no text in %s", it.prompt, l)
		}
	}
}

func (c *checker) checkValue(list sayList, i int) {
	it := list[i]
	if s := c.readsSecret(it.val); s != "" {
		c.err(it.at, "L044", "remove it", "the secret variable %q would be spoken", s)
	}
	for _, l := range c.flow.languages {
		s := c.sayers[l]
		if s == nil {
			c.err(it.at, "L021", "languages with spoken values: "+strings.Join(say.Languages(), " "), "a %s cannot be said in %s", it.kind, l)
			continue
		}
		if it.noun != "" && !s.HasNoun(it.noun) {
			c.err(it.at, "L030", "add it to say/nouns.yaml", "the noun %q is unknown in %s", it.noun, l)
		}
	}
	if i == 0 || it.gcase == say.Gen || (it.kind != "number" && it.kind != "duration" && it.kind != "date" && it.kind != "ordinal") {
		return
	}
	before := list[i-1].text["ru"]
	if p := c.prompts[list[i-1].prompt]; p != nil {
		before = p.text["ru"]
	}
	before = strings.ToLower(strings.TrimRight(strings.TrimSpace(before), ".,:;!?—- "))
	for _, w := range russianGenitive {
		if before == w || strings.HasSuffix(before, " "+w) {
			c.warn(it.at, "L060", "add case: gen, or reword the prompt", "the Russian text before ends in %q, which wants the genitive", w)
		}
	}
}
