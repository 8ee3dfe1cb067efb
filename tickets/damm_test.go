package tickets

import (
	"strconv"
	"testing"

	"pgregory.net/rapid"
)

func TestTicketNumber(t *testing.T) {
	for seq, want := range map[string]string{"48217": "482170", "10000": "100009", "10001": "100014", "99999": "999999"} {
		if got := withCheckDigit(seq); got != want {
			t.Errorf("withCheckDigit(%s) = %s, want %s", seq, got, want)
		}
	}
	good := []string{"482170", "#482170", "[#482170]", "48 21-70", "48\u00a021\u201170", "№ 482170", "４８２１７０",
		"four eight two one seven zero", "Четыре восемь два один семь ноль", "4 8 два 1 7 0"}
	for _, s := range good {
		if n, ok := ParseTicketNumber(s); !ok || n != "482170" {
			t.Errorf("ParseTicketNumber(%q) = %q, %v", s, n, ok)
		}
	}
	for _, s := range []string{"", "482171", "428170", "48217", "0482170", "48217o", "ticket 482170x", "1234567890123456789"} {
		if n, ok := ParseTicketNumber(s); ok {
			t.Errorf("ParseTicketNumber(%q) accepted as %q", s, n)
		}
	}
	if got := SpokenTicketNumber("482170"); got != "4 8 2 1 7 0" {
		t.Errorf("spoken: %q", got)
	}
}

// The promise of the check digit: no single wrong digit and no swap of neighbours passes.
func TestDammCatchesSlips(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := withCheckDigit(strconv.Itoa(rapid.IntRange(10000, 1<<40).Draw(t, "seq")))
		i := rapid.IntRange(0, len(n)-1).Draw(t, "place")
		d := byte('0' + rapid.IntRange(0, 9).Draw(t, "digit"))
		if wrong := n[:i] + string(d) + n[i+1:]; wrong != n && damm(wrong) == 0 {
			t.Fatalf("%s passes for %s", wrong, n)
		}
		if i+1 < len(n) {
			if swap := n[:i] + n[i+1:i+2] + n[i:i+1] + n[i+2:]; swap != n && damm(swap) == 0 {
				t.Fatalf("%s passes for %s", swap, n)
			}
		}
	})
}
