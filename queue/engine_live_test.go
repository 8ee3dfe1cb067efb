package queue

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"hotline/telephony"
)

func TestChangesAreOrderedAndComplete(t *testing.T) {
	each(t, nil, []Agent{member1("ann")}, func(c *centre) {
		sub, err := c.Subscribe(c.ctx, 0)
		c.must(err)
		slow, err := c.Subscribe(c.ctx, 3)
		c.must(err)
		o := c.talk(c.enter("c1"))
		c.must(c.ContactEnded(c.ctx, o.Call, "ann"))
		sub.Close()
		sub.Close()
		var agents []AgentState
		var entries []EntryState
		seq := sub.Snapshot.Seq
		for ch := range sub.C {
			if ch.Seq != seq+1 {
				t.Fatalf("change %d after %d", ch.Seq, seq)
			}
			seq = ch.Seq
			if ch.Agent != nil {
				agents = append(agents, ch.Agent.State)
			} else {
				entries = append(entries, ch.Entry.State)
			}
		}
		if !slices.Equal(agents, []AgentState{Ringing, Talking, ACW}) || sub.Lagged() ||
			!slices.Equal(entries, []EntryState{EntryWaiting, EntryOffered, EntryEnded}) {
			t.Fatalf("%v %v", agents, entries)
		}
		n := 0
		for range slow.C {
			n++
		}
		if n != 3 || !slow.Lagged() {
			t.Fatalf("slow reader got %d, lagged %v", n, slow.Lagged())
		}
	})
}

func TestMidnight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := start(t, Config{Log: quiet(), Location: time.UTC})
		c.must(c.SetQueues(c.ctx, []Queue{{Key: "support"}}))
		c.must(c.SetAgents(c.ctx, []Agent{member1("ann")}))
		now := time.Now().UTC()
		time.Sleep(time.Date(now.Year(), now.Month(), now.Day()+1, 0, 0, 0, 0, time.UTC).Sub(now) - time.Second)
		p := c.enter("late")
		if f := c.queue().Today; f.N != 1 || f.W != 1 {
			t.Fatalf("before midnight %+v", f)
		}
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if q := c.queue(); q.Today.N != 0 || q.Waiting != 1 || q.SL != nil {
			t.Fatalf("after midnight %+v", q)
		}
		p.Leave(LeftAbandoned) // belongs to yesterday
		if f := c.queue().Today; f.N != 0 || !f.Balanced() {
			t.Fatalf("%+v", f)
		}
		c.stop()
	})
}

// TestClockIsSet: a jump of the wall clock moves no deadline and makes no negative wait.
func TestClockIsSet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var jump time.Duration
		set := func(d time.Duration) {
			mu.Lock()
			defer mu.Unlock()
			jump = d
		}
		c := start(t, Config{Log: quiet(), Location: time.UTC, Now: func() time.Time {
			mu.Lock()
			defer mu.Unlock()
			return time.Now().Add(jump)
		}})
		c.must(c.SetQueues(c.ctx, []Queue{{Key: "support", MaxWaitS: 60}}))
		p := c.enter("c1")
		for _, d := range []time.Duration{-time.Hour, 24 * time.Hour} {
			set(d)
			time.Sleep(time.Second)
			if q := c.queue(); q.Longest < 0 || q.Waiting != 1 && d < 0 {
				t.Fatalf("jump %v: %+v", d, q)
			}
		}
		_ = p
		c.stop()
	})
}

func TestWhyWaiting(t *testing.T) {
	ru := Agent{Login: "rita", Skills: map[string]int{"ru": 2}, Queues: []Membership{{"support", 1}}}
	each(t, nil, []Agent{member1("ann"), ru}, func(c *centre) {
		why := func(call telephony.CallID) Waiting {
			w, err := c.WhyWaiting(c.ctx, call)
			c.must(err)
			return w
		}
		enter := func(call telephony.CallID, skill string, level int) *Place {
			p, err := c.Enter(c.ctx, Entry{Call: call, Queue: "support", Skills: map[string]int{skill: level}})
			c.must(err)
			return p
		}
		first := enter("c1", "ru", 2)
		if w := why("c1"); w.Reason != "offered" || w.Agent != "rita" {
			t.Fatalf("%+v", w)
		}
		enter("c2", "ru", 3)
		if w := why("c2"); w.Reason != "nobody_able" || w.Members != 2 {
			t.Fatalf("%+v", w)
		}
		enter("c3", "ru", 1)
		c.talk(first)
		if w := why("c3"); w.Reason != "behind" || w.Position != 2 || w.Able[Talking] != 1 || len(w.Able) != 1 {
			t.Fatalf("%+v", w)
		}
		c.must(c.Remove(c.ctx, "c2", "lead1", ""))
		if w := why("c3"); w.Reason != "all_busy" {
			t.Fatalf("%+v", w)
		}
		if _, err := c.WhyWaiting(c.ctx, "c1"); !errors.Is(err, ErrUnknownCall) {
			t.Fatal(err)
		}
		st, err := c.QueueStat(c.ctx, "support")
		c.must(err)
		if st.Waiting != 1 || st.Available != 1 || st.Staffed != 2 || st.Talking != 1 {
			t.Fatalf("%+v", st)
		}
	})
}

func TestStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := open(t, nil, member1("ann"))
		p := c.enter("c1")
		c.offer(p)
		waiter := make(chan error)
		go func() {
			for {
				if _, err := p.Next(context.Background()); err != nil {
					waiter <- err
					return
				}
			}
		}()
		sub, err := c.Subscribe(c.ctx, 0)
		c.must(err)
		c.stop()
		if err := <-waiter; !errors.Is(err, ErrStopped) {
			t.Fatal(err)
		}
		for range sub.C {
		}
		if _, err := c.Enter(context.Background(), Entry{Call: "c2", Queue: "support"}); !errors.Is(err, ErrStopped) {
			t.Fatal(err)
		}
		p.Leave(LeftAbandoned)
	})
}
