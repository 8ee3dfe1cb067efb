package media

import (
	"context"
	"errors"
	"testing"
	"time"

	"hotline/telephony"
	"hotline/telephony/media/tone"
)

// TestStreamIsContinuous changes the talker twice and wants one SSRC, no gap and a timestamp that follows the time.
func TestStreamIsContinuous(t *testing.T) {
	to := newSink()
	listener := NewEndpoint(EndpointConfig{Transport: to})
	defer listener.Close()
	now := listener.start
	say := func(e *Endpoint, seq uint16, ts, ssrc uint32) {
		now = now.Add(frameTime)
		e.Receive(packet(0, false, seq, ts, ssrc, make([]byte, frameSamples)...), now)
	}
	r := NewRoom(RoomConfig{})
	defer r.Close()
	must(t, r.Join(listener, Customer))
	for i, start := range []uint16{100, 65530, 7} {
		talker := NewEndpoint(EndpointConfig{})
		must(t, r.Join(talker, Agent))
		for n := range uint16(10) {
			say(talker, start+n, uint32(start)*99991+uint32(n)*frameSamples, uint32(i+1))
		}
		talker.Close()
		now = now.Add(100 * time.Millisecond)
	}
	got := to.packets()
	if len(got) != 30 {
		t.Fatalf("%d packets", len(got))
	}
	last := parsed(t, got[0])
	for i, p := range got {
		h := parsed(t, p)
		if h.marker != (i%10 == 0) {
			t.Errorf("packet %d: marker %v", i, h.marker)
		}
		if i == 0 {
			continue
		}
		want := uint32(frameSamples)
		if i%10 == 0 {
			want += 800
		}
		if h.ssrc != last.ssrc || h.seq != last.seq+1 || h.ts-last.ts != want {
			t.Errorf("packet %d: SSRC %x after %x, sequence +%d, timestamp +%d", i, h.ssrc, last.ssrc, h.seq-last.seq, h.ts-last.ts)
		}
		last = h
	}
}

// TestRelayKeepsLossAndOrder shows the listener the gaps and the order that the network made, and hides packets of
// before a change.
func TestRelayKeepsLossAndOrder(t *testing.T) {
	to := newSink()
	a, b := NewEndpoint(EndpointConfig{}), NewEndpoint(EndpointConfig{Transport: to})
	defer a.Close()
	defer b.Close()
	r := NewRoom(RoomConfig{})
	defer r.Close()
	a.Receive(audio(9, 7), a.start)
	must(t, r.Join(a, Customer))
	must(t, r.Join(b, Agent))
	for _, seq := range []uint16{11, 14, 13, 10, 15} { // 12 is lost; 10 is from before
		a.Receive(audio(seq, 7), a.start)
	}
	got := to.packets()
	first := parsed(t, got[0])
	var seqs []uint16
	for _, p := range got {
		seqs = append(seqs, parsed(t, p).seq-first.seq)
	}
	if want := []uint16{0, 3, 2, 4}; len(seqs) != 4 || seqs[1] != want[1] || seqs[2] != want[2] || seqs[3] != want[3] {
		t.Errorf("sequence %v, want %v", seqs, want)
	}
}

// TestRelayStripsHeader takes CSRCs, extension and padding off: they mean nothing on the other side.
func TestRelayStripsHeader(t *testing.T) {
	to := newSink()
	a, b := NewEndpoint(EndpointConfig{}), NewEndpoint(EndpointConfig{Transport: to})
	defer a.Close()
	defer b.Close()
	r := NewRoom(RoomConfig{})
	defer r.Close()
	must(t, r.Join(a, Customer))
	must(t, r.Join(b, Agent))
	a.Receive([]byte{0xb1, 0x00, 0, 1, 0, 0, 0, 1, 0, 0, 0, 7, 9, 9, 9, 9, 0xbe, 0xde, 0, 1, 8, 8, 8, 8, 1, 2, 3, 0, 2}, a.start)
	got := to.packets()
	if len(got) != 1 || len(got[0]) != headerSize+3 || got[0][0] != 0x80 || string(got[0][headerSize:]) != "\x01\x02\x03" {
		t.Errorf("relayed %x", got)
	}
}

