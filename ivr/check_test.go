package ivr

import (
	"fmt"
	"strings"
	"testing"
)

const (
	fHot  = "flows/hotline.yaml"
	fBill = "flows/billing.yaml"
	fSay  = "prompts/prompts.yaml"
	fCal  = "calendars/support.yaml"
	fRout = "routes.yaml"
)

func TestBaseIsClean(t *testing.T) {
	set, probs := load(mapFS(base), "", textOptions())
	for _, p := range probs {
		t.Error(p)
	}
	if set == nil || len(set.Hash()) != 7 {
		t.Fatal("no set")
	}
}

// checkRow breaks one thing in the base set and names the finding that must come, with the text its position points at.
type checkRow struct {
	file, old, repl string
	code            string
	sev             Severity
	msg             string // part of message or fix
	at              string // the finding must point at this text; empty: not checked
}

var checkRows = []checkRow{
	{fHot, "grammar: 1", "grammar: 2", "L001", SevError, "grammar 2", "2"},
	{fHot, "flow: hotline", "flow: other", "L002", SevError, `called "other"`, "other"},
	{fHot, "  reject: {", "  Reject: {", "L002", SevError, `node "Reject"`, "Reject: {"},
	// unknown fields, with the nearest valid name
	{fHot, "exhausted: operator}\n  internet", "exhauted: operator}\n  internet", "L003", SevError, `did you mean "exhausted"?`, "exhauted"},
	{fHot, "entry: start", "entry: start\nentri: x", "L003", SevError, `did you mean "entry"?`, "entri"},
	{fHot, "{pause: 300ms}", "{pauze: 300ms}", "L003", SevError, `did you mean "pause"?`, "pauze"},
	{fHot, "timeout: 5s", "timeout: 5 sec", "L003", SevError, "not a length of time", "5 sec"},
	{fHot, "timezone: Europe/Moscow", "timezone: Europe/Moskow", "L003", SevError, "zone database", "Europe/Moskow"},
	{fHot, "retries: 2", "retries: 200", "L003", SevError, "not between", "200"},
	{fHot, "max: 6}", "max: 3}", "L003", SevError, "less than min", ""},
	{fHot, "{end: rejected}", "{end: refused}", "L003", SevError, "ending", "refused"},
	{fBill, "currency: RUB", "currency: ROUBLE", "L003", SevError, "currency", "ROUBLE"},
	{fHot, `prompt: enter, into`, `prompt: enter, digit: {min: 1}, into`, "L003", SevError, `did you mean "digits"?`, "digit:"},
	// YAML traps
	{fHot, `keys: {"0": operator}`, `keys: {*: operator}`, "L004", SevError, `"*" in quotes`, "*:"},
	{fHot, `keys: {"0": operator}`, `keys: {0: operator}`, "L004", SevError, `write "0"`, "0: operator"},
	{fHot, `terminator: "#", retries`, "terminator: #\n      , retries", "L004", SevError, "unquoted #", ""},
	{fHot, "default: other", "default: no", "L004", SevError, "a bare no", "no}"},
	{fHot, "default: other", "default: 0123", "L004", SevError, `write "0123"`, "0123"},
	{fHot, "remember: true", "remember: yes", "L004", SevError, "a bare yes", "yes"},
	{fHot, "entry: start", "entry: start\nentry: main", "L004", SevError, "stands twice", "entry: main"},
	{fHot, "  start:\n", "\tstart:\n", "L004", SevError, "a tab", "\tstart"},
	{fHot, "title: {ru: Линия, en: Line}", "title: &t {ru: Линия, en: Line}", "L004", SevError, "anchor", ""},
	{fHot, "title: {ru: Линия, en: Line}", "title: *t", "L004", SevError, "alias", "*t"},
	{fHot, "title: {ru: Линия", "title: {<<: {a: b}, ru: Линия", "L004", SevError, "merge key", "<<"},
	{fHot, "entry: start", "entry: !!str start", "L004", SevError, "tag", ""},
	{fHot, "bye: {do: [{say: bye}], end: completed}", "bye: {do: [{say: bye}], end: completed}\n---\na: b", "L004", SevError, "second YAML document", ""},
	{fHot, "nodes:\n", "nodes: [\n", "L004", SevError, "not readable as YAML", ""},
	// wiring
	{fHot, "entry: start", "entry: strat", "L010", SevError, `did you mean "start"?`, "strat"},
	{fHot, ", exhausted: bye}", "}", "L011", SevError, `exit "exhausted" of menu`, "menu: {prompt: night_menu"},
	{fHot, "full: vm, no_agents: night", "no_agents: night", "L011", SevError, `exit "full" of queue`, ""},
	{fHot, "returns: {told: main, refused: operator}", "returns: {told: main}", "L011", SevError, `exit "refused"`, "billing, with"},
	{fHot, "returns: {told: main,", "returns: {tolld: main, told: main,", "L011", SevError, `did you mean "told"?`, "tolld"},
	{fHot, `"9": "@repeat"`, `"9": "@repaet"`, "L012", SevError, `did you mean "@repeat"?`, `"@repaet"`},
	{fHot, "next: operator\n  ask", "next: opertor\n  ask", "L013", SevError, `did you mean "operator"?`, "opertor"},
	{fHot, "on_error: fault", "on_error: fautl", "L013", SevError, `did you mean "fault"?`, "fautl"},
	{fHot, "call: {flow: billing", "call: {flow: biling", "L013", SevError, `did you mean "billing"?`, "biling"},
	{fHot, "reject: {end: rejected}", "reject: {do: [{tag: [x]}]}", "L014", SevError, "no step", "reject: {do"},
	{fHot, "reject: {end: rejected}", "reject: {end: rejected, next: bye}", "L014", SevError, "several steps", "next: bye"},
	{fHot, "{log: flow failed}", "{log: flow failed, tag: [x]}", "L015", SevError, "two verbs", "tag: [x]"},
	{fHot, "{log: flow failed}", "{lgo: flow failed}", "L015", SevError, `did you mean "log"?`, "lgo"},
	{fHot, "    else: operator\n  billing", "  billing", "L016", SevError, "no else", "switch: [{when: \"pin"},
	{fHot, `"3": pin`, `"33": pin`, "L018", SevError, "not one key", `"33"`},
	{fHot, `accept: "1", redo: "2"`, `accept: "1", redo: "1"`, "L018", SevError, "same key", ""},
	{fHot, "reject: {end: rejected}", "reject: {return: told}", "L019", SevError, "sub-flows", "told}"},
	{fHot, "after_call: bye", "after_call: later", "L013", SevError, "later", "later"},
	{fHot, "after_call: bye, timeout", "after_call: sorry, timeout", "L013", SevError, "sorry", ""},
	{fBill, "entry: tell", "entry: tell\nlanguages: [ru]", "L019", SevError, "inherits", "languages"},
	{fRout, "flow: hotline", "flow: billing", "L019", SevError, "sub-flow", ""},
	// prompts
	{fHot, "say: welcome", "say: wellcome", "L020", SevError, `did you mean "welcome"?`, "wellcome"},
	{fSay, "welcome: {ru: Здравствуйте., en: Hello.}", "welcome: {ru: Здравствуйте.}", "L021", SevError, "no text in en", ""},
	{fHot, "en: Call again", "de: Ruf an", "L021", SevError, "no en", ""},
	{fHot, `{"1": ru, "2": en}, default: ru`, `{"1": ru, "2": de}, default: ru`, "L021", SevError, `does not speak "de"`, "de}"},
	{fSay, "bye:", "unused: {ru: а, en: a}\nbye:", "L022", SevInfo, "never used", "unused"},
	{fSay, "Hello.", "\"" + strings.Repeat("Hello there ", 20) + "\"", "L023", SevWarning, "about 15 s", ""},
	{fHot, `keys: {"1": vm, "2": oncall}`, `keys: {"1": vm, "2": oncall, "3": vm, "4": vm, "5": vm, "6": vm}`, "L024", SevWarning, "6 keys", `"6"`},
	{fSay, "Дежурный — два.", "Дежурный.", "L026", SevWarning, "does not name it", ""},
	{fSay, "По-русски — нажмите один.", "По-русски — нажмите три.", "L027", SevWarning, "press 3", ""},
	{fHot, "max_wait: 20m, ", "", "L029", SevWarning, "max_wait", "queue: {name: support, priority"},
	{fHot, "calendar: support", "calendar: suport", "L030", SevError, `did you mean "support"?`, "suport"},
	{fHot, "name: support, priority", "name: suport, priority", "L030", SevError, `did you mean "support"?`, "suport"},
	{fHot, "queue: support, done", "queue: suport, done", "L030", SevError, "suport", "suport"},
	{fHot, "in_list('blocked'", "in_list('bloked'", "L030", SevError, `did you mean "blocked"?`, ""},
	{fHot, "queue('support').ewt", "queue('suport').ewt", "L030", SevError, "suport", ""},
	{fRout, "flow: hotline", "flow: hotlin", "L030", SevError, `did you mean "hotline"?`, ""},
	{fRout, "fallback_queue: support", "fallback_queue: suport", "L030", SevError, "suport", ""},
	{fRout, `"200", queue: support`, `"200", flow: hotline, queue: support`, "L003", SevError, "both flow and queue", ""},
	{fRout, `number: "200"`, `number: "100"`, "L004", SevError, "routed twice", ""},
	{fRout, `number: "200"`, `number: 200`, "L004", SevError, `write "200"`, "200"},
	{fRout, "fallback_queue: support", "canary: {version: a, share: 10}", "L014", SevError, "canary is not available in this version", "canary"},
	// calendars
	{fCal, "2027-01-31", "2027-01-02", "L032", SevWarning, "less than 60 days", ""},
	{fCal, `mon-fri: ["08:00-22:00"]`, `mon-fri: ["22:00-02:00"]`, "L032", SevError, "cross midnight", `"22:00-02:00"`},
	{fCal, `mon-fri: ["08:00-22:00"]`, `mon-fri: ["08:00-22:00", "21:00-23:00"]`, "L032", SevWarning, "overlap", ""},
	{fCal, "mon-fri", "mon-fry", "L003", SevError, "not a day", "mon-fry"},
	// expressions
	{fHot, "sys.load > 0.95", "sys.laod > 0.95", "L040", SevError, "laod", "laod"},
	{fHot, "sys.load > 0.95", "sys.load > 'x'", "L040", SevError, "mismatched types", ""},
	{fHot, "sys.load > 0.95", "sys.load", "L040", SevError, "bool", ""},
	{fHot, "sys.load > 0.95", "systm.load > 1", "L040", SevError, `did you mean "sys"?`, "systm"},
	{fHot, "sys.load > 0.95", "ticket.access", "L040", SevError, "not available in this version", ""},
	{fHot, "sys.load > 0.95", "queue(call.to).ewt > 1", "L040", SevError, "must be written out", ""},
	{fHot, `{ticket: "number"}`, `{ticket: "sys.calls"}`, "L040", SevError, "must be of type string", ""},
	{fHot, `topic: "'internet'"`, `topic: "1"`, "L040", SevError, "must be of type string", ""},
	{fHot, "topic: \"'internet'\"", "topik: \"'internet'\"", "L041", SevError, `did you mean "topic"?`, "topik"},
	{fHot, "into: number", "into: numbr", "L041", SevError, `did you mean "number"?`, "numbr"},
	{fHot, "skills: [lang, topic]", "skills: [lang, topik]", "L041", SevError, "topik", "topik"},
	{fHot, `with: {sum: "12.5"}`, `with: {summ: "12.5"}`, "L041", SevError, "no parameter", "summ"},
	{fHot, "vars:\n", "vars:\n  queue: {type: string}\n", "L041", SevError, "belongs to the expressions", "queue: {type"},
	{fHot, "vars:\n", "vars:\n  spare: {type: string}\n", "L042", SevInfo, "never read", "spare"},
	{fHot, "pin: {type: string, secret: true, default: \"\"}", "pin: {type: string, default: \"\"}", "L044", SevError, "not secret", "pin, digits"},
	{fHot, `attach: {ticket: "number"}`, `attach: {ticket: "pin"}`, "L044", SevError, "would be attached", "ticket:"},
	{fHot, `topic: "'internet'"`, `topic: "pin"`, "L044", SevError, "copied", "topic:"},
	{fHot, `{ticket: "number"}`, `{ticket: "pin"}`, "L044", SevError, "would be spoken", "ticket:"},
	{fHot, "sys.load > 0.95", "1 > 2", "L045", SevWarning, "always false", ""},
	{fHot, `{text: {ru: Ждём вас, en: Call again}}`, `{digits: "customer.id"}`, "L046", SevError, "not verified", "digits"},
	// graph
	{fHot, "else: language\n  language", "else: main\n  language", "L050", SevError, `"language"`, "language:\n"},
	{fHot, "reject: {end: rejected}", "reject: {next: spin}\n  spin: {input: {prompt: enter, into: number, ok: spin, exhausted: spin}}", "L051", SevError, "no path", ""},
	{fHot, "reject: {end: rejected}", "reject: {next: spin}\n  spin: {next: reject}", "L052", SevError, "reject -> spin -> reject", ""},
	{fHot, "reject: {end: rejected}", `reject: {next: "@repeat"}`, "L052", SevError, "reject -> reject", ""},
	{fHot, "wait: 300ms", "wait: 20s", "L053", SevWarning, "20s without a sound", ""},
	{fBill, "back: {return: told}", "back: {call: {flow: billing, with: {sum: \"1\"}, returns: {told: back2, refused: back2}}}\n  back2: {return: told}", "L054", SevError, "calls itself", "billing, with"},
	{fHot, "timeout: vm, full", "timeout: queue, full", "L056", SevWarning, "same queue", ""},
	{fHot, "into: number", "into: card_number", "L041", SevError, "card_number", ""},
	{fHot, "every: 60s", "every: 10s", "L061", SevWarning, "10s", "announce"},
}

