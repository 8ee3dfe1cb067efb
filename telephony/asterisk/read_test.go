package asterisk

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"hotline/telephony"
	"hotline/telephony/media"
)

func TestIdentity(t *testing.T) {
	for _, c := range []struct {
		number, display, presentation string
		asserts                       bool
		want                          telephony.Identity
	}{
		{"74951234567", "Anna", "allowed_not_screened", true, telephony.Identity{Value: "74951234567", DisplayName: "Anna", Source: "ari", Trust: telephony.TrustAsserted}},
		{"74951234567", "", "allowed", false, telephony.Identity{Value: "74951234567", Source: "ari", Trust: telephony.TrustClaimed}},
		{"74951234567", "Anna", "", false, telephony.Identity{Value: "74951234567", DisplayName: "Anna", Source: "ari", Trust: telephony.TrustClaimed}},
		{"74951234567", "Anna", "prohib_not_screened", true, telephony.Identity{Source: "none", Trust: telephony.TrustWithheld}},
		{"74951234567", "Anna", "unavailable", true, telephony.Identity{Source: "none", Trust: telephony.TrustWithheld}},
		{"Anonymous", "Anna", "allowed", true, telephony.Identity{Source: "none", Trust: telephony.TrustWithheld}},
		{"", "Anna", "allowed", true, telephony.Identity{Source: "none", Trust: telephony.TrustWithheld}},
		{"1\x002\r\n3", "a\x1b[31m\xffb", "allowed", false, telephony.Identity{Value: "123", DisplayName: "a[31mb", Source: "ari", Trust: telephony.TrustClaimed}},
	} {
		if got := identity(c.number, c.display, c.presentation, c.asserts); got != c.want {
			t.Errorf("%q %q %q: %+v, want %+v", c.number, c.display, c.presentation, got, c.want)
		}
	}
	if got := clean(strings.Repeat("ж", 300), 100); len([]rune(got)) != 100 {
		t.Errorf("%d runes", len([]rune(got)))
	}
}

