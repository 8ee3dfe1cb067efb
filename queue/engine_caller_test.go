package queue

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"hotline/telephony"
)

func TestOrderOfCallers(t *testing.T) {
	each(t, func(q *Queue) { q.WrapupS = 0 }, []Agent{member1("ann")}, func(c *centre) {
		busy := c.talk(c.enter("busy"))
		places := map[telephony.CallID]*Place{}
		for _, e := range []Entry{
			{Call: "first"}, {Call: "second"}, {Call: "credit", Credit: time.Hour}, {Call: "vip", Priority: 1},
			{Call: "reconnect", Front: true}, {Call: "vip2", Priority: 1},
		} {
			time.Sleep(time.Second)
			e.Queue = "support"
			p, err := c.Enter(c.ctx, e)
			c.must(err)
			places[e.Call] = p
		}
		if _, err := c.Enter(c.ctx, Entry{Call: "vip", Queue: "support"}); !errors.Is(err, ErrAlreadyWaiting) {
			t.Fatalf("entered twice: %v", err)
		}
		c.must(c.SetPriority(c.ctx, "second", 2, "lead1", "angry"))
		want := []telephony.CallID{"reconnect", "second", "vip", "vip2", "credit", "first"}
		s, err := c.Snapshot(c.ctx)
		c.must(err)
		for i, w := range s.Waiting {
			if w.Call != want[i] || w.Position != i+1 {
				t.Errorf("place %d: %s (%d), want %s", i+1, w.Call, w.Position, want[i])
			}
		}
		last := busy.Call
		for _, call := range want {
			c.must(c.ContactEnded(c.ctx, last, "ann"))
			c.talk(places[call])
			last = call
		}
	})
}

// TestPositionsNeverGrow: who is overtaken hears the old number until the true one is smaller.
func TestPositionsNeverGrow(t *testing.T) {
	each(t, nil, nil, func(c *centre) {
		c.enter("c1")
		p := c.enter("c2")
		position := func() int {
			ctx, cancel := context.WithTimeout(c.ctx, 3*time.Second)
			defer cancel()
			ev, err := p.Next(ctx)
			if err != nil {
				return 0
			}
			return ev.Position
		}
		if n := position(); n != 2 {
			t.Fatalf("position %d", n)
		}
		vip, err := c.Enter(c.ctx, Entry{Call: "vip", Queue: "support", Priority: 9})
		c.must(err)
		if n := position(); n != 0 {
			t.Fatalf("told %d after being overtaken", n)
		}
		vip.Leave(LeftAbandoned)
		if n := position(); n != 0 {
			t.Fatalf("told %d again", n)
		}
		c.must(c.Remove(c.ctx, "c1", "lead1", "test"))
		if n := position(); n != 1 {
			t.Fatalf("position %d at the head", n)
		}
	})
}

// TestHangUpAtTheInstantOfTheOffer forces both orders of the race: the hang-up before the offer is read, and a bridge
// that comes after it. Nobody is bridged to a caller who left, the agent is free at once and keeps the place in line.
func TestHangUpAtTheInstantOfTheOffer(t *testing.T) {
	each(t, nil, []Agent{member1("ann")}, func(c *centre) {
		p := c.enter("c1") // the offer exists when Enter returns
		p.Leave(LeftAbandoned)
		c.state("ann", Available, "")
		if ev, err := p.Next(c.ctx); !errors.Is(err, ErrPlaceOver) {
			t.Fatalf("a dead offer was delivered: %+v %v", ev, err)
		}
		p = c.enter("c2")
		o := c.offer(p)
		p.Leave(LeftAbandoned)
		p.Leave(LeftAbandoned) // idempotent
		<-o.Gone
		for _, f := range []func(context.Context, OfferID) error{c.OfferRinging, c.OfferAccepted, c.OfferConnected} {
			if err := f(c.ctx, o.ID); !errors.Is(err, ErrOfferGone) {
				t.Fatalf("after the hang-up: %v", err)
			}
		}
		c.must(c.OfferFailed(c.ctx, o.ID, CallerLeft))
		q := c.queue()
		if q.Today.B != 2 || q.Today.BS != 2 || q.Available != 1 || q.Waiting != 0 {
			t.Fatalf("%+v", q)
		}
		if a := c.agent("ann"); a.Missed != 0 {
			t.Fatal("the hang-up counted as a miss")
		}
	})
}

