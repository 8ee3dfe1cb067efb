package ivr

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"hotline/telephony"
)

// CheckCommand is the body of `hotline flow check`: it prints every problem, as text or json, and returns 1 when one is
// an error, 2 for a wrong format.
func CheckCommand(dir, format string, opt Options, w io.Writer) int {
	if format != "" && format != "text" && format != "json" {
		fmt.Fprintf(w, "unknown format %q; there are text and json\n", format)
		return 2
	}
	set, probs := Load(dir, opt)
	if set != nil {
		_, more := loadTests(dir)
		probs = append(probs, more...)
	}
	sortProblems(probs)
	if format == "json" {
		if probs == nil {
			probs = []Problem{}
		}
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		enc.SetEscapeHTML(false)
		if err := enc.Encode(probs); err != nil {
			return 2
		}
	} else {
		for _, p := range probs {
			fmt.Fprintln(w, p)
		}
		e, wa, i := count(probs)
		fmt.Fprintf(w, "%d errors, %d warnings, %d notes", e, wa, i)
		if set != nil {
			fmt.Fprintf(w, "; version %s, %d flows, %d routes", set.Hash(), len(set.flows), len(set.routes))
		}
		fmt.Fprintln(w)
	}
	if HasErrors(probs) {
		return 1
	}
	return 0
}

func count(ps []Problem) (errs, warns, infos int) {
	for _, p := range ps {
		switch p.Severity {
		case SevError:
			errs++
		case SevWarning:
			warns++
		default:
			infos++
		}
	}
	return errs, warns, infos
}

// words loads a set without sound; problems that are errors are printed.
func words(dir string, opt Options, w io.Writer) *Set {
	opt.Text = true
	set, probs := Load(dir, opt)
	for _, p := range probs {
		if set == nil && p.Severity == SevError {
			fmt.Fprintln(w, p)
		}
	}
	return set
}

// loadTests reads tests/*.test.yaml.
func loadTests(dir string) ([]*testFile, []Problem) {
	var out []*testFile
	var probs []Problem
	files, _ := filepath.Glob(filepath.Join(dir, "tests", "*.test.yaml"))
	for _, f := range files {
		name := "tests/" + filepath.Base(f)
		data, err := os.ReadFile(f)
		if err != nil {
			probs = append(probs, Problem{File: name, Code: "L001", Severity: SevError, Msg: "cannot be read: " + err.Error()})
			continue
		}
		if t := parseTests(name, data, &probs); t != nil {
			out = append(out, t)
		}
	}
	return out, probs
}

// TestArgs are the arguments of `hotline flow test`.
type TestArgs struct {
	Dir     string
	Random  int     // so many random calls; 0: run the test files
	Seed    int64   // of the random calls
	Cover   float64 // lowest share of exits that the test files reach, percent; 0: any
	Options Options
}

// TestCommand is the body of `hotline flow test`: it returns 1 when a case fails, a promise breaks or too little is
// covered.
func TestCommand(a TestArgs, w io.Writer) int {
	set := words(a.Dir, a.Options, w)
	if set == nil {
		return 1
	}
	if a.Random > 0 {
		began := time.Now()
		rep, err := randomWalk(set, a.Random, a.Seed)
		if err != nil {
			fmt.Fprintln(w, "FAIL", err)
			return 1
		}
		fmt.Fprintf(w, "%d random calls with seed %d in %.1f s\n", rep.Calls, a.Seed, time.Since(began).Seconds())
		for _, e := range sortedKeys(rep.Ends) {
			fmt.Fprintf(w, "  %6d %s\n", rep.Ends[e], e)
		}
		coverage(w, set, rep.Visited)
		return 0
	}
	return runTests(a, set, w)
}

func runTests(a TestArgs, set *Set, w io.Writer) int {
	files, probs := loadTests(a.Dir)
	for _, p := range probs {
		fmt.Fprintln(w, p)
	}
	failed, passed := 0, 0
	if HasErrors(probs) {
		failed++
	}
	visited := map[string]bool{}
	for _, f := range files {
		if fl := set.flows[f.flow]; fl == nil || fl.sub {
			fmt.Fprintf(w, "FAIL %s: no inbound flow %q\n", f.file, f.flow)
			failed++
			continue
		}
		for i := range f.cases {
			c := &f.cases[i]
			msg, at, s := c.run(set, f.flow)
			for _, st := range s.steps {
				if st.Kind == StepLeft {
					visited[st.Flow+"/"+st.Node+" "+st.Exit] = true
				}
			}
			if msg == "" {
				passed++
				continue
			}
			failed++
			if at.line == 0 {
				at = c.at
			}
			fmt.Fprintf(w, "FAIL %s:%d:%d: %s: %s\n", f.file, at.line, at.col, c.name, msg)
		}
	}
	fmt.Fprintf(w, "%d passed, %d failed\n", passed, failed)
	share := coverage(w, set, visited)
	if failed > 0 || share < a.Cover {
		return 1
	}
	return 0
}

