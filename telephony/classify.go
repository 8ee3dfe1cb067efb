package telephony

// ByCause is an ending of ours, told by its cause; causes that say no more keep the given result and reason. For drivers.
func (e End) ByCause(c Cause, r Result, why Reason) End {
	switch c {
	case CauseBusy:
		r, why = ResultCaller, ReasonBusy
	case CauseNotFound:
		r, why = ResultCaller, ReasonNotFound
	case CauseForbidden, CauseDeclined:
		r, why = ResultCaller, ReasonRejected
	case CauseNotAcceptable:
		r, why = ResultCaller, ReasonNoCodec
	case CauseOverload:
		r, why = ResultServer, ReasonOverload
	case CauseTimeout:
		r, why = ResultCaller, ReasonNoAnswer
	case CauseElsewhere:
		r, why = ResultSuccess, ReasonAnsweredElse
	case CauseServerError:
		r, why = ResultServer, ReasonError
	}
	e.Result, e.Reason = r, why
	return e
}

// DialError is the error of Dial that a call of ours with this ending gives: one of the sentinels that callers branch on. For
// drivers.
func (e End) DialError() error {
	switch e.Reason {
	case ReasonBusy:
		return ErrBusy
	case ReasonNoAnswer, ReasonCancelled:
		return ErrNoAnswer
	case ReasonNoCodec:
		return ErrNoCodec
	case ReasonUnreachable, ReasonOverload, ReasonDraining:
		return ErrUnreachable
	}
	return ErrRefused
}

// NetworkFailure reports whether a Q.850 cause is one by which networks hang up because they failed. For drivers.
func NetworkFailure(q850 int) bool {
	switch q850 {
	case 27, 34, 38, 41, 42, 44, 47, 102, 111, 127:
		return true
	}
	return false
}
