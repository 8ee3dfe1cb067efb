package e2e

import (
	"context"
	"slices"
	"testing"
	"time"

	"hotline/internal/e2e/program"
	"hotline/telephony/telephonytest"
)

// Size of BenchmarkRecordedCall: so many talks at once, held for hold, hung up one by one with parting between, their ends
// watched for clearing, all of it rounds times; resting is how long the sides are measured without calls.
const (
	talks    = 12
	hold     = 3 * time.Second
	parting  = 30 * time.Millisecond
	clearing = time.Second
	rounds   = 3
	resting  = 2 * time.Second
)

// BenchmarkRecordedCall is A1, A2 and H2 for the whole program: what a recorded talk of a queue costs and how fast it
// begins. All sides are up in one run and measured in turn; the peer is Asterisk's own Queue() with MixMonitor(), its agents
// at SIP phones. Hotline's agents are in browsers (pages) or at SIP phones as well (desks). All processes of a side count,
// the callers' and agents' ends do not.
//
//	talk-ms/s     processor time for a second of one talk, over that of the side with all agents waiting: median of the
//	              rounds; x-queue: against the peer in the same round, median of the ratios
//	hotline-ms/s  of which the program; asterisk-ms/s, database-ms/s: the others
//	ready-ms/s    for a second of all agents waiting, of both kinds, over nobody on shift
//	call-ms       for making and clearing away one call, its talk left out; x-queue-3min: a call with a talk of 3 minutes
//	setup-ms      from the caller's INVITE to its first sound at the agent's side; agents answer at once
//	lag-*-ms      from an event's time at Asterisk to the driver, upper bound of the histogram's bucket
func BenchmarkRecordedCall(b *testing.B) {
	ctx, stop := context.WithTimeout(context.Background(), 5*time.Minute)
	defer stop()
	peer, behind, native := newPeer(b), newCompany(ctx, b, program.Behind()), newCompany(ctx, b, program.Native())
	sides := []*measured{
		{name: "queue-mixmonitor", side: peer},
		{name: "asterisk-pages", side: crew{behind, pagesNumber}},
		{name: "asterisk-desks", side: crew{behind, desksNumber}},
		{name: "native-pages", side: crew{native, pagesNumber}},
		{name: "native-desks", side: crew{native, desksNumber}},
	}
	empty := during(ctx, b, resting, sides...)
	behind.shift(ctx)
	native.shift(ctx)
	ready := during(ctx, b, resting, sides...)
	for i, m := range sides {
		m.empty, m.ready = empty[i], ready[i]
	}
	for range rounds {
		for _, m := range sides {
			m.round(ctx, b)
		}
	}
	for _, m := range sides {
		m.recorded(ctx, b)
		b.Run(m.name, func(b *testing.B) { m.report(b, sides[0]) })
	}
}

// side is one of those that are compared.
type side interface {
	// call has a new caller call the queue.
	call(ctx context.Context) *telephonytest.PhoneCall
	// answered waits until an agent has taken the next call.
	answered(ctx context.Context) agentEnd
	// spent is the processor time so far, by process.
	spent() map[string]time.Duration
	// settled waits until nothing of the calls is left.
	settled(ctx context.Context)
	// recorded fails the benchmark if not every call has a whole recording.
	recorded(ctx context.Context, b *testing.B)
	// more reports figures of this side alone.
	more(b *testing.B)
}

// agentEnd is the agent's side of a talk.
type agentEnd interface {
	Packets() int
	Heard() []int16
	Amplitude(hz float64) float64
}

// measured is a side with its figures, by process, in ms of processor time per second.
type measured struct {
	name string
	side
	empty, ready map[string]float64 // with nobody on shift, and with all agents waiting
	talk         []map[string]float64
	perCall      []float64 // ms, a round each
	setup        []time.Duration
}

// during is what the sides use while d passes.
func during(ctx context.Context, b *testing.B, d time.Duration, sides ...*measured) (out []map[string]float64) {
	at := time.Now()
	var before []map[string]time.Duration
	for _, m := range sides {
		before = append(before, m.spent())
	}
	lapse(ctx, b, d)
	for i, m := range sides {
		out = append(out, rates(before[i], m.spent(), time.Since(at)))
	}
	return out
}

func lapse(ctx context.Context, b *testing.B, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
		b.Fatal("the benchmark takes too long")
	}
}