func TestPlay(t *testing.T) {
	pacer, lib := newTestPacer(t), NewLibrary(LibraryConfig{})
	file := func(name string, hz float64, rate int) string {
		return wavFile(t, name, wavPCM, 1, rate, sine(hz, rate, 1, 110*time.Millisecond)) // not a whole number of frames
	}
	for _, law := range []Law{PCMU, PCMA} {
		to := newSink()
		e := NewEndpoint(EndpointConfig{Pacer: pacer, Library: lib, Transport: to, Law: law})
		p := telephony.Prompt{Clips: []telephony.Clip{
			{File: file("a.wav", 1000, 8000)},
			{Silence: 50 * time.Millisecond},
			{File: file("b.wav", 1000, 48000)},
			{Tone: &telephony.Tone{Hz: []float64{1000}, Gain: 0.5, For: 130 * time.Millisecond}},
		}}
		begin := time.Now()
		must(t, e.Play(withTimeout(t), p))
		if d := time.Since(begin); d < 380*time.Millisecond {
			t.Errorf("returned after %v, before the last of 400 ms was out", d)
		}
		got := to.packets()
		if len(got) != 20 {
			t.Fatalf("%v: %d packets, want 20", law, len(got))
		}
		pcm := pcmOf(t, got)
		for _, part := range []struct {
			from, to int
			want     float64
		}{{40, 840, 0.5}, {900, 1260, 0}, {1320, 3160, 0.5}} { // no gap between the clips
			if a := tone.Amplitude(pcm[part.from:part.to], 1000, 8000); a < part.want-0.03 || a > part.want+0.03 {
				t.Errorf("%v: amplitude %.3f in %d-%d, want %v", law, a, part.from, part.to, part.want)
			}
		}
		last := parsed(t, got[0])
		for i, b := range got[1:] {
			h := parsed(t, b)
			if h.seq != last.seq+1 || h.ts != last.ts+frameSamples || h.marker || Law(h.pt) != law {
				t.Errorf("%v: packet %d: sequence +%d, timestamp +%d, marker %v", law, i+1, h.seq-last.seq, h.ts-last.ts, h.marker)
			}
			last = h
		}
		e.Close()
	}
}

func TestPlayOffsetAndLoop(t *testing.T) {
	lib := NewLibrary(LibraryConfig{})
	prompt := telephony.Prompt{Loop: true, Offset: 1150 * time.Millisecond, Clips: []telephony.Clip{
		{Silence: 100 * time.Millisecond}, {Tone: &telephony.Tone{Hz: []float64{500}, For: 100 * time.Millisecond}},
	}}
	tr, err := newTrack(context.Background(), lib, prompt)
	must(t, err)
	frame := make([]byte, frameSamples)
	var got []bool
	for range 15 {
		tr.fill(frame, PCMU)
		pcm := make([]int16, frameSamples)
		PCMU.Decode(pcm, frame)
		got = append(got, tone.Amplitude(pcm, 500, 8000) > 0.05)
	}
	// 1150 ms are five passes and 150 ms: in the middle of the tone; then 100 ms each.
	want := []bool{true, true, true, false, false, false, false, false, true, true, true, true, true, false, false}
	for i := range want {
		if got[i] != want[i] && i != 2 && i != 7 { // frames with a border in them
			t.Fatalf("frames %v, want %v", got, want)
		}
	}
	if d, err := lib.Duration(context.Background(), prompt); err != nil || d != 200*time.Millisecond {
		t.Errorf("duration %v, %v", d, err)
	}
}

func TestPlayEndings(t *testing.T) {
	pacer := newTestPacer(t)
	music := telephony.Prompt{Clips: []telephony.Clip{{Tone: &telephony.Tone{Hz: []float64{440}}}}}
	start := func(ctx context.Context) (*Endpoint, *sink, chan error) {
		to := newSink()
		e := NewEndpoint(EndpointConfig{Pacer: pacer, Transport: to})
		t.Cleanup(e.Close)
		res := make(chan error, 1)
		go func() { res <- e.Play(ctx, music) }()
		to.wait(t, 2)
		return e, to, res
	}
	boom := errors.New("boom")

	ctx, cancel := context.WithCancelCause(context.Background())
	_, to, res := start(ctx)
	cancel(boom)
	if err := <-res; !errors.Is(err, boom) {
		t.Errorf("cancelled: %v", err)
	}
	n := len(to.packets())

	e, _, res2 := start(context.Background())
	must(t, e.Play(withTimeout(t), telephony.Prompt{Clips: []telephony.Clip{{Silence: 200 * time.Millisecond}}}))
	if err := <-res2; !errors.Is(err, ErrReplaced) {
		t.Errorf("replaced: %v", err)
	}
	if len(to.packets()) != n { // 200 ms later
		t.Error("a cancelled prompt went on")
	}

	e, _, res = start(context.Background())
	r := NewRoom(RoomConfig{Pacer: pacer})
	must(t, r.Join(e, Customer))
	if err := <-res; !errors.Is(err, ErrReplaced) {
		t.Errorf("joined a room: %v", err)
	}
	r.Close()

	e, _, res = start(context.Background())
	e.Close()
	if err := <-res; !errors.Is(err, telephony.ErrLegEnded) {
		t.Errorf("closed: %v", err)
	}
	if err := e.Play(context.Background(), music); !errors.Is(err, telephony.ErrLegEnded) {
		t.Errorf("after Close: %v", err)
	}

	_, _, res = start(context.Background())
	pacer.Close()
	if err := <-res; !errors.Is(err, ErrNoPacer) {
		t.Errorf("clock stopped: %v", err)
	}
}

