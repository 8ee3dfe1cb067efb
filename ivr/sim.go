package ivr

import (
	"fmt"
	"strings"
	"time"
)

// sim is one test call on a virtual clock: the live interpreter with a caller who is a script. Speech takes 1/15 s a
// character, so that keys pressed "during" a prompt mean something.
type sim struct {
	set    *Set
	m      *machine
	now    time.Time
	sound  time.Time // when the running sound ends
	epoch  int       // of the running sound; 0: silence
	heard  []heard
	mark   int // words before it were matched
	out    *Outcome
	offers map[string]utterance // exit -> what a waiting caller hears
	inQ    time.Time            // since when the caller waits
	talk   bool                 // connected to a person
	fakes  fakes
	steps  []Step
	logs   []string
	onHear func(heard)
}

// heard is one piece of speech.
type heard struct {
	prompt string
	words  string
}

// fakes are the world of a test call.
type fakes struct {
	load  float64
	queue map[string]QueueInfo
}

func newSim(set *Set, route Route, c Caller, at time.Time, f fakes) *sim {
	s := &sim{set: set, now: at, fakes: f}
	env := Env{
		Sys: func() Sys { return Sys{Load: f.load} },
		Queue: func(name string) QueueInfo {
			if q, ok := f.queue[name]; ok {
				return q
			}
			return QueueInfo{Ready: 1, LoggedIn: 1}
		},
	}
	s.m = newMachine(set, route, c, env)
	return s
}

func (s *sim) start() { s.apply(s.m.start(s.now)) }

func (s *sim) apply(es []effect) {
	for _, e := range es {
		switch e.kind {
		case doPlay:
			s.epoch = e.epoch
			s.sound = s.now.Add(s.hear(e.say))
		case doStop:
			s.epoch = 0
		case doTrace:
			s.steps = append(s.steps, e.step)
		case doLog:
			s.logs = append(s.logs, e.text+": "+e.detail)
		case doHand:
			s.hand(e)
		}
	}
}

// hear notes the words and tells how long they take.
func (s *sim) hear(u utterance) time.Duration {
	var d time.Duration
	for _, p := range u.pieces {
		d += p.pause
		if p.pause > 0 {
			continue
		}
		h := heard{p.prompt, p.words()}
		s.heard = append(s.heard, h)
		if s.onHear != nil {
			s.onHear(h)
		}
		d += time.Duration(len([]rune(h.words))) * time.Second / 15
	}
	return max(d, 100*time.Millisecond)
}

func (s *sim) hand(e effect) {
	out := e.out
	s.out, s.epoch, s.talk = &out, 0, false
	s.offers = map[string]utterance{}
	s.inQ = s.now
	switch {
	case out.Queue != nil:
		if q, ok := s.fakes.queue[out.Queue.Name]; ok && q.LoggedIn == 0 && out.Exit(ExitNoAgents) {
			s.resume(ExitNoAgents)
			return
		}
		for _, f := range e.fill {
			for i := range out.Queue.Offers {
				if f.into == &out.Queue.Offers[i].Prompt {
					s.offers[out.Queue.Offers[i].Exit] = f.say
				}
			}
		}
	case out.Voicemail != nil:
		for _, f := range e.fill {
			s.hear(f.say)
		}
	}
}

func (s *sim) resume(exit string) {
	s.out, s.talk = nil, false
	s.apply(s.m.resume(s.now, exit))
}

func (s *sim) ended() bool { return s.out != nil && s.out.Final() }
func (s *sim) away() bool  { return s.out != nil && !s.out.Final() }

// next is when something will happen by itself; zero: never.
func (s *sim) next() time.Time {
	if s.ended() || s.talk {
		return time.Time{}
	}
	if s.away() {
		return s.nextAway()
	}
	t := s.m.wake()
	if s.epoch != 0 && (t.IsZero() || s.sound.Before(t)) {
		return s.sound
	}
	return t
}

func (s *sim) nextAway() time.Time {
	q := s.out.Queue
	if q == nil {
		return time.Time{}
	}
	s.m.now = s.now
	var t time.Time
	if q.MaxWait > 0 {
		t = s.inQ.Add(q.MaxWait)
	}
	for _, o := range q.Offers {
		if at := q.Since.Add(o.After); s.offers[o.Exit].pieces != nil && (t.IsZero() || at.Before(t)) && s.m.offerOpen(o) {
			t = at
		}
	}
	return t
}

// advance lets time pass to t, with all that happens on the way.
func (s *sim) advance(t time.Time) {
	for {
		n := s.next()
		if n.IsZero() || n.After(t) {
			break
		}
		s.pass(n)
	}
	if s.now.Before(t) {
		s.now = t
	}
}

// pass goes to the moment n, when something is due.
func (s *sim) pass(n time.Time) {
	if s.now.Before(n) {
		s.now = n
	}
	switch {
	case s.away():
		s.passAway()
	case s.epoch != 0 && !s.now.Before(s.sound):
		e := s.epoch
		s.epoch = 0
		s.apply(s.m.soundEnded(s.now, e))
	default:
		s.apply(s.m.tick(s.now))
	}
}

func (s *sim) passAway() {
	q := s.out.Queue
	for _, o := range q.Offers {
		u := s.offers[o.Exit]
		if u.pieces != nil && !s.now.Before(q.Since.Add(o.After)) && s.m.offerOpen(o) {
			s.m.st.Offered[s.m.offerID(o)]++
			s.hear(u)
			delete(s.offers, o.Exit)
			return
		}
	}
	s.resume(ExitTimeout)
}

// settle lets sounds play until something waits for the caller.
func (s *sim) settle() {
	for !s.ended() && !s.away() && (s.epoch != 0 || s.m.st.Phase == PhaseActing) {
		n := s.next()
		if n.IsZero() {
			return
		}
		s.pass(n)
	}
}

func (s *sim) press(keys string) error {
	for i := 0; i < len(keys); i++ {
		if s.ended() {
			return fmt.Errorf("pressed %q, but the call is over", keys[i:])
		}
		if s.away() {
			s.pressAway(keys[i : i+1])
			continue
		}
		s.apply(s.m.key(s.now, keys[i], "sim", s.now))
		s.advance(s.now.Add(200 * time.Millisecond))
	}
	return nil
}

func (s *sim) pressAway(key string) {
	switch {
	case s.out.Queue != nil && !s.talk:
		for _, o := range s.out.Queue.Offers {
			if o.Key == key && !s.now.Before(s.out.Queue.Since.Add(o.After)) {
				s.resume(o.Exit)
				return
			}
		}
	case s.out.Voicemail != nil && s.out.Voicemail.Terminator == key:
		s.resume(ExitDone)
	}
}

// silence lets the caller say and press nothing until that has a consequence.
func (s *sim) silence() {
	before := s.away()
	s.settle()
	switch {
	case s.ended(), s.away() && !before: // what was said led somewhere: that is the consequence
	case s.away() && s.out.Voicemail != nil:
		s.resume(ExitEmpty)
	default:
		if n := s.next(); !n.IsZero() {
			s.pass(n)
		}
	}
	s.settle()
}

// text is all that was heard, or what came after the last match.
func (s *sim) text(from int) string {
	var b strings.Builder
	for _, h := range s.heard[from:] {
		b.WriteString(h.words + " ")
	}
	return strings.TrimSpace(b.String())
}