func rates(before, after map[string]time.Duration, took time.Duration) map[string]float64 {
	out := map[string]float64{}
	for name, d := range after {
		out[name] = ms(d-before[name]) / took.Seconds()
	}
	return out
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// total adds the processes up.
func total[V float64 | time.Duration](m map[string]V) (sum V) {
	for _, v := range m {
		sum += v
	}
	return sum
}

// round brings the talks up one by one, holds them and hangs up.
func (m *measured) round(ctx context.Context, b *testing.B) {
	began, first := time.Now(), total(m.spent())
	var calls []*telephonytest.PhoneCall
	var ears []agentEnd
	var since []time.Time
	for range talks {
		at := time.Now()
		calls = append(calls, m.call(ctx))
		e := m.answered(ctx)
		m.voice(ctx, b, e)
		m.setup = append(m.setup, time.Since(at))
		ears, since = append(ears, e), append(since, time.Now())
	}
	talked := 0.0 // seconds, while the others were set up
	for _, at := range since {
		talked += time.Since(at).Seconds()
	}
	made := ms(total(m.spent()) - first)
	making := time.Since(began).Seconds()

	talking := during(ctx, b, hold, m)[0]
	for i, c := range calls { // each still talks: what was measured is a talk
		if amp := c.Amplitude(agent1Hz); amp < telephonytest.Present {
			code, why := c.Why()
			b.Errorf("%s: in round %d caller %d hears the agent at %.3f (ended: %d %s)", m.name, len(m.talk)+1, i, amp, code, why)
		}
		if amp := ears[i].Amplitude(customerHz); amp < telephonytest.Present {
			b.Errorf("%s: in round %d agent %d hears the caller at %.3f", m.name, len(m.talk)+1, i, amp)
		}
	}

	began, first = time.Now(), total(m.spent())
	for _, c := range calls { // one by one, as they began
		c.Hangup()
		lapse(ctx, b, parting)
	}
	lapse(ctx, b, clearing)
	cleared, took := ms(total(m.spent())-first), time.Since(began).Seconds()
	m.settled(ctx)

	per := map[string]float64{}
	for name, v := range talking {
		per[name] = (v - m.ready[name]) / talks
	}
	m.talk = append(m.talk, per)
	idle := total(m.ready)
	m.perCall = append(m.perCall, (made-idle*making-total(per)*talked+cleared-idle*took)/talks)
}

// voice waits for the caller's first sound.
func (m *measured) voice(ctx context.Context, b *testing.B, e agentEnd) {
	ctx, stop := context.WithTimeout(ctx, 10*time.Second)
	defer stop()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for n := e.Packets(); ; {
		if now := e.Packets(); now != n { // asking what it is copies all that was heard
			n = now
			pcm := e.Heard()
			if slices.ContainsFunc(pcm[max(0, len(pcm)-160):], func(s int16) bool { return s > 4000 }) {
				return
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			b.Fatalf("%s: an agent hears nothing in round %d, call %d", m.name, len(m.talk)+1, len(m.setup)-len(m.talk)*talks+1)
		}
	}
}

// report prints the figures of a side, against the peer's in the same rounds.
func (m *measured) report(b *testing.B, peer *measured) {
	b.ReportMetric(0, "ns/op")
	var talk, x, x3 []float64
	parts := map[string][]float64{}
	for i, per := range m.talk {
		mine, theirs := total(per), total(peer.talk[i])
		talk, x = append(talk, mine), append(x, mine/theirs)
		x3 = append(x3, (m.perCall[i]+180*mine)/(peer.perCall[i]+180*theirs))
		for name, v := range per {
			parts[name] = append(parts[name], v)
		}
	}
	b.ReportMetric(median(talk), "talk-ms/s")
	b.ReportMetric(median(x), "x-queue")
	b.ReportMetric(median(x3), "x-queue-3min")
	for name, v := range parts {
		if len(parts) > 1 {
			b.ReportMetric(median(v), name+"-ms/s")
		}
	}
	b.ReportMetric(total(m.ready)-total(m.empty), "ready-ms/s")
	b.ReportMetric(median(m.perCall), "call-ms")
	slices.Sort(m.setup)
	b.ReportMetric(ms(m.setup[len(m.setup)/2]), "setup-ms")
	b.ReportMetric(ms(m.setup[len(m.setup)*9/10]), "setup-p90-ms")
	m.more(b)
}

func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	return v[len(v)/2]
}
