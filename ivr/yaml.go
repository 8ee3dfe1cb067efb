package ivr

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// maxFile bounds one file of the set; a flow of that size is no menu any more.
const maxFile = 1 << 20

// reader decodes YAML nodes of one file by hand, for positions, and collects every problem instead of stopping at the
// first.
type reader struct {
	file  string
	flow  string
	node  string
	probs *[]Problem
}

func (r *reader) add(sev Severity, at pos, code, fix, format string, args ...any) {
	*r.probs = append(*r.probs, Problem{File: r.file, Line: at.line, Col: at.col, Code: code, Severity: sev, Flow: r.flow,
		Node: r.node, Msg: fmt.Sprintf(format, args...), Fix: fix})
}

func (r *reader) err(n *yaml.Node, code, fix, format string, args ...any) {
	r.add(SevError, r.pos(n), code, fix, format, args...)
}

func (r *reader) pos(n *yaml.Node) pos {
	if n == nil {
		return pos{r.file, 0, 0}
	}
	return pos{r.file, n.Line, n.Column}
}

// parse reads one document, reports the traps of section 1, and returns its root; nil when there is nothing to read.
func (r *reader) parse(data []byte) *yaml.Node {
	if len(data) > maxFile {
		r.add(SevError, pos{}, "L004", "split it", "the file has more than %d bytes", maxFile)
		return nil
	}
	before := len(*r.probs)
	r.tabs(data)
	dec := yaml.NewDecoder(strings.NewReader(string(data)))
	var doc yaml.Node
	if err := dec.Decode(&doc); err != nil {
		if err.Error() == "EOF" {
			r.add(SevError, pos{line: 1, col: 1}, "L001", "", "the file is empty")
		} else if len(*r.probs) == before {
			r.syntax(err, data)
		}
		return nil
	}
	var more yaml.Node
	if dec.Decode(&more) == nil {
		r.err(&more, "L004", "one document per file", "a second YAML document")
	}
	if len(doc.Content) == 0 {
		return nil
	}
	r.traps(doc.Content[0], 0)
	return doc.Content[0]
}

// entry is one pair of a mapping.
type entry struct {
	key string
	k   *yaml.Node
	v   *yaml.Node
}

// entries reads a mapping in its order; doubled keys, reported by traps, count once.
func (r *reader) entries(n *yaml.Node, what string) []entry {
	if n == nil {
		return nil
	}
	if n.Kind != yaml.MappingNode {
		if n.Kind != yaml.AliasNode {
			r.err(n, "L003", "write {key: value}", "%s is %s, not a mapping", what, shape(n))
		}
		return nil
	}
	var out []entry
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k := n.Content[i]
		if k.Kind != yaml.ScalarNode {
			r.err(k, "L003", "", "a key of %s is %s", what, shape(k))
			continue
		}
		if !seen[k.Value] && k.Value != "<<" {
			out = append(out, entry{k.Value, k, n.Content[i+1]})
		}
		seen[k.Value] = true
	}
	return out
}

// fields reads a mapping with a closed set of names; unknown ones are refused with the nearest valid name.
func (r *reader) fields(n *yaml.Node, what string, allowed ...string) map[string]entry {
	out := map[string]entry{}
	for _, e := range r.entries(n, what) {
		if !slices.Contains(allowed, e.key) {
			r.unknown(e.k, "L003", "field", e.key, what, allowed)
			continue
		}
		out[e.key] = e
	}
	return out
}

func (r *reader) unknown(at *yaml.Node, code, sort, name, what string, allowed []string) {
	fix := ""
	if near := nearest(name, allowed); near != "" {
		fix = fmt.Sprintf("did you mean %q?", near)
	} else if len(allowed) > 0 && len(allowed) <= 12 {
		fix = "valid: " + strings.Join(allowed, " ")
	}
	r.err(at, code, fix, "unknown %s %q in %s", sort, name, what)
}

func (r *reader) list(n *yaml.Node, what string) []*yaml.Node {
	if n == nil {
		return nil
	}
	if n.Kind != yaml.SequenceNode {
		if n.Kind != yaml.AliasNode {
			r.err(n, "L003", "write [a, b]", "%s is %s, not a list", what, shape(n))
		}
		return nil
	}
	return n.Content
}

func shape(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	case yaml.ScalarNode:
		if n.Tag == "!!null" {
			return "empty"
		}
		return fmt.Sprintf("the value %q", n.Value)
	}
	return "something else"
}

