package app

import (
	"context"
	"errors"
	"sync"

	"hotline/telephony"
	"hotline/telephony/media"
)

// dialledLeg is the customer's end of a call out: nothing but a name while the number is called, the driver's leg once
// it is answered. So a call out is a live call from its first moment, and everything that works on live calls works on it.
type dialledLeg struct {
	id    telephony.LegID
	party telephony.Party
	over  chan struct{} // closed once, when the leg is over

	mu  sync.Mutex // guards leg and end; leaf data
	leg callerLeg  // nil until answered
	end telephony.End
}

var _ callerLeg = (*dialledLeg)(nil)

func newDialledLeg(id telephony.LegID, party telephony.Party) *dialledLeg {
	return &dialledLeg{id: id, party: party, over: make(chan struct{})}
}

// attach puts the answered leg in. Its end is passed on by a goroutine that ends with it. A leg that comes after Hangup
// is hung up and refused with telephony.ErrLegEnded.
func (l *dialledLeg) attach(leg callerLeg) error {
	l.mu.Lock()
	if l.end != (telephony.End{}) {
		l.mu.Unlock()
		leg.Hangup(telephony.CauseNormal)
		return telephony.ErrLegEnded
	}
	l.leg = leg
	l.mu.Unlock()
	go func() { <-leg.Done(); close(l.over) }()
	return nil
}

func (l *dialledLeg) real() callerLeg {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.leg
}

// ID implements telephony.Leg.
func (l *dialledLeg) ID() telephony.LegID { return l.id }

// Party implements telephony.Leg: whom we call, and what we show for ourselves.
func (l *dialledLeg) Party() telephony.Party { return l.party }

// Progress implements telephony.Leg; there is nothing to open towards a number that we call.
func (l *dialledLeg) Progress(context.Context) error { return l.Answer(context.Background()) }

// Answer implements telephony.Leg: it is for the other side to answer.
func (l *dialledLeg) Answer(context.Context) error {
	if l.real() == nil {
		return errNotAnswered
	}
	return nil
}

var errNotAnswered = errors.New("the called side has not answered")

// Answered implements telephony.Leg.
func (l *dialledLeg) Answered() bool { return l.real() != nil }

// Play implements telephony.Leg.
func (l *dialledLeg) Play(ctx context.Context, p telephony.Prompt) error {
	if leg := l.real(); leg != nil {
		return leg.Play(ctx, p)
	}
	return errNotAnswered
}

// Digits implements telephony.Leg; before the answer there are none.
func (l *dialledLeg) Digits() <-chan telephony.Digit {
	if leg := l.real(); leg != nil {
		return leg.Digits()
	}
	return nil
}

// SendDigits implements telephony.Leg.
func (l *dialledLeg) SendDigits(ctx context.Context, keys string) error {
	if leg := l.real(); leg != nil {
		return leg.SendDigits(ctx, keys)
	}
	return errNotAnswered
}

// Hangup implements telephony.Leg. A number that is still being called is given up by whoever dials it.
func (l *dialledLeg) Hangup(c telephony.Cause) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.leg != nil:
		l.leg.Hangup(c)
	case l.end == (telephony.End{}):
		l.end = telephony.End{Result: telephony.ResultSuccess, Reason: telephony.ReasonCancelled, By: telephony.SideSystem}
		close(l.over)
	}
}

// fail ends a leg that was never answered, for the reason given.
func (l *dialledLeg) fail(e telephony.End) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.leg == nil && l.end == (telephony.End{}) {
		l.end = e.OrServerError()
		close(l.over)
	}
}

// Done implements telephony.Leg.
func (l *dialledLeg) Done() <-chan struct{} { return l.over }

// End implements telephony.Leg.
func (l *dialledLeg) End() telephony.End {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.leg != nil {
		return l.leg.End()
	}
	return l.end
}

// Endpoint is the sound; nil before the answer.
func (l *dialledLeg) Endpoint() *media.Endpoint {
	if leg := l.real(); leg != nil {
		return leg.Endpoint()
	}
	return nil
}

// Law is the codec of the answered leg; before it the one that is offered.
func (l *dialledLeg) Law() media.Law {
	if leg := l.real(); leg != nil {
		return leg.Law()
	}
	return media.PCMA
}
