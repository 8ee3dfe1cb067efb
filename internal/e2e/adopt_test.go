package e2e

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"hotline/internal/e2e/program"
	"hotline/telephony/telephonytest"
)

// byAsterisk is a server of the test's own behind a real Asterisk. These tests are about what only that can do; the run of
// the suite with HOTLINE_TEST_DRIVER=asterisk has them.
func byAsterisk(t *testing.T, options ...program.Option) (*program.Program, context.Context) {
	t.Helper()
	if program.Driver() != "asterisk" {
		t.Skip("for the run with the Asterisk driver (HOTLINE_TEST_DRIVER=asterisk)")
	}
	return alone(t, options...)
}

// channels gives the live channels of Asterisk, by name.
func channels(ctx context.Context, p *program.Program) (names []string) {
	for line := range strings.Lines(p.PBX.CLI(ctx, "core show channels concise")) {
		if name, _, ok := strings.Cut(line, "!"); ok {
			names = append(names, name)
		}
	}
	return names
}

// bridges counts Asterisk's live bridges.
func bridges(ctx context.Context, p *program.Program) (n int) {
	for line := range strings.Lines(p.PBX.CLI(ctx, "bridge show all")) {
		if f := strings.Fields(line); len(f) > 2 && !strings.HasPrefix(line, "Bridge-ID") {
			n++
		}
	}
	return n
}

// order lists the callers of a queue by their position.
func order(ctx context.Context, p *program.Program, queue string) (from []string) {
	b := live(ctx, p)
	calls := slices.DeleteFunc(b.Calls, func(c boardCall) bool { return c.Queue != queue || c.State != "waiting" })
	slices.SortFunc(calls, func(x, y boardCall) int { return x.Position - y.Position })
	for _, c := range calls {
		from = append(from, c.From)
	}
	return from
}

