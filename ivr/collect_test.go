package ivr

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"hotline/telephony"
)

// at begins a call of the base flow and brings it to a node by keys.
func at(t *testing.T, set *Set, node, keys string) *sim {
	t.Helper()
	route, _ := set.Route("100")
	s := newSim(set, route, Caller{From: "+79161234567", Called: "100", Trust: telephony.TrustAsserted}, testNow, fakes{})
	s.start()
	for _, k := range keys {
		s.settle()
		if err := s.press(string(k)); err != nil {
			t.Fatal(err)
		}
	}
	s.settle()
	s.wantNode(t, node)
	return s
}

func (s *sim) wantNode(t *testing.T, want string) {
	t.Helper()
	if got := s.m.st.frame().Node; got != want {
		t.Fatalf("stands at %s, want %s; heard %q", got, want, s.text(0))
	}
}

// kinds lists what happened at a node, in order.
func (s *sim) kinds(node string) string {
	out := ""
	for _, st := range s.steps {
		if st.Node == node {
			out += string(st.Kind) + " "
		}
	}
	return strings.TrimSpace(out)
}

// Rule 1: a menu never waits for a second digit; the key acts in the same event, while the prompt plays.
func TestMenuKeyActsAtOnce(t *testing.T) {
	s := at(t, baseSet(t), "main", "1")
	s.m.prompt(s.m.mainPrompt()) // the prompt plays again
	before := s.now
	s.apply(s.m.key(s.now, '1', "rfc4733", s.now))
	if s.now != before || !s.away() {
		t.Fatalf("the key took %v and led to %+v", s.now.Sub(before), s.out)
	}
}

// Rule 2: the terminator with nothing typed is noinput, not an empty value.
func TestTerminatorAloneIsNoInput(t *testing.T) {
	s := at(t, baseSet(t), "ask", "12")
	_ = s.press("#")
	if got := s.kinds("ask"); got != "entered timeout" {
		t.Errorf("%q", got)
	}
}

// Rule 3: invalid and noinput share one counter.
func TestErrorsShareOneCounter(t *testing.T) {
	s := at(t, baseSet(t), "main", "1")
	_ = s.press("7") // invalid
	s.silence()      // noinput
	s.wantNode(t, "main")
	if !strings.Contains(s.text(0), "Нет такого. Один, два, три.") || !strings.Contains(s.text(0), "Не слышим вас.") {
		t.Errorf("heard %q", s.text(0))
	}
	_ = s.press("8") // one more than retries: 2
	s.settle()
	s.wantNode(t, "queue")
	if got := s.kinds("main"); got != "entered invalid timeout invalid left" {
		t.Errorf("%q", got)
	}
}

// Rule 4: one key heard as event and as tone is one key; the same key twice is two.
func TestOneKeyHeardTwice(t *testing.T) {
	s := at(t, baseSet(t), "ask", "12")
	press := func(k byte, source string, after time.Duration) {
		s.now = s.now.Add(after)
		s.apply(s.m.key(s.now, k, source, s.now))
	}
	for _, k := range "100009" {
		press(byte(k), "rfc4733", 100*time.Millisecond)
		press(byte(k), "inband", 25*time.Millisecond)
	}
	if !s.m.col.confirming || s.m.st.frame().Vars["number"] != "100009" {
		t.Errorf("typed %v, confirming %v", s.m.st.frame().Vars["number"], s.m.col.confirming)
	}
}

