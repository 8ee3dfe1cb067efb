package ivr

import (
	"fmt"
	"io"
	"strings"
)

// GraphCommand is the body of `hotline flow graph`: Mermaid of one flow, or of all when flow is empty. It returns 1 when
// the set has errors or no such flow.
func GraphCommand(dir, flow string, opt Options, w io.Writer) int {
	set := words(dir, opt, w)
	if set == nil {
		return 1
	}
	ids := []string{flow}
	if flow == "" {
		ids = sortedKeys(set.flows)
	}
	for _, id := range ids {
		text, ok := set.Graph(id)
		if !ok {
			fmt.Fprintf(w, "there is no flow %q; %s\n", id, suggest(id, sortedKeys(set.flows)))
			return 1
		}
		fmt.Fprint(w, text)
	}
	return 0
}

// Graph draws a flow as Mermaid, left to right: one shape per kind of step, one arrow per exit; false: no such flow.
func (s *Set) Graph(flow string) (string, bool) {
	f := s.flows[flow]
	if f == nil {
		return "", false
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%%%% %s, version %s\nflowchart LR\n", flow, s.hash)
	fmt.Fprintf(&b, "  _start((%s)) --> %s\n", flow, mermaidID(f.entry))
	for _, id := range f.order {
		n := f.nodes[id]
		fmt.Fprintf(&b, "  %s\n", shapeOf(n))
		for _, x := range n.step.exits() {
			fmt.Fprintf(&b, "  %s -->|%s| %s\n", mermaidID(id), mermaidText(x.name), mermaidTarget(id, x.to.name))
		}
	}
	for _, k := range f.keys {
		if !k.to.builtin() {
			fmt.Fprintf(&b, "  _global((any menu)) -.->|key %s| %s\n", mermaidText(k.key), mermaidID(k.to.name))
		}
	}
	if f.onError != "" {
		fmt.Fprintf(&b, "  _error((error)) -.-> %s\n", mermaidID(f.onError))
	}
	return b.String(), true
}

func shapeOf(n *node) string {
	label := `"` + n.id + "<br/>" + n.step.kind()
	switch s := n.step.(type) {
	case *endStep:
		label += " " + s.how
	case *queueStep:
		label += " " + s.name
	case *callStep:
		label += " " + s.flow
	case *returnStep:
		label += " " + s.name
	case *hoursStep:
		label += " " + s.calendar
	case *menuStep:
		label += " " + mermaidText(keyNames(s.keys))
	}
	label += `"`
	id := mermaidID(n.id)
	switch n.step.(type) {
	case *endStep, *returnStep:
		return id + "([" + label + "])"
	case *switchStep, *hoursStep:
		return id + "{" + label + "}"
	case *menuStep, *inputStep, *languageStep:
		return id + "[/" + label + "/]"
	case *queueStep, *transferStep, *voicemailStep:
		return id + "[[" + label + "]]"
	}
	return id + "[" + label + "]"
}

// mermaidID keeps node names away from Mermaid's own words, of which "end" is one.
func mermaidID(id string) string { return "n_" + id }

func mermaidTarget(from, to string) string {
	switch to {
	case "@repeat":
		return mermaidID(from)
	case "@back":
		return "_back((back))"
	case "@end":
		return "_end((end))"
	}
	return mermaidID(to)
}

func mermaidText(s string) string {
	return strings.NewReplacer("#", "#35;", "*", "#42;", `"`, "#quot;", "|", "#124;").Replace(s)
}
