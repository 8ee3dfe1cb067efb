package ivr

import (
	"fmt"
	"strings"
	"time"

	"hotline/ivr/say"
)

// piece is one part of an utterance. Exactly one of prompt, text, plan and pause counts.
type piece struct {
	prompt string
	text   string // of text items; for prompts the catalogue's text
	plan   say.Plan
	pause  time.Duration
}

// words is what the piece says.
func (p piece) words() string {
	if len(p.plan.Words) > 0 {
		return p.plan.Text()
	}
	return p.text
}

// utterance is what is played without gaps.
type utterance struct {
	lang   string
	pieces []piece
}

func (u utterance) empty() bool { return len(u.pieces) == 0 }

// eval runs an expression at this moment. value is the typed value in the check of an input, else nil.
func (m *machine) eval(e *expression, value *string) (any, error) {
	f := m.flow()
	names := map[string]any{}
	for _, name := range e.reads { // only what it asks for: queue figures and load cost something
		if v, ok := m.st.frame().Vars[name]; ok {
			names[name] = v
		} else if name == "value" && value != nil {
			names[name] = *value
		} else {
			names[name] = m.fixed(name)
		}
	}
	return e.run(f.env(e.value).fill(names))
}

// fixed gives the value of a name that every flow has; nil for others.
func (m *machine) fixed(name string) any {
	c := m.caller
	switch name {
	case "call":
		return callVars{From: c.From, To: c.Called, DID: c.Called, Trunk: c.Trunk, Anonymous: c.Anonymous, Mobile: c.Mobile,
			KnownLang: c.Lang, Trust: string(c.Trust), CountToday: c.CountToday, LastTicket: c.LastTicket}
	case "customer":
		return customerVars{ID: c.CustomerID, Name: c.Name, VIP: c.VIP, Blocked: c.Blocked, Segment: c.Segment}
	case "sys":
		return m.sys()
	case "lang":
		return m.st.Lang
	case "now":
		return m.now.In(m.zone())
	case "queue":
		return m.queueInfo
	case "open":
		return func(id string) bool { return m.set.calendarState(id, m.now) == "open" }
	case "in_list":
		return func(id, v string) bool { return m.set.lists[id].has(v) }
	case "luhn":
		return luhn
	case "damm":
		return damm
	}
	return nil
}

func (m *machine) sys() Sys {
	if m.env.Sys == nil {
		return Sys{}
	}
	return m.env.Sys()
}

func (m *machine) queueInfo(name string) QueueInfo {
	if m.env.Queue == nil {
		return QueueInfo{Ready: 1, LoggedIn: 1}
	}
	return m.env.Queue(name)
}

// zone is the flow's; a sub-flow has its root's.
func (m *machine) zone() *time.Location {
	if f := m.root(); f != nil {
		return f.zone
	}
	return time.UTC
}

// utter turns a say into an utterance: conditions and values are settled now, sound later.
func (m *machine) utter(lists ...sayList) utterance {
	u := utterance{lang: m.st.Lang}
	for _, list := range lists {
		for _, it := range list {
			if it.when != nil {
				v, err := m.eval(it.when, nil)
				if err != nil {
					m.emit(effect{kind: doLog, text: "say skipped", detail: err.Error()})
					continue
				}
				if b, _ := v.(bool); !b {
					continue
				}
			}
			p, err := m.piece(it)
			if err != nil {
				m.emit(effect{kind: doLog, text: "say skipped", detail: it.kind + " cannot be said"})
				m.trace(Step{Kind: StepError})
				continue
			}
			u.pieces = append(u.pieces, p)
		}
	}
	return u
}

func (m *machine) piece(it *sayItem) (piece, error) {
	switch it.kind {
	case "prompt":
		p := m.set.prompts[it.prompt]
		if p == nil {
			return piece{}, fmt.Errorf("no prompt %s", it.prompt)
		}
		t, _, _ := p.textIn(m.st.Lang)
		return piece{prompt: it.prompt, text: t}, nil
	case "text":
		return piece{text: it.text[m.st.Lang]}, nil
	case "pause":
		return piece{pause: it.pause}, nil
	}
	v, err := m.eval(it.val, nil)
	if err != nil {
		return piece{}, err
	}
	s := m.set.sayers[m.st.Lang]
	if s == nil {
		return piece{}, fmt.Errorf("no spoken values in %s", m.st.Lang)
	}
	plan, err := sayValue(s, it, v, m.now.In(m.zone()))
	if err == nil && len(plan.Words) == 0 {
		err = fmt.Errorf("nothing to say")
	}
	return piece{plan: plan}, err
}

// sayValue plans the words of a value item.
func sayValue(s *say.Sayer, it *sayItem, v any, now time.Time) (say.Plan, error) {
	num, str := toFloat(v), ""
	str, _ = v.(string)
	t, _ := v.(time.Time)
	switch it.kind {
	case "number":
		return s.Count(num, say.Options{Noun: it.noun, Gender: it.gender, Case: it.gcase})
	case "ordinal":
		return s.Ordinal(int64(num), it.gender, it.gcase)
	case "digits":
		return s.Digits(str, it.group)
	case "phone":
		return s.Phone(str)
	case "ticket":
		return s.Ticket(strings.TrimSpace(str))
	case "date":
		return s.Date(t.In(now.Location()), it.style, it.gcase, now)
	case "time":
		return s.Time(t.In(now.Location()), it.style)
	case "duration":
		return s.Duration(time.Duration(num*float64(time.Second)), it.round, it.gcase)
	case "money":
		return s.Money(num, it.currency)
	}
	return say.Plan{}, fmt.Errorf("unknown item %s", it.kind)
}

func toFloat(v any) float64 {
	switch x := v.(type) {
	case int:
		return float64(x)
	case float64:
		return x
	}
	return 0
}
