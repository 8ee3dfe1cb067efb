package media

import "time"

// route is where one party's received audio goes: an immutable table that the packet path reads. Rooms make a new one
// for every change.
type route struct {
	from    *party
	targets []target   // who hears this party alone
	mix     *jitter    // the mixer's ear; nil: nobody hears this party together with others
	taps    []tapPoint // recordings where this party is the only voice of the channel
}

type target struct {
	to   *Endpoint
	feed *feed
}

type tapPoint struct {
	state *tapState
	ch    int
}

// audio carries one packet of G.711 to everybody who hears it: readers first, then those who speak the same law, and
// last those for whom the payload is rewritten.
func (r *route) audio(b []byte, h *header, at time.Time) {
	payload, law := b[h.off:h.end], Law(h.pt)
	for _, t := range r.taps {
		t.state.frame(t.ch, r.from, h.pt, h.ssrc, h.ts, at, payload)
	}
	if r.mix != nil && !r.mix.put(law, h.ssrc, h.ts, payload) {
		r.from.ep.countLate()
	}
	other := false
	for _, t := range r.targets {
		if t.to.Law() != law {
			other = true
			continue
		}
		t.to.out.relay(t.feed, b, h, h.pt, t.to.since(at))
	}
	if !other {
		return
	}
	convert(payload, law)
	law = PCMU + PCMA - law
	for _, t := range r.targets {
		if t.to.Law() == law {
			t.to.out.relay(t.feed, b, h, uint8(law), t.to.since(at))
		}
	}
}

// event carries one telephone-event packet. It never reaches a mixer or a recording.
func (r *route) event(b []byte, h *header, at time.Time) {
	for _, t := range r.targets {
		t.to.out.relayEvent(t.feed, b, h, t.to.since(at))
	}
}

// countLate counts a packet that missed the mixer.
func (e *Endpoint) countLate() {
	e.in.mu.Lock()
	e.in.stats.Late++
	e.in.mu.Unlock()
}
