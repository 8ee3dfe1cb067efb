package webrtc_test

import (
	"encoding/binary"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"hotline/telephony"
	"hotline/telephony/media"
	"hotline/telephony/telephonytest"
	"hotline/telephony/webrtc"
)

func TestTalkBothWays(t *testing.T) {
	ctx := within(t)
	s := server(t, nil)
	p := s.Phone("agent1")
	c := newCustomer(t, media.PCMA, 1000)
	talk(t, c, p)
	b := browser(t, telephonytest.BrowserSoundConfig{})
	b.Tone(440)
	if epoch := attach(t, ctx, s, "agent1", b); epoch != 1 || p.Epoch() != 1 {
		t.Errorf("epoch %d, phone says %d, want 1", epoch, p.Epoch())
	}
	if err := b.Hears(ctx, []float64{1000}, []float64{440}); err != nil {
		t.Error("agent:", err)
	}
	c.hears(t, ctx, 440)
	if err := p.Endpoint().WaitMedia(ctx); err != nil {
		t.Error(err)
	}
	if !p.Connected() || p.Path() != "udp" || time.Since(p.LastRTP()) > time.Second {
		t.Errorf("connected %v by %q, last packet %v", p.Connected(), p.Path(), p.LastRTP())
	}
	s.Detach("agent1", 1)
	s.st.wait(t, ctx, "agent1/1/closed/detached")
	if p.Connected() {
		t.Error("connected after detach")
	}
	want := []string{"agent1/1/connecting/", "agent1/1/connected/", "agent1/1/closed/detached"}
	if got := s.st.list(); strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("states %v, want %v", got, want)
	}
}

func TestReattachKeepsTheEndpoint(t *testing.T) {
	ctx := within(t)
	s := server(t, nil)
	p := s.Phone("agent1")
	ep := p.Endpoint()
	c := newCustomer(t, media.PCMA, 1000)
	talk(t, c, p)
	for i, hz := range []float64{440, 700, 1500} {
		b := browser(t, telephonytest.BrowserSoundConfig{})
		b.Tone(hz)
		if epoch := attach(t, ctx, s, "agent1", b); epoch != i+1 {
			t.Fatalf("epoch %d, want %d", epoch, i+1)
		}
		if p.Endpoint() != ep {
			t.Fatal("another endpoint")
		}
		if err := ep.WaitMedia(ctx); err != nil {
			t.Fatal(err)
		}
		c.hears(t, ctx, hz) // of the new page: the old one still sends its own tone
		if err := b.Hears(ctx, []float64{1000}, nil); err != nil {
			t.Error("agent:", err)
		}
	}
	s.st.wait(t, ctx, "agent1/1/closed/replaced")
	s.st.wait(t, ctx, "agent1/2/closed/replaced")
	checkStream(t, c.headers())
}

// checkStream wants one stream without a break in its numbers, as the customer's device must see it.
func checkStream(t *testing.T, h [][]byte) {
	t.Helper()
	for i := 1; i < len(h); i++ {
		was, is := h[i-1], h[i]
		if string(was[8:12]) != string(is[8:12]) {
			t.Fatalf("packet %d: stream changed", i)
		}
		if d := binary.BigEndian.Uint16(is[2:]) - binary.BigEndian.Uint16(was[2:]); d != 1 {
			t.Errorf("packet %d: sequence moved by %d", i, d)
		}
		if d := int32(binary.BigEndian.Uint32(is[4:]) - binary.BigEndian.Uint32(was[4:])); d < 160 || d > 5*8000 {
			t.Errorf("packet %d: timestamp moved by %d", i, d)
		}
	}
}

func TestStaleEpochIsRefused(t *testing.T) {
	ctx := within(t)
	s := server(t, nil)
	old, b := browser(t, telephonytest.BrowserSoundConfig{}), browser(t, telephonytest.BrowserSoundConfig{})
	attach(t, ctx, s, "agent1", old)
	attach(t, ctx, s, "agent1", b)
	offer, err := browser(t, telephonytest.BrowserSoundConfig{}).Offer(false)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Offer(ctx, "agent1", 1, offer); !errors.Is(err, webrtc.ErrStaleEpoch) {
		t.Errorf("offer of epoch 1: %v, want stale epoch", err)
	}
	if err := s.Candidate("agent1", 1, ""); !errors.Is(err, webrtc.ErrStaleEpoch) {
		t.Errorf("candidate of epoch 1: %v, want stale epoch", err)
	}
	var coded interface{ Code() string }
	if err := s.Candidate("nobody", 1, ""); !errors.As(err, &coded) || coded.Code() != "stale_epoch" {
		t.Errorf("candidate of nobody: %v, want code stale_epoch", err)
	}
	s.Detach("agent1", 1)
	if !s.Phone("agent1").Connected() {
		t.Error("a stale detach ended the call")
	}
}

