package asterisk

import (
	"context"
	"time"

	"hotline/telephony"
)

// own is the leg's owner: it adds up the events and ends the leg, once.
func (l *Leg) own() {
	settle, ring := &alarm{}, &alarm{}
	defer settle.stop()
	defer ring.stop()
	if l.ringFor > 0 {
		ring.set(l.ringFor)
	}
	ok := l.d.guard(func() {
		for l.turnOver(settle, ring) {
		}
	})
	if !ok {
		l.finish(classify(panicked, "", 0), causeFor(telephony.CauseServerError, l.facts.up), "panic")
	}
}

// turnOver does one thing. False: the leg is over.
func (l *Leg) turnOver(settle, ring *alarm) bool {
	select {
	case w := <-l.urgent: // before what waits in the box: a hang-up takes effect at once
		return l.endBy(w)
	default:
	}
	select {
	case w := <-l.urgent:
		return l.endBy(w)
	case e := <-l.box:
		return l.take(e, settle, ring)
	case <-settle.c():
		return l.ended()
	case <-ring.c():
		return l.endBy(why{what: ringTimeout, cause: telephony.CauseUnavailable, detail: "not answered in time"})
	case <-l.overflow:
		l.log.Error("too many events of one channel: reading how it is")
		l.chore(l.reread)
		return true
	case <-l.ctx.Done():
		return l.endBy(why{what: stopping, cause: telephony.CauseOverload, detail: "server stopping"})
	}
}

// take adds an event and does what it asks for.
func (l *Leg) take(e event, settle, ring *alarm) bool {
	var do effect
	l.facts, do = l.facts.add(e)
	if do&doKey != 0 {
		l.pushDigit(telephony.Digit{Key: e.key, At: l.d.cfg.Now(), Source: "rfc4733"})
	}
	if do&doRinging != 0 && l.ringing != nil && !l.answered.Load() {
		l.d.guard(l.ringing)
	}
	if do&doAnswered != 0 && !l.inbound {
		ring.stop()
		l.answered.Store(true)
		close(l.ready)
	}
	if do&doHold != 0 {
		l.audio.hold(l, l.facts.held)
	}
	if do&doFinish != 0 {
		return l.ended()
	}
	if do&doSettle != 0 {
		settle.set(settleFor)
	}
	return true
}

// ended ends the leg as its facts tell. The channel is gone, or going: Asterisk needs no word.
func (l *Leg) ended() bool {
	e, detail := l.facts.ending(l.inbound, l.answered.Load(), l.side)
	l.finish(e, 0, detail)
	return false
}

// ending is how a channel's facts count. answered says that we know it was; side is who the far side is.
func (f facts) ending(inbound, answered bool, side telephony.Side) (e telephony.End, detail string) {
	code := f.endCause()
	up := answered || f.up
	switch {
	case f.absent && f.hung == 0 && !f.left && !f.gone:
		return classify(lost, "", 0), "lost with Asterisk"
	case up && f.dead:
		return classify(noMedia, "", code), "Asterisk heard nothing for too long"
	case up:
		e = classify(leftUp, "", code)
	case inbound:
		e = classify(leftEarly, "", code)
	default:
		return classify(refusedBy, "", code), ""
	}
	e.By = side
	switch {
	case f.hung != 0 && f.soft:
		e.By, detail = telephony.SideSystem, "hung up in Asterisk"
	case f.hung == 0 && !f.gone: // it may live on in the dialplan, which took it from us
		detail = "left our control in Asterisk"
	}
	return e, detail
}

// endBy ends the leg for a reason of ours.
func (l *Leg) endBy(w why) bool {
	up := l.answered.Load() || l.facts.up
	h := w.what
	if h == hangup {
		switch {
		case up:
		case l.inbound:
			h = reject
		default:
			h = withdraw
		}
	}
	l.finish(classify(h, w.cause, 0), causeFor(w.cause, up), w.detail)
	return false
}

// finish makes the ending final: it tells everybody here, and Asterisk in its own time. tell is the cause for Asterisk;
// 0: the channel is gone. Only the owner calls it, once.
func (l *Leg) finish(e telephony.End, tell int, detail string) {
	e.Detail = detail
	l.mu.Lock()
	l.hanging, l.end = true, e
	l.mu.Unlock()
	stay := l.d.leave.Load() && e.Reason == telephony.ReasonDraining
	if stay {
		tell = 0
	}
	l.release()
	l.audio.silence()
	close(l.done)
	l.cancel(telephony.ErrLegEnded)
	l.d.ask(func(t *table) { t.drop(l, tell) })
	l.d.chore(func(ctx context.Context) {
		if tell != 0 {
			l.d.exhume(ctx, l.channel, tell)
		}
		l.audio.clear(ctx, l, stay)
	})
	party := l.Party()
	l.log.Info("leg ended", "sip_call_id", party.SIPCallID, "trunk", party.Trunk, "channel", l.channel, "direction", l.direction(), "result", string(e.Result),
		"reason", string(e.Reason), "by", string(e.By), "code", e.Code, "detail", detail)
}

// reread brings the leg up to date after events were lost.
func (l *Leg) reread(ctx context.Context) {
	for wait := 50 * time.Millisecond; ; wait = min(2*wait, 2*time.Second) {
		var c channelState
		err := l.d.rest.ask(ctx, "GET", channelPath(l.channel, ""), nil, nil, &c)
		switch {
		case gone(err):
			l.post(event{kind: evAbsent, channel: l.channel, at: l.d.cfg.Now()})
			return
		case err == nil:
			l.post(c.event(l.d.cfg.Now()))
			return
		}
		if !pause(ctx, wait) {
			return
		}
	}
}

// pause waits; false: ctx ended first.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// alarm is a timer of the owner's; stopped, it never fires.
type alarm struct{ t *time.Timer }

func (a *alarm) set(d time.Duration) {
	if a.t == nil {
		a.t = time.NewTimer(d)
		return
	}
	a.t.Reset(d)
}

func (a *alarm) stop() {
	if a.t != nil {
		a.t.Stop()
	}
}

func (a *alarm) c() <-chan time.Time {
	if a.t == nil {
		return nil
	}
	return a.t.C
}
