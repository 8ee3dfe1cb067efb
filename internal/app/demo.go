package app

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"hotline/internal/auth"
	"hotline/internal/config"
	"hotline/telephony/telephonytest"
)

// DemoOptions shape the story.
type DemoOptions struct {
	Number      string
	Keys        string // pressed one after the other, a comma between waits
	Human       bool   // bring no agent: somebody answers in a browser
	TalkSeconds int
	Server      string // SIP address dialled, host:port; empty: the server's own. Behind Asterisk: Asterisk's
}

const (
	demoCustomer = 1000.0 // Hz, what the customer says
	demoAgent    = 440.0  // Hz, what the agent says
)

// Demo plays a customer's story against a running server: a caller dials, hears the menu, presses keys, waits, an agent
// answers, they talk, the caller hangs up, and the ticket is there. It fails loudly where a customer would.
func Demo(ctx context.Context, cfg config.Config, o DemoOptions, out io.Writer) error {
	server, ok := running(cfg)
	if !ok {
		return fmt.Errorf("no server runs on %s: start one with `make run` or `hotline serve`, or set HOTLINE_DATA_DIR", cfg.DataDir)
	}
	db, err := openDB(ctx, cfg)
	if err != nil {
		return err
	}
	defer db.Close(context.WithoutCancel(ctx))
	ctx, stop := context.WithTimeoutCause(ctx, 3*time.Minute, errors.New("the story took longer than three minutes"))
	defer stop()
	d := &story{ctx: ctx, out: out, server: server, opt: o, auth: auth.New(auth.Config{Pool: db.Pool, Log: slog.New(slog.DiscardHandler)})}
	return d.play()
}

// story is one run of the demo.
type story struct {
	ctx    context.Context // of the whole story; a command is its life
	out    io.Writer
	server runFile
	opt    DemoOptions
	auth   *auth.Service
	start  time.Time
	token  string
	agent  *telephonytest.Agent
	login  string
}

func (d *story) say(format string, a ...any) {
	if d.start.IsZero() {
		d.start = time.Now()
	}
	fmt.Fprintf(d.out, "%6.1f s  %s\n", time.Since(d.start).Seconds(), fmt.Sprintf(format, a...))
}

func (d *story) play() (err error) {
	if d.token, err = makeToken(d.ctx, d.auth, "lead1", "hotline demo", nil, 10*time.Minute); err != nil {
		return fmt.Errorf("the demo company is needed (HOTLINE_DEMO=1, as `make run` sets it): %w", err)
	}
	if !d.opt.Human {
		if err := d.bringAgent(); err != nil {
			return err
		}
		defer d.agent.Close()
	}
	p, err := telephonytest.NewPhone(telephonytest.PhoneConfig{User: "+79161234567", Server: cmp.Or(d.opt.Server, d.server.SIP)})
	if err != nil {
		return err
	}
	defer p.Close()
	d.say("a customer, +7 916 123-45-67, dials %s", d.opt.Number)
	c, err := p.Call(d.ctx, d.opt.Number, telephonytest.CallOptions{Tone: demoCustomer})
	if err != nil {
		return err
	}
	defer c.Hangup()
	if err := c.Connected(d.ctx); err != nil {
		return fmt.Errorf("the call is not answered: %w", err)
	}
	d.say("the hotline answers")
	if err := d.menu(c); err != nil {
		return err
	}
	call, err := d.answer(c)
	if err != nil {
		return err
	}
	return d.finish(c, call)
}

// bringAgent signs an agent in who behaves like a browser.
func (d *story) bringAgent() error {
	for _, login := range []string{"agent2", "agent1"} {
		token, err := makeToken(d.ctx, d.auth, login, "hotline demo", nil, 10*time.Minute)
		if err != nil {
			continue
		}
		h := http.Header{"Authorization": {"Bearer " + token}}
		a, err := telephonytest.NewAgent(d.ctx, telephonytest.AgentConfig{URL: "http://" + d.server.HTTP + "/api/v1/phone", Header: h, Tone: demoAgent, Lang: "en"})
		if err != nil {
			return fmt.Errorf("the agent's page does not connect: %w", err)
		}
		if err := a.Attach(d.ctx); err != nil {
			a.Close()
			return fmt.Errorf("the agent's sound does not connect: %w", err)
		}
		if _, err := a.Request(d.ctx, "agent.set", map[string]any{"state": "available", "when": "now"}); err != nil {
			a.Close()
			return fmt.Errorf("%s does not get on shift: %w", login, err)
		}
		d.agent, d.login = a, login
		d.say("%s is on shift, sound connected over %s", login, d.server.HTTP)
		return nil
	}
	return errors.New("neither agent1 nor agent2 exists: is this the demo company?")
}

// menu listens and presses the keys.
func (d *story) menu(c *telephonytest.PhoneCall) error {
	for key := range strings.SplitSeq(d.opt.Keys, ",") {
		if key == "" || d.opt.Number == "200" {
			continue
		}
		if err := d.listen(c, 2500*time.Millisecond); err != nil {
			return err
		}
		d.say("the menu speaks (level %s); the customer presses %s", bar(level(c.Heard())), key)
		c.Press(key)
	}
	return nil
}

