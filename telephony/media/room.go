package media

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"hotline/telephony"
)

// Role is what a party is in a room.
type Role uint8

// Roles. The zero Role is none.
const (
	Customer   Role = iota + 1
	Agent           // hears customers and other agents
	Supervisor      // hears both sides; says nothing before SetMode
)

// Mode is how a supervisor takes part.
type Mode uint8

// Modes.
const (
	Listen  Mode = iota // heard by nobody
	Whisper             // heard by agents
	Barge               // heard by all
)

// Errors of rooms.
var (
	ErrInRoom     = errors.New("party is in a room already")
	ErrNotInRoom  = errors.New("party is not in this room")
	ErrRoomClosed = errors.New("room is closed")
	ErrRoomFull   = errors.New("room is full")
)

// maxParties is the size of a room; a set of parties is one word.
const maxParties = 64

// RoomConfig makes a Room.
type RoomConfig struct {
	Pacer   *Pacer
	Library *Library
	// Hold is what customers hear on hold. It goes on where it was left, and loops whatever its Loop says. Empty:
	// silence.
	Hold telephony.Prompt
	// Comfort is what customers hear while their agents' pages are lost. Zero: 320 Hz, half a second every two.
	Comfort telephony.Tone
	Log     *slog.Logger     // nil: slog.Default
	Now     func() time.Time // nil: time.Now
}

// Room is one talk: who is in it, and who hears whom. Its methods may be called from any goroutine; each has taken
// effect when it returns: not one packet follows the old rule. It never touches signalling.
type Room struct {
	cfg  RoomConfig
	plan atomic.Pointer[mixPlan] // nil: nothing to mix

	mu      sync.Mutex // guards the rest
	parties []*party
	taps    []*tapState
	held    bool
	closed  bool
	mixing  *mixer        // on the Pacer, if any
	hold    *track        // loaded for this hold; nil: silence
	heldAt  time.Time     // when this hold began
	holdPos time.Duration // how far the music got in earlier holds
}

// party is an endpoint in a room. The room's mutex guards it; role and ep do not change.
type party struct {
	ep    *Endpoint
	role  Role
	mode  Mode
	muted bool
	lost  bool

	feed  *feed   // what the party hears
	music *player // plays into feed, if that is music
	ear   *jitter // made when the party is first mixed
	mixed bool    // ear is in use
}

// NewRoom makes an empty room.
func NewRoom(cfg RoomConfig) *Room {
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if len(cfg.Comfort.Hz) == 0 {
		cfg.Comfort = telephony.Tone{Hz: []float64{320}, On: 500 * time.Millisecond, Off: 1500 * time.Millisecond}
	}
	cfg.Comfort.For = 0
	cfg.Hold.Loop = true
	return &Room{cfg: cfg}
}

// Join brings a party in. A prompt that plays to it ends with ErrReplaced. ErrInRoom if it is in a room already.
func (r *Room) Join(e *Endpoint, role Role) error {
	if role < Customer || role > Supervisor {
		return fmt.Errorf("join %s: no such role %d", e.Name(), role)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.closed:
		return ErrRoomClosed
	case len(r.parties) == maxParties:
		return ErrRoomFull
	case !e.room.CompareAndSwap(nil, r):
		return ErrInRoom
	}
	select {
	case <-e.done: // closed before it could see the room: Close would not leave for it
		e.room.Store(nil)
		return telephony.ErrLegEnded
	default:
	}
	e.stopPlayer(ErrReplaced)
	r.parties = append(r.parties, &party{ep: e, role: role})
	r.rebuild()
	return nil
}

// Leave takes a party out. It hears and says nothing here any more. No-op if it is not in the room.
func (r *Room) Leave(e *Endpoint) {
	r.mu.Lock()
	defer r.mu.Unlock()
	i := slices.IndexFunc(r.parties, func(p *party) bool { return p.ep == e })
	if i < 0 {
		return
	}
	p := r.parties[i]
	r.parties = slices.Delete(r.parties, i, i+1)
	r.remove(p)
	r.rebuild()
}

// remove cuts a party off. Caller holds mu.
func (r *Room) remove(p *party) {
	p.ep.route.Store(nil)
	p.hear(nil)
	p.ep.room.CompareAndSwap(r, nil)
}

// SetMode changes how a supervisor takes part. ErrNotInRoom if it is not one of this room's.
func (r *Room) SetMode(e *Endpoint, m Mode) error {
	return r.change(e, Supervisor, func(p *party) { p.mode = m })
}

// SetMute makes everybody, recordings included, hear nothing of a party.
func (r *Room) SetMute(e *Endpoint, on bool) error {
	return r.change(e, 0, func(p *party) { p.muted = on })
}

// SetLost says that an agent's page is gone, or back. A customer with no other agent hears the comfort tone meanwhile.
func (r *Room) SetLost(e *Endpoint, on bool) error {
	return r.change(e, 0, func(p *party) { p.lost = on })
}

// change alters one party; role 0 is any.
func (r *Room) change(e *Endpoint, role Role, f func(*party)) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, p := range r.parties {
		if p.ep == e && (role == 0 || p.role == role) {
			f(p)
			r.rebuild()
			return nil
		}
	}
	return fmt.Errorf("change %s: %w", e.Name(), ErrNotInRoom)
}

// SetHold parts the customers, who hear music, from the agents, who hear one another. An error tells that the music
// cannot be played; the hold holds all the same, in silence.
func (r *Room) SetHold(on bool) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return ErrRoomClosed
	}
	if on == r.held {
		return nil
	}
	r.held = on
	now := r.cfg.Now()
	var err error
	if !on {
		r.holdPos += now.Sub(r.heldAt)
		r.hold = nil
	} else {
		r.heldAt = now
		r.hold, err = r.loadHold()
	}
	r.rebuild()
	return err
}

// loadHold reads the music. Files are in the library as a rule; the room waits for the disk otherwise.
func (r *Room) loadHold() (*track, error) {
	if len(r.cfg.Hold.Clips) == 0 {
		return nil, nil
	}
	p := r.cfg.Hold
	p.Offset += r.holdPos
	t, err := newTrack(context.Background(), r.cfg.Library, p)
	if err != nil {
		return nil, fmt.Errorf("hold music: %w", err)
	}
	return t, nil
}

// AddTap begins to hand what is said to t. Adding it again is a no-op.
func (r *Room) AddTap(t Tap) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range r.taps {
		if s.tap == t {
			return
		}
	}
	r.taps = append(r.taps, &tapState{tap: t, start: r.cfg.Now()})
	r.rebuild()
}

// RemoveTap ends that: when it returns, t.Frame is called no more.
func (r *Room) RemoveTap(t Tap) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, s := range r.taps {
		if s.tap == t {
			r.taps = slices.Delete(r.taps, i, i+1)
			r.rebuild()
			s.close()
			return
		}
	}
}

// Close lets everybody leave and ends all taps. Closing again is a no-op.
func (r *Room) Close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	for _, p := range r.parties {
		r.remove(p)
	}
	for _, s := range r.taps {
		s.close()
	}
	r.parties, r.taps = nil, nil
	r.rebuild()
}

// keepMixing is the idle mixer asking whether it must stay on the clock, which must not wait for a busy room: then it
// stays and asks again.
func (r *Room) keepMixing() bool {
	if !r.mu.TryLock() {
		return true
	}
	defer r.mu.Unlock()
	if r.plan.Load() != nil {
		return true
	}
	r.mixing = nil
	return false
}
