package ivr

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"runtime/debug"
	"slices"
	"time"

	"hotline/telephony"
)

// Run carries one caller through a flow. One goroutine, the call's, owns it: no method may be called while another
// runs.
type Run struct {
	set *Set
	m   *machine
	env Env
	log *slog.Logger
	now func() time.Time

	told map[int64]*toldMemory // by the time of entry into the queue: what Hold told there
}

func newRun(s *Set, m *machine, env Env) *Run {
	r := &Run{set: s, m: m, env: env, log: env.Log, now: env.Now, told: map[int64]*toldMemory{}}
	if r.log == nil {
		r.log = s.log
	}
	if r.now == nil {
		r.now = time.Now
	}
	if m.caller.CallID != "" {
		r.log = r.log.With("call", m.caller.CallID)
	}
	return r
}

// Next runs the flow on the leg until there is work for others or the run is over. While handed over it gives the same
// outcome again. It returns soon after ctx ends (outcome stopped) or the caller hangs up (abandoned). It leaves no
// goroutine behind and nothing playing.
func (r *Run) Next(ctx context.Context, leg telephony.Leg) Outcome {
	return r.drive(ctx, leg, func() []effect { return r.guard(func() []effect { return r.m.start(r.now()) }) })
}

// Resume goes on at an exit of the last outcome, one of Outcome.Exits. after_call that is not wired ends the run as
// completed.
func (r *Run) Resume(ctx context.Context, leg telephony.Leg, exit string) Outcome {
	for { // keys of the talk or the queue are not meant for the menu
		select {
		case <-leg.Digits():
			continue
		default:
		}
		break
	}
	return r.drive(ctx, leg, func() []effect { return r.guard(func() []effect { return r.m.resume(r.now(), exit) }) })
}

// HungUp tells a run that is away that the caller left: on_hangup runs, and the outcome is abandoned at the node.
func (r *Run) HungUp() Outcome {
	d := &driver{Run: r}
	d.apply(r.m.hangup(r.now(), EndAbandoned))
	return d.out
}

// guard keeps a mistake of ours from costing the caller the call: a panic of the interpreter is logged and treated as an
// error of the flow. A second one in that treatment is the caller goroutine's to recover.
func (r *Run) guard(event func() []effect) (es []effect) {
	defer func() {
		if p := recover(); p != nil {
			r.log.Error("panic in the menu", "flow", r.m.st.frame().Flow, "node", r.m.st.frame().Node, "panic", p, "stack", string(debug.Stack()))
			es = r.m.broken(r.now())
		}
	}()
	return event()
}

// driver turns the effects of one Next or Resume into calls on the leg.
type driver struct {
	*Run
	ctx    context.Context
	leg    telephony.Leg
	ends   chan soundEnd      // size 1 each: see play
	cancel context.CancelFunc // of the sound
	last   chan struct{}      // closed when the newest player is gone
	out    Outcome
	over   bool
}

// soundEnd is how a sound ended.
type soundEnd struct {
	epoch int
	err   error
}

func (r *Run) drive(ctx context.Context, leg telephony.Leg, first func() []effect) Outcome {
	ctx, cancel := context.WithCancel(ctx)
	// Room for one end of every player that may still be on its way out; more of them wait in their goroutine, which
	// finish joins while it drains.
	d := &driver{Run: r, ctx: ctx, leg: leg, ends: make(chan soundEnd, 8)}
	defer d.finish(cancel)
	d.apply(first())
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for !d.over {
		if w := r.m.wake(); w.IsZero() {
			timer.Reset(time.Hour)
		} else {
			timer.Reset(max(0, w.Sub(r.now())))
		}
		select {
		case k := <-leg.Digits():
			d.apply(r.guard(func() []effect { return r.m.key(r.now(), k.Key, k.Source, k.At) }))
		case e := <-d.ends:
			d.apply(r.guard(func() []effect { return d.ended(e) }))
		case <-timer.C:
			d.apply(r.guard(func() []effect { return r.m.tick(r.now()) }))
		case <-leg.Done():
			d.apply(r.m.hangup(r.now(), EndAbandoned))
		case <-ctx.Done():
			d.apply(r.m.hangup(r.now(), EndStopped))
		}
	}
	return d.out
}

