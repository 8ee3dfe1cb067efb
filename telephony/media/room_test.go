package media

import (
	"bytes"
	"context"
	"errors"
	"runtime"
	"sync"
	"testing"
	"time"

	"hotline/telephony"
	"hotline/telephony/media/tone"
)

// tapLog lays frames out by position, as a recorder does.
type tapLog struct {
	mu     sync.Mutex
	ch     [tapChannels][]int16
	frames [tapChannels]int
	types  map[uint8]int
}

func (l *tapLog) Frame(ch int, pt uint8, pos int64, payload []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.types == nil {
		l.types = map[uint8]int{}
	}
	l.types[pt]++
	l.frames[ch]++
	if need := int(pos) + len(payload); need > len(l.ch[ch]) {
		if need > 8000*600 {
			panic("position beyond all measure")
		}
		l.ch[ch] = append(l.ch[ch], make([]int16, need-len(l.ch[ch]))...)
	}
	Law(pt).Decode(l.ch[ch][pos:int(pos)+len(payload)], payload)
}

// channel is what a channel holds from sample from on.
func (l *tapLog) channel(ch, from int) []int16 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]int16(nil), l.ch[ch][min(from, len(l.ch[ch])):]...)
}

func (l *tapLog) len(ch int) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.ch[ch])
}

// talk is a room with everybody of the tone table connected through real sockets.
type talk struct {
	room                                *Room
	customer, agent, agent2, supervisor *phone
	ce, ae, a2e, se                     *Endpoint
	digits                              chan telephony.Digit // of the customer
}

func newTalk(t *testing.T, loops int, customerLaw, agentLaw Law) *talk {
	t.Helper()
	pacer := newTestPacer(t)
	ports := newPorts(t, PortsConfig{Any: true, Loops: loops})
	k := &talk{
		room: NewRoom(RoomConfig{
			Pacer:   pacer,
			Library: NewLibrary(LibraryConfig{}),
			Hold:    telephony.Sound(wavFile(t, "hold.wav", wavPCM, 2, 44100, sine(350, 44100, 2, time.Second))),
			Comfort: telephony.Tone{Hz: []float64{320}, Gain: 0.5},
		}),
		customer:   newPhone(t, "customer", customerLaw, 1000),
		agent:      newPhone(t, "agent", agentLaw, 440),
		agent2:     newPhone(t, "agent2", agentLaw, 700),
		supervisor: newPhone(t, "supervisor", PCMU, 1500),
		digits:     make(chan telephony.Digit, 32),
	}
	t.Cleanup(k.room.Close)
	cfg := EndpointConfig{Pacer: pacer, EventPT: 101}
	k.ae, _ = connect(t, ports, k.agent, cfg)
	k.a2e, _ = connect(t, ports, k.agent2, cfg)
	k.se, _ = connect(t, ports, k.supervisor, cfg)
	cfg.OnDigit = func(d telephony.Digit) { k.digits <- d }
	k.ce, _ = connect(t, ports, k.customer, cfg)
	must(t, k.room.Join(k.ce, Customer))
	must(t, k.room.Join(k.ae, Agent))
	return k
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestWhoHearsWhom walks through the tone table, twice: one law on both sides, and two.
func TestWhoHearsWhom(t *testing.T) {
	t.Parallel()
	loops := 0
	if runtime.GOOS == "linux" {
		loops = 1
	}
	for _, c := range []struct {
		name            string
		loops           int
		customer, agent Law
	}{{"A-law to A-law", 0, PCMA, PCMA}, {"A-law to mu-law, event loops", loops, PCMA, PCMU}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			k := newTalk(t, c.loops, c.customer, c.agent)
			r := k.room

			k.customer.hears(t, 440) // talk
			k.agent.hears(t, 1000)
			if r.plan.Load() != nil {
				t.Error("two parties are mixed instead of relayed")
			}

			must(t, r.SetMute(k.ae, true)) // mute
			k.customer.hears(t)
			k.agent.hears(t, 1000)
			must(t, r.SetMute(k.ae, false))

			must(t, r.SetHold(true)) // hold
			k.customer.hears(t, 350)
			k.agent.hears(t)

			must(t, r.Join(k.a2e, Agent)) // consult while held
			k.customer.hears(t, 350)
			k.agent.hears(t, 700)
			k.agent2.hears(t, 440)

			must(t, r.SetHold(false)) // conference
			k.customer.hears(t, 440, 700)
			k.agent.hears(t, 1000, 700)
			k.agent2.hears(t, 1000, 440)
			r.Leave(k.a2e)

			must(t, r.Join(k.se, Supervisor)) // listen
			k.customer.hears(t, 440)
			k.agent.hears(t, 1000)
			k.supervisor.hears(t, 1000, 440)

			must(t, r.SetMode(k.se, Whisper))
			k.customer.hears(t, 440)
			k.agent.hears(t, 1000, 1500)
			k.supervisor.hears(t, 1000, 440)

			must(t, r.SetMode(k.se, Barge))
			k.customer.hears(t, 440, 1500)
			k.agent.hears(t, 1000, 1500)
			k.supervisor.hears(t, 1000, 440)
			r.Leave(k.se)

			must(t, r.SetLost(k.ae, true)) // the agent's page is lost
			k.customer.hears(t, 320)
			must(t, r.SetLost(k.ae, false))
			k.customer.hears(t, 440)
			k.agent.hears(t, 1000)
		})
	}
}

