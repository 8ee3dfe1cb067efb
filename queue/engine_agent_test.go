package queue

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// each runs a test in a bubble of virtual time.
func each(t *testing.T, mod func(*Queue), agents []Agent, f func(c *centre)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		c := open(t, mod, agents...)
		f(c)
		c.stop()
	})
}

func TestRingTimeoutRestPause(t *testing.T) {
	each(t, func(q *Queue) { q.RingTimeoutS = 10 }, []Agent{member1("ann")}, func(c *centre) {
		p := c.enter("c1")
		o := c.offer(p)
		time.Sleep(time.Second)
		c.must(c.OfferRinging(c.ctx, o.ID)) // the ring time begins when it rings
		time.Sleep(9 * time.Second)
		c.state("ann", Ringing, "")
		ev := c.next(p)
		if ev.Kind != Withdrawn || ev.Offer.ID != o.ID || ev.Reason != string(NoAnswer) {
			t.Fatalf("%+v", ev)
		}
		<-o.Gone
		c.state("ann", Available, "missed_rest")
		if err := c.OfferAccepted(c.ctx, o.ID); !errors.Is(err, ErrOfferGone) {
			t.Fatalf("answered too late: %v", err)
		}
		time.Sleep(4 * time.Second)
		if q := c.queue(); q.Waiting != 1 || q.Available != 0 {
			t.Fatalf("offered during the rest: %+v", q)
		}
		o2 := c.offer(p) // after 5 s of rest
		if o2.ID == o.ID {
			t.Fatal("the same offer")
		}
		c.must(c.OfferFailed(c.ctx, o2.ID, Rejected)) // the second miss in a row
		c.must(c.OfferFailed(c.ctx, o2.ID, Rejected)) // idempotent
		c.state("ann", Paused, "missed")
		c.next(p)
		if q := c.queue(); q.Waiting != 1 || q.Longest != 16*time.Second {
			t.Fatalf("the caller lost the place: %+v", q)
		}
		c.must(c.SetAgentState(c.ctx, "ann", Available, "", "ann", Now))
		c.talk(p)
		if a := c.agent("ann"); a.Missed != 0 {
			t.Fatalf("%d missed after a talk", a.Missed)
		}
	})
}

// TestMissLimitByKind: a browser without heartbeat pauses after one miss, by default.
func TestMissLimitByKind(t *testing.T) {
	s := newState(time.Second, time.Minute, time.Minute)
	for _, tc := range []struct {
		kind AgentKind
		conn Connection
		cfg  int
		want int
	}{{Browser, Online, 0, 2}, {Desk, None, 0, 2}, {Desk, Online, 0, 2}, {Browser, Lost, 0, 1}, {Browser, Online, 4, 4}} {
		a := &agent{cfg: Agent{Kind: tc.kind}, conn: tc.conn}
		q := &queueState{}
		q.apply(Queue{Key: "q", MaxMissed: tc.cfg})
		if got := s.missLimit(a, q); got != tc.want {
			t.Errorf("%+v: limit %d", tc, got)
		}
	}
}

func TestNobodyEvenRings(t *testing.T) {
	each(t, nil, []Agent{member1("ann")}, func(c *centre) {
		p := c.enter("c1")
		c.offer(p)
		began := time.Now()
		if ev := c.next(p); ev.Kind != Withdrawn || ev.Reason != string(Unreachable) || time.Since(began) != 20*time.Second {
			t.Fatalf("%+v after %v", ev, time.Since(began))
		}
	})
}

func TestNoSoundIsAnError(t *testing.T) {
	each(t, nil, []Agent{member1("ann"), member1("bob")}, func(c *centre) {
		p := c.enter("c1")
		o := c.offer(p)
		c.must(c.OfferAccepted(c.ctx, o.ID))
		began := time.Now()
		if ev := c.next(p); ev.Kind != Withdrawn || ev.Reason != string(NoMedia) || time.Since(began) != 5*time.Second {
			t.Fatalf("%+v after %v", ev, time.Since(began))
		}
		c.state(o.Agent, Fault, "no_media")
		if o2 := c.offer(p); o2.Agent == o.Agent {
			t.Fatal("the same agent again")
		}
		c.must(c.AgentFixed(c.ctx, o.Agent))
		c.state(o.Agent, Available, "")
		c.must(c.AgentFault(c.ctx, o.Agent, "microphone denied"))
		c.state(o.Agent, Fault, "microphone denied")
		c.must(c.SetAgentState(c.ctx, o.Agent, Available, "", o.Agent, Now))
		c.state(o.Agent, Available, "")
	})
}