func TestICERestart(t *testing.T) {
	ctx := within(t)
	var cut atomic.Bool
	s := server(t, func(c *webrtc.Config) { c.DropUDP = cut.Load })
	c := newCustomer(t, media.PCMA, 1000)
	talk(t, c, s.Phone("agent1"))
	b := browser(t, telephonytest.BrowserSoundConfig{})
	b.Tone(440)
	epoch := attach(t, ctx, s, "agent1", b)
	c.hears(t, ctx, 440)
	b.ResetGap()
	restart := func() {
		before := b.Ups()
		offer, err := b.Offer(true)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := s.Offer(ctx, "agent1", epoch, offer)
		if err != nil {
			t.Fatal(err)
		}
		if err := b.Answer(answer); err != nil {
			t.Fatal(err)
		}
		trickle(t, ctx, s, "agent1", epoch, b)
		if err := b.UpAgain(ctx, before); err != nil {
			t.Fatal(err)
		}
	}
	restart()
	if err := b.Hears(ctx, []float64{1000}, nil); err != nil {
		t.Fatal(err)
	}
	// 200 ms is pion's interval between checks; a busy machine adds its own. agent-desk wants 500 ms.
	if gap := b.Gap(); gap > time.Second {
		t.Errorf("restart of a healthy call cost %v of sound", gap)
	} else {
		t.Logf("restart of a healthy call cost %v of sound", gap)
	}
	cut.Store(true)
	s.st.wait(t, ctx, "agent1/1/disconnected/ice")
	cut.Store(false)
	restart()
	c.hears(t, ctx, 440)
	if err := b.Hears(ctx, []float64{1000}, nil); err != nil {
		t.Error(err)
	}
	if p := s.Phone("agent1"); p.Epoch() != 1 || !p.Connected() {
		t.Errorf("epoch %d, connected %v", p.Epoch(), p.Connected())
	}
}

func TestTCPWhereUDPIsBlocked(t *testing.T) {
	ctx := within(t)
	s := server(t, nil)
	c := newCustomer(t, media.PCMU, 1000)
	p := s.Phone("agent1")
	talk(t, c, p)
	b := browser(t, telephonytest.BrowserSoundConfig{TCPOnly: true})
	b.Tone(440)
	attach(t, ctx, s, "agent1", b)
	c.hears(t, ctx, 440)
	if err := b.Hears(ctx, []float64{1000}, nil); err != nil {
		t.Error(err)
	}
	if p.Path() != "tcp" {
		t.Errorf("path %q, want tcp", p.Path())
	}
}

func TestKeysOfTheBrowser(t *testing.T) {
	ctx := within(t)
	var mu sync.Mutex
	var keys []byte
	got := make(chan struct{}, 16)
	var s *rig
	s = server(t, func(c *webrtc.Config) {
		c.OnDigit = func(agent string, d telephony.Digit) {
			mu.Lock()
			defer mu.Unlock()
			if agent == "agent1" && d.Source == "rfc4733" && s.Phone(agent).Epoch() == 1 {
				keys = append(keys, d.Key)
			}
			got <- struct{}{}
		}
	})
	b := browser(t, telephonytest.BrowserSoundConfig{})
	b.Tone(440)
	attach(t, ctx, s, "agent1", b)
	b.Press("12#")
	for range 3 {
		select {
		case <-got:
		case <-ctx.Done():
			t.Fatal("a key is missing")
		}
	}
	c := newCustomer(t, media.PCMA, 1000)
	talk(t, c, s.Phone("agent1"))
	c.hears(t, ctx, 440) // whatever repeats of the last key there were have come by now
	mu.Lock()
	defer mu.Unlock()
	if string(keys) != "12#" {
		t.Errorf("keys %q, want 12#", keys)
	}
}
