package sip

import (
	"net/netip"
	"testing"
	"time"
)

// TestStrangers: sources on no trunk get at most one stateless answer a packet, never longer than the packet, within a
// rate, and nothing for what cannot be understood (R7).
func TestStrangers(t *testing.T) {
	r := newRig(t, nil, nil, Trunk{Name: "far", CIDRs: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}, Enabled: true})
	u := r.ua()
	in, out, packets, answers := 0, 0, 0, 0
	sent := func(text string) {
		u.send(text)
		in += len(text)
		packets++
	}
	for i := range 30 {
		id := token(8)
		for _, method := range []string{"INVITE", "OPTIONS", "REGISTER", "BYE", "SUBSCRIBE"} {
			body := ""
			if method == "INVITE" {
				body = offer("127.0.0.1", 4000)
			}
			sent(u.request(method, "sip:100@hotline", "<sip:100@hotline>", id+method, i+1, "z9hG4bK"+id, "", body))
		}
		sent("INVITE sip:1@h SIP/2.0\r\nVia: SIP/2.0/UDP 1.2.3.4;;\r\n\r\n")
		sent("\x00\x01\x00\x00!\x12\xa4B0123456789ab") // STUN
		// the smallest request that can be read: its answer must not be longer
		sent("OPTIONS sip:a SIP/2.0\r\nv:SIP/2.0/UDP a;rport\r\nf:<sip:a>;tag=1\r\nt:<sip:b>\r\ni:" + id + "\r\nCSeq:1 OPTIONS\r\n\r\n")
	}
	for {
		m := u.recv(100 * time.Millisecond)
		if m == nil {
			break
		}
		answers++
		out += m.size
		if c := m.code(); c != 401 && c != 403 && c != 481 && c != 405 {
			t.Errorf("answered %q", m.start)
		}
		if m.h("Server") != "" || m.h("User-Agent") != "" {
			t.Errorf("tells what we are: %+v", m.head)
		}
	}
	if answers == 0 || answers > packets || out > in {
		t.Errorf("%d answers of %d bytes to %d packets of %d bytes", answers, out, packets, in)
	}
	if answers > strangerBurst+strangerRate*3 {
		t.Errorf("%d answers at once", answers)
	}
	if r.metric("hotline_sip_refused_total", "rate") == 0 {
		t.Error("no packet over the rate")
	}
	r.noLeg()
}

// TestNoAmplification checks each stranger's answer against its question.
func TestNoAmplification(t *testing.T) {
	r := newRig(t, nil, nil)
	for _, text := range []string{
		"REGISTER sip:h SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK1\r\nFrom: <sip:a@h>;tag=1\r\nTo: <sip:a@h>\r\nCall-ID: x\r\nCSeq: 1 REGISTER\r\n\r\n",
		"INVITE sip:1@h SIP/2.0\r\nv:SIP/2.0/UDP 10.0.0.1;rport;branch=z9hG4bK1\r\nf:<sip:a@h>;tag=1\r\nt:<sip:a@h>\r\ni:x\r\nm:<sip:a@h>\r\nCSeq:1 INVITE\r\n\r\n",
		"OPTIONS sip:1@h SIP/2.0\r\nv:SIP/2.0/UDP 10.0.0.1;rport;branch=z9hG4bK1\r\nf:<sip:a@h>;tag=1\r\nt:<sip:a@h>\r\ni:x\r\nCSeq:1 OPTIONS\r\n\r\n",
	} {
		u := r.ua()
		u.send(text)
		if m := u.recv(100 * time.Millisecond); m != nil && m.size > len(text) {
			t.Errorf("%d bytes for %d: %q", m.size, len(text), m.start)
		}
	}
	// A phone's ordinary REGISTER must get its challenge.
	if m := r.phone("desk1", "x").ask("REGISTER", "sip:hotline", "User-Agent: Some Phone 1.0\r\nExpires: 3600\r\n", ""); m.code() != 401 {
		t.Errorf("%q", m.start)
	}
}
