package ivr

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"hotline/telephony"
)

// alwaysOpen is the base set without closing hours: the clock of synctest begins on a Saturday night.
func alwaysOpen(t testing.TB) *Set {
	return loadFS(t, with(t, fCal, `mon-fri: ["08:00-22:00"], sat-sun: ["10:00-20:00"]`, `mon-sun: ["00:00-24:00"]`))
}

// newTestRun begins a run of the base set's route 100.
func newTestRun(t testing.TB, env Env) *Run {
	t.Helper()
	set := alwaysOpen(t)
	route, _ := set.Route("100")
	env.Log = slog.New(slog.DiscardHandler)
	return set.StartRoute(route, Caller{From: "+79161234567", Called: "100", Trust: telephony.TrustAsserted}, env)
}

// going runs Next beside the test and gives its outcome.
func going(ctx context.Context, r *Run, leg *fakeLeg) <-chan Outcome {
	out := make(chan Outcome, 1)
	go func() { out <- r.Next(ctx, leg) }()
	return out
}

func TestRunWholeCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		leg := newFakeLeg()
		var kinds []string
		r := newTestRun(t, Env{Trace: func(s Step) { kinds = append(kinds, s.Node+"/"+string(s.Kind)+s.Key) }})
		out := going(t.Context(), r, leg)
		time.Sleep(5 * time.Second) // after welcome and choose
		leg.press("2")
		time.Sleep(time.Second) // in the middle of main_menu
		synctest.Wait()
		pressed := time.Now()
		leg.press("1")
		o := <-out
		if o.Kind != KindQueue || o.Queue.Name != "support" || o.Queue.Lang != "en" {
			t.Fatalf("%+v", o)
		}
		if d := time.Since(pressed); d > 100*time.Millisecond {
			t.Errorf("the key acted after %v", d)
		}
		want := "answer|play Здравствуйте.|played Здравствуйте.|play По-русски — нажмите один. For English, press two.|" +
			"played По-русски — нажмите один. For English, press two.|play Internet, one. Ticket, two. Balance, three. Again, nine.|" +
			"cut Internet, one. Ticket, two. Balance, three. Again, nine."
		if got := leg.story(); got != want {
			t.Errorf("story\n%s\nwant\n%s", got, want)
		}
		if again := r.Next(t.Context(), leg); again.Queue != o.Queue {
			t.Error("Next while away is another outcome")
		}
		leg.press("1") // pressed in the talk: not for the menu
		o = r.Resume(t.Context(), leg, ExitFull)
		if o.Kind != KindVoicemail || o.Voicemail.Terminator != "#" || len(o.Voicemail.Prompt.Clips) != 1 || o.Voicemail.Prompt.Clips[0].Text != "Leave a message." {
			t.Fatalf("%+v", o)
		}
		o = r.Resume(t.Context(), leg, ExitDone)
		if !o.Final() || o.End != EndVoicemail {
			t.Fatalf("%+v", o)
		}
		path := ""
		for _, p := range r.Path() {
			path += p.Node + ":" + p.Exit + ":" + p.Key + " "
		}
		if path != "start:else: language:next:2 main:key 1:1 internet:next: operator:open: queue:full: vm:done: saved:end: " {
			t.Errorf("path %q", path)
		}
		if got := strings.Join(kinds, " "); !strings.Contains(got, "main/key1") || !strings.Contains(got, "vm/left") {
			t.Errorf("trace %s", got)
		}
		if leg.most > 1 {
			t.Errorf("%d sounds at one time", leg.most)
		}
	})
}

