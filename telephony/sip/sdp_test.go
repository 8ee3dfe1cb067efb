package sip

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"hotline/telephony/media"
)

func TestParseSDP(t *testing.T) {
	const plain = "v=0\r\no=- 1 1 IN IP4 1.2.3.4\r\ns=-\r\nc=IN IP4 1.2.3.4\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0 8 101\r\na=rtpmap:101 telephone-event/8000\r\n"
	for name, x := range map[string]struct{ text, want string }{
		"plain":             {plain, "1.2.3.4:4000 [0 8] 101 sendrecv"},
		"LF alone":          {strings.ReplaceAll(plain, "\r\n", "\n"), "1.2.3.4:4000 [0 8] 101 sendrecv"},
		"no s, t, o":        {"v=0\r\nc=IN IP4 1.2.3.4\r\nm=audio 4000 RTP/AVP 8\r\n", "1.2.3.4:4000 [8] 0 sendrecv"},
		"no final line end": {"v=0\r\nc=IN IP4 1.2.3.4\r\nm=audio 4000 RTP/AVP 8", "1.2.3.4:4000 [8] 0 sendrecv"},
		"odd o":             {"v=0\r\no=root abc -- IN\r\nc=IN IP4 1.2.3.4\r\nm=audio 4000 RTP/AVP 8\r\n", "1.2.3.4:4000 [8] 0 sendrecv"},
		"trailing spaces":   {"v=0 \r\nc=IN IP4 1.2.3.4  \r\nm=audio 4000 RTP/AVP 8 \r\na=sendonly \r\n", "1.2.3.4:4000 [8] 0 sendonly"},
		"c after a":         {"v=0\r\nm=audio 4000 RTP/AVP 8\r\na=recvonly\r\nb=AS:64\r\nc=IN IP4 1.2.3.4\r\n", "1.2.3.4:4000 [8] 0 recvonly"},
		"session direction": {"v=0\r\nc=IN IP4 1.2.3.4\r\na=inactive\r\nm=audio 4000 RTP/AVP 8\r\n", "1.2.3.4:4000 [8] 0 inactive"},
		"media wins":        {"v=0\r\nc=IN IP4 9.9.9.9\r\na=inactive\r\nm=audio 4000 RTP/AVP 8\r\nc=IN IP4 1.2.3.4\r\na=sendrecv\r\n", "1.2.3.4:4000 [8] 0 sendrecv"},
		"video first":       {"v=0\r\nc=IN IP4 1.2.3.4\r\nm=video 5000 RTP/AVP 31\r\nc=IN IP4 6.6.6.6\r\na=sendonly\r\nm=audio 4000 RTP/AVP 8\r\n", "1.2.3.4:4000 [8] 0 sendrecv"},
		"two audio":         {"v=0\r\nc=IN IP4 1.2.3.4\r\nm=audio 0 RTP/AVP 0\r\nm=audio 4000 RTP/AVP 8\r\nm=audio 5000 RTP/AVP 0\r\n", "1.2.3.4:4000 [8] 0 sendrecv"},
		"port 0":            {"v=0\r\nc=IN IP4 1.2.3.4\r\nm=audio 0 RTP/AVP 8\r\n", "1.2.3.4:0 [8] 0 sendrecv"},
		"port count":        {"v=0\r\nc=IN IP4 1.2.3.4/127\r\nm=audio 4000/2 RTP/AVP 8\r\n", "1.2.3.4:4000 [8] 0 sendrecv"},
		"other codecs":      {"v=0\r\nc=IN IP4 1.2.3.4\r\nm=audio 4000 RTP/AVP 18 9 111\r\na=rtpmap:111 opus/48000/2\r\n", "1.2.3.4:4000 [] 0 sendrecv"},
		"0 is not PCMU":     {"v=0\r\nc=IN IP4 1.2.3.4\r\nm=audio 4000 RTP/AVP 0 8\r\na=rtpmap:0 G729/8000\r\n", "1.2.3.4:4000 [8] 0 sendrecv"},
		"event at 48 kHz":   {"v=0\r\nc=IN IP4 1.2.3.4\r\nm=audio 4000 RTP/AVP 8 96 97\r\na=rtpmap:96 telephone-event/48000\r\na=rtpmap:97 TELEPHONE-EVENT/8000\r\n", "1.2.3.4:4000 [8] 97 sendrecv"},
		"SRTP only":         {"v=0\r\nc=IN IP4 1.2.3.4\r\nm=audio 4000 RTP/SAVP 8\r\n", "error"},
		"no audio":          {"v=0\r\nc=IN IP4 1.2.3.4\r\nm=image 4000 udptl t38\r\n", "error"},
		"no address":        {"v=0\r\nm=audio 4000 RTP/AVP 8\r\n", "error"},
		"a name":            {"v=0\r\nc=IN IP4 evil.example\r\nm=audio 4000 RTP/AVP 8\r\n", "error"},
		"empty":             {"", "error"},
		"port too large":    {"v=0\r\nc=IN IP4 1.2.3.4\r\nm=audio 70000 RTP/AVP 8\r\n", "error"},
		"IPv6":              {"v=0\r\nc=IN IP6 2001:db8::1\r\nm=audio 4000 RTP/AVP 8\r\n", "[2001:db8::1]:4000 [8] 0 sendrecv"},
		"mapped":            {"v=0\r\nc=IN IP6 ::ffff:1.2.3.4\r\nm=audio 4000 RTP/AVP 8\r\n", "1.2.3.4:4000 [8] 0 sendrecv"},
	} {
		s, err := parseSDP([]byte(x.text))
		got := "error"
		if err == nil {
			laws := []int{}
			for _, l := range s.laws {
				laws = append(laws, int(l))
			}
			got = fmt.Sprintf("%v %v %d %v", s.remote, laws, s.eventPT, s.dir)
		}
		if got != x.want {
			t.Errorf("%s: %s, want %s (%v)", name, got, x.want, err)
		}
	}
}

