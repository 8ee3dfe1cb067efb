package ivr

import (
	"fmt"
	"regexp"
	"slices"
	"time"

	"go.yaml.in/yaml/v3"
)

// stepKinds are the steps this version runs.
var stepKinds = []string{"next", "switch", "menu", "input", "language", "hours", "queue", "transfer", "voicemail", "call", "return", "end"}

// absentSteps are steps of grammar 1 that this version refuses, with what to do instead.
var absentSteps = map[string]string{
	"consent":  "say the notice in do:, and use record: start",
	"split":    "send everybody one way with next:",
	"lookup":   "the caller's own fields (customer.id, customer.vip) are known without it",
	"http":     "remove it",
	"auth":     "let an agent verify the caller",
	"deflect":  "offer voicemail or a queue",
	"callback": "offer voicemail: a message becomes a ticket with the number",
	"survey":   "remove it; end the call instead",
}

func isStep(s string) bool { return slices.Contains(stepKinds, s) }

func (r *flowReader) step(e, els entry) step {
	switch e.key {
	case "next":
		return &nextStep{r.target(e.v, "next")}
	case "switch":
		return r.switchStep(e, els)
	case "menu":
		return r.menu(e)
	case "input":
		return r.input(e)
	case "language":
		return r.languageStep(e)
	case "hours":
		return r.hours(e)
	case "queue":
		return r.queue(e)
	case "transfer":
		return r.transfer(e)
	case "voicemail":
		return r.voicemail(e)
	case "call":
		return r.call(e)
	case "return":
		s := &returnStep{at: r.pos(e.v)}
		s.name, _ = r.id(e.v, "return")
		return s
	}
	s, _ := r.text(e.v, "end")
	ends := []string{EndCompleted, EndSelfService, EndDeflected, EndCallback, EndVoicemail, EndOverload, EndRejected, EndError}
	if s != "" && !slices.Contains(ends, s) {
		r.unknown(e.v, "L003", "ending", s, "end", ends)
	}
	return &endStep{how: s}
}

// need reads a required target of a step.
func (r *flowReader) need(m map[string]entry, e entry, name string) target {
	x, ok := m[name]
	if !ok {
		r.err(e.k, "L011", "add "+name+": node", "the exit %q of %s is not wired", name, e.key)
		return target{at: r.pos(e.k)}
	}
	return r.target(x.v, name)
}

func (r *flowReader) maybe(m map[string]entry, name string) target {
	if x, ok := m[name]; ok {
		return r.target(x.v, name)
	}
	return target{}
}

func (r *flowReader) needSay(m map[string]entry, e entry, name string) sayList {
	x, ok := m[name]
	if !ok {
		r.err(e.k, "L003", "add "+name+": prompt", "%s has no %s", e.key, name)
		return nil
	}
	return r.say(x.v, name)
}

func (r *flowReader) maybeSay(m map[string]entry, name string) sayList {
	if x, ok := m[name]; ok {
		return r.say(x.v, name)
	}
	return nil
}

func (r *flowReader) needDuration(m map[string]entry, e entry, name string) time.Duration {
	x, ok := m[name]
	if !ok {
		r.err(e.k, "L003", "add "+name+": 30s", "%s has no %s", e.key, name)
		return 0
	}
	d, _ := r.positive(x.v, name)
	return d
}

func caseName(i int) string  { return fmt.Sprintf("case %d", i+1) }
func offerName(i int) string { return fmt.Sprintf("offer %d", i+1) }

func (r *flowReader) switchStep(e, els entry) step {
	s := &switchStep{}
	for _, n := range r.list(e.v, "switch") {
		m := r.fields(n, "a case of switch", "when", "goto")
		c := switchCase{at: r.pos(n)}
		if w, ok := m["when"]; ok {
			c.when = r.expr(w.v, "when", typeBool)
		} else {
			r.err(n, "L003", "add when:", "a case of switch has no when")
		}
		if g, ok := m["goto"]; ok {
			c.to = r.target(g.v, "goto")
		} else {
			r.err(n, "L011", "add goto: node", "a case of switch has no goto")
		}
		s.cases = append(s.cases, c)
	}
	if len(s.cases) == 0 && e.v.Kind == yaml.SequenceNode {
		r.err(e.v, "L003", "use next:", "switch has no cases")
	}
	if els.v == nil {
		r.err(e.k, "L016", "add else: node beside switch", "switch has no else")
	} else {
		s.els = r.target(els.v, "else")
	}
	return s
}