// TestTwoSupervisors lets one whisper while another listens: the other hears no whisper.
func TestTwoSupervisors(t *testing.T) {
	t.Parallel()
	k := newTalk(t, 0, PCMA, PCMU)
	must(t, k.room.Join(k.se, Supervisor))
	must(t, k.room.Join(k.a2e, Supervisor)) // 700 Hz
	must(t, k.room.SetMode(k.se, Whisper))
	k.agent.hears(t, 1000, 1500)
	k.agent2.hears(t, 1000, 440)
	must(t, k.room.SetMode(k.a2e, Barge))
	k.agent.hears(t, 1000, 1500, 700)
	k.customer.hears(t, 440, 700)
	k.supervisor.hears(t, 1000, 440, 700)
}

// TestRecording holds a tap against the tone table.
func TestRecording(t *testing.T) {
	t.Parallel()
	k := newTalk(t, 0, PCMA, PCMU)
	k.customer.hears(t, 440)
	rec := &tapLog{}
	k.room.AddTap(rec)
	k.room.AddTap(rec) // once is enough
	window := func(ch int, want ...float64) {
		t.Helper()
		var err error
		for end := time.Now().Add(patience); time.Now().Before(end); {
			from := rec.len(TapCustomer)
			for rec.len(TapCustomer) < from+3840 {
				k.customer.hear(frameSamples)
			}
			got := rec.channel(ch, from)
			if len(want) == 0 {
				got = append(got, make([]int16, 3200)...)[:3200]
			}
			if len(got) < 3200 {
				continue
			}
			if err = judgeTones(got[:3200], want...); err == nil {
				return
			}
		}
		t.Fatalf("channel %d: %v", ch, err)
	}
	window(TapCustomer, 1000)
	window(TapAgent, 440)
	must(t, k.room.Join(k.se, Supervisor))
	must(t, k.room.SetMode(k.se, Whisper))
	window(TapCustomer, 1000)
	window(TapAgent, 440)
	window(TapSupervisor)
	must(t, k.room.SetMode(k.se, Barge))
	window(TapAgent, 440)
	window(TapSupervisor, 1500)
	must(t, k.room.Join(k.a2e, Agent))
	window(TapAgent, 440, 700)
	k.room.Leave(k.a2e)
	must(t, k.room.SetMute(k.ae, true))
	window(TapAgent)
	must(t, k.room.SetMute(k.ae, false))
	must(t, k.room.SetHold(true))
	window(TapCustomer, 1000)
	window(TapAgent)
	window(TapSupervisor)
	k.room.RemoveTap(rec)
	n := rec.frames
	k.customer.hear(1600)
	if rec.frames != n {
		t.Error("frames came after RemoveTap")
	}
	if d := rec.len(0) - rec.len(1); d < 0 {
		t.Errorf("the held agent's channel is longer than the customer's by %d samples", -d)
	}
}

