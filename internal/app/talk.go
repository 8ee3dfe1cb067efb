package app

import (
	"context"
	"errors"
	"time"

	"hotline/ivr"
	"hotline/queue"
	"hotline/recordings"
	"hotline/telephony"
	"hotline/telephony/calllog"
	"hotline/telephony/media"
)

// lostCheck is how often a browser's silence is measured. The page's death is judged by its sound, not by its socket.
const lostCheck = 100 * time.Millisecond

// talk is a conversation from the bridge to its end.
type talk struct {
	a    *App
	c    *call
	w    *waiting
	side *agentSide
	room *media.Room
	rec  *recordings.Recorder // nil: not recorded

	muted, held bool
	lostAt      time.Time // when the agent's sound stopped; zero: it is there
	since       time.Time // when the talk began: the timer of the page, over a reload too
	monitors    map[string]*monitor
	by          telephony.Side
}

type monitor struct {
	who  string
	ep   *media.Endpoint
	mode media.Mode
}

// talk bridges caller and agent, carries out commands, and gives how it went on: the exit for the menu, or the end.
func (a *App) talk(ctx context.Context, c *call, w *waiting, side *agentSide) (exit string, over *telephony.End) {
	if err := a.engine.OfferConnected(ctx, w.offer); err != nil { // taken back at the last moment: do not bridge
		side.hangup(telephony.CauseElsewhere)
		return a.again(ctx, c, w, side)
	}
	return a.converse(ctx, c, w, side, nil)
}

// converse is the talk from the bridge on. back is the call as journalled, for a talk that a restart did not end: its
// agent counts as lost until the page is back. nil: a new talk.
func (a *App) converse(ctx context.Context, c *call, w *waiting, side *agentSide, back *calllog.Summary) (exit string, over *telephony.End) {
	t := &talk{a: a, c: c, w: w, side: side, monitors: map[string]*monitor{}, since: a.now()}
	t.room = media.NewRoom(media.RoomConfig{Pacer: a.pacer, Library: a.library, Hold: a.music(a.queueConfig(w.q.Name).MOH), Log: a.log, Now: a.now})
	defer t.room.Close()
	if err := errors.Join(t.room.Join(c.in.Endpoint(), media.Customer), t.room.Join(side.ep, media.Agent)); err != nil && c.in.End() == (telephony.End{}) {
		a.log.Error("bridge failed", "call", c.id, "cause", err)
	}
	if back == nil {
		c.note(ctx, a, calllog.TypeConnected, calllog.Connected{Agent: side.login, Queue: w.q.Name, Leg: side.legID})
	} else {
		t.since = back.Talked
	}
	c.note(ctx, a, calllog.TypeLegBegin, calllog.LegBegin{Leg: side.legID, Role: "agent", Agent: side.login, Endpoint: string(side.kind)})
	t.record(ctx, back != nil && back.Paused)
	c.update(a.now(), func(v *callView) { v.State, v.Agent = "talking", side.login })
	if back != nil {
		a.cut.unkeep(c.id)                       // from here on it is a talk as any other
		c.note(ctx, a, calllog.TypeResumed, nil) // nobody is on hold any more
		t.lose(ctx, a.now())
	}
	a.sendCall(side.login, c)
	a.publish()
	requeue, over := t.run(ctx)
	t.end(ctx, requeue)
	switch {
	case requeue:
		return a.requeue(ctx, c, w, side.login)
	case over != nil:
		return "", over
	case w.out.Exit(ivr.ExitAfterCall) && c.in.End() == (telephony.End{}) && t.by == telephony.SideAgent:
		return ivr.ExitAfterCall, nil
	}
	c.in.Hangup(telephony.CauseNormal)
	return "", &telephony.End{Result: telephony.ResultSuccess, Reason: telephony.ReasonTalked, By: t.by}
}

