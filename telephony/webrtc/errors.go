package webrtc

// Error is a refusal with a stable code; the signalling hub passes the code on to the page.
type Error struct {
	code string
	text string
}

// Error implements error.
func (e *Error) Error() string { return e.text }

// Code is the stable name of the refusal.
func (e *Error) Code() string { return e.code }

// Errors callers branch on. No codec in common is telephony.ErrNoCodec.
var (
	// ErrStaleEpoch says that the request names a connection that was replaced, or that none is there.
	ErrStaleEpoch = &Error{"stale_epoch", "stale epoch"}
	// ErrStopped says that the server is stopped or not started.
	ErrStopped = &Error{"stopped", "media server stopped"}
	// ErrBadSDP says that the offer cannot be used; what is wrong is in the text around it.
	ErrBadSDP = &Error{"bad_sdp", "unusable session description"}
	// ErrBadCandidate says that a candidate cannot be parsed.
	ErrBadCandidate = &Error{"bad_candidate", "unusable candidate"}
	// ErrTooMany says that a limit was passed: candidates of one epoch.
	ErrTooMany = &Error{"too_many", "too many candidates"}
)