// TestKeysAreRelayed lets the customer press a key: we report it, the agent's phone gets it, but a browser does not.
func TestKeysAreRelayed(t *testing.T) {
	var keys []byte
	to, web := newSink(), newSink()
	a := NewEndpoint(EndpointConfig{EventPT: 101, OnDigit: func(d telephony.Digit) { keys = append(keys, d.Key) }})
	b := NewEndpoint(EndpointConfig{EventPT: 96, Transport: to, Law: PCMA})
	w := NewEndpoint(EndpointConfig{EventPT: 126, DropEvents: true, Transport: web})
	press := func() {
		for i := range uint16(3) {
			a.Receive(eventPacket(101, 2+i, 320, 7, 5, i == 2, 160*(i+1)), a.start.Add(time.Duration(i)*frameTime))
		}
	}
	r := NewRoom(RoomConfig{})
	must(t, r.Join(a, Customer))
	must(t, r.Join(b, Agent))
	a.Receive(audio(1, 7), a.start)
	press()
	a.Receive(audio(5, 7), a.start)
	got := to.packets()
	if len(got) != 5 || string(keys) != "5" {
		t.Fatalf("%d packets relayed, keys %q", len(got), keys)
	}
	first := parsed(t, got[0])
	for i, p := range got {
		h := parsed(t, p)
		if h.seq != first.seq+uint16(i) {
			t.Errorf("packet %d: sequence %d after %d", i, h.seq, first.seq)
		}
		if event := i >= 1 && i <= 3; event && (h.pt != 96 || h.ts != first.ts+160) {
			t.Errorf("packet %d: payload type %d, timestamp +%d", i, h.pt, h.ts-first.ts)
		} else if !event && h.pt != uint8(PCMA) {
			t.Errorf("packet %d: payload type %d", i, h.pt)
		}
	}
	r.Close()

	a.ResetMedia()
	r = NewRoom(RoomConfig{})
	must(t, r.Join(a, Customer))
	must(t, r.Join(w, Agent))
	a.Receive(audio(1, 7), a.start)
	press()
	a.Receive(audio(5, 7), a.start)
	got = web.packets()
	if len(got) != 2 || string(keys) != "55" {
		t.Fatalf("%d packets reached the browser, keys %q", len(got), keys)
	}
	if h, g := parsed(t, got[0]), parsed(t, got[1]); g.seq != h.seq+1 || g.ts != h.ts+640 {
		t.Errorf("the key left a gap: sequence +%d, timestamp +%d", g.seq-h.seq, g.ts-h.ts)
	}
	r.Close()
	for _, e := range []*Endpoint{a, b, w} {
		e.Close()
	}
}

// TestNoAudioCrossesRooms keeps a stale route, as a reader does that was stopped in the middle of a packet, and speaks
// by it after the listener went to another talk.
func TestNoAudioCrossesRooms(t *testing.T) {
	to := newSink()
	a, b, c := NewEndpoint(EndpointConfig{}), NewEndpoint(EndpointConfig{Transport: to}), NewEndpoint(EndpointConfig{})
	r1, r2 := NewRoom(RoomConfig{}), NewRoom(RoomConfig{})
	must(t, r1.Join(a, Customer))
	must(t, r1.Join(b, Agent))
	stale := a.route.Load()
	speak := func() {
		var h header
		p := audio(1, 7)
		h.parse(p)
		stale.audio(p, &h, time.Now())
	}
	speak()
	if n := len(to.packets()); n != 1 {
		t.Fatalf("%d packets by the living route", n)
	}
	r1.Leave(b)
	speak()
	must(t, r2.Join(b, Agent))
	must(t, r2.Join(c, Customer))
	speak()
	if n := len(to.packets()); n != 1 {
		t.Errorf("a stale route carried %d packets into another talk", n-1)
	}
	r1.Close()
	r2.Close()
	for _, e := range []*Endpoint{a, b, c} {
		e.Close()
	}
}

// TestTapEnds speaks by a stale route after RemoveTap.
func TestTapEnds(t *testing.T) {
	a, rec := NewEndpoint(EndpointConfig{}), &tapLog{}
	defer a.Close()
	r := NewRoom(RoomConfig{})
	defer r.Close()
	must(t, r.Join(a, Customer))
	r.AddTap(rec)
	stale := a.route.Load()
	speak := func() {
		var h header
		p := audio(1, 7)
		h.parse(p)
		stale.audio(p, &h, time.Now())
	}
	speak()
	r.RemoveTap(rec)
	speak()
	if rec.frames[TapCustomer] != 1 {
		t.Errorf("%d frames, want 1", rec.frames[TapCustomer])
	}
}