func TestRequeueGoesToTheHead(t *testing.T) {
	each(t, nil, []Agent{member1("ann"), member1("bob")}, func(c *centre) {
		a := c.talk(c.enter("c1")).Agent
		b := c.talk(c.enter("c2")).Agent
		vip, err := c.Enter(c.ctx, Entry{Call: "vip", Queue: "support", Priority: MaxPriority})
		c.must(err)
		time.Sleep(time.Minute)
		c.must(c.Contact(c.ctx, "c1", a, LostCall))
		c.must(c.Connection(c.ctx, a, Lost))
		p, err := c.Requeue(c.ctx, "c1", a, "reconnect")
		c.must(err)
		c.state(a, LostState, "connection")
		s, err := c.Snapshot(c.ctx)
		c.must(err)
		if w := s.Waiting[0]; w.Call != "c1" || w.Tag != "reconnect" {
			t.Fatalf("head %+v", w)
		}
		time.Sleep(10 * time.Second)
		c.must(c.Connection(c.ctx, a, Online))
		if o := c.talk(p); o.Agent != a {
			t.Fatalf("got %s", o.Agent)
		}
		c.must(c.ContactEnded(c.ctx, "c2", b))
		c.must(c.WrapUpDone(c.ctx, b))
		c.talk(vip)
		if f := c.queue().Today; f.N != 4 || f.A != 4 || !f.Balanced() {
			t.Fatalf("%+v", f)
		}
	})
}

// TestLostCallWithPage: sound is gone but the page is there: an error with its reason, not "lost".
func TestLostCallWithPage(t *testing.T) {
	each(t, nil, []Agent{member1("ann")}, func(c *centre) {
		c.talk(c.enter("c1"))
		c.must(c.Contact(c.ctx, "c1", "ann", LostCall))
		p, err := c.Requeue(c.ctx, "c1", "ann", "reconnect")
		c.must(err)
		c.state("ann", Fault, "media_lost")
		c.must(c.AgentFixed(c.ctx, "ann"))
		c.talk(p)
		if _, err := c.Requeue(c.ctx, "other", "ann", ""); !errors.Is(err, ErrUnknownCall) {
			t.Fatal(err)
		}
	})
}

func TestPreferredAgent(t *testing.T) {
	each(t, nil, []Agent{member1("ann"), member1("bob")}, func(c *centre) {
		prefer := func(call string) Offer {
			p, err := c.Enter(c.ctx, Entry{Call: telephony.CallID(call), Queue: "support", Prefer: "bob"})
			c.must(err)
			return c.talk(p)
		}
		if o := prefer("c1"); o.Agent != "bob" { // ann is idle longest
			t.Fatalf("got %s", o.Agent)
		}
		if o := prefer("c2"); o.Agent != "ann" { // bob talks: nobody waits for him while ann is free
			t.Fatalf("got %s", o.Agent)
		}
		early := c.enter("c3")
		p, err := c.Enter(c.ctx, Entry{Call: "c4", Queue: "support", Prefer: "bob"})
		c.must(err)
		c.must(c.ContactEnded(c.ctx, "c1", "bob"))
		c.must(c.WrapUpDone(c.ctx, "bob"))
		c.talk(p)
		c.must(c.ContactEnded(c.ctx, "c4", "bob"))
		_, err = c.Enter(c.ctx, Entry{Call: "c5", Queue: "support", Prefer: "bob"})
		c.must(err)
		_, err = c.ExtendWrapUp(c.ctx, "bob", PreferFor)
		c.must(err) // the preference is over before wrap-up
		c.offer(early)
	})
}