// again goes on waiting after a bridge that was not to be.
func (a *App) again(ctx context.Context, c *call, w *waiting, side *agentSide) (string, *telephony.End) {
	c.note(ctx, a, calllog.TypeOfferEnded, calllog.Offered{Offer: offerName(w.offer), Agent: side.login, Why: "withdrawn"})
	c.update(a.now(), func(v *callView) { v.State, v.Agent = "waiting", "" })
	return a.inQueue(ctx, c, w.out, w.q, w.place)
}

// requeue puts the customer of a lost agent at the head of the queue.
func (a *App) requeue(ctx context.Context, c *call, w *waiting, prefer string) (string, *telephony.End) {
	if c.out {
		return a.queueOut(ctx, c, w, prefer)
	}
	place, err := a.engine.Requeue(ctx, c.id, prefer, "reconnect")
	if err != nil {
		a.log.Error("call of a lost agent not requeued", "call", c.id, "cause", err)
		c.in.Hangup(telephony.CauseNormal)
		return "", &telephony.End{Result: telephony.ResultServer, Reason: telephony.ReasonError, By: telephony.SideSystem, Detail: "requeue: " + err.Error()}
	}
	a.entered(ctx, c, w.q.Name, w.q.Lang, "reconnect")
	return a.inQueue(ctx, c, w.out, w.q, place)
}

// record begins the recording if the queue wants one, paused if it was paused before. A recorder that cannot start costs
// the recording, not the call.
func (t *talk) record(ctx context.Context, paused bool) {
	cfg := t.a.queueConfig(t.w.q.Name)
	if cfg.Record == "never" || t.c.noRecord || t.a.recordings == nil {
		return
	}
	rec, err := t.a.recordings.Start(ctx, recordings.Start{Call: string(t.c.id), Kind: recordings.KindCall, RetentionDays: cfg.RetentionDays, MuLaw: t.c.in.Law() == media.PCMU,
		OnFailure: func(err error) { t.a.recordingFailed(t.c, err) }})
	if err != nil {
		if ctx.Err() == nil { // else the caller is gone: there is nothing to record
			t.a.recordingFailed(t.c, err)
		}
		return
	}
	t.rec = rec
	t.c.note(ctx, t.a, calllog.TypeRecording, calllog.RecordingNote{ID: rec.ID(), What: "started"})
	word := "on"
	if paused { // before the first sample
		word = "paused"
		rec.Pause("restart")
		t.c.note(ctx, t.a, calllog.TypeRecording, calllog.RecordingNote{ID: rec.ID(), What: "paused", Why: "restart"})
	}
	t.room.AddTap(rec)
	t.c.update(t.a.now(), func(v *callView) { v.Recording = word })
}

// run is the talk's wait: it names every way out.
func (t *talk) run(ctx context.Context) (requeue bool, over *telephony.End) {
	check := time.NewTicker(lostCheck)
	defer check.Stop()
	for {
		select {
		case <-t.c.in.Done():
			t.by = telephony.SideCustomer
			reason := telephony.ReasonTalked
			if t.held || !t.lostAt.IsZero() {
				reason = telephony.ReasonAbandonedHold
			}
			e := callerLeft(t.c.in, reason)
			if reason == telephony.ReasonTalked && e.Result == telephony.ResultCaller {
				e.Result = telephony.ResultSuccess
			}
			return false, &e
		case <-t.side.done(): // a desk phone's BYE
			t.by = telephony.SideAgent
			return false, nil
		case <-ctx.Done():
			if cutOff(ctx) {
				return false, drainedEnd(ctx)
			}
		case <-check.C:
			if t.side.browse && t.silence(ctx) {
				return true, nil
			}
		case m := <-t.c.cmds:
			if t.command(ctx, m) {
				return false, nil
			}
		}
	}
}

