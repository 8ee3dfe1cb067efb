package say

import (
	"fmt"
	"strings"
)

// Case is the grammatical case of a spoken number. English ignores it.
type Case uint8

// Cases. The zero value is the nominative.
const (
	Nom Case = iota
	Acc
	Gen
)

// ParseCase reads nom, acc or gen; empty means nom.
func ParseCase(s string) (Case, error) {
	switch s {
	case "", "nom":
		return Nom, nil
	case "acc":
		return Acc, nil
	case "gen":
		return Gen, nil
	case "dat", "ins", "pre":
		return Nom, fmt.Errorf("case %q is reserved: there is no word table for it yet; use nom, acc or gen", s)
	}
	return Nom, fmt.Errorf("unknown case %q; use nom, acc or gen", s)
}

// Gender is the grammatical gender of a spoken number. English ignores it.
type Gender uint8

// Genders. The zero value is masculine, the form used for counting.
const (
	Masc Gender = iota
	Fem
	Neut
)

// ParseGender reads m, f or n; empty means m.
func ParseGender(s string) (Gender, error) {
	switch s {
	case "", "m":
		return Masc, nil
	case "f":
		return Fem, nil
	case "n":
		return Neut, nil
	}
	return Masc, fmt.Errorf("unknown gender %q; use m, f or n", s)
}

// Category is a CLDR plural category.
type Category string

// The categories that Russian and English use.
const (
	One   Category = "one"
	Few   Category = "few"
	Many  Category = "many"
	Other Category = "other"
)

// Word is one spoken word.
type Word struct {
	Text string
	// Frags are the recorded fragments that say it, in order, as file names without ending below a folder of sounds
	// ("digits/20"). Empty: it is not recorded and needs speech synthesis.
	Frags []string
}

// Plan is what will be said. The zero Plan says nothing.
type Plan struct {
	Lang  string
	Words []Word
	// Plain reads the same value digit by digit, for when the words have no sound. It may be empty.
	Plain []Word
}

// Text gives the words, separated by blanks.
func (p Plan) Text() string {
	var b strings.Builder
	for i, w := range p.Words {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(w.Text)
	}
	return b.String()
}

// Recorded reports whether every word has fragments.
func (p Plan) Recorded() bool {
	for _, w := range p.Words {
		if len(w.Frags) == 0 {
			return false
		}
	}
	return true
}

// Fragments lists the recorded fragments of the whole plan; words without any are left out.
func (p Plan) Fragments() []string {
	var out []string
	for _, w := range p.Words {
		out = append(out, w.Frags...)
	}
	return out
}
