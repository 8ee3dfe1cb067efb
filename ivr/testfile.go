package ivr

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"hotline/telephony"
)

// testFile is one tests/*.test.yaml.
type testFile struct {
	file  string
	flow  string
	cases []testCase
}

// testCase is one test call.
type testCase struct {
	name   string
	at     pos
	caller Caller
	clock  time.Time
	fakes  fakes
	steps  []testStep
	end    string
	endAt  pos
}

// testStep is one line of the script.
type testStep struct {
	verb   string // hear, not_hear, press, silence, wait, hangup, answer, agent_hangup, exit, expect
	at     pos
	text   string
	re     *regexp.Regexp
	d      time.Duration
	expect []expectation
}

// expectation is one entry of expect.
type expectation struct {
	name string
	want string
	sub  map[string]string // attached
	list []string          // tags
	at   pos
}

var stepVerbs = []string{"hear", "not_hear", "press", "silence", "wait", "hangup", "answer", "agent_hangup", "exit", "expect"}

// testStart is the clock of a case that names none: a working day.
var testStart = time.Date(2026, 11, 20, 11, 5, 0, 0, time.UTC)

func parseTests(file string, data []byte, probs *[]Problem) *testFile {
	r := &reader{file: file, probs: probs}
	root := r.parse(data)
	if root == nil {
		return nil
	}
	m := r.fields(root, "the test file", "flow", "defaults", "cases")
	t := &testFile{file: file}
	if e, ok := m["flow"]; ok {
		t.flow, _ = r.id(e.v, "flow")
	} else {
		r.err(root, "L003", "add flow: id", "the test file names no flow")
	}
	def := testCase{clock: testStart, caller: Caller{Called: "100", From: "+79161234567", Trust: telephony.TrustAsserted}}
	r.caseFields(&def, m["defaults"].v, "defaults")
	for _, n := range r.list(m["cases"].v, "cases") {
		c := def
		c.at = r.pos(n)
		r.caseFields(&c, n, "a case")
		t.cases = append(t.cases, c)
	}
	return t
}

func (r *reader) caseFields(c *testCase, n *yaml.Node, what string) {
	m := r.fields(n, what, "name", "at", "from", "to", "lang", "trust", "fakes", "steps", "end")
	str := func(name string, into *string) {
		if e, ok := m[name]; ok {
			*into, _ = r.text(e.v, name)
		}
	}
	str("name", &c.name)
	str("from", &c.caller.From)
	str("to", &c.caller.Called)
	str("lang", &c.caller.Lang)
	trust := string(c.caller.Trust)
	str("trust", &trust)
	c.caller.Trust = telephony.Trust(trust)
	if c.caller.From == "" {
		c.caller.Anonymous, c.caller.Trust = true, telephony.TrustWithheld
	}
	if e, ok := m["at"]; ok {
		if s, ok := r.scalar(e.v, "at"); ok {
			t, err := time.Parse(time.RFC3339, s)
			if err != nil {
				r.err(e.v, "L003", "like 2026-11-20T14:05:00+03:00", "%q is not a time", s)
			} else {
				c.clock = t
			}
		}
	}
	if e, ok := m["end"]; ok {
		str("end", &c.end)
		c.endAt = r.pos(e.v)
	}
	if e, ok := m["fakes"]; ok {
		r.fakes(c, e.v)
	}
	for _, x := range r.list(m["steps"].v, "steps") {
		if s, ok := r.testStep(x); ok {
			c.steps = append(c.steps, s)
		}
	}
}

