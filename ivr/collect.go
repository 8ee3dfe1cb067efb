package ivr

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// collector is digit collection, one definition for all steps (section 4).
type collector struct {
	buf        []byte
	errors     int // invalid and noinput share this counter
	redo       int
	confirming bool
	pausedRec  bool
	set        collectSet
}

// collectSet is the settled settings of the step in hand.
type collectSet struct {
	timeout, interDigit time.Duration
	retries             int
	bargeIn, typeAhead  bool
}

// Defaults of section 4.
const (
	defaultTimeout    = 5 * time.Second
	defaultInterDigit = 3 * time.Second
	defaultRetries    = 2
)

func deref[T any](def T, ps ...*T) T {
	for _, p := range ps {
		if p != nil {
			return *p
		}
	}
	return def
}

func settle(step, flow collectDefaults) collectSet {
	return collectSet{
		timeout:    deref(defaultTimeout, step.timeout, flow.timeout),
		interDigit: deref(defaultInterDigit, step.interDigit, flow.interDigit),
		retries:    deref(defaultRetries, step.retries, flow.retries),
		bargeIn:    deref(true, step.bargeIn, flow.bargeIn),
		typeAhead:  deref(true, step.typeAhead, flow.typeAhead),
	}
}

// ask begins a step that collects keys. A sub-flow has the settings of its root where its own are silent.
func (m *machine) ask(n *node) {
	var own collectDefaults
	switch s := n.step.(type) {
	case *menuStep:
		own = s.set
	case *inputStep:
		own = s.set
		if s.secret && (m.st.Recording == "start" || m.st.Recording == "resume") {
			m.col.pausedRec = true
			m.emit(effect{kind: doRecord, text: "pause"})
		}
	case *languageStep:
		if s.remember && slices.ContainsFunc(s.keys, func(k keyTarget) bool { return k.to.name == m.caller.Lang }) {
			m.st.Lang = m.caller.Lang // remembered: not asked
			m.take("next", "", s.next)
			return
		}
	}
	m.col.set = settle(own, m.flow().input)
	if m.flow().sub {
		m.col.set = settle(own, mergeDefaults(m.flow().input, m.root().input))
	}
	if !m.col.set.typeAhead {
		m.keys = nil
	}
	m.st.Phase = PhaseAsking
	m.prompt(m.mainPrompt())
}

func mergeDefaults(a, b collectDefaults) collectDefaults {
	return collectDefaults{cmp.Or(a.timeout, b.timeout), cmp.Or(a.interDigit, b.interDigit), cmp.Or(a.retries, b.retries),
		cmp.Or(a.bargeIn, b.bargeIn), cmp.Or(a.typeAhead, b.typeAhead)}
}

func (m *machine) mainPrompt() sayList {
	switch s := m.node().step.(type) {
	case *menuStep:
		return s.prompt
	case *inputStep:
		if m.col.confirming {
			return s.confirm.prompt
		}
		return s.prompt
	case *languageStep:
		return s.prompt
	}
	return nil
}

// prompt plays and opens the collector from the first sample. Keys typed ahead act before anything is heard.
func (m *machine) prompt(lists ...sayList) {
	m.col.buf = nil
	m.deadline = time.Time{}
	m.dropOld()
	if len(m.keys) > 0 && m.col.set.bargeIn {
		m.playing = false
		m.deadline = m.now.Add(m.col.set.timeout)
		m.consume()
		return
	}
	if !m.play(m.utter(lists...)) {
		m.listen()
	}
}

// listen: the prompt is over; silence counts from now.
func (m *machine) listen() {
	m.deadline = m.now.Add(m.col.set.timeout)
	m.consume()
}

func (m *machine) dropOld() {
	m.keys = slices.DeleteFunc(m.keys, func(k typed1) bool { return m.now.Sub(k.at) > keepKeyFor })
}

// consume uses the keys that wait, as far as the step takes them.
func (m *machine) consume() {
	m.dropOld()
	for len(m.keys) > 0 && m.st.Phase == PhaseAsking {
		if m.playing && !m.col.set.bargeIn {
			if !m.col.set.typeAhead {
				m.keys = nil
			}
			return
		}
		k := m.keys[0].key
		m.keys = m.keys[1:]
		if m.swallow != 0 {
			same := m.swallow == k
			m.swallow = 0
			if same {
				continue
			}
		}
		m.stop()
		m.use(k)
	}
}

// use gives one key to the step.
func (m *machine) use(k byte) {
	key := string(k)
	switch s := m.node().step.(type) {
	case *menuStep:
		for _, list := range [][]keyTarget{s.keys, m.root().keys} {
			for i := range list {
				if list[i].key == key {
					m.trace(Step{Kind: StepKey, Key: key})
					m.press(list[i], slices.ContainsFunc(s.keys, func(t keyTarget) bool { return t.key == key }))
					return
				}
			}
		}
		m.wrong(StepInvalid, s.invalid)
	case *languageStep:
		for _, t := range s.keys {
			if t.key == key {
				m.trace(Step{Kind: StepKey, Key: key})
				m.st.Lang, m.st.LangChosen = t.to.name, s.remember
				m.take("next", key, s.next)
				return
			}
		}
		m.trace(Step{Kind: StepInvalid})
		m.st.Lang = s.def
		m.take("next", "", s.next)
	case *inputStep:
		if m.col.confirming {
			m.confirmKey(s, key)
		} else {
			m.digit(s, k)
		}
	}
}

