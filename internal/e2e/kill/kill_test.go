// Package kill holds the whole-system tests that end the program: kill -9 and SIGTERM with calls up.
package kill

import (
	"context"
	"net/http"
	"syscall"
	"testing"
	"time"

	"hotline/internal/e2e/program"
	"hotline/telephony/telephonytest"
)

// R34: kill -9 with calls in menu, queue and talk. At the next start every one of them is closed with its true last state,
// its caller is on the callback list or in the ticket, once; the recording plays up to two seconds before the kill; there
// is one database; the next call is served.
func TestR34KillWithCallsInMenuQueueAndTalk(t *testing.T) {
	ctx, stop := context.WithTimeout(context.Background(), 150*time.Second)
	defer stop()
	p := program.New(t)
	p.Start(ctx)
	a := p.Agent(ctx, "agent1")
	talk := p.Dial(ctx, "+79031110001", "200")
	call, _, err := a.WaitOffer(ctx)
	p.OK(err)
	p.OK(a.Answer(ctx, call))
	p.OK(talk.Hears(ctx, []float64{440}, nil))
	p.Dial(ctx, "+79031110002", "200")
	p.Dial(ctx, "+79031110003", "100")
	p.Eventually(ctx, "talk, queue and menu are in rows", func() bool {
		return p.SQL(ctx, `SELECT string_agg(state, ' ' ORDER BY state) FROM call WHERE state <> 'ended'`) == "menu talking waiting"
	})
	p.Eventually(ctx, "four seconds of talk", func() bool { return len(talk.Heard()) > 4*8000 })
	began := time.Now()
	p.Kill()
	p.Start(ctx)
	t.Logf("killed and accepting again in %v", time.Since(began).Round(10*time.Millisecond))
	p.Eventually(ctx, "all calls are closed and followed up", func() bool {
		return p.SQL(ctx, `SELECT concat(count(*) FILTER (WHERE c.state = 'ended' AND c.end_reason = 'crash'), ' ', count(l.ticket_id), ' ', count(DISTINCT l.ticket_id)) FROM call c LEFT JOIN call_link l ON l.call_id = c.id`) == "3 3 3"
	})
	got := p.SQL(ctx, `SELECT string_agg(concat(right(caller_e164, 1), ':', substring(hangup_cause FROM '[a-z]+$'), ':', disposition), ' ' ORDER BY caller_e164) FROM call`)
	if want := "1:talking:answered 2:waiting:no_answer 3:menu:no_answer"; got != want {
		t.Errorf("calls %q, want %q", got, want)
	}
	if n := p.SQL(ctx, `SELECT string_agg(right(number, 1), '' ORDER BY number) FROM callback_request WHERE state = 'waiting'`); n != "23" {
		t.Errorf("callbacks of %q, want those of 2 and 3", n)
	}
	p.Eventually(ctx, "the recording is there", func() bool { return p.SQL(ctx, `SELECT count(*)::text FROM recording WHERE state = 'ready'`) == "1" })
	if ms := p.SQL(ctx, `SELECT (duration_ms >= 2000)::text FROM recording WHERE state = 'ready'`); ms != "true" {
		t.Errorf("the recording of at least four seconds has %s ms", p.SQL(ctx, `SELECT duration_ms::text FROM recording`))
	}
	if n := p.Postmasters(); n != 1 {
		t.Errorf("%d postmasters", n)
	}
	a2 := p.Agent(ctx, "agent2")
	again := p.Dial(ctx, "+79031110004", "200")
	call, _, err = a2.WaitOffer(ctx)
	p.OK(err)
	p.OK(a2.Answer(ctx, call))
	p.OK(again.Hears(ctx, []float64{440}, nil))
	again.Hangup()
}

// SIGTERM drains: the talk goes on, a new call gets 503, and after the last hang-up the program ends by itself.
func TestSIGTERMDrains(t *testing.T) {
	ctx, stop := context.WithTimeout(context.Background(), 90*time.Second)
	defer stop()
	p := program.New(t)
	p.Start(ctx)
	a := p.Agent(ctx, "agent1")
	c := p.Dial(ctx, "+79031110001", "200")
	call, _, err := a.WaitOffer(ctx)
	p.OK(err)
	p.OK(a.Answer(ctx, call))
	p.OK(c.Hears(ctx, []float64{440}, nil))
	p.OK(p.Cmd.Process.Signal(syscall.SIGTERM))
	p.Eventually(ctx, "not ready any more", func() bool {
		r, err := http.Get("http://" + p.Run.HTTP + "/readyz")
		if err != nil {
			return false
		}
		defer r.Body.Close()
		return r.StatusCode == http.StatusServiceUnavailable
	})
	ph, err := telephonytest.NewPhone(telephonytest.PhoneConfig{User: "+79031110002", Server: p.Run.SIP})
	p.OK(err)
	defer ph.Close()
	late, err := ph.Call(ctx, "200", telephonytest.CallOptions{})
	p.OK(err)
	_ = late.Connected(ctx)
	if code, _ := late.Why(); code != 503 {
		t.Errorf("a new call while draining got %d", code)
	}
	p.OK(c.Hears(ctx, []float64{440}, nil))
	c.Hangup()
	select {
	case err := <-p.Done:
		p.Done <- err
		if err != nil {
			t.Errorf("ended with %v", err)
		}
	case <-ctx.Done():
		t.Fatalf("does not end\n%s", p.Log())
	}
	if n := p.Postmasters(); n != 0 {
		t.Errorf("%d postmasters left", n)
	}
}

// A second signal skips the wait: running calls are ended, with their end in the rows, and the program is gone.
func TestSecondSignalSkipsTheWait(t *testing.T) {
	ctx, stop := context.WithTimeout(context.Background(), 90*time.Second)
	defer stop()
	p := program.New(t)
	p.Start(ctx)
	a := p.Agent(ctx, "agent1")
	c := p.Dial(ctx, "+79031110001", "200")
	call, _, err := a.WaitOffer(ctx)
	p.OK(err)
	p.OK(a.Answer(ctx, call))
	p.OK(c.Hears(ctx, []float64{440}, nil))
	p.OK(p.Cmd.Process.Signal(syscall.SIGTERM))
	p.OK(c.Hears(ctx, []float64{440}, nil))
	began := time.Now()
	p.OK(p.Cmd.Process.Signal(syscall.SIGTERM))
	select {
	case err := <-p.Done:
		p.Done <- err
	case <-ctx.Done():
		t.Fatalf("does not end\n%s", p.Log())
	}
	if took := time.Since(began); took > 15*time.Second {
		t.Errorf("ended %v after the second signal", took)
	}
	<-c.Done()
	p.Start(ctx)
	if got := p.SQL(ctx, `SELECT concat(state, ' ', end_reason) FROM call`); got != "ended draining" {
		t.Errorf("the call: %s", got)
	}
}