// TestPositions wants frames where they belong: after a pause without packets, a lost packet, a late one, and a burst.
func TestPositions(t *testing.T) {
	type frame struct{ pos, n int64 }
	var got []frame
	begin := time.Now()
	s := &tapState{start: begin, tap: frameFunc(func(_ int, _ uint8, pos int64, p []byte) {
		got = append(got, frame{pos, int64(len(p))})
	})}
	say := func(ms int, ts uint32) {
		s.frame(TapCustomer, "voice", 0, 7, ts, begin.Add(time.Duration(ms)*time.Millisecond), make([]byte, frameSamples))
	}
	say(10, 5000)    // began before the tap was there
	say(30, 5160)    // on
	say(75, 5480)    // 5320 is lost; a little late
	say(76, 5320)    // it was only late
	say(90, 5640)    // on
	say(2090, 5800)  // the sender paused and its clock too
	say(3000, 13000) // paused, its clock went on
	want := []frame{{0, 160}, {160, 160}, {480, 160}, {320, 160}, {640, 160}, {16560, 160}, {23760, 160}}
	if len(got) != len(want) {
		t.Fatalf("%v", got)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("frame %d at %v, want %v", i, got[i], want[i])
		}
	}
}

type frameFunc func(ch int, pt uint8, pos int64, payload []byte)

func (f frameFunc) Frame(ch int, pt uint8, pos int64, payload []byte) { f(ch, pt, pos, payload) }

// TestPromptInTheTalk plays to one party of a talk: it hears the prompt alone, and the talk again when that is over.
func TestPromptInTheTalk(t *testing.T) {
	t.Parallel()
	k := newTalk(t, 0, PCMA, PCMU)
	k.customer.hears(t, 440)
	ctx, cancel := context.WithCancel(context.Background())
	res := make(chan error, 1)
	go func() {
		res <- k.ce.Play(ctx, telephony.Prompt{Clips: []telephony.Clip{{Tone: &telephony.Tone{Hz: []float64{700}}}}})
	}()
	k.customer.hears(t, 700)
	k.agent.hears(t, 1000)
	cancel()
	if err := <-res; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	k.customer.hears(t, 440)
}

func TestRoomErrors(t *testing.T) {
	a, b := NewEndpoint(EndpointConfig{}), NewEndpoint(EndpointConfig{})
	r, r2 := NewRoom(RoomConfig{}), NewRoom(RoomConfig{})
	must(t, r.Join(a, Customer))
	for _, c := range []struct {
		what      string
		got, want error
	}{
		{"second room", r2.Join(a, Customer), ErrInRoom},
		{"same room again", r.Join(a, Agent), ErrInRoom},
		{"mute a stranger", r.SetMute(b, true), ErrNotInRoom},
		{"mode of a customer", r.SetMode(a, Barge), ErrNotInRoom},
	} {
		if !errors.Is(c.got, c.want) {
			t.Errorf("%s: %v, want %v", c.what, c.got, c.want)
		}
	}
	if r.Join(b, 9) == nil {
		t.Error("a role that does not exist was accepted")
	}
	b.Close()
	if err := r.Join(b, Agent); !errors.Is(err, telephony.ErrLegEnded) {
		t.Errorf("a closed party joined: %v", err)
	}
	a.Close()
	if n := len(r.parties); n != 0 {
		t.Errorf("%d parties after Close", n)
	}
	r.Close()
	c := NewEndpoint(EndpointConfig{})
	if err := r.Join(c, Agent); !errors.Is(err, ErrRoomClosed) {
		t.Errorf("joined a closed room: %v", err)
	}
	c.Close()
	r2.Close()
}

// TestHoldMusicIsMissing holds in silence and says why.
func TestHoldMusicIsMissing(t *testing.T) {
	pacer := newTestPacer(t)
	to := newSink()
	e := NewEndpoint(EndpointConfig{Pacer: pacer, Transport: to})
	defer e.Close()
	r := NewRoom(RoomConfig{Pacer: pacer, Library: NewLibrary(LibraryConfig{}), Hold: telephony.Sound("/no/such/music.wav")})
	defer r.Close()
	must(t, r.Join(e, Customer))
	err := r.SetHold(true)
	if err == nil || !bytes.Contains([]byte(err.Error()), []byte("/no/such/music.wav")) {
		t.Errorf("error does not name the file: %v", err)
	}
	if !r.held {
		t.Error("the hold did not take place")
	}
	if a := tone.Amplitude(pcmOf(t, to.wait(t, 20)), 350, 8000); a > 0.001 {
		t.Errorf("heard something: %v", a)
	}
}
