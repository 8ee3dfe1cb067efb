package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"hotline/internal/e2e/program"
	"hotline/telephony/telephonytest"
)

// relayFlow is a menu that hands every caller to a number outside.
const relayFlow = `flow: relay
grammar: 1
title: {ru: Наружу, en: Relay}
languages: [ru, en]
timezone: Europe/Moscow
entry: out
globals: {on_error: bye}
nodes:
  out:
    title: {ru: Наружу, en: Out}
    transfer: {to: {number: "'+74951230000'"}, mode: blind, ring: 10s, busy: bye, no_answer: bye, failed: bye}
  bye:
    title: {ru: Конец, en: End}
    end: completed
`

// Callers and agents do what they like while Hotline is killed again and again, once as soon as it is back, stopped by
// SIGTERM, the wire to Asterisk cut, and Asterisk itself killed. In the end every caller's call has one end that is true:
// a talk, a message, a callback, a ticket, or the caller's own leaving; nobody was hung up on; nothing is left anywhere.
// HOTLINE_CHAOS_KILLS says how often Hotline is killed (4), HOTLINE_CHAOS_SEED repeats what a run did by chance.
func TestChaos(t *testing.T) {
	p, _ := byAsterisk(t, program.Cuttable(), program.Env("HOTLINE_DRAIN_TIMEOUT=300ms", "HOTLINE_REATTACH_GRACE=6s"))
	kills := setting(t, "HOTLINE_CHAOS_KILLS", 4)
	chance := int(time.Now().UnixNano() & 0xffffff)
	if os.Getenv("CI") != "" { // there the choices are the same each time: a red run is about the change
		chance = 1
	}
	seed := setting(t, "HOTLINE_CHAOS_SEED", chance)
	t.Logf("HOTLINE_CHAOS_SEED=%d", seed)
	ctx := limit(t, time.Minute+time.Duration(kills)*12*time.Second)
	menus := filepath.Join(p.Data(), "ivr")
	ok(t, os.CopyFS(menus, os.DirFS("../../ivr/demo/set")))
	ok(t, os.WriteFile(filepath.Join(menus, "flows/relay.yaml"), []byte(relayFlow), 0o644))
	ok(t, os.WriteFile(filepath.Join(menus, "routes.yaml"), []byte("- {number: \"100\", flow: hotline, fallback_queue: support}\n- {number: \"383\", flow: relay}\n"), 0o644))
	p.Start(ctx)
	queue(ctx, t, p, "chaos", "381", map[string]any{"max_wait_s": 600, "ring_timeout_s": 3, "missed_rest_s": 1, "max_missed": 3})
	queue(ctx, t, p, "box", "382", map[string]any{"max_wait_s": 1, "on_timeout": "voicemail"})
	for _, login := range []string{"agent1", "agent2"} {
		p.Set(ctx, "/users/"+login, map[string]any{"queues": []map[string]any{{"queue": "chaos", "level": 1}, {"queue": "support", "level": 1}}})
	}
	p.Set(ctx, "/queues/support", map[string]any{"wrapup_s": 1, "ring_timeout_s": 3})
	provider := p.Phone(telephonytest.PhoneConfig{User: "provider"})
	p.Provider(ctx, provider, "+74950000000")

	missed := number()
	p.Dial(ctx, missed, "381").Hangup()

	c := newChaos(ctx, t, p)
	c.missed = told(ctx, t, p, keyOf(ctx, t, p, missed)).Key
	c.outside(provider)
	for i := range 10 {
		c.crowd.Go(func() { c.caller(rand.New(rand.NewPCG(uint64(seed), uint64(i)))) })
	}
	for i, login := range []string{"agent1", "agent2"} {
		c.staff.Go(func() {
			c.agent(rand.New(rand.NewPCG(uint64(seed), uint64(100+i))), login, []float64{agent1Hz, agent2Hz}[i])
		})
	}
	t.Cleanup(c.close)
	c.harm(kills, rand.New(rand.NewPCG(uint64(seed), 1000)), menus)
	close(c.enough)
	c.crowd.Wait() // each within its patience
	within(ctx, t, 30*time.Second, "all calls are over", func() bool { return states(ctx, p) == "" })
	within(ctx, t, 30*time.Second, "both agents are free", func() bool {
		b := live(ctx, p)
		return b.agent("agent1").State == "available" && b.agent("agent2").State == "available"
	})
	left := ""
	defer func() {
		if left != "" {
			t.Log("left in Asterisk: ", left)
		}
	}()
	within(ctx, t, 20*time.Second, "nothing of ours is left in Asterisk", func() bool {
		left = p.PBX.CLI(ctx, "core show channels concise")
		if bridges(ctx, p) > 0 {
			left += p.PBX.CLI(ctx, "bridge show all")
		}
		return left == ""
	})
	c.judge(t)
	p.Clean("Asterisk")
}

func setting(t *testing.T, name string, otherwise int) int {
	t.Helper()
	if v := os.Getenv(name); v != "" {
		n, err := strconv.Atoi(v)
		ok(t, err)
		return n
	}
	return otherwise
}

