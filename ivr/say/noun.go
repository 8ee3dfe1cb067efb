package say

import "maps"

// Noun is a countable noun in both languages. A language whose first form is empty is missing.
type Noun struct {
	Gender Gender // Russian
	// Russian forms: nominative singular (одна минута), genitive singular (две минуты), genitive plural (пять минут),
	// accusative singular (одну минуту; empty: as nominative).
	NomSg, GenSg, GenPl, AccSg string
	// English forms.
	Sg, Pl string
}

// Nouns maps ids to nouns.
type Nouns map[string]Noun

func (n Nouns) with(extra Nouns) Nouns {
	out := maps.Clone(n)
	maps.Copy(out, extra)
	return out
}

func ruNoun(g Gender, nomSg, genSg, genPl, accSg string) Noun {
	return Noun{Gender: g, NomSg: nomSg, GenSg: genSg, GenPl: genPl, AccSg: accSg}
}

func noun(ru Noun, sg, pl string) Noun { ru.Sg, ru.Pl = sg, pl; return ru }

// builtin are the nouns that durations and money need, and those that queues speak of.
var builtin = Nouns{
	"second": noun(ruNoun(Fem, "секунда", "секунды", "секунд", "секунду"), "second", "seconds"),
	"minute": noun(ruNoun(Fem, "минута", "минуты", "минут", "минуту"), "minute", "minutes"),
	"hour":   noun(ruNoun(Masc, "час", "часа", "часов", ""), "hour", "hours"),
	"day":    noun(ruNoun(Masc, "день", "дня", "дней", ""), "day", "days"),
	"person": noun(ruNoun(Masc, "человек", "человека", "человек", ""), "person", "people"),
	"call":   noun(ruNoun(Masc, "звонок", "звонка", "звонков", ""), "call", "calls"),
	"rouble": noun(ruNoun(Masc, "рубль", "рубля", "рублей", ""), "rouble", "roubles"),
	"kopeck": noun(ruNoun(Fem, "копейка", "копейки", "копеек", "копейку"), "kopeck", "kopecks"),
	"dollar": noun(ruNoun(Masc, "доллар", "доллара", "долларов", ""), "dollar", "dollars"),
	"cent":   noun(ruNoun(Masc, "цент", "цента", "центов", ""), "cent", "cents"),
	"euro":   noun(ruNoun(Masc, "евро", "евро", "евро", ""), "euro", "euros"),
}

var currencies = map[string]struct{ major, minor string }{
	"RUB": {"rouble", "kopeck"},
	"USD": {"dollar", "cent"},
	"EUR": {"euro", "cent"},
}

func (n Noun) has(lang string) bool {
	if lang == "ru" {
		return n.NomSg != ""
	}
	return n.Sg != ""
}

// ru gives the form after a number.
func (n Noun) ru(count int64, fraction bool, c Case) string {
	cat := ruCategory(count, fraction)
	switch {
	case cat == Other:
		return n.GenSg
	case c == Gen && cat == One:
		return n.GenSg
	case c == Gen:
		return n.GenPl
	case cat == One && c == Acc && n.AccSg != "":
		return n.AccSg
	case cat == One:
		return n.NomSg
	case cat == Few:
		return n.GenSg
	}
	return n.GenPl
}

func (n Noun) en(count int64, fraction bool) string {
	if enCategory(count, fraction) == One {
		return n.Sg
	}
	return n.Pl
}
