package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"hotline/internal/e2e/asterisk"
	"hotline/internal/e2e/cpu"
	"hotline/internal/e2e/program"
	"hotline/telephony/media"
	"hotline/telephony/telephonytest"
)

// peer is Asterisk alone: its queue, its recorder, SIP phones as agents.
type peer struct {
	b      *testing.B
	a      *asterisk.Asterisk
	agents *telephonytest.Phone
}

func newPeer(b *testing.B) *peer {
	agents, err := telephonytest.NewPhone(telephonytest.PhoneConfig{User: "agents", Law: media.PCMA, OnlyLaw: true})
	ok(b, err)
	b.Cleanup(agents.Close)
	members := ""
	for i := range talks {
		members += fmt.Sprintf("member => PJSIP/a%d@hotline,0,a%d,PJSIP/hotline\n", i, i) // all share one device for their state
	}
	return &peer{b: b, agents: agents, a: asterisk.Start(b, asterisk.Options{HotlineSIP: agents.Addr().String(), Modules: []string{"app_mixmonitor", "app_queue"},
		Dialplan: "[hotline](+)\nexten => 701,1,MixMonitor(${UNIQUEID}.wav)\n same => n,Queue(bench)\n",
		Files: map[string]string{"stasis.conf": "", "queuerules.conf": "", // Queue() wants all messages of the inner bus
			"queues.conf": "[general]\npersistentmembers = no\n[bench]\nstrategy = rrmemory\nringinuse = yes\nautofill = yes\n" + members}})}
}

func (p *peer) call(ctx context.Context) *telephonytest.PhoneCall {
	ph, err := telephonytest.NewPhone(telephonytest.PhoneConfig{User: number(), Server: p.a.SIP, Law: media.PCMA, OnlyLaw: true})
	ok(p.b, err)
	p.b.Cleanup(ph.Close)
	c, err := ph.Call(ctx, "701", telephonytest.CallOptions{Tone: customerHz})
	ok(p.b, err)
	return c
}

func (p *peer) answered(ctx context.Context) agentEnd {
	select {
	case c := <-p.agents.Incoming():
		ok(p.b, c.Answer())
		c.Tone(agent1Hz)
		return c
	case <-ctx.Done():
		p.b.Fatalf("no call for an agent\n%s", p.a.Log())
		return nil
	}
}

func (p *peer) spent() map[string]time.Duration {
	d, err := cpu.Of(p.a.PID())
	ok(p.b, err)
	return map[string]time.Duration{"asterisk": d}
}

func (p *peer) settled(ctx context.Context) {
	eventually(ctx, p.b, "Asterisk is at rest", func() bool {
		return strings.HasPrefix(p.a.CLI(ctx, "core show channels count"), "0 active channels")
	})
}

func (p *peer) recorded(_ context.Context, b *testing.B) {
	files, err := filepath.Glob(filepath.Join(p.a.Dir, "spool/monitor/*.wav"))
	ok(b, err)
	if len(files) != talks*rounds {
		b.Errorf("%d recordings of %d calls", len(files), talks*rounds)
	}
	for _, f := range files {
		if s, err := os.Stat(f); err != nil || float64(s.Size()) < 0.7*hold.Seconds()*16000 { // on a busy machine it leaves frames out
			b.Errorf("recording %s: %v, %v", f, s, err)
		}
	}
}

func (p *peer) more(*testing.B) {}

// Queues of a company, by the numbers that lead to them: one has its agents in browsers, one at SIP phones.
const (
	pagesNumber = "701"
	desksNumber = "702"
)

// company is the whole program.
type company struct {
	b     *testing.B
	p     *program.Program
	pages []string // logins
	desks map[string]*telephonytest.Phone
	taken chan agentEnd // size talks: so many at once, and each is waited for
	lag   map[string]float64
}

func newCompany(ctx context.Context, b *testing.B, o program.Option) *company {
	c := &company{b: b, p: program.New(b, o, program.Music(holdHz)), desks: map[string]*telephonytest.Phone{}, taken: make(chan agentEnd, talks)}
	c.p.Start(ctx)
	post := func(path string, body, said any) {
		if code := c.p.API(ctx, "admin", http.MethodPost, path, body, said); code > http.StatusCreated {
			b.Fatalf("POST %s: %d", path, code)
		}
	}
	user := func(login, endpoint string) {
		var said json.RawMessage
		post("/users", map[string]any{"login": login, "name": login, "email": login + "@demo.example", "locale": "en", "roles": []string{"agent"},
			"teams": []map[string]any{{"name": "Support", "access": "full"}}, "active": true, "endpoint": endpoint}, &said)
	}
	for i := range talks {
		page, desk := fmt.Sprintf("page%d", i), fmt.Sprintf("bench-desk%d", i)
		user(page, "")
		c.p.Token(ctx, page)
		c.pages = append(c.pages, page)
		user(desk, "registered")
		var sip struct{ Password string }
		post("/users/"+desk+"/sip-password", nil, &sip)
		c.desks[desk] = c.p.Desk(telephonytest.PhoneConfig{User: desk, Password: sip.Password, Law: media.PCMA, OnlyLaw: true})
	}
	queue(ctx, b, c.p, "pages", pagesNumber, map[string]any{"record": "always"}, c.pages...)
	queue(ctx, b, c.p, "desks", desksNumber, map[string]any{"record": "always"}, slices.Collect(maps.Keys(c.desks))...)
	return c
}

