package browser

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"hotline/telephony/media/tone"
	"hotline/telephony/telephonytest"
)

// menuToTicket: a known customer walks the menu, talks, and the ticket has it all; then strangers, in Russian and in English.
func menuToTicket(ctx context.Context, t *testing.T, s *suite) {
	a := tab{t, s.one, 0}
	a.onShift()
	from := s.p.SQL(ctx, `SELECT p.value_norm FROM contact_point p JOIN ticket t ON t.contact_id = p.contact_id WHERE p.kind = 'phone' AND p.sharing = 'personal' AND t.actionable ORDER BY p.id LIMIT 1`)
	open := s.p.SQL(ctx, `SELECT t.number FROM contact_point p JOIN ticket t ON t.contact_id = p.contact_id WHERE p.kind = 'phone' AND p.sharing = 'personal' AND t.actionable ORDER BY p.id, t.id LIMIT 1`)
	c := s.dial(ctx, t, from, "100")
	speech(ctx, t, c)
	c.Press("2") // bills and payment; the language of a known customer is known
	a.see("^answer")
	card := a.str("text", args{"selector": `aside[aria-label="Incoming call"]`})
	for _, want := range []string{"Расчёты / Billing", "Russian", "Bills and payment", open} {
		if !strings.Contains(card, want) {
			t.Errorf("the card lacks %q:\n%s", want, card)
		}
	}
	if digits := strings.Map(onlyDigits, card); !strings.Contains(digits, strings.TrimPrefix(from, "+")) {
		t.Errorf("the card lacks the number %s:\n%s", from, card)
	}
	noBarriers(t, a, "a call rings")
	a.press("^answer")
	ok(t, c.Hears(ctx, []float64{agent1Hz}, nil))
	a.hears(ctx, []float64{customerHz}, nil)
	controls(ctx, t, a, c)

	a.press("^note$")
	a.do("fill", args{"label": "Note of the call", "value": "Счёт пришёл дважды"})
	a.see("^saved$")
	noBarriers(t, a, "in a talk")
	a.press("^hang up")
	<-c.Done()
	a.press("^more time$")
	if note := a.str("value", args{"label": "Note of the call"}); note != "Счёт пришёл дважды" {
		t.Errorf("the note in the wrap-up is %q", note)
	}
	noBarriers(t, a, "in the wrap-up")
	a.wrapUp()
	ticketOf(ctx, t, s, a, from)

	for _, stranger := range []struct{ from, keys, language string }{{"+79035550101", "12", "Russian"}, {"+79035550105", "22", "English"}} {
		d := s.dial(ctx, t, stranger.from, "100")
		speech(ctx, t, d)
		d.Press(stranger.keys) // the language, then bills and payment
		a.see("^answer")
		card := a.str("text", args{"selector": `aside[aria-label="Incoming call"]`})
		for _, want := range []string{stranger.language, "New number", "Расчёты / Billing", "Bills and payment"} {
			if !strings.Contains(card, want) {
				t.Errorf("keys %s: the card lacks %q:\n%s", stranger.keys, want, card)
			}
		}
		a.press("^answer")
		ok(t, d.Hears(ctx, []float64{agent1Hz}, nil))
		a.hears(ctx, []float64{customerHz}, nil)
		d.Hangup()
		a.wrapUp()
	}
}

// controls tries mute, hold and keypad by their buttons.
func controls(ctx context.Context, t *testing.T, a tab, c *telephonytest.PhoneCall) {
	t.Helper()
	a.press("^mute the microphone")
	ok(t, c.Hears(ctx, nil, []float64{agent1Hz}))
	a.hears(ctx, []float64{customerHz}, nil)
	if v := a.str("pressed", args{"name": "^mute the microphone"}); v != "true" {
		t.Errorf("muted, but the button says %s", v)
	}
	a.press("^mute the microphone")
	ok(t, c.Hears(ctx, []float64{agent1Hz}, nil))
	a.press("^hold$")
	ok(t, c.Hears(ctx, nil, []float64{agent1Hz}))
	a.hears(ctx, nil, []float64{customerHz})
	a.see("on hold")
	a.press("^hold$")
	ok(t, c.Hears(ctx, []float64{agent1Hz}, nil))
	a.hears(ctx, []float64{customerHz}, nil)
	a.press("^keypad$")
	for _, k := range "57#" {
		a.press("^" + string(k) + "$")
	}
	ok(t, c.Hears(ctx, []float64{agent1Hz}, nil)) // the voice is back after the keys
	for c.Digits() != "57#" {
		select {
		case <-ctx.Done():
			t.Fatalf("keys 57# pressed, the customer's phone heard %q", c.Digits())
		case <-time.After(20 * time.Millisecond):
		}
	}
	a.do("key", args{"key": "Escape"})
}

