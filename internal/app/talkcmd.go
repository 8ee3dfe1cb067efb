package app

import (
	"context"
	"fmt"

	"hotline/queue"
	"hotline/telephony"
	"hotline/telephony/calllog"
	"hotline/telephony/media"
)

// command carries out one wish in a talk; it reports whether the talk is over by it.
func (t *talk) command(ctx context.Context, m command) (over bool) {
	var data any
	var err error
	switch m.name {
	case "hold":
		err = t.hold(ctx, m.on)
	case "mute":
		t.muted = m.on
		err = t.room.SetMute(t.side.ep, m.on)
		t.show("")
	case "dtmf":
		err = t.c.in.SendDigits(ctx, m.text)
	case "record":
		err = t.pause(ctx, m.text == "pause")
	case "monitor":
		data, err = t.monitor(ctx, m)
	case "mode":
		err = t.mode(ctx, m)
	case "unmonitor":
		err = t.unmonitor(ctx, m)
	case "hangup":
		t.by = telephony.SideAgent
		over = true
	case "kick":
		t.by = telephony.SideSystem
		over = true
	default:
		err = errNoCall
	}
	m.reply <- commandReply{data: data, err: err}
	return over
}

func (t *talk) hold(ctx context.Context, on bool) error {
	if t.held == on {
		return nil
	}
	t.held = on
	err := t.room.SetHold(on)
	state, fact, word := queue.Talking, calllog.TypeResumed, "talking"
	if on {
		state, fact, word = queue.Held, calllog.TypeHold, "held"
	}
	_ = t.a.engine.Contact(ctx, t.c.id, t.side.login, state)
	t.c.note(ctx, t.a, fact, nil)
	t.show(word)
	return err
}

// pause stops or resumes the recording: card data and the like.
func (t *talk) pause(ctx context.Context, on bool) error {
	if t.rec == nil {
		return fmt.Errorf("this talk is not recorded: %w", errNoCall)
	}
	what, word := "resumed", "on"
	if on {
		what, word = "paused", "paused"
		t.rec.Pause("agent")
	} else {
		t.rec.Resume()
	}
	t.c.note(ctx, t.a, calllog.TypeRecording, calllog.RecordingNote{ID: t.rec.ID(), What: what, Why: "agent"})
	t.c.update(t.a.now(), func(v *callView) { v.Recording = word })
	t.show("")
	return nil
}

// monitor lets a supervisor in, always by listening: nobody hears that, and the agent's leg is not touched.
func (t *talk) monitor(ctx context.Context, m command) (any, error) {
	if m.who == t.side.login {
		return nil, fmt.Errorf("own call: %w", errNoCall)
	}
	for leg, have := range t.monitors {
		if have.who == m.who {
			return map[string]any{"leg": leg}, nil
		}
	}
	ep := t.a.rtc.Phone(m.who).Endpoint()
	if err := t.room.Join(ep, media.Supervisor); err != nil {
		return nil, fmt.Errorf("join as listener: %w", err)
	}
	leg := telephony.NewID(t.a.now())
	t.monitors[leg] = &monitor{who: m.who, ep: ep, mode: media.Listen}
	t.c.note(ctx, t.a, calllog.TypeMonitor, calllog.MonitorNote{Who: m.who, Mode: "listen"})
	t.show("")
	return map[string]any{"leg": leg}, nil
}

func (t *talk) find(m command) (*monitor, error) {
	mon := t.monitors[m.leg]
	if mon == nil || mon.who != m.who {
		return nil, errNoCall
	}
	return mon, nil
}

func (t *talk) mode(ctx context.Context, m command) error {
	mon, err := t.find(m)
	if err != nil {
		return err
	}
	mode := map[string]media.Mode{"listen": media.Listen, "whisper": media.Whisper, "barge": media.Barge}
	to, ok := mode[m.text]
	if !ok {
		return fmt.Errorf("mode %q is not listen, whisper or barge: %w", m.text, errNoCall)
	}
	if err := t.room.SetMode(mon.ep, to); err != nil {
		return fmt.Errorf("change mode: %w", err)
	}
	mon.mode = to
	t.c.note(ctx, t.a, calllog.TypeMonitor, calllog.MonitorNote{Who: mon.who, Mode: m.text})
	t.show("")
	return nil
}

func (t *talk) unmonitor(ctx context.Context, m command) error {
	mon, err := t.find(m)
	if err != nil {
		return err
	}
	t.room.Leave(mon.ep)
	delete(t.monitors, m.leg)
	t.c.note(ctx, t.a, calllog.TypeMonitor, calllog.MonitorNote{Who: mon.who, Mode: "ended"})
	t.show("")
	return nil
}
