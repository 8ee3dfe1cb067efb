package ivr

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"
	"time"
)

// randomReport is what a random walk found.
type randomReport struct {
	Calls   int
	Ends    map[string]int
	Visited map[string]bool // "flow/node exit"
}

// randomEvents bounds one random call; then the caller hangs up.
const randomEvents = 400

// randomWalk makes calls with random keys, silences, hang-ups, failing sounds, queue results and clocks through every
// route of the set. It stops at the first broken promise: a panic, no known outcome, a prompt without words, a secret in
// the trace, more steps than the limit. The same seed makes the same calls.
func randomWalk(set *Set, n int, seed int64) (rep randomReport, err error) {
	rep = randomReport{Ends: map[string]int{}, Visited: map[string]bool{}}
	var routes []Route
	for _, r := range set.routes {
		if r.Flow != "" {
			routes = append(routes, r)
		}
	}
	if len(routes) == 0 {
		return rep, fmt.Errorf("no route leads to a flow")
	}
	for i := range n {
		rng := rand.New(rand.NewPCG(uint64(seed), uint64(i)))
		if err := randomCall(set, routes[i%len(routes)], rng, &rep); err != nil {
			return rep, fmt.Errorf("call %d of seed %d: %w", i, seed, err)
		}
		rep.Calls++
	}
	return rep, nil
}

func randomCall(set *Set, route Route, rng *rand.Rand, rep *randomReport) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	at := testStart.Add(time.Duration(rng.IntN(60*24*420)) * time.Minute)
	hints := hintsOf(set)
	from := "+7916" + randomKeys(rng, 7)
	if len(hints.numbers) > 0 && rng.IntN(30) == 0 {
		from = hints.numbers[rng.IntN(len(hints.numbers))]
	}
	c := Caller{From: from, Called: route.Number, Trust: "asserted", VIP: rng.IntN(5) == 0, Blocked: rng.IntN(20) == 0}
	if rng.IntN(5) == 0 {
		c = Caller{Called: route.Number, Anonymous: true, Trust: "withheld"}
	}
	f := fakes{load: rng.Float64(), queue: map[string]QueueInfo{}}
	for q := range queuesOf(set) {
		f.queue[q] = QueueInfo{Waiting: rng.IntN(20), EWT: rng.IntN(2000), Ready: rng.IntN(3), LoggedIn: rng.IntN(4)}
	}
	s := newSim(set, route, c, at, f)
	secret := ""
	var silent error
	s.onHear = func(h heard) {
		if strings.TrimSpace(h.words) == "" {
			silent = fmt.Errorf("the prompt %q at %s has no words", h.prompt, s.m.st.frame().Node)
		}
	}
	s.start()
	for range randomEvents {
		if s.ended() {
			break
		}
		secret += randomEvent(s, rng, hints)
	}
	if !s.ended() {
		s.apply(s.m.hangup(s.now, EndAbandoned))
	}
	if silent != nil {
		return silent
	}
	return judge(s, secret, rep)
}

// randomEvent lets one thing happen; it returns keys that were typed into a secret input.
func randomEvent(s *sim, rng *rand.Rand, h hints) string {
	if s.away() {
		switch k := rng.IntN(len(s.out.Exits) + 4); {
		case k < len(s.out.Exits):
			s.resume(s.out.Exits[k])
		case k == len(s.out.Exits):
			s.resume(ExitAfterCall)
		case k == len(s.out.Exits)+1 && rng.IntN(4) == 0:
			s.apply(s.m.hangup(s.now, EndAbandoned))
		default:
			s.advance(s.now.Add(time.Duration(rng.IntN(300)) * time.Second))
		}
		return ""
	}
	if in, ok := stepOf(s.m).(*inputStep); ok && !s.m.col.confirming && rng.IntN(2) == 0 {
		return s.randomPress(s.randomValue(in, rng, h))
	}
	switch k := rng.IntN(100); {
	case k < 45:
		return s.randomPress(randomKeys(rng, 1))
	case k < 55:
		return s.randomPress(randomKeys(rng, 2+rng.IntN(12)) + "#")
	case k < 75:
		s.silence()
	case k < 90:
		s.advance(s.now.Add(time.Duration(rng.IntN(8000)) * time.Millisecond))
	case k < 92 && s.epoch != 0:
		e := s.epoch
		s.epoch = 0
		s.apply(s.m.soundFailed(s.now, e, "random failure"))
	case k == 92 && rng.IntN(3) == 0:
		s.apply(s.m.hangup(s.now, EndAbandoned))
	case k == 93 && rng.IntN(3) == 0:
		s.now = s.now.Add(11 * time.Minute)
		s.apply(s.m.tick(s.now))
	default:
		s.settle()
	}
	return ""
}