// scalar gives the value of a scalar and whether it was written plain.
func (r *reader) scalar(n *yaml.Node, what string) (string, bool) {
	if n == nil {
		return "", false
	}
	if n.Kind == yaml.AliasNode {
		return "", false // reported by traps
	}
	if n.Kind != yaml.ScalarNode {
		r.err(n, "L003", "", "%s is %s, not a single value", what, shape(n))
		return "", false
	}
	if n.Tag == "!!null" {
		fix := "give a value"
		if strings.HasPrefix(n.LineComment, "#") || n.Value == "" {
			fix = `give a value; an unquoted # begins a comment: write "#" in quotes`
		}
		r.err(n, "L004", fix, "%s is empty", what)
		return "", false
	}
	return n.Value, true
}

// text reads a string. Digits must be quoted, since 0123 is octal and +7495 a number.
func (r *reader) text(n *yaml.Node, what string) (string, bool) {
	s, ok := r.scalar(n, what)
	if !ok {
		return "", false
	}
	switch n.Tag {
	case "!!int", "!!float":
		r.err(n, "L004", fmt.Sprintf("write %q", n.Value), "%s is the unquoted number %s, which YAML may change", what, n.Value)
	case "!!bool":
		r.err(n, "L004", "quote it", "%s is the truth value %s, not a text", what, n.Value)
		return "", false
	}
	return s, true
}

func (r *reader) number(n *yaml.Node, what string, lo, hi int) (int, bool) {
	s, ok := r.scalar(n, what)
	if !ok {
		return 0, false
	}
	v, err := strconv.Atoi(s)
	if err != nil || n.Tag != "!!int" {
		r.err(n, "L003", "", "%s is %q, not a whole number", what, s)
		return 0, false
	}
	if v < lo || v > hi {
		r.err(n, "L003", "", "%s is %d, not between %d and %d", what, v, lo, hi)
		return 0, false
	}
	return v, true
}

func (r *reader) boolean(n *yaml.Node, what string) (bool, bool) {
	s, ok := r.scalar(n, what)
	if !ok {
		return false, false
	}
	if n.Tag != "!!bool" {
		r.err(n, "L003", "write true or false", "%s is %q, not true or false", what, s)
		return false, false
	}
	return strings.EqualFold(s, "true"), true
}

var durRe = regexp.MustCompile(`^(\d{1,6})(ms|s|m|h)$`)

// duration reads DUR of the grammar.
func (r *reader) duration(n *yaml.Node, what string) (time.Duration, bool) {
	s, ok := r.scalar(n, what)
	if !ok {
		return 0, false
	}
	m := durRe.FindStringSubmatch(s)
	if m == nil {
		r.err(n, "L003", "write it like 300ms, 5s, 2m or 1h", "%s is %q, not a length of time", what, s)
		return 0, false
	}
	v, _ := strconv.Atoi(m[1])
	unit := map[string]time.Duration{"ms": time.Millisecond, "s": time.Second, "m": time.Minute, "h": time.Hour}[m[2]]
	d := time.Duration(v) * unit
	if d > 24*time.Hour {
		r.err(n, "L003", "", "%s is %s: more than a day", what, s)
		return 0, false
	}
	return d, true
}

var (
	idRe   = regexp.MustCompile(`^[a-z][a-z0-9_]{0,47}$`)
	langRe = regexp.MustCompile(`^[a-z]{2,3}(-[A-Z]{2})?$`)
)

func (r *reader) id(n *yaml.Node, what string) (string, bool) {
	s, ok := r.text(n, what)
	if !ok {
		return "", false
	}
	if !idRe.MatchString(s) {
		r.err(n, "L002", "small letters, digits and _, a letter first, at most 48", "%s %q is not an id", what, s)
		return "", false
	}
	return s, true
}

func (r *reader) language(n *yaml.Node, what string) (string, bool) {
	s, ok := r.text(n, what)
	if ok && !langRe.MatchString(s) {
		r.err(n, "L003", `like ru, en or "no"`, "%s %q is not a language code", what, s)
		return "", false
	}
	return s, ok
}

// key reads one DTMF key of the grammar.
func (r *reader) key(n *yaml.Node, what string) (string, bool) {
	s, ok := r.text(n, what)
	if !ok {
		return "", false
	}
	if len(s) != 1 || !strings.Contains("0123456789*#", s) {
		r.err(n, "L018", `one of "0" to "9", "*", "#"`, "%s %q is not one key of the telephone", what, s)
		return "", false
	}
	return s, true
}

// ltext reads a text per language.
func (r *reader) ltext(n *yaml.Node, what string) map[string]string {
	out := map[string]string{}
	for _, e := range r.entries(n, what) {
		if !langRe.MatchString(e.key) {
			r.err(e.k, "L003", "like ru or en", "%s: %q is not a language code", what, e.key)
			continue
		}
		if s, ok := r.text(e.v, what); ok {
			out[e.key] = s
		}
	}
	return out
}