// R21: kill -9 with 50 calls in menu, queue and talk. They stay up in Asterisk, waiting callers hear its music without a
// break, and within five seconds of the start all are adopted: places and order kept, menus at their node, talks with
// sound both ways. Nothing of ours is left when they are over, and a channel of another application is not touched.
func TestR21RestartKeepsCalls(t *testing.T) {
	p, ctx := byAsterisk(t, program.Dialplan("[foreign]\nexten => _X,1,Answer()\n same => n,Wait(600)\n"))
	p.Start(ctx)
	p.PBX.CLI(ctx, "channel originate Local/1@foreign application Wait 600")
	foreign := channels(ctx, p)
	queue(ctx, t, p, "keep", "371", map[string]any{"max_wait_s": 600})
	var agents []*agentAt
	for i, login := range []string{"agent1", "agent2"} {
		hz := []float64{agent1Hz, agent2Hz}[i]
		agents = append(agents, &agentAt{p.Shift(ctx, login, hz), hz})
	}
	talks, logins := map[string]*telephonytest.PhoneCall{}, map[string]string{}
	for range agents {
		from := number()
		talks[from] = p.Dial(ctx, from, "200")
		eventually(ctx, t, "an agent rings", func() bool {
			b := live(ctx, p).call(from)
			logins[from] = b.Agent
			return b.State == "ringing"
		})
		a := agents[map[string]int{"agent1": 0, "agent2": 1}[logins[from]]]
		ok(t, a.Answer(ctx, live(ctx, p).call(from).Call))
		ok(t, talks[from].Hears(ctx, hz(a.tone), nil))
		ok(t, a.Hears(ctx, hz(customerHz), nil))
	}
	waits, menus := map[string]*telephonytest.PhoneCall{}, map[string]*telephonytest.PhoneCall{}
	for range 36 {
		from := number()
		waits[from] = p.Dial(ctx, from, "371")
	}
	for range 12 {
		from := number()
		menus[from] = p.Dial(ctx, from, "100")
		speaks(ctx, t, menus[from])
		menus[from].Press("2") // English
	}
	eventually(ctx, t, "50 calls in their states", func() bool {
		return states(ctx, p) == "menu 12 talking 2 waiting 36" && len(order(ctx, p, "keep")) == 36
	})
	for _, c := range waits {
		ok(t, c.Hears(ctx, hz(holdHz), nil))
	}
	before := order(ctx, p, "keep")
	nodes := map[string]string{}
	for from := range menus {
		nodes[from] = node(ctx, p, from)
	}
	for _, c := range waits {
		c.ResetGap()
	}
	p.Kill()
	p.Start(ctx)
	up := time.Now()
	for login, a := range map[string]int{"agent1": 0, "agent2": 1} {
		agents[a] = &agentAt{p.Page(ctx, login, agents[a].tone), agents[a].tone}
	}
	within(ctx, t, 15*time.Second, "50 calls adopted", func() bool { return states(ctx, p) == "menu 12 talking 2 waiting 36" })
	adopted := time.Since(up)
	t.Logf("50 calls adopted %v after the start", adopted.Round(time.Millisecond))
	if adopted > 5*time.Second {
		t.Errorf("adopting 50 calls took %v", adopted)
	}
	eventually(ctx, t, "the places are told", func() bool { return len(order(ctx, p, "keep")) == 36 })
	if after := order(ctx, p, "keep"); !slices.Equal(before, after) {
		t.Errorf("order before %v\nafter %v", before, after)
	}
	worst := time.Duration(0)
	for _, c := range waits {
		worst = max(worst, c.Gap())
		ok(t, c.Hears(ctx, hz(holdHz), nil))
	}
	t.Logf("longest break in the music of a waiting caller %v", worst)
	if worst > time.Second {
		t.Errorf("a waiting caller heard nothing for %v", worst)
	}
	for from, c := range talks {
		a := agents[map[string]int{"agent1": 0, "agent2": 1}[logins[from]]]
		ok(t, c.Hears(ctx, hz(a.tone), nil))
		ok(t, a.Hears(ctx, hz(customerHz), nil))
	}
	for from, c := range menus {
		if now := node(ctx, p, from); now != nodes[from] {
			t.Errorf("%s was at %s, is at %s", from, nodes[from], now)
		}
		speaks(ctx, t, c)
	}
	keys := map[string]string{}
	for _, c := range live(ctx, p).Calls {
		keys[c.From] = c.Call
	}
	for _, all := range []map[string]*telephonytest.PhoneCall{talks, waits, menus} {
		for _, c := range all {
			c.Hangup()
		}
	}
	for from, key := range keys {
		row := told(ctx, t, p, key)
		if row.EndReason == "crash" || row.State != "ended" {
			t.Errorf("%s: %+v", from, row)
		}
		if talks[from] != nil && (row.EndReason != "talked" || len(row.Recordings) != 2) {
			t.Errorf("talk of %s: %+v", from, row)
		}
	}
	within(ctx, t, 20*time.Second, "nothing of ours is left in Asterisk", func() bool { return fmt.Sprint(channels(ctx, p)) == fmt.Sprint(foreign) && bridges(ctx, p) <= 1 })
	p.Clean()
}