// Rule 5 and type-ahead: keys count from the first sample of the first prompt, through several steps.
func TestTypeAhead(t *testing.T) {
	set := baseSet(t)
	s := at(t, set, "language", "")
	_ = s.press("1") // during choose
	for _, k := range "2100009#1" {
		s.apply(s.m.key(s.now, byte(k), "sim", s.now))
	}
	s.settle()
	s.wantNode(t, "queue")
	if s.m.st.Attached["ticket"] != "100009" {
		t.Errorf("attached %v", s.m.st.Attached)
	}
	t.Run("a key cuts the say of do and is kept", func(t *testing.T) {
		route, _ := set.Route("100")
		s := newSim(set, route, Caller{From: "+7916"}, testNow, fakes{})
		s.start()
		s.apply(s.m.key(s.now, '2', "sim", s.now))
		s.wantNode(t, "main")
		if s.m.st.Lang != "en" || s.now != testNow {
			t.Errorf("language %s after %v", s.m.st.Lang, s.now.Sub(testNow))
		}
	})
	t.Run("an error drops what was typed ahead", func(t *testing.T) {
		s := at(t, set, "main", "1")
		for _, k := range "712" { // 7 is no choice: 1 and 2 were meant for a dialogue that did not happen
			s.m.keys = append(s.m.keys, typed1{byte(k), s.now})
		}
		s.apply(s.m.key(s.now, '2', "sim", s.now))
		s.wantNode(t, "main")
	})
	t.Run("after ten seconds a key is forgotten", func(t *testing.T) {
		s := at(t, set, "main", "1")
		s.m.keys = []typed1{{'1', s.now}}
		s.now = s.now.Add(11 * time.Second)
		s.apply(s.m.key(s.now, '2', "sim", s.now))
		s.wantNode(t, "ask")
	})
	t.Run("at most 32 keys wait", func(t *testing.T) {
		s := at(t, set, "language", "")
		s.m.st.Phase = PhaseActing
		s.m.playing = false
		for range 40 {
			s.m.key(s.now, '5', "sim", s.now)
		}
		if len(s.m.keys) != keepKeys {
			t.Errorf("%d keys wait", len(s.m.keys))
		}
	})
}

// Rule 6 and barge_in: without it a key waits for the end of the prompt, or is dropped without type_ahead.
func TestBargeInOff(t *testing.T) {
	in := `ask:
    input: {prompt: enter, into: number, digits: {min: 5, max: 6}, barge_in: false,`
	old := `ask:
    input: {prompt: enter, into: number, digits: {min: 5, max: 6},`
	s := at(t, loadFS(t, with(t, fHot, old, in)), "main", "1")
	_ = s.press("2")
	for _, k := range "100009" {
		s.apply(s.m.key(s.now, byte(k), "sim", s.now))
	}
	if s.m.col.confirming || s.epoch == 0 {
		t.Fatal("a key cut a prompt without barge_in")
	}
	s.settle()
	if !s.m.col.confirming {
		t.Error("keys typed during the prompt were lost")
	}
	in = strings.Replace(in, "barge_in: false,", "barge_in: false, type_ahead: false,", 1)
	s = at(t, loadFS(t, with(t, fHot, old, in)), "main", "1")
	_ = s.press("2")
	for _, k := range "100009" {
		s.apply(s.m.key(s.now, byte(k), "sim", s.now))
	}
	s.settle()
	if s.m.col.confirming || len(s.m.keys) > 0 {
		t.Error("type_ahead: false kept keys")
	}
}

// inter_digit: with min reached the value is complete, below it is invalid. max ends at once.
func TestInterDigit(t *testing.T) {
	set := baseSet(t)
	s := at(t, set, "ask", "12")
	_ = s.press("12345") // min 5; 12345 fails damm
	if s.m.col.confirming {
		t.Fatal("did not wait for a sixth digit")
	}
	s.advance(s.now.Add(3 * time.Second))
	if got := s.kinds("ask"); got != "entered invalid" {
		t.Errorf("%q: complete after inter_digit, and the check refuses it", got)
	}
	s = at(t, set, "ask", "12")
	_ = s.press("123")
	s.advance(s.now.Add(3 * time.Second))
	if got := s.kinds("ask"); got != "entered invalid" {
		t.Errorf("%q: three digits are below min", got)
	}
	s = at(t, set, "ask", "12")
	_ = s.press("100009")
	if !s.m.col.confirming {
		t.Error("max did not end the input")
	}
	_ = s.press("#") // belongs to the number
	if got := s.kinds("ask"); got != "entered" || !s.m.col.confirming {
		t.Errorf("the terminator after the last digit counted: %q", got)
	}
	_ = s.press("1")
	s.settle()
	s.wantNode(t, "queue")
}

// The timer between keys starts anew with every key.
func TestSilenceCountsFromTheEndOfThePrompt(t *testing.T) {
	s := at(t, baseSet(t), "main", "1")
	if got := s.m.deadline.Sub(s.now); got != 5*time.Second {
		t.Fatalf("silence of %v is allowed", got)
	}
	s.advance(s.now.Add(4900 * time.Millisecond))
	if got := s.kinds("main"); got != "entered" {
		t.Errorf("too early: %q", got)
	}
	s.advance(s.now.Add(200 * time.Millisecond))
	if got := s.kinds("main"); got != "entered timeout" {
		t.Errorf("%q", got)
	}
}

