package ivr

import (
	"fmt"
	"sort"
)

// Severity says what a Problem stops.
type Severity string

// Severities. An error keeps the set from being used; a warning asks for a second look; an info is only shown.
const (
	SevError   Severity = "error"
	SevWarning Severity = "warning"
	SevInfo    Severity = "info"
)

// Problem is one finding of the checker. The codes are those of ivr.md section 9.
type Problem struct {
	File     string   `json:"file"` // relative to the set's folder, slashes
	Line     int      `json:"line"` // from 1; 0 when the file as a whole is meant
	Col      int      `json:"col"`  // from 1, in characters; 0 as above
	Code     string   `json:"code"` // L001..L070
	Severity Severity `json:"severity"`
	Flow     string   `json:"flow,omitempty"`
	Node     string   `json:"node,omitempty"`
	Msg      string   `json:"msg"`           // what is wrong, with the offending text
	Fix      string   `json:"fix,omitempty"` // how to mend it; empty when Msg says it already
}

// String gives the line that editors can jump from: file:line:col: severity code message (fix).
func (p Problem) String() string {
	s := fmt.Sprintf("%s:%d:%d: %s %s %s", p.File, p.Line, p.Col, p.Severity, p.Code, p.Msg)
	if p.Node != "" {
		s += " [node " + p.Node + "]"
	}
	if p.Fix != "" {
		s += " (" + p.Fix + ")"
	}
	return s
}

// HasErrors reports whether any problem keeps the set from being used.
func HasErrors(ps []Problem) bool {
	for _, p := range ps {
		if p.Severity == SevError {
			return true
		}
	}
	return false
}

func sortProblems(ps []Problem) {
	sort.SliceStable(ps, func(i, j int) bool {
		a, b := ps[i], ps[j]
		switch {
		case a.File != b.File:
			return a.File < b.File
		case a.Line != b.Line:
			return a.Line < b.Line
		case a.Col != b.Col:
			return a.Col < b.Col
		}
		return a.Code < b.Code
	})
}
