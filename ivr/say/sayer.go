package say

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Styles of Date and Time.
const (
	DayMonth     = "day_month"
	DayMonthYear = "day_month_year"
	Weekday      = "weekday"
	Relative     = "relative"
	At           = "at"
	By           = "by"
	Since        = "since"
)

// MaxNumber is the largest absolute value that has words.
const MaxNumber = 999_999_999_999

// Sayer speaks one language. It is immutable and safe for concurrent use.
type Sayer struct {
	lang  string
	nouns Nouns
}

// Languages lists the languages that have spoken values.
func Languages() []string { return []string{"en", "ru"} }

// New makes a sayer. extra adds nouns to the built-in ones, or replaces them; it may be nil.
func New(lang string, extra Nouns) (*Sayer, error) {
	if lang != "ru" && lang != "en" {
		return nil, fmt.Errorf("no spoken values in language %q; there are en and ru", lang)
	}
	return &Sayer{lang: lang, nouns: builtin.with(extra)}, nil
}

// Lang is the sayer's language.
func (s *Sayer) Lang() string { return s.lang }

// HasNoun reports whether Count knows the noun.
func (s *Sayer) HasNoun(id string) bool {
	n, ok := s.nouns[id]
	return ok && n.has(s.lang)
}

// Options refine a count.
type Options struct {
	Noun   string // id of a noun; empty: the number alone
	Gender Gender // of the number alone; a noun brings its own
	Case   Case
}

// Count says how many: 21 with the noun minute is "двадцать одна минута". Up to three decimals are spoken.
func (s *Sayer) Count(n float64, o Options) (Plan, error) {
	if math.IsNaN(n) || math.Abs(n) > MaxNumber {
		return Plan{}, fmt.Errorf("say number %v: beyond %d", n, int64(MaxNumber))
	}
	var noun *Noun
	if o.Noun != "" {
		x, ok := s.nouns[o.Noun]
		if !ok || !x.has(s.lang) {
			return Plan{}, fmt.Errorf("say number: no noun %q in %s", o.Noun, s.lang)
		}
		noun = &x
	}
	whole, frac, digits := split(n)
	var words []string
	if n < 0 && (whole != 0 || frac != 0) {
		words = append(words, s.pick("минус", "minus"))
	}
	if s.lang == "ru" {
		g := o.Gender
		if noun != nil {
			g = noun.Gender
		}
		words = append(words, ruDecimal(whole, frac, digits, g, o.Case)...)
		if noun != nil {
			words = append(words, noun.ru(whole, digits > 0, o.Case))
		}
	} else {
		words = append(words, enDecimal(whole, frac, digits)...)
		if noun != nil {
			words = append(words, noun.en(whole, digits > 0))
		}
	}
	p := s.plan(words)
	p.Plain = s.spell(whole)
	return p, nil
}

// spell reads a whole number digit by digit: every language has these recorded.
func (s *Sayer) spell(n int64) []Word {
	var words []string
	for _, d := range strconv.FormatInt(n, 10) {
		words = append(words, s.cardinal(int64(d-'0'))...)
	}
	return s.plan(words).Words
}

// split takes the absolute value apart: whole part, decimals as a number and how many decimals there are (0..3).
func split(n float64) (whole, frac int64, digits int) {
	str := strconv.FormatFloat(math.Abs(n), 'f', 3, 64)
	w, f, _ := strings.Cut(str, ".")
	f = strings.TrimRight(f, "0")
	whole, _ = strconv.ParseInt(w, 10, 64)
	if f != "" {
		frac, _ = strconv.ParseInt(f, 10, 64)
	}
	return whole, frac, len(f)
}

// Plural gives the category of a number: fraction tells that it has decimals.
func (s *Sayer) Plural(n int64, fraction bool) Category {
	if s.lang == "ru" {
		return ruCategory(n, fraction)
	}
	return enCategory(n, fraction)
}

// Ordinal says which one: 22 is "двадцать второй".
func (s *Sayer) Ordinal(n int64, g Gender, c Case) (Plan, error) {
	if n < 1 || n > 999_999 {
		return Plan{}, fmt.Errorf("say ordinal %d: only 1 to 999999", n)
	}
	p := s.plan([]string{enOrdinal(n)})
	if s.lang == "ru" {
		p = s.plan(ruOrdinal(n, g, c))
	}
	p.Plain = s.spell(n)
	return p, nil
}

// Digits reads a string of keys in groups from the left; 0 means the language's own way (Russian in pairs, English one
// by one). Blanks, hyphens, dots and brackets are skipped.
func (s *Sayer) Digits(v string, group int) (Plan, error) {
	if group == 0 {
		group = 1
		if s.lang == "ru" {
			group = 2
		}
	}
	if group < 0 || group > 3 {
		return Plan{}, fmt.Errorf("say digits: group %d is not 1 to 3", group)
	}
	var words []string
	var plain []Word
	run := ""
	flush := func() {
		for _, d := range run {
			plain = append(plain, s.spell(int64(d-'0'))...)
		}
		for len(run) > 0 {
			k := min(group, len(run))
			words = append(words, s.group(run[:k])...)
			run = run[k:]
		}
	}
	for _, r := range v {
		switch {
		case r >= '0' && r <= '9':
			run += string(r)
		case strings.ContainsRune(" -.()/\u00a0", r):
		default:
			flush()
			w, ok := s.sign(r)
			if !ok {
				return Plan{}, fmt.Errorf("say digits: the character %q has no word", r)
			}
			words = append(words, w)
		}
	}
	flush()
	p := s.plan(words)
	p.Plain = plain
	return p, nil
}

