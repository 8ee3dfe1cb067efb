package sip

import (
	"errors"
	"testing"

	"hotline/telephony"
)

// TestClassify is the table of endings (style.md rule 9).
func TestClassify(t *testing.T) {
	for _, x := range []struct {
		what   happening
		cause  telephony.Cause
		code   int
		result telephony.Result
		reason telephony.Reason
	}{
		{byeIn, "", 16, telephony.ResultSuccess, telephony.ReasonHangup},
		{byeIn, "", 38, telephony.ResultUpstream, telephony.ReasonHangup},
		{cancelIn, "", 0, telephony.ResultCaller, telephony.ReasonCancelled},
		{elsewhereIn, "", 0, telephony.ResultCaller, telephony.ReasonAnsweredElse},
		{hangup, telephony.CauseNormal, 0, telephony.ResultSuccess, telephony.ReasonHangup},
		{hangup, telephony.CauseServerError, 0, telephony.ResultServer, telephony.ReasonError},
		{reject, telephony.CauseNormal, 0, telephony.ResultCaller, telephony.ReasonRejected},
		{reject, telephony.CauseBusy, 0, telephony.ResultCaller, telephony.ReasonBusy},
		{reject, telephony.CauseNotFound, 0, telephony.ResultCaller, telephony.ReasonNotFound},
		{reject, telephony.CauseOverload, 0, telephony.ResultServer, telephony.ReasonOverload},
		{reject, telephony.CauseNotAcceptable, 0, telephony.ResultCaller, telephony.ReasonNoCodec},
		{withdraw, telephony.CauseNormal, 0, telephony.ResultSuccess, telephony.ReasonCancelled},
		{withdraw, telephony.CauseElsewhere, 0, telephony.ResultSuccess, telephony.ReasonAnsweredElse},
		{refusedBy, "", 486, telephony.ResultCaller, telephony.ReasonBusy},
		{refusedBy, "", 600, telephony.ResultCaller, telephony.ReasonBusy},
		{refusedBy, "", 480, telephony.ResultCaller, telephony.ReasonNoAnswer},
		{refusedBy, "", 404, telephony.ResultCaller, telephony.ReasonNotFound},
		{refusedBy, "", 488, telephony.ResultUpstream, telephony.ReasonNoCodec},
		{refusedBy, "", 603, telephony.ResultCaller, telephony.ReasonRejected},
		{refusedBy, "", 403, telephony.ResultUpstream, telephony.ReasonRejected},
		{refusedBy, "", 503, telephony.ResultUpstream, telephony.ReasonUnreachable},
		{ringTimeout, "", 0, telephony.ResultCaller, telephony.ReasonNoAnswer},
		{noResponse, "", 0, telephony.ResultUpstream, telephony.ReasonUnreachable},
		{noACK, "", 0, telephony.ResultUpstream, telephony.ReasonNoACK},
		{noMedia, "", 0, telephony.ResultUpstream, telephony.ReasonMediaTimeout},
		{noSession, "", 0, telephony.ResultUpstream, telephony.ReasonSessionExpiry},
		{noCodecs, "", 0, telephony.ResultCaller, telephony.ReasonNoCodec},
		{noPort, "", 0, telephony.ResultServer, telephony.ReasonOverload},
		{stopping, "", 0, telephony.ResultServer, telephony.ReasonDraining},
		{panicked, "", 0, telephony.ResultServer, telephony.ReasonPanic},
		{happening(200), "", 0, telephony.ResultServer, telephony.ReasonError},
	} {
		if e := classify(x.what, x.cause, x.code); e.Result != x.result || e.Reason != x.reason || e.Code != x.code {
			t.Errorf("%d %s %d: %+v", x.what, x.cause, x.code, e)
		}
	}
	for status, want := range map[int]error{486: telephony.ErrBusy, 480: telephony.ErrNoAnswer, 404: telephony.ErrRefused,
		488: telephony.ErrNoCodec, 503: telephony.ErrUnreachable} {
		if err := classify(refusedBy, "", status).DialError(); !errors.Is(err, want) {
			t.Errorf("%d: %v", status, err)
		}
	}
}

// TestReasons: each cause has a Reason that we read back.
func TestReasons(t *testing.T) {
	for _, c := range []telephony.Cause{telephony.CauseNormal, telephony.CauseBusy, telephony.CauseNotFound, telephony.CauseForbidden,
		telephony.CauseDeclined, telephony.CauseUnavailable, telephony.CauseNotAcceptable, telephony.CauseOverload, telephony.CauseTimeout,
		telephony.CauseElsewhere, telephony.CauseServerError} {
		m := readRequest(t, "Reason: "+reasonFor(c)+"\r\n")
		if readReason(m, "Q.850")+readReason(m, "SIP") == 0 {
			t.Errorf("%s: %q is not understood", c, reasonFor(c))
		}
		if code, _ := statusFor(c); reasons[code] == "" {
			t.Errorf("%s: no phrase for %d", c, code)
		}
	}
}
