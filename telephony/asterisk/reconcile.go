package asterisk

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/CyCoreSystems/ari/v6"

	"hotline/telephony"
)

// channelState is a channel as lists and answers give it.
type channelState struct {
	ID, Name, State string
	Vars            map[string]string
	call            callInfo
	inStasis        bool
}

// UnmarshalJSON reads it by the library's type.
func (c *channelState) UnmarshalJSON(data []byte) error {
	var d ari.ChannelData
	if err := d.UnmarshalJSON(data); err != nil {
		return err
	}
	*c = channelState{ID: d.ID, Name: d.Name, State: d.State, Vars: d.ChannelVars, call: infoOf(&d)}
	c.inStasis = d.Dialplan != nil && d.Dialplan.AppName == "Stasis"
	return nil
}

// event is what the channel's being there says.
func (c *channelState) event(now time.Time) event {
	e := event{kind: evShown, channel: c.ID, name: c.Name, at: now, up: c.State == "Up", call: c.call}
	if c.inStasis {
		e.kind = evEntered
	}
	return e
}

// inventory is what Asterisk has of our application.
type inventory struct {
	channels map[string]channelState
	bridges  map[string]map[string]bool // members
}

// reconcile brings both sides together after any gap: legs whose channel is gone end, calls nobody runs are taken over
// or begun, and what we left behind is destroyed. Channels of other applications are not touched.
func (d *Driver) reconcile(ctx context.Context) error {
	known := map[string]*Leg{}
	graves := map[string]int{}
	d.ask(func(t *table) { // before we look: what comes after is not missed by the list
		for id, l := range t.legs {
			if l.inbound || l.placed.Load() {
				known[id] = l
			}
		}
		for id, cause := range t.graves {
			graves[id] = cause
		}
	})
	inv, err := d.takeInventory(ctx)
	if err != nil {
		return fmt.Errorf("reconcile: %w", err)
	}
	for id, l := range known {
		c, there := inv.channels[id]
		if !there {
			l.post(event{kind: evAbsent, channel: id, at: d.cfg.Now()})
			continue
		}
		l.post(c.event(d.cfg.Now()))
		l.chore(func(ctx context.Context) { l.mend(ctx, inv.look); l.rearm() })
	}
	for id, cause := range graves {
		if _, there := inv.channels[id]; there {
			d.chore(func(ctx context.Context) { d.exhume(ctx, id, cause) })
		} else {
			d.ask(func(t *table) { delete(t.graves, id) })
		}
	}
	return d.sweep(ctx, inv, known, graves)
}

// takeInventory lists what belongs to the application.
func (d *Driver) takeInventory(ctx context.Context) (*inventory, error) {
	var app ari.ApplicationData
	var channels []channelState
	var bridges []ari.BridgeData
	for wait := 10 * time.Millisecond; ; wait *= 2 { // the socket may be open a moment before the application is there
		err := d.rest.send(ctx, "GET", "/applications/"+d.cfg.App, nil, nil, &app)
		if err == nil {
			break
		}
		if !gone(err) || wait > time.Second || !pause(ctx, wait) {
			return nil, err
		}
	}
	if err := d.rest.send(ctx, "GET", "/channels", nil, nil, &channels); err != nil {
		return nil, err
	}
	if err := d.rest.send(ctx, "GET", "/bridges", nil, nil, &bridges); err != nil {
		return nil, err
	}
	inv := &inventory{channels: map[string]channelState{}, bridges: map[string]map[string]bool{}}
	mine := map[string]bool{}
	for _, id := range app.ChannelIDs {
		mine[id] = true
	}
	for _, c := range channels {
		if mine[c.ID] || d.isOurs(c.ID) {
			inv.channels[c.ID] = c
		}
	}
	for _, b := range bridges {
		if d.isOurs(b.ID) {
			members := map[string]bool{}
			for _, id := range b.ChannelIDs {
				members[id] = true
			}
			inv.bridges[b.ID] = members
		}
	}
	return inv, nil
}

// look tells what of a leg's audio is there.
func (inv *inventory) look(bridge, channel string) seen {
	_, there := inv.channels[channel]
	return seen{channel: there, members: inv.bridges[bridge]}
}

