package ivr

import (
	"regexp"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// calendar is opening hours in its own zone. An exception replaces the weekly hours of its day.
type calendar struct {
	id     string
	at     pos
	zone   *time.Location
	weekly [7][]span // by time.Weekday
	except []exception
}

// span is from..to in minutes since midnight, to exclusive; 24:00 is 1440.
type span struct{ from, to int }

type exception struct {
	from, to date // inclusive
	closed   bool
	hours    []span
}

// date is a calendar day that compares by value.
type date struct {
	y int
	m time.Month
	d int
}

func dateOf(t time.Time) date { y, m, d := t.Date(); return date{y, m, d} }

func (a date) before(b date) bool {
	if a.y != b.y {
		return a.y < b.y
	}
	if a.m != b.m {
		return a.m < b.m
	}
	return a.d < b.d
}

// state says what holds at t: open, closed or holiday (closed by an exception).
func (c *calendar) state(t time.Time) string {
	t = t.In(c.zone)
	day, min := dateOf(t), t.Hour()*60+t.Minute()
	spans, special := c.weekly[t.Weekday()], false
	for _, x := range c.except {
		if !day.before(x.from) && !x.to.before(day) {
			spans, special = x.hours, true
		}
	}
	for _, s := range spans {
		if min >= s.from && min < s.to {
			return "open"
		}
	}
	if special {
		return "holiday"
	}
	return "closed"
}

var (
	spanRe  = regexp.MustCompile(`^(\d\d):(\d\d)-(\d\d):(\d\d)$`)
	dayIDs  = []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}
	dayName = map[string]int{"sun": 0, "mon": 1, "tue": 2, "wed": 3, "thu": 4, "fri": 5, "sat": 6}
)

func parseCalendar(file, wantID string, data []byte, now time.Time, probs *[]Problem) *calendar {
	r := &reader{file: file, probs: probs}
	root := r.parse(data)
	if root == nil {
		return nil
	}
	c := &calendar{id: wantID, at: r.pos(root), zone: time.UTC}
	m := r.fields(root, "the calendar", "calendar", "timezone", "weekly", "exceptions")
	if e, ok := m["calendar"]; !ok {
		r.err(root, "L003", "add calendar: "+wantID, "the calendar has no name")
	} else if id, ok := r.id(e.v, "calendar"); ok && id != wantID {
		r.err(e.v, "L002", "rename the file or the calendar", "the calendar is called %q but its file %q", id, wantID)
	}
	if e, ok := m["timezone"]; !ok {
		r.err(root, "L003", "add timezone: Europe/Moscow", "the calendar has no timezone")
	} else if z := r.zone(e.v); z != nil {
		c.zone = z
	}
	if m["weekly"].v == nil {
		r.err(root, "L003", `add weekly: {mon-fri: ["08:00-22:00"]}`, "the calendar has no weekly hours")
	}
	seen := map[int]bool{}
	for _, e := range r.entries(m["weekly"].v, "weekly") {
		spans := r.spans(e.v)
		for _, d := range r.days(e.k) {
			if seen[d] {
				r.err(e.k, "L032", "name each day once", "the day %s has hours twice", dayIDs[d])
			}
			seen[d] = true
			c.weekly[d] = spans
		}
	}
	for _, n := range r.list(m["exceptions"].v, "exceptions") {
		if x, ok := r.exception(n); ok {
			c.except = append(c.except, x)
		}
	}
	c.stale(r, now)
	return c
}

// stale warns when the exceptions run out: next year's holidays are missing.
func (c *calendar) stale(r *reader, now time.Time) {
	if len(c.except) == 0 {
		return
	}
	last := c.except[0].to
	for _, x := range c.except {
		if last.before(x.to) {
			last = x.to
		}
	}
	if last.before(dateOf(now.In(c.zone).AddDate(0, 0, 60))) {
		r.add(SevWarning, c.at, "L032", "add the next holidays", "the last exception is on %04d-%02d-%02d, less than 60 days ahead", last.y, last.m, last.d)
	}
}