func TestNextStateSlot(t *testing.T) {
	each(t, nil, []Agent{member1("ann")}, func(c *centre) {
		o := c.talk(c.enter("c1"))
		want := func(st AgentState, reason string) {
			c.must(c.SetAgentState(c.ctx, "ann", st, reason, "ann", Now))
			c.state("ann", Talking, "")
		}
		want(Paused, "lunch")
		want(Offline, "")
		if a := c.agent("ann"); a.Next != Offline {
			t.Fatalf("next %s", a.Next)
		}
		want(Available, "") // empties it
		if a := c.agent("ann"); a.Next != "" {
			t.Fatalf("next %s", a.Next)
		}
		want(Paused, "training")
		c.must(c.ContactEnded(c.ctx, o.Call, "ann"))
		c.state("ann", ACW, "")
		time.Sleep(10 * time.Second)
		synctest.Wait()
		c.state("ann", Paused, "training")
	})
}

func TestPauseFromWrapUp(t *testing.T) {
	for mode, want := range map[WrapupMode]AgentState{WrapupTimed: Paused, WrapupOptional: Paused, WrapupFixed: ACW, WrapupUntilDone: ACW} {
		each(t, func(q *Queue) { q.WrapupMode = mode }, []Agent{member1("ann")}, func(c *centre) {
			o := c.talk(c.enter("c1"))
			c.must(c.ContactEnded(c.ctx, o.Call, "ann"))
			c.must(c.SetAgentState(c.ctx, "ann", Paused, "tea", "ann", Now))
			if a := c.agent("ann"); a.State != want {
				t.Fatalf("%s: %s", mode, a.State)
			}
			if want == Paused {
				return
			}
			err := c.WrapUpDone(c.ctx, "ann")
			if (mode == WrapupFixed) != errors.Is(err, ErrWrongState) {
				t.Fatalf("%s: done: %v", mode, err)
			}
			time.Sleep(11 * time.Second)
			synctest.Wait()
			c.state("ann", Paused, "tea")
		})
	}
}

// TestOptionalWrapUpIsSkipped: a state asked for in the talk skips optional wrap-up, and only that.
func TestOptionalWrapUpIsSkipped(t *testing.T) {
	for mode, want := range map[WrapupMode]AgentState{WrapupTimed: ACW, WrapupOptional: Paused} {
		each(t, func(q *Queue) { q.WrapupMode = mode }, []Agent{member1("ann")}, func(c *centre) {
			o := c.talk(c.enter("c1"))
			c.must(c.SetAgentState(c.ctx, "ann", Paused, "tea", "ann", AfterCall))
			c.must(c.ContactEnded(c.ctx, o.Call, "ann"))
			if a := c.agent("ann"); a.State != want {
				t.Fatalf("%s: %s", mode, a.State)
			}
		})
	}
}

func TestFailedDialReturnsToThePause(t *testing.T) {
	each(t, nil, []Agent{member1("ann")}, func(c *centre) {
		c.must(c.SetAgentState(c.ctx, "ann", Paused, "lunch", "ann", Now))
		c.must(c.Dialing(c.ctx, "d1", "ann", ""))
		c.state("ann", Dialing, "")
		c.must(c.DialFailed(c.ctx, "d1", "ann", 0))
		c.state("ann", Paused, "lunch")
		c.must(c.SetAgentState(c.ctx, "ann", Available, "", "ann", Now))
		c.must(c.Dialing(c.ctx, "d2", "ann", ""))
		p := c.enter("c1") // an agent on the phone is offered nobody
		c.must(c.Contact(c.ctx, "d2", "ann", Talking))
		c.must(c.Contact(c.ctx, "d2", "ann", Held))
		c.must(c.Contact(c.ctx, "d2", "ann", Talking))
		if err := c.Contact(c.ctx, "other", "ann", Held); err == nil {
			t.Fatal("another call's state was taken")
		}
		c.must(c.ContactEnded(c.ctx, "other", "ann")) // late event of another call: ignored
		c.state("ann", Talking, "")
		c.must(c.ContactEnded(c.ctx, "d2", "ann"))
		c.offer(p) // no wrap-up outside a queue
	})
}

