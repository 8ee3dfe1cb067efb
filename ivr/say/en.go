package say

import "strings"

// Word tables of English numerals.
var (
	enUnits    = []string{"zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"}
	enTens     = []string{"", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"}
	enOrdUnits = []string{"zeroth", "first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth", "eleventh", "twelfth", "thirteenth", "fourteenth", "fifteenth", "sixteenth", "seventeenth", "eighteenth", "nineteenth"}
	enOrdTens  = []string{"", "", "twentieth", "thirtieth", "fortieth", "fiftieth", "sixtieth", "seventieth", "eightieth", "ninetieth"}
)

var enScales = []struct {
	size int64
	name string
}{{1_000_000_000, "billion"}, {1_000_000, "million"}, {1_000, "thousand"}}

func enCategory(n int64, fraction bool) Category {
	if n == 1 && !fraction {
		return One
	}
	return Other
}

// enCardinal says a whole number from 0, with "and" after hundred.
func enCardinal(n int64) []string {
	if n == 0 {
		return []string{enUnits[0]}
	}
	var out []string
	for _, sc := range enScales {
		if k := n / sc.size; k > 0 {
			out = append(append(out, enCardinal(k)...), sc.name)
			n %= sc.size
		}
	}
	if h := n / 100; h > 0 {
		out = append(out, enUnits[h], "hundred")
		n %= 100
		if n > 0 {
			out = append(out, "and")
		}
	}
	if n >= 20 {
		out = append(out, enTens[n/10])
		n %= 10
	}
	if n > 0 {
		out = append(out, enUnits[n])
	}
	return out
}

// enDecimal says decimals digit by digit after "point".
func enDecimal(whole, frac int64, digits int) []string {
	out := enCardinal(whole)
	if digits == 0 {
		return out
	}
	out = append(out, "point")
	div := int64(1)
	for range digits - 1 {
		div *= 10
	}
	for ; div > 0; div /= 10 {
		out = append(out, enUnits[frac/div%10])
	}
	return out
}

// enOrdinal is written as one word: the last numeral becomes ordinal, tens and units are joined by a hyphen.
func enOrdinal(n int64) string {
	r := n % 100
	head := n - r
	last := ""
	switch {
	case r == 0:
		words := enCardinal(n)
		return strings.Join(words, " ") + "th"
	case r < 20:
		last = enOrdUnits[r]
	case r%10 == 0:
		last = enOrdTens[r/10]
	default:
		last = enTens[r/10] + "-" + enOrdUnits[r%10]
	}
	if head == 0 {
		return last
	}
	words := enCardinal(head)
	if head%1000 != 0 {
		words = append(words, "and")
	}
	return strings.Join(append(words, last), " ")
}