func (r *flowReader) menu(e entry) step {
	m := r.fields(e.v, "menu", "prompt", "short", "keys", "exhausted", "invalid", "noinput", "timeout", "retries", "barge_in")
	s := &menuStep{prompt: r.needSay(m, e, "prompt"), short: r.maybeSay(m, "short"), invalid: r.maybeSay(m, "invalid"),
		noinput: r.maybeSay(m, "noinput"), exhausted: r.need(m, e, "exhausted"), set: r.defaults(m)}
	s.keys = r.keyTargets(m["keys"].v, "menu")
	if len(s.keys) == 0 {
		r.err(e.k, "L018", `add keys: {"1": node}`, "the menu has no keys")
	}
	return s
}

// pattern is a compiled input pattern; it must match the whole value.
type pattern struct {
	src string
	re  *regexp.Regexp
}

// maxDigits bounds what an input collects.
const maxDigits = 32

func (r *flowReader) input(e entry) step {
	m := r.fields(e.v, "input", "prompt", "into", "digits", "pattern", "ok", "exhausted", "terminator", "check", "secret", "confirm",
		"invalid", "noinput", "timeout", "inter_digit", "retries", "barge_in", "type_ahead")
	s := &inputStep{at: r.pos(e.k), prompt: r.needSay(m, e, "prompt"), invalid: r.maybeSay(m, "invalid"), noinput: r.maybeSay(m, "noinput"),
		ok: r.need(m, e, "ok"), exhausted: r.need(m, e, "exhausted"), set: r.defaults(m), min: 1, max: 1}
	if x, ok := m["into"]; ok {
		s.into, _ = r.id(x.v, "into")
		s.intoAt = r.pos(x.v)
	} else {
		r.err(e.k, "L003", "add into: variable", "input has no into")
	}
	d, hasDigits := m["digits"]
	p, hasPattern := m["pattern"]
	switch {
	case hasDigits && hasPattern:
		r.err(p.k, "L003", "keep one", "input has both digits and pattern")
	case hasDigits:
		r.digits(s, d)
	case hasPattern:
		s.max = maxDigits
		if src, ok := r.text(p.v, "pattern"); ok {
			re, err := regexp.Compile("^(?:" + src + ")$")
			if err != nil {
				r.err(p.v, "L003", "", "pattern %q is not a regular expression: %v", src, err)
			} else {
				s.pattern = &pattern{src, re}
			}
		}
	}
	if x, ok := m["terminator"]; ok {
		s.terminator, _ = r.key(x.v, "terminator")
	} else if s.max != s.min {
		s.terminator = "#" // section 4: the default for open length
	}
	if x, ok := m["check"]; ok {
		s.check = r.expr(x.v, "check", typeBool)
		if s.check != nil {
			s.check.value = true
		}
	}
	if x, ok := m["secret"]; ok {
		s.secret, _ = r.boolean(x.v, "secret")
	}
	if x, ok := m["confirm"]; ok {
		s.confirm = r.confirm(x)
	}
	return s
}

func (r *flowReader) digits(s *inputStep, e entry) {
	m := r.fields(e.v, "digits", "min", "max")
	if x, ok := m["min"]; ok {
		if v, ok := r.number(x.v, "min", 1, maxDigits); ok {
			s.min, s.max = v, v
		}
	}
	if x, ok := m["max"]; ok {
		if v, ok := r.number(x.v, "max", 1, maxDigits); ok {
			s.max = v
		}
	}
	if s.max < s.min {
		r.err(e.v, "L003", "", "digits: max %d is less than min %d", s.max, s.min)
		s.max = s.min
	}
}

func (r *flowReader) confirm(e entry) *confirm {
	m := r.fields(e.v, "confirm", "prompt", "accept", "redo")
	c := &confirm{prompt: r.needSay(m, e, "prompt")}
	for name, to := range map[string]*string{"accept": &c.accept, "redo": &c.redo} {
		if x, ok := m[name]; ok {
			*to, _ = r.key(x.v, name)
		} else {
			r.err(e.k, "L018", "add "+name+`: "1"`, "confirm has no %s key", name)
		}
	}
	if c.accept != "" && c.accept == c.redo {
		r.err(e.v, "L018", "use two keys", "accept and redo are the same key %q", c.accept)
	}
	return c
}

func (r *flowReader) languageStep(e entry) step {
	m := r.fields(e.v, "language", "prompt", "keys", "default", "remember", "next")
	s := &languageStep{prompt: r.needSay(m, e, "prompt"), next: r.need(m, e, "next")}
	for _, x := range r.entries(m["keys"].v, "language keys") {
		k, ok1 := r.key(x.k, "a key of language")
		l, ok2 := r.language(x.v, "language")
		if ok1 && ok2 {
			s.keys = append(s.keys, keyTarget{k, target{l, r.pos(x.v)}, r.pos(x.k)})
		}
	}
	if len(s.keys) == 0 {
		r.err(e.k, "L018", `add keys: {"1": ru}`, "language has no keys")
	}
	if x, ok := m["default"]; ok {
		s.def, _ = r.language(x.v, "default")
	} else {
		r.err(e.k, "L003", "add default: ru", "language has no default")
	}
	if x, ok := m["remember"]; ok {
		s.remember, _ = r.boolean(x.v, "remember")
	}
	return s
}

