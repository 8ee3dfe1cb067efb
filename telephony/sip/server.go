package sip

import (
	"context"
	"net/netip"

	"hotline/telephony"
	"hotline/telephony/media"
)

// Server speaks SIP on one UDP and one TCP port.
type Server struct{ cfg Config }

// New checks the configuration. onCall gets every admitted inbound call in a goroutine of its own; when it returns the
// leg is hung up.
func New(cfg Config, users Users, onCall func(ctx context.Context, leg *Leg)) (*Server, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	return &Server{cfg: cfg}, nil
}

func (s *Server) Start(ctx context.Context) error               { return nil }
func (s *Server) Stop(ctx context.Context) error                { return nil }
func (s *Server) Addr() (udp, tcp netip.AddrPort)               { return }
func (s *Server) SetTrunks(trunks []Trunk) error                { return nil }
func (s *Server) Trunks() []TrunkState                          { return nil }
func (s *Server) SetDraining(on bool)                           {}
func (s *Server) Calls() int                                    { return 0 }
func (s *Server) Registration(user string) (Registration, bool) { return Registration{}, false }
func (s *Server) Registrations() []Registration                 { return nil }
func (s *Server) Dial(ctx context.Context, d Dial) (*Leg, error) {
	return nil, telephony.ErrUnreachable
}

// Leg is one SIP dialog and its audio.
type Leg struct{}

var _ telephony.Leg = (*Leg)(nil)

func (l *Leg) ID() telephony.LegID                                { return "" }
func (l *Leg) Party() telephony.Party                             { return telephony.Party{} }
func (l *Leg) Progress(ctx context.Context) error                 { return nil }
func (l *Leg) Answer(ctx context.Context) error                   { return nil }
func (l *Leg) Answered() bool                                     { return false }
func (l *Leg) Play(ctx context.Context, p telephony.Prompt) error { return nil }
func (l *Leg) Digits() <-chan telephony.Digit                     { return nil }
func (l *Leg) SendDigits(ctx context.Context, keys string) error  { return nil }
func (l *Leg) Hangup(c telephony.Cause)                           {}
func (l *Leg) Done() <-chan struct{}                              { return nil }
func (l *Leg) End() telephony.End                                 { return telephony.End{} }
func (l *Leg) Endpoint() *media.Endpoint                          { return nil }
func (l *Leg) Law() media.Law                                     { return media.PCMA }
func (l *Leg) Held() bool                                         { return false }
func (l *Leg) OnHold(f func(held bool))                           {}
func (l *Leg) Ringing(ctx context.Context) error                  { return nil }