// A call out that was made for a queue ends in that queue's wrap-up; one that failed does not.
func TestWrapUpOfACallOut(t *testing.T) {
	each(t, nil, []Agent{member1("ann")}, func(c *centre) {
		c.must(c.Dialing(c.ctx, "d1", "ann", "support"))
		c.must(c.DialFailed(c.ctx, "d1", "ann", 0))
		c.state("ann", Available, "")
		c.must(c.Dialing(c.ctx, "d2", "ann", "support"))
		c.must(c.Contact(c.ctx, "d2", "ann", Talking))
		c.must(c.ContactEnded(c.ctx, "d2", "ann"))
		c.state("ann", ACW, "")
		time.Sleep(10 * time.Second)
		synctest.Wait()
		c.state("ann", Available, "")
		c.must(c.Dialing(c.ctx, "d3", "ann", "no such queue"))
		c.must(c.Contact(c.ctx, "d3", "ann", Talking))
		c.must(c.ContactEnded(c.ctx, "d3", "ann"))
		c.state("ann", Available, "")
	})
}

func TestConnectionLossAndReturn(t *testing.T) {
	each(t, nil, []Agent{member1("ann"), member1("bob")}, func(c *centre) {
		c.must(c.SetAgentState(c.ctx, "bob", Paused, "lunch", "bob", Now))
		c.must(c.Connection(c.ctx, "ann", Lost))
		c.must(c.Connection(c.ctx, "bob", Lost))
		c.state("ann", LostState, "connection")
		c.state("bob", Paused, "lunch")
		if err := c.SetAgentState(c.ctx, "ann", Available, "", "ann", Now); !errors.Is(err, ErrNotConnected) {
			t.Fatalf("available without a page: %v", err)
		}
		p := c.enter("c1")
		time.Sleep(59 * time.Second)
		c.must(c.Connection(c.ctx, "ann", Online))
		o := c.talk(p)
		if o.Agent != "ann" {
			t.Fatal(o.Agent)
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		c.state("bob", Offline, "connection") // 60 s over
		// In a talk the loss only warns; the end of the talk and of wrap-up finds nobody there.
		c.must(c.Connection(c.ctx, "ann", Lost))
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		c.state("ann", Talking, "")
		c.must(c.ContactEnded(c.ctx, "c1", "ann"))
		time.Sleep(11 * time.Second)
		synctest.Wait()
		c.state("ann", LostState, "connection")
		time.Sleep(61 * time.Second)
		synctest.Wait()
		c.state("ann", Offline, "connection")
	})
}

// TestAgentLostWhileRinging: the caller goes to the next agent at once, in the same place.
func TestAgentLostWhileRinging(t *testing.T) {
	each(t, nil, []Agent{member1("ann"), member1("bob")}, func(c *centre) {
		p := c.enter("c1")
		o := c.offer(p)
		c.must(c.OfferRinging(c.ctx, o.ID))
		c.must(c.Connection(c.ctx, o.Agent, Lost))
		<-o.Gone
		if ev := c.next(p); ev.Kind != Withdrawn || ev.Reason != string(AgentLost) {
			t.Fatalf("%+v", ev)
		}
		o2 := c.offer(p)
		if o2.Agent == o.Agent {
			t.Fatal("the lost agent again")
		}
		c.state(o.Agent, LostState, "connection")
		if err := c.OfferConnected(c.ctx, o.ID); !errors.Is(err, ErrOfferGone) {
			t.Fatalf("the lost agent was bridged: %v", err)
		}
	})
}

func TestSupervisor(t *testing.T) {
	each(t, nil, []Agent{member1("ann")}, func(c *centre) {
		force := func(op ForceOp) error { return c.Force(c.ctx, "lead1", "ann", op, "meeting") }
		c.must(force(ForcePause))
		c.state("ann", Paused, "meeting")
		if a := c.agent("ann"); a.By != "lead1" {
			t.Fatalf("by %q", a.By)
		}
		c.must(force(ForceResume))
		o := c.talk(c.enter("c1"))
		c.must(force(ForceOffline))
		c.state("ann", Talking, "")
		if err := force(ForceACWEnd); !errors.Is(err, ErrWrongState) {
			t.Fatalf("%v", err)
		}
		c.must(c.ContactEnded(c.ctx, o.Call, "ann"))
		c.must(force(ForceACWEnd))
		c.state("ann", Offline, "meeting")
		if a := c.agent("ann"); a.By != "lead1" {
			t.Fatalf("by %q", a.By)
		}
		if err := c.Force(c.ctx, "lead1", "nobody", ForcePause, ""); !errors.Is(err, ErrUnknownAgent) {
			t.Fatalf("%v", err)
		}
	})
}

func TestDirectOffer(t *testing.T) {
	each(t, nil, []Agent{member1("ann"), member1("bob")}, func(c *centre) {
		p := c.enter("c1")
		first := c.talk(p)
		other := map[string]string{"ann": "bob", "bob": "ann"}[first.Agent]
		o, err := c.OfferDirect(c.ctx, "c1", other, 15*time.Second) // a consultation
		c.must(err)
		if o.Gone == nil || o.RingFor != 15*time.Second || o.Queue != "" {
			t.Fatalf("%+v", o)
		}
		if _, err := c.OfferDirect(c.ctx, "c9", other, 0); !errors.Is(err, ErrAgentBusy) {
			t.Fatalf("two calls for one agent: %v", err)
		}
		c.must(c.OfferConnected(c.ctx, o.ID))
		c.must(c.ContactEnded(c.ctx, "c1", first.Agent)) // completes the transfer
		c.must(c.Contact(c.ctx, "c1", other, LostCall))
		c.must(c.Connection(c.ctx, other, Lost))
		_, err = c.Requeue(c.ctx, "c1", other, "reconnect") // the queue still knows the talk
		c.must(err)
		c.state(other, LostState, "connection")
	})
}

// TestDerivedStates: an agent whose call is not there any more is freed; one who is in a call is not offered another.
func TestDerivedStates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var live atomic.Pointer[[]LiveCall]
		set := func(calls ...LiveCall) { live.Store(&calls) }
		set()
		c := start(t, Config{Log: quiet(), Live: func(ctx context.Context) []LiveCall { return *live.Load() }})
		c.must(c.SetQueues(c.ctx, []Queue{{Key: "support"}}))
		c.must(c.SetAgents(c.ctx, []Agent{member1("ann"), member1("bob")}))
		c.online("ann", "bob")
		o := c.talk(c.enter("c1"))
		set(LiveCall{Call: "c1", Agent: o.Agent})
		time.Sleep(30 * time.Second)
		synctest.Wait()
		c.state(o.Agent, Talking, "")
		set()
		time.Sleep(11 * time.Second)
		synctest.Wait()
		c.state(o.Agent, Available, "")
		set(LiveCall{Call: "c7", Agent: "bob"})
		time.Sleep(11 * time.Second)
		synctest.Wait()
		c.state("bob", Talking, "derived")
		c.stop()
	})
}

