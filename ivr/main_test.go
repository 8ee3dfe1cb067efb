package ivr

import (
	"maps"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// testNow is the clock of tests: a Friday.
var testNow = time.Date(2026, 11, 20, 11, 5, 0, 0, time.UTC)

func now() time.Time { return testNow }

// base is a set with every step this version runs and no findings at all.
var base = map[string]string{
	"routes.yaml": `- {number: "100", flow: hotline, fallback_queue: support}
- {number: "200", queue: support}
`,
	"flows/hotline.yaml": `flow: hotline
grammar: 1
title: {ru: Линия, en: Line}
languages: [ru, en]
timezone: Europe/Moscow
entry: start
input: {timeout: 5s, inter_digit: 3s, retries: 2}
vars:
  number: {type: string, default: ""}
  topic: {type: string, default: other}
  pin: {type: string, secret: true, default: ""}
globals:
  keys: {"0": operator}
  on_error: fault
  on_hangup: [{tag: [gone]}]
nodes:
  start:
    switch:
      - {when: "in_list('blocked', call.from)", goto: reject}
      - {when: "sys.load > 0.95", goto: overload}
    else: language
  language:
    do: [{say: welcome}]
    language: {prompt: choose, keys: {"1": ru, "2": en}, default: ru, remember: true, next: main}
  main:
    menu: {prompt: main_menu, short: main_short, keys: {"1": internet, "2": ask, "3": pin, "9": "@repeat"}, invalid: bad_key, noinput: no_input, exhausted: operator}
  internet:
    do: [{set: {topic: "'internet'"}}, {tag: [internet]}, {record: start}]
    next: operator
  ask:
    input: {prompt: enter, into: number, digits: {min: 5, max: 6}, terminator: "#", retries: 1, check: "damm(value)", invalid: bad_number,
      confirm: {prompt: [entered, {ticket: "number"}, confirm], accept: "1", redo: "2"}, ok: known, exhausted: operator}
  known:
    do: [{attach: {ticket: "number"}}, {priority: "customer.vip ? 10 : 1"}]
    next: operator
  pin:
    input: {prompt: enter_pin, into: pin, digits: {min: 4, max: 4}, secret: true, invalid: bad_number, ok: judge, exhausted: operator}
  judge:
    switch: [{when: "pin == '1234'", goto: billing}]
    else: operator
  billing:
    call: {flow: billing, with: {sum: "12.5"}, returns: {told: main, refused: operator}}
  operator:
    hours: {calendar: support, open: queue, closed: night}
  queue:
    queue: {name: support, priority: "customer.vip ? 10 : 0", skills: [lang, topic], max_wait: 20m, whisper: whisper,
      announce: {first: 15s, every: 60s, position: {max: 10}, wait: {round: 1m, max: 30m}},
      offer: [{key: "1", after: 60s, when: "queue('support').ewt > 120", prompt: offer_vm, goto: vm, max: 2}],
      after_call: bye, timeout: vm, full: vm, no_agents: night}
  night:
    do: [{say: [night, {pause: 300ms}, {text: {ru: Ждём вас, en: Call again}}]}]
    menu: {prompt: night_menu, keys: {"1": vm, "2": oncall}, exhausted: bye}
  oncall:
    transfer: {to: {number: "'+74951230000'"}, mode: blind, ring: 20s, busy: vm, no_answer: vm, failed: vm}
  vm:
    voicemail: {prompt: leave, max: 2m, min: 2s, silence: 5s, terminator: "#", queue: support, done: saved, empty: bye}
  saved: {do: [{say: saved}], end: voicemail}
  reject: {end: rejected}
  overload: {do: [{wait: 300ms}, {say: overload}], end: overload}
  fault: {do: [{log: flow failed}, {say: fault}], next: queue}
  bye: {do: [{say: bye}], end: completed}
`,
	"flows/billing.yaml": `flow: billing
grammar: 1
kind: subflow
title: {ru: Баланс, en: Balance}
entry: tell
params: {sum: {type: number}}
returns: [told, refused]
nodes:
  tell:
    do: [{say: [balance, {money: "sum", currency: RUB}]}]
    menu: {prompt: again, keys: {"1": "@repeat", "2": refuse, "*": "@back"}, exhausted: back}
  back: {return: told}
  refuse: {return: refused}
`,
	"calendars/support.yaml": `calendar: support
timezone: Europe/Moscow
weekly: {mon-fri: ["08:00-22:00"], sat-sun: ["10:00-20:00"]}
exceptions:
  - {date: 2026-11-23, closed: true}
  - {date: 2027-01-01, to: 2027-01-31, hours: ["12:00-15:00"]}
`,
	"lists/blocked.txt": "+79990000000 # spam\n+7888*\n",
	"say/nouns.yaml":    "ticket: {ru: {gender: f, one: заявка, few: заявки, many: заявок, acc: заявку}, en: {one: ticket, other: tickets}}\n",
	"prompts/prompts.yaml": `welcome: {ru: Здравствуйте., en: Hello.}
choose: {all: "По-русски — нажмите один. For English, press two."}
main_menu: {ru: "Интернет — один. Заявка — два. Баланс — три. Повторить — девять.", en: "Internet, one. Ticket, two. Balance, three. Again, nine."}
main_short: {ru: "Один, два, три.", en: "One, two, three."}
bad_key: {ru: Нет такого., en: No such key.}
no_input: {ru: Не слышим вас., en: We hear nothing.}
enter: {ru: Введите номер., en: Enter the number.}
bad_number: {ru: Ошибка., en: A mistake.}
entered: {ru: Вы ввели, en: You entered}
confirm: {ru: "Верно — один.", en: "Right, one."}
enter_pin: {ru: Введите код., en: Enter your code.}
whisper: {ru: Поддержка., en: Support.}
offer_vm: {ru: "Оставить сообщение — один.", en: "To leave a message, one."}
night: {ru: Мы закрыты., en: We are closed.}
night_menu: {ru: "Сообщение — один. Дежурный — два.", en: "A message, one. On call, two."}
leave: {ru: Оставьте сообщение., en: Leave a message.}
saved: {ru: Принято., en: Saved.}
overload: {ru: Нет свободных линий., en: No free lines.}
fault: {ru: Ошибка у нас., en: An error of ours.}
bye: {ru: До свидания., en: Goodbye.}
balance: {ru: Баланс, en: Your balance is}
again: {ru: "Повторить — один. Оператор — два. Назад — звёздочка.", en: "Again, one. Operator, two. Back, star."}
`,
}

// with gives the base set with one text replaced by another; the old text must be there.
func with(t testing.TB, file, old, repl string) fstest.MapFS {
	t.Helper()
	files := maps.Clone(base)
	if old != "" && !strings.Contains(files[file], old) {
		t.Fatalf("%s has no %q", file, old)
	}
	if old == "" {
		files[file] = repl
	} else {
		files[file] = strings.Replace(files[file], old, repl, 1)
	}
	return mapFS(files)
}

func mapFS(files map[string]string) fstest.MapFS {
	out := fstest.MapFS{}
	for name, s := range files {
		out[name] = &fstest.MapFile{Data: []byte(s)}
	}
	return out
}

// textOptions load a set without sound.
func textOptions() Options {
	return Options{Text: true, Now: now, Queues: map[string]bool{"support": true, "sales": true}}
}

// baseSet is the set of base.
func baseSet(t testing.TB) *Set {
	t.Helper()
	return loadFS(t, mapFS(base))
}

func loadFS(t testing.TB, fsys fstest.MapFS) *Set {
	t.Helper()
	set, probs := load(fsys, "", textOptions())
	if set == nil {
		t.Fatalf("set refused: %v", probs)
	}
	return set
}
