package say

// Word tables of Russian numerals. Index 0 of the unit tables is unused except for zero itself.
var (
	ruUnits    = []string{"ноль", "один", "два", "три", "четыре", "пять", "шесть", "семь", "восемь", "девять", "десять", "одиннадцать", "двенадцать", "тринадцать", "четырнадцать", "пятнадцать", "шестнадцать", "семнадцать", "восемнадцать", "девятнадцать"}
	ruUnitsGen = []string{"нуля", "одного", "двух", "трёх", "четырёх", "пяти", "шести", "семи", "восьми", "девяти", "десяти", "одиннадцати", "двенадцати", "тринадцати", "четырнадцати", "пятнадцати", "шестнадцати", "семнадцати", "восемнадцати", "девятнадцати"}
	ruTens     = []string{"", "", "двадцать", "тридцать", "сорок", "пятьдесят", "шестьдесят", "семьдесят", "восемьдесят", "девяносто"}
	ruTensGen  = []string{"", "", "двадцати", "тридцати", "сорока", "пятидесяти", "шестидесяти", "семидесяти", "восьмидесяти", "девяноста"}
	ruHund     = []string{"", "сто", "двести", "триста", "четыреста", "пятьсот", "шестьсот", "семьсот", "восемьсот", "девятьсот"}
	ruHundGen  = []string{"", "ста", "двухсот", "трёхсот", "четырёхсот", "пятисот", "шестисот", "семисот", "восьмисот", "девятисот"}

	ruMonths   = []string{"января", "февраля", "марта", "апреля", "мая", "июня", "июля", "августа", "сентября", "октября", "ноября", "декабря"}
	ruWeekdays = []string{"воскресенье", "понедельник", "вторник", "среда", "четверг", "пятница", "суббота"}
)

// Scales of a thousand, as nouns.
var ruScales = []struct {
	size int64
	noun Noun
}{
	{1_000_000_000, ruNoun(Masc, "миллиард", "миллиарда", "миллиардов", "")},
	{1_000_000, ruNoun(Masc, "миллион", "миллиона", "миллионов", "")},
	{1_000, ruNoun(Fem, "тысяча", "тысячи", "тысяч", "тысячу")},
}

// ruCategory: CLDR's Russian plural rule.
func ruCategory(n int64, fraction bool) Category {
	switch {
	case fraction:
		return Other
	case n%10 == 1 && n%100 != 11:
		return One
	case n%10 >= 2 && n%10 <= 4 && (n%100 < 12 || n%100 > 14):
		return Few
	}
	return Many
}

// ruCardinal says a whole number from 0.
func ruCardinal(n int64, g Gender, c Case) []string {
	if n == 0 {
		if c == Gen {
			return []string{ruUnitsGen[0]}
		}
		return []string{ruUnits[0]}
	}
	var out []string
	for _, sc := range ruScales {
		if k := n / sc.size; k > 0 {
			out = append(out, ruCardinal(k, sc.noun.Gender, c)...)
			out = append(out, sc.noun.ru(k, false, c))
			n %= sc.size
		}
	}
	return append(out, ruBelow1000(n, g, c)...)
}

func ruBelow1000(n int64, g Gender, c Case) []string {
	units, tens, hund := ruUnits, ruTens, ruHund
	if c == Gen {
		units, tens, hund = ruUnitsGen, ruTensGen, ruHundGen
	}
	var out []string
	if h := n / 100; h > 0 {
		out = append(out, hund[h])
	}
	n %= 100
	if n >= 20 {
		out = append(out, tens[n/10])
		n %= 10
	}
	switch {
	case n == 0:
	case n <= 2:
		out = append(out, ruOneTwo(n, g, c))
	default:
		out = append(out, units[n])
	}
	return out
}

// ruOneTwo: the only two numerals with gender.
func ruOneTwo(n int64, g Gender, c Case) string {
	if n == 2 {
		switch {
		case c == Gen:
			return "двух"
		case g == Fem:
			return "две"
		}
		return "два"
	}
	switch g {
	case Fem:
		return [...]string{Nom: "одна", Acc: "одну", Gen: "одной"}[c]
	case Neut:
		return [...]string{Nom: "одно", Acc: "одно", Gen: "одного"}[c]
	}
	return [...]string{Nom: "один", Acc: "один", Gen: "одного"}[c]
}

// ruDecimal says a number with up to three decimals: одна целая пять десятых.
func ruDecimal(whole, frac int64, digits int, g Gender, c Case) []string {
	if digits == 0 {
		return ruCardinal(whole, g, c)
	}
	names := [...][2]string{1: {"десятая", "десятых"}, 2: {"сотая", "сотых"}, 3: {"тысячная", "тысячных"}}[digits]
	out := append(ruCardinal(whole, Fem, c), ruPart(whole, "целая", "целых", c))
	out = append(out, ruCardinal(frac, Fem, c)...)
	return append(out, ruPart(frac, names[0], names[1], c))
}

// ruPart: the adjective of a decimal part, singular after a final one.
func ruPart(n int64, one, many string, c Case) string {
	if ruCategory(n, false) != One {
		return many
	}
	stem := one[:len(one)-len("ая")]
	return [...]string{Nom: one, Acc: stem + "ую", Gen: stem + "ой"}[c]
}