func TestHostile(t *testing.T) {
	public, loop := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("127.0.0.1")
	for addr, wrong := range map[string]bool{"198.51.100.1": false, "0.0.0.0": true, "224.0.0.1": true, "255.255.255.255": true,
		"127.0.0.1": true, "::": true, "ff02::1": true, "2001:db8::1": true, "10.0.0.1": false} {
		if why := hostile(netip.MustParseAddr(addr), public); (why != "") != wrong {
			t.Errorf("%s: %q", addr, why)
		}
	}
	if why := hostile(loop, loop); why != "" {
		t.Errorf("loopback to loopback: %q", why)
	}
}

// TestAnswerShape: an answer has the offer's m= lines, ours in its place and the rest refused (RFC 3264 6).
func TestAnswerShape(t *testing.T) {
	off, err := parseSDP([]byte("v=0\r\nc=IN IP4 1.2.3.4\r\nm=video 5000 RTP/AVP 31 34\r\nm=audio 4000 RTP/AVPF 8 97\r\na=rtpmap:97 telephone-event/8000\r\nm=image 6000 udptl t38\r\n"))
	if err != nil {
		t.Fatal(err)
	}
	d := description{id: 1, version: 2, ip: netip.MustParseAddr("192.0.2.1"), port: 20000, laws: []media.Law{media.PCMA},
		eventPT: off.eventPT, dir: sendRecv, answering: off}
	want := "v=0\r\no=hotline 1 2 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=video 0 RTP/AVP 31 34\r\n" +
		"m=audio 20000 RTP/AVPF 8 97\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:97 telephone-event/8000\r\na=fmtp:97 0-15\r\na=ptime:20\r\n" +
		"a=sendrecv\r\nm=image 0 udptl t38\r\n"
	if got := string(d.bytes()); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// TestMultipart takes the description out of a multipart body and leaves the rest.
func TestMultipart(t *testing.T) {
	body := "--b\r\nContent-Type: application/isup\r\n\r\n\x01\x02\r\n--b\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n--b--\r\n"
	m := &message{fields: []field{{"Content-Type", `multipart/mixed;boundary="b"`}}, body: []byte(body)}
	if got := string(m.sdp()); got != "v=0" {
		t.Errorf("%q", got)
	}
	for _, typ := range []string{"multipart/mixed", `multipart/mixed;boundary="c"`, "multipart/mixed;boundary="} {
		m.fields[0].value = typ
		if got := m.sdp(); got != nil {
			t.Errorf("%s: %q", typ, got)
		}
	}
}

// FuzzSDP reads anything; what it accepts it can answer, and reads its own answer back.
func FuzzSDP(f *testing.F) {
	f.Add([]byte(offer("127.0.0.1", 4000)))
	f.Add([]byte("v=0\nc=IN IP6 ::1\nm=audio 0 RTP/AVP 0\na=inactive \nm=video 1 RTP/AVP 1"))
	f.Add([]byte("m=audio 1 RTP/AVP 8\r\nc=IN IP4 1.2.3.4\r\na=rtpmap:101 telephone-event/8000\r\na=rtpmap:8 x"))
	f.Fuzz(func(t *testing.T, body []byte) {
		s, err := parseSDP(body)
		if err != nil {
			return
		}
		if s.index < 0 || s.index >= len(s.lines) || len(s.lines) > 16 || s.dir > sendRecv {
			t.Fatalf("%+v", s)
		}
		law, _ := s.pick(media.PCMU, true)
		d := description{id: 1, version: 1, ip: netip.MustParseAddr("127.0.0.1"), port: 4000, laws: []media.Law{law},
			eventPT: s.eventPT, dir: s.dir.mirror(), answering: s}
		back, err := parseSDP(d.bytes())
		if err != nil {
			t.Fatalf("own answer %q: %v", d.bytes(), err)
		}
		if len(back.lines) != len(s.lines) || back.eventPT != s.eventPT || back.remote.Port() != 4000 {
			t.Fatalf("answer %q to %q", d.bytes(), body)
		}
	})
}