// TestMissesAreInARow: a talk in between starts the count anew, and who missed stands last among the idle.
func TestMissesAreInARow(t *testing.T) {
	each(t, func(q *Queue) { q.WrapupS = 0 }, []Agent{member1("ann")}, func(c *centre) {
		p := c.enter("c1")
		c.must(c.OfferFailed(c.ctx, c.offer(p).ID, NoAnswer))
		c.next(p)
		c.talk(p)
		c.must(c.ContactEnded(c.ctx, "c1", "ann"))
		p = c.enter("c2")
		c.must(c.OfferFailed(c.ctx, c.offer(p).ID, NoAnswer))
		c.state("ann", Available, "missed_rest")
	})
	each(t, nil, []Agent{member1("ann"), member1("bob"), member1("cat")}, func(c *centre) {
		time.Sleep(time.Second) // all three have been idle
		p := c.enter("c1")
		o := c.offer(p)
		c.must(c.OfferFailed(c.ctx, o.ID, Rejected))
		c.next(p)
		second := c.talk(p)
		time.Sleep(10 * time.Second)
		if third := c.offer(c.enter("c2")); third.Agent == o.Agent || third.Agent == second.Agent {
			t.Fatalf("%s missed, %s talks, and %s is offered the next", o.Agent, second.Agent, third.Agent)
		}
	})
}