// listen lets time pass on the line.
func (d *story) listen(c *telephonytest.PhoneCall, t time.Duration) error {
	select {
	case <-time.After(t):
		return nil
	case <-c.Done():
		code, why := c.Why()
		return fmt.Errorf("the call ended early: %d %s", code, why)
	case <-d.ctx.Done():
		return context.Cause(d.ctx)
	}
}

// answer waits for the talk and checks with both ears that it is one.
func (d *story) answer(c *telephonytest.PhoneCall) (call string, err error) {
	if d.agent == nil {
		d.say("waiting: answer the call in the browser")
		for d.call() == "" {
			if err := d.listen(c, time.Second); err != nil {
				return "", err
			}
		}
		d.say("answered")
		return d.call(), nil
	}
	ev, err := d.agent.WaitEvent(d.ctx, "call.offer", nil)
	if err != nil {
		return "", fmt.Errorf("no offer reaches the agent (is another agent available, or the queue full?): %w", err)
	}
	var offer struct {
		Call, From, Queue, Trust string
		Waited                   int `json:"waited_s"`
		Card                     struct {
			Level   string
			Contact *struct{ Name string }
		}
	}
	if err := json.Unmarshal(ev.Data, &offer); err != nil {
		return "", fmt.Errorf("read the card: %w", err)
	}
	who := "unknown"
	if offer.Card.Contact != nil {
		who = offer.Card.Contact.Name
	}
	d.say("the card pops up at %s: %s, %s (%s, number %s), queue %s, waited %d s", d.login, offer.From, who, offer.Card.Level, offer.Trust, offer.Queue, offer.Waited)
	if err := d.listen(c, 1500*time.Millisecond); err != nil {
		return "", err
	}
	if _, err := d.agent.Request(d.ctx, "call.answer", map[string]any{"call": offer.Call}); err != nil {
		return "", fmt.Errorf("the answer is refused: %w", err)
	}
	if err := c.Hears(d.ctx, []float64{demoAgent}, nil); err != nil {
		return "", fmt.Errorf("the customer does not hear the agent: %w", err)
	}
	d.say("they talk: the customer hears the agent (%.0f Hz at %.2f)", demoAgent, c.Amplitude(demoAgent))
	if _, err := d.agent.Request(d.ctx, "wrapup.save", map[string]any{"call": offer.Call, "note": "Played by hotline demo", "done": false}); err != nil {
		d.say("the note was not saved: %v", err)
	}
	return offer.Call, nil
}

// call finds the demo's talk on the board.
func (d *story) call() string {
	var live struct {
		Calls []struct{ Call, From, State string }
	}
	if err := d.get("/live", &live); err != nil {
		return ""
	}
	for _, c := range live.Calls {
		if c.State == "talking" && strings.HasSuffix(c.From, "9161234567") {
			return c.Call
		}
	}
	return ""
}

// finish talks, hangs up and waits for the ticket.
func (d *story) finish(c *telephonytest.PhoneCall, call string) error {
	if err := d.listen(c, time.Duration(d.opt.TalkSeconds)*time.Second); err != nil {
		return err
	}
	c.Hangup()
	d.say("the customer hangs up")
	if d.agent != nil {
		if _, err := d.agent.WaitEvent(d.ctx, "wrapup.start", nil); err == nil {
			_, _ = d.agent.Request(d.ctx, "wrapup.save", map[string]any{"call": call, "note": "Played by hotline demo", "result": "answered", "done": true})
		}
		_, _ = d.agent.Request(d.ctx, "agent.set", map[string]any{"state": "offline", "when": "now"})
	}
	for {
		var got struct {
			Disposition string
			Link        *struct {
				Rule, State string
				Ticket      *struct{ Number, Title string }
			}
			EndedAt *time.Time `json:"ended_at"`
			WaitMS  int        `json:"wait_ms"`
			TalkMS  int        `json:"talk_ms"`
		}
		if err := d.get("/calls/"+call, &got); err == nil && got.EndedAt != nil && got.Link != nil && got.Link.Ticket != nil {
			d.say("the call is in ticket #%s %q: rule %s, %s; waited %.1f s, talked %.1f s", got.Link.Ticket.Number, got.Link.Ticket.Title, got.Link.Rule, got.Link.State,
				float64(got.WaitMS)/1000, float64(got.TalkMS)/1000)
			fmt.Fprintf(d.out, "\nhttp://%s/tickets/%s\n", d.server.HTTP, got.Link.Ticket.Number)
			return nil
		}
		select {
		case <-d.ctx.Done():
			return fmt.Errorf("the call did not reach a ticket: %w", context.Cause(d.ctx))
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// get reads from the API.
func (d *story) get(path string, into any) error {
	req, err := http.NewRequestWithContext(d.ctx, http.MethodGet, "http://"+d.server.HTTP+"/api/v1"+path, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+d.token)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", path, res.Status)
	}
	return json.NewDecoder(res.Body).Decode(into)
}