// group says one group: leading zeros one by one, then the rest as a number.
func (s *Sayer) group(g string) []string {
	var out []string
	for len(g) > 1 && g[0] == '0' {
		out = append(out, s.cardinal(0)...)
		g = g[1:]
	}
	n, _ := strconv.ParseInt(g, 10, 64)
	return append(out, s.cardinal(n)...)
}

func (s *Sayer) cardinal(n int64) []string {
	if s.lang == "ru" {
		return ruCardinal(n, Masc, Nom)
	}
	return enCardinal(n)
}

func (s *Sayer) sign(r rune) (string, bool) {
	switch r {
	case '+':
		return s.pick("плюс", "plus"), true
	case '*':
		return s.pick("звёздочка", "star"), true
	case '#':
		return s.pick("решётка", "pound"), true
	case 'A', 'B', 'C', 'D':
		return string(r), true
	}
	return "", false
}

// Ticket reads a ticket number.
func (s *Sayer) Ticket(v string) (Plan, error) { return s.Digits(strings.TrimPrefix(v, "#"), 0) }

// Phone reads a telephone number: Russian numbers as 1-3-3-2-2, others in the language's own way.
func (s *Sayer) Phone(v string) (Plan, error) {
	d := strings.TrimPrefix(v, "+")
	if s.lang != "ru" || len(d) != 11 || (d[0] != '7' && d[0] != '8') || strings.Trim(d, "0123456789") != "" {
		return s.Digits(v, 0)
	}
	var words []string
	if d != v {
		words = append(words, "плюс")
	}
	for _, g := range []string{d[:1], d[1:4], d[4:7], d[7:9], d[9:]} {
		words = append(words, s.group(g)...)
	}
	p, err := s.Digits(d, 1)
	p.Plain = p.Words
	p.Words = s.plan(words).Words
	return p, err
}

// Money says an amount of RUB, USD or EUR, rounded to hundredths; zero hundredths are not spoken.
func (s *Sayer) Money(amount float64, currency string) (Plan, error) {
	cur, ok := currencies[currency]
	if !ok {
		return Plan{}, fmt.Errorf("say money: unknown currency %q; use RUB, USD or EUR", currency)
	}
	if math.IsNaN(amount) || math.Abs(amount) > MaxNumber/100 {
		return Plan{}, fmt.Errorf("say money: %v is too much", amount)
	}
	cents := int64(math.Round(math.Abs(amount) * 100))
	var p Plan
	if amount < 0 && cents > 0 {
		p = s.plan([]string{s.pick("минус", "minus")})
	}
	if cents >= 100 || cents == 0 {
		m, err := s.Count(float64(cents/100), Options{Noun: cur.major})
		if err != nil {
			return Plan{}, err
		}
		p.Words = append(p.Words, m.Words...)
		p.Plain = append(p.Plain, m.Plain...)
	}
	if c := cents % 100; c != 0 {
		m, err := s.Count(float64(c), Options{Noun: cur.minor})
		if err != nil {
			return Plan{}, err
		}
		p.Words = append(p.Words, m.Words...)
		p.Plain = append(p.Plain, m.Plain...)
	}
	p.Lang = s.lang
	return p, nil
}

// Duration says a length of time, rounded up to a multiple of round (0: a minute): hours, minutes, and seconds if the
// rounding leaves any.
func (s *Sayer) Duration(d, round time.Duration, c Case) (Plan, error) {
	if round <= 0 {
		round = time.Minute
	}
	if d < 0 {
		d = 0
	}
	if d > 10_000*time.Hour {
		return Plan{}, fmt.Errorf("say duration: %v is too long", d)
	}
	d = (d + round - 1) / round * round
	parts := []struct {
		n    int64
		noun string
	}{{int64(d / time.Hour), "hour"}, {int64(d % time.Hour / time.Minute), "minute"}, {int64(d % time.Minute / time.Second), "second"}}
	p := Plan{Lang: s.lang}
	for _, x := range parts {
		if x.n == 0 {
			continue
		}
		m, err := s.Count(float64(x.n), Options{Noun: x.noun, Case: c})
		if err != nil {
			return Plan{}, err
		}
		p.Words = append(p.Words, m.Words...)
		p.Plain = append(p.Plain, m.Plain...)
	}
	if len(p.Words) == 0 {
		return s.Count(0, Options{Noun: "minute", Case: c})
	}
	return p, nil
}

func (s *Sayer) pick(ru, en string) string {
	if s.lang == "ru" {
		return ru
	}
	return en
}

func (s *Sayer) plan(words []string) Plan {
	p := Plan{Lang: s.lang, Words: make([]Word, 0, len(words))}
	for _, w := range words {
		p.Words = append(p.Words, Word{Text: w, Frags: fragments(s.lang, w)})
	}
	return p
}
