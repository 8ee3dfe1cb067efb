package sip

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"hotline/telephony"
)

// TestProviderRegistration registers at a provider, renews, and takes calls from it.
func TestProviderRegistration(t *testing.T) {
	r := newRig(t, nil, nil)
	u := r.ua()
	tr := u.trunk()
	tr.Register, tr.Realm = true, ""
	if err := r.s.SetTrunks([]Trunk{tr}); err != nil {
		t.Fatal(err)
	}
	reg := u.wantRequest("REGISTER")
	u.reply(reg, 401, "x", "WWW-Authenticate: Digest realm=\"whatever\",nonce=\"n1\"\r\n", "")
	reg = u.wantRequest("REGISTER")
	c, ok := readDigest(reg.h("Authorization"))
	if !ok || c["username"] != "acc" || c["response"] != digestResponse(md5hex("acc:whatever:pw"), "REGISTER", c) {
		t.Fatalf("credentials %v", c)
	}
	contact := reg.h("Contact")
	reply := func(m *msg, expires string) {
		text := fmt.Sprintf("SIP/2.0 200 OK\r\nVia: %s\r\nFrom: %s\r\nTo: %s;tag=x\r\nCall-ID: %s\r\nCSeq: %s\r\nContact: %s;expires=%s\r\nContent-Length: 0\r\n\r\n",
			m.h("Via"), m.h("From"), m.h("To"), m.h("Call-ID"), m.h("CSeq"), contact, expires)
		u.send(text)
	}
	reply(reg, "1")
	again := u.wantRequest("REGISTER") // renewed within its second
	if again.h("Call-ID") != reg.h("Call-ID") || again.h("CSeq") == reg.h("CSeq") {
		t.Errorf("renewal %+v", again.head)
	}
	reply(again, "3600")
	waitFor(t, func() bool { return r.s.Trunks()[0].Registered && r.metric("hotline_sip_trunks_registered") == 1 })
	// The provider calls our contact; the number dialled is in To.
	text := u.request("INVITE", "sip:acc@hotline", "<sip:+74957654321@prov>", token(8), 1, "z9hG4bK"+token(4), "", offer("127.0.0.1", 4000))
	u.send(text)
	l := r.leg()
	if p := l.Party(); p.Called != "+74957654321" || p.Trunk != "out" || p.Caller.Trust != telephony.TrustClaimed {
		t.Errorf("party %+v", p)
	}
	l.Hangup(telephony.CauseBusy)
	u.want(486)
	// Taken away, it says goodbye and its address means nothing any more.
	if err := r.s.SetTrunks(nil); err != nil {
		t.Fatal(err)
	}
	bye := u.wantRequest("REGISTER")
	if bye.h("Expires") != "0" {
		t.Errorf("Expires %q", bye.h("Expires"))
	}
	gone := r.ua()
	gone.call("100", "", offer("127.0.0.1", 4000))
	gone.want(401)
}

func TestProviderRefuses(t *testing.T) {
	r := newRig(t, nil, nil)
	u := r.ua()
	tr := u.trunk()
	tr.Register = true
	if err := r.s.SetTrunks([]Trunk{tr}); err != nil {
		t.Fatal(err)
	}
	n := 0
	for n < 3 {
		m := u.wantRequest("REGISTER")
		n++
		u.reply(m, 401, "x", fmt.Sprintf("WWW-Authenticate: Digest realm=\"prov\",nonce=\"n%d\"\r\n", n), "")
	}
	waitFor(t, func() bool { return strings.Contains(r.s.Trunks()[0].Error, "401") })
	u.noMore(t)
	if st := r.s.Trunks()[0]; st.Registered {
		t.Errorf("%+v", st)
	}
}

// waitFor polls a state that no event announces.
func waitFor(t *testing.T, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); {
		if time.Now().After(end) {
			t.Fatal("did not come true")
		}
		time.Sleep(time.Millisecond)
	}
}

func TestTrunkTable(t *testing.T) {
	pfx := netip.MustParsePrefix
	list := []Trunk{
		{Name: "wide", CIDRs: []netip.Prefix{pfx("10.0.0.0/8")}},
		{Name: "exact", CIDRs: []netip.Prefix{pfx("10.1.2.3/32"), pfx("2001:db8::/32")}},
	}
	tab, err := newTrunkTable(list, nil)
	if err != nil {
		t.Fatal(err)
	}
	for addr, want := range map[string]string{"10.9.9.9": "wide", "10.1.2.3": "exact", "2001:db8::1": "exact", "11.0.0.1": ""} {
		name := ""
		if tr := tab.find(netip.MustParseAddr(addr)); tr != nil {
			name = tr.cfg.Name
		}
		if name != want {
			t.Errorf("%s belongs to %q, want %q", addr, name, want)
		}
	}
	_, err = newTrunkTable([]Trunk{
		{Name: "a", CIDRs: []netip.Prefix{pfx("10.0.0.0/8")}}, {Name: "b", CIDRs: []netip.Prefix{pfx("10.0.0.0/8"), {}}},
		{Name: "a"}, {Name: "desk"}, {Name: "x:y"}, {Name: "r", Register: true}, {Name: "t", Transport: "sctp"},
		{Name: "h", Host: "a b"}, {Name: "q", User: `a"b`},
	}, nil)
	for _, want := range []string{`"b": network 10.0.0.0/8 belongs`, `"b": network 2 is`, `"a": the name is taken`, `"desk"`, `"x:y"`,
		`"r": registering`, `"t": transport`, `"h": host`, `"q": user`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("no word of %s in %v", want, err)
		}
	}
}
