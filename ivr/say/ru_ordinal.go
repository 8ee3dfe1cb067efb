package say

import "strings"

// Stems of Russian ordinals; the ending of the masculine nominative follows the bar.
var (
	ruOrdUnits = []string{"", "перв|ый", "втор|ой", "трет|ий", "четвёрт|ый", "пят|ый", "шест|ой", "седьм|ой", "восьм|ой", "девят|ый", "десят|ый", "одиннадцат|ый", "двенадцат|ый", "тринадцат|ый", "четырнадцат|ый", "пятнадцат|ый", "шестнадцат|ый", "семнадцат|ый", "восемнадцат|ый", "девятнадцат|ый"}
	ruOrdTens  = []string{"", "", "двадцат|ый", "тридцат|ый", "сороков|ой", "пятидесят|ый", "шестидесят|ый", "семидесят|ый", "восьмидесят|ый", "девяност|ый"}
	ruOrdHund  = []string{"", "сот|ый", "двухсот|ый", "трёхсот|ый", "четырёхсот|ый", "пятисот|ый", "шестисот|ый", "семисот|ый", "восьмисот|ый", "девятисот|ый"}
)

// ruOrdinal says 1 to 999999: all words but the last are cardinals in the nominative.
func ruOrdinal(n int64, g Gender, c Case) []string {
	if n%1000 == 0 {
		return []string{ruDecline(ruThousandth(n/1000), g, c)}
	}
	var out []string
	if n >= 1000 {
		out = ruCardinal(n/1000*1000, Masc, Nom)
		n %= 1000
	}
	last := ""
	head := int64(0)
	switch r := n % 100; {
	case r == 0:
		last = ruOrdHund[n/100]
	case r < 20:
		head, last = n-r, ruOrdUnits[r]
	case r%10 == 0:
		head, last = n-r, ruOrdTens[r/10]
	default:
		head, last = n-r%10, ruOrdUnits[r%10]
	}
	if head > 0 {
		out = append(out, ruCardinal(head, Masc, Nom)...)
	}
	return append(out, ruDecline(last, g, c))
}

// ruThousandth makes the compound: двухтысячный, двадцатиоднотысячный.
func ruThousandth(k int64) string {
	if k == 1 {
		return "тысячн|ый"
	}
	words := ruCardinal(k, Masc, Gen)
	if k%10 == 1 && k%100 != 11 {
		words[len(words)-1] = "одно"
	}
	for i, w := range words {
		if w == "ста" { // стотысячный
			words[i] = "сто"
		}
		if w == "девяноста" {
			words[i] = "девяносто"
		}
	}
	return strings.Join(words, "") + "тысячн|ый"
}

// ruDecline puts the ending on a stem.
func ruDecline(stem string, g Gender, c Case) string {
	root, end, _ := strings.Cut(stem, "|")
	if end == "ий" { // третий: soft
		switch g {
		case Fem:
			return root + [...]string{Nom: "ья", Acc: "ью", Gen: "ьей"}[c]
		case Neut:
			return root + [...]string{Nom: "ье", Acc: "ье", Gen: "ьего"}[c]
		}
		return root + [...]string{Nom: "ий", Acc: "ий", Gen: "ьего"}[c]
	}
	switch g {
	case Fem:
		return root + [...]string{Nom: "ая", Acc: "ую", Gen: "ой"}[c]
	case Neut:
		return root + [...]string{Nom: "ое", Acc: "ое", Gen: "ого"}[c]
	}
	return root + [...]string{Nom: end, Acc: end, Gen: "ого"}[c]
}
