package webrtc

import (
	"bytes"
	"testing"

	"github.com/pion/rtp"
	pion "github.com/pion/webrtc/v4"

	"hotline/telephony/media"
)

type written struct {
	headers  []rtp.Header
	payloads [][]byte
}

func (w *written) WriteRTP(h *rtp.Header, p []byte) (int, error) {
	w.headers = append(w.headers, *h)
	w.payloads = append(w.payloads, bytes.Clone(p))
	return len(p), nil
}

func (w *written) Write([]byte) (int, error) { panic("not used") }

func TestOnlyAgreedPayloadsGoOut(t *testing.T) {
	w, dropped := &written{}, 0
	tr := &track{dropped: func() { dropped++ }}
	tr.allowed[lawIndex(media.PCMA)] = true
	p := []byte{0x80, 8, 0, 5, 0, 0, 0, 160, 1, 2, 3, 4, 0xd5, 0xd5}
	if err := tr.WriteRTP(p); err != nil || len(w.headers) != 0 {
		t.Fatalf("before the connection is up: %v", err)
	}
	tr.out.Store(&trackWriter{header: rtp.Header{Version: 2, SSRC: 42}, w: w})
	for _, pt := range []byte{8, 0x88, 0, 101, 126, 13} {
		p[1] = pt
		if err := tr.WriteRTP(p); err != nil {
			t.Fatal(err)
		}
	}
	if len(w.headers) != 2 || dropped != 4 {
		t.Fatalf("%d sent, %d dropped, want PCMA twice and the rest dropped", len(w.headers), dropped)
	}
	h := w.headers[1]
	if h.SSRC != 42 || h.SequenceNumber != 5 || h.Timestamp != 160 || !h.Marker || h.PayloadType != 8 ||
		!bytes.Equal(w.payloads[1], []byte{0xd5, 0xd5}) {
		t.Errorf("sent %+v %x", h, w.payloads[1])
	}
	if err := tr.WriteRTP(p[:11]); err == nil {
		t.Error("a short packet went out")
	}
	if err := tr.Unbind(nil); err != nil || tr.WriteRTP(p) != nil {
		t.Error("after the end packets must be lost in silence")
	}
}

func TestPayloadOf(t *testing.T) {
	head := []byte{0x80, 8, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0}
	with := func(first byte, rest ...byte) []byte { return append(append([]byte{first}, head[1:]...), rest...) }
	for name, tc := range map[string]struct {
		in   []byte
		want string
		ok   bool
	}{
		"plain":              {with(0x80, 'a', 'b'), "ab", true},
		"empty":              {with(0x80), "", true},
		"csrc":               {with(0x81, 1, 2, 3, 4, 'a'), "a", true},
		"extension":          {with(0x90, 0xbe, 0xde, 0, 1, 1, 2, 3, 4, 'a'), "a", true},
		"padding":            {with(0xa0, 'a', 0, 2), "a", true},
		"too much padding":   {with(0xa0, 'a', 9), "", false},
		"version 1":          {with(0x40, 'a'), "", false},
		"csrc cut":           {with(0x82, 1, 2, 3, 4), "", false},
		"extension cut":      {with(0x90, 0xbe, 0xde, 0), "", false},
		"extension too long": {with(0x90, 0xbe, 0xde, 0, 9, 1, 2, 3, 4), "", false},
		"short":              {head[:11], "", false},
	} {
		if got, ok := payloadOf(tc.in); ok != tc.ok || string(got) != tc.want {
			t.Errorf("%s: %q %v", name, got, ok)
		}
	}
}

func FuzzPayloadOf(f *testing.F) {
	f.Add([]byte{0x90, 8, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0xbe, 0xde, 0, 1, 1, 2, 3, 4, 'a'})
	f.Fuzz(func(t *testing.T, b []byte) {
		got, ok := payloadOf(b)
		var p rtp.Packet
		if err := p.Unmarshal(b); ok && err == nil && !bytes.Equal(got, p.Payload) {
			t.Fatalf("%x: we read %x, pion %x", b, got, p.Payload)
		}
	})
}

const chromiumOffer = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\n" +
	"m=audio 9 UDP/TLS/RTP/SAVPF 111 63 9 0 8 13 110 126\r\nc=IN IP4 0.0.0.0\r\na=mid:0\r\na=sendrecv\r\n" +
	"a=rtpmap:111 opus/48000/2\r\na=rtpmap:9 G722/8000\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\n" +
	"a=rtpmap:13 CN/8000\r\na=rtpmap:110 telephone-event/48000\r\na=rtpmap:126 telephone-event/8000\r\n"

func TestPlanOffer(t *testing.T) {
	p, err := planOffer(chromiumOffer, media.PCMA, nil)
	if err != nil || p.law != media.PCMA || len(p.laws) != 2 || p.eventPT != 126 || !p.send || !p.recv {
		t.Errorf("%+v, %v", p, err)
	}
	if got := p.preferences(); len(got) != 3 || got[0].MimeType != pion.MimeTypePCMA || got[2].PayloadType != 126 {
		t.Errorf("preferences %+v", got)
	}
}

func FuzzPlanOffer(f *testing.F) {
	f.Add(chromiumOffer, "PCMA")
	f.Add("v=0\r\no=- 1 2 IN IP4 1.1.1.1\r\ns=-\r\nt=0 0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 8 101\r\na=rtpmap:101 telephone-event/8000\r\na=inactive\r\n", "")
	f.Fuzz(func(t *testing.T, sdp, codec string) {
		p, err := planOffer(sdp, media.PCMU, []string{codec})
		if err == nil && (len(p.laws) == 0 || p.law != p.laws[0] || p.eventPT > 127) {
			t.Fatalf("plan %+v", p)
		}
	})
}

// TestStalePacketsAreDropped: whatever a replaced connection still reads must not reach the endpoint.
func TestStalePacketsAreDropped(t *testing.T) {
	s, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	p := newPhone(s, "agent1")
	defer p.ep.Close()
	p.ep.Configure(media.Format{Law: media.PCMA, Send: true, Recv: true})
	old, cur := &conn{phone: p, epoch: 1}, &conn{phone: p, epoch: 2}
	p.cur, p.epoch = cur, 2
	for i, tc := range []struct {
		c    *conn
		want uint64
	}{{old, 0}, {cur, 1}, {old, 1}} {
		p.receive(tc.c, []byte{0x80, 8, 0, byte(i), 0, 0, 0, byte(i) * 160, 1, 2, 3, 4, 0xd5})
		if n := p.ep.Stats().ReceivedPackets; n != tc.want {
			t.Errorf("after packet %d: %d received, want %d", i, n, tc.want)
		}
	}
}
