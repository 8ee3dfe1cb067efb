package media

import (
	"testing"
	"time"

	"hotline/telephony"
)

// feedIn pushes packets 20 ms apart.
func feedIn(e *Endpoint, packets ...[]byte) {
	at := e.start
	for _, p := range packets {
		at = at.Add(frameTime)
		e.Receive(p, at)
	}
}

func audio(seq uint16, ssrc uint32) []byte {
	return packet(uint8(PCMU), false, seq, uint32(seq)*frameSamples, ssrc, make([]byte, frameSamples)...)
}

func TestReceiveCounts(t *testing.T) {
	for _, c := range []struct {
		name string
		in   [][]byte
		want Stats
	}{
		{"in order", [][]byte{audio(1, 7), audio(2, 7), audio(3, 7)}, Stats{ReceivedPackets: 3}},
		{"a gap of two", [][]byte{audio(1, 7), audio(4, 7)}, Stats{ReceivedPackets: 2, Lost: 2}},
		{"over the wrap", [][]byte{audio(65534, 7), audio(65535, 7), audio(0, 7), audio(1, 7)}, Stats{ReceivedPackets: 4}},
		{"swapped", [][]byte{audio(1, 7), audio(3, 7), audio(2, 7), audio(4, 7)},
			Stats{ReceivedPackets: 4, Reordered: 1}},
		{"twice", [][]byte{audio(1, 7), audio(2, 7), audio(2, 7), audio(1, 7)}, Stats{ReceivedPackets: 2, Duplicates: 2}},
		{"far too late", [][]byte{audio(1000, 7), audio(1100, 7), audio(1001, 7)},
			Stats{ReceivedPackets: 2, Lost: 99, Late: 1}},
		{"sender started anew", [][]byte{audio(1, 7), audio(30000, 7), audio(30001, 7)}, Stats{ReceivedPackets: 3}},
		{"unknown payload", [][]byte{audio(1, 7), packet(18, false, 2, 320, 7, 1, 2, 3)},
			Stats{ReceivedPackets: 1, Unknown: 1}},
		{"events nobody agreed on", [][]byte{eventPacket(96, 1, 160, 7, 5, false, 160)}, Stats{Unknown: 1}},
		{"junk", [][]byte{{}, {0x80}, []byte("GET / HTTP/1.1\r\n"), make([]byte, 100)}, Stats{Invalid: 4}},
		{"RTCP", [][]byte{{0x80, 200, 0, 6}, {0x81, 201}}, Stats{RTCP: 2}},
		{"comfort noise", [][]byte{packet(13, false, 1, 160, 7, 40)}, Stats{ReceivedPackets: 1}},
		{"a stranger between", [][]byte{audio(1, 7), audio(100, 8), audio(2, 7), audio(101, 8), audio(3, 7), audio(102, 8)},
			Stats{ReceivedPackets: 3, ForeignSSRC: 3}},
		{"the far side changes its stream", [][]byte{audio(1, 7), audio(100, 8), audio(101, 8), audio(102, 8), audio(103, 8)},
			Stats{ReceivedPackets: 3, ForeignSSRC: 2}},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := NewEndpoint(EndpointConfig{EventPT: 101})
			defer e.Close()
			feedIn(e, c.in...)
			got := e.Stats()
			got.ReceivedBytes, got.Jitter = 0, 0
			if got != c.want {
				t.Errorf("got %+v\nwant %+v", got, c.want)
			}
		})
	}
}

// TestJitter sends one packet 10 ms late and expects the RFC's estimate.
func TestJitter(t *testing.T) {
	e := NewEndpoint(EndpointConfig{})
	defer e.Close()
	at := e.start
	for i := range uint16(10) {
		at = at.Add(frameTime)
		e.Receive(audio(i, 7), at)
	}
	if j := e.Stats().Jitter; j != 0 {
		t.Errorf("jitter of even packets: %v", j)
	}
	e.Receive(audio(10, 7), at.Add(30*time.Millisecond))
	if j := e.Stats().Jitter; j != 625*time.Microsecond { // 10 ms / 16
		t.Errorf("jitter %v", j)
	}
}

