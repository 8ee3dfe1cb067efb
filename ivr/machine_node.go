package ivr

import (
	"fmt"
	"slices"
	"strconv"
	"time"
)

// enter goes to a node of the current frame and works until it has to wait.
func (m *machine) enter(id string) {
	fr := m.st.frame()
	fr.Node = id
	n := m.node()
	if n == nil || n.step == nil {
		m.fault("no node " + id)
		return
	}
	m.st.Steps++
	if m.st.Steps > m.root().limits.maxSteps && m.st.Faults == 0 {
		m.fault("max_steps")
		return
	}
	if m.st.Steps > m.root().limits.maxSteps+50 { // room for the error branch, then no more
		m.st.Faults++
		m.fault("max_steps")
		return
	}
	m.st.Phase, m.st.Entered, m.action = PhaseActing, m.now, 0
	m.col = collector{}
	m.st.Path = append(m.st.Path, PathStep{Flow: fr.Flow, Node: id, At: m.now})
	if len(m.st.Path) > maxPath {
		m.st.Path = slices.Delete(m.st.Path, 0, len(m.st.Path)-maxPath)
	}
	m.trace(Step{Kind: StepEntered})
	if n.step.waits() {
		m.answer()
	}
	if asks(n.step) && (len(fr.History) == 0 || fr.History[len(fr.History)-1] != id) {
		fr.History = append(fr.History, id)
		if len(fr.History) > maxHistory {
			fr.History = slices.Delete(fr.History, 0, 1)
		}
	}
	m.actions()
}

// asks tells the steps that @back goes back to.
func asks(s step) bool {
	switch s.(type) {
	case *menuStep, *inputStep, *languageStep:
		return true
	}
	return false
}

func (m *machine) answer() {
	if !m.st.Answered {
		m.st.Answered = true
		m.emit(effect{kind: doAnswer})
	}
}

// actions goes on with `do` where it stopped, then runs the step.
func (m *machine) actions() {
	m.deadline = time.Time{}
	n := m.node()
	for m.action < len(n.actions) {
		a := n.actions[m.action]
		m.action++
		switch a.kind {
		case "say":
			u := m.utter(a.say)
			if !m.st.Answered && !u.empty() {
				m.emit(effect{kind: doProgress})
			}
			if m.play(u) {
				return
			}
		case "wait":
			m.deadline = m.now.Add(a.wait)
			return
		default:
			if !m.quiet(a) {
				return
			}
		}
	}
	m.step(n)
}

// quiet runs an action that makes no sound; false: it was required, failed, and the run went elsewhere.
func (m *machine) quiet(a *action) bool {
	err := m.silentAction(a)
	if err == nil {
		return true
	}
	if a.required && m.st.Phase != PhaseEnded {
		m.fault(a.kind + ": " + err.Error())
		return false
	}
	m.emit(effect{kind: doLog, text: "action failed", detail: a.kind + ": " + err.Error()})
	return true
}

func (m *machine) silentAction(a *action) error {
	fr := m.st.frame()
	switch a.kind {
	case "set":
		for _, b := range a.binds {
			v, err := m.eval(b.val, nil)
			if err != nil {
				return err
			}
			if fr.Vars[b.name], err = typed(v, m.flow().vars[b.name].typ); err != nil {
				return err
			}
		}
	case "attach":
		for _, b := range a.binds {
			v, err := m.eval(b.val, nil)
			if err != nil {
				return err
			}
			m.st.Attached[b.name] = plain(v)
		}
	case "tag":
		for _, t := range a.tags {
			if !slices.Contains(m.st.Tags, t) {
				m.st.Tags = append(m.st.Tags, t)
			}
		}
	case "lang":
		v, err := m.eval(a.expr, nil)
		if err != nil {
			return err
		}
		l, _ := v.(string)
		if !slices.Contains(m.root().languages, l) {
			return fmt.Errorf("the flow does not speak %q", l)
		}
		m.st.Lang = l
	case "priority":
		v, err := m.eval(a.expr, nil)
		if err != nil {
			return err
		}
		m.st.Priority = int(toFloat(v))
	case "moh":
		m.st.MOH = a.text
	case "record":
		m.st.Recording = a.text
		m.emit(effect{kind: doRecord, text: a.text})
	case "log":
		m.emit(effect{kind: doLog, text: "flow says", detail: a.text})
	}
	return nil
}

// plain writes a value as text.
func plain(v any) string {
	switch x := v.(type) {
	case string:
		return x
	case int:
		return strconv.Itoa(x)
	case float64:
		return strconv.FormatFloat(x, 'f', -1, 64)
	case bool:
		return strconv.FormatBool(x)
	case time.Time:
		return x.Format(time.RFC3339)
	}
	return ""
}

