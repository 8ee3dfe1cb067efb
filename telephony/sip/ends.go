package sip

import (
	"fmt"
	"strconv"
	"strings"

	"hotline/telephony"
)

// happening is why a leg ended, before it is classified.
type happening uint8

const (
	byeIn       happening = iota // the far side said BYE
	cancelIn                     // the caller gave up before the answer
	elsewhereIn                  // likewise, because somebody else answered
	hangup                       // we hung up an answered leg, for a Cause
	reject                       // we refused an inbound leg, for a Cause
	withdraw                     // we cancelled our own call, for a Cause
	refusedBy                    // our call got a final refusal
	ringTimeout                  // our call was not answered in time
	noResponse                   // our call got no answer of any kind, or could not be sent
	noACK                        // our 200 was never confirmed
	noMedia                      // no packet for too long
	noSession                    // the session was not refreshed (RFC 4028)
	noCodecs                     // no codec in common, or an address we send no audio to
	noPort                       // no RTP port to be had
	stopping                     // the server stops
	panicked                     // a bug of ours
)

// classify is the one table from what happened to how it counts. code is a SIP status or Q.850 cause, 0 if there is none.
func classify(h happening, cause telephony.Cause, code int) telephony.End {
	e := telephony.End{Code: code, By: telephony.SideSystem}
	set := func(r telephony.Result, why telephony.Reason) telephony.End {
		e.Result, e.Reason = r, why
		return e
	}
	switch h {
	case byeIn:
		if telephony.NetworkFailure(code) {
			return set(telephony.ResultUpstream, telephony.ReasonHangup)
		}
		return set(telephony.ResultSuccess, telephony.ReasonHangup)
	case cancelIn:
		return set(telephony.ResultCaller, telephony.ReasonCancelled)
	case elsewhereIn:
		return set(telephony.ResultCaller, telephony.ReasonAnsweredElse)
	case hangup:
		return e.ByCause(cause, telephony.ResultSuccess, telephony.ReasonHangup)
	case reject:
		return e.ByCause(cause, telephony.ResultCaller, telephony.ReasonRejected)
	case withdraw:
		return e.ByCause(cause, telephony.ResultSuccess, telephony.ReasonCancelled)
	case refusedBy:
		return classifyStatus(e, code)
	case ringTimeout:
		return set(telephony.ResultCaller, telephony.ReasonNoAnswer)
	case noResponse:
		return set(telephony.ResultUpstream, telephony.ReasonUnreachable)
	case noACK:
		return set(telephony.ResultUpstream, telephony.ReasonNoACK)
	case noMedia:
		return set(telephony.ResultUpstream, telephony.ReasonMediaTimeout)
	case noSession:
		return set(telephony.ResultUpstream, telephony.ReasonSessionExpiry)
	case noCodecs:
		return set(telephony.ResultCaller, telephony.ReasonNoCodec)
	case noPort:
		return set(telephony.ResultServer, telephony.ReasonOverload)
	case stopping:
		return set(telephony.ResultServer, telephony.ReasonDraining)
	case panicked:
		return set(telephony.ResultServer, telephony.ReasonPanic)
	}
	return e.OrServerError()
}

// classifyStatus says whose doing a final refusal of our call was.
func classifyStatus(e telephony.End, status int) telephony.End {
	switch {
	case status == 486 || status == 600:
		e.Result, e.Reason = telephony.ResultCaller, telephony.ReasonBusy
	case status == 480 || status == 408 || status == 487:
		e.Result, e.Reason = telephony.ResultCaller, telephony.ReasonNoAnswer
	case status == 404 || status == 410 || status == 484 || status == 604:
		e.Result, e.Reason = telephony.ResultCaller, telephony.ReasonNotFound
	case status == 488 || status == 606 || status == 415 || status == 406:
		e.Result, e.Reason = telephony.ResultUpstream, telephony.ReasonNoCodec
	case status == 603:
		e.Result, e.Reason = telephony.ResultCaller, telephony.ReasonRejected
	case status >= 500:
		e.Result, e.Reason = telephony.ResultUpstream, telephony.ReasonUnreachable
	default:
		e.Result, e.Reason = telephony.ResultUpstream, telephony.ReasonRejected
	}
	return e
}

// statusFor maps a cause to the status of a refusal, and its Retry-After if one belongs to it.
func statusFor(c telephony.Cause) (int, []field) {
	switch c {
	case telephony.CauseBusy:
		return 486, nil
	case telephony.CauseNotFound:
		return 404, nil
	case telephony.CauseForbidden:
		return 403, nil
	case telephony.CauseDeclined:
		return 603, nil
	case telephony.CauseNotAcceptable:
		return 488, nil
	case telephony.CauseOverload:
		return 503, []field{retryAfter()}
	case telephony.CauseTimeout:
		return 408, nil
	case telephony.CauseServerError:
		return 500, nil
	}
	return 480, nil
}

// reasonFor is the Reason field of our BYE or CANCEL (RFC 3326).
func reasonFor(c telephony.Cause) string {
	q := func(cause int, text string) string { return fmt.Sprintf(`Q.850;cause=%d;text="%s"`, cause, text) }
	switch c {
	case telephony.CauseBusy:
		return q(17, "User busy")
	case telephony.CauseNotFound:
		return q(1, "Unallocated number")
	case telephony.CauseForbidden, telephony.CauseDeclined:
		return q(21, "Call rejected")
	case telephony.CauseNotAcceptable:
		return q(88, "Incompatible destination")
	case telephony.CauseOverload:
		return q(42, "Switching equipment congestion")
	case telephony.CauseTimeout:
		return q(102, "Recovery on timer expiry")
	case telephony.CauseElsewhere:
		return `SIP;cause=200;text="Call completed elsewhere"`
	case telephony.CauseServerError:
		return q(41, "Temporary failure")
	case telephony.CauseUnavailable:
		return q(19, "No answer from user")
	}
	return q(16, "Normal call clearing")
}

// readReason finds protocol's cause in Reason: "Q.850" or "SIP". 0: none.
func readReason(m *message, protocol string) int {
	for _, v := range m.list("Reason") {
		name, rest, _ := strings.Cut(v, ";")
		if !strings.EqualFold(trim(name), protocol) {
			continue
		}
		parts, ok := cut(rest, ';')
		if !ok {
			continue
		}
		p, ok := readParams(parts)
		if !ok {
			continue
		}
		if c, ok := p.get("cause"); ok {
			if n, err := strconv.Atoi(c); err == nil && n > 0 && n < 1000 {
				return n
			}
		}
	}
	return 0
}
