package ivr

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"hotline/telephony"
)

func TestHangupAnywhere(t *testing.T) {
	s := at(t, baseSet(t), "main", "1")
	s.apply(s.m.hangup(s.now, EndAbandoned))
	if s.out.End != EndAbandoned || s.out.Node != "main" || !slices.Contains(s.m.st.Tags, "gone") {
		t.Errorf("%+v, tags %v", s.out, s.m.st.Tags)
	}
	if es := s.m.key(s.now, '1', "sim", s.now); len(es) != 0 {
		t.Errorf("a late key had effects: %v", es)
	}
	if es := s.m.start(s.now); len(es) != 1 || es[0].out.End != EndAbandoned {
		t.Errorf("Next after the end: %v", es)
	}
	s = at(t, baseSet(t), "tell", "131234")
	s.apply(s.m.hangup(s.now, EndAbandoned))
	if s.out.Node != "billing.tell" || s.out.Flow != "hotline" {
		t.Errorf("in a sub-flow: %+v", s.out)
	}
}

// The first fault goes to on_error, the second to the route's fallback queue, which resumes to an end.
func TestFaults(t *testing.T) {
	s := at(t, baseSet(t), "main", "1")
	_ = s.press("7")
	s.apply(s.m.soundFailed(s.now, s.epoch, "no such file"))
	s.wantNode(t, "fault")
	s.apply(s.m.soundFailed(s.now, s.epoch, "again"))
	s.wantNode(t, nodeFallback)
	if !s.away() || s.out.Queue.Name != "support" || !s.out.Queue.Fallback {
		t.Fatalf("%+v", s.out)
	}
	s.resume(ExitTimeout)
	if !s.ended() || s.out.End != EndError {
		t.Errorf("%+v", s.out)
	}
	set := baseSet(t)
	lone := newSim(set, Route{Flow: "nowhere"}, Caller{}, testNow, fakes{})
	lone.start()
	if !lone.ended() || lone.out.End != EndError {
		t.Errorf("a flow that does not exist: %+v", lone.out)
	}
	lone = newSim(set, Route{Flow: "nowhere", FallbackQueue: "support"}, Caller{}, testNow, fakes{})
	lone.start()
	if !lone.away() || lone.out.Queue.Name != "support" {
		t.Errorf("with a fallback queue: %+v", lone.out)
	}
}

func TestLimits(t *testing.T) {
	s := at(t, loadFS(t, with(t, fHot, "entry: start", "entry: start\nlimits: {max_duration: 1m}")), "main", "1")
	s.advance(testNow.Add(59 * time.Second))
	for !s.ended() && !s.away() && s.now.Before(testNow.Add(2*time.Minute)) {
		_ = s.press("7") // keeps the menu busy
		s.advance(s.now.Add(time.Second))
	}
	s.wantNode(t, "queue") // by exhausted or by the limit; the limit must show
	s = at(t, loadFS(t, with(t, fHot, "entry: start", "entry: start\nlimits: {max_duration: 10s}")), "language", "")
	s.advance(testNow.Add(11 * time.Second))
	if s.m.st.Faults != 1 {
		t.Errorf("faults %d", s.m.st.Faults)
	}
	s = at(t, loadFS(t, with(t, fHot, "entry: start", "entry: start\nlimits: {max_steps: 5}")), "main", "1")
	for range 3 {
		_ = s.press("9")
		s.settle()
	}
	if s.m.st.Faults != 1 || !s.away() {
		t.Errorf("faults %d at %s", s.m.st.Faults, s.m.st.frame().Node)
	}
	s.resume(ExitTimeout) // the error branch still has room
	s.wantNode(t, "vm")
}

// Time in a queue does not count against max_duration.
func TestWaitingIsNotMenuTime(t *testing.T) {
	s := at(t, baseSet(t), "queue", "10")
	s.now = s.now.Add(19 * time.Minute)
	s.resume(ExitFull)
	s.wantNode(t, "vm")
	if s.m.st.Spent > time.Minute {
		t.Errorf("spent %v", s.m.st.Spent)
	}
}