// days reads mon, mon-fri, sat-sun.
func (r *reader) days(k *yaml.Node) []int {
	from, to, ranged := strings.Cut(k.Value, "-")
	a, ok1 := dayName[from]
	b, ok2 := dayName[to]
	if !ok1 || (ranged && !ok2) {
		r.err(k, "L003", "like mon, mon-fri or sat-sun", "%q is not a day of the week", k.Value)
		return nil
	}
	out := []int{a}
	for d := a; ranged && d != b; {
		d = (d + 1) % 7
		out = append(out, d)
	}
	return out
}

func (r *reader) spans(n *yaml.Node) []span {
	var out []span
	for _, x := range r.list(n, "hours") {
		s, ok := r.text(x, "hours")
		if !ok {
			continue
		}
		m := spanRe.FindStringSubmatch(s)
		if m == nil {
			r.err(x, "L003", `like "08:00-22:00"`, "hours %q are not a span", s)
			continue
		}
		var v [4]int
		for i := range v {
			v[i], _ = strconv.Atoi(m[i+1]) // two digits: the pattern made sure
		}
		sp := span{v[0]*60 + v[1], v[2]*60 + v[3]}
		switch {
		case v[0] > 24 || v[2] > 24 || v[1] > 59 || v[3] > 59 || sp.to > 1440:
			r.err(x, "L003", "00:00 to 24:00", "hours %q: no such time of day", s)
			continue
		case sp.from >= sp.to:
			r.err(x, "L032", "split it: to 24:00, and from 00:00 on the next day", "hours %q cross midnight", s)
			continue
		}
		for _, o := range out {
			if sp.from < o.to && o.from < sp.to {
				r.add(SevWarning, r.pos(x), "L032", "", "hours %q overlap another span of the day", s)
			}
		}
		out = append(out, sp)
	}
	return out
}

func (r *reader) exception(n *yaml.Node) (exception, bool) {
	m := r.fields(n, "an exception", "date", "to", "hours", "closed", "name")
	var x exception
	e, ok := m["date"]
	if !ok {
		r.err(n, "L003", "add date: 2027-01-01", "an exception has no date")
		return x, false
	}
	if x.from, ok = r.date(e.v); !ok {
		return x, false
	}
	x.to = x.from
	if e, ok := m["to"]; ok {
		if x.to, ok = r.date(e.v); !ok {
			return x, false
		}
		if x.to.before(x.from) {
			r.err(e.v, "L032", "", "the exception ends before it begins")
		}
	}
	if e, ok := m["closed"]; ok {
		x.closed, _ = r.boolean(e.v, "closed")
	}
	if e, ok := m["hours"]; ok {
		x.hours = r.spans(e.v)
	}
	if x.closed == (m["hours"].v != nil) {
		r.err(n, "L003", `closed: true, or hours: ["10:00-14:00"]`, "an exception needs either closed or hours")
	}
	if e, ok := m["name"]; ok {
		r.ltext(e.v, "name")
	}
	return x, true
}

func (r *reader) date(n *yaml.Node) (date, bool) {
	s, ok := r.scalar(n, "date")
	if !ok {
		return date{}, false
	}
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		r.err(n, "L003", "like 2027-01-01", "%q is not a date", s)
		return date{}, false
	}
	return dateOf(t), true
}

// numberList is a list of numbers and prefixes (ending with *).
type numberList struct {
	exact  map[string]bool
	prefix []string
}

func parseList(data []byte) *numberList {
	l := &numberList{exact: map[string]bool{}}
	for line := range strings.Lines(string(data)) {
		line, _, _ = strings.Cut(line, "#")
		line = strings.TrimSpace(line)
		switch {
		case line == "":
		case strings.HasSuffix(line, "*"):
			l.prefix = append(l.prefix, strings.TrimSuffix(line, "*"))
		default:
			l.exact[line] = true
		}
	}
	return l
}

func (l *numberList) has(v string) bool {
	if l == nil || v == "" {
		return false
	}
	if l.exact[v] {
		return true
	}
	for _, p := range l.prefix {
		if strings.HasPrefix(v, p) {
			return true
		}
	}
	return false
}