func TestReceiveRefusesWhenNotListening(t *testing.T) {
	e := NewEndpoint(EndpointConfig{EventPT: 101, Silent: true, OnDigit: func(telephony.Digit) { t.Error("a key came through") }})
	defer e.Close()
	feedIn(e, audio(1, 7), eventPacket(101, 2, 320, 7, 5, false, 160))
	if s := e.Stats(); s.Refused != 2 || s.ReceivedPackets != 0 {
		t.Errorf("%+v", s)
	}
	if !e.LastReceived().IsZero() {
		t.Error("refused packets count as media")
	}
	feedIn(e, packet(13, false, 1, 160, 7, 40))
	if !e.LastReceived().IsZero() {
		t.Error("refused comfort noise counts as media")
	}
	e.Configure(Format{Send: true, Recv: true})
	feedIn(e, packet(13, false, 2, 320, 7, 40))
	if e.LastReceived().IsZero() || e.heard.Load() {
		t.Error("comfort noise is a sign of life, and no audio")
	}
	feedIn(e, audio(3, 7))
	if s := e.Stats(); s.ReceivedPackets != 2 || !e.heard.Load() || e.LastReceived().IsZero() {
		t.Errorf("%+v", s)
	}
}

func TestKeys(t *testing.T) {
	ev := func(seq uint16, ts uint32, key uint8, end bool, dur uint16) []byte {
		return eventPacket(101, seq, ts, 7, key, end, dur)
	}
	for _, c := range []struct {
		name string
		in   [][]byte
		want string
	}{
		{"one key, three ends", [][]byte{ev(2, 800, 5, false, 160), ev(3, 800, 5, false, 320), ev(4, 800, 5, true, 480),
			ev(5, 800, 5, true, 480), ev(6, 800, 5, true, 480)}, "5"},
		{"only the last end came", [][]byte{ev(6, 800, 11, true, 480)}, "#"},
		{"end lost, same key again", [][]byte{ev(2, 800, 1, false, 160), ev(3, 800, 1, false, 320), ev(9, 2400, 1, false, 160),
			ev(10, 2400, 1, true, 320)}, "11"},
		{"end lost, another key", [][]byte{ev(2, 800, 1, false, 160), ev(9, 2400, 2, false, 160)}, "12"},
		{"all keys", [][]byte{ev(2, 1000, 0, true, 160), ev(3, 2000, 9, true, 160), ev(4, 3000, 10, true, 160),
			ev(5, 4000, 11, true, 160), ev(6, 5000, 12, true, 160), ev(7, 6000, 15, true, 160)}, "09*#AD"},
		{"a key of ten seconds, in two segments", [][]byte{ev(2, 1000, 3, false, 0xffff), ev(3, 1000+0xffff, 3, false, 160),
			ev(4, 1000+0xffff, 3, true, 320)}, "3"},
		{"timestamp moves with each packet", [][]byte{ev(2, 1000, 4, false, 160), ev(3, 1160, 4, false, 320),
			ev(4, 1320, 4, true, 480)}, "4"},
		{"overlap: another key inside the first", [][]byte{ev(2, 1000, 6, false, 160), ev(3, 1000, 6, true, 1600),
			ev(4, 1800, 7, true, 160)}, "6"},
		{"replay of an old key", [][]byte{ev(2, 1000, 6, true, 160), ev(3, 3000, 7, true, 160), ev(4, 1000, 6, true, 160)}, "67"},
		{"flash and other signals", [][]byte{ev(2, 1000, 16, true, 160), ev(3, 1000, 200, true, 160)}, ""},
		{"cut off", [][]byte{packet(101, false, 2, 1000, 7, 5, 0), packet(101, false, 3, 1000, 7)}, ""},
		{"wrong stream", [][]byte{eventPacket(101, 2, 1000, 8, 5, false, 160), eventPacket(101, 3, 1000, 8, 5, true, 320),
			eventPacket(101, 4, 1000, 8, 5, true, 320), eventPacket(101, 5, 2000, 8, 6, true, 320)}, ""},
		{"timestamp wraps", [][]byte{ev(2, 0xffffff00, 1, true, 160), ev(3, 0x00000400, 2, true, 160)}, "12"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []byte
			e := NewEndpoint(EndpointConfig{EventPT: 101, OnDigit: func(d telephony.Digit) {
				got = append(got, d.Key)
				if d.Source != "rfc4733" || d.At.IsZero() {
					t.Errorf("digit without source or time")
				}
			}})
			defer e.Close()
			feedIn(e, audio(1, 7))
			feedIn(e, c.in...)
			if string(got) != c.want {
				t.Errorf("keys %q, want %q", got, c.want)
			}
		})
	}
}