func (r *reader) fakes(c *testCase, n *yaml.Node) {
	m := r.fields(n, "fakes", "load", "queue", "customer")
	num := func(n *yaml.Node, what string) float64 {
		s, _ := r.scalar(n, what)
		v, err := strconv.ParseFloat(s, 64)
		if err != nil && s != "" {
			r.err(n, "L003", "", "%s is %q, not a number", what, s)
		}
		return v
	}
	if e, ok := m["load"]; ok {
		c.fakes.load = num(e.v, "load")
	}
	if e, ok := m["queue"]; ok {
		c.fakes.queue = map[string]QueueInfo{}
		for _, q := range r.entries(e.v, "queue") {
			info := QueueInfo{Ready: 1, LoggedIn: 1}
			f := r.fields(q.v, "queue "+q.key, "waiting", "ewt", "ready", "logged_in", "longest")
			for name, into := range map[string]*int{"waiting": &info.Waiting, "ewt": &info.EWT, "ready": &info.Ready, "logged_in": &info.LoggedIn, "longest": &info.Longest} {
				if x, ok := f[name]; ok {
					*into = int(num(x.v, name))
				}
			}
			c.fakes.queue[q.key] = info
		}
	}
	f := r.fields(m["customer"].v, "customer", "found", "id", "name", "vip", "blocked", "segment")
	for name, into := range map[string]*string{"id": &c.caller.CustomerID, "name": &c.caller.Name, "segment": &c.caller.Segment} {
		if x, ok := f[name]; ok {
			*into, _ = r.text(x.v, name)
		}
	}
	found := true
	for name, into := range map[string]*bool{"vip": &c.caller.VIP, "blocked": &c.caller.Blocked, "found": &found} {
		if x, ok := f[name]; ok {
			*into, _ = r.boolean(x.v, name)
		}
	}
	if !found {
		c.caller.CustomerID, c.caller.Name = "", ""
	}
}

func (r *reader) testStep(n *yaml.Node) (testStep, bool) {
	es := r.entries(n, "a test step")
	if len(es) != 1 {
		if n.Kind == yaml.MappingNode {
			r.err(n, "L003", "one of "+strings.Join(stepVerbs, " "), "a test step has one verb, this has %d", len(es))
		}
		return testStep{}, false
	}
	e := es[0]
	s := testStep{verb: e.key, at: r.pos(e.k)}
	ok := true
	switch e.key {
	case "hear", "not_hear":
		if s.text, ok = r.text(e.v, e.key); ok && len(s.text) > 1 && s.text[0] == '/' && s.text[len(s.text)-1] == '/' {
			re, err := regexp.Compile("(?i)" + s.text[1:len(s.text)-1])
			if err != nil {
				r.err(e.v, "L003", "", "%s is not a pattern: %v", s.text, err)
				return s, false
			}
			s.re = re
		}
	case "press":
		if s.text, ok = r.text(e.v, "press"); ok && strings.Trim(s.text, "0123456789*#") != "" {
			r.err(e.v, "L018", "", "%q are not keys", s.text)
			return s, false
		}
	case "wait":
		s.d, ok = r.positive(e.v, "wait")
	case "silence", "hangup", "agent_hangup":
		_, ok = r.boolean(e.v, e.key)
	case "answer", "exit":
		s.text, ok = r.text(e.v, e.key)
	case "expect":
		s.expect = r.expectations(e.v)
	default:
		r.unknown(e.k, "L003", "step", e.key, "a test", stepVerbs)
		return s, false
	}
	return s, ok
}

func (r *reader) expectations(n *yaml.Node) []expectation {
	valid := []string{"node", "tags", "attached", "lang", "priority", "queue"}
	var out []expectation
	for _, e := range r.entries(n, "expect") {
		x := expectation{name: e.key, at: r.pos(e.k)}
		switch {
		case e.key == "attached":
			x.sub = map[string]string{}
			for _, y := range r.entries(e.v, "attached") {
				x.sub[y.key], _ = r.scalar(y.v, y.key)
			}
		case e.key == "tags":
			for _, y := range r.list(e.v, "tags") {
				if s, ok := r.text(y, "tag"); ok {
					x.list = append(x.list, s)
				}
			}
		case slices.Contains(valid, e.key) || strings.HasPrefix(e.key, "var."):
			x.want, _ = r.scalar(e.v, e.key)
		default:
			r.unknown(e.k, "L003", "expectation", e.key, "expect", append(valid, "var.name"))
			continue
		}
		out = append(out, x)
	}
	return out
}

// run plays the case and tells the first thing that was not as written; "" when all was.
func (c *testCase) run(set *Set, flow string) (msg string, at pos, s *sim) {
	route, ok := set.Route(c.caller.Called)
	if !ok || route.Flow != flow {
		route = Route{Number: c.caller.Called, Flow: flow}
	}
	s = newSim(set, route, c.caller, c.clock, c.fakes)
	s.start()
	for _, st := range c.steps {
		if err := st.do(s); err != nil {
			return err.Error(), st.at, s
		}
	}
	if c.end == "" {
		return "", pos{}, s
	}
	for i := 0; i < 50 && !s.ended(); i++ {
		s.silence()
	}
	switch {
	case !s.ended():
		return fmt.Sprintf("the call should end %s, but it goes on at %s", c.end, s.m.st.frame().Node), c.endAt, s
	case s.out.End != c.end:
		return fmt.Sprintf("the call ended %s at %s, not %s", s.out.End, s.out.Node, c.end), c.endAt, s
	}
	return "", pos{}, s
}

