package ivr

import (
	"strconv"
	"time"

	"go.yaml.in/yaml/v3"
)

// Types of variables.
const (
	typeString = "string"
	typeInt    = "int"
	typeNumber = "number"
	typeBool   = "bool"
	typeTime   = "time"
)

var zeroOf = map[string]any{typeString: "", typeInt: 0, typeNumber: 0.0, typeBool: false, typeTime: time.Time{}}

func (r *flowReader) readVars(n *yaml.Node, param bool) {
	for _, e := range r.entries(n, "vars") {
		if !idRe.MatchString(e.key) {
			r.err(e.k, "L002", "small letters, digits and _, a letter first", "variable %q is not an id", e.key)
			continue
		}
		if reservedNames[e.key] {
			r.err(e.k, "L041", "choose another name", "the name %q belongs to the expressions themselves", e.key)
			continue
		}
		if r.f.vars[e.key] != nil {
			r.err(e.k, "L004", "remove one", "the variable %q is declared twice", e.key)
			continue
		}
		m := r.fields(e.v, "variable "+e.key, "type", "default", "pii", "secret")
		v := &varDecl{name: e.key, at: r.pos(e.k), param: param, written: param}
		v.typ = typeString
		if t, ok := m["type"]; ok {
			s, _ := r.text(t.v, "type")
			if _, ok := zeroOf[s]; ok {
				v.typ = s
			} else if s != "" {
				r.err(t.v, "L003", "string, int, number, bool or time", "unknown type %q", s)
			}
		} else {
			r.err(e.v, "L003", "add type: string", "the variable %q has no type", e.key)
		}
		v.def = zeroOf[v.typ]
		if d, ok := m["default"]; ok {
			v.hasDef = true
			v.def = r.literal(d.v, v.typ, e.key)
		}
		if p, ok := m["pii"]; ok {
			v.pii, _ = r.boolean(p.v, "pii")
		}
		if p, ok := m["secret"]; ok {
			v.secret, _ = r.boolean(p.v, "secret")
		}
		r.f.vars[e.key] = v
	}
}

// literal reads a default of the given type.
func (r *reader) literal(n *yaml.Node, typ, name string) any {
	what := "the default of " + name
	switch typ {
	case typeInt:
		v, _ := r.number(n, what, -1_000_000_000, 1_000_000_000)
		return v
	case typeBool:
		v, _ := r.boolean(n, what)
		return v
	case typeNumber:
		s, _ := r.scalar(n, what)
		v, err := strconv.ParseFloat(s, 64)
		if err != nil && s != "" {
			r.err(n, "L041", "", "%s is %q, not a number", what, s)
		}
		return v
	case typeTime:
		s, _ := r.scalar(n, what)
		v, err := time.Parse(time.RFC3339, s)
		if err != nil && s != "" {
			r.err(n, "L041", "like 2026-11-20T14:05:00+03:00", "%s is %q, not a time", what, s)
		}
		return v
	}
	v, _ := r.text(n, what)
	return v
}