// sweep takes over what nobody here knows.
func (d *Driver) sweep(ctx context.Context, inv *inventory, known map[string]*Leg, graves map[string]int) error {
	for id, c := range inv.channels {
		if known[id] != nil {
			continue
		}
		if _, dead := graves[id]; dead {
			continue
		}
		if d.isOurs(id) && !d.isCall(id) {
			d.sweepMedia(id)
			continue
		}
		if err := d.find(ctx, c); err != nil {
			return err
		}
	}
	for id := range inv.bridges {
		d.chore(func(ctx context.Context) {
			if d.belongs(id) {
				return
			}
			if err := d.rest.ask(ctx, "DELETE", bridgePath(id, ""), nil, nil, nil); err == nil {
				d.met.destroyed.WithLabelValues("bridge").Inc()
			} else if !gone(err) {
				d.log.Warn("a leftover bridge could not be destroyed yet", "bridge", id, "cause", err)
			}
		})
	}
	return nil
}

// isCall tells a call that we made from a media channel.
func (d *Driver) isCall(id string) bool { return id == d.cfg.App+":"+string(d.legOf(id))+":c" }

// belongs reports whether a living leg has this bridge or media channel.
func (d *Driver) belongs(id string) bool {
	var l *Leg
	if !d.ask(func(t *table) { l = t.byID[d.legOf(id)] }) {
		return true // stopping: not ours to judge any more
	}
	return l != nil && l.audio.owns(id)
}

// sweepMedia destroys a media channel that no living leg has.
func (d *Driver) sweepMedia(id string) {
	d.chore(func(ctx context.Context) {
		if d.belongs(id) {
			return
		}
		if err := d.hangupInAsterisk(ctx, id, qNormal); err != nil {
			d.log.Warn("a leftover media channel could not be destroyed yet", "channel", id, "cause", err)
			return
		}
		d.met.destroyed.WithLabelValues("channel").Inc()
	})
}

// find takes a channel that is there without a leg: one of an earlier process is offered for adoption, another is a call
// whose beginning we missed.
func (d *Driver) find(ctx context.Context, c channelState) error {
	id, err := d.variableNow(ctx, c.ID, legVariable)
	if gone(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("reconcile: %w", err)
	}
	e := c.event(d.cfg.Now())
	e.kind = evEntered
	if id == "" && !d.isOurs(c.ID) {
		d.met.found.WithLabelValues("new").Inc()
		d.ask(func(t *table) {
			if t.legs[c.ID] == nil && t.graves[c.ID] == 0 {
				d.admit(t, e)
			}
		})
		return nil
	}
	if !c.inStasis || len(id) != 26 || d.draining.Load() {
		if !d.draining.Load() {
			d.log.Warn("a channel of ours that still rings or has no leg is hung up", "channel", c.ID)
			d.chore(func(ctx context.Context) { d.exhume(ctx, c.ID, qNormal) })
		}
		return nil
	}
	d.ask(func(t *table) {
		if t.legs[c.ID] != nil || t.byID[telephony.LegID(id)] != nil || t.graves[c.ID] != 0 {
			return
		}
		l := d.newLeg(telephony.LegID(id), c.ID, !d.isOurs(c.ID), d.trunks.Load().byName[endpointOf(c.Name)])
		l.facts.entered, l.facts.up = true, e.up
		l.entered = e
		l.placed.Store(true)
		if l.start() {
			t.add(l)
			d.legs.run(l.resume)
		}
	})
	return nil
}

// variableNow is variable for the link, which asks before anybody else may.
func (d *Driver) variableNow(ctx context.Context, channel, name string) (string, error) {
	var v struct{ Value string }
	err := d.rest.send(ctx, "GET", channelPath(channel, "/variable"), params{"variable", name}, nil, &v)
	if s, ok := errors.AsType[*statusError](err); ok && s.Code == 404 && s.Message == "Provided variable was not found" {
		return "", nil
	}
	return v.Value, err
}

// resume offers a leg of an earlier process to the application.
func (l *Leg) resume() {
	taken := false
	l.d.guard(func() {
		if !l.introduce(l.entered, false) {
			return
		}
		if l.entered.up {
			err := l.patiently(l.ctx, func() error {
				l.stopMusic(l.ctx)
				return l.attach(l.ctx)
			})
			if err != nil {
				l.log.Warn("a call found in Asterisk could not be taken over", "cause", err)
				return
			}
			l.answered.Store(true)
			l.rearm()
		}
		l.d.met.found.WithLabelValues("offered").Inc()
		taken = l.d.adopt(l.ctx, l)
	})
	if taken {
		return
	}
	l.d.met.found.WithLabelValues("orphan").Inc()
	l.Hangup(telephony.CauseNormal)
	<-l.done
}
