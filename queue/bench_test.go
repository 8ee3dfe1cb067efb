package queue

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"hotline/telephony"
)

// load is a centre for measuring decisions: 20 skills, 100 queues, agents in three queues each with one of 60 skill
// profiles, half of the callers asking for a skill.
type load struct {
	s      *state
	rng    *rand.Rand
	now    instant
	logins []string
	names  []telephony.CallID // reused round
	free   []int              // names not in use
	queues []string
	skills []map[string]int
	all    []*agent
	ev     event
	entry  Entry
}

const benchWaiting = 5000

func newLoad(agents int) *load {
	l := &load{s: newState(5*time.Second, time.Minute, time.Minute), rng: rand.New(rand.NewPCG(1, 2))}
	for i := range 100 {
		l.queues = append(l.queues, fmt.Sprint("q", i))
		q := Queue{Key: l.queues[i], MaxWaitS: 600, Strategy: []Strategy{LongestIdle, BySkills, ByPriority}[i%3]}
		l.step(event{kind: evSetQueue, queueCfg: &q})
	}
	for i := range 20 {
		l.skills = append(l.skills, map[string]int{fmt.Sprint("s", i): 1})
	}
	for i := range agents {
		p := i % 60
		a := Agent{Login: fmt.Sprint("a", i), Skills: map[string]int{fmt.Sprint("s", p%20): 1 + p/20,
			fmt.Sprint("s", (p+7)%20): 1, fmt.Sprint("s", (p+13)%20): 2}}
		for range 3 {
			a.Queues = append(a.Queues, Membership{l.queues[l.rng.IntN(100)], l.rng.IntN(3)})
		}
		l.logins = append(l.logins, a.Login)
		l.step(event{kind: evSetAgents, agentCfgs: []Agent{a}})
		l.step(event{kind: evConnection, agent: a.Login, conn: Online})
	}
	for i := range agents + 2*benchWaiting {
		l.names = append(l.names, telephony.CallID(fmt.Sprint("c", i)))
		l.free = append(l.free, i)
	}
	return l
}

func (l *load) step(ev event) result {
	l.ev = ev
	l.now += time.Microsecond
	return l.s.step(&l.ev, l.now)
}

// available signs all agents on.
func (l *load) available() {
	for _, login := range l.logins {
		l.step(event{kind: evWant, agent: login, want: Available})
		l.connectAll()
	}
}

// connectAll bridges every live offer.
func (l *load) connectAll() {
	for id := range l.s.offers {
		l.step(event{kind: evOfferConnected, offer: id})
	}
}

// enter adds one caller and returns the time of that decision.
func (l *load) enter() time.Duration {
	n := l.free[len(l.free)-1]
	l.free = l.free[:len(l.free)-1]
	l.entry = Entry{Call: l.names[n], Queue: l.queues[l.rng.IntN(100)], Priority: l.rng.IntN(8) / 7}
	if l.rng.IntN(2) == 0 {
		l.entry.Skills = l.skills[l.rng.IntN(20)]
	}
	l.ev = event{kind: evEnter, call: l.entry.Call, entry: &l.entry, since: noInstant}
	l.now += time.Microsecond
	began := time.Now()
	l.s.step(&l.ev, l.now)
	return time.Since(began)
}

// end ends the talk of one agent and returns the time of that decision: the agent gets the next caller, or waits.
func (l *load) end(a *agent) time.Duration {
	l.ev = event{kind: evContactEnded, agent: a.login, call: a.call}
	l.free = append(l.free, l.index(a.call))
	l.now += time.Microsecond
	began := time.Now()
	l.s.step(&l.ev, l.now)
	return time.Since(began)
}

func (l *load) index(call telephony.CallID) (n int) {
	for _, b := range []byte(call[1:]) {
		n = n*10 + int(b-'0')
	}
	return n
}

// report prints percentiles and returns the median.
func report(b *testing.B, what string, times []time.Duration) float64 {
	slices.Sort(times)
	at := func(q float64) float64 { return float64(times[int(q*float64(len(times)-1))]) }
	b.ReportMetric(at(0.5), what+"p50-ns")
	b.ReportMetric(at(0.99), what+"p99-ns")
	b.ReportMetric(at(0.999), what+"p99.9-ns")
	return at(0.5)
}