// ended tells the machine how a sound ended. A leg that is gone is told by Done.
func (d *driver) ended(e soundEnd) []effect {
	switch {
	case e.err == nil:
		return d.m.soundEnded(d.now(), e.epoch)
	case errors.Is(e.err, telephony.ErrLegEnded):
		return d.m.hangup(d.now(), EndAbandoned)
	case d.ctx.Err() != nil:
		return d.m.hangup(d.now(), EndStopped)
	case errors.Is(e.err, context.Canceled):
		return nil
	}
	return d.m.soundFailed(d.now(), e.epoch, e.err.Error())
}

func (d *driver) apply(effects []effect) {
	for _, e := range effects {
		if d.over {
			return
		}
		switch e.kind {
		case doProgress:
			if err := d.leg.Progress(d.ctx); err != nil {
				d.log.Info("no early media", "err", err)
			}
		case doAnswer:
			if !d.answer() {
				return
			}
		case doPlay:
			d.play(e)
		case doStop:
			d.stop()
		case doRecord:
			if d.env.Record != nil {
				d.env.Record(e.text)
			}
		case doLog:
			d.log.Info(e.text, "flow", d.m.st.frame().Flow, "node", d.m.st.frame().Node, "detail", e.detail)
		case doTrace:
			if d.env.Trace != nil {
				d.env.Trace(e.step)
			}
		case doHand:
			for _, f := range e.fill {
				*f.into = d.set.promptOf(d.fillCtx(), f.say)
			}
			d.out, d.over = e.out, true
		}
	}
}

func (d *driver) fillCtx() context.Context {
	if d.ctx == nil {
		return context.Background()
	}
	return d.ctx
}

// answer connects the caller. If that fails the caller is gone, and the rest of the effects with him.
func (d *driver) answer() bool {
	err := d.leg.Answer(d.ctx)
	if err == nil {
		return true
	}
	how := EndAbandoned
	if d.ctx.Err() != nil && !isDone(d.leg) {
		how = EndStopped
	}
	d.log.Info("answer failed", "err", err)
	for _, e := range d.m.hangup(d.now(), how) {
		d.apply([]effect{e})
	}
	return false
}

func isDone(leg telephony.Leg) bool {
	select {
	case <-leg.Done():
		return true
	default:
		return false
	}
}

// play starts a sound beside the loop, so that keys act while speech is still being made. A player waits for the one
// before it to be gone, and finish waits for the last.
func (d *driver) play(e effect) {
	d.stop()
	ctx, cancel := context.WithCancel(d.ctx)
	before, gone := d.last, make(chan struct{})
	d.cancel, d.last = cancel, gone
	go func() {
		defer close(gone)
		if before != nil {
			<-before
		}
		d.ends <- soundEnd{e.epoch, d.sound(ctx, e.say)}
	}()
}

func (d *driver) sound(ctx context.Context, u utterance) error {
	clips, err := d.set.sounds.clips(ctx, u)
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return err
	}
	return d.leg.Play(ctx, telephony.Prompt{Clips: clips})
}

func (d *driver) stop() {
	if d.cancel != nil {
		d.cancel()
		d.cancel = nil
	}
}

// finish joins the players.
func (d *driver) finish(cancel context.CancelFunc) {
	d.stop()
	cancel()
	for d.last != nil {
		select {
		case <-d.last:
			d.last = nil
		case <-d.ends:
		}
	}
}

// State returns the run as plain data, for the journal.
func (r *Run) State() State {
	st := r.m.st.copy(r.set)
	if !r.m.since.IsZero() {
		st.Spent += r.now().Sub(r.m.since)
	}
	return st
}

// Path is the way so far; a node without exit is where the caller stands or left.
func (r *Run) Path() []PathStep { return slices.Clone(r.m.st.Path) }

// Lang is the caller's language now.
func (r *Run) Lang() string { return r.m.st.Lang }

// LangChosen reports whether the caller chose it by key in a step with remember.
func (r *Run) LangChosen() bool { return r.m.st.LangChosen }

// Priority is what the action priority set.
func (r *Run) Priority() int { return r.m.st.Priority }

// Tags are what the action tag collected.
func (r *Run) Tags() []string { return slices.Clone(r.m.st.Tags) }

// Attached is what the action attach collected, for the ticket of the call.
func (r *Run) Attached() map[string]string { return maps.Clone(r.m.st.Attached) }

// Vars are the variables of the root flow: secret ones left out, personal ones masked.
func (r *Run) Vars() map[string]any {
	out := map[string]any{}
	f := r.m.root()
	if f == nil {
		return out
	}
	for name, v := range r.m.st.Frames[0].Vars {
		d := f.vars[name]
		switch {
		case d == nil || d.secret:
		case d.pii:
			out[name] = "***"
		default:
			out[name] = v
		}
	}
	return out
}
