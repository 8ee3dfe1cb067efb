package webrtc

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"hotline/telephony/media"
)

// Error is a refusal with a stable code; the signalling hub passes the code to the page.
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
	// ErrStaleEpoch says that the request names a connection that was replaced.
	ErrStaleEpoch = &Error{"stale_epoch", "stale epoch"}
	// ErrStopped says that the server is stopped or not started.
	ErrStopped = &Error{"stopped", "media server stopped"}
	// ErrBadSDP says that the offer cannot be used.
	ErrBadSDP = &Error{"bad_sdp", "bad session description"}
	// ErrTooMany says that a limit was passed (candidates per epoch, connections).
	ErrTooMany = &Error{"too_many", "too many"}
)

type Server struct{ cfg Config }

func New(cfg Config) (*Server, error)             { return &Server{cfg: cfg}, nil }
func (s *Server) Start(ctx context.Context) error { return errors.ErrUnsupported }
func (s *Server) Stop(ctx context.Context) error  { return nil }
func (s *Server) Addr() netip.AddrPort            { return netip.AddrPort{} }
func (s *Server) Attach(ctx context.Context, agent, offerSDP string, codecs []string) (answerSDP string, epoch int, err error) {
	return "", 0, ErrStopped
}
func (s *Server) Offer(ctx context.Context, agent string, epoch int, offerSDP string) (answerSDP string, err error) {
	return "", ErrStopped
}
func (s *Server) Candidate(agent string, epoch int, candidate string) error { return ErrStopped }
func (s *Server) Detach(agent string, epoch int)                            {}

// Phone returns the agent's phone and makes it when it is new.
func (s *Server) Phone(agent string) *Phone { return &Phone{} }

// Remove ends the agent's phone for good and closes its endpoint.
func (s *Server) Remove(agent string) {}

type Phone struct{}

func (p *Phone) Agent() string             { return "" }
func (p *Phone) Endpoint() *media.Endpoint { return nil }
func (p *Phone) Epoch() int                { return 0 }
func (p *Phone) Connected() bool           { return false }
func (p *Phone) LastRTP() time.Time        { return time.Time{} }
func (p *Phone) Path() string              { return "" }

// Prefer sets the law of the trunk for the next Attach or Offer; media.PCMA until then.
func (p *Phone) Prefer(law media.Law) {}
