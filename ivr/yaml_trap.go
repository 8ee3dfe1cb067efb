package ivr

import (
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

var yamlLine = regexp.MustCompile(`line (\d+): (.*)`)

var unknownAnchor = regexp.MustCompile(`unknown anchor '([^']+)'`)

// tabs: YAML forbids them as indentation, and its own message does not say so.
func (r *reader) tabs(data []byte) {
	for i, line := range strings.Split(string(data), "\n") {
		trim := strings.TrimLeft(line, " \t")
		if j := strings.IndexByte(line[:len(line)-len(trim)], '\t'); j >= 0 && trim != "" {
			r.add(SevError, pos{line: i + 1, col: j + 1}, "L004", "indent with blanks", "a tab in the indentation")
		}
	}
}

// syntax explains an error of the YAML parser.
func (r *reader) syntax(err error, data []byte) {
	msg, at := strings.TrimPrefix(err.Error(), "yaml: "), pos{line: 1, col: 1}
	if m := yamlLine.FindStringSubmatch(err.Error()); m != nil {
		at.line, _ = strconv.Atoi(m[1])
		msg = m[2]
	}
	fix := ""
	lines := strings.Split(string(data), "\n")
	if m := unknownAnchor.FindStringSubmatch(msg); m != nil { // the parser does not say where
		for i, l := range lines {
			if j := strings.Index(l, "*"+m[1]); j >= 0 && unquotedStar(l) >= 0 {
				r.add(SevError, pos{line: i + 1, col: j + 1}, "L004", "quote it, or write the value out", "the alias *%s: aliases are not part of the format", m[1])
				return
			}
		}
	}
	for _, l := range []int{at.line, at.line + 1} { // the parser sometimes names the line before
		if l < 1 || l > len(lines) {
			continue
		}
		if j := unquotedStar(lines[l-1]); j >= 0 {
			r.add(SevError, pos{line: l, col: j + 1}, "L004", `write "*" in quotes`, "an unquoted * begins a YAML alias")
			return
		}
		if strings.Contains(lines[l-1], " #") || strings.Contains(lines[l-1], "{#") {
			fix = `an unquoted # begins a comment: write "#" in quotes`
		}
	}
	r.add(SevError, at, "L004", fix, "not readable as YAML: %s", msg)
}

// unquotedStar finds a * that stands where a value or key may begin, outside quotes; -1 when there is none.
func unquotedStar(line string) int {
	quote := byte(0)
	for i := 0; i < len(line); i++ {
		c := line[i]
		switch {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'':
			quote = c
		case c == '#' && (i == 0 || line[i-1] == ' '):
			return -1
		case c == '*' && (i == 0 || strings.IndexByte(" {[,:", line[i-1]) >= 0):
			return i
		}
	}
	return -1
}

// traps walks the whole tree for what YAML would silently turn into something else.
func (r *reader) traps(n *yaml.Node, depth int) {
	if depth > 100 {
		r.err(n, "L004", "", "nested more than 100 deep")
		return
	}
	if n.Anchor != "" {
		r.err(n, "L004", "write the value out", "the anchor &%s: anchors are not part of the format", n.Anchor)
	}
	if n.Style&yaml.TaggedStyle != 0 {
		r.err(n, "L004", "leave it out", "the tag %s: tags are not part of the format", n.Tag)
	}
	switch n.Kind {
	case yaml.AliasNode:
		r.err(n, "L004", "quote it, or write the value out", "the alias *%s: aliases are not part of the format", n.Value)
		return
	case yaml.ScalarNode:
		if n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) == 0 {
			switch strings.ToLower(n.Value) {
			case "yes", "no", "on", "off", "y", "n":
				r.err(n, "L004", "quote it, or write true or false", "a bare %s, which some YAML readers take for true or false", n.Value)
			}
		}
	case yaml.MappingNode:
		seen := map[string]bool{}
		for i := 0; i+1 < len(n.Content); i += 2 {
			k := n.Content[i]
			if k.Value == "<<" && k.Kind == yaml.ScalarNode {
				r.err(k, "L004", "write the fields out", "a merge key: merge keys are not part of the format")
			}
			if k.Kind == yaml.ScalarNode {
				if seen[k.Value] {
					r.err(k, "L004", "remove one", "the key %q stands twice", k.Value)
				}
				seen[k.Value] = true
			}
		}
	}
	for _, c := range n.Content {
		r.traps(c, depth+1)
	}
}
