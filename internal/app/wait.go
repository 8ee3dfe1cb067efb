package app

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"hotline/ivr"
	"hotline/queue"
	"hotline/telephony"
	"hotline/telephony/calllog"
)

// queueAndTalk is one stay in a queue and, if it comes to that, the talk. It gives the exit for the menu, or the end.
func (a *App) queueAndTalk(ctx context.Context, c *call, out ivr.Outcome) (exit string, over *telephony.End) {
	q, cfg := a.stay(c, out)
	if err := c.in.Answer(ctx); err != nil {
		e := callerLeft(c.in, telephony.ReasonAbandonedMenu)
		return "", &e
	}
	c.note(ctx, a, calllog.TypeAnswered, nil)
	lang := cmp.Or(q.Lang, c.run.Lang())
	place, err := a.engine.Enter(ctx, queue.Entry{Call: c.id, Queue: q.Name, Priority: q.Priority + a.vipPriority(c), Skills: q.Skills, Lang: lang, MaxWait: q.MaxWait,
		Credit: c.waited, Later: c.waited > 0}) // the old place is kept all the same, where it is still there
	c.waited = 0
	if err != nil {
		return a.notAdmitted(ctx, c, out, cfg, err)
	}
	a.entered(ctx, c, q.Name, lang, "")
	return a.inQueue(ctx, c, out, &q, place)
}

// stay is what the menu asked for, completed by the queue's own settings.
func (a *App) stay(c *call, out ivr.Outcome) (ivr.QueueReq, queue.Queue) {
	q := *out.Queue
	cfg := a.queueConfig(q.Name)
	if sameClips(q.MOH, c.set.Music("")) { // the menu names no music: the queue's own
		q.MOH = a.music(cfg.MOH)
	}
	if out.Flow == "" { // a route without a menu: the queue's own announcements
		q.Announce.First, q.Announce.Every = seconds(cfg.AnnounceFirstS), seconds(cfg.AnnounceEveryS)
	}
	return q, cfg
}

func seconds(n int) time.Duration { return time.Duration(n) * time.Second }

// sameClips reports whether two prompts play the same files; one without clips is like any other.
func sameClips(a, b telephony.Prompt) bool {
	return len(a.Clips) == 0 || slices.EqualFunc(a.Clips, b.Clips, func(x, y telephony.Clip) bool { return x.File == y.File && x.Tone == y.Tone })
}

// vipPriority lifts callers whose number policy says so by one class.
func (a *App) vipPriority(c *call) int {
	if c.who.VIP {
		return 10
	}
	return 0
}

// entered journals and shows that the call waits.
func (a *App) entered(ctx context.Context, c *call, queueName, lang, tag string) {
	c.note(ctx, a, calllog.TypeQueued, calllog.Queued{Queue: queueName, Lang: lang, Tag: tag})
	c.update(a.now(), func(v *callView) {
		v.State, v.Queue, v.QueueName, v.Lang, v.Agent = "waiting", queueName, a.queueConfig(queueName).Name, lang, ""
		v.Held, v.Muted = false, false
	})
	a.publish()
}

// notAdmitted turns a refusal of the queue into the menu's exit, or into the queue's own policy when the menu has none.
func (a *App) notAdmitted(ctx context.Context, c *call, out ivr.Outcome, cfg queue.Queue, err error) (string, *telephony.End) {
	exit, policy := ivr.ExitNoAgents, cfg.OnNoAgents
	switch {
	case errors.Is(err, queue.ErrFull):
		exit, policy = ivr.ExitFull, cfg.OnFull
	case errors.Is(err, queue.ErrNoAgents), errors.Is(err, queue.ErrClosed):
	case errors.Is(err, queue.ErrUnknownQueue):
		a.log.Error("menu asks for a queue that does not exist", "call", c.id, "queue", out.Queue.Name)
	default:
		a.log.Error("queue does not take the call", "call", c.id, "queue", out.Queue.Name, "cause", err)
	}
	c.note(ctx, a, calllog.TypeLeftQueue, calllog.LeftQueue{Queue: out.Queue.Name, Outcome: exit})
	return a.byExitOrPolicy(ctx, c, out, exit, policy)
}

