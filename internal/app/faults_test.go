package app

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/riverqueue/river"

	"hotline/internal/auth"
	"hotline/internal/config"
	"hotline/telephony/telephonytest"
)

// freeze stops every process of the private PostgreSQL, as a hung disk does; the function it gives lets them go on.
func (s *system) freeze() (thaw func()) {
	s.t.Helper()
	b, err := os.ReadFile(filepath.Join(s.cfg.DataDir, "postgres", "postmaster.pid"))
	s.ok(err)
	first, _, _ := strings.Cut(string(b), "\n")
	master, err := strconv.Atoi(first)
	s.ok(err)
	pids := []int{master}
	children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", master, master))
	s.ok(err)
	for f := range strings.FieldsSeq(string(children)) {
		if pid, err := strconv.Atoi(f); err == nil {
			pids = append(pids, pid)
		}
	}
	signal := func(sig syscall.Signal) {
		for _, p := range pids {
			_ = syscall.Kill(p, sig)
		}
	}
	signal(syscall.SIGSTOP)
	s.t.Cleanup(func() { signal(syscall.SIGCONT) })
	return func() { signal(syscall.SIGCONT) }
}

// R35: the database is away. Talks go on, a new call is admitted, answered and talked, and everything is in rows soon after.
func TestDatabaseAway(t *testing.T) {
	s := start(t, func(c *config.Config) { c.DatabaseURL = "" })
	ctx := s.ctx(120 * time.Second)
	a, b := s.agent(ctx, "agent1", 440), s.agent(ctx, "agent2", 700)
	c := s.dial(ctx, "+79031112233", "200", 1000)
	call, _, err := a.WaitOffer(ctx)
	s.ok(err)
	s.ok(a.Answer(ctx, call))
	s.ok(c.Hears(ctx, []float64{440}, nil))
	thaw := s.freeze()
	began := time.Now()
	s.ok(c.Hears(ctx, []float64{440}, nil))
	d := s.dial(ctx, "+79034445566", "200", 1200)
	other, _, err := b.WaitOffer(ctx)
	s.ok(err)
	s.ok(b.Answer(ctx, other))
	s.ok(d.Hears(ctx, []float64{700}, nil))
	s.ok(c.Hears(ctx, []float64{440}, nil))
	if took := time.Since(began); took > 30*time.Second {
		t.Fatalf("a call without the database took %v to its talk", took)
	}
	c.Hangup()
	d.Hangup()
	s.eventually(ctx, "both calls are over", func() bool { return len(s.calls.list()) == 0 })
	thaw()
	back := time.Now()
	s.eventually(ctx, "both calls are in rows and tickets", func() bool {
		return one[int](s, ctx, `SELECT count(*) FROM call c JOIN call_link l ON l.call_id = c.id WHERE c.state = 'ended' AND c.disposition = 'answered' AND l.ticket_id IS NOT NULL`) == 2
	})
	if took := time.Since(back); took > 10*time.Second {
		t.Errorf("caught up after %v, 10 s are promised", took)
	}
}

// A voicemail is a missed call with sound (A14): the message is recorded, the ticket made, the callback waits.
func TestVoicemail(t *testing.T) {
	s := start(t)
	ctx := s.ctx(60 * time.Second)
	q := s.queueConfig("support")
	q.MaxWaitS = 1
	_, err := s.queues.UpdateQueue(ctx, q)
	s.ok(err)
	s.ok(s.loadSettings(ctx))
	c := s.dial(ctx, "+79031112233", "200", 0)
	s.eventually(ctx, "the message is taken", func() bool { l := s.calls.list(); return len(l) == 1 && l[0].snapshot().State == "voicemail" })
	s.eventually(ctx, "the tone was heard", func() bool { return c.Amplitude(440) > 0.1 })
	c.Tone(1000)
	s.eventually(ctx, "it is recorded", func() bool { return one[int](s, ctx, `SELECT count(*) FROM recording WHERE kind = 'voicemail'`) == 1 })
	pause(ctx, 3500*time.Millisecond) // a message of some length
	c.Press("#")
	s.eventually(ctx, "the message is a ticket with its sound", func() bool {
		return one[int](s, ctx, `SELECT count(*) FROM call c JOIN call_link l ON l.call_id = c.id JOIN recording r ON r.call_id = c.id JOIN callback_request b ON b.ticket_id = l.ticket_id
			WHERE c.disposition = 'voicemail' AND l.missed AND r.state = 'ready' AND r.channels = 1 AND r.duration_ms > 2000`) == 1
	})
}

