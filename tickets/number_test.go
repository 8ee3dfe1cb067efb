package tickets

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// Each row of the normalising table by its id.
func TestParseNumber(t *testing.T) {
	ru := DialPlan{Region: "RU", AreaCode: "495", Extension: func(d string) bool { return d == "2001000" }}
	bare := DialPlan{Region: "RU", BareCodes: true}
	cases := []struct {
		row, raw string
		plan     DialPlan
		rule     string
		e164     string
		ext      string
		alt      string
	}{
		{"N1", "", ru, "N1", "", "", ""},
		{"N1", "Anonymous", ru, "N1", "", "", ""},
		{"N1", "asterisk", ru, "N1", "", "", ""},
		{"N1", "sip:anonymous@anonymous.invalid", ru, "N2 N1", "", "", ""},
		{"N1", "sip:host.example", ru, "N2 N1", "", "", ""},
		{"N2", "sip:84951234567@10.0.0.1;user=phone", ru, "N2 N4", "+74951234567", "", ""},
		{"N2", `"Bob" <sips:%2B442079460958;isub=1@h>`, ru, "N2 N4", "+442079460958", "", ""},
		{"N2", "tel:+7-495-123-45-67;ext=77", ru, "N2 N4", "+74951234567", "77", ""},
		{"N2", "sip:bob:secret@h", ru, "N2 N7", "", "", ""},
		{"N3", "2001", ru, "N3", "", "2001", ""},
		{"N3", "112", ru, "N3", "", "112", ""},
		{"N3", "12-34-56", ru, "N3", "", "123456", ""},
		{"N3", "2001000", ru, "N3", "", "2001000", ""},
		{"N4", "8 (916) 123-45-67", ru, "N4", "+79161234567", "", ""},
		{"N4", "810 44 20 7946 0958", ru, "N4", "+442079460958", "", ""},
		{"N4", "8~10 49 30 901820", ru, "N4", "+4930901820", "", ""},
		{"N4", "9161234567", ru, "N4", "+79161234567", "", ""},
		{"N4", "+7 495 123 45 67 доб. 123", ru, "N4", "+74951234567", "123", ""},
		{"N4", "８４９５１２３４５６７", ru, "N4", "+74951234567", "", ""},
		{"N4", "8\u00a0495\u2011123\u202f45 67", ru, "N4", "+74951234567", "", ""},
		{"N4", "+44 (0)20 7946 0958", ru, "N4", "+442079460958", "", ""},
		{"N4", "030/53 12 34", DialPlan{Region: "DE"}, "N4", "+4930531234", "", ""},
		{"N4", "+7 701 123 45 67", ru, "N4", "+77011234567", "", ""}, // Kazakhstan: equality only, never "same country"
		{"N5", "442079460958", bare, "N5", "+442079460958", "", ""},
		{"N5", "442079460958", ru, "N7", "", "", ""}, // the trunk is not known for it
		{"N6", "123-45-67", ru, "N6", "+74951234567", "", ""},
		{"N6", "123-45-67", bare, "N7", "", "", ""}, // no area code
		{"N7", "bob", ru, "N7", "", "", ""},
		{"N7", "*100", ru, "N7", "", "", ""},
		{"N8", "+55 81 98765-4321", ru, "N4 N8", "+5581987654321", "", "+558187654321"},
		{"N8", "+55 81 8765-4321", ru, "N4 N8", "+5581987654321", "", "+558187654321"},
		{"N8", "+54 9 11 1234-5678", ru, "N4 N8", "+5491112345678", "", "+541112345678"},
		{"N8", "+52 1 55 1234 5678", ru, "N4 N8", "+525512345678", "", "+5215512345678"},
	}
	for _, c := range cases {
		t.Run(c.row+" "+c.raw, func(t *testing.T) {
			n := ParseNumber(c.raw, c.plan)
			if n.Rule() != c.rule || n.E164 != c.e164 || n.Ext != c.ext || strings.Join(n.Alt, ",") != c.alt {
				t.Errorf("got rule %q e164 %q ext %q alt %v, want %q %q %q %q", n.Rule(), n.E164, n.Ext, n.Alt, c.rule, c.e164, c.ext, c.alt)
			}
			if (n.Key() == "") != (n.Withheld || n.Internal) {
				t.Errorf("key %q with withheld %v internal %v", n.Key(), n.Withheld, n.Internal)
			}
		})
	}
}

// N9 and Privacy are facts of the party, not of the text.
func TestPartyNumber(t *testing.T) {
	n := partyNumber(CallParty{Raw: "+79161234567", Trust: TrustAsserted, Diversion: []string{"+74951112233"}}, DialPlan{Region: "RU"})
	if n.Rule() != "N9 N4" || n.E164 != "+79161234567" {
		t.Errorf("N9: got %q %q", n.Rule(), n.E164)
	}
	for name, p := range map[string]CallParty{
		"privacy":  {Raw: "+79161234567", Trust: TrustAsserted, Withheld: true},
		"no trust": {Raw: "+79161234567"},
		"withheld": {Raw: "+79161234567", Trust: TrustWithheld},
	} {
		if n := partyNumber(p, DialPlan{Region: "RU"}); !n.Withheld || n.Rule() != "N1" || n.E164 != "" {
			t.Errorf("N1 %s: got %+v", name, n)
		}
	}
}

func TestParseNumberProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		plan := DialPlan{Region: rapid.SampledFrom([]string{"", "RU", "DE", "BR", "MX", "AR"}).Draw(t, "region"), AreaCode: "495",
			BareCodes: rapid.Bool().Draw(t, "bare")}
		raw := rapid.OneOf(rapid.String(), rapid.StringMatching(`(sip:|tel:)?\+?[0-9 ()-]{1,18}(@h)?`)).Draw(t, "raw")
		n := ParseNumber(raw, plan)
		if len(n.Rules) == 0 || len(n.Raw) > maxRaw || strings.ContainsRune(n.Raw, 0) {
			t.Fatalf("bad result %+v", n)
		}
		if n.E164 == "" {
			return
		}
		again := ParseNumber(n.E164, plan)
		if again.E164 != n.E164 || strings.Join(again.Alt, " ") != strings.Join(n.Alt, " ") {
			t.Fatalf("normalising %q twice: %+v then %+v", raw, n, again)
		}
		for _, alt := range n.Alt {
			if m := ParseNumber(alt, DialPlan{}); m.E164 != n.E164 && m.E164 != alt {
				t.Fatalf("other spelling %q of %q reads as %q", alt, n.E164, m.E164)
			}
		}
	})
}