// TestHeldFarSideHearsNothing plays while the far side holds us: time passes, nothing is sent.
func TestHeldFarSideHearsNothing(t *testing.T) {
	pacer, to := newTestPacer(t), newSink()
	e := NewEndpoint(EndpointConfig{Pacer: pacer, Transport: to, Silent: true})
	defer e.Close()
	p := telephony.Prompt{Clips: []telephony.Clip{{Silence: 100 * time.Millisecond}}}
	must(t, e.Play(withTimeout(t), p))
	if n := len(to.packets()); n != 0 {
		t.Errorf("%d packets before Configure", n)
	}
	e.Configure(Format{Law: PCMA, Send: true, Recv: true})
	must(t, e.Play(withTimeout(t), p))
	if got := to.packets(); len(got) != 5 || parsed(t, got[0]).pt != uint8(PCMA) || !parsed(t, got[0]).marker {
		t.Errorf("%d packets", len(got))
	}
	if s := e.Stats(); s.Unsent != 5 || s.SentPackets != 5 {
		t.Errorf("%+v", s)
	}
}

// TestSendDigits sends keys into another endpoint, with a prompt running, and wants them found there.
func TestSendDigits(t *testing.T) {
	pacer, to := newTestPacer(t), newSink()
	e := NewEndpoint(EndpointConfig{Pacer: pacer, Transport: to, EventPT: 101})
	defer e.Close()
	ctx, cancel := context.WithCancel(context.Background())
	music := make(chan error, 1)
	go func() {
		music <- e.Play(ctx, telephony.Prompt{Clips: []telephony.Clip{{Tone: &telephony.Tone{Hz: []float64{440}}}}})
	}()
	to.wait(t, 3)
	must(t, e.SendDigits(withTimeout(t), "1#A"))
	to.wait(t, len(to.packets())+3)
	cancel()
	<-music

	var keys []byte
	far := NewEndpoint(EndpointConfig{EventPT: 101, OnDigit: func(d telephony.Digit) { keys = append(keys, d.Key) }})
	defer far.Close()
	starts, ends := 0, 0
	var last header
	for i, p := range to.packets() {
		h := parsed(t, p)
		if h.pt == 101 {
			if h.marker {
				starts++
			}
			if p[headerSize+1]&0x80 != 0 {
				ends++
				if d := int(p[headerSize+2])<<8 | int(p[headerSize+3]); d != 800 {
					t.Errorf("duration %d at the end, want 800", d)
				}
			}
		}
		if i > 0 && (h.seq != last.seq+1 || int32(h.ts-last.ts) < 0) {
			t.Errorf("packet %d: sequence +%d, timestamp %+d", i, h.seq-last.seq, int32(h.ts-last.ts))
		}
		last = h
		far.Receive(p, far.start)
	}
	if string(keys) != "1#A" || starts != 3 || ends != 9 {
		t.Errorf("keys %q, %d starts, %d ends", keys, starts, ends)
	}
	if last.pt != 0 {
		t.Error("the music did not go on after the keys")
	}

	e.Configure(Format{Send: true, Recv: true})
	if err := e.SendDigits(ctx, "1"); !errors.Is(err, ErrNoEvents) && !errors.Is(err, context.Canceled) {
		t.Errorf("no events agreed: %v", err)
	}
	if err := e.SendDigits(context.Background(), "1"); !errors.Is(err, ErrNoEvents) {
		t.Errorf("no events agreed: %v", err)
	}
	if err := e.SendDigits(context.Background(), "1x"); err == nil {
		t.Error("x is no key")
	}
}

// TestTransportSwap keeps the stream when a browser comes back.
func TestTransportSwap(t *testing.T) {
	pacer, first, second := newTestPacer(t), newSink(), newSink()
	e := NewEndpoint(EndpointConfig{Pacer: pacer, Transport: first})
	defer e.Close()
	e.Receive(audio(1, 7), time.Now())
	must(t, e.WaitMedia(withTimeout(t)))
	ctx, cancel := context.WithCancel(context.Background())
	res := make(chan error, 1)
	go func() {
		res <- e.Play(ctx, telephony.Prompt{Clips: []telephony.Clip{{Tone: &telephony.Tone{Hz: []float64{440}}}}})
	}()
	first.wait(t, 3)
	e.SetTransport(second)
	e.ResetMedia()
	old := first.packets()
	got := second.wait(t, 3)
	if n := len(first.packets()); n != len(old) {
		t.Errorf("%d packets to the old transport", n-len(old))
	}
	a, b := parsed(t, old[len(old)-1]), parsed(t, got[0])
	if b.ssrc != a.ssrc || b.seq != a.seq+1 || !b.marker {
		t.Errorf("SSRC %x after %x, sequence +%d, marker %v", b.ssrc, a.ssrc, b.seq-a.seq, b.marker)
	}
	short, stop := context.WithCancel(context.Background())
	stop()
	if err := e.WaitMedia(short); !errors.Is(err, context.Canceled) {
		t.Errorf("media after ResetMedia: %v", err)
	}
	e.Receive(audio(1, 99), time.Now()) // the new browser's stream is followed at once
	must(t, e.WaitMedia(withTimeout(t)))
	if s := e.Stats(); s.ForeignSSRC != 0 {
		t.Errorf("%+v", s)
	}
	cancel()
	<-res
}
