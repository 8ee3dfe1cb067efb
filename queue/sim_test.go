package queue

import (
	"container/heap"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"hotline/telephony"
)

// sim drives the pure core through simulated time: callers arrive, lose patience, are answered, agents become free.
type sim struct {
	s       *state
	k       *checker // nil: only the cheap checks
	rng     *rand.Rand
	now     instant
	events  simHeap
	arrive  func(now instant) (next instant, e Entry, ok bool)
	service func() time.Duration
	ring    func() time.Duration // time to answer an offer; nil: at once
	patient func() time.Duration // nil: for ever
	todo    []effect             // offers of the last step

	came, served, left int
	calls              []simCall
	area               float64
	waitSum            float64
	hash               uint64
}

type simCall struct {
	name    telephony.CallID
	row     int64
	arrived instant
	wait    instant
	state   byte // 0 waiting, 1 served, 2 left
}

type simEvent struct {
	at    instant
	seq   int
	kind  byte // a arrival, p patience, c connected, e contact ends
	call  int
	agent string
	offer OfferID
}

type simHeap []simEvent

func (h simHeap) Len() int { return len(h) }
func (h simHeap) Less(i, j int) bool {
	return h[i].at < h[j].at || h[i].at == h[j].at && h[i].seq < h[j].seq
}
func (h simHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *simHeap) Push(x any)   { *h = append(*h, x.(simEvent)) }
func (h *simHeap) Pop() any {
	old := *h
	x := old[len(old)-1]
	*h = old[:len(old)-1]
	return x
}

func (m *sim) at(after time.Duration, e simEvent) {
	e.at, e.seq = m.now+after, m.came*4+int(e.kind)%4
	heap.Push(&m.events, e)
}

// newSim makes a core with the given queues and agents, all available.
func newSim(seed uint64, queues []Queue, agents []Agent) *sim {
	m := &sim{s: newState(5*time.Second, time.Minute, time.Minute), rng: rand.New(rand.NewPCG(seed, seed))}
	m.s.strict = true
	for i := range queues {
		m.step(event{kind: evSetQueue, queueCfg: &queues[i]})
	}
	m.step(event{kind: evSetAgents, agentCfgs: agents})
	for i := range agents {
		m.step(event{kind: evConnection, agent: agents[i].Login, conn: Online})
		m.step(event{kind: evWant, agent: agents[i].Login, want: Available})
	}
	return m
}

func (m *sim) exp(mean time.Duration) time.Duration {
	return time.Duration(m.rng.ExpFloat64() * float64(mean))
}

// step lets the core decide and reacts to what it says.
func (m *sim) step(ev event) result {
	r := m.s.step(&ev, m.now)
	if m.k != nil {
		m.k.read()
		m.k.full()
	}
	m.todo = m.todo[:0]
	for i := range m.s.out {
		fx := &m.s.out[i]
		switch fx.kind {
		case fxPlace:
			if fx.event == Offered {
				m.todo = append(m.todo, *fx)
			}
		case fxSwept, fxIllegal:
			panic("the core raised an alarm: " + fx.reason)
		}
	}
	for i := range m.todo {
		o := m.todo[i].o
		m.note(uint64(o.id), uint64(o.a.num), uint64(m.now))
		n := m.index(o.call)
		if m.ring == nil {
			m.at(0, simEvent{kind: 'c', offer: o.id, agent: o.a.login, call: n})
		} else {
			m.at(m.ring(), simEvent{kind: 'c', offer: o.id, agent: o.a.login, call: n})
		}
	}
	return r
}

func (m *sim) index(call telephony.CallID) (n int) {
	for _, b := range []byte(call[1:]) {
		n = n*10 + int(b-'0')
	}
	return n
}

// note folds a decision into the run's fingerprint.
func (m *sim) note(values ...uint64) {
	for _, v := range values {
		m.hash = (m.hash ^ v) * 1099511628211
	}
}

// waitingNow integrates the number of waiting callers.
func (m *sim) pass(to instant) {
	m.area += float64(m.came-m.served-m.left-0) * (to - m.now).Seconds()
	m.now = to
}

// run simulates until n calls have come and all are gone.
func (m *sim) run(n int) {
	m.calls = make([]simCall, 0, n)
	first, e, _ := m.arrive(m.now)
	pending := e
	m.at(first-m.now, simEvent{kind: 'a'})
	busy := 0
	for m.events.Len() > 0 || busy > 0 {
		if at, ok := m.s.timers.next(); ok && (m.events.Len() == 0 || at < m.events[0].at) {
			m.pass(at)
			m.step(event{kind: evTick})
			continue
		}
		ev := heap.Pop(&m.events).(simEvent)
		m.pass(ev.at)
		switch ev.kind {
		case 'a':
			m.arrival(pending)
			if m.came < n {
				next, e, ok := m.arrive(m.now)
				if ok {
					pending = e
					m.at(next-m.now, simEvent{kind: 'a'})
				}
			}
		case 'p':
			if c := &m.calls[ev.call]; c.state == 0 {
				m.leave(c)
			}
		case 'c':
			c := &m.calls[ev.call]
			if c.state != 0 {
				continue
			}
			if r := m.step(event{kind: evOfferConnected, offer: ev.offer}); r.err == nil {
				busy++
				c.state, c.wait = 1, m.now-c.arrived
				m.served++
				m.waitSum += c.wait.Seconds()
				m.at(m.service(), simEvent{kind: 'e', agent: ev.agent, call: ev.call})
			}
		case 'e':
			busy--
			m.step(event{kind: evContactEnded, agent: ev.agent, call: m.calls[ev.call].name})
		}
	}
}

