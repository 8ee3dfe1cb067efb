package media

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"hotline/telephony"
)

// Play plays a prompt to this party from its beginning, without gaps between clips. It returns when the last sample
// was sent (nil), ctx ended (its cause), another Play or a talk took its place (ErrReplaced) or the endpoint was closed
// (telephony.ErrLegEnded); a file that cannot be played is an error that names it, and nothing is heard. It goes before
// what the party's room has for it; entering a room stops it.
func (e *Endpoint) Play(ctx context.Context, p telephony.Prompt) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if e.cfg.Pacer == nil {
		return e.errorf("play", ErrNoPacer)
	}
	tr, err := newTrack(ctx, e.cfg.Library, p)
	if err != nil {
		return e.errorf("play", err)
	}
	if tr.over() {
		return nil
	}
	pl := &player{e: e, feed: &feed{what: "prompt"}, track: tr, done: make(chan struct{})}
	if err := e.startPlayer(pl); err != nil {
		return err
	}
	select {
	case <-pl.done:
		return pl.err
	case <-ctx.Done():
		pl.end(context.Cause(ctx))
		return context.Cause(ctx)
	}
}

// startPlayer puts pl in the place of what was playing.
func (e *Endpoint) startPlayer(pl *player) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.player != nil {
		e.player.end(ErrReplaced)
	}
	e.out.mu.Lock()
	closed := e.out.closed
	if !closed {
		e.out.prompt = pl.feed
	}
	e.out.mu.Unlock()
	if closed {
		return telephony.ErrLegEnded
	}
	e.player = pl
	if err := e.cfg.Pacer.add(pl); err != nil {
		pl.end(err)
		return e.errorf("play", err)
	}
	return nil
}

// stopPlayer ends the running Play, if any.
func (e *Endpoint) stopPlayer(why error) {
	e.mu.Lock()
	pl := e.player
	e.player = nil
	e.mu.Unlock()
	if pl != nil {
		pl.end(why)
	}
}

// player is a prompt being played to one endpoint, by Play or as a room's music.
type player struct {
	e       *Endpoint
	feed    *feed
	track   *track // owned by the Pacer's goroutine
	buf     [headerSize + frameSamples]byte
	stopped atomic.Bool
	once    sync.Once
	err     error         // set before done is closed
	done    chan struct{} // closed when it is over
}

// frame implements task.
func (p *player) frame(n int64, at time.Time) bool {
	if p.stopped.Load() {
		return false
	}
	law := p.e.Law()
	if !p.track.fill(p.buf[headerSize:], law) {
		p.end(nil) // a frame's time after the last frame: its samples are out
		return false
	}
	p.e.out.frame(p.feed, p.buf[:], uint8(law), n, p.e.since(at))
	return true
}

// abandon implements task.
func (p *player) abandon(why error) { p.end(why) }

// end stops it: when it returns nothing of it is sent any more.
func (p *player) end(why error) {
	p.once.Do(func() {
		p.stopped.Store(true)
		p.e.out.mu.Lock()
		if p.e.out.prompt == p.feed {
			p.e.out.prompt = nil
		}
		p.e.out.mu.Unlock()
		p.err = why
		close(p.done)
	})
}

// keyTime, keyGap, endPackets: how a key is sent. 100 ms on and 100 ms off is what exchanges do.
const (
	keyFrames  = 5 // 100 ms
	gapFrames  = 5
	endPackets = 3 // RFC 4733 2.5.1.4
)

// SendDigits presses keys on the far side's keypad (RFC 4733), one after another, and returns when the last is out
// (nil), ctx ended (its cause), or the endpoint was closed (telephony.ErrLegEnded). ErrNoEvents if the far side takes none. Audio rests meanwhile. A second call waits for the
// first.
func (e *Endpoint) SendDigits(ctx context.Context, keys string) error {
	for i := range len(keys) {
		if !telephony.ValidKey(keys[i]) {
			return e.errorf("send keys", errors.New("not a key of the keypad"))
		}
	}
	if keys == "" {
		return nil
	}
	if e.cfg.Pacer == nil {
		return e.errorf("send keys", ErrNoPacer)
	}
	select {
	case e.keysBusy <- struct{}{}:
		defer func() { <-e.keysBusy }()
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-e.done:
		return telephony.ErrLegEnded
	}
	k := &keySender{e: e, keys: keys, feed: &feed{what: "keys"}, done: make(chan struct{})}
	e.out.mu.Lock()
	pt, closed := e.out.eventPT, e.out.closed
	if pt != 0 && !closed {
		e.out.keys = k.feed
	}
	e.out.mu.Unlock()
	if closed {
		return telephony.ErrLegEnded
	}
	if pt == 0 {
		return e.errorf("send keys", ErrNoEvents)
	}
	if err := e.cfg.Pacer.add(k); err != nil {
		k.end(err)
		return e.errorf("send keys", err)
	}
	select {
	case <-k.done:
		return k.err
	case <-ctx.Done():
		k.end(context.Cause(ctx))
		return context.Cause(ctx)
	case <-e.done:
		k.end(telephony.ErrLegEnded)
		return telephony.ErrLegEnded
	}
}

// keySender sends keys in the Pacer's time.
type keySender struct {
	e       *Endpoint
	feed    *feed
	keys    string
	step    int // frame of the key in hand
	buf     [headerSize + 4]byte
	stopped atomic.Bool
	once    sync.Once
	err     error
	done    chan struct{}
}

// frame implements task.
func (k *keySender) frame(_ int64, at time.Time) bool {
	if k.stopped.Load() {
		return false
	}
	if k.keys == "" {
		k.end(nil)
		return false
	}
	s := k.step
	k.step++
	if s >= keyFrames+gapFrames {
		k.keys, k.step = k.keys[1:], 0
		return true
	}
	dur := uint16(min(s+1, keyFrames) * frameSamples)
	p := k.buf[headerSize:]
	p[0] = eventOf(k.keys[0])
	p[1] = 10 // -10 dBm0
	p[2], p[3] = byte(dur>>8), byte(dur)
	since := k.e.since(at)
	switch {
	case s < keyFrames:
		k.e.out.event(k.feed, k.buf[:], s == 0, uint32(dur), since)
	case s == keyFrames:
		p[1] |= 0x80
		for range endPackets {
			k.e.out.event(k.feed, k.buf[:], false, uint32(dur), since)
		}
	}
	return true
}

// abandon implements task.
func (k *keySender) abandon(why error) { k.end(why) }

func (k *keySender) end(why error) {
	k.once.Do(func() {
		k.stopped.Store(true)
		k.e.out.mu.Lock()
		if k.e.out.keys == k.feed {
			k.e.out.keys = nil
		}
		k.e.out.mu.Unlock()
		k.err = why
		close(k.done)
	})
}

// eventOf is the event code of a key (RFC 4733 table 7).
func eventOf(key byte) byte {
	for i := range len(telephony.Keys) {
		if telephony.Keys[i] == key {
			return byte(i)
		}
	}
	panic(fmt.Sprintf("media: %q is not a key", key)) // SendDigits has checked
}