// shift has all agents wait for calls and take them at once, until the benchmark ends.
func (c *company) shift(ctx context.Context) {
	ctx, stop := context.WithCancel(ctx)
	var wg sync.WaitGroup
	for _, login := range c.pages {
		a, err := telephonytest.NewAgent(ctx, telephonytest.AgentConfig{URL: "http://" + c.p.Run.HTTP + "/api/v1/phone",
			Header: http.Header{"Authorization": {"Bearer " + c.p.Token(ctx, login)}}, Tone: agent1Hz})
		ok(c.b, err)
		c.b.Cleanup(a.Close)
		ok(c.b, a.StartShift(ctx))
		a.Sound().Pause(true)
		wg.Go(func() { c.page(ctx, a) })
	}
	for _, ph := range c.desks {
		ok(c.b, ph.Register(ctx, "hotline", 600))
		wg.Go(func() { c.desk(ctx, ph) })
	}
	c.b.Cleanup(func() {
		stop()
		wg.Wait()
	})
	c.free(ctx)
	c.lag = c.p.Metrics(ctx)
}

// page has an agent take every call. Like a real page it has its microphone in during talks only.
func (c *company) page(ctx context.Context, a *telephonytest.Agent) {
	for {
		call, _, err := a.WaitOffer(ctx)
		if err == nil {
			a.Sound().Pause(false)
			err = a.Answer(ctx, call)
		}
		if err == nil {
			c.taken <- a.Sound()
			_, err = a.WaitEvent(ctx, "call.end", nil)
			a.Sound().Pause(true)
		}
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			c.b.Errorf("an agent: %v", err)
			return
		}
	}
}

func (c *company) desk(ctx context.Context, ph *telephonytest.Phone) {
	for {
		select {
		case in := <-ph.Incoming():
			in.Tone(agent1Hz)
			if err := in.Answer(); err != nil {
				c.b.Errorf("an agent at a desk: %v", err)
			}
			c.taken <- in
		case <-ctx.Done():
			return
		}
	}
}

// free waits until every agent can take a call.
func (c *company) free(ctx context.Context) {
	eventually(ctx, c.b, "all agents are free", func() bool {
		board := live(ctx, c.p)
		for login := range c.desks {
			if board.agent(login).State != "available" {
				return false
			}
		}
		return !slices.ContainsFunc(c.pages, func(l string) bool { return board.agent(l).State != "available" })
	})
}

// crew is a company whose calls go to one of its queues.
type crew struct {
	*company
	number string
}

func (c crew) call(ctx context.Context) *telephonytest.PhoneCall {
	call, err := c.p.Phone(telephonytest.PhoneConfig{User: number(), Law: media.PCMA, OnlyLaw: true}).Call(ctx, c.number, telephonytest.CallOptions{Tone: customerHz})
	ok(c.b, err)
	return call
}

func (c *company) answered(ctx context.Context) agentEnd {
	select {
	case e := <-c.taken:
		return e
	case <-ctx.Done():
		c.b.Fatalf("no call for an agent\n%s", c.p.Log())
		return nil
	}
}

func (c *company) spent() map[string]time.Duration {
	own, err := cpu.Of(c.p.Cmd.Process.Pid)
	ok(c.b, err)
	below, err := cpu.Below(c.p.Cmd.Process.Pid)
	ok(c.b, err)
	out := map[string]time.Duration{"hotline": own, "database": below}
	if c.p.PBX != nil {
		d, err := cpu.Of(c.p.PBX.PID())
		ok(c.b, err)
		out["asterisk"] = d
	}
	return out
}

func (c *company) settled(ctx context.Context) {
	c.p.Clean()
	c.free(ctx)
}

func (c crew) recorded(ctx context.Context, b *testing.B) {
	want := fmt.Sprintf("%d %d", talks*rounds, talks*rounds)
	got := c.p.SQL(ctx, `SELECT concat(count(*), ' ', count(*) FILTER (WHERE r.state = 'ready' AND r.duration_ms >= $2)) FROM recording r JOIN call c ON c.id = r.call_id WHERE c.queue = $1`,
		map[string]string{pagesNumber: "pages", desksNumber: "desks"}[c.number], hold.Milliseconds()*7/10)
	if got != want {
		b.Errorf("recordings, and whole ones: %s, want %s", got, want)
	}
}

func (c *company) more(b *testing.B) {
	if c.p.PBX == nil {
		return
	}
	const name = "hotline_ari_event_lag_seconds_"
	now := c.p.Metrics(context.Background())
	since := func(k string) float64 { return now[k] - c.lag[k] }
	count := since(name + "count")
	if count < 2*talks*rounds {
		b.Errorf("%v events of %d calls", count, 2*talks*rounds)
	}
	bound := func(share float64) float64 {
		least := math.Inf(1)
		for k := range now {
			if le, is := strings.CutPrefix(k, name+`bucket{le="`); is && since(k) >= share*count {
				v, err := strconv.ParseFloat(strings.TrimSuffix(le, `"}`), 64)
				ok(b, err)
				least = min(least, v)
			}
		}
		return 1000 * least
	}
	b.ReportMetric(bound(0.5), "lag-p50-ms")
	b.ReportMetric(bound(0.99), "lag-p99-ms")
}