func TestLaw(t *testing.T) {
	for formats, want := range map[string]media.Law{"(alaw|ulaw)": media.PCMA, "(ulaw)": media.PCMU, "ulaw": media.PCMU, "(ulaw|alaw)": media.PCMA, "(g722)": media.PCMA, "": media.PCMA, "(ulaw|g722)": media.PCMU} {
		if got := lawOf(formats); got != want {
			t.Errorf("%s: %v", formats, got)
		}
	}
	for via, want := range map[string]string{"SIP/2.0/UDP 127.0.0.1:5060;branch=x": "udp", "SIP/2.0/TLS h": "tls", "": "", "x": ""} {
		if got := viaProtocol(via); got != want {
			t.Errorf("%s: %q", via, got)
		}
	}
	for name, want := range map[string]string{"PJSIP/pbx-00000001": "pbx", "PJSIP/trunk-a-0000002f": "trunk-a", "Local/1@x-0001;1": "1@x", "x": "", "DAHDI/1-1": "1"} {
		if got := endpointOf(name); got != want {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestVersion(t *testing.T) {
	for s, want := range map[string]struct {
		old, tooOld, known bool
	}{"22.10.1": {false, false, true}, "22.10.1+dfsg+~cs6.17.60671434-1": {false, false, true}, "22.9.3": {true, false, true}, "22.11.0": {false, false, true}, "23.0.0": {false, false, true},
		"20.15.2": {true, true, true}, "21.99.1": {true, true, true}, "22.0.0": {true, false, true}, "certified/22.8-cert1": {true, false, true}, "GIT-master-abc": {true, true, false}, "": {true, true, false}} {
		v, known := parseVersion(s)
		if known != want.known || v.below(tested) != want.old || v.below(floor) != want.tooOld {
			t.Errorf("%s: %v %v", s, v, known)
		}
	}
}

func TestPlan(t *testing.T) {
	d := &Driver{}
	d.trunks.Store(&trunkTable{byName: map[string]*trunk{}})
	ok(t, d.SetTrunks([]Trunk{{Name: "pbx", CallerID: "74950000001", Region: "RU", AreaCode: "495", Enabled: true, MaxCalls: 1}, {Name: "off"}}))
	c, err := d.plan(Dial{To: "trunk:pbx:+7499", Law: media.PCMU, Caller: telephony.Identity{DisplayName: `A "b" <c>`}})
	ok(t, err)
	if c.endpoint != "PJSIP/+7499@pbx" || c.callerID != `"A b c" <74950000001>` || c.formats != "ulaw,alaw" || c.ring != time.Minute || len(c.vars) != 0 || c.party.Trunk != "pbx" || c.party.Region != "RU" {
		t.Errorf("%+v", c)
	}
	c, err = d.plan(Dial{To: "trunk:pbx:1", Law: media.PCMA, CallerName: "Anna", Caller: telephony.Identity{Value: "123", Trust: telephony.TrustWithheld}})
	ok(t, err)
	if c.callerID != "" || c.vars["CALLERID(num-pres)"] != "prohib" || c.formats != "alaw,ulaw" {
		t.Errorf("withheld: %+v", c)
	}
	c, err = d.plan(Dial{To: "asterisk:PJSIP/100", Caller: telephony.Identity{Value: "1&2"}, CallerName: "X"})
	ok(t, err)
	if c.endpoint != "PJSIP/100" || c.callerID != `"X" <>` || c.party.Called != "100" {
		t.Errorf("%+v", c)
	}
	d.trunks.Load().byName["pbx"].calls.Add(1)
	if _, err := d.plan(Dial{To: "trunk:pbx:1"}); !errors.Is(err, telephony.ErrBusy) {
		t.Errorf("full: %v", err)
	}
	for _, to := range []string{"", "trunk:", "trunk:pbx:", "trunk:pbx:1&2", "trunk:pbx:1@x", "trunk:pbx:1/2", "trunk:pbx:1,2", "trunk:none:1", "trunk:off:1", "asterisk:", "asterisk:PJSIP",
		"asterisk:PJSIP/1&PJSIP/2", "asterisk:PJSIP/1,x", "asterisk:PJSIP/$(x)", "sip:1@2", "user:desk1"} {
		if _, err := d.plan(Dial{To: to}); !errors.Is(err, telephony.ErrUnreachable) && !errors.Is(err, telephony.ErrBusy) {
			t.Errorf("%s: %v", to, err)
		}
	}
}

func TestTrunks(t *testing.T) {
	d := &Driver{}
	d.trunks.Store(&trunkTable{byName: map[string]*trunk{}})
	ok(t, d.SetTrunks([]Trunk{{Name: "a", Enabled: true}}))
	d.trunks.Load().byName["a"].calls.Add(2)
	err := d.SetTrunks([]Trunk{{Name: "a"}, {Name: "a"}, {Name: ""}, {Name: "x:y"}, {Name: "b", CallerID: "no number"}})
	if err == nil {
		t.Fatal("taken")
	}
	for _, want := range []string{`"a": the name is taken twice`, `"x:y"`, `"": `, `"b": caller id`} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not name %s", err, want)
		}
	}
	ok(t, d.SetTrunks([]Trunk{{Name: "b"}, {Name: "a"}}))
	if s := d.Trunks(); len(s) != 2 || s[1].Name != "a" || s[1].Calls != 2 || s[0].Calls != 0 {
		t.Errorf("%+v", s)
	}
}

func TestConfig(t *testing.T) {
	serve, adopt := func(context.Context, *Leg) {}, func(context.Context, *Leg) bool { return false }
	_, err := New(Config{URL: "127.0.0.1:8088", App: "a b", User: "x:y"}, serve, adopt)
	if err == nil {
		t.Fatal("taken")
	}
	for _, want := range []string{"telephony.asterisk.url", "telephony.asterisk.app", "telephony.asterisk.user", "telephony.asterisk.secret", "sockets"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not name %s", err, want)
		}
	}
}
