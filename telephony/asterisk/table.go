package asterisk

import (
	"context"
	"strings"

	"hotline/telephony"
)

// table is every leg and what of it is in Asterisk. It belongs to the keeper.
type table struct {
	legs   map[string]*Leg // by channel
	byID   map[telephony.LegID]*Leg
	ours   map[string]chan struct{} // media channels that are expected to enter; closed when they have
	owner  map[string]*Leg          // of media channels
	graves map[string]int           // channels that ended here but may live in Asterisk, with the cause to give; at most maxGraves
}

// maxGraves bounds what is remembered of a long absence. Beyond it such a channel is offered for adoption and refused.
const maxGraves = 4096

func newTable() *table {
	return &table{legs: map[string]*Leg{}, byID: map[telephony.LegID]*Leg{}, ours: map[string]chan struct{}{}, owner: map[string]*Leg{}, graves: map[string]int{}}
}

// keep is the keeper: it hands events to legs and does what it is asked. It never blocks.
func (d *Driver) keep() {
	t := newTable()
	for {
		select {
		case e := <-d.inbox:
			d.guard(func() { d.dispatch(t, e) })
		case f := <-d.asks:
			d.guard(func() { f(t) })
		case <-d.stopped:
			return
		}
	}
}

// ask has the keeper do something and waits for it. False: the driver has stopped.
func (d *Driver) ask(f func(*table)) bool {
	if !d.started.Load() {
		return false
	}
	done := make(chan struct{})
	select {
	case d.asks <- func(t *table) { defer close(done); f(t) }:
	case <-d.stopped:
		return false
	}
	select {
	case <-done:
		return true
	case <-d.stopped:
		return false
	}
}

// Calls counts live legs, both ways.
func (d *Driver) Calls() int {
	n := 0
	d.ask(func(t *table) { n = len(t.legs) })
	return n
}

// Known reports whether there is a live leg of that id, or the driver has stopped and cannot tell.
func (d *Driver) Known(id telephony.LegID) bool {
	known := false
	return !d.ask(func(t *table) { known = t.byID[id] != nil }) || known
}

// dispatch hands an event to whom it concerns.
func (d *Driver) dispatch(t *table, e event) {
	if l := t.legs[e.channel]; l != nil {
		l.post(e)
		return
	}
	if d.isOurs(e.channel) {
		switch e.kind {
		case evEntered:
			if c := t.ours[e.channel]; c != nil {
				close(c)
				delete(t.ours, e.channel)
			}
		case evLeft, evGone:
			if l := t.owner[e.channel]; l != nil {
				l.mediaLost(e.channel)
			}
		}
		return
	}
	if e.kind == evEntered && t.graves[e.channel] == 0 {
		d.admit(t, e)
	}
}

// isOurs reports whether we made what has this id, now or in an earlier process.
func (d *Driver) isOurs(id string) bool { return strings.HasPrefix(id, d.cfg.App+":") }

// legOf is the leg that a channel or bridge of ours was made for.
func (d *Driver) legOf(id string) telephony.LegID {
	rest, _ := strings.CutPrefix(id, d.cfg.App+":")
	leg, _, _ := strings.Cut(rest, ":")
	return telephony.LegID(leg)
}

// admit takes a channel that entered, or refuses it before anything is allocated.
func (d *Driver) admit(t *table, e event) {
	tr := d.trunks.Load().byName[endpointOf(e.name)]
	why, cause := "", telephony.CauseOverload
	switch {
	case d.draining.Load():
		why = "draining"
	case len(t.legs) >= d.cfg.MaxCalls:
		why = "overload"
	case tr != nil && !tr.cfg.Enabled:
		why, cause = "disabled", telephony.CauseForbidden
	case tr != nil && tr.full():
		why = "trunk_full"
	}
	if why != "" {
		d.met.refused.WithLabelValues(why).Inc()
		t.bury(e.channel, causeFor(cause, e.up))
		d.chore(func(ctx context.Context) { d.exhume(ctx, e.channel, causeFor(cause, e.up)) })
		return
	}
	l := d.newLeg(d.newID(), e.channel, true, tr)
	l.facts.entered, l.facts.up = true, e.up
	l.entered = e
	if !l.start() {
		return // stopping: the next process finds the channel, or Asterisk's dialplan goes on
	}
	t.add(l)
	d.legs.run(l.welcome)
}

func (t *table) add(l *Leg) { t.legs[l.channel], t.byID[l.id] = l, l }

// drop forgets a leg. Its channel is remembered as one to hang up, unless it is known to be gone.
func (t *table) drop(l *Leg, cause int) {
	if t.legs[l.channel] == l {
		delete(t.legs, l.channel)
		delete(t.byID, l.id)
	}
	for id, o := range t.owner {
		if o == l {
			delete(t.owner, id)
		}
	}
	if cause != 0 {
		t.bury(l.channel, cause)
	}
}

func (t *table) bury(channel string, cause int) {
	if len(t.graves) < maxGraves {
		t.graves[channel] = cause
	}
}

// exhume hangs a channel up in Asterisk and forgets it when that is certain; else reconciliation tries again.
func (d *Driver) exhume(ctx context.Context, channel string, cause int) {
	if err := d.hangupInAsterisk(ctx, channel, cause); err != nil {
		d.log.Warn("a channel could not be hung up yet", "channel", channel, "cause", err)
		return
	}
	d.ask(func(t *table) { delete(t.graves, channel) })
}

// expect registers a media channel of a leg before it is made; entered is closed when it is under our control.
func (d *Driver) expect(l *Leg, id string) (entered <-chan struct{}) {
	c := make(chan struct{})
	d.ask(func(t *table) { t.ours[id], t.owner[id] = c, l })
	return c
}

// forget takes a media channel out of the table.
func (d *Driver) forget(id string) {
	d.ask(func(t *table) { delete(t.ours, id); delete(t.owner, id) })
}