func TestQueueRequest(t *testing.T) {
	set := baseSet(t)
	route, _ := set.Route("100")
	s := newSim(set, route, Caller{From: "+79161234567", VIP: true}, testNow, fakes{queue: map[string]QueueInfo{"support": {LoggedIn: 2, EWT: 300}}})
	s.start()
	_ = s.press("2")
	_ = s.press("1")
	s.settle()
	q := s.out.Queue
	if q == nil || q.Name != "support" || q.Priority != 10 || q.Lang != "en" || q.Skills["en"] != 1 || q.Skills["internet"] != 1 || q.MaxWait != 20*time.Minute {
		t.Fatalf("%+v", q)
	}
	want := Announce{First: 15 * time.Second, Every: time.Minute, PositionMax: 10, WaitRound: time.Minute, WaitMax: 30 * time.Minute}
	if q.Announce != want || len(q.Offers) != 1 || q.Offers[0].Key != "1" || q.Offers[0].Exit != "offer 1" {
		t.Errorf("%+v", q)
	}
	first := q.Since
	s.advance(s.now.Add(59 * time.Second))
	_ = s.press("1") // not open yet
	s.wantNode(t, "queue")
	s.advance(s.now.Add(2 * time.Second))
	if got := s.text(0); !strings.Contains(got, "To leave a message") {
		t.Errorf("the offer was not heard: %q", got)
	}
	_ = s.press("1")
	s.wantNode(t, "vm")
	// Coming back keeps the time of entry.
	s.m.st.frame().Node = "queue"
	s.m.begin(s.now)
	s.m.hand(s.m.node())
	if got := s.m.away.Queue.Since; got != first {
		t.Errorf("entered again at %v, first at %v", got, first)
	}
}

func TestAfterCall(t *testing.T) {
	s := at(t, baseSet(t), "queue", "10")
	s.resume(ExitAfterCall)
	s.settle()
	if !s.ended() || s.out.End != EndCompleted || !strings.Contains(s.text(0), "До свидания.") {
		t.Errorf("%+v", s.out)
	}
	s = at(t, loadFS(t, with(t, fHot, "after_call: bye, ", "")), "queue", "10")
	s.resume(ExitAfterCall)
	if !s.ended() || s.out.End != EndCompleted {
		t.Errorf("not wired: %+v", s.out)
	}
	s = at(t, baseSet(t), "queue", "10")
	s.resume("nonsense")
	s.wantNode(t, "fault")
}

func TestRememberedLanguageIsNotAsked(t *testing.T) {
	set := baseSet(t)
	route, _ := set.Route("100")
	s := newSim(set, route, Caller{Lang: "en"}, testNow, fakes{})
	s.start()
	s.settle()
	s.wantNode(t, "main")
	if s.m.st.Lang != "en" || s.m.st.LangChosen || strings.Contains(s.text(0), "For English") {
		t.Errorf("%s %v %q", s.m.st.Lang, s.m.st.LangChosen, s.text(0))
	}
	s = at(t, set, "main", "2")
	if s.m.st.Lang != "en" || !s.m.st.LangChosen {
		t.Error("the choice is not kept")
	}
}

