package webrtc_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"hotline/telephony"
	"hotline/telephony/media"
	"hotline/telephony/telephonytest"
	"hotline/telephony/webrtc"
)

func offerOf(t *testing.T, cfg telephonytest.BrowserSoundConfig) string {
	t.Helper()
	sdp, err := browser(t, cfg).Offer(false)
	if err != nil {
		t.Fatal(err)
	}
	return sdp
}

func TestAnswerFollowsTheTrunksCodec(t *testing.T) {
	ctx := within(t)
	s := server(t, nil)
	for _, tc := range []struct {
		prefer media.Law
		codecs []string
		want   string // formats of the audio line
	}{
		{media.PCMA, nil, " 8 0 126"},
		{media.PCMU, nil, " 0 8 126"},
		{media.PCMU, []string{"opus", "audio/PCMA"}, " 8 126"},
		{media.PCMA, []string{"pcmu/8000"}, " 0 126"},
	} {
		s.Phone("agent1").Prefer(tc.prefer)
		answer, _, err := s.Attach(ctx, "agent1", offerOf(t, telephonytest.BrowserSoundConfig{}), tc.codecs)
		if err != nil {
			t.Fatal(err)
		}
		if line := audioLine(answer); !strings.HasSuffix(line, tc.want) {
			t.Errorf("prefer %d, page has %v: %q, want ...%q", tc.prefer, tc.codecs, line, tc.want)
		}
		if law := s.Phone("agent1").Endpoint().Format().Law; fmt.Sprint(" ", uint8(law)) != tc.want[:2] {
			t.Errorf("endpoint sends %v, answer is %q", law, tc.want)
		}
	}
}

func TestOffersThatCannotBeUsed(t *testing.T) {
	ctx := within(t)
	s := server(t, nil)
	b := browser(t, telephonytest.BrowserSoundConfig{})
	attach(t, ctx, s, "agent1", b)
	good := offerOf(t, telephonytest.BrowserSoundConfig{})
	for name, tc := range map[string]struct {
		sdp    string
		codecs []string
		want   error
	}{
		"empty":       {"", nil, webrtc.ErrBadSDP},
		"no sdp":      {"hello", nil, webrtc.ErrBadSDP},
		"too long":    {strings.Repeat("a=x\r\n", 20000), nil, webrtc.ErrBadSDP},
		"plain RTP":   {strings.ReplaceAll(good, "UDP/TLS/RTP/SAVPF", "RTP/AVP"), nil, webrtc.ErrBadSDP},
		"video":       {strings.ReplaceAll(good, "m=audio", "m=video"), nil, webrtc.ErrBadSDP},
		"no ice":      {regexp.MustCompile(`a=ice-(ufrag|pwd):.*\r\n`).ReplaceAllString(good, ""), nil, webrtc.ErrBadSDP},
		"no dtls":     {regexp.MustCompile(`a=fingerprint:.*\r\n`).ReplaceAllString(good, ""), nil, webrtc.ErrBadSDP},
		"opus alone":  {offerOf(t, telephonytest.BrowserSoundConfig{Codecs: []string{"opus"}}), nil, telephony.ErrNoCodec},
		"page's list": {good, []string{"opus"}, telephony.ErrNoCodec},
	} {
		if _, _, err := s.Attach(ctx, "agent1", tc.sdp, tc.codecs); !errors.Is(err, tc.want) {
			t.Errorf("%s: %v, want %v", name, err, tc.want)
		} else if err != nil && name == "opus alone" && !strings.Contains(err.Error(), "OPUS/48000") {
			t.Errorf("%s: %v does not say what was offered", name, err)
		}
	}
	if p := s.Phone("agent1"); !p.Connected() || p.Epoch() != 1 {
		t.Errorf("a refused offer cost the call: connected %v, epoch %d", p.Connected(), p.Epoch())
	}
}

