package ivr

import (
	"fmt"
	"time"

	"hotline/telephony"
)

// effect is what the machine asks the world to do, in order.
type effect struct {
	kind   effectKind
	say    utterance
	epoch  int // of the sound
	text   string
	detail string
	step   Step
	out    Outcome
	fill   []fill // prompts of out whose sound is made before it is handed over
}

// fill is a prompt of a hand-over that is still words.
type fill struct {
	into *telephony.Prompt
	say  utterance
}

type effectKind uint8

const (
	doProgress effectKind = iota
	doAnswer
	doPlay
	doStop   // the sound
	doRecord // text: start, stop, pause, resume
	doLog    // text: message, detail: error
	doTrace
	doHand // out: hand over, or end
)

// machine is the interpreter: events in, effects out. It does no input or output, starts no goroutine and reads no
// clock; the same machine runs live calls, the simulator and the tests. One goroutine owns it.
type machine struct {
	set    *Set
	st     State
	caller Caller
	env    Env

	now   time.Time // of the event in hand
	since time.Time // menu time counts from here; zero while away
	out   []effect

	action   int           // next action of `do`
	deadline time.Time     // silence ends then; zero: none
	grace    time.Duration // added to max_duration after it was reached once
	epoch    int           // of the last sound
	playing  bool
	col      collector
	keys     []typed1 // type-ahead
	last     keyMark
	swallow  byte    // a terminator typed right after the last possible digit belongs to that input
	away     Outcome // while PhaseAway
	fills    []fill  // of away
}

// typed1 is a key waiting to be used.
type typed1 struct {
	key byte
	at  time.Time
}

// keyMark remembers the last key, to hear one key once when it arrives by two ways.
type keyMark struct {
	key    byte
	source string
	at     time.Time
}

// Type-ahead and duplicate limits (section 4).
const (
	keepKeys   = 32
	keepKeyFor = 10 * time.Second
	sameKey    = 40 * time.Millisecond
	maxRepeats = 3
	maxRedo    = 3
)

func newMachine(set *Set, route Route, c Caller, env Env) *machine {
	m := &machine{set: set, caller: c, env: env}
	m.st = State{Bundle: set.hash, Route: route, Attached: map[string]string{}, QueueSince: map[string]time.Time{}, Offered: map[string]int{}}
	if f := set.flows[route.Flow]; f != nil {
		m.st.Lang = firstOf(f.languages, c.Lang, route.Lang)
		m.push(f, nil)
	} else {
		m.st.Lang = firstOf(set.languages(), c.Lang, route.Lang)
		m.st.Frames = []Frame{{Flow: route.Flow}}
		if route.Flow == "" && route.Queue != "" {
			m.st.Frames[0].Node = nodeDirect
		}
	}
	return m
}

// Nodes of runs that have no flow.
const (
	nodeDirect   = "@direct"   // a route straight to a queue
	nodeFallback = "@fallback" // the flow could not run
)

// firstOf picks the first wish that is spoken, else the first language.
func firstOf(langs []string, wish ...string) string {
	for _, w := range wish {
		for _, l := range langs {
			if l == w {
				return l
			}
		}
	}
	if len(langs) == 0 {
		return "en"
	}
	return langs[0]
}

func (m *machine) push(f *flow, params map[string]any) {
	fr := Frame{Flow: f.id, Node: f.entry, Vars: map[string]any{}}
	for name, v := range f.vars {
		fr.Vars[name] = v.def
		if p, ok := params[name]; ok {
			fr.Vars[name] = p
		}
	}
	m.st.Frames = append(m.st.Frames, fr)
}

func (m *machine) flow() *flow { return m.set.flows[m.st.frame().Flow] }
func (m *machine) root() *flow { return m.set.flows[m.st.Frames[0].Flow] }
func (m *machine) node() *node {
	if f := m.flow(); f != nil {
		return f.nodes[m.st.frame().Node]
	}
	return nil
}

func (m *machine) emit(e effect) { m.out = append(m.out, e) }

// begin takes the clock and returns a function that yields the effects.
func (m *machine) begin(now time.Time) func() []effect {
	m.now, m.out = now, nil
	if m.since.IsZero() {
		m.since = now
	}
	return func() []effect { return m.out }
}