// BenchmarkH8Decision measures single decisions at 1 000, 10 000 and 100 000 agents with 5 000 callers waiting: "busy" is
// an agent who becomes free and gets the first of all callers it can serve, "idle" a caller who comes while many agents
// are free. "growth" compares the growth of the cost from 1 000 to 100 000 agents with that of a naive scan.
func BenchmarkH8Decision(b *testing.B) {
	sizes := []int{1000, 10_000, 100_000}
	medians := map[string]map[int]float64{"busy": {}, "idle": {}, "naive": {}}
	for _, n := range sizes {
		b.Run(fmt.Sprint("busy/", n), func(b *testing.B) {
			l := newLoad(n)
			l.available()
			for l.s.free > 0 || len(l.s.waiting) < benchWaiting { // fill: every agent talks, 5 000 wait
				l.enter()
				l.connectAll()
				if len(l.free) == 0 {
					b.Fatal("out of names")
				}
			}
			times := make([]time.Duration, 0, b.N)
			b.ReportAllocs()
			b.ResetTimer()
			for range b.N {
				a := l.s.agents[l.logins[l.rng.IntN(n)]]
				if a.state != Talking {
					continue
				}
				times = append(times, l.end(a))
				l.connectAll()
				if len(l.s.waiting) < benchWaiting {
					l.enter()
					l.connectAll()
				}
			}
			b.StopTimer()
			medians["busy"][n] = report(b, "", times)
		})
	}
	for _, n := range sizes {
		b.Run(fmt.Sprint("idle/", n), func(b *testing.B) {
			l := newLoad(n)
			l.available()
			times := make([]time.Duration, 0, b.N)
			naive := make([]time.Duration, 0, b.N)
			b.ReportAllocs()
			b.ResetTimer()
			for i := range b.N {
				times = append(times, l.enter())
				for id, o := range l.s.offers {
					a := o.a
					l.step(event{kind: evOfferConnected, offer: id})
					l.end(a)
				}
				if i < 200 {
					naive = append(naive, l.scan())
				}
			}
			b.StopTimer()
			medians["idle"][n] = report(b, "", times)
			slices.Sort(naive)
			m := float64(naive[len(naive)/2])
			b.ReportMetric(m, "naive-p50-ns")
			medians["naive"][n] = m
		})
	}
	b.Run("growth", func(b *testing.B) { // not a measurement of its own: exponents of the medians above
		b.ReportMetric(0, "ns/op")
		for what, m := range medians {
			if small, large := m[sizes[0]], m[sizes[2]]; small > 0 && large > 0 {
				b.ReportMetric(math.Log(large/small)/math.Log(100), what+"-exponent")
			}
		}
	})
}

// scan is the floor: look at every agent for the one who serves a call best.
func (l *load) scan() time.Duration {
	c := &caller{q: l.s.queues[l.queues[l.rng.IntN(100)]], skills: l.skills[l.rng.IntN(20)]}
	c.line = &line{need: l.s.needOf(c.skills)}
	if len(l.all) == 0 {
		for _, login := range l.logins {
			l.all = append(l.all, l.s.agents[login])
		}
	}
	began := time.Now()
	var best *agent
	for _, a := range l.all {
		if a.pooled && a.serves(c) && (best == nil || a.idle < best.idle) {
			best = a
		}
	}
	sink = best
	return time.Since(began)
}

var sink *agent

// BenchmarkH7OfferLatency measures through the real engine: an agent becomes free with 200 callers waiting and 1 000
// agents, until the caller's goroutine holds the offer and would send its INVITE.
func BenchmarkH7OfferLatency(b *testing.B) {
	ctx, cancel := context.WithCancel(context.Background())
	e := New(Config{Log: quiet()})
	ended := make(chan error, 1)
	go func() { ended <- e.Run(ctx) }()
	defer func() { cancel(); <-ended }()
	must := func(err error) {
		if err != nil {
			b.Fatal(err)
		}
	}
	agents := staff(1000, "q")
	must(e.SetQueues(ctx, []Queue{{Key: "q"}}))
	must(e.SetAgents(ctx, agents))
	offers := make(chan Offer, 2000)
	n := 0
	enter := func() {
		n++
		p, err := e.Enter(ctx, Entry{Call: telephony.CallID(fmt.Sprint("c", n)), Queue: "q"})
		must(err)
		go func() {
			for {
				ev, err := p.Next(ctx)
				if err != nil {
					return
				}
				if ev.Kind == Offered {
					offers <- ev.Offer
				}
			}
		}()
	}
	for _, a := range agents {
		must(e.Connection(ctx, a.Login, Online))
		must(e.SetAgentState(ctx, a.Login, Available, "", a.Login, Now))
		enter()
		must(e.OfferConnected(ctx, (<-offers).ID))
	}
	for range 200 {
		enter()
	}
	busy := map[string]telephony.CallID{}
	s, err := e.Snapshot(ctx)
	must(err)
	for _, a := range s.Agents {
		busy[a.Login] = a.Call
	}
	times := make([]time.Duration, 0, b.N)
	b.ResetTimer()
	for i := range b.N {
		login := agents[i%len(agents)].Login
		began := time.Now()
		must(e.ContactEnded(ctx, busy[login], login))
		o := <-offers
		times = append(times, time.Since(began))
		must(e.OfferConnected(ctx, o.ID))
		busy[login] = o.Call
		enter()
	}
	b.StopTimer()
	report(b, "", times)
}

