package asterisk

import (
	"errors"
	"testing"

	"hotline/telephony"
)

func TestCauses(t *testing.T) {
	for _, c := range []struct {
		cause     telephony.Cause
		early, up int
	}{
		{telephony.CauseNormal, 31, 16}, {telephony.CauseBusy, 17, 17}, {telephony.CauseNotFound, 1, 1}, {telephony.CauseForbidden, 21, 21}, {telephony.CauseDeclined, 16, 21},
		{telephony.CauseUnavailable, 19, 19}, {telephony.CauseNotAcceptable, 58, 88}, {telephony.CauseOverload, 42, 42}, {telephony.CauseTimeout, 18, 102},
		{telephony.CauseElsewhere, 26, 26}, {telephony.CauseServerError, 38, 41}, {"", 31, 16},
	} {
		if e, u := causeFor(c.cause, false), causeFor(c.cause, true); e != c.early || u != c.up {
			t.Errorf("%s: %d and %d, want %d and %d", c.cause, e, u, c.early, c.up)
		}
	}
}

func TestClassify(t *testing.T) {
	for _, c := range []struct {
		h      happening
		cause  telephony.Cause
		code   int
		result telephony.Result
		reason telephony.Reason
	}{
		{leftUp, "", 16, telephony.ResultSuccess, telephony.ReasonHangup},
		{leftUp, "", 0, telephony.ResultSuccess, telephony.ReasonHangup},
		{leftUp, "", 38, telephony.ResultUpstream, telephony.ReasonHangup},
		{leftEarly, "", 127, telephony.ResultCaller, telephony.ReasonCancelled},
		{leftEarly, "", 26, telephony.ResultCaller, telephony.ReasonAnsweredElse},
		{refusedBy, "", 17, telephony.ResultCaller, telephony.ReasonBusy},
		{refusedBy, "", 1, telephony.ResultCaller, telephony.ReasonNotFound},
		{refusedBy, "", 19, telephony.ResultCaller, telephony.ReasonNoAnswer},
		{refusedBy, "", 21, telephony.ResultCaller, telephony.ReasonRejected},
		{refusedBy, "", 58, telephony.ResultUpstream, telephony.ReasonNoCodec},
		{refusedBy, "", 34, telephony.ResultUpstream, telephony.ReasonUnreachable},
		{refusedBy, "", 0, telephony.ResultUpstream, telephony.ReasonUnreachable},
		{refusedBy, "", 55, telephony.ResultUpstream, telephony.ReasonRejected},
		{hangup, telephony.CauseNormal, 0, telephony.ResultSuccess, telephony.ReasonHangup},
		{reject, telephony.CauseNormal, 0, telephony.ResultCaller, telephony.ReasonRejected},
		{reject, telephony.CauseOverload, 0, telephony.ResultServer, telephony.ReasonOverload},
		{reject, telephony.CauseServerError, 0, telephony.ResultServer, telephony.ReasonError},
		{withdraw, telephony.CauseElsewhere, 0, telephony.ResultSuccess, telephony.ReasonAnsweredElse},
		{withdraw, telephony.CauseNormal, 0, telephony.ResultSuccess, telephony.ReasonCancelled},
		{ringTimeout, telephony.CauseUnavailable, 0, telephony.ResultCaller, telephony.ReasonNoAnswer},
		{noMedia, telephony.CauseTimeout, 0, telephony.ResultUpstream, telephony.ReasonMediaTimeout},
		{lost, "", 0, telephony.ResultUpstream, telephony.ReasonUnreachable},
		{noPort, "", 0, telephony.ResultServer, telephony.ReasonOverload},
		{stopping, "", 0, telephony.ResultServer, telephony.ReasonDraining},
		{panicked, "", 0, telephony.ResultServer, telephony.ReasonPanic},
		{happening(200), "", 0, telephony.ResultServer, telephony.ReasonError},
	} {
		if e := classify(c.h, c.cause, c.code); e.Result != c.result || e.Reason != c.reason || e.Code != c.code {
			t.Errorf("%d %s %d: %+v", c.h, c.cause, c.code, e)
		}
	}
	for reason, want := range map[telephony.Reason]error{telephony.ReasonBusy: telephony.ErrBusy, telephony.ReasonNoAnswer: telephony.ErrNoAnswer, telephony.ReasonCancelled: telephony.ErrNoAnswer,
		telephony.ReasonNoCodec: telephony.ErrNoCodec, telephony.ReasonUnreachable: telephony.ErrUnreachable, telephony.ReasonDraining: telephony.ErrUnreachable, telephony.ReasonRejected: telephony.ErrRefused,
		telephony.ReasonNotFound: telephony.ErrRefused} {
		if got := (telephony.End{Reason: reason}).DialError(); !errors.Is(got, want) {
			t.Errorf("%s: %v", reason, got)
		}
	}
}
