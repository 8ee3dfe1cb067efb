package calllog

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"hotline/telephony"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// clock is an injected wall clock that moves only when told.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) now() time.Time { c.mu.Lock(); defer c.mu.Unlock(); return c.t }
func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

func newClock() *clock { return &clock{t: time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC)} }

func open(t *testing.T, dir string, c *clock) (*Journal, []*Summary) {
	t.Helper()
	j, cut, err := Open(Config{Dir: dir, SegmentBytes: 4096, Now: c.now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.Close() })
	return j, cut
}

func begin(t *testing.T, j *Journal, id string) *Call {
	t.Helper()
	c, err := j.Begin(t.Context(), telephony.CallID(id), Begin{Direction: In, Driver: "native", Party: telephony.Party{Called: "100"}})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// note adds a fact and fails the test if it cannot.
func note(t *testing.T, c *Call, ty Type, data any) {
	t.Helper()
	if err := c.Note(t.Context(), ty, data); err != nil {
		t.Fatal(err)
	}
}

func finish(t *testing.T, c *Call, e telephony.End) {
	t.Helper()
	if err := c.Finish(t.Context(), e); err != nil {
		t.Fatal(err)
	}
}

func all(t *testing.T, j *Journal) []Record {
	t.Helper()
	var c cursor
	var out []Record
	for {
		rs, err := j.read(&c, 7)
		if err != nil {
			t.Fatal(err)
		}
		if len(rs) == 0 {
			return out
		}
		out = append(out, rs...)
	}
}

func TestClocksOfACall(t *testing.T) {
	clk := newClock()
	j, _ := open(t, t.TempDir(), clk)
	c := begin(t, j, "A")
	steps := []struct {
		after time.Duration
		t     Type
		d     any
		state State
	}{
		{time.Second, TypeAnswered, nil, StateNew},
		{0, TypeMenu, MenuStep{Node: "main"}, StateMenu},
		{4 * time.Second, TypeQueued, Queued{Queue: "support"}, StateWaiting},
		{10 * time.Second, TypeOffered, Offered{Agent: "agent1"}, StateRinging},
		{5 * time.Second, TypeOfferEnded, Offered{Agent: "agent1", Why: "no_answer"}, StateWaiting},
		{1 * time.Second, TypeOffered, Offered{Agent: "agent2"}, StateRinging},
		{2 * time.Second, TypeConnected, Connected{Agent: "agent2"}, StateTalking},
		{30 * time.Second, TypeHold, nil, StateTalking},
		{7 * time.Second, TypeResumed, nil, StateTalking},
		{20 * time.Second, TypeTalkEnded, nil, StateMenu},
	}
	for _, s := range steps {
		clk.add(s.after)
		note(t, c, s.t, s.d)
		if got := c.Summary().State; got != s.state {
			t.Fatalf("after %s: state %s, want %s", s.t, got, s.state)
		}
	}
	clk.add(time.Second)
	finish(t, c, telephony.End{Result: telephony.ResultSuccess, Reason: telephony.ReasonTalked, By: telephony.SideCustomer})
	finish(t, c, telephony.End{Result: telephony.ResultServer}) // the second end must change nothing
	rs := all(t, j)
	last := rs[len(rs)-1]
	var f Finish
	if last.Type != TypeEnd || json.Unmarshal(last.Data, &f) != nil {
		t.Fatalf("last record is %s", last.Type)
	}
	want := Finish{End: telephony.End{Result: "success", Reason: "talked", By: "customer"}, Disposition: "answered", State: StateMenu,
		WaitMS: 18000, TalkMS: 50000, HoldMS: 7000, Agent: "agent2", Queue: "support"}
	if f != want {
		t.Fatalf("finish = %+v\nwant     %+v", f, want)
	}
	if n := slices.IndexFunc(rs, func(r Record) bool { return r.Type == TypeEnd }); n != len(rs)-1 {
		t.Fatal("more than one end")
	}
	if j.Live() != 0 {
		t.Fatalf("%d calls live", j.Live())
	}
}

// A kill -9 leaves the file as it is: opening it again must give the calls that were cut, with their last state.
func TestCutCallsComeBack(t *testing.T) {
	dir, clk := t.TempDir(), newClock()
	j, _ := open(t, dir, clk)
	menu, wait, done := begin(t, j, "menu"), begin(t, j, "wait"), begin(t, j, "done")
	note(t, menu, TypeMenu, MenuStep{Node: "main"})
	note(t, wait, TypeQueued, Queued{Queue: "support"})
	finish(t, done, telephony.End{Result: telephony.ResultCaller, Reason: telephony.ReasonAbandonedMenu})
	copyDir := t.TempDir() // what the disk holds at this instant, as after a kill
	begin(t, j, "late")    // its sync flushes what came before
	if err := os.CopyFS(copyDir, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	j2, cut := open(t, copyDir, clk)
	states := map[telephony.CallID]State{}
	for _, s := range cut {
		states[s.Call] = s.State
	}
	want := map[telephony.CallID]State{"menu": StateMenu, "wait": StateWaiting, "late": StateNew}
	if fmt.Sprint(states) != fmt.Sprint(want) {
		t.Fatalf("cut calls %v, want %v", states, want)
	}
	for _, s := range cut {
		finish(t, j2.Resume(s), telephony.End{Result: telephony.ResultUnknown, Reason: telephony.ReasonCrash})
	}
	if err := j2.Close(); err != nil {
		t.Fatal(err)
	}
	if _, cut := open(t, copyDir, clk); len(cut) != 0 {
		t.Fatalf("%d calls cut twice", len(cut))
	}
}

// Reliability R37: the last 4 KiB cut or flipped at each byte. What was synced before the damage comes back, nothing
// is doubled, and the journal works on.
func TestTornTail(t *testing.T) {
	dir, clk := t.TempDir(), newClock()
	j, _ := open(t, dir, clk)
	for i := range 6 {
		finish(t, begin(t, j, fmt.Sprint("c", i)), telephony.End{Result: "success", Reason: "completed"})
	}
	before := all(t, j)
	seg := j.current()
	size := seg.size
	data, err := os.ReadFile(seg.path)
	if err != nil {
		t.Fatal(err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	for off := size - 1; off >= 0; off -= 3 {
		for _, flip := range []bool{false, true} {
			d := t.TempDir()
			damaged := slices.Clone(data)
			if flip {
				damaged[off] ^= 0x5a
			} else {
				clear(damaged[off:])
			}
			if err := os.WriteFile(filepath.Join(d, filepath.Base(seg.path)), damaged, 0o600); err != nil {
				t.Fatal(err)
			}
			j, _, err := Open(Config{Dir: d, SegmentBytes: 4096, Now: clk.now})
			if err != nil {
				t.Fatalf("damage at %d: %v", off, err)
			}
			got := all(t, j)
			for i, r := range got {
				if r.Seq != before[i].Seq || r.Call != before[i].Call || r.Type != before[i].Type {
					t.Fatalf("damage at %d: record %d differs", off, i)
				}
			}
			begin(t, j, "after")
			if n := len(all(t, j)); n != len(got)+1 {
				t.Fatalf("damage at %d: %d records after one more, had %d", off, n, len(got))
			}
			if err := j.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestSegmentsRollAndTrim(t *testing.T) {
	dir, clk := t.TempDir(), newClock()
	j, _ := open(t, dir, clk)
	long := begin(t, j, "long")
	for i := range 60 {
		finish(t, begin(t, j, fmt.Sprint("c", i)), telephony.End{Result: "success", Reason: "completed"})
	}
	if len(j.segments) < 3 {
		t.Fatalf("only %d segments: the test is too small", len(j.segments))
	}
	rs := all(t, j)
	for i, r := range rs {
		if r.Seq != uint64(i+1) {
			t.Fatalf("record %d has sequence number %d", i, r.Seq)
		}
	}
	last := rs[len(rs)-1].Seq
	if err := j.trim(last); err != nil {
		t.Fatal(err)
	}
	if n := all(t, j); len(n) != len(rs) {
		t.Fatal("a segment with the begin of a live call was removed")
	}
	finish(t, long, telephony.End{Result: "success", Reason: "completed"})
	if err := j.trim(last + 1); err != nil {
		t.Fatal(err)
	}
	if len(j.segments) != 1 {
		t.Fatalf("%d segments left", len(j.segments))
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	j2, cut := open(t, dir, clk)
	if len(cut) != 0 {
		t.Fatalf("%d cut calls", len(cut))
	}
	c := begin(t, j2, "next")
	if got := c.Summary().First; got != last+2 {
		t.Fatalf("sequence goes on at %d, want %d", got, last+2)
	}
}

func TestManyCallsAtOnce(t *testing.T) {
	clk := newClock()
	j, _ := open(t, t.TempDir(), clk)
	var wg sync.WaitGroup
	for i := range 40 {
		wg.Go(func() {
			ctx := context.Background()
			c, err := j.Begin(ctx, telephony.CallID(fmt.Sprint("c", i)), Begin{})
			if err != nil {
				t.Error(err)
				return
			}
			for range 5 {
				_ = c.Note(ctx, TypeMenu, MenuStep{Node: "n"})
			}
			_ = c.Finish(ctx, telephony.End{Result: "success", Reason: "completed"})
		})
	}
	wg.Wait()
	perCall := map[telephony.CallID]int{}
	for _, r := range all(t, j) {
		perCall[r.Call]++
		if r.N != perCall[r.Call] {
			t.Fatalf("call %s: record %d comes as %d", r.Call, r.N, perCall[r.Call])
		}
	}
	for id, n := range perCall {
		if n != 7 {
			t.Fatalf("call %s has %d records", id, n)
		}
	}
}

func TestClosedJournalSaysSo(t *testing.T) {
	j, _ := open(t, t.TempDir(), newClock())
	c := begin(t, j, "A")
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if err := c.Note(t.Context(), TypeHold, nil); !errors.Is(err, ErrClosed) {
		t.Fatalf("note: %v", err)
	}
	if _, err := j.Begin(t.Context(), "B", Begin{}); !errors.Is(err, ErrClosed) {
		t.Fatalf("begin: %v", err)
	}
}

// The table of moves: every state is known, ended is terminal, and every live state can end.
func TestStateTable(t *testing.T) {
	for _, s := range []State{StateNew, StateMenu, StateWaiting, StateRinging, StateTalking} {
		if n, ok := s.Next(TypeEnd); !ok || n != StateEnded {
			t.Errorf("%s cannot end", s)
		}
	}
	if len(next[StateEnded]) != 0 {
		t.Error("ended is not terminal")
	}
}

func TestDisposition(t *testing.T) {
	q, out := Summary{Queued: time.Unix(1, 0)}, Summary{Begin: Begin{Direction: Out}}
	tests := []struct {
		s    Summary
		e    telephony.End
		want string
	}{
		{Summary{}, telephony.End{Reason: telephony.ReasonAbandonedMenu, Result: telephony.ResultCaller}, "abandoned_ivr"},
		{q, telephony.End{Reason: telephony.ReasonAbandonedWait, Result: telephony.ResultCaller}, "abandoned_queue"},
		{q, telephony.End{Reason: telephony.ReasonCrash, Result: telephony.ResultUnknown}, "no_answer"},
		{Summary{State: StateMenu}, telephony.End{Reason: telephony.ReasonCrash, Result: telephony.ResultUnknown}, "no_answer"},
		{q, telephony.End{Reason: telephony.ReasonCompleted, Result: telephony.ResultSuccess}, "no_answer"},
		{q, telephony.End{Reason: telephony.ReasonVoicemail}, "voicemail"},
		{Summary{Talked: time.Unix(2, 0)}, telephony.End{Reason: telephony.ReasonCrash}, "answered"},
		{Summary{}, telephony.End{Reason: telephony.ReasonNotFound, Result: telephony.ResultCaller}, "rejected"},
		{Summary{}, telephony.End{Reason: telephony.ReasonError, Result: telephony.ResultServer}, "failed"},
		{out, telephony.End{Reason: telephony.ReasonBusy}, "busy"},
		{out, telephony.End{Reason: telephony.ReasonCancelled, Result: telephony.ResultSuccess}, "no_answer"},
		{out, telephony.End{Reason: telephony.ReasonRejected}, "rejected"},
		{out, telephony.End{Reason: telephony.ReasonCrash, Result: telephony.ResultUnknown}, "no_answer"},
		{out, telephony.End{Reason: telephony.ReasonUnreachable, Result: telephony.ResultUpstream}, "failed"},
		{Summary{Begin: Begin{Direction: Out}, Talked: time.Unix(2, 0)}, telephony.End{Reason: telephony.ReasonTalked}, "answered"},
	}
	for _, tt := range tests {
		if got := tt.s.Disposition(tt.e); got != tt.want {
			t.Errorf("%+v: %s, want %s", tt.e, got, tt.want)
		}
	}
}

// FuzzSegment: any bytes on disk open or are refused, without a panic, and a record written afterwards is read back.
func FuzzSegment(f *testing.F) {
	good, _ := encode(nil, Record{Seq: 1, Call: "A", N: 1, Type: TypeBegin, Data: json.RawMessage(`{}`)})
	f.Add(good)
	f.Add(append(slices.Clone(good), 1, 2, 3, 4, 5, 6, 7, 8, 9))
	f.Add([]byte{255, 255, 255, 255, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, data []byte) {
		dir := t.TempDir()
		if err := os.WriteFile(segmentPath(dir, 1), append(data, make([]byte, 2048)...), 0o600); err != nil {
			t.Fatal(err)
		}
		j, _, err := Open(Config{Dir: dir, SegmentBytes: 4096})
		if err != nil {
			return
		}
		defer j.Close()
		c, err := j.Begin(t.Context(), "fuzz", Begin{})
		if err != nil {
			t.Fatal(err)
		}
		rs, err := j.read(&cursor{seq: c.Summary().First - 1}, 10)
		if err != nil || len(rs) != 1 || rs[0].Call != "fuzz" {
			t.Fatalf("read back %v, %v", rs, err)
		}
	})
}

func BenchmarkBegin(b *testing.B) {
	j, _, err := Open(Config{Dir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	defer j.Close()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			c, err := j.Begin(context.Background(), telephony.CallID(telephony.NewID(time.Now())), Begin{})
			if err != nil {
				b.Fatal(err)
			}
			_ = c.Finish(context.Background(), telephony.End{})
		}
	})
}

// What a call was doing when the server was killed, also when it was killed again while it took the call over.
func TestFoldOverAdoptions(t *testing.T) {
	clk := newClock()
	fold := func(facts ...any) *Summary {
		j, _ := open(t, t.TempDir(), clk)
		c := begin(t, j, "x")
		for i := 0; i < len(facts); i += 2 {
			clk.add(time.Second)
			note(t, c, facts[i].(Type), facts[i+1])
		}
		s := c.Summary()
		return &s
	}
	paused := []any{TypeQueued, Queued{Queue: "q"}, TypeConnected, Connected{Agent: "ann"}, TypeRecording, RecordingNote{What: "started"}, TypeRecording, RecordingNote{What: "paused"},
		TypeAdopted, nil, TypeRecording, RecordingNote{What: "started"}} // killed before it could be paused again
	if s := fold(paused...); !s.Paused {
		t.Error("a paused recording runs after two kills")
	}
	if s := fold(append(paused, TypeTalkEnded, nil, TypeQueued, Queued{Queue: "q"}, TypeConnected, Connected{Agent: "bob"}, TypeRecording, RecordingNote{What: "started"})...); s.Paused {
		t.Error("the next talk is not recorded")
	}
	box := []any{TypeQueued, Queued{Queue: "q"}, TypeLeftQueue, LeftQueue{}, TypeVoicemail, VoicemailNote{Queue: "q"}}
	if s := fold(box...); !s.Speaks || s.State != StateTalking {
		t.Errorf("in the message: %+v", s)
	}
	box = append(box, TypeVoicemail, VoicemailNote{Length: 3 * time.Second, More: true})
	if s := fold(box...); !s.Speaks || s.Message != 3*time.Second {
		t.Errorf("later in the message: %+v", s)
	}
	if s := fold(append(box, TypeVoicemail, VoicemailNote{Length: time.Minute})...); s.Speaks || s.Message != time.Minute {
		t.Errorf("after the message: %+v", s)
	}
	s := fold(TypeQueued, Queued{Queue: "q"}, TypeOffered, Offered{Agent: "ann"}, TypeAdopted, nil, TypeQueued, Queued{Queue: "q"})
	if s.State != StateWaiting || s.Wait != 3*time.Second || s.Waited(clk.now().Add(time.Second)) != 4*time.Second {
		t.Errorf("an offer that ended with the server: %s, waited %v", s.State, s.Wait)
	}
}

// A leg whose call is over is known as such after a restart: its driver may not have heard of it yet.
func TestEndedLegs(t *testing.T) {
	dir, clk := t.TempDir(), newClock()
	j, _ := open(t, dir, clk)
	for _, id := range []string{"over", "open"} {
		c, err := j.Begin(t.Context(), telephony.CallID(id), Begin{Direction: In, Leg: telephony.LegID("leg of " + id)})
		if err != nil {
			t.Fatal(err)
		}
		if id == "over" {
			finish(t, c, telephony.End{Result: telephony.ResultSuccess, Reason: telephony.ReasonTalked})
		}
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	j, _ = open(t, dir, clk)
	if !j.Ended("leg of over") || j.Ended("leg of open") || j.Ended("leg of nobody") {
		t.Errorf("over %v, open %v, unknown %v", j.Ended("leg of over"), j.Ended("leg of open"), j.Ended("leg of nobody"))
	}
}