// The menu on 100, walked by keys in both languages; a key acts in the middle of a prompt.
func TestMenuByKeys(t *testing.T) {
	for lang, key := range map[string]string{"ru": "1", "en": "2"} {
		t.Run(lang, func(t *testing.T) {
			s := start(t)
			ctx := s.ctx(60 * time.Second)
			a := s.agent(ctx, "agent1", 440)
			c := s.dial(ctx, "+79031112233", "100", 1000)
			s.eventually(ctx, "the menu speaks", func() bool { return level(c.Heard()) > 0.01 })
			c.Press(key)
			s.eventually(ctx, "the main menu", func() bool {
				return len(s.calls.list()) == 1 && s.calls.list()[0].log.Summary().Path[len(s.calls.list()[0].log.Summary().Path)-1].Node == "main"
			})
			c.Press("1")
			call, _, err := a.WaitOffer(ctx)
			s.ok(err)
			s.ok(a.Answer(ctx, call))
			s.ok(c.Hears(ctx, []float64{440}, nil))
			c.Hangup()
			s.eventually(ctx, "the way through the menu is stored", func() bool {
				return one[int](s, ctx, `SELECT count(*) FROM call WHERE lang = $1 AND state = 'ended' AND jsonb_path_exists(menu_path, '$[*] ? (@.node == "main" && @.exit == "key 1")')`, lang) == 1
			})
		})
	}
}

// Admission: above max_calls a caller gets 503 with Retry-After, at once, and the calls that run do not notice.
func TestTooManyCalls(t *testing.T) {
	s := start(t, func(c *config.Config) { c.SIPMaxCalls = 2 })
	ctx := s.ctx(30 * time.Second)
	first, second := s.dial(ctx, "+79031110001", "200", 1000), s.dial(ctx, "+79031110002", "200", 1000)
	third, err := s.phone("+79031110003").Call(ctx, "200", telephonytest.CallOptions{})
	s.ok(err)
	_ = third.Connected(ctx)
	if code, why := third.Why(); code != 503 || !strings.Contains(why, "retry after") {
		t.Fatalf("third call: %d %s", code, why)
	}
	for _, c := range []*telephonytest.PhoneCall{first, second} {
		before := c.Packets()
		s.eventually(ctx, "music goes on", func() bool { return c.Packets() > before+10 })
	}
}

// A desk phone at a fixed address, as an administrator sets it, is on shift without registering.
func TestDeskPhoneAtAFixedAddress(t *testing.T) {
	s := start(t)
	ctx := s.ctx(60 * time.Second)
	p, err := telephonytest.NewPhone(telephonytest.PhoneConfig{User: "desk1"})
	s.ok(err)
	t.Cleanup(p.Close)
	endpoint := p.URI()
	_, err = s.auth.UpdateUser(ctx, nil, "desk1", 0, auth.UserPatch{Endpoint: &endpoint})
	s.ok(err)
	s.ok(s.loadSettings(ctx))
	c := s.dial(ctx, "+79031112233", "200", 1000)
	var in *telephonytest.PhoneCall
	select {
	case in = <-p.Incoming():
	case <-ctx.Done():
		t.Fatalf("the desk phone does not ring\n%s", s.log.text())
	}
	if user, _ := in.Caller(); user != "+79031112233" {
		t.Errorf("the phone shows %q", user)
	}
	in.Tone(440)
	s.ok(in.Answer())
	s.ok(c.Hears(ctx, []float64{440}, nil))
	s.ok(in.Hears(ctx, []float64{1000}, nil))
	c.Hangup()
	<-in.Done()
}

// Jobs that a kill cut off are done at the next start, not an hour later; another node's are left alone.
func TestCutJobsAreGivenBack(t *testing.T) {
	s := start(t)
	ctx := s.ctx(30 * time.Second)
	later := &river.InsertOpts{ScheduledAt: time.Now().Add(time.Hour)}
	for _, node := range []string{s.journal.ID(), "another"} {
		job, err := s.jobs.Insert(ctx, wrapupJob{Call: "of " + node}, later)
		s.ok(err)
		_, err = s.db.Pool.Exec(ctx, `UPDATE river_job SET state = 'running', attempted_by = ARRAY['one before', $2], attempted_at = now() WHERE id = $1`, job.Job.ID, node)
		s.ok(err)
	}
	s.ok(freeJobs(ctx, s.db.Pool, s.journal.ID()))
	state := `SELECT state::text FROM river_job WHERE args->>'call' = $1`
	if got := one[string](s, ctx, state, "of another"); got != "running" {
		t.Errorf("another node's job is %s", got)
	}
	s.eventually(ctx, "the cut job is done or tried", func() bool { return one[string](s, ctx, state, "of "+s.journal.ID()) != "running" })
}
