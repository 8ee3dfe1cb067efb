package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"hotline/internal/e2e/program"
)

// postmaster is the process id of the server's private database.
func postmaster(t *testing.T, p *program.Program) int {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(p.Data(), "postgres", "postmaster.pid"))
	ok(t, err)
	first, _, _ := strings.Cut(string(b), "\n")
	pid, err := strconv.Atoi(first)
	ok(t, err)
	return pid
}

// freeze stops every process of the database, as a hung disk does; the function it gives lets them go on.
func freeze(t *testing.T, p *program.Program) (thaw func()) {
	t.Helper()
	master := postmaster(t, p)
	pids := []int{master}
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", master, master))
	ok(t, err)
	for f := range strings.FieldsSeq(string(b)) {
		pid, err := strconv.Atoi(f)
		ok(t, err)
		pids = append(pids, pid)
	}
	signal := func(s syscall.Signal) {
		for _, pid := range pids {
			_ = syscall.Kill(pid, s)
		}
	}
	signal(syscall.SIGSTOP)
	thaw = func() { signal(syscall.SIGCONT) }
	t.Cleanup(thaw)
	return thaw
}

// R35: the database is away, once frozen for ten seconds, once killed. The talk that runs loses no sound, a new caller is
// taken, hears the menu and an agent, and within ten seconds of its return everything is in rows and tickets.
func TestR35DatabaseAway(t *testing.T) {
	p, ctx := alone(t)
	p.Start(ctx)
	one, two := p.Shift(ctx, "agent1", agent1Hz), p.Shift(ctx, "agent2", agent2Hz)
	for _, how := range []string{"frozen", "killed"} {
		t.Log(how)
		ok(t, one.SetState(ctx, "available", "")) // the last talk's wrap-up is over
		ok(t, two.SetState(ctx, "available", ""))
		from, later := number(), number()
		c := p.Dial(ctx, from, "200")
		first, busy, free := answers(ctx, t, map[string]*agentAt{"agent1": {one, agent1Hz}, "agent2": {two, agent2Hz}})
		ok(t, c.Hears(ctx, hz(busy.tone), nil))
		ok(t, busy.Hears(ctx, hz(customerHz), nil))

		c.ResetGap()
		back := func() {}
		away := time.Now()
		if how == "frozen" {
			back = freeze(t, p)
		} else {
			ok(t, syscall.Kill(postmaster(t, p), syscall.SIGKILL))
		}
		d := p.Dial(ctx, later, "100")
		speaks(ctx, t, d)
		took := time.Since(away)
		d.Press("1")
		d.Press("0")
		second, _, err := free.WaitOffer(ctx)
		ok(t, err)
		ok(t, free.Answer(ctx, second))
		ok(t, d.Hears(ctx, hz(free.tone), nil))
		ok(t, free.Hears(ctx, hz(customerHz), nil))
		t.Logf("without a database: menu after %v, talk after %v", took.Round(time.Millisecond), time.Since(away).Round(time.Millisecond))
		if took > 5*time.Second {
			t.Errorf("a new caller hears the menu after %v", took)
		}
		if how == "frozen" {
			eventually(ctx, t, "ten seconds without a database", func() bool { return time.Since(away) > 10*time.Second })
		}
		ok(t, c.Hears(ctx, hz(busy.tone), nil))
		ok(t, d.Hears(ctx, hz(free.tone), nil))
		if g := c.Gap(); g > 400*time.Millisecond {
			t.Errorf("the customer who talked heard nothing for %v", g)
		}
		c.Hangup()
		ok(t, free.Hangup(ctx, second))
		<-d.Done()
		back()
		since := time.Now()
		within(ctx, t, 10*time.Second, "both calls in rows and tickets", func() bool {
			return p.SQL(ctx, `SELECT count(*)::text FROM call c JOIN call_link l ON l.call_id = c.id JOIN recording r ON r.call_id = c.id
				WHERE c.call_key IN ($1, $2) AND c.state = 'ended' AND c.disposition = 'answered' AND l.ticket_id IS NOT NULL AND r.state = 'ready'`, first, second) == "2"
		})
		t.Logf("all told %v after the end of the calls", time.Since(since).Round(time.Millisecond))
		if n := p.Postmasters(); n != 1 {
			t.Errorf("%d postmasters", n)
		}
		p.Clean("producer: Error", "maintenance.", "leadership.", "notifier.", "private database died") // the job queue tells of every try
	}
}

// answers waits until one of two agents has an offer, and has that agent answer.
func answers(ctx context.Context, t *testing.T, agents map[string]*agentAt) (call string, busy, free *agentAt) {
	t.Helper()
	type offer struct {
		login, call string
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	got := make(chan offer, len(agents))
	for login, a := range agents {
		go func() { // ends with the first offer, which ends the context
			if call, _, err := a.WaitOffer(ctx); err == nil {
				got <- offer{login, call}
			}
		}()
	}
	select {
	case o := <-got:
		stop()
		for login, a := range agents {
			if login == o.login {
				busy = a
			} else {
				free = a
			}
		}
		ok(t, busy.Answer(context.WithoutCancel(ctx), o.call))
		return o.call, busy, free
	case <-ctx.Done():
		t.Fatal("no agent is offered the call")
		return "", nil, nil
	}
}