func TestWrongFingerprintEndsMedia(t *testing.T) {
	ctx := within(t)
	s := server(t, nil)
	re := regexp.MustCompile(`(a=fingerprint:sha-256 )..:..`)
	for i := range 10 {
		agent := fmt.Sprint("agent", i)
		b := browser(t, telephonytest.BrowserSoundConfig{})
		b.Tone(440)
		offer, err := b.Offer(false)
		if err != nil {
			t.Fatal(err)
		}
		answer, epoch, err := s.Attach(ctx, agent, re.ReplaceAllString(offer, "${1}00:11"), nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := b.Answer(answer); err != nil {
			t.Fatal(err)
		}
		trickle(t, ctx, s, agent, epoch, b)
		s.st.wait(t, ctx, agent+"/1/failed/dtls")
		s.st.wait(t, ctx, agent+"/1/closed/dtls")
		p := s.Phone(agent)
		if !p.LastRTP().IsZero() || p.Endpoint().Stats().ReceivedPackets != 0 || p.Connected() {
			t.Errorf("%s: media in spite of the fingerprint", agent)
		}
	}
}

func TestForgedPacketsNeitherEndNorMoveACall(t *testing.T) {
	ctx := within(t)
	s := server(t, nil)
	p := s.Phone("agent1")
	c := newCustomer(t, media.PCMA, 1000)
	talk(t, c, p)
	b := browser(t, telephonytest.BrowserSoundConfig{})
	b.Tone(440)
	attach(t, ctx, s, "agent1", b)
	c.hears(t, ctx, 440)
	before := p.Endpoint().Stats()
	conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(s.Addr()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	rnd := rand.New(rand.NewPCG(1, 2))
	clientHello := append([]byte{22, 254, 255, 0, 0, 0, 0, 0, 0, 0, 0, 0, 50, 1}, make([]byte, 49)...)
	for i := range 200 {
		junk := make([]byte, rnd.IntN(1400))
		for j := range junk {
			junk[j] = byte(rnd.Uint32())
		}
		for _, pkt := range [][]byte{
			junk, {0x80}, {0x80, 200}, {0x81, 203, 0, 0}, clientHello,
			append([]byte{0x80, 8, byte(i >> 8), byte(i), 0, 0, 0, 0, 1, 2, 3, 4}, make([]byte, 160)...),
			append([]byte{0, 1, 0, 8, 0x21, 0x12, 0xa4, 0x42}, make([]byte, 20)...),
		} {
			if _, err := conn.Write(pkt); err != nil && !errors.Is(err, net.ErrClosed) {
				t.Fatal(err)
			}
		}
	}
	c.hears(t, ctx, 440)
	if err := b.Hears(ctx, []float64{1000}, nil); err != nil {
		t.Error(err)
	}
	after := p.Endpoint().Stats()
	if after.Lost != before.Lost || after.ForeignSSRC != 0 || after.Invalid != 0 {
		t.Errorf("packets lost or let in: %+v, before %+v", after, before)
	}
	for _, got := range s.st.list() {
		if strings.Contains(got, "closed") || strings.Contains(got, "failed") {
			t.Errorf("state %s", got)
		}
	}
}

func TestConnectLimit(t *testing.T) {
	ctx := within(t)
	s := server(t, func(c *webrtc.Config) { c.ConnectLimit = 50 * time.Millisecond })
	if _, _, err := s.Attach(ctx, "agent1", offerOf(t, telephonytest.BrowserSoundConfig{}), nil); err != nil {
		t.Fatal(err)
	}
	s.st.wait(t, ctx, "agent1/1/failed/connect_limit")
	s.st.wait(t, ctx, "agent1/1/closed/connect_limit")
}

func TestTooManyCandidates(t *testing.T) {
	ctx := within(t)
	s := server(t, nil)
	if _, _, err := s.Attach(ctx, "agent1", offerOf(t, telephonytest.BrowserSoundConfig{}), nil); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"nonsense", "candidate:1 1 udp x 127.0.0.1 9 typ host", strings.Repeat("a", 5000)} {
		if err := s.Candidate("agent1", 1, bad); !errors.Is(err, webrtc.ErrBadCandidate) {
			t.Errorf("candidate %.20q: %v", bad, err)
		}
	}
	var err error
	for i := 0; i < 250 && !errors.Is(err, webrtc.ErrTooMany); i++ {
		err = s.Candidate("agent1", 1, fmt.Sprintf("candidate:%d 1 udp 2130706431 127.0.0.1 %d typ host", i, 20000+i))
	}
	if !errors.Is(err, webrtc.ErrTooMany) {
		t.Errorf("250 candidates: %v", err)
	}
}

func TestAddressTold(t *testing.T) {
	ctx := within(t)
	s := server(t, func(c *webrtc.Config) { c.MediaIP = netip.MustParseAddr("203.0.113.7") })
	answer, _, err := s.Attach(ctx, "agent1", offerOf(t, telephonytest.BrowserSoundConfig{}), nil)
	if err != nil {
		t.Fatal(err)
	}
	port := fmt.Sprint(s.Addr().Port())
	for _, want := range []string{"udp", "tcp"} {
		if !regexp.MustCompile(`(?m)^a=candidate:\d+ 1 ` + want + ` \d+ 203\.0\.113\.7 ` + port + ` typ host`).MatchString(answer) {
			t.Errorf("no %s candidate with the told address in\n%s", want, answer)
		}
	}
	if strings.Contains(answer, "127.0.0.1 "+port) {
		t.Error("the real address is told as well")
	}
	if !strings.Contains(answer, "a=end-of-candidates") {
		t.Error("the answer does not end the candidates")
	}
}

func TestStop(t *testing.T) {
	ctx := within(t)
	reg := prometheus.NewRegistry()
	s := server(t, func(c *webrtc.Config) { c.Registerer = reg })
	b := browser(t, telephonytest.BrowserSoundConfig{})
	attach(t, ctx, s, "agent1", b)
	ep := s.Phone("agent1").Endpoint()
	idle, err := net.Dial("tcp", s.Addr().String()) // never says who it is: must not hold up the end
	if err != nil {
		t.Fatal(err)
	}
	defer idle.Close()
	begin := time.Now()
	if err := s.Stop(ctx); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(begin); took > 4*time.Second {
		t.Errorf("stop took %v", took)
	}
	if err := ep.WaitMedia(ctx); err != nil && !errors.Is(err, telephony.ErrLegEnded) {
		t.Errorf("endpoint lives on: %v", err)
	}
	if err := b.Down(ctx); err != nil {
		t.Error(err)
	}
	if _, _, err := s.Attach(ctx, "agent1", offerOf(t, telephonytest.BrowserSoundConfig{}), nil); !errors.Is(err, webrtc.ErrStopped) {
		t.Errorf("attach after stop: %v", err)
	}
	if n := gauge(t, reg, "hotline_webrtc_connections"); n != 0 {
		t.Errorf("%v connections open after stop", n)
	}
}

func gauge(t *testing.T, reg *prometheus.Registry, name string) float64 {
	t.Helper()
	all, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range all {
		if f.GetName() == name {
			return f.GetMetric()[0].GetGauge().GetValue()
		}
	}
	t.Fatalf("no metric %s", name)
	return 0
}

func TestSettingsAreChecked(t *testing.T) {
	if _, err := webrtc.New(webrtc.Config{Addr: "somewhere"}); err == nil {
		t.Error("an address without a port was taken")
	}
	s := server(t, nil)
	other, err := webrtc.New(webrtc.Config{Addr: s.Addr().String()})
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Start(t.Context()); err == nil {
		t.Error("two servers on one port")
		_ = other.Stop(context.Background())
	}
	if err := s.Start(t.Context()); err == nil {
		t.Error("started twice")
	}
}

// TestChurn attaches, replaces and removes phones from several goroutines; goleak and the race detector judge.
func TestChurn(t *testing.T) {
	ctx := within(t)
	s := server(t, nil)
	done := make(chan error)
	for i := range 4 {
		go func() {
			agent := fmt.Sprint("agent", i%2)
			for j := range 5 {
				b, err := telephonytest.NewBrowserSound(telephonytest.BrowserSoundConfig{})
				if err != nil {
					done <- err
					return
				}
				b.Tone(440)
				offer, _ := b.Offer(false)
				answer, epoch, err := s.Attach(ctx, agent, offer, nil)
				if err == nil {
					err = b.Answer(answer)
				}
				if errors.Is(err, webrtc.ErrStopped) {
					err = nil // the other goroutine removed the phone just now
				}
				switch {
				case j == 2:
					s.Remove(agent)
				case j == 3:
					s.Detach(agent, epoch)
				}
				b.Close()
				if err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
	}
	for range 4 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}