// TestKeyAtOnce wants a key when its first packet comes, not when it ends.
func TestKeyAtOnce(t *testing.T) {
	var at time.Time
	e := NewEndpoint(EndpointConfig{EventPT: 101, OnDigit: func(d telephony.Digit) { at = d.At }})
	defer e.Close()
	now := e.start.Add(time.Second)
	e.Receive(eventPacket(101, 1, 160, 7, 5, false, 160), now)
	if !at.Equal(now) {
		t.Errorf("reported at %v, want %v", at, now)
	}
}

// FuzzReceive throws any bytes at an endpoint that relays, is mixed and is recorded.
func FuzzReceive(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{0x80})
	f.Add(audio(1, 7))
	f.Add(eventPacket(101, 2, 160, 7, 5, true, 160))
	f.Add(packet(13, true, 1, 160, 7, 40))
	f.Add([]byte{0xbf, 0x08, 0, 1, 0, 0, 0, 1, 0, 0, 0, 7, 1, 2, 3, 4})                         // CSRCs, extension, padding, cut
	f.Add([]byte{0x90, 0x00, 0, 1, 0, 0, 0, 1, 0, 0, 0, 7, 0xbe, 0xde, 0xff, 0xff})             // extension over the end
	f.Add([]byte{0xa0, 0x00, 0, 1, 0, 0, 0, 1, 0, 0, 0, 7, 1, 2, 3, 200})                       // padding over the beginning
	f.Add([]byte{0x90, 0x08, 0, 1, 0, 0, 0, 1, 0, 0, 0, 7, 0xbe, 0xde, 0, 1, 1, 2, 3, 4, 5, 6}) // good extension
	f.Add([]byte{0x80, 200, 0, 6, 0, 0, 0, 1})
	f.Add(append(audio(3, 9), make([]byte, 1400)...))
	f.Fuzz(func(t *testing.T, b []byte) {
		r := NewRoom(RoomConfig{})
		a := NewEndpoint(EndpointConfig{EventPT: 101, OnDigit: func(telephony.Digit) {}})
		c := NewEndpoint(EndpointConfig{Law: PCMA, EventPT: 96, Transport: newSink()})
		s := NewEndpoint(EndpointConfig{Transport: newSink()})
		defer a.Close()
		defer c.Close()
		defer s.Close()
		must(t, r.Join(a, Agent))
		must(t, r.Join(c, Customer))
		must(t, r.Join(s, Supervisor))
		r.AddTap(&tapLog{})
		at := a.start
		for _, p := range [][]byte{audio(1, 7), b, audio(2, 7), b} {
			at = at.Add(frameTime)
			cp := append([]byte(nil), p...)
			a.Receive(cp, at)
			if plan := r.plan.Load(); plan != nil {
				plan.run(1, at)
			}
		}
		for _, out := range c.out.transport.(*sink).packets() {
			h := parsed(t, out)
			if h.pt != uint8(PCMA) && h.pt != 96 {
				t.Fatalf("payload type %d went out", h.pt)
			}
		}
		r.Close()
	})
}