func TestOutcomesOfTheQueue(t *testing.T) {
	mod := func(q *Queue) {
		q.MaxWaitS, q.MaxLen, q.OnTimeout, q.OnNoAgents, q.OnFull = 60, 2, PolicyVoicemail, PolicyCallback, PolicyHangup
	}
	each(t, mod, []Agent{member1("ann")}, func(c *centre) {
		enter := func(call telephony.CallID, queue string, skills map[string]int) error {
			_, err := c.Enter(c.ctx, Entry{Call: call, Queue: queue, Skills: skills})
			return err
		}
		if err := enter("x0", "support", map[string]int{"latin": 1}); !errors.Is(err, ErrNoAgents) {
			t.Fatalf("nobody speaks latin: %v", err)
		}
		if err := enter("x1", "nowhere", nil); !errors.Is(err, ErrUnknownQueue) {
			t.Fatal(err)
		}
		c.must(c.SetAgentState(c.ctx, "ann", Paused, "lunch", "ann", Now)) // paused is signed on
		p1 := c.enter("c1")
		time.Sleep(30 * time.Second)
		p2 := c.enter("c2")
		if err := enter("x2", "support", nil); !errors.Is(err, ErrFull) {
			t.Fatal(err)
		}
		if ev := c.next(p1); ev.Kind != Timeout || ev.Do != PolicyVoicemail {
			t.Fatalf("%+v", ev)
		}
		if _, err := p1.Next(c.ctx); !errors.Is(err, ErrPlaceOver) {
			t.Fatal(err)
		}
		c.must(c.SetAgentState(c.ctx, "ann", Offline, "", "ann", Now))
		if ev := c.next(p2); ev.Kind != NoAgents || ev.Do != PolicyCallback {
			t.Fatalf("%+v", ev)
		}
		if err := enter("x3", "support", nil); !errors.Is(err, ErrNoAgents) {
			t.Fatal(err)
		}
		f := c.queue().Today
		want := map[string]int{"full": 1, "no_agents": 3, "timeout": 1}
		if f.N != 5 || f.F != 5 || !f.Balanced() || fmt.Sprint(f.FByReason) != fmt.Sprint(want) {
			t.Fatalf("%+v", f)
		}
	})
}

// TestTimeoutLetsItRing: max_wait that passes while a phone rings applies only if that ring fails.
func TestTimeoutLetsItRing(t *testing.T) {
	each(t, func(q *Queue) { q.MaxWaitS = 10 }, []Agent{member1("ann")}, func(c *centre) {
		p := c.enter("c1")
		o := c.offer(p)
		time.Sleep(15 * time.Second)
		c.must(c.OfferConnected(c.ctx, o.ID))
		p = c.enter("c2")
		c.must(c.ContactEnded(c.ctx, "c1", "ann"))
		c.must(c.WrapUpDone(c.ctx, "ann"))
		o = c.offer(p)
		time.Sleep(15 * time.Second)
		c.must(c.OfferFailed(c.ctx, o.ID, NoAnswer))
		c.next(p)
		if ev := c.next(p); ev.Kind != Timeout {
			t.Fatalf("%+v", ev)
		}
	})
}

