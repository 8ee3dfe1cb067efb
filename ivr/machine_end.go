package ivr

import (
	"fmt"
	"time"
)

// resume goes on at the exit of a hand-over that came true.
func (m *machine) resume(now time.Time, name string) []effect {
	done := m.begin(now)
	if m.st.Phase != PhaseAway {
		m.emit(effect{kind: doLog, text: "resume of a run that is not away", detail: string(m.st.Phase) + " " + name})
		if m.st.Phase == PhaseEnded {
			m.emit(effect{kind: doHand, out: m.final(m.st.End, "")})
		}
		return done()
	}
	m.st.Phase = PhaseActing
	if m.node() == nil { // direct route or fallback
		how := EndOverload
		if m.st.frame().Node == nodeFallback {
			how = EndError
		}
		if name == ExitAfterCall {
			how = EndCompleted
		}
		m.leave(name, "")
		m.end(how, "")
		return done()
	}
	for _, x := range m.node().step.exits() {
		if x.name == name {
			m.take(name, "", x.to)
			return done()
		}
	}
	if name == ExitAfterCall { // the talk is over and the flow has nothing to add
		m.leave(name, "")
		m.end(EndCompleted, "")
		return done()
	}
	m.fault(fmt.Sprintf("no exit %q here", name))
	return done()
}

// hangup: the caller is gone. No prompt is played any more.
func (m *machine) hangup(now time.Time, how string) []effect {
	done := m.begin(now)
	if m.st.Phase == PhaseEnded {
		return done()
	}
	m.stop()
	m.trace(Step{Kind: StepHungUp, Spent: now.Sub(m.st.Entered)})
	if f := m.root(); f != nil {
		m.unwind()
		for _, a := range f.onHangup {
			m.quiet(a)
		}
	}
	m.end(how, "")
	return done()
}

// unwind drops the sub-flows, keeping the root's variables at hand.
func (m *machine) unwind() {
	if len(m.st.Frames) > 1 {
		at := m.st.frame().Node
		fl := m.st.frame().Flow
		m.st.Frames = m.st.Frames[:1]
		m.st.Frames[0].Node = at
		if fl != m.st.Frames[0].Flow {
			m.st.Frames[0].Node = fl + "." + at
		}
	}
}

// end finishes the run.
func (m *machine) end(how, detail string) {
	m.stop()
	m.deadline = time.Time{}
	m.st.Phase, m.st.End = PhaseEnded, how
	m.clock()
	m.emit(effect{kind: doHand, out: m.final(how, detail)})
}

func (m *machine) final(how, detail string) Outcome {
	o := Outcome{Kind: KindEnd, End: how, Detail: detail}
	if len(m.st.Frames) > 0 {
		o.Flow, o.Node = m.st.frame().Flow, m.st.frame().Node
	}
	return o
}

// clock books the menu time so far.
func (m *machine) clock() {
	if !m.since.IsZero() {
		m.st.Spent += m.now.Sub(m.since)
		m.since = time.Time{}
	}
}

// fault is section 3's "errors": the first goes to on_error, the second to the fallback queue.
func (m *machine) fault(why string) {
	m.stop()
	m.deadline = time.Time{}
	m.keys = nil
	m.st.Faults++
	m.secretDone()
	m.trace(Step{Kind: StepError})
	m.emit(effect{kind: doLog, text: "flow error", detail: why})
	f := m.root()
	if m.st.Faults == 1 && f != nil && f.nodes[f.onError] != nil {
		m.leave("on_error", "")
		m.st.Frames = m.st.Frames[:1]
		m.enter(f.onError)
		return
	}
	m.leave("fallback", "")
	if m.st.Route.FallbackQueue == "" || m.st.frame().Node == nodeFallback {
		m.end(EndError, why)
		return
	}
	m.st.Frames = []Frame{{Flow: m.st.Frames[0].Flow, Node: nodeFallback}}
	m.handQueue(&QueueReq{Name: m.st.Route.FallbackQueue, Fallback: true, MOH: m.set.Music(m.st.MOH)}, []string{ExitTimeout, ExitFull, ExitNoAgents})
}