// step runs the step of a node whose actions are done.
func (m *machine) step(n *node) {
	switch s := n.step.(type) {
	case *nextStep:
		m.take("next", "", s.to)
	case *switchStep:
		m.choose(s)
	case *menuStep, *inputStep, *languageStep:
		m.ask(n)
	case *hoursStep:
		switch m.set.calendarState(s.calendar, m.now) {
		case "open":
			m.take("open", "", s.open)
		case "holiday":
			if s.holiday.name != "" {
				m.take("holiday", "", s.holiday)
				return
			}
			m.take("closed", "", s.closed)
		default:
			m.take("closed", "", s.closed)
		}
	case *queueStep, *transferStep, *voicemailStep:
		m.hand(n)
	case *callStep:
		m.callSub(s)
	case *returnStep:
		m.returnFrom(s)
	case *endStep:
		m.leave("end", "")
		m.end(s.how, "")
	}
}

func (m *machine) choose(s *switchStep) {
	for i, c := range s.cases {
		v, err := m.eval(c.when, nil)
		if err != nil {
			m.fault("switch: " + err.Error())
			return
		}
		if b, _ := v.(bool); b {
			m.take(caseName(i), "", c.to)
			return
		}
	}
	m.take("else", "", s.els)
}

func (m *machine) callSub(s *callStep) {
	sub := m.set.flows[s.flow]
	if sub == nil || len(m.st.Frames) >= maxFrames {
		m.fault("call " + s.flow)
		return
	}
	params := map[string]any{}
	for _, b := range s.with {
		v, err := m.eval(b.val, nil)
		if err == nil {
			params[b.name], err = typed(v, sub.vars[b.name].typ)
		}
		if err != nil {
			m.fault("call " + s.flow + ": " + err.Error())
			return
		}
	}
	m.push(sub, params)
	m.enter(sub.entry)
}

func (m *machine) returnFrom(s *returnStep) {
	m.leave("return "+s.name, "")
	if len(m.st.Frames) < 2 {
		m.fault("return outside a sub-flow")
		return
	}
	m.st.Frames = m.st.Frames[:len(m.st.Frames)-1]
	c, ok := m.node().step.(*callStep)
	if ok {
		for _, r := range c.returns {
			if r.name == s.name {
				m.take(s.name, "", r.to)
				return
			}
		}
	}
	m.fault("return " + s.name + " is not wired")
}

// leave notes that the current node is left.
func (m *machine) leave(exit, key string) {
	fr := m.st.frame()
	for i := len(m.st.Path) - 1; i >= 0; i-- {
		if p := &m.st.Path[i]; p.Flow == fr.Flow && p.Node == fr.Node && p.Exit == "" {
			p.Exit, p.Key = exit, key
			break
		}
	}
	m.trace(Step{Kind: StepLeft, Exit: exit, Key: key, Spent: m.now.Sub(m.st.Entered)})
}

// take leaves by an exit to its target.
func (m *machine) take(exit, key string, to target) {
	m.deadline = time.Time{}
	m.stop()
	m.secretDone()
	if to.name == "@repeat" {
		m.repeat(exit, key)
		return
	}
	m.leave(exit, key)
	switch to.name {
	case "@end":
		m.end(EndCompleted, "")
	case "@back":
		m.back()
	default:
		if to.name != m.st.frame().Node {
			m.st.Repeats = 0
		}
		m.enter(to.name)
	}
}

// repeat plays the node again, three times at most; then it is left like a node that got no answer.
func (m *machine) repeat(exit, key string) {
	if m.st.Repeats < maxRepeats {
		m.st.Repeats++
		m.leave(exit, key)
		m.enter(m.st.frame().Node)
		return
	}
	m.st.Repeats = 0
	if s, ok := m.node().step.(*menuStep); ok && s.exhausted.name != "@repeat" {
		m.take("exhausted", "", s.exhausted)
		return
	}
	m.fault("@repeat more than three times")
}

// back goes to the previous node that waited for the caller, out of a sub-flow if it has none. At the very first it
// asks that one again.
func (m *machine) back() {
	fr := m.st.frame()
	if n := len(fr.History); n > 0 && fr.History[n-1] == fr.Node {
		fr.History = fr.History[:n-1]
	}
	for len(fr.History) == 0 && len(m.st.Frames) > 1 {
		m.st.Frames = m.st.Frames[:len(m.st.Frames)-1]
		fr = m.st.frame()
	}
	to := fr.Node
	if n := len(fr.History); n > 0 {
		to = fr.History[n-1]
		fr.History = fr.History[:n-1] // enter puts it back
	}
	m.st.Repeats = 0
	m.enter(to)
}