func TestCheckTable(t *testing.T) {
	for _, row := range checkRows {
		t.Run(fmt.Sprintf("%s %s", row.code, firstWords(row.repl)), func(t *testing.T) {
			fsys := with(t, row.file, row.old, row.repl)
			set, probs := load(fsys, "", textOptions())
			var hit *Problem
			for i := range probs {
				p := &probs[i]
				if p.Code == row.code && p.Severity == row.sev && strings.Contains(p.Msg+" "+p.Fix, row.msg) {
					hit = p
					break
				}
			}
			if hit == nil {
				t.Fatalf("no %s %s with %q; found:\n%v", row.sev, row.code, row.msg, probs)
			}
			if (row.sev == SevError) != (set == nil) {
				t.Errorf("set given: %v, after %v", set != nil, hit)
			}
			if hit.Line == 0 || hit.Col == 0 {
				t.Errorf("no position: %v", hit)
			}
			if row.at == "" {
				return
			}
			line := strings.Split(string(fsys[hit.File].Data), "\n")[hit.Line-1]
			rest := string([]rune(line)[min(hit.Col-1, len([]rune(line))):])
			want, _, _ := strings.Cut(row.at, "\n")
			if !strings.HasPrefix(rest, want) {
				t.Errorf("%s:%d:%d points at %q, not at %q (%s)", hit.File, hit.Line, hit.Col, rest, want, hit.Msg)
			}
		})
	}
}

