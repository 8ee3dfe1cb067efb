package telephonytest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
)

// Attach connects the sound and waits until it is up. It replaces what was attached.
func (a *Agent) Attach(ctx context.Context) error {
	s, err := NewBrowserSound(a.cfg.Sound)
	if err != nil {
		return err
	}
	s.Tone(a.cfg.Tone)
	epoch, err := a.negotiate(ctx, s, "media.attach", 0, false)
	if err == nil {
		err = s.Up(ctx)
	}
	if err != nil {
		s.Close()
		return fmt.Errorf("attach sound: %w", err)
	}
	a.mu.Lock()
	old := a.sound
	a.sound, a.epoch = s, epoch
	a.mu.Unlock()
	if old != nil {
		old.Close()
	}
	return nil
}

// RestartICE renegotiates the path of the attached sound and waits until it is up again.
func (a *Agent) RestartICE(ctx context.Context) error {
	a.mu.Lock()
	s, epoch := a.sound, a.epoch
	a.mu.Unlock()
	if s == nil {
		return errors.New("restart: no sound attached")
	}
	before := s.Ups()
	if _, err := a.negotiate(ctx, s, "media.offer", epoch, true); err != nil {
		return err
	}
	return s.UpAgain(ctx, before)
}

// negotiate sends an offer, takes the answer and trickles the browser's addresses.
func (a *Agent) negotiate(ctx context.Context, s *BrowserSound, t string, epoch int, restart bool) (int, error) {
	offer, err := s.Offer(restart)
	if err != nil {
		return 0, err
	}
	d := map[string]any{"sdp": offer, "epoch": epoch, "epoch_seen": epoch, "why": "ice_restart"}
	raw, err := a.Request(ctx, t, d)
	if err != nil {
		return 0, err
	}
	var r struct {
		SDP   string
		Epoch int
	}
	if err := json.Unmarshal(raw, &r); err != nil {
		return 0, fmt.Errorf("%s: %w", t, err)
	}
	if err := s.Answer(r.SDP); err != nil {
		return 0, err
	}
	for {
		select {
		case c := <-s.Candidates():
			var cand any
			if c != "" {
				cand = c
			}
			a.mu.Lock()
			l := a.line
			a.mu.Unlock()
			if l == nil {
				return 0, errors.New("the socket is closed")
			}
			if err := a.write(ctx, l, map[string]any{"t": "media.cand", "d": map[string]any{"epoch": r.Epoch, "cand": cand}}); err != nil {
				return 0, fmt.Errorf("send candidate: %w", err)
			}
			if c == "" {
				return r.Epoch, nil
			}
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		}
	}
}

// Sound is the attached sound; nil: none.
func (a *Agent) Sound() *BrowserSound { a.mu.Lock(); defer a.mu.Unlock(); return a.sound }

// Epoch is that of the attached sound.
func (a *Agent) Epoch() int { a.mu.Lock(); defer a.mu.Unlock(); return a.epoch }

// Hears waits until the agent hears every frequency of want and none of not: see Audio.Hears.
func (a *Agent) Hears(ctx context.Context, want, not []float64) error {
	s := a.Sound()
	if s == nil {
		return errors.New("agent hears nothing: no sound attached")
	}
	return s.Hears(ctx, want, not)
}

// StartShift attaches the sound and becomes available.
func (a *Agent) StartShift(ctx context.Context) error {
	if err := a.Attach(ctx); err != nil {
		return err
	}
	return a.SetState(ctx, "available", "")
}

// SetState asks for available, paused (with a reason) or offline.
func (a *Agent) SetState(ctx context.Context, state, reason string) error {
	return a.do(ctx, "agent.set", map[string]any{"state": state, "reason": reason, "when": "now"})
}

// WaitOffer waits for a call and returns its id and the whole offer.
func (a *Agent) WaitOffer(ctx context.Context) (call string, offer json.RawMessage, err error) {
	e, err := a.WaitEvent(ctx, "call.offer", nil)
	if err != nil {
		return "", nil, err
	}
	var o struct{ Call string }
	if err := json.Unmarshal(e.Data, &o); err != nil || o.Call == "" {
		return "", nil, fmt.Errorf("offer without a call: %s", e.Data)
	}
	return o.Call, e.Data, nil
}

// WaitCall waits until the call's state is the one wanted and returns the call.
func (a *Agent) WaitCall(ctx context.Context, call, state string) (json.RawMessage, error) {
	e, err := a.WaitEvent(ctx, "call.state", func(d json.RawMessage) bool {
		var c struct{ Call, State string }
		return json.Unmarshal(d, &c) == nil && c.Call == call && c.State == state
	})
	if err != nil {
		return nil, fmt.Errorf("call %s to be %s: %w", call, state, err)
	}
	return e.Data, nil
}

// Answer takes an offered call.
func (a *Agent) Answer(ctx context.Context, call string) error {
	return a.do(ctx, "call.answer", map[string]any{"call": call})
}

// Reject refuses an offered call.
func (a *Agent) Reject(ctx context.Context, call string) error {
	return a.do(ctx, "call.reject", map[string]any{"call": call})
}

// Hangup ends a call.
func (a *Agent) Hangup(ctx context.Context, call string) error {
	return a.do(ctx, "call.hangup", map[string]any{"call": call})
}

// Hold puts the customer on hold, or back.
func (a *Agent) Hold(ctx context.Context, call string, on bool) error {
	return a.do(ctx, "call.hold", map[string]any{"call": call, "on": on})
}

// Mute has the server drop the agent's voice, or not any more.
func (a *Agent) Mute(ctx context.Context, call string, on bool) error {
	return a.do(ctx, "call.mute", map[string]any{"call": call, "on": on})
}

// Keys sends keys to the customer's side.
func (a *Agent) Keys(ctx context.Context, call, keys string) error {
	return a.do(ctx, "call.dtmf", map[string]any{"call": call, "keys": keys})
}

func (a *Agent) do(ctx context.Context, t string, d any) error {
	_, err := a.Request(ctx, t, d)
	return err
}

// Freeze stops the heartbeat, as a browser does to a page it froze; sound goes on.
func (a *Agent) Freeze(on bool) { a.frozen.Store(on) }

// Vanish drops socket and sound without a word: the browser was killed.
func (a *Agent) Vanish() {
	a.hangUpLine()
	a.mu.Lock()
	s := a.sound
	a.sound = nil
	a.mu.Unlock()
	if s != nil {
		s.Vanish()
	}
}

// Return comes back after Vanish: socket, hello, and the sound anew if attach is true.
func (a *Agent) Return(ctx context.Context, attach bool) error {
	if err := a.connect(ctx); err != nil {
		return err
	}
	if attach {
		return a.Attach(ctx)
	}
	return nil
}

// Reload is Vanish and Return at once, with the sound if it was attached.
func (a *Agent) Reload(ctx context.Context) error {
	had := a.Sound() != nil
	a.Vanish()
	return a.Return(ctx, had)
}

// ReconnectSocket cuts the socket alone and opens it again; the sound goes on.
func (a *Agent) ReconnectSocket(ctx context.Context) error {
	a.hangUpLine()
	return a.connect(ctx)
}

// Close ends the page in good order and joins all goroutines.
func (a *Agent) Close() {
	a.mu.Lock()
	s := a.sound
	a.sound = nil
	a.mu.Unlock()
	if s != nil {
		s.Close()
	}
	a.hangUpLine()
}