func TestSupervisorMovesCalls(t *testing.T) {
	each(t, func(q *Queue) { q.WrapupS = 0 }, []Agent{member1("ann")}, func(c *centre) {
		c.must(c.SetQueues(c.ctx, []Queue{{Key: "support"}, {Key: "sales"}}))
		c.must(c.SetAgents(c.ctx, []Agent{member1("ann"), {Login: "sam", Queues: []Membership{{"sales", 1}}}}))
		busy := c.talk(c.enter("busy"))
		p1, p2 := c.enter("c1"), c.enter("c2")
		time.Sleep(10 * time.Second)
		c.must(c.Move(c.ctx, "c2", "", true, "lead1", "escalation"))
		c.must(c.ContactEnded(c.ctx, busy.Call, "ann"))
		o := c.offer(p2)
		c.must(c.Move(c.ctx, "c2", "sales", false, "lead1", "wrong queue")) // while it rings
		if ev := c.next(p2); ev.Kind != Withdrawn {
			t.Fatalf("%+v", ev)
		}
		if ev := c.next(p2); ev.Kind != Moved || ev.Queue != "sales" {
			t.Fatalf("%+v", ev)
		}
		<-o.Gone
		if o := c.offer(p1); o.Agent != "ann" {
			t.Fatalf("%+v", o)
		}
		c.online("sam")
		if o := c.offer(p2); o.Agent != "sam" || o.Queue != "sales" {
			t.Fatalf("%+v", o)
		}
		c.must(c.SetAgentState(c.ctx, "sam", Paused, "x", "sam", Now)) // into the slot
		p3 := c.enter("c3")
		if err := c.Pull(c.ctx, "c3", "sam", "lead1", "expert"); !errors.Is(err, ErrAgentBusy) {
			t.Fatal(err)
		}
		p2.Leave(LeftVoicemail)
		c.state("sam", Paused, "x")
		c.must(c.SetAgentState(c.ctx, "sam", Available, "", "sam", Now))
		c.must(c.Pull(c.ctx, "c3", "sam", "lead1", "expert")) // not a member: a person decided
		if o := c.offer(p3); o.Agent != "sam" {
			t.Fatalf("%+v", o)
		}
		p4 := c.enter("c4")
		c.must(c.Remove(c.ctx, "c4", "lead1", "abuse"))
		if ev := c.next(p4); ev.Kind != Removed {
			t.Fatalf("%+v", ev)
		}
		c.must(c.SetQueues(c.ctx, []Queue{{Key: "sales"}})) // support is deleted
		for _, p := range []*Place{p1, p3} {
			for ev := c.next(p); ev.Kind != Closed; ev = c.next(p) {
				if ev.Kind != Withdrawn {
					t.Fatalf("%+v", ev)
				}
			}
		}
		c.state("ann", Available, "")
	})
}

// TestCallerLeftDuringTheOffer: nobody is rung for a caller who left, it is no miss, and how it left is for Leave to
// say: a hang-up is abandoned, our stop is a fault; silence means abandoned.
func TestCallerLeftDuringTheOffer(t *testing.T) {
	for why, want := range map[LeaveReason]Figures{
		LeftAbandoned: {N: 1, B: 1}, LeftFault: {N: 1, F: 1}, LeftVoicemail: {N: 1, V: 1}, "": {N: 1, B: 1},
	} {
		each(t, nil, []Agent{member1("ann")}, func(c *centre) {
			p := c.enter("c1")
			o := c.offer(p)
			c.must(c.OfferFailed(c.ctx, o.ID, CallerLeft))
			c.state("ann", Available, "")
			if ev := c.next(p); ev.Kind != Withdrawn {
				t.Fatalf("%+v", ev)
			}
			if err := c.Move(c.ctx, "c1", "", true, "lead1", "too late"); !errors.Is(err, ErrUnknownCall) {
				t.Fatal(err)
			}
			if why != "" {
				p.Leave(why)
			} else {
				var err error
				for err == nil {
					_, err = p.Next(c.ctx) // ends after 5 s
				}
				if !errors.Is(err, ErrPlaceOver) {
					t.Fatal(err)
				}
			}
			q := c.queue()
			if f := q.Today; f.N != want.N || f.B != want.B || f.F != want.F || f.V != want.V || q.Waiting != 0 || q.Available != 1 {
				t.Fatalf("%q: %+v", why, q)
			}
			if c.agent("ann").Missed != 0 {
				t.Fatal("the hang-up counted as a miss")
			}
		})
	}
}