func firstWords(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if len(s) > 40 {
		s = s[:40]
	}
	return s
}

// Steps and actions of the grammar that this version does not run are refused by name, never skipped.
func TestAbsentPartsAreRefused(t *testing.T) {
	for _, body := range []string{
		"deflect: {channel: sms}", "callback: {queue: support}", "auth: {method: pin}", "http: {connector: x}",
		"lookup: {what: customer}", "survey: {id: csat}", "consent: {kind: recording}", "split: {key: \"call.from\"}",
	} {
		_, probs := load(with(t, fHot, "reject: {end: rejected}", "reject: {"+body+"}"), "", textOptions())
		want := strings.SplitN(body, ":", 2)[0]
		if !hasProblem(probs, "L014", `the step "`+want+`" is not available in this version`) {
			t.Errorf("%s: %v", want, probs)
		}
	}
	for _, act := range []string{"send: {channel: sms}", "ticket: {op: create}"} {
		_, probs := load(with(t, fHot, "{log: flow failed}", "{"+act+"}"), "", textOptions())
		if !hasProblem(probs, "L015", "is not available in this version") {
			t.Errorf("%s: %v", act, probs)
		}
	}
	for _, r := range [][2]string{
		{"{pause: 300ms}", "{notice: all}"}, {"mode: blind", "mode: announced"}, {"to: {number: \"'+74951230000'\"}", "to: {agent: \"'x'\"}"},
		{"min: 2s, silence", "transcribe: true, min: 2s, silence"},
	} {
		_, probs := load(with(t, fHot, r[0], r[1]), "", textOptions())
		if !hasProblem(probs, "L014", "not available in this version") {
			t.Errorf("%s: %v", r[1], probs)
		}
	}
}