// press follows a menu key. A global key's node belongs to the root flow, so it leaves the sub-flows.
func (m *machine) press(t keyTarget, own bool) {
	if own || t.to.builtin() || len(m.st.Frames) == 1 {
		m.take("key "+t.key, t.key, t.to)
		return
	}
	m.leave("key "+t.key, t.key)
	m.st.Frames = m.st.Frames[:1]
	m.st.Repeats = 0
	m.enter(t.to.name)
}

func (m *machine) digit(s *inputStep, k byte) {
	key := string(k)
	switch {
	case key == s.terminator && len(m.col.buf) == 0: // rule 2
		m.wrong(StepTimeout, s.noinput)
	case key == s.terminator:
		m.complete(s)
	case s.pattern == nil && (k < '0' || k > '9'):
		m.wrong(StepInvalid, s.invalid)
	default:
		m.col.buf = append(m.col.buf, k)
		m.deadline = m.now.Add(m.col.set.interDigit)
		if len(m.col.buf) >= s.max {
			if s.terminator != "" {
				m.swallow = s.terminator[0]
			}
			m.complete(s)
		}
	}
}

// complete judges what was typed.
func (m *machine) complete(s *inputStep) {
	v := string(m.col.buf)
	m.col.buf = nil
	ok, err := s.judge(m, v)
	if err != nil {
		m.fault("check: evaluation")
		return
	}
	if !ok {
		m.wrong(StepInvalid, s.invalid)
		return
	}
	m.st.frame().Vars[s.into] = v
	if s.confirm == nil {
		m.take("ok", "", s.ok)
		return
	}
	m.col.confirming = true
	m.prompt(s.confirm.prompt)
}

// judge tells whether a value fits: length or pattern, and check.
func (s *inputStep) judge(m *machine, v string) (bool, error) {
	ok := len(v) >= s.min && len(v) <= s.max
	if s.pattern != nil {
		ok = s.pattern.re.MatchString(v)
	}
	if !ok || s.check == nil {
		return ok, nil
	}
	res, err := m.eval(s.check, &v)
	ok, _ = res.(bool)
	return ok, err
}

func (s *inputStep) accepts(m *machine, v string) bool {
	ok, err := s.judge(m, v)
	return ok && err == nil
}

func (m *machine) confirmKey(s *inputStep, key string) {
	switch key {
	case s.confirm.accept:
		m.take("ok", "", s.ok)
	case s.confirm.redo:
		m.col.redo++
		if m.col.redo > maxRedo {
			m.take("exhausted", "", s.exhausted)
			return
		}
		m.col.confirming = false
		m.st.frame().Vars[s.into] = m.flow().vars[s.into].def
		m.prompt(s.prompt)
	default:
		m.wrong(StepInvalid, s.invalid)
	}
}

// silence: the time for the next key has passed.
func (m *machine) silence() {
	m.swallow = 0
	switch s := m.node().step.(type) {
	case *menuStep:
		m.wrong(StepTimeout, s.noinput)
	case *languageStep:
		m.trace(Step{Kind: StepTimeout})
		m.st.Lang = s.def
		m.take("next", "", s.next)
	case *inputStep:
		switch {
		case m.col.confirming || len(m.col.buf) == 0:
			m.wrong(StepTimeout, s.noinput)
		default: // complete judges the length: below min it is invalid
			m.complete(s)
		}
	}
}

// wrong counts an error, says its text and asks again, or leaves by exhausted. What was typed ahead belonged to a
// dialogue that did not happen, so it is dropped.
func (m *machine) wrong(kind StepKind, text sayList) {
	m.trace(Step{Kind: kind})
	m.keys = nil
	m.col.errors++
	var again sayList
	var exhausted target
	switch s := m.node().step.(type) {
	case *menuStep:
		exhausted, again = s.exhausted, s.prompt
		if len(s.short) > 0 {
			again = s.short
		}
	case *inputStep:
		exhausted, again = s.exhausted, m.mainPrompt()
	}
	if m.col.errors > m.col.set.retries {
		m.take("exhausted", "", exhausted)
		return
	}
	m.prompt(text, again)
}

// secretDone resumes a recording that was paused for a secret input.
func (m *machine) secretDone() {
	if m.col.pausedRec {
		m.col.pausedRec = false
		m.emit(effect{kind: doRecord, text: "resume"})
	}
}

// keyNames lists the keys of a list, for graphs.
func keyNames(ks []keyTarget) string {
	var out []string
	for _, k := range ks {
		out = append(out, k.key)
	}
	return strings.Join(out, " ")
}
