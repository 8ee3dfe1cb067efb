package app

import (
	"cmp"
	"context"
	"errors"
	"time"

	"hotline/ivr"
	"hotline/recordings"
	"hotline/telephony"
	"hotline/telephony/calllog"
	"hotline/telephony/media"
)

// ringback is what callers hear while a number outside rings (ITU-T E.180, Russia: 425 Hz, 0.8 s on, 3.2 s off).
var ringback = telephony.Prompt{Clips: []telephony.Clip{{Tone: &telephony.Tone{Hz: []float64{425}, On: 800 * time.Millisecond, Off: 3200 * time.Millisecond}}}}

// transfer connects the caller to a number outside and waits for the end of that talk.
func (a *App) transfer(ctx context.Context, c *call, req ivr.TransferReq) (exit string, over *telephony.End) {
	to, err := a.outbound(req.Number)
	if err != nil {
		a.log.Warn("transfer refused", "call", c.id, "cause", err)
		c.note(ctx, a, calllog.TypeTransfer, calllog.TransferNote{To: req.Number, Why: "failed"})
		return ivr.ExitFailed, nil
	}
	if err := c.in.Answer(ctx); err != nil {
		e := callerLeft(c.in, telephony.ReasonAbandonedMenu)
		return "", &e
	}
	c.note(ctx, a, calllog.TypeTransfer, calllog.TransferNote{To: req.Number, Why: "ringing"})
	dial, cancel := context.WithCancelCause(ctx)
	watched := make(chan struct{})
	go func() { // ringback, and the caller's hang-up; joined below
		defer close(watched)
		_ = c.in.Play(dial, ringback)
		select {
		case <-c.in.Done():
			cancel(telephony.ErrLegEnded)
		case <-dial.Done():
		}
	}()
	leg, err := a.dial(dial, dialRequest{To: to, Law: c.in.Law(), Ring: cmp.Or(req.Ring, 30*time.Second), Caller: telephony.Identity{Value: req.CallerID}})
	cancel(nil)
	<-watched
	if err != nil {
		why, exit := transferFailure(err)
		c.note(ctx, a, calllog.TypeTransfer, calllog.TransferNote{To: req.Number, Why: why})
		if c.in.End() != (telephony.End{}) {
			e := callerLeft(c.in, telephony.ReasonAbandonedMenu)
			return "", &e
		}
		return exit, nil
	}
	defer leg.Hangup(telephony.CauseNormal)
	return a.talkOutside(ctx, c, leg, req.Number)
}

func transferFailure(err error) (why, exit string) {
	switch {
	case errors.Is(err, telephony.ErrBusy), errors.Is(err, telephony.ErrRefused):
		return "busy", ivr.ExitBusy
	case errors.Is(err, telephony.ErrNoAnswer):
		return "no_answer", ivr.ExitNoAnswer
	}
	return "failed", ivr.ExitFailed
}

// talkOutside bridges the caller with an answered leg until either leaves.
func (a *App) talkOutside(ctx context.Context, c *call, leg callerLeg, number string) (string, *telephony.End) {
	room := media.NewRoom(media.RoomConfig{Pacer: a.pacer, Library: a.library, Log: a.log, Now: a.now})
	defer room.Close()
	if err := errors.Join(room.Join(c.in.Endpoint(), media.Customer), room.Join(leg.Endpoint(), media.Agent)); err != nil {
		a.log.Error("bridge of a transfer failed", "call", c.id, "cause", err)
	}
	c.note(ctx, a, calllog.TypeTransfer, calllog.TransferNote{To: number, Why: "answered"})
	c.note(ctx, a, calllog.TypeConnected, calllog.Connected{})
	c.note(ctx, a, calllog.TypeLegBegin, calllog.LegBegin{Leg: leg.ID(), Role: "consult", Endpoint: number})
	c.update(a.now(), func(v *callView) { v.State = "talking" })
	a.publish()
	defer func() {
		c.note(context.WithoutCancel(ctx), a, calllog.TypeTalkEnded, nil)
		c.note(context.WithoutCancel(ctx), a, calllog.TypeLegEnd, calllog.LegEnd{Leg: leg.ID(), End: leg.End()})
	}()
	for {
		select {
		case <-c.in.Done():
			return "", &telephony.End{Result: telephony.ResultSuccess, Reason: telephony.ReasonTransferred, By: telephony.SideCustomer}
		case <-leg.Done():
			return ivr.ExitAfterCall, nil
		case <-ctx.Done():
			if cutOff(ctx) {
				return "", drainedEnd(ctx)
			}
		case m := <-c.cmds:
			if m.name == "kick" {
				m.reply <- commandReply{}
				return "", &telephony.End{Result: telephony.ResultSuccess, Reason: telephony.ReasonTransferred, By: telephony.SideSystem, Detail: m.text}
			}
			m.refuse()
		}
	}
}

// plainVoicemail is a message box where no menu described one.
func (a *App) plainVoicemail(c *call, queueName string) ivr.VoicemailReq {
	return ivr.VoicemailReq{Prompt: a.notice("vm-intro"), Max: 2 * time.Minute, Min: 2 * time.Second, Silence: 6 * time.Second, Terminator: "#", Queue: queueName, Lang: c.run.Lang()}
}

