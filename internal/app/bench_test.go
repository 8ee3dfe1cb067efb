package app

import (
	"context"
	"slices"
	"testing"
	"time"

	"hotline/telephony/telephonytest"
)

// percentiles reports p50 and p99 in milliseconds.
func percentiles(b *testing.B, took []time.Duration) {
	slices.Sort(took)
	ms := func(p float64) float64 { return float64(took[int(float64(len(took)-1)*p)].Microseconds()) / 1000 }
	b.ReportMetric(ms(0.5), "p50-ms")
	b.ReportMetric(ms(0.99), "p99-ms")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkT5ScreenPop is INVITE out of a phone until the card is on the agent's socket: journal, look-up, queue, offer,
// card with the agent's eyes. The gate is p99 < 100 ms.
func BenchmarkT5ScreenPop(b *testing.B) {
	s := start(b)
	ctx, stop := context.WithTimeout(context.Background(), 10*time.Minute)
	defer stop()
	a := s.agent(ctx, "agent1", 440)
	p := s.phone("+79161234567")
	var took []time.Duration
	for b.Loop() {
		begin := time.Now()
		c, err := p.Call(ctx, "200", telephonytest.CallOptions{})
		s.ok(err)
		_, _, err = a.WaitOffer(ctx)
		s.ok(err)
		took = append(took, time.Since(begin))
		c.Hangup()
		s.eventually(ctx, "the agent is free again", func() bool { return len(s.calls.list()) == 0 })
		a.Forget()
	}
	percentiles(b, took)
}

// BenchmarkH7ReadyToOffer is an agent's "available" until the offer for the waiting caller is on the socket. The gate is
// p99 < 20 ms.
func BenchmarkH7ReadyToOffer(b *testing.B) {
	s := start(b)
	ctx, stop := context.WithTimeout(context.Background(), 10*time.Minute)
	defer stop()
	a := s.page(ctx, "agent1", 440)
	p := s.phone("+79161234567")
	var took []time.Duration
	for b.Loop() {
		c, err := p.Call(ctx, "200", telephonytest.CallOptions{})
		s.ok(err)
		s.eventually(ctx, "it waits", func() bool { l := s.calls.list(); return len(l) == 1 && l[0].snapshot().State == "waiting" })
		begin := time.Now()
		s.ok(a.SetState(ctx, "available", ""))
		_, _, err = a.WaitOffer(ctx)
		s.ok(err)
		took = append(took, time.Since(begin))
		c.Hangup()
		s.eventually(ctx, "it is over", func() bool { return len(s.calls.list()) == 0 })
		s.ok(a.SetState(ctx, "paused", "break"))
		a.Forget()
		pause(ctx, 120*time.Millisecond) // a page may make 20 requests a second
	}
	percentiles(b, took)
}
