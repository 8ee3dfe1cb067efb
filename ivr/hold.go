package ivr

import (
	"context"
	"errors"
	"time"

	"hotline/telephony"
)

// WaitStatus is what Hold asks before each announcement.
type WaitStatus struct {
	Position int           // from 1; 0: unknown
	Wait     time.Duration // expected wait; 0: unknown, nothing is said
	Worse    bool          // agents left since the last announcement: a longer wait may be told
}

// Hold plays music, announcements and offers to a waiting caller. It returns the exit of an offer when the caller
// presses its key, during music and speech alike; ctx's cause when ctx ends, which is how the driver says that an agent
// was reserved: the sound stops at once; ErrLegEnded when the caller leaves. It may be called again for the same stay,
// after an agent did not answer: music and announcements go on where they were, and a told position or wait never
// grows. Keys that are no open offer are dropped.
func (r *Run) Hold(ctx context.Context, leg telephony.Leg, q *QueueReq, status func() WaitStatus) (exit string, err error) {
	ctx, cancel := context.WithCancel(ctx)
	h := &holder{Run: r, ctx: ctx, leg: leg, q: q, status: status, start: r.now(), done: make(chan error, 1)}
	defer func() {
		cancel()
		h.join()
		h.pauseMusic()
	}()
	h.remember()
	h.music()
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		timer.Reset(max(0, h.due().Sub(r.now())))
		select {
		case <-ctx.Done():
			return "", context.Cause(ctx)
		case <-leg.Done():
			return "", telephony.ErrLegEnded
		case k := <-leg.Digits():
			if o, ok := h.offer(string(k.Key)); ok {
				return o.Exit, nil
			}
		case <-timer.C:
			h.tick()
		case err := <-h.done:
			h.playing = false
			h.ended(err)
		}
	}
}

// toldMemory is what a caller was told in one stay in a queue; it outlives a Hold.
type toldMemory struct {
	next     time.Time       // of the next announcement
	offset   time.Duration   // of the music
	position int             // last told; 0: none
	wait     time.Duration   // last told; 0: none
	waitAt   time.Time       // when
	offers   map[string]bool // announced: their keys stay open
}

// holder is one Hold.
type holder struct {
	*Run
	*toldMemory
	ctx      context.Context
	leg      telephony.Leg
	q        *QueueReq
	status   func() WaitStatus
	start    time.Time
	musicAt  time.Time // when the music began this time; zero: it does not play
	again    time.Time // when music that failed is tried again; zero: it did not
	failures int
	speech   bool // what plays is speech
	playing  bool
	stopOld  context.CancelFunc
	done     chan error // size 1: at most one player runs
}

// far is a time that never comes in a call.
const far = 1000 * time.Hour

// since is the time of entry.
func (h *holder) since() time.Time {
	if h.q.Since.IsZero() {
		return h.start
	}
	return h.q.Since
}

// remember takes up the memory of this stay, or begins one with the time of the first announcement or offer.
func (h *holder) remember() {
	key := h.q.Since.UnixNano()
	if h.toldMemory = h.told[key]; h.toldMemory != nil {
		if h.next.Before(h.start) { // it came due while the agent was rung
			h.next = h.start.Add(time.Second)
		}
		return
	}
	h.toldMemory = &toldMemory{offers: map[string]bool{}, next: h.start.Add(far)}
	if !h.q.Since.IsZero() {
		h.told[key] = h.toldMemory
	}
	if first := h.q.Announce.First; first > 0 {
		h.next = later(h.since().Add(first), h.start)
	}
	for _, o := range h.q.Offers {
		if at := later(h.since().Add(o.After), h.start); at.Before(h.next) {
			h.next = at
		}
	}
}

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

// due is when tick has something to do.
func (h *holder) due() time.Time {
	if !h.again.IsZero() && h.again.Before(h.next) {
		return h.again
	}
	return h.next
}

func (h *holder) tick() {
	now := h.now()
	if !h.again.IsZero() && !now.Before(h.again) {
		h.again = time.Time{}
		h.music()
	}
	if !now.Before(h.next) {
		h.speak()
	}
}

// offer finds the open offer on a key: one that was announced, or whose time has come and whose condition holds.
func (h *holder) offer(key string) (Offer, bool) {
	h.m.now = h.now()
	for _, o := range h.q.Offers {
		if o.Key == key && (h.offers[o.Exit] || h.reached(o) && h.m.offerOpen(o)) {
			return o, true
		}
	}
	return Offer{}, false
}

