package ivr

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"hotline/ivr/say"
	"hotline/telephony"
)

// Hash names the version: 7 characters over flows, prompts, nouns, recordings and routes. Calendars and lists are not
// part of it.
func (s *Set) Hash() string { return s.hash }

// Route says what to do with a called number; false: the set does not know it.
func (s *Set) Route(called string) (Route, bool) {
	for _, r := range s.routes {
		if r.Number == called {
			return r, true
		}
	}
	return Route{}, false
}

// Routes lists all routes as written.
func (s *Set) Routes() []Route { return append([]Route(nil), s.routes...) }

// Flows lists the flows by id.
func (s *Set) Flows() []FlowInfo {
	var out []FlowInfo
	for _, id := range sortedKeys(s.flows) {
		f := s.flows[id]
		kind := "inbound"
		if f.sub {
			kind = "subflow"
		}
		out = append(out, FlowInfo{ID: id, Kind: kind, Title: maps.Clone(f.title), Languages: append([]string(nil), f.languages...), Nodes: len(f.nodes)})
	}
	return out
}

// Label is the title of a node per language; a node without one is called by its id in every language of the flow.
func (s *Set) Label(flow, node string) map[string]string {
	out := map[string]string{}
	f := s.flows[flow]
	if f == nil {
		return map[string]string{"en": node}
	}
	for _, l := range f.languages {
		out[l] = node
	}
	if n := f.nodes[node]; n != nil {
		maps.Copy(out, n.title)
	}
	return out
}

// calendarState says open, closed or holiday; an unknown calendar is closed.
func (s *Set) calendarState(id string, t time.Time) string {
	c := s.cals[id]
	if c == nil {
		return "closed"
	}
	return c.state(t)
}

// Open reports whether a calendar is open at t; an unknown one is not.
func (s *Set) Open(calendar string, t time.Time) bool { return s.calendarState(calendar, t) == "open" }

// Music is the looped music of that name; the default's when there is none or id is empty.
func (s *Set) Music(id string) telephony.Prompt {
	if p, ok := s.sounds.music[id]; ok {
		return p
	}
	return s.sounds.music[defaultMusic]
}

// Prompt is a catalogue prompt in a language; false: there is no such prompt, or nothing of it can be heard.
func (s *Set) Prompt(lang, id string) (telephony.Prompt, bool) {
	p := s.prompts[id]
	if p == nil {
		return telephony.Prompt{}, false
	}
	t, _, ok := p.textIn(lang)
	if !ok {
		return telephony.Prompt{}, false
	}
	out := s.promptOf(context.Background(), utterance{lang, []piece{{prompt: id, text: t}}})
	return out, len(out.Clips) > 0
}

// Text is the words of a catalogue prompt.
func (s *Set) Text(lang, id string) (string, bool) {
	if p := s.prompts[id]; p != nil {
		t, _, ok := p.textIn(lang)
		return t, ok
	}
	return "", false
}

// promptOf makes an utterance audible; what cannot be heard is logged and left out.
func (s *Set) promptOf(ctx context.Context, u utterance) telephony.Prompt {
	if u.empty() {
		return telephony.Prompt{}
	}
	cs, err := s.sounds.clips(ctx, u)
	if err != nil && !errors.Is(err, context.Canceled) {
		s.log.Warn("nothing to hear", "lang", u.lang, "err", err)
	}
	return telephony.Prompt{Clips: cs}
}

// Position announces a place in the queue, from 1. It may take up to the limit of speech synthesis; call it beside the
// music, not between two keys.
func (s *Set) Position(lang string, n int) telephony.Prompt {
	return s.position(context.Background(), lang, n)
}

// Wait announces an expected wait, rounded up to whole minutes.
func (s *Set) Wait(lang string, d time.Duration) telephony.Prompt {
	return s.WaitRounded(lang, d, time.Minute)
}

// WaitRounded announces an expected wait, rounded up to a multiple of round.
func (s *Set) WaitRounded(lang string, d, round time.Duration) telephony.Prompt {
	return s.wait(context.Background(), lang, d, round)
}

// WaitOver announces a wait above the longest one that is told: "more than thirty minutes".
func (s *Set) WaitOver(lang string, d time.Duration) telephony.Prompt {
	return s.waitOver(context.Background(), lang, d)
}

func (s *Set) position(ctx context.Context, lang string, n int) telephony.Prompt {
	return s.announce(ctx, lang, promptPosition, &sayItem{kind: "number"}, n)
}

func (s *Set) wait(ctx context.Context, lang string, d, round time.Duration) telephony.Prompt {
	return s.announce(ctx, lang, promptWait, &sayItem{kind: "duration", round: round}, d.Seconds())
}

func (s *Set) waitOver(ctx context.Context, lang string, d time.Duration) telephony.Prompt {
	return s.announce(ctx, lang, promptWaitOver, &sayItem{kind: "duration", gcase: say.Gen}, d.Seconds())
}

// announce is a catalogue prompt followed by a value.
func (s *Set) announce(ctx context.Context, lang, id string, it *sayItem, v any) telephony.Prompt {
	u, err := s.announceWords(lang, id, it, v)
	if err != nil {
		s.log.Warn("announcement cannot be said", "prompt", id, "lang", lang, "err", err)
		return telephony.Prompt{}
	}
	return s.promptOf(ctx, u)
}

func (s *Set) announceWords(lang, id string, it *sayItem, v any) (utterance, error) {
	u := utterance{lang: lang}
	p := s.prompts[id]
	sayer := s.sayers[lang]
	if p == nil || sayer == nil {
		return u, fmt.Errorf("no words for it")
	}
	if t, _, ok := p.textIn(lang); ok {
		u.pieces = append(u.pieces, piece{prompt: id, text: t})
	}
	plan, err := sayValue(sayer, it, v, time.Time{})
	if err != nil {
		return u, err
	}
	u.pieces = append(u.pieces, piece{plan: plan})
	return u, nil
}

// Start begins a run of a flow for a caller. A flow that does not exist makes a run whose first outcome is an error.
func (s *Set) Start(flow string, c Caller, env Env) *Run {
	return s.StartRoute(Route{Number: c.Called, Flow: flow}, c, env)
}

// StartRoute begins what a route names: its flow, or its queue straight away. Prefer it to Start: it knows the route's
// language and fallback queue.
func (s *Set) StartRoute(r Route, c Caller, env Env) *Run {
	return newRun(s, newMachine(s, r, c, env), env)
}

// Restore goes on from a state that State gave, of this very version. A run that was handed over gives the same kind of
// outcome again; one that was asking asks again.
func (s *Set) Restore(st State, c Caller, env Env) (*Run, error) {
	if st.Bundle != s.hash {
		return nil, fmt.Errorf("restore a run: it is of version %s, this is %s", st.Bundle, s.hash)
	}
	if len(st.Frames) == 0 {
		return nil, fmt.Errorf("restore a run: it stands nowhere")
	}
	m := newMachine(s, st.Route, c, env)
	m.st = st.copy(s)
	for i := range m.st.Frames {
		fr := &m.st.Frames[i]
		if f := s.flows[fr.Flow]; f != nil && fr.Node != nodeFallback {
			if err := fr.retype(f); err != nil {
				return nil, err
			}
		}
	}
	if m.st.Attached == nil {
		m.st.Attached = map[string]string{}
	}
	if m.st.QueueSince == nil {
		m.st.QueueSince = map[string]time.Time{}
	}
	if m.st.Offered == nil {
		m.st.Offered = map[string]int{}
	}
	return newRun(s, m, env), nil
}