func (m *sim) arrival(e Entry) {
	i := len(m.calls)
	e.Call = telephony.CallID(fmt.Sprint("c", i))
	m.calls = append(m.calls, simCall{name: e.Call, arrived: m.now})
	m.came++
	r := m.step(event{kind: evEnter, call: e.Call, entry: &e, since: noInstant})
	if r.err != nil {
		panic(r.err)
	}
	m.calls[i].row = r.row
	if m.patient != nil && m.calls[i].state == 0 {
		m.at(m.patient(), simEvent{kind: 'p', call: i})
	}
}

func (m *sim) leave(c *simCall) {
	m.step(event{kind: evLeave, call: c.name, row: c.row, reason: string(LeftAbandoned)})
	c.state, c.wait = 2, m.now-c.arrived
	m.left++
	m.waitSum += c.wait.Seconds()
}

// poisson makes arrivals of a constant rate into one queue.
func (m *sim) poisson(perSecond float64, e Entry) {
	m.arrive = func(now instant) (instant, Entry, bool) {
		return now + time.Duration(m.rng.ExpFloat64()/perSecond*1e9), e, true
	}
}

// accounts checks what must hold at the end: nobody inside, arrivals = served + left, L = lambda W.
func (m *sim) accounts(t testing.TB) {
	t.Helper()
	if len(m.s.waiting) != 0 || len(m.s.offers) != 0 || m.came != m.served+m.left {
		t.Errorf("%d came, %d served, %d left, %d inside, %d offers", m.came, m.served, m.left, len(m.s.waiting), len(m.s.offers))
	}
	total := Figures{}
	for _, q := range m.s.queues {
		if !q.fig.Balanced() {
			t.Errorf("figures of %s: %+v", q.cfg.Key, q.fig)
		}
		total.N += q.fig.N
		total.A += q.fig.A
		total.B += q.fig.B
	}
	if total.N != m.came || total.A != m.served || total.B != m.left {
		t.Errorf("figures %+v: %d came, %d served, %d left", total, m.came, m.served, m.left)
	}
	// Little's law with the observed rate: the area under the number waiting is the sum of the waits.
	if d := math.Abs(m.area-m.waitSum) / math.Max(1, m.waitSum); d > 0.005 {
		t.Errorf("L = lambda W is off by %.2f %%: %.1f and %.1f", 100*d, m.area, m.waitSum)
	}
}

// staff makes n agents of one queue.
func staff(n int, queue string) []Agent {
	out := make([]Agent, n)
	for i := range out {
		out[i] = Agent{Login: fmt.Sprint("a", i), Queues: []Membership{{queue, 1}}}
	}
	return out
}

// TestSimulatedCentre runs a centre with many queues, skills, priorities and rings, every invariant checked after every
// event and every choice against a naive scan.
func TestSimulatedCentre(t *testing.T) {
	for _, strategy := range []Strategy{LongestIdle, ByPriority, BySkills} {
		t.Run(string(strategy), func(t *testing.T) {
			t.Parallel()
			calls := 2000
			if raceEnabled {
				calls = 500
			}
			m := newCentre(11, 4, 24, strategy)
			m.k = newChecker(m.s)
			for login, a := range m.s.agents {
				m.k.at[login] = a.state
			}
			m.run(calls)
			m.accounts(t)
			if m.served == 0 || m.left == 0 || m.k.choices < m.served {
				t.Errorf("%d served, %d left, %d choices judged", m.served, m.left, m.k.choices)
			}
		})
	}
}

