package ivr

import (
	"slices"

	"go.yaml.in/yaml/v3"

	"hotline/ivr/say"
)

// actionKinds are the actions this version runs.
var actionKinds = []string{"say", "play", "set", "attach", "tag", "lang", "priority", "moh", "record", "wait", "log"}

// absentActions are actions of grammar 1 that this version refuses.
var absentActions = map[string]string{
	"send":   "say it, or let the agent send it",
	"ticket": "use attach: and tag:, which reach the ticket of the call",
}

// action reads one entry of `do`; nil after an error. play is another word for say.
func (r *flowReader) action(n *yaml.Node) *action {
	a := &action{at: r.pos(n)}
	var verb *entry
	for _, e := range r.entries(n, "an action") {
		switch {
		case e.key == "required":
			a.required, _ = r.boolean(e.v, "required")
		case absentActions[e.key] != "":
			r.err(e.k, "L015", absentActions[e.key], "the action %q is not available in this version", e.key)
			return nil
		case slices.Contains(actionKinds, e.key):
			if verb != nil {
				r.err(e.k, "L015", "write two list items", "two verbs in one action: %s and %s", verb.key, e.key)
				return nil
			}
			verb = &e
		default:
			r.unknown(e.k, "L015", "action", e.key, "do", actionKinds)
			return nil
		}
	}
	if verb == nil {
		if n.Kind == yaml.MappingNode {
			r.err(n, "L015", "", "an action without a verb")
		}
		return nil
	}
	a.kind = verb.key
	r.fill(a, *verb)
	return a
}

func (r *flowReader) fill(a *action, e entry) {
	switch e.key {
	case "say", "play":
		a.kind = "say"
		a.say = r.say(e.v, "say")
	case "set", "attach":
		for _, x := range r.entries(e.v, e.key) {
			if !idRe.MatchString(x.key) {
				r.err(x.k, "L002", "small letters, digits and _, a letter first", "%s: %q is not an id", e.key, x.key)
				continue
			}
			a.binds = append(a.binds, binding{x.key, r.pos(x.k), r.expr(x.v, x.key, "")})
		}
	case "tag":
		for _, x := range r.list(e.v, "tag") {
			if id, ok := r.id(x, "tag"); ok {
				a.tags = append(a.tags, id)
			}
		}
	case "lang":
		a.expr = r.expr(e.v, "lang", typeString)
	case "priority":
		a.expr = r.expr(e.v, "priority", typeInt)
	case "moh":
		a.text, _ = r.id(e.v, "moh")
	case "record":
		a.text, _ = r.text(e.v, "record")
		if ops := []string{"start", "stop", "pause", "resume"}; a.text != "" && !slices.Contains(ops, a.text) {
			r.unknown(e.v, "L003", "operation", a.text, "record", ops)
		}
	case "wait":
		a.wait, _ = r.positive(e.v, "wait")
	case "log":
		a.text, _ = r.text(e.v, "log")
	}
}

// sayKinds are the verbs of a say item in the order of the grammar.
var sayKinds = []string{"p", "text", "pause", "number", "ordinal", "digits", "phone", "ticket", "date", "time", "duration", "money"}

// sayExtra lists the modifiers of each verb.
var sayExtra = map[string][]string{
	"number":   {"noun", "case", "gender"},
	"ordinal":  {"gender", "case"},
	"digits":   {"group"},
	"date":     {"style", "case"},
	"time":     {"style"},
	"duration": {"round", "case"},
	"money":    {"currency"},
}

// sayTypes is the type of each verb's expression.
var sayTypes = map[string]string{
	"number": typeNumber, "ordinal": typeInt, "digits": typeString, "phone": typeString, "ticket": typeString,
	"date": typeTime, "time": typeTime, "duration": typeNumber, "money": typeNumber,
}