// BenchmarkH9Day is TestDay for the clock: 10 000 agents, 100 000 calls, 8 hours.
func BenchmarkH9Day(b *testing.B) {
	for b.Loop() {
		day(5, 10_000, 100_000).accounts(b)
	}
}

// BenchmarkQ1Reload gives 10 000 agents 50 queues each, anew, while the engine works: the longest single step is how late
// an offer may become.
func BenchmarkQ1Reload(b *testing.B) {
	l := newLoad(0)
	cfg := func(shift int) []Agent {
		agents := make([]Agent, 10_000)
		for i := range agents {
			agents[i] = Agent{Login: fmt.Sprint("a", i), Skills: map[string]int{fmt.Sprint("s", i%20): 1}}
			for q := range 50 {
				agents[i].Queues = append(agents[i].Queues, Membership{l.queues[(i+q+shift)%100], 1})
			}
		}
		return agents
	}
	var steps []time.Duration
	for n := range b.N {
		agents := cfg(n)
		for i := 0; i < len(agents); i += agentsPerMessage {
			began := time.Now()
			l.step(event{kind: evSetAgents, agentCfgs: agents[i : i+agentsPerMessage]})
			steps = append(steps, time.Since(began))
		}
		if n == 0 {
			steps = steps[:0] // the first round also signs everybody on
			for _, a := range agents {
				l.step(event{kind: evConnection, agent: a.Login, conn: Online})
				l.step(event{kind: evWant, agent: a.Login, want: Available})
			}
		}
	}
	if len(steps) > 0 {
		report(b, "step-", steps)
		b.ReportMetric(float64(steps[len(steps)-1]), "step-worst-ns")
	}
}

// BenchmarkQ3Restart rebuilds 10 000 agents, 5 000 waiting and 2 000 who talked, until the engine decides. The rows come
// from memory: reading them from PostgreSQL is measured by TestRestartKeepsPlaces only in kind.
func BenchmarkQ3Restart(b *testing.B) {
	now := time.Now()
	var sv Saved
	agents := staff(10_000, "q")
	for i, a := range agents {
		st := Available
		if i < 2000 {
			st = Talking
		}
		sv.Agents = append(sv.Agents, AgentRow{Login: a.Login, State: st, Since: now})
	}
	for i := range 5000 {
		sv.Entries = append(sv.Entries, EntryRow{ID: int64(i + 1), Call: telephony.CallID(fmt.Sprint("c", i)), Queue: "q",
			Entered: now.Add(-time.Hour + time.Duration(i)*time.Millisecond), State: EntryWaiting})
	}
	b.ResetTimer()
	for range b.N {
		s := newState(5*time.Second, time.Minute, time.Minute)
		s.restore(&sv, func(t time.Time) instant { return t.Sub(now) }, now.Add(-2*time.Hour))
		s.step(&event{kind: evSetQueue, queueCfg: &Queue{Key: "q"}}, 0)
		s.step(&event{kind: evSetAgents, agentCfgs: agents}, 0)
		for _, a := range agents {
			s.step(&event{kind: evConnection, agent: a.Login, conn: Online}, 1)
		}
		for i := range 5000 {
			s.step(&event{kind: evAdopt, call: sv.Entries[i].Call}, 2)
		}
		if len(s.offers) != 5000 {
			b.Fatalf("%d offers", len(s.offers))
		}
	}
}