// start enters the first node, or the node of a restored state again.
func (m *machine) start(now time.Time) []effect {
	done := m.begin(now)
	switch {
	case m.st.Phase == PhaseEnded:
		m.emit(effect{kind: doHand, out: m.final(m.st.End, "")})
	case m.st.Phase == PhaseAway:
		m.handAgain()
	case m.st.frame().Node == nodeDirect:
		m.direct()
	case m.flow() == nil || m.node() == nil:
		m.fault(fmt.Sprintf("no flow %q with a node %q", m.st.frame().Flow, m.st.frame().Node))
	default:
		m.enter(m.st.frame().Node)
	}
	return done()
}

// key: the caller pressed one.
func (m *machine) key(now time.Time, k byte, source string, at time.Time) []effect {
	done := m.begin(now)
	if at.IsZero() {
		at = now
	}
	d := at.Sub(m.last.at)
	if k == m.last.key && source != m.last.source && d < sameKey && d > -sameKey {
		return done() // section 4 rule 4: one key heard twice
	}
	m.last = keyMark{k, source, at}
	if m.st.Phase != PhaseActing && m.st.Phase != PhaseAsking {
		return done()
	}
	if at.After(now) {
		at = now // another clock: it counts as pressed now
	}
	if len(m.keys) < keepKeys {
		m.keys = append(m.keys, typed1{k, at})
	}
	switch {
	case m.st.Phase == PhaseAsking:
		m.consume()
	case m.playing: // a key cuts the say of `do` and is kept as type-ahead
		m.stop()
		m.actions()
	}
	return done()
}

// soundEnded: the sound of that epoch was played to its end. An older one is ignored.
func (m *machine) soundEnded(now time.Time, epoch int) []effect {
	done := m.begin(now)
	if !m.playing || epoch != m.epoch {
		return done()
	}
	m.playing = false
	switch m.st.Phase {
	case PhaseActing:
		m.actions()
	case PhaseAsking:
		m.listen()
	}
	return done()
}

// soundFailed: the sound of that epoch could not be played.
func (m *machine) soundFailed(now time.Time, epoch int, why string) []effect {
	done := m.begin(now)
	if !m.playing || epoch != m.epoch {
		return done()
	}
	m.playing = false
	m.fault("play: " + why)
	return done()
}

// broken: the program made a mistake in the event before. The caller goes on at on_error or in the fallback queue.
func (m *machine) broken(now time.Time) []effect {
	done := m.begin(now)
	if m.st.Phase == PhaseEnded {
		m.emit(effect{kind: doHand, out: m.final(m.st.End, "panic")})
		return done()
	}
	m.fault("panic")
	return done()
}

// tick: time has passed. The caller of the machine ticks at or after wake.
func (m *machine) tick(now time.Time) []effect {
	done := m.begin(now)
	switch {
	case m.st.Phase != PhaseActing && m.st.Phase != PhaseAsking:
	case !m.limitAt().IsZero() && !now.Before(m.limitAt()):
		m.grace += time.Minute
		m.fault("max_duration")
	case m.deadline.IsZero() || now.Before(m.deadline):
	case m.st.Phase == PhaseActing:
		m.deadline = time.Time{}
		m.actions()
	default:
		m.deadline = time.Time{}
		m.silence()
	}
	return done()
}

// wake is when the next tick is due; zero: none.
func (m *machine) wake() time.Time {
	if m.st.Phase != PhaseActing && m.st.Phase != PhaseAsking {
		return time.Time{}
	}
	limit := m.limitAt()
	if m.deadline.IsZero() || (!limit.IsZero() && limit.Before(m.deadline)) {
		return limit
	}
	return m.deadline
}

func (m *machine) limitAt() time.Time {
	f := m.root()
	if f == nil {
		return time.Time{}
	}
	return m.since.Add(f.limits.maxDuration + m.grace - m.st.Spent)
}

func (m *machine) stop() {
	if m.playing {
		m.playing = false
		m.emit(effect{kind: doStop})
	}
}

// play starts an utterance. An empty one ends at once.
func (m *machine) play(u utterance) bool {
	m.stop()
	if u.empty() {
		return false
	}
	m.epoch++
	m.playing = true
	m.emit(effect{kind: doPlay, say: u, epoch: m.epoch})
	return true
}

func (m *machine) trace(s Step) {
	s.At = m.now
	if len(m.st.Frames) > 0 {
		s.Flow, s.Node = m.st.frame().Flow, m.st.frame().Node
	}
	m.emit(effect{kind: doTrace, step: s})
}