func (s *sim) randomPress(keys string) string {
	in, ok := stepOf(s.m).(*inputStep)
	secret := ok && in.secret
	for i := 0; i < len(keys) && !s.ended() && !s.away(); i++ {
		s.apply(s.m.key(s.now, keys[i], "sim", s.now))
		s.now = s.now.Add(150 * time.Millisecond)
	}
	if keys = strings.TrimSuffix(keys, "#"); secret && len(keys) >= 4 {
		return keys + " "
	}
	return ""
}

// hints are what a clever caller knows: values that conditions compare with, and listed numbers.
type hints struct{ values, numbers []string }

func hintsOf(set *Set) hints {
	var h hints
	for _, f := range set.flows {
		for _, e := range f.exprs {
			for _, m := range digitLiteral.FindAllStringSubmatch(e.src, -1) {
				h.values = append(h.values, m[1])
			}
		}
	}
	slices.Sort(h.values)
	for _, id := range sortedKeys(set.lists) {
		h.numbers = append(h.numbers, sortedKeys(set.lists[id].exact)...)
	}
	return h
}

var digitLiteral = regexp.MustCompile(`'(\d{1,12})'`)

// randomValue is a value that the input may well accept.
func (s *sim) randomValue(in *inputStep, rng *rand.Rand, h hints) string {
	v := ""
	if len(h.values) > 0 && rng.IntN(3) == 0 {
		v = h.values[rng.IntN(len(h.values))]
	}
	for range 40 {
		if v != "" && in.accepts(s.m, v) {
			break
		}
		v = ""
		for range in.min + rng.IntN(in.max-in.min+1) {
			v += string('0' + byte(rng.IntN(10)))
		}
	}
	return v + in.terminator
}

func randomKeys(rng *rand.Rand, n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = "0123456789*#"[rng.IntN(12)]
	}
	return string(b)
}

// judge checks the promises over a finished call.
func judge(s *sim, secrets string, rep *randomReport) error {
	known := map[string]bool{EndCompleted: true, EndSelfService: true, EndDeflected: true, EndCallback: true, EndVoicemail: true,
		EndOverload: true, EndRejected: true, EndError: true, EndAbandoned: true, EndStopped: true}
	if !s.ended() || !known[s.out.End] {
		return fmt.Errorf("no known outcome: %+v", s.out)
	}
	if f := s.m.root(); f != nil && s.m.st.Steps > f.limits.maxSteps+52 {
		return fmt.Errorf("%d steps, the limit is %d", s.m.st.Steps, f.limits.maxSteps)
	}
	rep.Ends[s.out.End]++
	trace := strings.Join(s.logs, " ")
	for _, st := range s.steps {
		trace += " " + st.Node + " " + st.Key + " " + st.Exit
	}
	for _, p := range s.m.st.Path {
		trace += " " + p.Node + " " + p.Key + " " + p.Exit
	}
	for _, w := range strings.Fields(secrets) {
		if strings.Contains(trace, w) {
			return fmt.Errorf("keys of a secret input stand in the trace")
		}
	}
	for _, st := range s.steps {
		if st.Kind == StepLeft {
			rep.Visited[st.Flow+"/"+st.Node+" "+st.Exit] = true
		}
	}
	return nil
}

// queuesOf lists the queues that the flows name.
func queuesOf(set *Set) map[string]bool {
	out := map[string]bool{}
	for _, f := range set.flows {
		for _, n := range f.nodes {
			if q, ok := n.step.(*queueStep); ok {
				out[q.name] = true
			}
		}
	}
	return out
}

// allExits lists "flow/node exit" of the whole set.
func allExits(set *Set) []string {
	var out []string
	for _, id := range sortedKeys(set.flows) {
		f := set.flows[id]
		for _, n := range f.order {
			if _, ok := f.nodes[n].step.(*endStep); ok {
				out = append(out, id+"/"+n+" end")
				continue
			}
			if r, ok := f.nodes[n].step.(*returnStep); ok {
				out = append(out, id+"/"+n+" return "+r.name)
				continue
			}
			for _, x := range f.nodes[n].step.exits() {
				out = append(out, id+"/"+n+" "+x.name)
			}
		}
	}
	return out
}