// silence watches the browser's sound: comfort tone, a word, and the queue again when the page stays away.
func (t *talk) silence(ctx context.Context) (giveUp bool) {
	now := t.a.now()
	quiet := now.Sub(t.side.ep.LastReceived())
	switch {
	case t.lostAt.IsZero() && quiet > t.a.cfg.ComfortAfter:
		t.lose(ctx, now.Add(-quiet))
	case !t.lostAt.IsZero() && quiet < t.a.cfg.ComfortAfter:
		t.lostAt = time.Time{}
		_ = t.room.SetLost(t.side.ep, false)
		t.restore(ctx)
		t.c.note(ctx, t.a, calllog.TypeAgentBack, calllog.Offered{Agent: t.side.login})
	case !t.lostAt.IsZero() && now.Sub(t.lostAt) > t.a.cfg.ReattachGrace:
		t.by = telephony.SideSystem
		return true
	}
	return false
}

// lose says that the agent's sound is gone since then.
func (t *talk) lose(ctx context.Context, since time.Time) {
	t.lostAt = since
	_ = t.room.SetLost(t.side.ep, true)
	_ = t.a.engine.Contact(ctx, t.c.id, t.side.login, queue.LostCall)
	t.c.note(ctx, t.a, calllog.TypeAgentLost, calllog.Offered{Agent: t.side.login})
	t.show("agent_lost")
}

// restore says the state again that the talk had before the agent was lost.
func (t *talk) restore(ctx context.Context) {
	state, word := queue.Talking, "talking"
	if t.held {
		state, word = queue.Held, "held"
	}
	_ = t.a.engine.Contact(ctx, t.c.id, t.side.login, state)
	t.show(word)
}

// show puts the state on the pages of everybody concerned.
func (t *talk) show(state string) {
	t.c.update(t.a.now(), func(v *callView) {
		if state != "" {
			v.State = state
		}
		v.Held, v.Muted, v.Monitors = t.held, t.muted, nil
		for leg, m := range t.monitors {
			v.Monitors = append(v.Monitors, monitorView{Who: m.who, Mode: modeName(m.mode), leg: leg})
		}
	})
	if state == "talking" || state == "agent_lost" {
		t.c.update(t.a.now(), func(v *callView) { v.Since = t.since })
	}
	t.a.sendCall(t.side.login, t.c)
	t.a.publish()
}

func modeName(m media.Mode) string {
	switch m {
	case media.Whisper:
		return "whisper"
	case media.Barge:
		return "barge"
	}
	return "listen"
}

// end takes the talk apart: recording closed, monitors freed, the agent to wrap-up.
func (t *talk) end(ctx context.Context, requeue bool) {
	ctx = context.WithoutCancel(ctx)
	t.c.note(ctx, t.a, calllog.TypeTalkEnded, nil)
	t.room.Close()
	if t.rec != nil {
		t.a.closeRecording(ctx, t.c, t.rec)
	}
	for leg, m := range t.monitors {
		t.a.hub.Send(m.who, "monitor.off", map[string]any{"leg": leg, "call": string(t.c.id)})
		t.c.note(ctx, t.a, calllog.TypeMonitor, calllog.MonitorNote{Who: m.who, Mode: "ended"})
	}
	t.side.hangup(telephony.CauseNormal)
	var e telephony.End
	if t.side.leg != nil {
		e = t.side.leg.End()
	}
	t.c.note(ctx, t.a, calllog.TypeLegEnd, calllog.LegEnd{Leg: t.side.legID, End: e})
	s := t.c.log.Summary()
	why := "ended"
	if requeue {
		why = "agent_lost"
	} else {
		_ = t.a.engine.ContactEnded(ctx, t.c.id, t.side.login)
	}
	t.c.update(t.a.now(), func(v *callView) { v.Recording, v.Monitors, v.Held, v.Muted = "off", nil, false, false })
	t.a.hub.Send(t.side.login, "call.end", map[string]any{"call": string(t.c.id), "why": why, "by": t.by, "talk_s": int(s.Talk.Seconds()), "hold_s": int(s.Hold.Seconds())})
	t.a.publish()
}