// Every way out of Next: hang-up, our own stop, an answer that fails, sound that fails, sound that says the leg is gone.
func TestRunEndings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		leg := newFakeLeg()
		out := going(t.Context(), newTestRun(t, Env{}), leg)
		time.Sleep(time.Second)
		leg.Hangup(telephony.CauseNormal)
		if o := <-out; o.End != EndAbandoned || o.Node != "language" {
			t.Errorf("hang-up: %+v", o)
		}

		leg = newFakeLeg()
		ctx, cancel := context.WithCancel(t.Context())
		out = going(ctx, newTestRun(t, Env{}), leg)
		time.Sleep(10 * time.Second)
		cancel()
		if o := <-out; o.End != EndStopped || o.Node != "main" {
			t.Errorf("stop: %+v", o)
		}

		leg = newFakeLeg()
		leg.answer = func(context.Context) error { return telephony.ErrLegEnded }
		if o := newTestRun(t, Env{}).Next(t.Context(), leg); o.End != EndAbandoned || strings.Contains(leg.story(), "play") {
			t.Errorf("answer failed: %+v %s", o, leg.story())
		}

		leg = newFakeLeg()
		leg.play = func(context.Context, telephony.Prompt) error { return telephony.ErrLegEnded }
		if o := newTestRun(t, Env{}).Next(t.Context(), leg); o.End != EndAbandoned {
			t.Errorf("leg ended in play: %+v", o)
		}

		leg = newFakeLeg()
		leg.play = func(context.Context, telephony.Prompt) error { return errors.New("no such file") }
		if o := newTestRun(t, Env{}).Next(t.Context(), leg); o.Kind != KindQueue || !o.Queue.Fallback {
			t.Errorf("nothing can be played: %+v", o)
		}
	})
}

// A leg whose Play is slow to stop must not delay the key, and the next sound waits for it.
func TestSlowPlayerDoesNotDelayKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		leg := newFakeLeg()
		leg.play = func(ctx context.Context, _ telephony.Prompt) error {
			<-ctx.Done()
			time.Sleep(300 * time.Millisecond)
			return context.Cause(ctx)
		}
		var keyAt time.Time
		r := newTestRun(t, Env{Trace: func(s Step) {
			if s.Kind == StepKey {
				keyAt = time.Now()
			}
		}})
		out := going(t.Context(), r, leg)
		time.Sleep(time.Second)
		leg.press("1") // cuts welcome, and chooses the language
		synctest.Wait()
		if since := time.Since(keyAt); keyAt.IsZero() || since > 0 {
			t.Errorf("the key was used at %v, now %v", keyAt, time.Now())
		}
		time.Sleep(time.Second)
		leg.Hangup(telephony.CauseNormal)
		<-out
		if leg.most > 1 {
			t.Errorf("%d sounds at one time", leg.most)
		}
	})
}

// Early media until a step waits: an overloaded line hears why without being billed.
func TestEarlyMedia(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		leg := newFakeLeg()
		r := newTestRun(t, Env{Sys: func() Sys { return Sys{Load: 0.99} }})
		if o := r.Next(t.Context(), leg); o.End != EndOverload {
			t.Fatalf("%+v", o)
		}
		if got := leg.story(); got != "progress|play Нет свободных линий.|played Нет свободных линий." {
			t.Error(got)
		}
	})
}

// A mistake of ours in the interpreter costs a detour, not the call.
func TestPanicGoesToOnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		leg := newFakeLeg()
		calls := 0
		r := newTestRun(t, Env{Sys: func() Sys {
			if calls++; calls == 1 {
				panic("broken")
			}
			return Sys{}
		}})
		o := r.Next(t.Context(), leg)
		if o.Kind != KindQueue || o.Queue.Fallback {
			t.Fatalf("%+v", o)
		}
	})
}

// holdRun gives a run that is away in the queue.
func holdRun(t *testing.T, ewt int) (*Run, *fakeLeg, *QueueReq) {
	t.Helper()
	leg := newFakeLeg()
	set := alwaysOpen(t)
	set.sounds.music[defaultMusic] = telephony.Prompt{Clips: []telephony.Clip{{Silence: time.Second}}, Loop: true}
	route, _ := set.Route("100")
	env := Env{Log: slog.New(slog.DiscardHandler), Queue: func(string) QueueInfo { return QueueInfo{LoggedIn: 1, EWT: ewt} }}
	r := set.StartRoute(route, Caller{From: "+79161234567", Lang: "en"}, env)
	leg.press("1") // straight through the menu
	o := r.Next(t.Context(), leg)
	if o.Kind != KindQueue {
		t.Fatalf("%+v", o)
	}
	leg.mu.Lock()
	leg.log = nil
	leg.mu.Unlock()
	return r, leg, o.Queue
}

func TestHoldAnnouncesAndStopsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, leg, q := holdRun(t, 0)
		ctx, cancel := context.WithCancelCause(t.Context())
		reserved := errors.New("agent reserved")
		status := WaitStatus{Position: 3, Wait: 100 * time.Second}
		res := make(chan error, 1)
		go func() {
			_, err := r.Hold(ctx, leg, q, func() WaitStatus { return status })
			res <- err
		}()
		time.Sleep(16 * time.Second) // in the first announcement
		synctest.Wait()
		cancel(reserved)
		began := time.Now()
		if err := <-res; !errors.Is(err, reserved) || time.Since(began) > 0 {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		want := "play music|cut music|play You are currently caller number three The estimated hold time is currently two minutes|cut"
		if got := leg.story(); !strings.HasPrefix(got, want) {
			t.Error(got)
		}
		ev := leg.events()
		if d := ev[2].at.Sub(ev[0].at); d != 15*time.Second {
			t.Errorf("first announced after %v", d)
		}

		// The agent did not answer: holding goes on, the music where it was, and the position does not grow.
		status = WaitStatus{Position: 5, Wait: 400 * time.Second}
		ctx2, cancel2 := context.WithCancel(t.Context())
		go func() {
			_, err := r.Hold(ctx2, leg, q, func() WaitStatus { return status })
			res <- err
		}()
		time.Sleep(70 * time.Second)
		cancel2()
		<-res
		again := ""
		for _, e := range leg.events()[4:] {
			again += e.what + " " + e.text + "|"
			if e.what == "play" && e.loop && e.off < 15*time.Second {
				t.Errorf("the music began anew at %v", e.off)
			}
		}
		if !strings.Contains(again, "caller number three") || strings.Contains(again, "five") || strings.Contains(again, "hold time") {
			t.Errorf("told after the ring: %s", again)
		}
	})
}

func TestHoldOffer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, leg, q := holdRun(t, 600)
		type result struct {
			exit string
			err  error
		}
		res := make(chan result, 1)
		hold := func() {
			exit, err := r.Hold(t.Context(), leg, q, func() WaitStatus { return WaitStatus{Position: 1} })
			res <- result{exit, err}
		}
		go hold()
		time.Sleep(30 * time.Second)
		leg.press("1") // the offer is not open yet
		time.Sleep(29 * time.Second)
		synctest.Wait()
		select {
		case x := <-res:
			t.Fatalf("the key acted too early: %+v", x)
		default:
		}
		time.Sleep(5 * time.Second)
		leg.press("1") // in the middle of the music or the offer: both count
		if x := <-res; x.exit != "offer 1" || x.err != nil {
			t.Fatalf("%+v", x)
		}
		if !strings.Contains(leg.story(), "To leave a message, one.") {
			t.Error(leg.story())
		}
		go hold()
		time.Sleep(time.Second)
		leg.Hangup(telephony.CauseNormal)
		if x := <-res; !errors.Is(x.err, telephony.ErrLegEnded) {
			t.Errorf("%+v", x)
		}
	})
}

// Music that cannot be played is tried again by the clock, not in a tight loop.
func TestHoldWithBrokenMusic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, leg, q := holdRun(t, 0)
		leg.play = func(context.Context, telephony.Prompt) error { return errors.New("no such file") }
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
		defer cancel()
		_, err := r.Hold(ctx, leg, q, func() WaitStatus { return WaitStatus{} })
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
		if n := len(leg.events()); n < 10 || n > 200 {
			t.Errorf("%d calls in ten minutes", n)
		}
	})
}

func TestHungUpWhileAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _, _ := holdRun(t, 0)
		if o := r.HungUp(); o.End != EndAbandoned || o.Node != "queue" || len(r.Tags()) == 0 {
			t.Errorf("%+v %v", o, r.Tags())
		}
	})
}

// Keys of the talk are not typed ahead into the menu that follows it.
func TestKeysOfTheTalkAreDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, leg, _ := holdRun(t, 0)
		leg.press("1")
		out := make(chan Outcome, 1)
		go func() { out <- r.Resume(t.Context(), leg, ExitNoAgents) }()
		time.Sleep(20 * time.Second) // night and its menu are over, silence
		synctest.Wait()
		leg.Hangup(telephony.CauseNormal)
		if o := <-out; o.End != EndAbandoned || o.Node != "night" {
			t.Errorf("%+v", o)
		}
		if st := r.State(); st.Spent < 20*time.Second || st.Spent > 30*time.Second {
			t.Errorf("menu time %v", st.Spent)
		}
	})
}
