package webrtc_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"hotline/telephony/media"
	"hotline/telephony/media/tone"
	"hotline/telephony/telephonytest"
	"hotline/telephony/webrtc"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what must come; only failing tests need it.
const patience = 20 * time.Second

func within(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// states keeps what OnState told.
type states struct {
	mu   sync.Mutex
	all  []string // agent/epoch/phase/why
	more chan struct{}
}

func newStates() *states { return &states{more: make(chan struct{})} }

func (s *states) put(agent string, st webrtc.State) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = append(s.all, fmt.Sprintf("%s/%d/%s/%s", agent, st.Epoch, st.Phase, st.Why))
	close(s.more)
	s.more = make(chan struct{})
}

func (s *states) list() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.all...)
}

// wait returns when the state was told, now or earlier.
func (s *states) wait(t testing.TB, ctx context.Context, want string) {
	t.Helper()
	for {
		s.mu.Lock()
		more, all := s.more, s.all
		s.mu.Unlock()
		for _, got := range all {
			if got == want {
				return
			}
		}
		select {
		case <-more:
		case <-ctx.Done():
			t.Fatalf("state %s never came; came: %v", want, s.list())
		}
	}
}

// rig is a Server and what it told.
type rig struct {
	*webrtc.Server
	st *states
}

// server is a started Server on loopback.
func server(t testing.TB, change func(*webrtc.Config)) *rig {
	t.Helper()
	s, err := start(t, "127.0.0.1:0", change)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// startOn is server on another address, which the host may not have.
func startOn(t testing.TB, addr string) (*rig, error) { return start(t, addr, nil) }

func start(t testing.TB, addr string, change func(*webrtc.Config)) (*rig, error) {
	st := newStates()
	cfg := webrtc.Config{Addr: addr, OnState: st.put}
	if change != nil {
		change(&cfg)
	}
	s, err := webrtc.New(cfg)
	if err == nil {
		err = s.Start(t.Context())
	}
	if err != nil {
		return nil, err
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := s.Stop(ctx); err != nil {
			t.Errorf("stop: %v", err)
		}
	})
	return &rig{s, st}, nil
}

// browser is a browser that is not attached.
func browser(t testing.TB, cfg telephonytest.BrowserSoundConfig) *telephonytest.BrowserSound {
	t.Helper()
	b, err := telephonytest.NewBrowserSound(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return b
}

// attach connects the browser's sound and waits until both sides say so.
func attach(t testing.TB, ctx context.Context, s *rig, agent string, b *telephonytest.BrowserSound) (epoch int) {
	t.Helper()
	offer, err := b.Offer(false)
	if err != nil {
		t.Fatal(err)
	}
	answer, epoch, err := s.Attach(ctx, agent, offer, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Answer(answer); err != nil {
		t.Fatalf("%v in\n%s", err, answer)
	}
	trickle(t, ctx, s, agent, epoch, b)
	if err := b.Up(ctx); err != nil {
		t.Fatal(err)
	}
	s.st.wait(t, ctx, fmt.Sprintf("%s/%d/connected/", agent, epoch))
	return epoch
}

// trickle sends the browser's candidates until it has no more.
func trickle(t testing.TB, ctx context.Context, s *rig, agent string, epoch int, b *telephonytest.BrowserSound) {
	t.Helper()
	for {
		select {
		case c := <-b.Candidates():
			if err := s.Candidate(agent, epoch, c); err != nil {
				t.Fatalf("candidate %q: %v", c, err)
			}
			if c == "" {
				return
			}
		case <-ctx.Done():
			t.Fatal("browser never finished gathering")
		}
	}
}

// customer is the other party: an endpoint fed with a tone, keeping what it is sent.
type customer struct {
	ep   *media.Endpoint
	stop chan struct{}
	wg   sync.WaitGroup

	mu      sync.Mutex
	heard   []int16
	packets [][]byte // headers of what came, in order
	more    chan struct{}
}

func newCustomer(t testing.TB, law media.Law, hz float64) *customer {
	c := &customer{stop: make(chan struct{}), more: make(chan struct{})}
	c.ep = media.NewEndpoint(media.EndpointConfig{Name: "customer", Transport: c, Law: law, EventPT: 101})
	c.wg.Add(1)
	go c.speak(law, hz)
	t.Cleanup(func() {
		close(c.stop)
		c.wg.Wait()
		c.ep.Close()
	})
	return c
}

// WriteRTP is what the customer is sent.
func (c *customer) WriteRTP(p []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.packets = append(c.packets, bytes.Clone(p[:12]))
	pcm := make([]int16, len(p)-12)
	media.Law(p[1]&0x7f).Decode(pcm, p[12:])
	c.heard = append(c.heard, pcm...)
	close(c.more)
	c.more = make(chan struct{})
	return nil
}

func (c *customer) speak(law media.Law, hz float64) {
	defer c.wg.Done()
	gen := tone.NewGenerator(8000, 0.5, hz)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for i := uint32(0); ; i++ {
		select {
		case <-c.stop:
			return
		case now := <-tick.C:
			var pcm [160]int16
			gen.Fill(pcm[:])
			p := make([]byte, 172)
			p[0], p[1] = 0x80, byte(law)
			binary.BigEndian.PutUint16(p[2:], uint16(i))
			binary.BigEndian.PutUint32(p[4:], i*160)
			binary.BigEndian.PutUint32(p[8:], 0xC0FFEE)
			law.Encode(p[12:], pcm[:])
			c.ep.Receive(p, now)
		}
	}
}

// hears waits until the last 400 ms, begun after the call, hold the tone.
func (c *customer) hears(t testing.TB, ctx context.Context, hz float64) {
	t.Helper()
	c.mu.Lock()
	from := len(c.heard)
	c.mu.Unlock()
	for {
		c.mu.Lock()
		more, n := c.more, len(c.heard)
		var amp float64
		if n-from >= 3200 {
			amp = tone.Amplitude(c.heard[n-3200:], hz, 8000)
		}
		c.mu.Unlock()
		if amp > 0.15 {
			return
		}
		select {
		case <-more:
		case <-ctx.Done():
			t.Fatalf("customer does not hear %.0f Hz: %d samples, amplitude %.3f", hz, n-from, amp)
		}
	}
}

// headers returns what was sent to the customer so far.
func (c *customer) headers() [][]byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([][]byte(nil), c.packets...)
}

// talk joins customer and agent.
func talk(t testing.TB, c *customer, p *webrtc.Phone) *media.Room {
	t.Helper()
	r := media.NewRoom(media.RoomConfig{Pacer: runningPacer(t)})
	t.Cleanup(r.Close)
	if err := r.Join(c.ep, media.Customer); err != nil {
		t.Fatal(err)
	}
	if err := r.Join(p.Endpoint(), media.Agent); err != nil {
		t.Fatal(err)
	}
	return r
}

func runningPacer(t testing.TB) *media.Pacer {
	p := media.NewPacer(media.PacerConfig{})
	p.Start()
	t.Cleanup(p.Close)
	return p
}

// audioLine is the formats of the answer's audio line.
func audioLine(sdp string) string {
	for line := range strings.Lines(sdp) {
		if strings.HasPrefix(line, "m=audio") {
			return strings.TrimSpace(line)
		}
	}
	return ""
}