func TestHoursAndLists(t *testing.T) {
	set := baseSet(t)
	msk := time.FixedZone("MSK", 3*3600)
	for _, c := range []struct {
		at   time.Time
		want string
	}{
		{time.Date(2026, 11, 20, 7, 59, 0, 0, msk), "closed"},
		{time.Date(2026, 11, 20, 8, 0, 0, 0, msk), "open"},
		{time.Date(2026, 11, 20, 21, 59, 0, 0, msk), "open"},
		{time.Date(2026, 11, 20, 22, 0, 0, 0, msk), "closed"},
		{time.Date(2026, 11, 21, 9, 0, 0, 0, msk), "closed"},
		{time.Date(2026, 11, 23, 12, 0, 0, 0, msk), "holiday"},
		{time.Date(2027, 1, 15, 13, 0, 0, 0, msk), "open"},
		{time.Date(2027, 1, 15, 9, 0, 0, 0, msk), "holiday"},
		{time.Date(2027, 2, 1, 9, 0, 0, 0, msk), "open"},
	} {
		if got := set.calendarState("support", c.at); got != c.want {
			t.Errorf("%v: %s, want %s", c.at, got, c.want)
		}
	}
	for from, want := range map[string]string{"+79990000000": EndRejected, "+78881": EndRejected} {
		route, _ := set.Route("100")
		s := newSim(set, route, Caller{From: from}, testNow, fakes{})
		s.start()
		if !s.ended() || s.out.End != want || s.m.st.Answered {
			t.Errorf("%s: %+v", from, s.out)
		}
	}
	route, _ := set.Route("100")
	s := newSim(set, route, Caller{}, testNow, fakes{load: 0.99})
	s.start()
	s.settle()
	if !s.ended() || s.out.End != EndOverload || s.m.st.Answered {
		t.Errorf("overload is spoken before the answer: %+v", s.out)
	}
}

// A state survives JSON: variables keep their types, a hand-over is handed over again, a question is asked again.
func TestStateRoundTrip(t *testing.T) {
	set := baseSet(t)
	route, _ := set.Route("100")
	round := func(st State) State {
		js, err := json.Marshal(st)
		if err != nil {
			t.Fatal(err)
		}
		var out State
		if err := json.Unmarshal(js, &out); err != nil {
			t.Fatal(err)
		}
		return out
	}
	s := at(t, set, "tell", "131234")
	r, err := set.Restore(round(s.m.st.copy(set)), s.m.caller, Env{Now: now})
	if err != nil {
		t.Fatal(err)
	}
	if v := r.m.st.frame().Vars["sum"]; v != 12.5 {
		t.Errorf("sum is %v (%T)", v, v)
	}
	if v := r.m.st.Frames[0].Vars["pin"]; v != "" {
		t.Errorf("the secret came back: %v", v)
	}
	again := &sim{set: set, m: r.m, now: testNow}
	again.start()
	again.settle()
	if !strings.Contains(again.text(0), "двенадцать рублей") {
		t.Errorf("not asked again: %q", again.text(0))
	}

	s = at(t, set, "queue", "10")
	r, err = set.Restore(round(s.m.st.copy(set)), s.m.caller, Env{Now: now})
	if err != nil {
		t.Fatal(err)
	}
	es := r.m.start(testNow.Add(time.Minute))
	out := es[len(es)-1].out
	if out.Kind != KindQueue || out.Queue.Name != "support" || !out.Queue.Since.Equal(s.out.Queue.Since) {
		t.Errorf("%+v", out)
	}
	if _, err := set.Restore(State{Bundle: "0000000", Route: route}, Caller{}, Env{}); err == nil {
		t.Error("a state of another version was taken")
	}
}

func TestDirectRoute(t *testing.T) {
	set := baseSet(t)
	route, ok := set.Route("200")
	if !ok || route.Queue != "support" {
		t.Fatalf("%+v %v", route, ok)
	}
	s := newSim(set, route, Caller{Trust: telephony.TrustAsserted}, testNow, fakes{})
	s.start()
	if !s.away() || s.out.Queue.Name != "support" || !s.m.st.Answered {
		t.Fatalf("%+v", s.out)
	}
	s.resume(ExitFull)
	if s.out.End != EndOverload {
		t.Errorf("%+v", s.out)
	}
	if _, ok := set.Route("300"); ok {
		t.Error("an unknown number has a route")
	}
}

// The clock of expressions is the flow's zone.
func TestNowIsLocal(t *testing.T) {
	set := loadFS(t, with(t, fHot, "sys.load > 0.95", "now.Hour() == 14"))
	route, _ := set.Route("100")
	s := newSim(set, route, Caller{}, testNow, fakes{}) // 11:05 UTC is 14:05 in Moscow
	s.start()
	s.settle()
	if !s.ended() || s.out.End != EndOverload {
		t.Errorf("%+v at %s", s.out, s.m.st.frame().Node)
	}
}
