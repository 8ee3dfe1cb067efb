package asterisk

import (
	"context"
	"slices"
	"testing"
	"time"

	"hotline/telephony"
)

// BenchmarkA1EventLag is an event on Asterisk's side of the socket until the leg's handler has it, for keys, which go all the
// way: socket, keeper, leg, reader. Each round is a burst, one key on each of 50 calls at once. The gate is p99 < 10 ms. What
// Asterisk itself takes before the socket is in BenchmarkRecordedCall's lag (internal/e2e).
func BenchmarkA1EventLag(b *testing.B) {
	const calls = 50
	s, r := fake(b, nil, nil)
	ctx, stop := context.WithTimeout(context.Background(), 10*time.Minute)
	defer stop()
	r.ready(ctx)
	legs := make([]*Leg, calls)
	for i := range legs {
		s.Call(app, "pbx", "74951234567", "100")
		legs[i] = r.call(ctx)
		ok(b, legs[i].Answer(ctx))
	}
	type arrival struct {
		leg *Leg
		at  time.Time
		key telephony.Digit
	}
	came := make(chan arrival, calls) // one key of each call is under way
	for _, l := range legs {
		go func() { // ends with the leg, at the driver's end
			for {
				select {
				case d := <-l.Digits():
					came <- arrival{l, time.Now(), d}
				case <-l.Done():
					return
				}
			}
		}()
	}
	var took []time.Duration
	for round := 0; b.Loop(); round++ {
		key := "0123456789*#"[round%12]
		sent := map[*Leg]time.Time{}
		for _, l := range legs {
			sent[l] = time.Now()
			s.Press(l.channel, string(key))
		}
		for range calls {
			a := take(ctx, b, "a key", came)
			if a.key.Key != key {
				b.Fatalf("key %q, pressed %q", a.key.Key, key)
			}
			took = append(took, a.at.Sub(sent[a.leg]))
		}
	}
	slices.Sort(took)
	ms := func(p float64) float64 { return float64(took[int(float64(len(took)-1)*p)].Microseconds()) / 1000 }
	b.ReportMetric(ms(0.5), "p50-ms")
	b.ReportMetric(ms(0.99), "p99-ms")
	b.ReportMetric(float64(len(took))/b.Elapsed().Seconds(), "events/s")
}