// byExitOrPolicy prefers what the menu wired.
func (a *App) byExitOrPolicy(ctx context.Context, c *call, out ivr.Outcome, exit string, policy queue.Policy) (string, *telephony.End) {
	if out.Flow != "" && out.Exit(exit) { // a route without a menu has only the queue's own policy
		return exit, nil
	}
	switch policy {
	case queue.PolicyVoicemail:
		return "", a.queueVoicemail(ctx, c, out.Queue.Name)
	case queue.PolicyCallback:
		_ = c.in.Play(ctx, a.notice("pls-wait-connect-call"))
		c.in.Hangup(telephony.CauseNormal)
		return "", &telephony.End{Result: telephony.ResultSuccess, Reason: telephony.ReasonCallback, By: telephony.SideSystem, Detail: "queue policy"}
	}
	c.in.Hangup(telephony.CauseNormal)
	return "", &telephony.End{Result: telephony.ResultServer, Reason: telephony.ReasonNoAnswer, By: telephony.SideSystem, Detail: "queue: " + exit}
}

// queueVoicemail is the queue's own answering machine; the call ends with it, since no menu describes what follows.
func (a *App) queueVoicemail(ctx context.Context, c *call, name string) *telephony.End {
	exit, over := a.voicemail(ctx, c, a.plainVoicemail(c, name))
	if over != nil {
		return over
	}
	c.in.Hangup(telephony.CauseNormal)
	if exit != ivr.ExitDone {
		return &telephony.End{Result: telephony.ResultServer, Reason: telephony.ReasonNoAnswer, By: telephony.SideSystem, Detail: "voicemail " + exit}
	}
	return &telephony.End{Result: telephony.ResultSuccess, Reason: telephony.ReasonVoicemail, By: telephony.SideSystem, Detail: "queue policy"}
}

// placeEvents turns a place into a channel that a select can read. The goroutine ends with stop, which waits for it.
func placeEvents(ctx context.Context, p *queue.Place) (events <-chan queue.Event, stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	ch := make(chan queue.Event) // unbuffered: the place keeps what is not read
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			ev, err := p.Next(ctx)
			if err != nil {
				return
			}
			select {
			case ch <- ev:
			case <-ctx.Done():
				return
			}
		}
	}()
	return ch, func() { cancel(); <-done }
}

// inQueue waits in place until an agent talks, the menu goes on, or the call is over.
func (a *App) inQueue(ctx context.Context, c *call, out ivr.Outcome, q *ivr.QueueReq, place *queue.Place) (exit string, over *telephony.End) {
	w := &waiting{a: a, c: c, q: q, out: out, place: place}
	events, stop := placeEvents(ctx, place)
	defer stop()
	w.play(ctx)
	defer w.silence()
	for {
		select {
		case <-c.in.Done():
			why := queue.LeftAbandoned
			if c.in.End().Reason == telephony.ReasonUnreachable { // the PBX is gone: not the caller's own leaving
				why = queue.LeftFault
			}
			place.Leave(why)
			w.left(ctx, string(why))
			w.silence() // the run is ours again
			c.run.HungUp()
			e := callerLeft(c.in, telephony.ReasonAbandonedWait)
			return "", &e
		case <-ctx.Done():
			if !cutOff(ctx) {
				continue
			}
			place.Leave(queue.LeftFault)
			w.left(ctx, "draining")
			return "", drainedEnd(ctx)
		case h := <-w.held:
			w.held = nil
			if h.err == nil && h.exit != "" {
				place.Leave(leaveBy(h.exit))
				w.left(ctx, h.exit)
				return h.exit, nil
			}
			if h.err != nil && c.in.End() == (telephony.End{}) && ctx.Err() == nil {
				a.log.Warn("music and announcements failed; waiting in silence", "call", c.id, "cause", h.err)
			}
		case m := <-c.cmds:
			if m.name == "kick" {
				m.reply <- commandReply{err: a.engine.Remove(ctx, c.id, m.who, m.text)}
				continue
			}
			m.refuse()
		case ev := <-events:
			if exit, over, fin := w.event(ctx, ev); fin {
				return exit, over
			}
		}
	}
}

func leaveBy(exit string) queue.LeaveReason {
	switch exit {
	case "callback", "cb":
		return queue.LeftCallback
	case "voicemail", "vm":
		return queue.LeftVoicemail
	}
	return queue.LeaveReason(exit)
}

