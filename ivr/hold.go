package ivr

import (
	"context"
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
// was reserved: the sound stops at once; ErrLegEnded when the caller leaves. A told position or wait never grows. Keys
// that are no open offer are dropped.
func (r *Run) Hold(ctx context.Context, leg telephony.Leg, q *QueueReq, status func() WaitStatus) (exit string, err error) {
	ctx, cancel := context.WithCancel(ctx)
	h := &holder{Run: r, ctx: ctx, leg: leg, q: q, status: status, start: r.now(), done: make(chan error, 1)}
	defer func() {
		cancel()
		h.join()
	}()
	h.plan()
	h.music()
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		timer.Reset(max(0, h.next.Sub(r.now())))
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
			h.speak()
		case err := <-h.done:
			h.playing = false
			if err != nil && h.speech {
				r.log.Info("announcement not played", "err", err)
			}
			h.ended(err)
		}
	}
}

// holder is one Hold.
type holder struct {
	*Run
	ctx      context.Context
	leg      telephony.Leg
	q        *QueueReq
	status   func() WaitStatus
	start    time.Time
	next     time.Time // of the next announcement
	musicAt  time.Time // when the music began this time
	offset   time.Duration
	told     int           // last position told; 0: none
	toldWait time.Duration // last wait told; 0: none
	toldAt   time.Time
	heard    map[string]bool // offers announced now: their keys are open
	speech   bool            // what plays is speech
	playing  bool
	failures int
	stopOld  context.CancelFunc
	done     chan error // size 1: at most one player runs
}

// far is a time that never comes in a call.
const far = 1000 * time.Hour

// plan sets the time of the first announcement or offer.
func (h *holder) plan() {
	h.next = h.now().Add(far)
	waited := h.now().Sub(h.q.Since)
	if h.q.Since.IsZero() {
		waited = 0
	}
	if h.q.Announce.First > 0 {
		h.next = h.now().Add(max(h.q.Announce.First-waited, 0))
		if waited > h.q.Announce.First { // back in the queue: not at once again
			h.next = h.now().Add(max(h.q.Announce.Every, time.Second))
		}
	}
	for _, o := range h.q.Offers {
		if at := h.now().Add(max(o.After-waited, 0)); at.Before(h.next) {
			h.next = at
		}
	}
	h.heard = map[string]bool{}
}

func (h *holder) offer(key string) (Offer, bool) {
	for _, o := range h.q.Offers {
		if o.Key == key && (h.heard[o.Exit] || h.due(o)) && h.openNow(o) {
			return o, true
		}
	}
	return Offer{}, false
}

// openNow: an offer that was announced stays open although it was heard as often as allowed.
func (h *holder) openNow(o Offer) bool { return h.heard[o.Exit] || h.m.offerOpen(o) }

func (h *holder) due(o Offer) bool {
	since := h.q.Since
	if since.IsZero() {
		since = h.start
	}
	return h.now().Sub(since) >= o.After
}

// music plays on where it was.
func (h *holder) music() {
	p := h.q.MOH
	p.Loop = true
	p.Offset = h.offset
	h.speech = false
	h.musicAt = h.now()
	if len(p.Clips) > 0 {
		h.play(func(context.Context) telephony.Prompt { return p })
	}
}

// ended goes back to music after speech, and tries the music again after a failure, ever more slowly.
func (h *holder) ended(err error) {
	if h.ctx.Err() != nil {
		return
	}
	if err == nil || h.speech {
		h.failures = 0
		h.music()
		return
	}
	h.failures++
	h.speech = true // the pause counts as speech: music follows
	pause := min(time.Duration(h.failures)*time.Second, 10*time.Second)
	h.play(func(context.Context) telephony.Prompt {
		return telephony.Prompt{Clips: []telephony.Clip{{Silence: pause}}}
	})
}

// speak makes the announcement that is due and sets the time of the next.
func (h *holder) speak() {
	now := h.now()
	every := h.q.Announce.Every
	h.next = now.Add(far)
	if every > 0 {
		h.next = now.Add(every)
	}
	for _, o := range h.q.Offers {
		if at := h.start.Add(o.After); !h.due(o) && at.After(now) && at.Before(h.next) {
			h.next = at
		}
	}
	var parts []func(context.Context) telephony.Prompt
	if h.q.Announce.First > 0 && h.status != nil {
		parts = h.announcements(h.status())
	}
	for _, o := range h.q.Offers {
		if h.due(o) && h.m.offerOpen(o) {
			h.m.st.Offered[h.m.offerID(o)]++
			h.heard[o.Exit] = true
			parts = append(parts, func(context.Context) telephony.Prompt { return o.Prompt })
		}
	}
	if len(parts) == 0 {
		return
	}
	h.offset += now.Sub(h.musicAt)
	h.speech = true
	h.play(func(ctx context.Context) telephony.Prompt {
		var p telephony.Prompt
		for _, f := range parts {
			p.Clips = append(p.Clips, f(ctx).Clips...)
		}
		return p
	})
}

// announcements chooses what may be told: never a worse position or wait than was told before.
func (h *holder) announcements(st WaitStatus) []func(context.Context) telephony.Prompt {
	var parts []func(context.Context) telephony.Prompt
	a := h.q.Announce
	if a.PositionMax > 0 && st.Position > 0 && st.Position <= a.PositionMax {
		n := st.Position
		if h.told > 0 {
			n = min(n, h.told)
		}
		h.told = n
		parts = append(parts, func(ctx context.Context) telephony.Prompt { return h.set.position(ctx, h.q.Lang, n) })
	}
	if a.WaitRound <= 0 || st.Wait <= 0 {
		return parts
	}
	wait := (st.Wait + a.WaitRound - 1) / a.WaitRound * a.WaitRound
	left := h.toldWait - h.now().Sub(h.toldAt)
	if h.toldWait > 0 && !st.Worse && st.Wait > left {
		return parts // more than what was told: say no number (metrics 9.2, rule 5)
	}
	h.toldAt = h.now()
	h.toldWait = wait
	if a.WaitMax > 0 && wait > a.WaitMax {
		return append(parts, func(ctx context.Context) telephony.Prompt { return h.set.waitOver(ctx, h.q.Lang, a.WaitMax) })
	}
	return append(parts, func(ctx context.Context) telephony.Prompt { return h.set.wait(ctx, h.q.Lang, wait, a.WaitRound) })
}

// play replaces what plays. The old player is joined first: its Play returns as soon as its context ends.
func (h *holder) play(make func(context.Context) telephony.Prompt) {
	h.join()
	ctx, cancel := context.WithCancel(h.ctx)
	h.stopOld, h.playing = cancel, true
	go func() {
		p := make(ctx)
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
		<-h.done
		h.playing = false
	}
}
