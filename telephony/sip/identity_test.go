package sip

import (
	"fmt"
	"strings"
	"testing"

	"hotline/telephony"
)

// request reads a request with the given fields added; From may be among them.
func readRequest(t testing.TB, fields string) *message {
	t.Helper()
	from := "From: \"Boris\" <sip:+7495@x>;tag=1\r\n"
	if strings.Contains(fields, "From:") {
		from = ""
	}
	m, r := parse([]byte("OPTIONS sip:100@h SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK1\r\nTo: <sip:100@h>\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\n" + from + fields + "\r\n"))
	if r != nil {
		t.Fatalf("%q: %+v", fields, r)
	}
	return m
}

func TestIdentity(t *testing.T) {
	for i, x := range []struct {
		fields   string
		asserted string // value and source from a trunk that asserts; empty: withheld
		claimed  string // from any other; empty: withheld
	}{
		{"", "+7495 from", "+7495"},
		{"P-Asserted-Identity: <sip:+7812@x>\r\n", "+7812 p-asserted-identity", "+7495"},
		{"P-Asserted-Identity: tel:+7812\r\n", "+7812 p-asserted-identity", "+7495"},
		{"P-Asserted-Identity: \"A, B\" <sip:+7812@x>, <tel:+7813>\r\n", "+7812 p-asserted-identity", "+7495"},
		{"P-Asserted-Identity: <sip:+7812;ext=1@x;user=phone>\r\n", "+7812 p-asserted-identity", "+7495"},
		{"P-Asserted-Identity: <sip:%2B7812@x>\r\n", "+7812 p-asserted-identity", "+7495"},
		{"p-aSSerted-identity  :\r\n <sip:+7812@x>\r\n", "+7812 p-asserted-identity", "+7495"},
		{"X-P-Asserted-Identity: <sip:+7812@x>\r\n", "+7495 from", "+7495"},
		{"P-Preferred-Identity: <sip:+7812@x>\r\n", "+7495 from", "+7495"},
		{"Remote-Party-ID: <sip:+7813@x>;party=calling;screen=yes\r\n", "+7813 remote-party-id", "+7495"},
		{"Remote-Party-ID: <sip:+7813@x>;privacy=full\r\n", "", "+7495"},
		{"P-Asserted-Identity: <sip:+7812@x>\r\nRemote-Party-ID: <sip:+7813@x>\r\n", "+7812 p-asserted-identity", "+7495"},
		{"P-Asserted-Identity: <sip:+7812@x>\r\nPrivacy: id\r\n", "", ""},
		{"P-Asserted-Identity: <sip:+7812@x>\r\nPrivacy: critical;ID\r\n", "", ""},
		{"P-Asserted-Identity: <sip:+7812@x>\r\nPrivacy: none\r\n", "+7812 p-asserted-identity", "+7495"},
		{"From: <sip:anonymous@anonymous.invalid>;tag=1\r\n", "", ""},
		{"From: \"X\" <sip:Restricted@x>;tag=1\r\n", "", ""},
		{"From: <sip:anonymous@anonymous.invalid>;tag=1\r\nP-Asserted-Identity: <sip:+7812@x>\r\n", "", ""},
		{"From: <sip:x.com>;tag=1\r\n", "", ""},
		{"From: tel:+7-495-1;tag=1\r\n", "+7-495-1 from", "+7-495-1"},
		{"From: <sips:a%00b@x>;tag=1\r\n", "a%00b from", "a%00b"},
	} {
		m := readRequest(t, x.fields)
		got := identity(m, true)
		text := ""
		if got.Trust == telephony.TrustAsserted {
			text = got.Value + " " + got.Source
		} else if got.Value != "" || got.Trust != telephony.TrustWithheld {
			t.Errorf("%d: %+v", i, got)
		}
		if text != x.asserted {
			t.Errorf("%d: asserting trunk gives %q, want %q", i, text, x.asserted)
		}
		got = identity(m, false)
		if got.Trust == telephony.TrustAsserted || got.Value != x.claimed || (x.claimed == "") != (got.Trust == telephony.TrustWithheld) {
			t.Errorf("%d: other trunk gives %+v, want %q", i, got, x.claimed)
		}
	}
	// A header of the asserting trunk that cannot be read asserts nothing at all.
	for _, f := range []string{"P-Asserted-Identity: \"open <sip:+7812@x>\r\n", "P-Asserted-Identity: <sip:+7812@x\r\n", "Remote-Party-ID: <sip:+7813@x>;party=called\r\n", "P-Asserted-Identity:\r\n"} {
		if got := identity(readRequest(t, f), true); got.Trust != telephony.TrustClaimed || got.Value != "+7495" {
			t.Errorf("%q: %+v", f, got)
		}
	}
}

// TestSpellings sends 40 spellings of 5 headers from a trunk that is not trusted: nothing arrives as trusted (R9).
func TestSpellings(t *testing.T) {
	n := 0
	for _, h := range []string{"P-Asserted-Identity", "Remote-Party-ID", "From", "P-Preferred-Identity", "Identity"} {
		for i := range 40 {
			name := h
			switch i % 5 {
			case 1:
				name = strings.ToUpper(h)
			case 2:
				name = strings.ToLower(h) + " "
			case 3:
				name = h + "\t"
			case 4:
				name = strings.ToTitle(h)
			}
			value := fmt.Sprintf("\"N%d\" <sip:+7900%d@trusted>", i, i)
			switch i / 5 {
			case 1:
				value = "<tel:+7900>"
			case 2:
				value = "\r\n <sip:+7900@x>"
			case 3:
				value = "<sip:%2B7900@x>;screen=yes;privacy=off"
			case 4:
				value = "sip:+7900@x"
			case 5:
				value = "<sip:+7900@x>, <sip:+7901@x>"
			case 6:
				value = "<sip:+7900@x>\r\nPrivacy: none"
			case 7:
				value = "<sips:+7900@x>"
			}
			line := name + ":" + value
			if h == "From" {
				line += ";tag=1"
			}
			text := "OPTIONS sip:100@h SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK1\r\nTo: <sip:100@h>\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\n" + line + "\r\n"
			if h != "From" {
				text += "From: <sip:+7495@x>;tag=1\r\n"
			}
			m, r := parse([]byte(text + "\r\n"))
			if r != nil {
				continue // refused: it reaches nobody
			}
			n++
			if id := identity(m, false); id.Trust.AtLeast(telephony.TrustAsserted) {
				t.Errorf("%q: %+v", line, id)
			}
		}
	}
	if n < 150 {
		t.Errorf("only %d spellings were read", n)
	}
}

func TestDiversion(t *testing.T) {
	m := readRequest(t, "Diversion: <sip:100@h>;reason=no-answer, \"x\" <tel:+7495>\r\nDiversion: garbage <\r\nDiversion: <sip:200@h>\r\n")
	if d := diversions(m); fmt.Sprint(d) != "[100 +7495 200]" {
		t.Errorf("%q", d)
	}
}

// TestInertText: what a caller writes comes in as printable text, bounded.
func TestInertText(t *testing.T) {
	name := strings.Repeat("я", 100) + "\u202e<script>\x07"
	m := readRequest(t, "From: \""+strings.Trim(name, "\x07")+"\" <sip:%0D%0Aevil@x>;tag=1\r\n")
	id := identity(m, false)
	if len(id.DisplayName) > maxDisplay || strings.ContainsAny(id.Value+id.DisplayName, "\r\n\x07\u202e") {
		t.Errorf("%+v", id)
	}
}