// waiting is one stay in a queue: what the caller hears meanwhile, and what the place reports.
type waiting struct {
	a     *App
	c     *call
	q     *ivr.QueueReq
	out   ivr.Outcome
	place *queue.Place

	offer queue.OfferID // the one being rung or talked on

	held chan holdResult // result of the music and announcements that play now; nil: none
	stop context.CancelFunc
	wait chan struct{} // closed when the playing goroutine has ended
}

type holdResult struct {
	exit string
	err  error
}

// play starts music, announcements and offers.
func (w *waiting) play(ctx context.Context) {
	w.silence()
	ctx, w.stop = context.WithCancel(ctx)
	held, wait := make(chan holdResult, 1), make(chan struct{})
	w.held, w.wait = held, wait
	pos := &w.a.positions
	id := w.c.id
	go func() {
		defer close(wait)
		exit, err := w.c.run.Hold(ctx, w.c.in, w.q, func() ivr.WaitStatus { return ivr.WaitStatus{Position: pos.get(id)} })
		held <- holdResult{exit, err}
	}()
}

// music plays nothing but the music: an agent is reserved, no announcement may be in the way.
func (w *waiting) music(ctx context.Context) {
	w.silence()
	ctx, w.stop = context.WithCancel(ctx)
	wait := make(chan struct{})
	w.wait = wait
	go func() {
		defer close(wait)
		m := w.q.MOH
		m.Loop = true
		_ = w.c.in.Play(ctx, m)
	}()
}

// silence ends what plays and joins it.
func (w *waiting) silence() {
	if w.stop != nil {
		w.stop()
		<-w.wait
		w.stop, w.held = nil, nil
	}
}

func (w *waiting) left(ctx context.Context, outcome string) {
	w.a.positions.drop(w.c.id)
	w.c.note(ctx, w.a, calllog.TypeLeftQueue, calllog.LeftQueue{Queue: w.q.Name, Outcome: outcome})
}

// event handles what the place reports; fin says that the stay is over.
func (w *waiting) event(ctx context.Context, ev queue.Event) (exit string, over *telephony.End, fin bool) {
	a, c := w.a, w.c
	switch ev.Kind {
	case queue.Position:
		a.positions.set(c.id, ev.Position)
		a.publish()
	case queue.Offered:
		w.offer = ev.Offer.ID
		w.music(ctx)
		side, why := a.ring(ctx, c, w, ev.Offer)
		if side != nil && c.in.End() != (telephony.End{}) { // left in the instant of the answer
			side.hangup(telephony.CauseElsewhere)
			side, why = nil, queue.CallerLeft
		}
		if side == nil {
			if why != "" {
				_ = a.engine.OfferFailed(context.WithoutCancel(ctx), ev.Offer.ID, why)
			}
			c.note(ctx, a, calllog.TypeOfferEnded, calllog.Offered{Offer: offerName(ev.Offer.ID), Agent: ev.Offer.Agent, Why: cmp.Or(string(why), "withdrawn")})
			c.update(a.now(), func(v *callView) { v.State, v.Agent = "waiting", "" })
			a.publish()
			if c.in.End() == (telephony.End{}) && ctx.Err() == nil {
				w.play(ctx)
			}
			return "", nil, false
		}
		w.silence()
		a.positions.drop(c.id)
		exit, over := a.talk(ctx, c, w, side)
		return exit, over, true
	case queue.Timeout, queue.NoAgents, queue.Closed:
		w.silence()
		name, do := ivr.ExitTimeout, ev.Do
		if ev.Kind != queue.Timeout {
			name = ivr.ExitNoAgents
		}
		w.left(ctx, name)
		exit, over := a.byExitOrPolicy(ctx, c, w.out, name, do)
		return exit, over, true
	case queue.Moved:
		w.q.Name = ev.Queue
		a.entered(ctx, c, ev.Queue, w.q.Lang, "moved")
	case queue.Removed:
		w.silence()
		w.left(ctx, "removed")
		c.in.Hangup(telephony.CauseNormal)
		return "", &telephony.End{Result: telephony.ResultSuccess, Reason: telephony.ReasonRejected, By: telephony.SideSystem, Detail: "supervisor: " + ev.Reason}, true
	}
	return "", nil, false
}