// newCentre makes a loaded centre: each agent in a third of the queues, with two of six skills.
func newCentre(seed uint64, queues, agents int, strategy Strategy) *sim {
	rng := rand.New(rand.NewPCG(seed, 1))
	var qs []Queue
	for i := range queues {
		qs = append(qs, Queue{Key: fmt.Sprint("q", i), Strategy: strategy, WrapupS: 20, Weight: i % 3})
	}
	as := make([]Agent, agents)
	for i := range as {
		as[i] = Agent{Login: fmt.Sprint("a", i), Skills: map[string]int{fmt.Sprint("s", i%6): 1 + i%3, fmt.Sprint("s", (i+1)%6): 1 + i%2}}
		for q := range queues {
			if rng.IntN(3) == 0 || q == i%queues {
				as[i].Queues = append(as[i].Queues, Membership{fmt.Sprint("q", q), rng.IntN(3)})
			}
		}
	}
	m := newSim(seed, qs, as)
	rate := float64(agents) / 200 // load near one: 180 s of talk and 20 s of wrap-up
	m.arrive = func(now instant) (instant, Entry, bool) {
		e := Entry{Queue: fmt.Sprint("q", m.rng.IntN(queues)), Priority: m.rng.IntN(10) / 8}
		if m.rng.IntN(3) == 0 {
			e.Skills = map[string]int{fmt.Sprint("s", m.rng.IntN(6)): 1 + m.rng.IntN(2)}
		}
		if m.rng.IntN(10) == 0 {
			e.Credit = m.exp(time.Minute)
		}
		return now + time.Duration(m.rng.ExpFloat64()/rate*1e9), e, true
	}
	m.service = func() time.Duration { return m.lognormal(180*time.Second, 1.2) }
	m.ring = func() time.Duration { return m.exp(3 * time.Second) }
	m.patient = func() time.Duration { return m.exp(2 * time.Minute) }
	return m
}

// lognormal has the given mean and coefficient of variation.
func (m *sim) lognormal(mean time.Duration, cv float64) time.Duration {
	s2 := math.Log(1 + cv*cv)
	return time.Duration(float64(mean) * math.Exp(m.rng.NormFloat64()*math.Sqrt(s2)-s2/2))
}

// TestFullQueueIsFair is R44: far more callers than ten agents can serve, a cap on length and on the wait. Nobody is
// overtaken (the judge looks at every choice) and everybody gets exactly one outcome.
func TestFullQueueIsFair(t *testing.T) {
	m := newSim(3, []Queue{{Key: "q", MaxLen: 200, MaxWaitS: 100, OnTimeout: PolicyCallback}}, staff(10, "q"))
	m.k = newChecker(m.s)
	full, timeouts, n := 0, 0, 10_000
	if raceEnabled {
		n = 2000
	}
	m.s.audit = m.k.audit
	for i := range n {
		m.now += 100 * time.Millisecond
		call := telephony.CallID(fmt.Sprint("c", i))
		r := m.s.step(&event{kind: evEnter, call: call, since: noInstant, entry: &Entry{Call: call, Queue: "q"}}, m.now)
		if errors.Is(r.err, ErrFull) {
			full++
		}
		for j := range m.s.out {
			if m.s.out[j].event == Timeout {
				timeouts++
			}
		}
		for id := range m.s.offers {
			m.s.step(&event{kind: evOfferConnected, offer: id}, m.now)
		}
		if i%20 == 0 { // each agent ends a talk now and then
			a := m.s.agents[fmt.Sprint("a", i/20%10)]
			m.s.step(&event{kind: evContactEnded, agent: a.login, call: a.call}, m.now)
		}
	}
	f := m.s.queues["q"].fig
	if !f.Balanced() || f.N != n || f.F != full+timeouts || f.FByReason["full"] != full || full == 0 || timeouts == 0 || f.A < n/30 {
		t.Errorf("%+v: %d refused, %d timed out", f, full, timeouts)
	}
}

// TestDay is a day of a large centre: 10 000 agents, 100 000 calls in 8 hours with two peaks, in seconds, with the same
// bits per seed.
func TestDay(t *testing.T) {
	agents, calls := 10_000, 100_000
	if raceEnabled {
		agents, calls = 300, 3000
	}
	began := time.Now()
	one := day(5, agents, calls)
	took := time.Since(began)
	one.accounts(t)
	t.Logf("%d agents, %d calls, %v of simulated time in %v", agents, calls, one.now.Round(time.Minute), took.Round(time.Millisecond))
	if two := day(5, agents, calls); two.hash != one.hash {
		t.Error("the same seed made other decisions")
	}
	if three := day(6, agents/10, calls/10); three.hash == one.hash {
		t.Error("another seed made the same decisions: the fingerprint sees nothing")
	}
}

func day(seed uint64, agents, calls int) *sim {
	m := newCentre(seed, 100, agents, BySkills)
	const length = 8 * time.Hour
	peak := func(at instant) float64 { // two peaks, 11:00 and 15:00 of a day that begins at 9:00
		h := at.Hours()
		return 0.4 + math.Exp(-(h-2)*(h-2)) + math.Exp(-(h-6)*(h-6)/2)
	}
	mean := float64(calls) / length.Seconds()
	arrive := m.arrive
	m.arrive = func(now instant) (instant, Entry, bool) {
		_, e, _ := arrive(now)
		at := now
		for { // thinning
			at += time.Duration(m.rng.ExpFloat64() / (2.2 * mean) * 1e9)
			if m.rng.Float64() < peak(at%length)/1.6 {
				return at, e, true
			}
		}
	}
	m.run(calls)
	return m
}
