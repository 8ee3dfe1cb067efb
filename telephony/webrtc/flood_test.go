package webrtc_test

import (
	"crypto/rand"
	"net"
	"regexp"
	"strconv"
	"testing"
	"time"

	"hotline/telephony/telephonytest"
)

// TestHandshakeUnderFlood (reliability R17): forged ClientHello and ServerHello records to the media port, from the
// browser's own address and another, must not win the race for the DTLS handshake.
func TestHandshakeUnderFlood(t *testing.T) {
	ctx := within(t)
	s := server(t, nil)
	calm := handshakes(t, s, 10)
	stop, done := make(chan struct{}), make(chan struct{})
	conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(s.Addr()))
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(done)
		random := make([]byte, 32)
		tick := time.NewTicker(200 * time.Microsecond)
		defer tick.Stop()
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			_, _ = rand.Read(random)
			hello := []byte{22, 254, 255, 0, 0, 0, 0, 0, 0, 0, byte(i), 0, 54, 1 + byte(i%2), 0, 0, 42, 0, 0, 0, 0, 0, 0, 0, 42, 254, 253}
			hello = append(append(hello, random...), 0, 0, 0, 2, 0xc0, 0x2b, 1, 0)
			_, _ = conn.Write(hello)
		}
	}()
	flooded := handshakes(t, s, 30)
	close(stop)
	<-done
	conn.Close()
	t.Logf("slowest handshake: calm %v, flooded %v", calm, flooded)
	if limit := max(2*calm, time.Second); flooded > limit { // a busy machine has its own delays
		t.Errorf("slowest handshake under flood took %v, calm %v", flooded, calm)
	}
}

// handshakes connects n browsers one after the other and returns the longest time.
func handshakes(t *testing.T, s *rig, n int) (slowest time.Duration) {
	t.Helper()
	ctx := within(t)
	for i := range n {
		b := browser(t, telephonytest.BrowserSoundConfig{})
		begin := time.Now()
		agent := "flood" + strconv.Itoa(i)
		attach(t, ctx, s, agent, b)
		slowest = max(slowest, time.Since(begin))
		s.Remove(agent)
		b.Close()
	}
	return slowest
}

// TestEveryAddress listens everywhere: the answer names the host's addresses, none of them loopback.
func TestEveryAddress(t *testing.T) {
	ctx := within(t)
	s, err := startOn(t, "0.0.0.0:0")
	if err != nil {
		t.Skipf("LOUD: this host has no address but loopback: %v", err)
	}
	b := browser(t, telephonytest.BrowserSoundConfig{})
	b.Tone(440)
	attach(t, ctx, s, "agent1", b)
	if err := s.Phone("agent1").Endpoint().WaitMedia(ctx); err != nil {
		t.Error(err)
	}
	answer, _, err := s.Attach(ctx, "agent2", offerOf(t, telephonytest.BrowserSoundConfig{}), nil)
	if err != nil {
		t.Fatal(err)
	}
	if regexp.MustCompile(`(?m)^a=candidate:.* (127\.0\.0\.1|::1) `).MatchString(answer) {
		t.Errorf("loopback told to browsers:\n%s", answer)
	}
}
