package media

import (
	"math/bits"
	"slices"
)

// hears reports whether listener may hear talker. This is the whole of listen, whisper, barge, mute and hold.
//
//	            | customer          | agent              | supervisor
//	customer    | other customers   | unless held        | unless held
//	agent       | unless held       | always             | always
//	supervisor  | barge, not held   | whisper and barge  | barge
//
// Rows talk, columns listen. A muted party is heard by nobody.
func (r *Room) hears(listener, talker *party) bool {
	if listener == talker || talker.muted {
		return false
	}
	apart := r.held && (listener.role == Customer) != (talker.role == Customer)
	switch talker.role {
	case Customer, Agent:
		return !apart
	default:
		if listener.role == Agent {
			return talker.mode >= Whisper
		}
		return talker.mode == Barge && !apart
	}
}

// recorded reports whether a channel of a tap holds talker: what customers say, and what they could hear.
func (r *Room) recorded(ch int, talker *party) bool {
	if talker.muted {
		return false
	}
	switch ch {
	case TapCustomer:
		return talker.role == Customer
	case TapAgent:
		return talker.role == Agent && !r.held
	default:
		return talker.role == Supervisor && talker.mode == Barge && !r.held
	}
}

// comforts reports whether a customer should hear the comfort tone: all agents are lost and nobody else is there.
func (r *Room) comforts(listener *party, set uint64) bool {
	if listener.role != Customer {
		return false
	}
	lost := false
	for i, p := range r.parties {
		if p.role == Agent && p.lost {
			lost = true
		} else if set>>i&1 != 0 {
			return false
		}
	}
	return lost
}

// hear gives a party another feed and ends the music of the old one. When it returns the old feed is heard no more.
func (p *party) hear(f *feed) {
	if p.music != nil {
		p.music.end(ErrReplaced)
		p.music = nil
	}
	p.feed = f
	p.ep.out.mu.Lock()
	p.ep.out.room = f
	p.ep.out.mu.Unlock()
}

// keepOrHear keeps the feed when it is of the same kind from the same talker, so that the stream goes on untouched.
func (p *party) keepOrHear(what string, from any) (f *feed, fresh bool) {
	if p.feed != nil && p.feed.what == what && p.feed.from == from {
		return p.feed, false
	}
	f = &feed{what: what, from: from}
	p.hear(f)
	return f, true
}

// rebuild works out anew who hears whom, and publishes it: feeds first, so that nobody speaks by an old route; then
// routes and the mixer's plan. Caller holds mu.
func (r *Room) rebuild() {
	routes := make([]route, len(r.parties))
	plan := &mixPlan{room: r}
	together := uint64(0) // parties heard with others
	for _, l := range r.parties {
		set := r.heardBy(l)
		switch {
		case r.held && l.role == Customer && r.hold != nil:
			r.play(l, "hold")
		case !r.held && r.comforts(l, set):
			r.play(l, "comfort")
		case bits.OnesCount64(set) == 1:
			t := bits.TrailingZeros64(set)
			f, _ := l.keepOrHear("relay", r.parties[t])
			routes[t].targets = append(routes[t].targets, target{to: l.ep, feed: f})
		default:
			f, _ := l.keepOrHear("mix", nil)
			plan.outs = append(plan.outs, mixOut{to: l.ep, feed: f, set: set})
			together |= set
		}
	}
	for _, s := range r.taps {
		for ch := range tapChannels {
			set := r.channel(ch)
			switch bits.OnesCount64(set) {
			case 0:
			case 1:
				t := bits.TrailingZeros64(set)
				routes[t].taps = append(routes[t].taps, tapPoint{state: s, ch: ch})
			default:
				plan.taps = append(plan.taps, mixTap{state: s, ch: ch, set: set})
				together |= set
			}
		}
	}
	r.listenTo(plan, routes, together)
	for i, p := range r.parties {
		routes[i].from = p
		p.ep.route.Store(&routes[i])
	}
	r.publish(plan)
}

// heardBy is the set of parties that l hears.
func (r *Room) heardBy(l *party) (set uint64) {
	for i, t := range r.parties {
		if r.hears(l, t) {
			set |= 1 << i
		}
	}
	return set
}

// channel is the set of parties on a tap's channel.
func (r *Room) channel(ch int) (set uint64) {
	for i, t := range r.parties {
		if r.recorded(ch, t) {
			set |= 1 << i
		}
	}
	return set
}

// listenTo gives an ear to every party in the set, and rewrites the plan's sets from parties to ears.
func (r *Room) listenTo(plan *mixPlan, routes []route, together uint64) {
	var place [maxParties]int
	for i, p := range r.parties {
		if together>>i&1 == 0 {
			p.mixed = false
			continue
		}
		if p.ear == nil {
			p.ear = newJitter()
		} else if !p.mixed {
			p.ear.reset()
		}
		p.mixed = true
		place[i] = len(plan.ears)
		plan.ears = append(plan.ears, p.ear)
		routes[i].mix = p.ear
	}
	ears := func(parties uint64) (set uint64) {
		for s := parties; s != 0; s &= s - 1 {
			set |= 1 << place[bits.TrailingZeros64(s)]
		}
		return set
	}
	for i := range plan.outs {
		plan.outs[i].set = ears(plan.outs[i].set)
	}
	for i := range plan.taps {
		plan.taps[i].set = ears(plan.taps[i].set)
	}
	slices.SortStableFunc(plan.outs, func(a, b mixOut) int {
		if a.set != b.set {
			if a.set < b.set {
				return -1
			}
			return 1
		}
		return int(a.to.Law()) - int(b.to.Law())
	})
	plan.pcm = make([][frameSamples]int16, len(plan.ears))
}

// publish puts the plan in force and the mixer on the clock when there is something to mix. Caller holds mu.
func (r *Room) publish(plan *mixPlan) {
	if len(plan.outs) == 0 && len(plan.taps) == 0 {
		r.plan.Store(nil)
		return
	}
	r.plan.Store(plan)
	if r.mixing != nil || r.cfg.Pacer == nil {
		return
	}
	m := &mixer{room: r}
	if err := r.cfg.Pacer.add(m); err != nil {
		r.cfg.Log.Warn("room cannot be mixed", "err", err)
		return
	}
	r.mixing = m
}

// play lets a party hear music: hold or comfort. Caller holds mu.
func (r *Room) play(l *party, what string) {
	f, fresh := l.keepOrHear(what, nil)
	if !fresh || r.cfg.Pacer == nil {
		return
	}
	t := &track{clips: []clip{newToneClip(r.cfg.Comfort)}}
	if what == "hold" {
		t = r.hold.copy()
	}
	l.music = &player{e: l.ep, feed: f, track: t, done: make(chan struct{})}
	if err := r.cfg.Pacer.add(l.music); err != nil {
		r.cfg.Log.Warn("room cannot play music", "err", err, "what", what)
	}
}
