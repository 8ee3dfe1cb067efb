package e2e

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"hotline/internal/e2e/program"
	"hotline/telephony/telephonytest"
)

// chaos is one run of TestChaos: its people, and what happened to them. The people's goroutines never fail the test, they
// only try; the test's own goroutine does the harm and judges.
type chaos struct {
	p      *program.Program
	ctx    context.Context
	log    func(...any)
	began  time.Time
	tokens map[string]string
	missed string                 // a call that agents call back
	addr   atomic.Pointer[string] // of Hotline's pages; nil: it is down
	enough chan struct{}          // closed: no new calls
	home   chan struct{}          // closed: everybody goes home
	once   sync.Once
	crowd  sync.WaitGroup // callers
	staff  sync.WaitGroup // agents, and who is called

	mu      sync.Mutex     // guards what follows
	calls   []*chaosCall   // over
	trouble [][2]time.Time // when Hotline could not know everything
	broken  chan struct{}  // closed when Asterisk was killed
	killed  [][2]time.Time // Asterisk, until it was back
}

// chaosCall is one call of a caller.
type chaosCall struct {
	from, what, id    string
	start             time.Time // of the run
	began, left, over time.Time // left: the caller hung up; zero: somebody else did
	lost              bool      // with Asterisk
}

func newChaos(ctx context.Context, t *testing.T, p *program.Program) *chaos {
	c := &chaos{p: p, ctx: ctx, log: t.Log, began: time.Now(), tokens: map[string]string{}, enough: make(chan struct{}), home: make(chan struct{}), broken: make(chan struct{})}
	for _, login := range []string{"agent1", "agent2", "lead1"} {
		c.tokens[login] = p.Token(ctx, login)
	}
	c.up()
	return c
}

func (c *chaos) up() { addr := c.p.Run.HTTP; c.addr.Store(&addr) }

// gone says that Hotline is going down; the function given says that it is back and has taken its calls over.
func (c *chaos) gone() (back func()) {
	began := time.Now()
	c.addr.Store(nil)
	return func() {
		c.up()
		c.mark(began)
	}
}

// mark says that since then something was broken, and is for a moment.
func (c *chaos) mark(began time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.trouble = append(c.trouble, [2]time.Time{began, time.Now().Add(2 * time.Second)})
}

// lose says that Asterisk was killed then.
func (c *chaos) lose(began time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	close(c.broken)
	c.broken = make(chan struct{})
	c.killed = append(c.killed, [2]time.Time{began, time.Now().Add(5 * time.Second)})
}

// calm is the longest time without trouble in a span.
func (c *chaos) calm(from, to time.Time) (longest time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, w := range c.trouble {
		if w[0].Before(to) && w[1].After(from) {
			longest = max(longest, w[0].Sub(from))
			if w[1].After(from) {
				from = w[1]
			}
		}
	}
	return max(longest, to.Sub(from))
}

func (c *chaos) close() {
	select {
	case <-c.enough:
	default:
		close(c.enough)
	}
	c.once.Do(func() { close(c.home) })
	c.crowd.Wait()
	c.staff.Wait()
}

// rest waits, by chance, at most so long. False: time to stop.
func rest(r *rand.Rand, most time.Duration, stop <-chan struct{}) bool {
	t := time.NewTimer(time.Duration(r.Int64N(int64(most))))
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-stop:
		return false
	}
}

// caller calls again and again, and hangs up when patience ends.
func (c *chaos) caller(r *rand.Rand) {
	for rest(r, 1500*time.Millisecond, c.enough) {
		c.call(r)
	}
}

func (c *chaos) call(r *rand.Rand) {
	what := []string{"381", "381", "200", "100", "100", "382", "383"}[r.IntN(7)]
	k := &chaosCall{from: number(), what: what, start: c.began, began: time.Now()}
	c.mu.Lock()
	broken := c.broken
	c.mu.Unlock()
	ph, err := telephonytest.NewPhone(telephonytest.PhoneConfig{User: k.from, Server: c.p.PBX.SIP})
	if err != nil {
		return
	}
	ctx, giveUp := context.WithCancel(c.ctx)
	defer giveUp()
	call, err := ph.Call(ctx, what, telephonytest.CallOptions{Tone: customerHz})
	if err != nil {
		ph.Close()
		return
	}
	k.id = call.ID()
	patience := time.NewTimer(500*time.Millisecond + time.Duration(r.Int64N(int64(11*time.Second))))
	defer patience.Stop()
	keys := time.NewTicker(time.Second)
	defer keys.Stop()
	for k.over.IsZero() {
		select {
		case <-call.Done():
			k.over = time.Now()
		case <-patience.C:
			k.left = time.Now()
			call.Hangup()
			k.over = k.left
		case <-broken:
			k.lost, k.over = true, time.Now()
		case <-keys.C:
			if what == "100" && r.IntN(2) == 0 {
				call.Press([]string{"1", "2", "4", "0", "3"}[r.IntN(5)])
			}
			if what == "382" && r.IntN(12) == 0 {
				call.Press("#")
			}
		}
	}
	if k.lost { // nobody may be there to say goodbye to
		giveUp()
	} else {
		settle := time.NewTimer(3 * time.Second)
		defer settle.Stop()
		select {
		case <-call.Done():
		case <-settle.C:
			giveUp()
		}
	}
	ph.Close()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, w := range c.killed { // it may have heard nothing of it
		k.lost = k.lost || k.began.Before(w[1]) && k.over.After(w[0])
	}
	c.calls = append(c.calls, k)
}