// ticketOf opens the ticket of a customer's call, reads it and listens to the recording.
func ticketOf(ctx context.Context, t *testing.T, s *suite, a tab, from string) {
	t.Helper()
	call := `FROM call c JOIN call_link l ON l.call_id = c.id JOIN ticket t ON t.id = l.ticket_id JOIN recording r ON r.call_id = c.id WHERE r.state = 'ready' AND c.caller_e164 = '` + from + `'`
	s.wait(ctx, t, "the call is in its ticket, recorded", `SELECT count(*)::text `+call, "1")
	a.open("/desk/all/" + s.p.SQL(ctx, `SELECT t.number `+call))
	a.see("^answered")
	a.see("Счёт пришёл дважды")
	a.see("Bills and payment")
	a.press("^play$")
	a.until(`(() => { const e = document.querySelector('audio[src*="/recordings/"]'); return e && !e.error && e.readyState >= 2 && e.currentTime > 0.3; })()`)
	a.press("^pause$")
	var heard struct{ Left, Right map[string]float64 }
	ok(t, json.Unmarshal([]byte(a.js(recorded)), &heard))
	for hz, left := range map[string]bool{"1000": true, "440": false} {
		mine, other := heard.Left[hz], heard.Right[hz]
		if !left {
			mine, other = other, mine
		}
		if mine < telephonytest.Present || other > 2*telephonytest.Absent {
			t.Errorf("recording: %s Hz is %.3f on its side and %.3f on the other", hz, mine, other)
		}
	}
	noBarriers(t, a, "the ticket")
}

// recorded measures the customer's and the agent's tone in both channels of the recording the page plays: the loudest
// block of 400 ms, since the agent was muted, on hold and pressing keys for a part of it.
const recorded = `(async () => {
  const sound = await (await fetch(document.querySelector('audio[src*="/recordings/"]').src)).arrayBuffer();
  const buffer = await new OfflineAudioContext(2, 8000, 8000).decodeAudioData(sound);
  const sampleRate = buffer.sampleRate;
  const amp = (x, hz) => { const k = 2 * Math.cos(2 * Math.PI * hz / sampleRate); let a = 0, b = 0; for (const v of x) { [a, b] = [v + k * a - b, a]; } return 2 / x.length * Math.sqrt(Math.max(0, a * a + b * b - k * a * b)); };
  const n = 0.4 * sampleRate;
  const most = (c, hz) => { const d = buffer.getChannelData(c); let m = 0; for (let i = 0; i + n <= d.length; i += n) m = Math.max(m, amp(d.subarray(i, i + n), hz)); return m; };
  const side = (c) => ({ 1000: most(c, 1000), 440: most(c, 440) });
  return { left: side(0), right: side(1) };
})()`

// reload: three reloads in the middle of a talk. The sound is back within two seconds of the page's return each time; how
// long the page itself takes to load is the machine's affair, so the 1.5 s that a customer may miss the agent altogether
// are asked of the best of the three.
func reload(ctx context.Context, t *testing.T, s *suite) {
	a := tab{t, s.one, 0}
	a.onShift()
	c := s.dial(ctx, t, "+79035550102", "200")
	a.press("^answer")
	ok(t, c.Hears(ctx, []float64{agent1Hz}, nil))
	a.press("^note$")
	a.do("fill", args{"label": "Note of the call", "value": "kept over a reload"})
	before := a.state(`[s.calls[0].call, s.calls[0].since]`)
	best := time.Hour
	for range 3 {
		from := len(c.Heard())
		c.ResetGap()
		a.do("reload", nil)
		back := time.Now()
		a.until(`window.__hotline?.core.getState().calls[0]?.state === 'talking'`)
		ok(t, c.Hears(ctx, []float64{agent1Hz}, nil))
		if took := time.Since(back) - listening; took > 2*time.Second {
			t.Errorf("the sound is back %v after the page", took)
		}
		a.hears(ctx, []float64{customerHz}, nil)
		missed := c.Gap() + without(c.Heard()[from:], agent1Hz)
		t.Logf("reload: the customer missed the agent for %v (no packets for %v)", missed, c.Gap())
		best = min(best, missed)
		if after := a.state(`[s.calls[0].call, s.calls[0].since]`); after != before {
			t.Errorf("call and timer were %s, are %s after the reload", before, after)
		}
	}
	if best > 1500*time.Millisecond {
		t.Errorf("the customer missed the agent for at least %v", best)
	}
	if n := c.Reinvites(); n != 0 {
		t.Errorf("the customer's leg was renegotiated %d times", n)
	}
	if a.str("pressed", args{"name": "^note$"}) != "true" {
		a.press("^note$")
	}
	if v := a.str("value", args{"label": "Note of the call"}); v != "kept over a reload" {
		t.Errorf("the note is %q after the reload", v)
	}
	a.press("^hang up")
	<-c.Done()
	a.wrapUp()
}