// do carries out one step.
func (t testStep) do(s *sim) error {
	switch t.verb {
	case "hear":
		return s.expectHear(t)
	case "not_hear":
		s.settle()
		if i := t.find(s); i >= 0 {
			return fmt.Errorf("heard %s, which should not be: %q", t.text, s.text(s.mark))
		}
	case "press":
		return s.press(t.text)
	case "silence":
		s.silence()
	case "wait":
		s.advance(s.now.Add(t.d))
	case "hangup":
		s.apply(s.m.hangup(s.now, EndAbandoned))
	case "answer":
		s.settle()
		if !s.away() || s.out.Voicemail != nil {
			return fmt.Errorf("%s cannot answer: nobody is called at %s", t.text, s.m.st.frame().Node)
		}
		s.talk = true
	case "agent_hangup":
		if !s.talk {
			return fmt.Errorf("the agent cannot hang up: there is no talk")
		}
		s.resume(ExitAfterCall)
	case "exit":
		s.settle()
		if !s.away() || !s.out.Exit(t.text) {
			return fmt.Errorf("no exit %q at %s", t.text, s.m.st.frame().Node)
		}
		s.resume(t.text)
	case "expect":
		s.settle()
		for _, x := range t.expect {
			if err := x.check(s); err != nil {
				return err
			}
		}
	}
	return nil
}

// expectHear lets time pass until the words come, or the call waits for the caller without them.
func (s *sim) expectHear(t testStep) error {
	for {
		if i := t.find(s); i >= 0 {
			s.mark = i
			return nil
		}
		switch {
		case s.ended(), s.away() && s.out.Queue == nil:
		case s.away(): // offers come while waiting
			if n := s.next(); !n.IsZero() && len(s.offers) > 0 {
				s.pass(n)
				continue
			}
		case s.epoch != 0 || s.m.st.Phase == PhaseActing:
			s.pass(s.next())
			continue
		}
		return fmt.Errorf("did not hear %s; heard %q, and now stands at %s", t.text, s.text(s.mark), s.m.st.frame().Node)
	}
}

// find looks for the prompt or pattern since the last match; it gives the index after it, or -1.
func (t testStep) find(s *sim) int {
	if t.re == nil {
		for i := s.mark; i < len(s.heard); i++ {
			if s.heard[i].prompt == t.text {
				return i + 1
			}
		}
		return -1
	}
	for end := s.mark + 1; end <= len(s.heard); end++ {
		text := ""
		for _, h := range s.heard[s.mark:end] {
			text += h.words + " "
		}
		if t.re.MatchString(text) {
			return end
		}
	}
	return -1
}

func (x expectation) check(s *sim) error {
	st := &s.m.st
	got := ""
	switch {
	case x.name == "node":
		got = st.frame().Node
	case x.name == "lang":
		got = st.Lang
	case x.name == "priority":
		got = strconv.Itoa(st.Priority)
	case x.name == "queue":
		if s.out != nil && s.out.Queue != nil {
			got = s.out.Queue.Name
		}
	case x.name == "tags":
		for _, t := range x.list {
			if !slices.Contains(st.Tags, t) {
				return fmt.Errorf("no tag %q; there are %v", t, st.Tags)
			}
		}
		return nil
	case x.name == "attached":
		for k, v := range x.sub {
			if st.Attached[k] != v {
				return fmt.Errorf("attached %s is %q, not %q", k, st.Attached[k], v)
			}
		}
		return nil
	default:
		name := strings.TrimPrefix(x.name, "var.")
		v, ok := st.frame().Vars[name]
		if !ok {
			return fmt.Errorf("there is no variable %q", name)
		}
		got = plain(v)
	}
	if got != x.want {
		return fmt.Errorf("%s is %q, not %q", x.name, got, x.want)
	}
	return nil
}
