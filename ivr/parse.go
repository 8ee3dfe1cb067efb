package ivr

import (
	"fmt"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// grammarVersion is the only grammar this program reads.
const grammarVersion = 1

// Limits of a flow that does not set its own.
const (
	defaultMaxSteps    = 200
	defaultMaxDuration = 10 * time.Minute
)

// flowReader reads one flow file.
type flowReader struct {
	reader
	f *flow
}

// parseFlow reads a flow. It returns nil only when the file is no mapping at all; problems tell the rest.
func parseFlow(file, wantID string, data []byte, probs *[]Problem) *flow {
	r := &flowReader{reader: reader{file: file, flow: wantID, probs: probs}}
	root := r.parse(data)
	if root == nil {
		return nil
	}
	if root.Kind != yaml.MappingNode {
		r.err(root, "L003", "", "the file is %s, not a flow", shape(root))
		return nil
	}
	r.f = &flow{id: wantID, at: r.pos(root), nodes: map[string]*node{}, vars: map[string]*varDecl{},
		limits: limits{defaultMaxSteps, defaultMaxDuration}}
	r.header(root, wantID)
	return r.f
}

func (r *flowReader) header(root *yaml.Node, wantID string) {
	f := r.f
	m := r.fields(root, "the flow", "flow", "grammar", "kind", "title", "languages", "timezone", "entry", "limits", "input",
		"vars", "params", "returns", "globals", "nodes", "ui")
	for _, must := range []string{"flow", "grammar", "entry", "nodes"} {
		if _, ok := m[must]; !ok {
			r.err(root, "L003", "add "+must+":", "the flow has no %s", must)
		}
	}
	if e, ok := m["grammar"]; ok {
		if v, ok := r.number(e.v, "grammar", 0, 1_000_000); ok && v != grammarVersion {
			r.err(e.v, "L001", "write grammar: 1", "grammar %d is unknown; this version reads grammar %d", v, grammarVersion)
		}
	}
	if e, ok := m["flow"]; ok {
		if id, ok := r.id(e.v, "the flow's name"); ok && id != wantID {
			r.err(e.v, "L002", "rename the file or the flow", "the flow is called %q but its file %q", id, wantID)
		}
	}
	if e, ok := m["kind"]; ok {
		switch s, _ := r.text(e.v, "kind"); s {
		case "subflow":
			f.sub = true
		case "inbound", "":
		default:
			r.err(e.v, "L003", "inbound or subflow", "unknown kind %q", s)
		}
	}
	f.title = r.ltext(m["title"].v, "title")
	r.languagesAndZone(root, m)
	if e, ok := m["entry"]; ok {
		f.entry, _ = r.id(e.v, "entry")
		f.entryAt = r.pos(e.v)
	}
	r.readLimits(m["limits"].v)
	f.input = r.defaults(r.fields(m["input"].v, "input", collectFields...))
	r.readVars(m["vars"].v, false)
	r.readVars(m["params"].v, true)
	if e, ok := m["params"]; ok && !f.sub {
		r.err(e.k, "L019", "use vars, or kind: subflow", "params belong to sub-flows")
	}
	if e, ok := m["returns"]; ok {
		if !f.sub {
			r.err(e.k, "L019", "use kind: subflow", "returns belong to sub-flows")
		}
		for _, n := range r.list(e.v, "returns") {
			if id, ok := r.id(n, "returns"); ok {
				f.returns = append(f.returns, id)
			}
		}
	}
	r.readGlobals(m["globals"])
	r.readNodes(m["nodes"].v)
}

func (r *flowReader) languagesAndZone(root *yaml.Node, m map[string]entry) {
	f := r.f
	if e, ok := m["languages"]; ok {
		if f.sub {
			r.err(e.k, "L019", "remove it", "a sub-flow inherits its languages")
		}
		for _, n := range r.list(e.v, "languages") {
			if l, ok := r.language(n, "language"); ok {
				f.languages = append(f.languages, l)
			}
		}
	}
	if !f.sub && len(f.languages) == 0 {
		r.err(root, "L003", "add languages: [ru, en]; the first is the default", "the flow has no languages")
	}
	f.zone = time.UTC
	if e, ok := m["timezone"]; ok {
		if f.sub {
			r.err(e.k, "L019", "remove it", "a sub-flow inherits its timezone")
		}
		if z := r.zone(e.v); z != nil {
			f.zone = z
		}
	} else if !f.sub {
		r.err(root, "L003", "add timezone: Europe/Moscow", "the flow has no timezone")
	}
}

func (r *reader) zone(n *yaml.Node) *time.Location {
	s, ok := r.text(n, "timezone")
	if !ok {
		return nil
	}
	if s == "" || s == "Local" {
		r.err(n, "L003", "like Europe/Moscow", "timezone %q is not a name of the zone database", s)
		return nil
	}
	z, err := time.LoadLocation(s)
	if err != nil {
		r.err(n, "L003", "like Europe/Moscow", "timezone %q is not a name of the zone database", s)
		return nil
	}
	return z
}

func (r *flowReader) readLimits(n *yaml.Node) {
	m := r.fields(n, "limits", "max_steps", "max_duration")
	if e, ok := m["max_steps"]; ok {
		if v, ok := r.number(e.v, "max_steps", 1, 10_000); ok {
			r.f.limits.maxSteps = v
		}
	}
	if e, ok := m["max_duration"]; ok {
		if d, ok := r.duration(e.v, "max_duration"); ok && d > 0 {
			r.f.limits.maxDuration = d
		}
	}
}

// collectFields are the settings of section 4 that a flow may set for all its steps.
var collectFields = []string{"timeout", "inter_digit", "retries", "barge_in", "type_ahead"}

func (r *flowReader) defaults(m map[string]entry) collectDefaults {
	var c collectDefaults
	if e, ok := m["timeout"]; ok {
		if d, ok := r.positive(e.v, "timeout"); ok {
			c.timeout = &d
		}
	}
	if e, ok := m["inter_digit"]; ok {
		if d, ok := r.positive(e.v, "inter_digit"); ok {
			c.interDigit = &d
		}
	}
	if e, ok := m["retries"]; ok {
		if v, ok := r.number(e.v, "retries", 0, 9); ok {
			c.retries = &v
		}
	}
	if e, ok := m["barge_in"]; ok {
		if v, ok := r.boolean(e.v, "barge_in"); ok {
			c.bargeIn = &v
		}
	}
	if e, ok := m["type_ahead"]; ok {
		if v, ok := r.boolean(e.v, "type_ahead"); ok {
			c.typeAhead = &v
		}
	}
	return c
}

func (r *reader) positive(n *yaml.Node, what string) (time.Duration, bool) {
	d, ok := r.duration(n, what)
	if ok && d <= 0 {
		r.err(n, "L003", "", "%s must be longer than nothing", what)
		return 0, false
	}
	return d, ok
}

func (r *flowReader) readGlobals(e entry) {
	if e.v == nil {
		if !r.f.sub {
			r.add(SevError, r.f.at, "L003", "add globals: {on_error: node}", "the flow has no globals.on_error")
		}
		return
	}
	if r.f.sub {
		r.err(e.k, "L019", "remove it", "a sub-flow inherits its globals")
		return
	}
	m := r.fields(e.v, "globals", "keys", "on_error", "on_hangup")
	r.f.keys = r.keyTargets(m["keys"].v, "globals.keys")
	if oe, ok := m["on_error"]; ok {
		r.f.onError, _ = r.id(oe.v, "on_error")
		r.f.onErrorAt = r.pos(oe.v)
	} else {
		r.err(e.v, "L003", "add on_error: node", "globals has no on_error")
	}
	if h, ok := m["on_hangup"]; ok {
		for _, n := range r.list(h.v, "on_hangup") {
			if a := r.action(n); a != nil {
				if a.kind == "say" || a.kind == "wait" {
					r.err(n, "L015", "remove it", "on_hangup cannot %s: the caller is gone", a.kind)
					continue
				}
				r.f.onHangup = append(r.f.onHangup, a)
			}
		}
	}
}

func (r *flowReader) readNodes(n *yaml.Node) {
	for _, e := range r.entries(n, "nodes") {
		if !idRe.MatchString(e.key) {
			r.err(e.k, "L002", "small letters, digits and _, a letter first, at most 48", "node %q is not an id", e.key)
			continue
		}
		r.node = e.key
		nd := r.readNode(e)
		r.node = ""
		r.f.nodes[nd.id] = nd
		r.f.order = append(r.f.order, nd.id)
	}
	if len(r.f.nodes) == 0 && n != nil {
		r.err(n, "L010", "", "the flow has no nodes")
	}
}

var nodeFields = append([]string{"title", "note", "do", "else"}, stepKinds...)

func (r *flowReader) readNode(e entry) *node {
	nd := &node{id: e.key, at: r.pos(e.k)}
	m := map[string]entry{}
	var step []entry
	for _, x := range r.entries(e.v, "the node") {
		switch {
		case absentSteps[x.key] != "":
			r.err(x.k, "L014", absentSteps[x.key], "the step %q is not available in this version", x.key)
			nd.step = &endStep{how: EndError} // keeps the graph checks quiet about this node
		case isStep(x.key):
			step = append(step, x)
		case x.key == "title" || x.key == "note" || x.key == "do" || x.key == "else":
			m[x.key] = x
		default:
			r.unknown(x.k, "L003", "field", x.key, "the node", nodeFields)
		}
	}
	nd.title = r.ltext(m["title"].v, "title")
	if note, ok := m["note"]; ok {
		r.text(note.v, "note")
	}
	for _, a := range r.list(m["do"].v, "do") {
		if x := r.action(a); x != nil {
			nd.actions = append(nd.actions, x)
		}
	}
	switch {
	case len(step) > 1:
		names := make([]string, len(step))
		for i, s := range step {
			names[i] = s.key
		}
		r.err(step[1].k, "L014", "make two nodes", "the node has several steps: %s", strings.Join(names, ", "))
	case len(step) == 0 && nd.step == nil:
		r.err(e.k, "L014", "add one, for example next: or end:", "the node has no step")
		return nd
	}
	if len(step) > 0 {
		nd.step = r.step(step[0], m["else"])
	}
	if els, ok := m["else"]; ok && (len(step) == 0 || step[0].key != "switch") {
		r.err(els.k, "L003", "remove it", "else belongs to a switch")
	}
	return nd
}

func (r *reader) target(n *yaml.Node, what string) target {
	s, ok := r.text(n, what)
	if !ok {
		return target{at: r.pos(n)}
	}
	t := target{s, r.pos(n)}
	if strings.HasPrefix(s, "@") {
		switch s {
		case "@repeat", "@back", "@end":
			return t
		}
		fix := "valid: @repeat @back @end"
		if near := nearest(s, []string{"@repeat", "@back", "@end"}); near != "" {
			fix = fmt.Sprintf("did you mean %q?", near)
		}
		r.err(n, "L012", fix, "unknown built-in target %q", s)
		return target{at: t.at}
	}
	if !idRe.MatchString(s) {
		r.err(n, "L002", "", "%s: %q is neither a node nor @repeat, @back, @end", what, s)
		return target{at: t.at}
	}
	return t
}

func (r *reader) keyTargets(n *yaml.Node, what string) []keyTarget {
	var out []keyTarget
	for _, e := range r.entries(n, what) {
		k, ok := r.key(e.k, "a key of "+what)
		if !ok {
			continue
		}
		out = append(out, keyTarget{k, r.target(e.v, "key "+k), r.pos(e.k)})
	}
	return out
}
