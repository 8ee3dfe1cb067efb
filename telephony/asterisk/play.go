package asterisk

import (
	"context"
	"errors"
	"time"

	"hotline/telephony"
)

// backLimit bounds the return from music to our audio.
const backLimit = time.Second

// quiet keeps the endpoint's place while Asterisk plays: whoever takes it, a prompt or a talk, ends the music.
var quiet = telephony.Prompt{Clips: []telephony.Clip{{Silence: time.Second}}, Loop: true}

// Play plays a prompt; see telephony.Leg. Looping music with a name is played by Asterisk itself, so that the caller
// hears it whatever becomes of us: the caller is taken out of our bridge for it and is back before Play returns. Before
// Progress or Answer there is nobody to hear anything.
func (l *Leg) Play(ctx context.Context, p telephony.Prompt) error {
	if err := l.alive(ctx); err != nil {
		return err
	}
	turn := l.turn.Add(1)
	var err error
	class := l.d.musicClass(p)
	switch {
	case class == "":
		l.move(ctx, turn, bridged, "")
		err = l.ep.Play(ctx, p)
	case l.move(ctx, turn, inMusic, class) || ctx.Err() != nil: // if ctx has ended, the caller may be on the way to the music all the same
		err = l.ep.Play(ctx, quiet)
		l.back(ctx, turn)
	default:
		l.back(ctx, turn)
		err = l.ep.Play(ctx, p)
	}
	if err != nil && ctx.Err() == nil {
		select {
		case <-l.done:
			return telephony.ErrLegEnded
		default:
		}
	}
	return err
}

// musicClass is Asterisk's music for a prompt; empty: the prompt is to be played by us. A class that Asterisk does not
// have gives its default.
func (d *Driver) musicClass(p telephony.Prompt) string {
	switch {
	case p.Music == "" || !p.Loop:
		return ""
	case p.Music == "default":
		return d.cfg.MusicClass
	}
	return p.Music
}

// move brings the caller where the Play of this turn needs it. False: it is not there, or ctx has ended. Requests once begun
// go on when ctx ends, and what comes next waits for them: Asterisk would carry out one that we turned away from all the
// same, maybe after those that follow.
func (l *Leg) move(ctx context.Context, turn uint64, want place, class string) bool {
	ctx, cancel := l.bound(ctx)
	defer cancel()
	a := &l.audio
	if l.ctx.Err() != nil {
		return false
	}
	if a.lock(ctx) != nil {
		if want == bridged { // somebody waits for Asterisk: after that
			l.chore(func(ctx context.Context) { l.insist(ctx, turn) })
		}
		return false
	}
	if !a.attached || l.turn.Load() != turn {
		a.unlock()
		return false
	}
	if want == inMusic && a.at == inMusic && a.class != class {
		a.at = nowhere
	}
	if a.want = want; want == inMusic {
		a.class = class
	}
	there := make(chan bool, 1)
	settle := func(link context.Context) {
		defer a.unlock()
		ctx, cancel := l.bound(link)
		defer cancel()
		there <- l.settleOrMend(ctx)
	}
	if !l.d.chore(settle) { // we stop
		a.unlock()
		return false
	}
	select {
	case t := <-there:
		return t
	case <-ctx.Done():
		return false
	}
}

// settleOrMend settles. What fails is mended later, or for music played by us. The token is held.
func (l *Leg) settleOrMend(ctx context.Context) bool {
	a := &l.audio
	want := a.want
	err := l.settle(ctx)
	if err == nil {
		return true
	}
	if want == inMusic {
		a.want = bridged // we play it
	}
	if ctx.Err() == nil && !errors.Is(err, ErrAway) && !errors.Is(err, errChannelGone) {
		l.log.Warn("the caller could not be moved", "cause", err)
	}
	if want == bridged && !errors.Is(err, errChannelGone) {
		l.chore(func(ctx context.Context) { l.mend(ctx, nil) })
	}
	return false
}

// back takes the caller out of the music when the Play of this turn is over, even if its context has ended.
func (l *Leg) back(ctx context.Context, turn uint64) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), backLimit)
	defer cancel()
	l.move(ctx, turn, bridged, "")
}

// insist is back without a limit of its own, for when Asterisk is slow.
func (l *Leg) insist(ctx context.Context, turn uint64) {
	a := &l.audio
	if a.lock(ctx) != nil {
		return
	}
	if l.turn.Load() == turn {
		a.want = bridged
	}
	a.unlock()
	l.mend(ctx, nil)
}