// voicemail takes a message: prompt, tone, recording until the key, silence, the limit or the hang-up.
func (a *App) voicemail(ctx context.Context, c *call, req ivr.VoicemailReq) (exit string, over *telephony.End) {
	if err := c.in.Answer(ctx); err != nil {
		e := callerLeft(c.in, telephony.ReasonAbandonedMenu)
		return "", &e
	}
	c.update(a.now(), func(v *callView) { v.State, v.Queue = "voicemail", req.Queue })
	a.publish()
	prompt := req.Prompt
	prompt.Clips = append(append([]telephony.Clip{}, prompt.Clips...), telephony.Clip{Silence: 300 * time.Millisecond},
		telephony.Clip{Tone: &telephony.Tone{Hz: []float64{440}, For: 400 * time.Millisecond}})
	length, key := c.said, a.playUntilKey(ctx, c, prompt, req.Terminator)
	hungUp := c.in.End() != (telephony.End{})
	if !key && !hungUp && a.recordings != nil {
		length, hungUp = a.takeMessage(ctx, c, req)
	}
	c.said = 0
	switch {
	case cutOff(ctx):
		return "", drainedEnd(ctx)
	case length < req.Min && !hungUp:
		return ivr.ExitEmpty, nil
	case length < req.Min:
		e := callerLeft(c.in, telephony.ReasonAbandonedMenu)
		return "", &e
	case hungUp:
		return "", &telephony.End{Result: telephony.ResultSuccess, Reason: telephony.ReasonVoicemail, By: telephony.SideCustomer}
	}
	return ivr.ExitDone, nil
}

// playUntilKey plays a prompt; the key ends it and is reported.
func (a *App) playUntilKey(ctx context.Context, c *call, p telephony.Prompt, terminator string) (pressed bool) {
	play, stop := context.WithCancel(ctx)
	defer stop()
	done := make(chan struct{})
	go func() { defer close(done); _ = c.in.Play(play, p) }()
	for {
		select {
		case <-done:
			return false
		case d := <-c.in.Digits():
			if terminator != "" && string(d.Key) == terminator {
				stop()
				<-done
				return true
			}
		}
	}
}

// tellEvery is how much is said between two notes of it, so that a message that a kill breaks off counts as one.
const tellEvery = 3 * time.Second

// takeMessage records until something ends it and gives the length of what was said, before a restart too.
func (a *App) takeMessage(ctx context.Context, c *call, req ivr.VoicemailReq) (length time.Duration, hungUp bool) {
	days := a.queueConfig(req.Queue).RetentionDays
	rec, err := a.recordings.Start(ctx, recordings.Start{Call: string(c.id), Kind: recordings.KindVoicemail, RetentionDays: days, MuLaw: c.in.Law() == media.PCMU,
		OnFailure: func(err error) { a.recordingFailed(c, err) }})
	if err != nil {
		if c.in.End() != (telephony.End{}) || ctx.Err() != nil { // gone, or we stop: there is nothing to record
			return c.said, !cutOff(ctx)
		}
		a.recordingFailed(c, err)
		return c.said, false
	}
	defer a.closeRecording(context.WithoutCancel(ctx), c, rec)
	c.note(ctx, a, calllog.TypeVoicemail, calllog.VoicemailNote{Queue: req.Queue})
	c.note(ctx, a, calllog.TypeRecording, calllog.RecordingNote{ID: rec.ID(), What: "started"})
	room := media.NewRoom(media.RoomConfig{Pacer: a.pacer, Library: a.library, Log: a.log, Now: a.now})
	defer room.Close()
	if err := room.Join(c.in.Endpoint(), media.Customer); err != nil {
		a.log.Error("message not taken", "call", c.id, "cause", err)
		return c.said, false
	}
	speech := newSpeechTap(rec)
	room.AddTap(speech)
	defer room.RemoveTap(speech)
	start := a.now()
	check := time.NewTicker(100 * time.Millisecond)
	defer check.Stop()
	told := c.said
	finish := func() time.Duration {
		d := c.said + speech.said()
		c.note(context.WithoutCancel(ctx), a, calllog.TypeVoicemail, calllog.VoicemailNote{Queue: req.Queue, Length: d})
		return d
	}
	for {
		select {
		case <-c.in.Done():
			return finish(), true
		case <-ctx.Done():
			return finish(), !cutOff(ctx)
		case d := <-c.in.Digits():
			if req.Terminator != "" && string(d.Key) == req.Terminator {
				return finish(), false
			}
		case m := <-c.cmds:
			m.refuse()
		case <-check.C:
			if d := c.said + speech.said(); d >= told+tellEvery {
				told = d
				c.note(ctx, a, calllog.TypeVoicemail, calllog.VoicemailNote{Queue: req.Queue, Length: d, More: true})
			}
			if a.now().Sub(start) >= req.Max || (req.Silence > 0 && speech.quiet() >= req.Silence) {
				return finish(), false
			}
		}
	}
}