// states sums up the live calls.
func states(ctx context.Context, p *program.Program) string {
	n := map[string]int{}
	for _, c := range live(ctx, p).Calls {
		n[c.State]++
	}
	var out []string
	for s, k := range n {
		out = append(out, fmt.Sprint(s, " ", k))
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

// node is where a caller stands in the menu.
func node(ctx context.Context, p *program.Program, from string) string {
	var row callRow
	if p.API(ctx, "admin", http.MethodGet, "/calls/"+live(ctx, p).call(from).Call, nil, &row) != http.StatusOK || len(row.MenuPath) == 0 {
		return ""
	}
	return row.MenuPath[len(row.MenuPath)-1].Node
}

// R22: Asterisk is killed with calls in menu, queue and talk. The alarm is raised within five seconds; when Asterisk is back
// each lost caller is once on the list of callbacks (a talk is a talk), and the next call is taken.
func TestR22AsteriskDies(t *testing.T) {
	p, ctx := byAsterisk(t)
	p.Start(ctx)
	queue(ctx, t, p, "lost", "372", map[string]any{"max_wait_s": 600})
	a := p.Shift(ctx, "agent1", agent1Hz)
	talks, talk := number(), ""
	c := p.Dial(ctx, talks, "200")
	talk, _, err := a.WaitOffer(ctx)
	ok(t, err)
	ok(t, a.Answer(ctx, talk))
	ok(t, c.Hears(ctx, hz(agent1Hz), nil))
	lost := []string{}
	for i := range 48 {
		from := number()
		lost = append(lost, from)
		p.Dial(ctx, from, []string{"372", "372", "100"}[i%3])
	}
	eventually(ctx, t, "49 calls in their states", func() bool { return states(ctx, p) == "menu 16 talking 1 waiting 32" })
	keys := map[string]string{}
	for _, c := range live(ctx, p).Calls {
		keys[c.From] = c.Call
	}
	begin := time.Now()
	p.PBX.Kill()
	within(ctx, t, 10*time.Second, "the alarm", func() bool { return p.Metrics(ctx)[`hotline_alarm{what="asterisk"}`] == 1 })
	t.Logf("alarm %v after the kill", time.Since(begin).Round(time.Millisecond))
	if d := time.Since(begin); d > 5*time.Second {
		t.Errorf("alarm after %v", d)
	}
	if code := p.Get(ctx, "/readyz"); code != http.StatusServiceUnavailable {
		t.Errorf("/readyz says %d", code)
	}
	p.PBX.Restart(ctx)
	within(ctx, t, 15*time.Second, "the alarm is over", func() bool { return p.Metrics(ctx)[`hotline_alarm{what="asterisk"}`] == 0 })
	for _, from := range lost {
		row := told(ctx, t, p, keys[from])
		if row.Disposition != "no_answer" || row.EndReason != "unreachable" {
			t.Errorf("%s: %+v", from, row)
		}
		waiting(ctx, t, p, from)
	}
	if row := told(ctx, t, p, talk); row.Disposition != "answered" || row.Link.Ticket == nil {
		t.Errorf("talk: %+v", row)
	}
	next := p.Dial(ctx, number(), "372")
	ok(t, next.Hears(ctx, hz(holdHz), nil))
	next.Hangup()
	p.Clean("Asterisk")
}

// A cut between Hotline and Asterisk costs no call: for a second, for half a minute, and when the socket is only half open.
// The talk goes on meanwhile, its end is seen after the cut, and whoever left during it is not in the queue any more.
func TestR22Partition(t *testing.T) {
	p, _ := byAsterisk(t, program.Cuttable())
	ctx := limit(t, 5*time.Minute)
	p.Start(ctx)
	queue(ctx, t, p, "cut", "373", map[string]any{"max_wait_s": 600})
	a := p.Shift(ctx, "agent1", agent1Hz)
	c, call := talk(ctx, t, p, a, number(), "200", agent1Hz)
	stays, leaves := number(), number()
	s := p.Dial(ctx, stays, "373")
	lengths := []time.Duration{time.Second, 12 * time.Second}
	if os.Getenv("HOTLINE_TEST_LONG") != "" {
		lengths = []time.Duration{time.Second, 5 * time.Second, 30 * time.Second, 120 * time.Second}
	}
	for i, d := range lengths {
		l := p.Dial(ctx, leaves, "373")
		eventually(ctx, t, "three calls", func() bool { return states(ctx, p) == "talking 1 waiting 2" })
		c.ResetGap()
		s.ResetGap()
		cut := time.Now()
		p.Wire.Cut()
		l.Hangup()
		if d > 10*time.Second {
			within(ctx, t, 10*time.Second, "the alarm", func() bool { return p.Metrics(ctx)[`hotline_alarm{what="asterisk"}`] == 1 })
		}
		eventually(ctx, t, "the cut lasts", func() bool { return time.Since(cut) > d })
		p.Wire.Heal()
		within(ctx, t, 15*time.Second, "all is as it was, without the one who left", func() bool {
			return states(ctx, p) == "talking 1 waiting 1" && p.Metrics(ctx)[`hotline_alarm{what="asterisk"}`] == 0
		})
		ok(t, c.Hears(ctx, hz(agent1Hz), nil))
		ok(t, a.Hears(ctx, hz(customerHz), nil))
		ok(t, s.Hears(ctx, hz(holdHz), nil))
		if g := max(c.Gap(), s.Gap()); g > time.Second {
			t.Errorf("cut %d: nothing heard for %v", i, g)
		}
	}
	l := p.Dial(ctx, leaves, "373")
	eventually(ctx, t, "three calls", func() bool { return states(ctx, p) == "talking 1 waiting 2" })
	p.Wire.Lose() // half open: what we send goes nowhere, and nothing tells us
	l.Hangup()
	within(ctx, t, 12*time.Second, "the dead socket is seen, and who left with it", func() bool { return states(ctx, p) == "talking 1 waiting 1" })
	ok(t, c.Hears(ctx, hz(agent1Hz), nil))
	ok(t, a.Hangup(ctx, call))
	<-c.Done()
	s.Hangup()
	if row := told(ctx, t, p, call); row.Disposition != "answered" {
		t.Errorf("%+v", row)
	}
	p.Clean("Asterisk")
}

// R22: Asterisk stands still, its sockets open. The alarm is raised within five seconds, nobody is given up, and all goes
// on when it goes on.
func TestR22AsteriskFreezes(t *testing.T) {
	p, ctx := byAsterisk(t)
	p.Start(ctx)
	queue(ctx, t, p, "still", "374", map[string]any{"max_wait_s": 600})
	a := p.Shift(ctx, "agent1", agent1Hz)
	c, call := talk(ctx, t, p, a, number(), "200", agent1Hz)
	w := p.Dial(ctx, number(), "374")
	ok(t, w.Hears(ctx, hz(holdHz), nil))
	frozen := time.Now()
	p.PBX.Freeze()
	within(ctx, t, 10*time.Second, "the alarm", func() bool { return p.Metrics(ctx)[`hotline_alarm{what="asterisk"}`] == 1 })
	if d := time.Since(frozen); d > 5*time.Second {
		t.Errorf("alarm after %v", d)
	}
	eventually(ctx, t, "twelve seconds", func() bool { return time.Since(frozen) > 12*time.Second })
	p.PBX.Thaw()
	within(ctx, t, 15*time.Second, "both calls are there", func() bool {
		return states(ctx, p) == "talking 1 waiting 1" && p.Metrics(ctx)[`hotline_alarm{what="asterisk"}`] == 0
	})
	ok(t, c.Hears(ctx, hz(agent1Hz), nil))
	ok(t, a.Hears(ctx, hz(customerHz), nil))
	ok(t, w.Hears(ctx, hz(holdHz), nil))
	ok(t, a.Hangup(ctx, call))
	<-c.Done()
	w.Hangup()
	p.Clean("Asterisk")
}

// A stop by SIGTERM leaves the calls that outlast the drain in Asterisk, where the next start finds them: a caller who
// waits hears music all the time and keeps the place, and a talk goes on.
func TestStopLeavesCallsInAsterisk(t *testing.T) {
	p, ctx := byAsterisk(t, program.Env("HOTLINE_DRAIN_TIMEOUT=500ms"))
	p.Start(ctx)
	queue(ctx, t, p, "stay", "375", map[string]any{"max_wait_s": 600})
	a := p.Shift(ctx, "agent1", agent1Hz)
	c, call := talk(ctx, t, p, a, number(), "200", agent1Hz)
	w := p.Dial(ctx, number(), "375")
	ok(t, w.Hears(ctx, hz(holdHz), nil))
	key := live(ctx, p).Calls
	w.ResetGap()
	ok(t, p.Cmd.Process.Signal(syscall.SIGTERM))
	err := <-p.Done
	p.Done <- err
	ok(t, err)
	late := p.Call(ctx, number(), "375", customerHz) // while nobody is there
	p.Start(ctx)
	back := p.Page(ctx, "agent1", agent1Hz)
	within(ctx, t, 15*time.Second, "all calls are there", func() bool { return states(ctx, p) == "talking 1 waiting 2" })
	ok(t, c.Hears(ctx, hz(agent1Hz), nil))
	ok(t, back.Hears(ctx, hz(customerHz), nil))
	ok(t, w.Hears(ctx, hz(holdHz), nil))
	if g := w.Gap(); g > time.Second {
		t.Errorf("the one who waits heard nothing for %v", g)
	}
	ok(t, late.Connected(ctx))
	ok(t, late.Hears(ctx, hz(holdHz), nil))
	ok(t, back.Hangup(ctx, call))
	<-c.Done()
	w.Hangup()
	late.Hangup()
	for _, k := range key {
		if row := told(ctx, t, p, k.Call); row.EndReason == "crash" || row.EndReason == "draining" {
			t.Errorf("%+v", row)
		}
	}
	p.Clean()
}
