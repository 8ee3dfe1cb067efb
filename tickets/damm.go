package tickets

import (
	"strings"
	"unicode"
)

// dammTable is the totally anti-symmetric quasigroup of order 10 from H. Michael Damm's thesis (2004). It catches every
// single wrong digit and every swap of neighbours.
var dammTable = [10][10]byte{
	{0, 3, 1, 7, 5, 9, 8, 6, 4, 2},
	{7, 0, 9, 2, 1, 5, 4, 8, 6, 3},
	{4, 2, 0, 6, 8, 7, 1, 3, 5, 9},
	{1, 7, 5, 0, 9, 8, 3, 4, 2, 6},
	{6, 1, 2, 3, 0, 4, 5, 9, 7, 8},
	{3, 6, 7, 4, 2, 0, 9, 5, 8, 1},
	{5, 8, 6, 9, 7, 2, 0, 1, 3, 4},
	{8, 9, 4, 5, 3, 6, 2, 0, 1, 7},
	{9, 4, 3, 8, 6, 1, 7, 2, 0, 5},
	{2, 5, 8, 1, 4, 3, 6, 7, 9, 0},
}

// damm folds digits; the result is the check digit, or 0 when the last digit already is one. -1: not only digits.
func damm(digits string) int {
	var x byte
	for i := range len(digits) {
		d := digits[i] - '0'
		if d > 9 {
			return -1
		}
		x = dammTable[x][d]
	}
	return int(x)
}

// withCheckDigit is the shown number of a sequence value: "48217" becomes "482170".
func withCheckDigit(sequence string) string {
	return sequence + string(rune('0'+damm(sequence)))
}

// digitWords are digits as people say them one by one, for recognised speech.
var digitWords = map[string]byte{
	"zero": '0', "oh": '0', "one": '1', "two": '2', "three": '3', "four": '4', "five": '5', "six": '6', "seven": '7', "eight": '8', "nine": '9',
	"ноль": '0', "нуль": '0', "один": '1', "два": '2', "три": '3', "четыре": '4', "пять": '5', "шесть": '6', "семь": '7', "восемь": '8', "девять": '9',
}

// ParseTicketNumber reads a ticket number as it is typed, keyed or spoken: "#482170", "[#482170]", "48 21-70",
// "four eight two one seven zero". It answers false for what is no number of ours: letters, a leading zero, a wrong
// length or a wrong check digit. A true answer says nothing about a ticket being there, nor about a right to it.
func ParseTicketNumber(s string) (string, bool) {
	if len(s) > 200 {
		return "", false
	}
	var b strings.Builder
	for _, word := range strings.FieldsFunc(s, numberFiller) {
		if d, ok := digitWords[strings.ToLower(word)]; ok {
			b.WriteByte(d)
			continue
		}
		for _, r := range word {
			d, ok := digitValue(r)
			if !ok {
				return "", false
			}
			b.WriteByte(d)
		}
	}
	n := b.String()
	if len(n) < 6 || len(n) > 18 || n[0] == '0' || damm(n) != 0 {
		return "", false
	}
	return n, true
}

// numberFiller is what may stand around and between the digits: blanks of every width, hyphens, #, №, brackets, dots.
func numberFiller(r rune) bool {
	return unicode.IsSpace(r) || unicode.Is(unicode.Pd, r) || unicode.Is(unicode.Cf, r) || strings.ContainsRune("#№[]().,*", r)
}

// digitValue reads ASCII and full-width digits.
func digitValue(r rune) (byte, bool) {
	switch {
	case r >= '0' && r <= '9':
		return byte(r), true
	case r >= '０' && r <= '９':
		return byte(r-'０') + '0', true
	}
	return 0, false
}

// SpokenTicketNumber is the number as a person reads it out, digit by digit: "4 8 2 1 7 0".
func SpokenTicketNumber(number string) string {
	return strings.Join(strings.Split(number, ""), " ")
}
