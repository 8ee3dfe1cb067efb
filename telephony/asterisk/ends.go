package asterisk

import (
	"hotline/telephony"
)

// happening is why a leg ended, before it is classified. The words are those of the native driver.
type happening uint8

const (
	leftUp      happening = iota // the far side hung up an answered leg
	leftEarly                    // the caller gave up before the answer
	refusedBy                    // our call was refused or not answered
	hangup                       // we hung up an answered leg, for a Cause
	reject                       // we refused an inbound leg, for a Cause
	withdraw                     // we cancelled our own call, for a Cause
	ringTimeout                  // our call was not answered in time
	noMedia                      // no packet for too long
	lost                         // gone with Asterisk, or Asterisk stayed away
	noResponse                   // our call could not be placed
	noPort                       // no RTP port to be had
	stopping                     // the driver stops
	panicked                     // a bug of ours
)

// Causes of Q.850 as Asterisk uses them.
const (
	qUnallocated   = 1
	qNormal        = 16
	qBusy          = 17
	qNoResponse    = 18
	qNoAnswer      = 19
	qAbsent        = 20
	qRejected      = 21
	qElsewhere     = 26
	qUnspecified   = 31
	qFailure       = 38
	qTemporary     = 41
	qCongestion    = 42
	qNoBearer      = 58
	qIncompatible  = 88
	qTimer         = 102
	qInterworking  = 127
	qNumberChanged = 22
)

// classify is the one table from what happened to how it counts. code is a Q.850 cause, 0 if there is none.
func classify(h happening, cause telephony.Cause, code int) telephony.End {
	e := telephony.End{Code: code, By: telephony.SideSystem}
	set := func(r telephony.Result, why telephony.Reason) telephony.End {
		e.Result, e.Reason = r, why
		return e
	}
	switch h {
	case leftUp:
		if telephony.NetworkFailure(code) {
			return set(telephony.ResultUpstream, telephony.ReasonHangup)
		}
		return set(telephony.ResultSuccess, telephony.ReasonHangup)
	case leftEarly:
		if code == qElsewhere {
			return set(telephony.ResultCaller, telephony.ReasonAnsweredElse)
		}
		return set(telephony.ResultCaller, telephony.ReasonCancelled)
	case refusedBy:
		return classifyRefusal(e)
	case hangup:
		return e.ByCause(cause, telephony.ResultSuccess, telephony.ReasonHangup)
	case reject:
		return e.ByCause(cause, telephony.ResultCaller, telephony.ReasonRejected)
	case withdraw:
		return e.ByCause(cause, telephony.ResultSuccess, telephony.ReasonCancelled)
	case ringTimeout:
		return set(telephony.ResultCaller, telephony.ReasonNoAnswer)
	case noMedia:
		return set(telephony.ResultUpstream, telephony.ReasonMediaTimeout)
	case lost, noResponse:
		return set(telephony.ResultUpstream, telephony.ReasonUnreachable)
	case noPort:
		return set(telephony.ResultServer, telephony.ReasonOverload)
	case stopping:
		return set(telephony.ResultServer, telephony.ReasonDraining)
	case panicked:
		return set(telephony.ResultServer, telephony.ReasonPanic)
	}
	return e.OrServerError()
}

// classifyRefusal says whose doing the end of an unanswered call of ours was. chan_pjsip makes the cause of the SIP
// status: 486 and 600 are 17, 480 is 19, 408 is 18, 404 is 1, 403 and 603 are 21, 488 is 58, 503 is 34, 500 is 38.
func classifyRefusal(e telephony.End) telephony.End {
	switch e.Code {
	case qBusy:
		e.Result, e.Reason = telephony.ResultCaller, telephony.ReasonBusy
	case qNoResponse, qNoAnswer, qAbsent, qUnspecified, qNormal:
		e.Result, e.Reason = telephony.ResultCaller, telephony.ReasonNoAnswer
	case qUnallocated, 2, 3, qNumberChanged, 28:
		e.Result, e.Reason = telephony.ResultCaller, telephony.ReasonNotFound
	case qNoBearer, 65, 79, qIncompatible:
		e.Result, e.Reason = telephony.ResultUpstream, telephony.ReasonNoCodec
	case qRejected:
		e.Result, e.Reason = telephony.ResultCaller, telephony.ReasonRejected
	default:
		e.Result, e.Reason = telephony.ResultUpstream, telephony.ReasonRejected
		if e.Code == 0 || telephony.NetworkFailure(e.Code) {
			e.Reason = telephony.ReasonUnreachable
		}
	}
	return e
}

// causeFor is the Q.850 cause we give Asterisk. Before the answer chan_pjsip makes a SIP status of it, and for some
// causes, such as the one of a normal end, 603: then a cause is taken that gives what the native driver would say.
func causeFor(c telephony.Cause, answered bool) int {
	switch c {
	case telephony.CauseBusy:
		return qBusy // 486
	case telephony.CauseNotFound:
		return qUnallocated // 404
	case telephony.CauseForbidden:
		return qRejected // 403
	case telephony.CauseDeclined:
		if answered {
			return qRejected
		}
		return qNormal // 603
	case telephony.CauseNotAcceptable:
		if answered {
			return qIncompatible
		}
		return qNoBearer // 488
	case telephony.CauseOverload:
		return qCongestion // 503
	case telephony.CauseTimeout:
		if answered {
			return qTimer
		}
		return qNoResponse // 408
	case telephony.CauseElsewhere:
		return qElsewhere // CANCEL with Reason "Call completed elsewhere"
	case telephony.CauseServerError:
		if answered {
			return qTemporary
		}
		return qFailure // 500
	case telephony.CauseUnavailable:
		return qNoAnswer // 480
	}
	if answered {
		return qNormal
	}
	return qUnspecified // 480
}
