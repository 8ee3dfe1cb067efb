package asterisk

import (
	"bufio"
	"math/rand/v2"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"hotline/telephony"
)

// recorded gives the events of testdata/events.jsonl, written by a real Asterisk 22.10.1: a call with keys and hold, one
// cancelled, one refused by us, one of ours refused with 486, one of ours answered; by channel.
func recorded(t testing.TB) map[string][]event {
	t.Helper()
	f, err := os.Open("testdata/events.jsonl")
	ok(t, err)
	defer f.Close()
	out := map[string][]event{}
	for lines := bufio.NewScanner(f); lines.Scan(); {
		e, name, err := readEvent(lines.Bytes())
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if e.kind != evNone {
			out[e.channel] = append(out[e.channel], e)
		}
	}
	return out
}

func addAll(events []event) (f facts, keys string, do effect) {
	for _, e := range events {
		var d effect
		f, d = f.add(e)
		if d&doKey != 0 {
			keys += string(e.key)
		}
		do |= d
	}
	return f, keys, do
}

// TestRecordedEvents checks what the log adds up to, in its own order.
func TestRecordedEvents(t *testing.T) {
	var got []string
	for channel, events := range recorded(t) {
		if strings.Contains(channel, ":m:") {
			continue
		}
		f, keys, do := addAll(events)
		s := keys
		for _, b := range []struct {
			on   bool
			name string
		}{{f.up, "up"}, {f.ringing, "ringing"}, {f.hold != 0, "hold"}, {f.held, "held"}, {f.soft, "soft"}, {f.told(), "told"}, {do&doFinish != 0, "finish"}, {do&doAnswered != 0, "answered"}} {
			if b.on {
				s += " " + b.name
			}
		}
		got = append(got, strings.TrimSpace(s)+" "+time.Duration(f.endCause()).String())
	}
	slices.Sort(got)
	want := []string{"12#0 up hold told finish answered 0s", "ringing told finish 17ns", "soft told finish 0s", "told finish 127ns", "up ringing soft told finish answered 16ns"}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestEventsInAnyOrder shuffles the recorded log, repeats some events and lets others come late: the facts are the same,
// each key is given once, and the end is asked for once.
func TestEventsInAnyOrder(t *testing.T) {
	log := recorded(t)
	rapid.Check(t, func(rt *rapid.T) {
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 1))
		for channel, events := range log {
			want, keys, _ := addAll(events)
			mixed := slices.Clone(events)
			for range r.IntN(2 * len(events)) {
				mixed = append(mixed, events[r.IntN(len(events))])
			}
			r.Shuffle(len(mixed), func(i, j int) { mixed[i], mixed[j] = mixed[j], mixed[i] })
			var f facts
			finishes := 0
			pressed := map[byte]int{}
			for _, e := range mixed {
				over := f.over()
				var do effect
				f, do = f.add(e)
				if do&doFinish != 0 {
					finishes++
				}
				if do&doKey != 0 {
					pressed[e.key]++
					if over {
						rt.Fatalf("%s: a key after the end", channel)
					}
				}
			}
			if !reflect.DeepEqual(f, want) {
				rt.Fatalf("%s: facts\n%+v\nwant\n%+v", channel, f, want)
			}
			if f.told() && finishes != 1 {
				rt.Fatalf("%s: finished %d times", channel, finishes)
			}
			for k, n := range pressed {
				if n > strings.Count(keys, string(k)) {
					rt.Fatalf("%s: a key %d times", channel, n)
				}
			}
		}
	})
}

// TestEndInAnyOrder: the leg's ending is the same in whatever order its events come.
func TestEndInAnyOrder(t *testing.T) {
	log := recorded(t)
	for channel, events := range log {
		if strings.Contains(channel, ":m:") {
			continue
		}
		inbound := !strings.HasPrefix(channel, "hotline-test:")
		f, _, _ := addAll(events)
		want, _ := f.ending(inbound, false, telephony.SideCustomer)
		for range 200 {
			mixed := slices.Clone(events)
			rand.Shuffle(len(mixed), func(i, j int) { mixed[i], mixed[j] = mixed[j], mixed[i] })
			f, _, _ := addAll(mixed)
			if got, _ := f.ending(inbound, false, telephony.SideCustomer); got != want {
				t.Fatalf("%s: end %+v, want %+v", channel, got, want)
			}
		}
	}
}

func TestKeysOnce(t *testing.T) {
	at := func(ms int) time.Time { return time.UnixMilli(1_800_000_000_000 + int64(ms)) }
	press := func(key byte, ms, length int) event {
		return event{kind: evKey, key: key, at: at(ms), length: time.Duration(length) * time.Millisecond}
	}
	// A real log: a re-INVITE between the end packets of '#' made four events of one press.
	_, keys, _ := addAll([]event{press('1', 0, 100), press('2', 160, 100), press('#', 319, 100), press('#', 320, 100), press('#', 365, 100), press('#', 365, 100), press('#', 640, 100)})
	if keys != "12##" {
		t.Errorf("keys %q", keys)
	}
	_, keys, _ = addAll([]event{press('1', 0, 0), press('1', 0, 0), press('1', 1, 0), press('2', 1, 0)})
	if keys != "112" {
		t.Errorf("keys %q", keys)
	}
	var many []event
	for i := range 3 * keysKept {
		many = append(many, press('5', i*200, 100))
	}
	f, keys, _ := addAll(append(many, many...))
	if len(keys) != 3*keysKept || len(f.keys) != keysKept {
		t.Errorf("%d keys, %d kept", len(keys), len(f.keys))
	}
}

// TestReadEventRefusesJunk feeds what no Asterisk sends.
func TestReadEventRefusesJunk(t *testing.T) {
	for _, s := range []string{"", "{", "null", "[]", `{"type":""}`, `{"type":7}`, `{"type":"NoSuchEvent"}`, `{"type":"ChannelDtmfReceived","digit":"X"}`,
		`{"type":"ChannelDtmfReceived","digit":"12","channel":{"id":"1"}}`, `{"type":"StasisStart","channel":7}`, `{"type":"StasisEnd","timestamp":"yesterday"}`} {
		if e, _, _ := readEvent([]byte(s)); e.kind != evNone {
			t.Errorf("%s: %+v", s, e)
		}
	}
}

func FuzzReadEvent(f *testing.F) {
	b, err := os.ReadFile("testdata/events.jsonl")
	if err != nil {
		f.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		f.Add([]byte(line))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		e, _, err := readEvent(data)
		if err != nil && e.kind != evNone {
			t.Errorf("an event and an error: %+v %v", e, err)
		}
		var fs facts
		fs, _ = fs.add(e)
		if again, do := fs.add(e); !reflect.DeepEqual(again, fs) || do != 0 {
			t.Errorf("the same event twice: %+v %+v %v", fs, again, do)
		}
	})
}