func (r *flowReader) hours(e entry) step {
	m := r.fields(e.v, "hours", "calendar", "open", "closed", "holiday")
	s := &hoursStep{open: r.need(m, e, "open"), closed: r.need(m, e, "closed"), holiday: r.maybe(m, "holiday"), at: r.pos(e.k)}
	if x, ok := m["calendar"]; ok {
		s.calendar, _ = r.id(x.v, "calendar")
		s.at = r.pos(x.v)
	} else {
		r.err(e.k, "L003", "add calendar: id", "hours has no calendar")
	}
	return s
}

func (r *flowReader) transfer(e entry) step {
	m := r.fields(e.v, "transfer", "to", "mode", "ring", "caller_id", "busy", "no_answer", "failed", "after_call")
	s := &transferStep{busy: r.need(m, e, "busy"), noAnswer: r.need(m, e, "no_answer"), failed: r.need(m, e, "failed"),
		afterCall: r.maybe(m, "after_call"), ring: r.needDuration(m, e, "ring")}
	if x, ok := m["to"]; ok {
		for _, t := range r.entries(x.v, "to") {
			switch t.key {
			case "number":
				s.number = r.expr(t.v, "number", typeString)
			case "extension", "agent", "sip":
				r.err(t.k, "L014", "transfer to a number, or use a queue", "a transfer to %s is not available in this version", t.key)
			default:
				r.unknown(t.k, "L003", "field", t.key, "to", []string{"number"})
			}
		}
	} else {
		r.err(e.k, "L003", `add to: {number: "'+74951230000'"}`, "transfer has no to")
	}
	if x, ok := m["mode"]; ok {
		switch v, _ := r.text(x.v, "mode"); v {
		case "blind", "":
		case "announced":
			r.err(x.v, "L014", "write mode: blind", "the transfer mode announced is not available in this version")
		default:
			r.unknown(x.v, "L003", "mode", v, "transfer", []string{"blind"})
		}
	}
	if x, ok := m["caller_id"]; ok {
		s.callerID = r.expr(x.v, "caller_id", typeString)
	}
	return s
}

func (r *flowReader) voicemail(e entry) step {
	m := r.fields(e.v, "voicemail", "prompt", "max", "min", "silence", "terminator", "queue", "transcribe", "done", "empty")
	s := &voicemailStep{prompt: r.needSay(m, e, "prompt"), done: r.need(m, e, "done"), empty: r.need(m, e, "empty"),
		max: 2 * time.Minute, min: 2 * time.Second, silence: 5 * time.Second, terminator: "#"}
	for name, to := range map[string]*time.Duration{"max": &s.max, "min": &s.min, "silence": &s.silence} {
		if x, ok := m[name]; ok {
			if d, ok := r.positive(x.v, name); ok {
				*to = d
			}
		}
	}
	if s.max <= s.min {
		r.err(e.k, "L003", "", "voicemail: max %v is not longer than min %v", s.max, s.min)
	}
	if x, ok := m["terminator"]; ok {
		s.terminator, _ = r.key(x.v, "terminator")
	}
	if x, ok := m["queue"]; ok {
		s.queue, _ = r.id(x.v, "queue")
		s.queueAt = r.pos(x.v)
	} else {
		r.err(e.k, "L003", "add queue: id, whose people hear the message", "voicemail has no queue")
	}
	if x, ok := m["transcribe"]; ok {
		if v, _ := r.boolean(x.v, "transcribe"); v {
			r.err(x.k, "L014", "remove it", "transcribe is not available in this version")
		}
	}
	return s
}

func (r *flowReader) call(e entry) step {
	m := r.fields(e.v, "call", "flow", "with", "returns")
	s := &callStep{}
	if x, ok := m["flow"]; ok {
		s.flow, _ = r.id(x.v, "flow")
		s.flowAt = r.pos(x.v)
	} else {
		r.err(e.k, "L003", "add flow: id", "call has no flow")
	}
	for _, x := range r.entries(m["with"].v, "with") {
		s.with = append(s.with, binding{x.key, r.pos(x.k), r.expr(x.v, x.key, "")})
	}
	if x, ok := m["returns"]; ok {
		for _, y := range r.entries(x.v, "returns") {
			s.returns = append(s.returns, returnTarget{y.key, r.pos(y.k), r.target(y.v, y.key)})
		}
	} else {
		r.err(e.k, "L011", "add returns: {name: node}", "call has no returns")
	}
	return s
}