func hasProblem(ps []Problem, code, msg string) bool {
	for _, p := range ps {
		if p.Code == code && strings.Contains(p.Msg, msg) && p.Line > 0 {
			return true
		}
	}
	return false
}

// All findings come at once, sorted by place.
func TestAllProblemsAreCollected(t *testing.T) {
	files := with(t, fHot, "say: welcome", "say: wellcome")
	files[fRout].Data = []byte("- {number: 100, flow: nowhere}\n")
	files[fHot].Data = []byte(strings.Replace(string(files[fHot].Data), "sys.load > 0.95", "sys.laod > 1", 1))
	_, probs := load(files, "", textOptions())
	codes := ""
	for i, p := range probs {
		codes += p.Code + " "
		if i > 0 && probs[i-1].File == p.File && probs[i-1].Line > p.Line {
			t.Errorf("not sorted: %v before %v", probs[i-1], p)
		}
	}
	for _, want := range []string{"L004", "L020", "L030", "L040"} {
		if !strings.Contains(codes, want) {
			t.Errorf("%s is missing in %s", want, codes)
		}
	}
}

// A talk that ended may not put the caller into another queue.
func TestAfterCallMayNotQueueAgain(t *testing.T) {
	fsys := with(t, fHot, "after_call: bye", "after_call: rate")
	fsys[fHot].Data = append(fsys[fHot].Data, []byte("  rate: {menu: {prompt: night_menu, keys: {\"1\": bye, \"2\": once}, exhausted: bye}}\n  once: {voicemail: {prompt: leave, queue: support, done: bye, empty: bye}}\n")...)
	_, probs := load(fsys, "", textOptions())
	if !hasProblem(probs, "L019", "voicemail is not allowed after a talk") {
		t.Error(probs)
	}
}