func TestConfirm(t *testing.T) {
	set := baseSet(t)
	s := at(t, set, "ask", "12")
	for i := range 3 {
		_ = s.press("100009")
		s.settle()
		_ = s.press("2") // redo
		s.settle()
		if s.m.col.confirming {
			t.Fatalf("redo %d did not ask again", i+1)
		}
	}
	if !strings.Contains(s.text(0), "десять ноль ноль ноль девять") {
		t.Errorf("not read back: %q", s.text(0))
	}
	_ = s.press("100009")
	_ = s.press("2")
	s.settle()
	s.wantNode(t, "queue")
	if s.m.st.Attached["ticket"] != "" {
		t.Error("an unconfirmed number was attached")
	}
}

// Global keys act in menus where the step has no such key, never in an input.
func TestGlobalKeys(t *testing.T) {
	set := baseSet(t)
	s := at(t, set, "queue", "10")
	if !s.away() {
		t.Fatal("0 did not lead to the operator")
	}
	s = at(t, set, "ask", "12")
	_ = s.press("0")
	s.wantNode(t, "ask")
	if string(s.m.col.buf) != "0" {
		t.Error("0 is a digit in an input")
	}
	s = at(t, set, "tell", "131234") // sub-flow
	if len(s.m.st.Frames) != 2 || !strings.Contains(s.text(0), "двенадцать рублей пятьдесят копеек") {
		t.Fatalf("frames %d, heard %q", len(s.m.st.Frames), s.text(0))
	}
	_ = s.press("0")
	s.settle()
	s.wantNode(t, "queue")
	if len(s.m.st.Frames) != 1 {
		t.Error("the sub-flow was not left")
	}
}

func TestBuiltInTargets(t *testing.T) {
	set := baseSet(t)
	s := at(t, set, "main", "1")
	for range maxRepeats {
		_ = s.press("9")
		s.settle()
		s.wantNode(t, "main")
	}
	if got := s.kinds("main"); strings.Contains(got, "invalid") {
		t.Errorf("@repeat counted as an error: %q", got)
	}
	_ = s.press("9")
	s.settle()
	s.wantNode(t, "queue")

	s = at(t, set, "tell", "131234")
	_ = s.press("*") // @back, out of the sub-flow, to the input that waited before
	s.settle()
	s.wantNode(t, "pin")
	if len(s.m.st.Frames) != 1 {
		t.Error("@back stayed in the sub-flow")
	}
}

// A secret is in no state, path, trace or log, and the recording pauses while it is typed.
func TestSecretInput(t *testing.T) {
	set := loadFS(t, with(t, fHot, "do: [{say: welcome}]", "do: [{say: welcome}, {record: start}]"))
	route, _ := set.Route("100")
	s := newSim(set, route, Caller{From: "+79161234567", Called: "100"}, testNow, fakes{})
	rec := ""
	apply := func(es []effect) {
		for _, e := range es {
			if e.kind == doRecord {
				rec += e.text + " "
			}
		}
		s.apply(es)
	}
	apply(s.m.start(s.now))
	for s.m.st.Phase == PhaseActing {
		apply(s.m.soundEnded(s.now, s.epoch))
	}
	for _, k := range "13" {
		apply(s.m.key(s.now, byte(k), "sim", s.now))
	}
	s.wantNode(t, "pin")
	for _, k := range "1234" {
		apply(s.m.key(s.now, byte(k), "sim", s.now))
		s.now = s.now.Add(time.Second)
	}
	s.wantNode(t, "tell") // the right code
	if rec != "start pause resume " {
		t.Errorf("recording: %q", rec)
	}
	js, err := json.Marshal(s.m.st.copy(set))
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"state": string(js), "trace": fmt.Sprintf("%+v", s.steps), "logs": fmt.Sprint(s.logs), "path": fmt.Sprintf("%+v", s.m.st.Path)} {
		if strings.Contains(text, "1234\"") || strings.Contains(strings.ReplaceAll(text, "+79161234567", ""), "1234") {
			t.Errorf("the code stands in the %s: %s", name, text)
		}
	}
}
