package asterisk

import (
	"context"
	"errors"
	"time"

	"hotline/telephony"
)

// mediaLost is told by the keeper that a media channel ended.
func (l *Leg) mediaLost(id string) {
	if !l.audio.owns(id) {
		return
	}
	l.audio.mu.Lock()
	l.audio.lost = id
	l.audio.mu.Unlock()
	l.chore(func(ctx context.Context) { l.mend(ctx, nil) })
}

// seen is what a list of Asterisk's bridges and channels says about a leg's audio.
type seen struct {
	channel bool            // the media channel is there
	members map[string]bool // of the bridge; nil: it is not there
}

// mend makes the audio what it ought to be again, until that succeeds or the leg ends. look tells what is there; nil:
// nothing was looked at. It runs after a gap in the connection, a failed change, or the loss of the media channel.
func (l *Leg) mend(ctx context.Context, look func(bridge, channel string) seen) {
	a := &l.audio
	for wait := 20 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		if a.lock(ctx) != nil {
			return
		}
		err := l.mendOnce(ctx, look)
		a.unlock()
		if err == nil || ctx.Err() != nil || errors.Is(err, ErrAway) || errors.Is(err, telephony.ErrLegEnded) || errors.Is(err, errChannelGone) {
			return // away: reconciliation comes back to it
		}
		l.log.Warn("audio could not be mended yet", "cause", err)
		if gone(err) { // the bridge went: make all of it anew
			look = func(string, string) seen { return seen{} }
		}
		if !pause(ctx, wait) {
			return
		}
	}
}

func (l *Leg) mendOnce(ctx context.Context, look func(bridge, channel string) seen) error {
	a := &l.audio
	if !a.attached && !a.rebuild {
		return nil
	}
	a.mu.Lock()
	broken := a.rebuild || a.lost == a.channel
	a.mu.Unlock()
	if look != nil && !broken {
		s := look(a.bridge, a.channel)
		broken = !s.channel || s.members == nil || !s.members[a.channel]
		if !broken && a.at == bridged && !s.members[l.channel] {
			a.at = nowhere
		}
	}
	if broken {
		if a.attached {
			a.mu.Lock()
			sock := a.sock
			a.mu.Unlock()
			a.attached, a.rebuild = false, true
			bridge, channel := a.bridge, a.channel
			l.ep.SetTransport(nil)
			a.drop(sock)
			defer l.d.chore(func(ctx context.Context) { l.scrap(ctx, bridge, channel) })
		}
		want := a.want
		l.stopMusic(ctx)
		if err := l.build(ctx); err != nil {
			return err
		}
		a.want = want
	}
	return l.settle(ctx)
}

// settle moves the caller to where it ought to be. The token is held.
func (l *Leg) settle(ctx context.Context) error {
	a := &l.audio
	if a.at == a.want || !a.attached {
		return nil
	}
	a.at = nowhere // until it is known
	if a.want == inMusic {
		err := l.noteGone(l.d.rest.ask(ctx, "POST", bridgePath(a.bridge, "/removeChannel"), params{"channel", l.channel}, nil, nil))
		if err != nil && !notInStasis(err) { // it may be out already
			return err
		}
		l.configure(false)
		if err := l.request(ctx, "POST", "moh", "mohClass", a.class); err != nil {
			return err
		}
		a.at = inMusic
		return nil
	}
	l.stopMusic(ctx)
	if err := l.noteGone(l.enter(ctx, a.bridge, l.channel)); err != nil {
		return err
	}
	l.configure(true)
	a.at = bridged
	return nil
}

// stopMusic ends music that Asterisk plays to the caller, if any. In a bridge it would go on.
func (l *Leg) stopMusic(ctx context.Context) {
	if err := l.request(ctx, "DELETE", "moh"); err != nil && !errors.Is(err, errChannelGone) && !errors.Is(err, ErrAway) && ctx.Err() == nil {
		l.log.Warn("music could not be stopped", "cause", err)
	}
}