// The genitive words of L060 and the verified gate of L046.
func TestLanguageAndTrustChecks(t *testing.T) {
	fsys := with(t, fHot, `{text: {ru: Ждём вас, en: Call again}}`, `{text: {ru: "не более", en: at most}}, {number: "sys.calls", noun: minute}`)
	if _, probs := load(fsys, "", textOptions()); !hasProblem(probs, "L060", "более") {
		t.Error(probs)
	}
	fsys = with(t, fHot, `{text: {ru: Ждём вас, en: Call again}}`, `{text: {ru: "не более", en: at most}}, {number: "sys.calls", noun: minute, case: gen}`)
	if _, probs := load(fsys, "", textOptions()); hasProblem(probs, "L060", "") {
		t.Error("case: gen is not seen")
	}
	gate := "reject: {switch: [{when: \"call.trust == 'verified' && customer.vip\", goto: tellid}], else: bye}\n  tellid: {do: [{say: [balance, {digits: \"customer.id\"}]}], end: completed}"
	if set, probs := load(with(t, fHot, "reject: {end: rejected}", gate), "", textOptions()); set == nil {
		t.Errorf("behind the gate: %v", probs)
	}
	open := strings.Replace(gate, "&&", "||", 1)
	if _, probs := load(with(t, fHot, "reject: {end: rejected}", open), "", textOptions()); !hasProblem(probs, "L046", "not verified") {
		t.Errorf("an or is no gate: %v", probs)
	}
	if _, probs := load(with(t, fHot, `number: {type: string, default: ""}`, "number: {type: string}\n  seen: {type: int}"), "", textOptions()); !hasProblem(probs, "L042", "seen") {
		t.Error(probs)
	}
	early := with(t, fHot, `number: {type: string, default: ""}`, "number: {type: string}\n  seen: {type: int}")
	early[fHot].Data = []byte(strings.Replace(string(early[fHot].Data), "sys.load > 0.95", "seen > 1", 1))
	if _, probs := load(early, "", textOptions()); !hasProblem(probs, "L043", "seen") {
		t.Error(probs)
	}
}
