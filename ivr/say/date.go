package say

import (
	"fmt"
	"time"
)

// Date says the day of t in t's own zone. now decides what Relative means. A case matters for Russian only.
func (s *Sayer) Date(t time.Time, style string, c Case, now time.Time) (Plan, error) {
	switch style {
	case "", DayMonth:
		return s.plan(s.dayMonth(t, c)), nil
	case DayMonthYear:
		return s.plan(append(s.dayMonth(t, c), s.year(t.Year())...)), nil
	case Weekday:
		return s.plan(append([]string{s.weekday(t.Weekday())}, s.dayMonth(t, c)...)), nil
	case Relative:
		if w := s.relative(days(now.In(t.Location()), t)); w != "" {
			return s.plan([]string{w}), nil
		}
		return s.plan(s.dayMonth(t, c)), nil
	}
	return Plan{}, fmt.Errorf("say date: unknown style %q", style)
}

// days counts calendar days from a to b, both in b's zone.
func days(a, b time.Time) int {
	da := time.Date(a.Year(), a.Month(), a.Day(), 12, 0, 0, 0, time.UTC)
	db := time.Date(b.Year(), b.Month(), b.Day(), 12, 0, 0, 0, time.UTC)
	return int(db.Sub(da).Hours() / 24)
}

func (s *Sayer) relative(d int) string {
	switch d {
	case -1:
		return s.pick("вчера", "yesterday")
	case 0:
		return s.pick("сегодня", "today")
	case 1:
		return s.pick("завтра", "tomorrow")
	case 2:
		return s.pick("послезавтра", "")
	}
	return ""
}

func (s *Sayer) dayMonth(t time.Time, c Case) []string {
	if s.lang == "ru" {
		return append(ruOrdinal(int64(t.Day()), Neut, c), ruMonths[t.Month()-1])
	}
	return []string{t.Month().String(), enOrdinal(int64(t.Day()))}
}

func (s *Sayer) weekday(d time.Weekday) string {
	return s.pick(ruWeekdays[d], d.String())
}

func (s *Sayer) year(y int) []string {
	if s.lang == "ru" {
		return append(ruOrdinal(int64(y), Masc, Gen), "года")
	}
	switch {
	case y >= 2000 && y < 2010, y < 1000, y > 9999:
		return enCardinal(int64(y))
	case y%100 == 0:
		return append(enCardinal(int64(y/100)), "hundred")
	case y%100 < 10:
		return append(enCardinal(int64(y/100)), append([]string{"oh"}, enCardinal(int64(y%100))...)...)
	}
	return append(enCardinal(int64(y/100)), enCardinal(int64(y%100))...)
}

// Time says the time of day of t in t's own zone. By and Since are genitive in Russian ("до восемнадцати часов") and
// round minutes up to five.
func (s *Sayer) Time(t time.Time, style string) (Plan, error) {
	c := Nom
	switch style {
	case "", At:
	case By, Since:
		c = Gen
		t = t.Truncate(time.Minute)
		if m := t.Minute() % 5; m != 0 {
			t = t.Add(time.Duration(5-m) * time.Minute)
		}
	default:
		return Plan{}, fmt.Errorf("say time: unknown style %q", style)
	}
	if s.lang == "en" {
		return s.plan(enTime(t)), nil
	}
	h, err := s.Count(float64(t.Hour()), Options{Noun: "hour", Case: c})
	if err != nil || t.Minute() == 0 {
		return h, err
	}
	m, err := s.Count(float64(t.Minute()), Options{Noun: "minute", Case: c})
	h.Words = append(h.Words, m.Words...)
	h.Plain = append(h.Plain, m.Plain...)
	return h, err
}

func enTime(t time.Time) []string {
	half := "a.m."
	if t.Hour() >= 12 {
		half = "p.m."
	}
	h := t.Hour() % 12
	if h == 0 {
		h = 12
	}
	words := enCardinal(int64(h))
	switch m := t.Minute(); {
	case m == 0:
	case m < 10:
		words = append(append(words, "oh"), enCardinal(int64(m))...)
	default:
		words = append(words, enCardinal(int64(m))...)
	}
	return append(words, half)
}
