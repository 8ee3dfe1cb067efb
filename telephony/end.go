package telephony

// Result is the class of a call's or leg's ending: whose doing it was. Log, metric and row share it (style.md rule 9).
type Result string

// Results. The zero value means that somebody forgot to say, and counts as ResultServer.
const (
	ResultSuccess  Result = "success"  // ended as intended: talked, served itself, left a message
	ResultCaller   Result = "caller"   // the caller left or asked for something we rightly refused
	ResultServer   Result = "server"   // our fault
	ResultUpstream Result = "upstream" // a trunk, peer or network failed
	ResultUnknown  Result = "unknown"  // cut by a crash; we cannot know
)

// Reason says more exactly how a call or leg ended. The set is closed: it is a metric label.
type Reason string

// Reasons.
const (
	ReasonTalked        Reason = "talked"         // a talk took place and ended
	ReasonCompleted     Reason = "completed"      // the menu did its work
	ReasonVoicemail     Reason = "voicemail"      // a message was left
	ReasonCallback      Reason = "callback"       // a callback was taken instead
	ReasonTransferred   Reason = "transferred"    // talked with a number outside
	ReasonAbandonedMenu Reason = "abandoned_menu" // hung up in the menu
	ReasonAbandonedWait Reason = "abandoned_wait" // hung up in the queue
	ReasonAbandonedHold Reason = "abandoned_hold" // hung up on hold or while the agent's page was lost
	ReasonCancelled     Reason = "cancelled"      // CANCEL before any answer
	ReasonNoAnswer      Reason = "no_answer"      // nobody answered in time
	ReasonBusy          Reason = "busy"
	ReasonRejected      Reason = "rejected"       // refused by policy: block list, closed queue, menu's end: rejected
	ReasonNotFound      Reason = "not_found"      // the dialled number is unknown here
	ReasonNoCodec       Reason = "no_codec"       // SDP without a codec of ours, or a hostile address
	ReasonOverload      Reason = "overload"       // refused before anything was allocated
	ReasonDraining      Reason = "draining"       // refused or ended because we are stopping
	ReasonMediaTimeout  Reason = "media_timeout"  // no packet for too long
	ReasonSessionExpiry Reason = "session_expiry" // RFC 4028 refresh failed
	ReasonNoACK         Reason = "no_ack"         // 200 was never confirmed (RFC 3261 13.3.1.4)
	ReasonUnreachable   Reason = "unreachable"    // transport error, time-out
	ReasonHangup        Reason = "hangup"         // plain BYE on a leg, before the call knew more
	ReasonAnsweredElse  Reason = "answered_elsewhere"
	ReasonCrash         Reason = "crash" // closed at the next start
	ReasonPanic         Reason = "panic" // recovered, counted
	ReasonError         Reason = "error"
)

// Side says who hung up first.
type Side string

// Sides of a call.
const (
	SideCustomer Side = "customer"
	SideAgent    Side = "agent"
	SideSystem   Side = "system"
)

// End is how a leg or a call ended. The zero End reads as a server error, so that forgetting to set it shows.
type End struct {
	Result Result `json:"result"`
	Reason Reason `json:"reason"`
	By     Side   `json:"by,omitempty"`     // who hung up first; empty: nobody knows
	Code   int    `json:"code,omitempty"`   // SIP status or Q.850 cause as it came; 0: none
	Detail string `json:"detail,omitempty"` // for the log and the call's page, never for a label
}

// OrServerError gives the zero End its meaning.
func (e End) OrServerError() End {
	if e.Result == "" {
		e.Result = ResultServer
	}
	if e.Reason == "" {
		e.Reason = ReasonError
	}
	return e
}

// Cause tells a driver why we end or refuse a leg. Each driver maps it to its own codes (SIP status before the answer,
// Q.850 in the Reason header after it).
type Cause string

// Causes.
const (
	CauseNormal        Cause = "normal"         // BYE, or 480 before the answer
	CauseBusy          Cause = "busy"           // 486
	CauseNotFound      Cause = "not_found"      // 404
	CauseForbidden     Cause = "forbidden"      // 403
	CauseDeclined      Cause = "declined"       // 603
	CauseUnavailable   Cause = "unavailable"    // 480
	CauseNotAcceptable Cause = "not_acceptable" // 488
	CauseOverload      Cause = "overload"       // 503 with Retry-After
	CauseTimeout       Cause = "timeout"        // 408
	CauseElsewhere     Cause = "elsewhere"      // CANCEL with Reason "Call completed elsewhere" (RFC 3326)
	CauseServerError   Cause = "server_error"   // 500
)