func (h *holder) reached(o Offer) bool { return h.now().Sub(h.since()) >= o.After }

// music plays on where it was.
func (h *holder) music() {
	p := h.q.MOH
	p.Loop = true
	p.Offset = h.offset
	h.speech = false
	if len(p.Clips) > 0 {
		h.musicAt = h.now()
		h.play(func(context.Context) telephony.Prompt { return p })
	}
}

// pauseMusic notes how far the music came.
func (h *holder) pauseMusic() {
	if !h.musicAt.IsZero() {
		h.offset += h.now().Sub(h.musicAt)
		h.musicAt = time.Time{}
	}
}

// ended goes back to music after speech. Music never ends by itself: if it does, it is tried again, ever more slowly.
func (h *holder) ended(err error) {
	if h.ctx.Err() != nil || errors.Is(err, telephony.ErrLegEnded) {
		return
	}
	if err != nil {
		h.log.Warn("waiting caller hears nothing", "speech", h.speech, "err", err)
	}
	if h.speech {
		h.music()
		return
	}
	h.pauseMusic()
	h.failures++
	h.again = h.now().Add(min(time.Duration(h.failures)*time.Second, 30*time.Second))
}

// speak makes the announcement that is due and sets the time of the next.
func (h *holder) speak() {
	now := h.now()
	h.m.now = now
	h.next = now.Add(far)
	if h.q.Announce.Every > 0 {
		h.next = now.Add(h.q.Announce.Every)
	}
	for _, o := range h.q.Offers {
		if at := h.since().Add(o.After); at.After(now) && at.Before(h.next) {
			h.next = at
		}
	}
	var parts []func(context.Context) telephony.Prompt
	if h.q.Announce.First > 0 && h.status != nil && !now.Before(h.since().Add(h.q.Announce.First)) {
		parts = h.announcements(h.status())
	}
	for _, o := range h.q.Offers {
		if h.reached(o) && h.m.offerOpen(o) {
			h.m.st.Offered[h.m.offerID(o)]++
			h.offers[o.Exit] = true
			parts = append(parts, func(context.Context) telephony.Prompt { return o.Prompt })
		}
	}
	if len(parts) == 0 {
		return
	}
	h.pauseMusic()
	h.again = time.Time{}
	h.play(func(ctx context.Context) telephony.Prompt {
		var p telephony.Prompt
		for _, f := range parts {
			p.Clips = append(p.Clips, f(ctx).Clips...)
		}
		return p
	})
	h.speech = true
}

// announcements chooses what may be told: never a worse position or wait than was told before.
func (h *holder) announcements(st WaitStatus) []func(context.Context) telephony.Prompt {
	var parts []func(context.Context) telephony.Prompt
	a := h.q.Announce
	lang := h.q.Lang
	if a.PositionMax > 0 && st.Position > 0 && st.Position <= a.PositionMax {
		n := st.Position
		if h.position > 0 {
			n = min(n, h.position)
		}
		h.position = n
		parts = append(parts, func(ctx context.Context) telephony.Prompt { return h.set.position(ctx, lang, n) })
	}
	if a.WaitRound <= 0 || st.Wait <= 0 {
		return parts
	}
	if h.wait > 0 && !st.Worse && st.Wait > h.wait-h.now().Sub(h.waitAt) {
		return parts // more than what is left of the told wait: say no number (metrics 9.2, rule 5)
	}
	wait := (st.Wait + a.WaitRound - 1) / a.WaitRound * a.WaitRound
	h.wait, h.waitAt = wait, h.now()
	if a.WaitMax > 0 && wait > a.WaitMax {
		return append(parts, func(ctx context.Context) telephony.Prompt { return h.set.waitOver(ctx, lang, a.WaitMax) })
	}
	return append(parts, func(ctx context.Context) telephony.Prompt { return h.set.wait(ctx, lang, wait, a.WaitRound) })
}

// play replaces what plays. The old player is joined first: its Play returns as soon as its context ends.
func (h *holder) play(sound func(context.Context) telephony.Prompt) {
	h.join()
	ctx, cancel := context.WithCancel(h.ctx)
	h.stopOld, h.playing = cancel, true
	go func() {
		p := sound(ctx)
		err := ctx.Err()
		if err == nil {
			err = h.leg.Play(ctx, p)
		}
		h.done <- err
	}()
}

func (h *holder) join() {
	if h.stopOld != nil {
		h.stopOld()
		h.stopOld = nil
	}
	if h.playing {
		<-h.done //nolint:errcheck // what was cut off has no result
		h.playing = false
	}
}