// harm is the bad luck of the run. Hotline and Asterisk are up when it returns.
func (c *chaos) harm(kills int, r *rand.Rand, menus string) {
	acts := []string{"again", "asterisk", "wire", "stop"} // again is two kills
	for range max(0, kills-2) {
		acts = append(acts, "kill")
	}
	r.Shuffle(len(acts), func(i, j int) { acts[i], acts[j] = acts[j], acts[i] })
	p, edited := c.p, false
	for _, act := range acts {
		c.wait(r, 2*time.Second, 5*time.Second)
		c.log(time.Since(c.began).Round(10*time.Millisecond), act)
		switch act {
		case "kill", "again":
			back := c.gone()
			p.Kill()
			if !edited { // the menu that callers are in is another one now
				edited = true
				name := filepath.Join(menus, "flows/relay.yaml")
				p.OK(os.WriteFile(name, []byte(relayFlow+"# again\n"), 0o644))
			}
			c.wait(r, 0, 1500*time.Millisecond)
			p.Start(c.ctx)
			if act == "again" {
				c.up()
				c.wait(r, 0, 700*time.Millisecond)
				c.addr.Store(nil)
				p.Kill()
				p.Start(c.ctx)
			}
			back()
		case "stop":
			back := c.gone()
			p.OK(p.Cmd.Process.Signal(syscall.SIGTERM))
			err := <-p.Done
			p.Done <- err
			p.OK(err)
			c.wait(r, 0, time.Second)
			p.Start(c.ctx)
			back()
		case "asterisk":
			down := r.IntN(2) == 0 // Hotline as well
			back := c.gone()
			if down {
				p.Kill()
			}
			began := time.Now()
			p.PBX.Restart(c.ctx)
			c.lose(began)
			if down {
				p.Start(c.ctx)
			}
			p.Eventually(c.ctx, "Asterisk is back", func() bool { return p.Get(c.ctx, "/readyz") == 200 })
			back()
		case "wire":
			began := time.Now()
			p.OK(p.Wire.CutFor(c.ctx, time.Second+time.Duration(r.Int64N(int64(3*time.Second)))))
			c.mark(began)
		}
	}
	c.wait(r, time.Second, 2*time.Second)
}

// judge holds what became of each call against what its caller did.
func (c *chaos) judge(t *testing.T) {
	t.Helper()
	kinds := map[string]int{}
	for _, k := range c.calls {
		keys := c.p.SQL(c.ctx, `SELECT coalesce(string_agg(c.call_key, ' '), '') FROM call c JOIN call_event e ON e.call_id = c.id AND e.type = 'begin' WHERE e.data->'party'->>'sip_call_id' = $1`, k.id)
		if keys == "" {
			if c.calm(k.began, k.over) > 5*time.Second && !k.lost {
				t.Errorf("%s was never noticed", k)
			}
			kinds["never noticed"]++
			continue
		}
		if len(keys) != 26 {
			t.Errorf("%s has the calls %s", k, keys)
			continue
		}
		row := told(c.ctx, t, c.p, keys)
		kinds[row.EndReason]++
		switch {
		case k.lost:
			if row.Disposition != "answered" && row.Disposition != "voicemail" && row.Link.Ticket == nil && row.Link.Rule != "A10" && k.left.IsZero() {
				t.Errorf("%s was lost with Asterisk, and is forgotten: %+v", k, row)
			}
		case k.left.IsZero(): // we ended it
			empty := k.what == "382" && row.EndReason == "no_answer" && row.Link.Missed // no message was left
			if !empty && !slices.Contains([]string{"talked", "voicemail", "transferred", "completed"}, row.EndReason) {
				t.Errorf("%s was hung up on: %+v", k, row)
			}
		case c.calm(k.left, k.left.Add(time.Millisecond)) > 0:
			if row.EndReason == "crash" || row.EndReason == "unreachable" || row.EndReason == "error" {
				t.Errorf("%s left, and that is not what is told: %+v", k, row)
			}
		}
	}
	t.Logf("%d calls: %v", len(c.calls), kinds)
	t.Log("calls out: ", c.p.SQL(c.ctx, `SELECT coalesce(string_agg(x, ', '), '') FROM (SELECT concat(end_reason, ' ', count(*)) x FROM call WHERE direction = 'out' GROUP BY end_reason) q`))
	if n := c.p.SQL(c.ctx, `SELECT count(*)::text FROM call WHERE end_result = 'server_error' AND end_reason IN ('panic', 'error')`); n != "0" {
		t.Errorf("%s calls ended by a fault of ours", n)
	}
}

// String names a call in a failure.
func (k *chaosCall) String() string {
	return fmt.Sprintf("%s (%s, from %v to %v, left %v, lost %v)", k.from, k.what, k.at(k.began), k.at(k.over), k.at(k.leftOr()), k.lost)
}

func (k *chaosCall) leftOr() time.Time {
	if k.left.IsZero() {
		return k.start
	}
	return k.left
}

func (k *chaosCall) at(x time.Time) time.Duration { return x.Sub(k.start).Round(10 * time.Millisecond) }

// wait passes the time by chance.
func (c *chaos) wait(r *rand.Rand, least, most time.Duration) {
	t := time.NewTimer(least + time.Duration(r.Int64N(int64(most-least)+1)))
	defer t.Stop()
	select {
	case <-t.C:
	case <-c.ctx.Done():
		c.p.OK(context.Cause(c.ctx))
	}
}