// outside is whoever is called: answers, or not, and hangs up at some time.
func (c *chaos) outside(ph *telephonytest.Phone) {
	c.staff.Go(func() {
		for n := uint64(0); ; n++ {
			select {
			case <-c.home:
				return
			case in := <-ph.Incoming():
				r := rand.New(rand.NewPCG(n, 77))
				c.staff.Go(func() {
					rest(r, 1500*time.Millisecond, c.home)
					if r.IntN(5) == 0 {
						in.Reject(486)
						return
					}
					in.Tone(customerHz)
					if in.Answer() != nil {
						return
					}
					rest(r, 9*time.Second, c.home)
					in.Hangup()
				})
			}
		}
	})
}

// agent is on shift whenever Hotline is there, with a page that comes back sooner or later.
func (c *chaos) agent(r *rand.Rand, login string, hz float64) {
	for rest(r, 1200*time.Millisecond, c.home) {
		addr := c.addr.Load()
		if addr == nil {
			continue
		}
		page, err := telephonytest.NewAgent(c.ctx, telephonytest.AgentConfig{URL: "http://" + *addr + "/api/v1/phone",
			Header: http.Header{"Authorization": {"Bearer " + c.tokens[login]}}, Tone: hz, Ping: 500 * time.Millisecond})
		if err != nil {
			continue
		}
		if c.try(page.Attach) {
			for rest(r, 400*time.Millisecond, c.home) && c.addr.Load() == addr {
				c.work(r, page, *addr, login)
				page.Forget()
			}
		}
		page.Close()
	}
}

// try is one step of an agent; it may fail.
func (c *chaos) try(f func(context.Context) error) bool {
	ctx, stop := context.WithTimeout(c.ctx, 3*time.Second)
	defer stop()
	return f(ctx) == nil
}

// work is what an agent does next.
func (c *chaos) work(r *rand.Rand, page *telephonytest.Agent, addr, login string) {
	me, known := c.board(addr, login)
	closing := false
	select {
	case <-c.enough:
		closing = true
	default:
	}
	dice := r.IntN(100)
	c.try(func(ctx context.Context) error {
		switch {
		case !known:
		case me.State == "ringing" && dice < 70:
			return page.Answer(ctx, me.Call)
		case me.State == "ringing" && dice < 75:
			return page.Reject(ctx, me.Call)
		case me.State == "talking" || me.State == "held" || me.State == "lost_call" || me.State == "dialing":
			switch {
			case dice < 5 || closing && dice < 60:
				return page.Hangup(ctx, me.Call)
			case me.State == "held" || dice < 12:
				return page.Hold(ctx, me.Call, me.State != "held")
			case dice < 20:
				_, err := page.Request(ctx, "call.record", map[string]any{"call": me.Call, "op": []string{"pause", "resume"}[r.IntN(2)]})
				return err
			}
		case me.State == "available" && dice < 50 && !closing:
			_, err := page.Request(ctx, "call.dial", map[string]any{"call": c.missed})
			return err
		case me.State == "offline" || me.State == "paused" || me.State == "error":
			return page.SetState(ctx, "available", "")
		}
		return nil
	})
}

// board is how an agent stands, if that can be known.
func (c *chaos) board(addr, login string) (boardAgent, bool) {
	var b board
	done := c.try(func(ctx context.Context) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+"/api/v1/live", nil)
		if err != nil {
			return err
		}
		req.Header.Set("Authorization", "Bearer "+c.tokens["lead1"])
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			return err
		}
		defer res.Body.Close()
		return json.NewDecoder(res.Body).Decode(&b)
	})
	return b.agent(login), done
}
