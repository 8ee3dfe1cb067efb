package app

import (
	"context"
	"strings"
	"time"

	"hotline/telephony"
	"hotline/telephony/media"
	"hotline/telephony/sip"
)

// dialRequest is one call out, in words that every driver understands.
type dialRequest struct {
	// To is "user:LOGIN" (a registered desk phone), "trunk:NAME:NUMBER", "asterisk:TECH/NAME" (an endpoint of Asterisk), or
	// a sip: URI.
	To string
	// Law is the codec offered first: the other leg's, so that nothing is transcoded.
	Law media.Law
	// Ring bounds the time until the answer; 0: the driver's own limit. Then the call is cancelled: telephony.ErrNoAnswer.
	Ring time.Duration
	// Caller is shown to the called side; through a trunk an empty value means the trunk's caller id.
	Caller telephony.Identity
	// CallerName is shown beside it; empty: Caller.DisplayName.
	CallerName string
	// Leg is the leg's id, journalled before; empty: a new one. The native driver makes its own.
	Leg telephony.LegID
	// OnRinging is called once when the far side rings. It must not block. May be nil.
	OnRinging func()
}

// errElsewhere as the cause of the context given to dial says that somebody else took the call: the phone shows no
// missed call.
var errElsewhere = telephony.ErrElsewhere

// dial calls and returns when the call is answered. The error wraps telephony.ErrBusy, ErrNoAnswer, ErrRefused,
// ErrUnreachable or ErrNoCodec, or is ctx's cause; then a call that still rang was cancelled. It is the only place from
// which calls go out.
func (a *App) dial(ctx context.Context, r dialRequest) (callerLeg, error) {
	if a.ari != nil && (strings.HasPrefix(r.To, "trunk:") || strings.HasPrefix(r.To, "asterisk:")) {
		return a.dialAsterisk(ctx, r)
	}
	leg, err := a.sip.Dial(ctx, sip.Dial{To: r.To, Law: r.Law, Ring: r.Ring, Caller: r.Caller, CallerName: r.CallerName, OnRinging: r.OnRinging})
	if err != nil {
		return nil, err // not leg: a nil *sip.Leg would be a callerLeg that is not nil
	}
	return leg, nil
}
