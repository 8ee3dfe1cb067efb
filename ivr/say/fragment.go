package say

import (
	"strconv"
	"strings"
	"time"
)

// fragments names the recordings of one word in the layout of Asterisk's core sounds. Only recordings whose word is
// certain are listed: the Russian set's hundreds, thousands, months and minutes come in one form only, so everything
// that needs an ending is left to speech synthesis.
func fragments(lang, word string) []string {
	if lang == "ru" {
		return ruFrags[word]
	}
	if f, ok := enFrags[word]; ok {
		return f
	}
	if tens, unit, ok := strings.Cut(word, "-"); ok && enFrags[tens] != nil && enFrags[unit] != nil {
		return append(append([]string(nil), enFrags[tens]...), enFrags[unit]...)
	}
	return nil
}

var ruFrags, enFrags = buildFragments()

func buildFragments() (ru, en map[string][]string) {
	ru, en = map[string][]string{}, map[string][]string{}
	digits := func(m map[string][]string, word, file string) { m[word] = []string{"digits/" + file} }
	for i := range 20 {
		digits(ru, ruUnits[i], strconv.Itoa(i))
		digits(en, enUnits[i], strconv.Itoa(i))
		if i > 0 {
			digits(en, enOrdUnits[i], "h-"+strconv.Itoa(i))
		}
	}
	for i := 2; i < 10; i++ {
		digits(ru, ruTens[i], strconv.Itoa(i*10))
		digits(en, enTens[i], strconv.Itoa(i*10))
		digits(en, enOrdTens[i], "h-"+strconv.Itoa(i*10))
	}
	digits(ru, "минус", "minus")
	digits(en, "minus", "minus")
	for _, w := range []string{"hundred", "thousand", "million", "billion", "oh", "today", "tomorrow", "yesterday", "pound", "star"} {
		digits(en, w, w)
	}
	digits(en, "a.m.", "a-m")
	digits(en, "p.m.", "p-m")
	for m := time.January; m <= time.December; m++ {
		digits(en, m.String(), "mon-"+strconv.Itoa(int(m)-1))
	}
	for d := time.Sunday; d <= time.Saturday; d++ {
		digits(en, d.String(), "day-"+strconv.Itoa(int(d)))
	}
	en["and"] = []string{"vm-and"}
	en["minute"], en["minutes"] = []string{"queue-minute"}, []string{"queue-minutes"}
	// The ordinal "second" and the unit of time sound alike: h-2 says both.
	en["seconds"] = []string{"queue-seconds"}
	en["plus"] = []string{"letters/plus"}
	en["point"] = []string{"letters/dot"}
	for _, k := range []string{"A", "B", "C", "D"} {
		en[k] = []string{"letters/" + strings.ToLower(k)}
	}
	return ru, en
}