// listening is the window in which a tone is measured: it is over before the phone says that it hears.
const listening = 400 * time.Millisecond

// without is the longest stretch that lacks a tone, in blocks of 40 ms.
func without(pcm []int16, hz float64) (longest time.Duration) {
	const block = 320
	var run time.Duration
	for ; len(pcm) >= block; pcm = pcm[block:] {
		if run += 40 * time.Millisecond; tone.Amplitude(pcm[:block], hz, 8000) > telephonytest.Present {
			run = 0
		}
		longest = max(longest, run)
	}
	return longest
}

// twoTabs: the second tab of an agent says that the first has the telephone, and takes it over in the middle of a talk.
func twoTabs(ctx context.Context, t *testing.T, s *suite) {
	first, second := tab{t, s.one, 0}, tab{t, s.one, 1}
	first.onShift()
	c := s.dial(ctx, t, "+79035550103", "200")
	first.press("^answer")
	ok(t, c.Hears(ctx, []float64{agent1Hz}, nil))
	first.do("newTab", args{"url": s.one.url + "/desk/mine"})
	second.see("another tab has the telephone")
	if v := first.state(`s.media.owner`); v != "true" {
		t.Errorf("a second tab is open; the first one's ownership is %s", v)
	}
	second.press("take over here")
	second.hears(ctx, []float64{customerHz}, nil)
	ok(t, c.Hears(ctx, []float64{agent1Hz}, nil))
	first.see("another tab has the telephone")
	second.do("closeTab", nil)
	first.until(`window.__hotline.core.getState().media.owner`)
	first.hears(ctx, []float64{customerHz}, nil)
	ok(t, c.Hears(ctx, []float64{agent1Hz}, nil))
	first.press("^hang up")
	<-c.Done()
	first.wrapUp()
}

// pageClosed: the agent's only page goes away in a talk; the customer hears the comfort tone, then the agent again.
func pageClosed(ctx context.Context, t *testing.T, s *suite) {
	a := tab{t, s.one, 0}
	a.onShift()
	c := s.dial(ctx, t, "+79035550104", "200")
	a.press("^answer")
	ok(t, c.Hears(ctx, []float64{agent1Hz}, nil))
	call := a.state(`s.calls[0].call`)
	a.do("closeTab", nil)
	ok(t, c.Hears(ctx, []float64{comfortHz}, []float64{agent1Hz}))
	a.do("newTab", args{"url": s.one.url + "/desk/mine"})
	ok(t, c.Hears(ctx, []float64{agent1Hz}, []float64{comfortHz}))
	a.hears(ctx, []float64{customerHz}, nil)
	if v := a.state(`s.calls[0].call`); v != call {
		t.Errorf("the call was %s, is %s", call, v)
	}
	a.press("^hang up")
	<-c.Done()
	a.wrapUp()
}

// speech waits until the menu speaks.
func speech(ctx context.Context, t *testing.T, c *telephonytest.PhoneCall) {
	t.Helper()
	for {
		heard := c.Heard()
		loud := 0
		for _, v := range heard[max(0, len(heard)-3200):] {
			if v > 1000 || v < -1000 {
				loud++
			}
		}
		if loud > 320 {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatal("the menu is silent")
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func onlyDigits(r rune) rune {
	if r < '0' || r > '9' {
		return -1
	}
	return r
}
