package queue

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"hotline/telephony"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// centre is a running engine inside a synctest bubble.
type centre struct {
	*Engine
	t    *testing.T
	ctx  context.Context
	stop func()
}

func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

// open starts an engine with one queue "support" (changed by mod) and the agents online and available.
func open(t *testing.T, mod func(*Queue), agents ...Agent) *centre {
	t.Helper()
	q := Queue{Key: "support", WrapupS: 10}
	if mod != nil {
		mod(&q)
	}
	c := start(t, Config{Log: quiet()})
	c.must(c.SetQueues(c.ctx, []Queue{q}))
	c.must(c.SetAgents(c.ctx, agents))
	for _, a := range agents {
		c.must(c.Connection(c.ctx, a.Login, Online))
		c.must(c.SetAgentState(c.ctx, a.Login, Available, "", a.Login, Now))
	}
	return c
}

func start(t *testing.T, cfg Config) *centre {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	e := New(cfg)
	e.strict = true
	ended := make(chan error, 1)
	go func() { ended <- e.Run(ctx) }()
	c := &centre{Engine: e, t: t, ctx: ctx}
	c.stop = func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
		ended <- nil
	}
	t.Cleanup(c.stop)
	select {
	case <-e.Ready():
	case <-e.done:
	}
	return c
}

func (c *centre) must(err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
}

func (c *centre) enter(call string) *Place {
	c.t.Helper()
	p, err := c.Enter(c.ctx, Entry{Call: telephony.CallID(call), Queue: "support"})
	c.must(err)
	return p
}

// next returns the next event that is not a position.
func (c *centre) next(p *Place) Event {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.ctx, time.Hour) // of virtual time
	defer cancel()
	for {
		ev, err := p.Next(ctx)
		c.must(err)
		if ev.Kind != Position {
			return ev
		}
	}
}

func (c *centre) offer(p *Place) Offer {
	c.t.Helper()
	ev := c.next(p)
	if ev.Kind != Offered {
		c.t.Fatalf("event %+v, want an offer", ev)
	}
	return ev.Offer
}

func (c *centre) agent(login string) AgentStat {
	c.t.Helper()
	s, err := c.Snapshot(c.ctx)
	c.must(err)
	for _, a := range s.Agents {
		if a.Login == login {
			return a
		}
	}
	c.t.Fatalf("no agent %s", login)
	return AgentStat{}
}

func (c *centre) state(login string, want AgentState, reason string) {
	c.t.Helper()
	if a := c.agent(login); a.State != want || a.Reason != reason {
		c.t.Fatalf("%s is %s (%s), want %s (%s)", login, a.State, a.Reason, want, reason)
	}
}

func (c *centre) queue() QueueStat {
	c.t.Helper()
	s, err := c.Snapshot(c.ctx)
	c.must(err)
	return s.Queues[0]
}

func (c *centre) talk(p *Place) Offer {
	c.t.Helper()
	o := c.offer(p)
	c.must(c.OfferRinging(c.ctx, o.ID))
	c.must(c.OfferAccepted(c.ctx, o.ID))
	c.must(c.OfferConnected(c.ctx, o.ID))
	return o
}

func member1(login string) Agent {
	return Agent{Login: login, Queues: []Membership{{Queue: "support", Level: 1}}}
}

func TestTalkWrapUpAvailable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := open(t, nil, member1("ann"))
		defer c.stop()
		p := c.enter("c1")
		o := c.talk(p)
		c.state("ann", Talking, "")
		if _, err := p.Next(c.ctx); !errors.Is(err, ErrPlaceOver) {
			t.Fatalf("after the connection: %v", err)
		}
		time.Sleep(30 * time.Second)
		c.must(c.ContactEnded(c.ctx, o.Call, "ann"))
		c.state("ann", ACW, "")
		time.Sleep(9 * time.Second)
		c.state("ann", ACW, "")
		until, err := c.ExtendWrapUp(c.ctx, "ann", 5*time.Second)
		c.must(err)
		if d := time.Until(until); d != 6*time.Second {
			t.Fatalf("extended to %v from now", d)
		}
		time.Sleep(5 * time.Second)
		c.state("ann", ACW, "")
		time.Sleep(2 * time.Second)
		c.state("ann", Available, "")
		q := c.queue()
		if q.Today.A != 1 || q.Today.AT != 1 || !q.Today.Balanced() || *q.SL != 100 {
			t.Fatalf("figures %+v", q.Today)
		}
	})
}