// coverage prints the share of exits reached and the others as L070.
func coverage(w io.Writer, set *Set, visited map[string]bool) float64 {
	all := allExits(set)
	reached := 0
	for _, x := range all {
		if visited[x] {
			reached++
			continue
		}
		fmt.Fprintf(w, "info L070 not reached: %s\n", x)
	}
	share := 100.0
	if len(all) > 0 {
		share = 100 * float64(reached) / float64(len(all))
	}
	fmt.Fprintf(w, "%d of %d exits reached (%.0f %%)\n", reached, len(all), share)
	return share
}

// RunArgs are the arguments of `hotline flow run`.
type RunArgs struct {
	Dir, Flow, Lang, From string
	DTMF                  string    // keys, blanks, "." silence, "!" hang up; empty: ask on the input
	At                    time.Time // of the virtual clock; zero: now
	Options               Options
}

// RunCommand is the body of `hotline flow run`: a call on the console over a virtual clock. Each line is keys, "." for
// silence, "!" to hang up, ">5m" to let time pass, "=timeout" for a result of a queue, voicemail or transfer, "?" for the
// variables.
func RunCommand(a RunArgs, in io.Reader, w io.Writer) int {
	set := words(a.Dir, a.Options, w)
	if set == nil {
		return 1
	}
	flow := a.Flow
	if flow == "" && len(set.routes) > 0 {
		flow = set.routes[0].Flow
	}
	if set.flows[flow] == nil {
		fmt.Fprintf(w, "there is no flow %q; %s\n", flow, suggest(flow, sortedKeys(set.flows)))
		return 1
	}
	if a.At.IsZero() {
		a.At = time.Now()
	}
	c := Caller{From: a.From, Called: "100", Lang: a.Lang, Trust: telephony.TrustAsserted}
	if a.From == "" {
		c.Anonymous, c.Trust = true, telephony.TrustWithheld
	}
	route := Route{Flow: flow}
	for _, r := range set.routes {
		if r.Flow == flow {
			route, c.Called = r, r.Number
		}
	}
	s := newSim(set, route, c, a.At, fakes{})
	s.onHear = func(h heard) { fmt.Fprintf(w, "  %s  %s\n", s.now.Sub(a.At).Truncate(100*time.Millisecond), h.words) }
	s.start()
	con := &console{sim: s, w: w}
	if a.DTMF != "" {
		for _, word := range strings.Fields(a.DTMF) {
			con.line(word)
		}
		for i := 0; i < 50 && !s.ended() && !s.away(); i++ {
			s.silence()
		}
		con.where()
		return 0
	}
	con.where()
	for lines := bufio.NewScanner(in); !s.ended() && lines.Scan(); {
		con.line(strings.TrimSpace(lines.Text()))
		con.where()
	}
	return 0
}

// console turns typed lines into events.
type console struct {
	*sim
	w    io.Writer
	said string
}

func (c *console) line(s string) {
	switch {
	case c.ended() || s == "":
		c.settle()
	case s == "?":
		st := &c.m.st
		for _, k := range sortedKeys(st.frame().Vars) {
			if d := c.m.flow(); d != nil && d.vars[k] != nil && d.vars[k].secret {
				continue
			}
			fmt.Fprintf(c.w, "  %s = %s\n", k, plain(st.frame().Vars[k]))
		}
		fmt.Fprintf(c.w, "  lang %s, tags %v, attached %v\n", st.Lang, st.Tags, st.Attached)
	case strings.HasPrefix(s, "="):
		c.settle()
		if name := s[1:]; c.away() && (c.out.Exit(name) || name == ExitAfterCall) {
			c.resume(name)
		} else {
			fmt.Fprintln(c.w, "  no such result here")
		}
	case strings.HasPrefix(s, ">"):
		d, err := time.ParseDuration(s[1:])
		if err != nil || d <= 0 || d > 24*time.Hour {
			fmt.Fprintln(c.w, "  like >5m")
			return
		}
		c.advance(c.now.Add(d))
	default:
		c.keys(s)
	}
}

func (c *console) keys(s string) {
	for i := 0; i < len(s) && !c.ended(); i++ {
		switch k := s[i]; {
		case k == '.':
			c.silence()
		case k == '!':
			c.apply(c.m.hangup(c.now, EndAbandoned))
		case telephony.ValidKey(k):
			c.settle()
			_ = c.press(string(k))
		default:
			fmt.Fprintf(c.w, "  %q is no key\n", string(k))
		}
	}
}

// where says what the call waits for, if that changed.
func (c *console) where() {
	if !c.ended() && !c.away() {
		c.settle()
	}
	at := ""
	switch {
	case c.ended():
		at = fmt.Sprintf("ended: %s at %s", c.out.End, c.out.Node)
	case c.away():
		at = fmt.Sprintf("%s at %s; results: %s", c.out.Kind, c.out.Node, strings.Join(c.out.Exits, ", "))
		if c.out.Queue != nil {
			at += "; queue " + c.out.Queue.Name
		}
	default:
		at = "at " + c.m.st.frame().Node
	}
	if at != c.said {
		fmt.Fprintln(c.w, "["+at+"]")
		c.said = at
	}
}
