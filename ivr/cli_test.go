package ivr

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

const goodTests = `flow: hotline
defaults: {at: 2026-11-20T14:05:00+03:00, from: "+79161234567"}
cases:
  - name: ticket
    steps: [{hear: welcome}, {press: "1"}, {hear: main_menu}, {press: "2"}, {hear: enter}, {press: "100009#"}, {hear: "/десять ноль ноль/"},
      {press: "1"}, {expect: {node: queue, attached: {ticket: "100009"}, var.number: "100009", lang: ru, priority: "1", queue: support}}, {answer: agent1}, {agent_hangup: true}]
    end: completed
  - name: night in English
    at: 2026-11-20T23:05:00+03:00
    lang: en
    steps: [{press: "0"}, {hear: night}, {not_hear: bye}, {press: "2"}, {exit: busy}, {hear: leave}, {press: "#"}]
    end: voicemail
  - {name: overload, fakes: {load: 0.99}, steps: [{hear: overload}], end: overload}
  - {name: vip, fakes: {customer: {id: c1, vip: true}, queue: {support: {logged_in: 2, ewt: 600}}}, steps: [{press: "1"}, {press: "1"}, {wait: 70s}, {hear: offer_vm}, {press: "1"}, {hear: leave}, {hangup: true}], end: abandoned}
`

func runTestCommand(t *testing.T, text string, cover float64) (int, string) {
	t.Helper()
	dir := writeSet(t, map[string]string{"tests/hotline.test.yaml": text})
	var out bytes.Buffer
	return TestCommand(TestArgs{Dir: dir, Cover: cover, Options: textOptions()}, &out), out.String()
}

func TestTestCommand(t *testing.T) {
	if code, out := runTestCommand(t, goodTests, 0); code != 0 || !strings.Contains(out, "4 passed, 0 failed") {
		t.Errorf("%d %s", code, out)
	}
	if code, out := runTestCommand(t, goodTests, 99); code != 1 || !strings.Contains(out, "L070 not reached: hotline/main exhausted") {
		t.Errorf("too little covered is no failure: %d %s", code, out)
	}
	for _, c := range []struct{ old, repl, want string }{
		{"hear: main_menu", "hear: main_short", "tests/hotline.test.yaml:5:45: ticket: did not hear main_short"},
		{"not_hear: bye", "not_hear: night_menu", "heard night_menu, which should not be"},
		{"end: voicemail", "end: completed", "the call ended voicemail at saved, not completed"},
		{`ticket: "100009"}`, `ticket: "1"}`, `attached ticket is "100009", not "1"`},
		{"node: queue", "node: vm", `node is "queue", not "vm"`},
		{"exit: busy", "exit: bsy", `no exit "bsy" at oncall`},
		{"agent_hangup: true", "agent_hagnup: true", `did you mean "agent_hangup"?`},
		{"load: 0.99", "laod: 0.99", `did you mean "load"?`},
		{`press: "2"}, {exit`, `press: 2}, {exit`, "L004"},
		{"flow: hotline\n", "flow: billing\n", "no inbound flow"},
	} {
		if !strings.Contains(goodTests, c.old) {
			t.Fatalf("no %q", c.old)
		}
		if code, out := runTestCommand(t, strings.Replace(goodTests, c.old, c.repl, 1), 0); code != 1 || !strings.Contains(out, c.want) {
			t.Errorf("%s: %d, no %q in\n%s", c.repl, code, c.want, out)
		}
	}
}

func TestCheckCommand(t *testing.T) {
	var out bytes.Buffer
	good := writeSet(t, nil)
	if code := CheckCommand(good, "text", textOptions(), &out); code != 0 || !strings.HasPrefix(out.String(), "0 errors, 0 warnings, 0 notes; version ") {
		t.Errorf("%d %s", code, out.String())
	}
	bad := writeSet(t, map[string]string{fHot: strings.Replace(base[fHot], "say: welcome", "say: wellcome", 1)})
	out.Reset()
	if code := CheckCommand(bad, "", textOptions(), &out); code != 1 || !strings.Contains(out.String(),
		`flows/hotline.yaml:23:16: error L020 the prompt "wellcome" is not in the catalogue [node language] (did you mean "welcome"?)`) {
		t.Errorf("%d %s", code, out.String())
	}
	out.Reset()
	var probs []Problem
	if code := CheckCommand(bad, "json", textOptions(), &out); code != 1 {
		t.Error(code)
	}
	if err := json.Unmarshal(out.Bytes(), &probs); err != nil || len(probs) == 0 || probs[0].Code != "L020" || probs[0].Line != 23 {
		t.Errorf("%v %s", err, out.String())
	}
	if code := CheckCommand(good, "sarif", textOptions(), &out); code != 2 {
		t.Error("an unknown format passed")
	}
	broken := writeSet(t, map[string]string{"tests/x.test.yaml": "flow: hotline\ncases: [{stps: []}]"})
	if code := CheckCommand(broken, "", textOptions(), &out); code != 1 {
		t.Error("a broken test file passed")
	}
}

func TestGraphCommand(t *testing.T) {
	var out bytes.Buffer
	dir := writeSet(t, nil)
	if code := GraphCommand(dir, "hotline", textOptions(), &out); code != 0 {
		t.Fatal(out.String())
	}
	for _, want := range []string{"flowchart LR", `n_main[/"main<br/>menu 1 2 3 9"/]`, "n_main -->|key 9| n_main", "n_operator -->|open| n_queue", `n_queue[["queue<br/>queue support"]]`, "_error((error)) -.-> n_fault"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
	if code := GraphCommand(dir, "hotlin", textOptions(), &out); code != 1 || !strings.Contains(out.String(), `did you mean "hotline"?`) {
		t.Error(out.String())
	}
}

func TestRunCommand(t *testing.T) {
	dir := writeSet(t, nil)
	var out bytes.Buffer
	args := RunArgs{Dir: dir, Flow: "hotline", From: "+79161234567", DTMF: "1 2 100009# 1", At: testNow, Options: textOptions()}
	if code := RunCommand(args, nil, &out); code != 0 || !strings.Contains(out.String(), "десять ноль ноль ноль девять") ||
		!strings.HasSuffix(out.String(), "[queue at queue; results: timeout, full, no_agents, after_call, offer 1; queue support]\n") {
		t.Error(out.String())
	}
	out.Reset()
	args.DTMF = ""
	in := strings.NewReader("2\n?\n1\n=bogus\n>90s\n=full\n#\n")
	if code := RunCommand(args, in, &out); code != 0 {
		t.Fatal(out.String())
	}
	for _, want := range []string{"[at language]", "lang en", "[at main]", "no such result here", "[voicemail at vm; results: done, empty]", "[ended: voicemail at saved]"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
	if strings.Contains(out.String(), "pin =") {
		t.Error("a secret variable is shown")
	}
	args.Flow = "nothing"
	if code := RunCommand(args, nil, &out); code != 1 {
		t.Error("an unknown flow ran")
	}
}