func (r *flowReader) say(n *yaml.Node, what string) sayList {
	switch n.Kind {
	case yaml.ScalarNode:
		if id, ok := r.id(n, what); ok {
			return sayList{{kind: "prompt", at: r.pos(n), prompt: id}}
		}
	case yaml.SequenceNode:
		var out sayList
		for _, x := range n.Content {
			if x.Kind == yaml.ScalarNode {
				if id, ok := r.id(x, what); ok {
					out = append(out, &sayItem{kind: "prompt", at: r.pos(x), prompt: id})
				}
			} else if it := r.sayItem(x); it != nil {
				out = append(out, it)
			}
		}
		if len(n.Content) == 0 {
			r.err(n, "L003", "name a prompt", "%s says nothing", what)
		}
		return out
	default:
		r.err(n, "L003", "a prompt, or a list of items", "%s is %s", what, shape(n))
	}
	return nil
}

func (r *flowReader) sayItem(n *yaml.Node) *sayItem {
	es := r.entries(n, "an item of say")
	var verb entry
	for _, e := range es {
		if e.key == "notice" {
			r.err(e.k, "L014", "remove it", "notice is not available in this version")
			return nil
		}
		if slices.Contains(sayKinds, e.key) {
			if verb.key != "" {
				r.err(e.k, "L015", "write two items", "two verbs in one item of say: %s and %s", verb.key, e.key)
				return nil
			}
			verb = e
		}
	}
	if verb.key == "" {
		if len(es) > 0 {
			r.unknown(es[0].k, "L003", "field", es[0].key, "an item of say", sayKinds)
		}
		return nil
	}
	m := r.fields(n, "say "+verb.key, append([]string{verb.key, "when"}, sayExtra[verb.key]...)...)
	it := &sayItem{kind: verb.key, at: r.pos(verb.k)}
	if w, ok := m["when"]; ok {
		it.when = r.expr(w.v, "when", typeBool)
	}
	switch verb.key {
	case "p":
		it.kind = "prompt"
		it.prompt, _ = r.id(verb.v, "p")
	case "text":
		it.text = r.ltext(verb.v, "text")
	case "pause":
		it.pause, _ = r.positive(verb.v, "pause")
	default:
		it.val = r.expr(verb.v, verb.key, sayTypes[verb.key])
		r.modifiers(it, m)
	}
	return it
}

func (r *flowReader) modifiers(it *sayItem, m map[string]entry) {
	str := func(name string) (string, *yaml.Node) {
		e, ok := m[name]
		if !ok {
			return "", nil
		}
		s, _ := r.text(e.v, name)
		return s, e.v
	}
	oneOf := func(name string, valid ...string) string {
		s, n := str(name)
		if n != nil && s != "" && !slices.Contains(valid, s) {
			r.unknown(n, "L003", name, s, "say", valid)
			return ""
		}
		return s
	}
	var err error
	if s, n := str("case"); n != nil {
		it.caseSet = true
		if it.gcase, err = say.ParseCase(s); err != nil {
			r.err(n, "L003", "", "%v", err)
		}
	}
	if s, n := str("gender"); n != nil {
		if it.gender, err = say.ParseGender(s); err != nil {
			r.err(n, "L003", "", "%v", err)
		}
	}
	it.noun, _ = str("noun")
	if e, ok := m["group"]; ok {
		it.group, _ = r.number(e.v, "group", 1, 3)
	}
	if e, ok := m["round"]; ok {
		it.round, _ = r.positive(e.v, "round")
	}
	if it.kind == "date" {
		it.style = oneOf("style", say.DayMonth, say.DayMonthYear, say.Weekday, say.Relative)
	} else {
		it.style = oneOf("style", say.At, say.By, say.Since)
	}
	it.currency = oneOf("currency", "RUB", "USD", "EUR")
	if it.kind == "money" && it.currency == "" && m["currency"].v == nil {
		r.add(SevError, it.at, "L003", "add currency: RUB", "money has no currency")
	}
}
