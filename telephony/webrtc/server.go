package webrtc

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/interceptor"
	pion "github.com/pion/webrtc/v4"
	"github.com/prometheus/client_golang/prometheus"

	"hotline/telephony"
	"hotline/telephony/media"
)

// Config says how a Server works.
type Config struct {
	// Addr is where browsers send sound to, udp and tcp, host:port, the host an IP address. Port 0 takes any free one
	// (see Server.Addr); an unspecified host means every address but loopback, found anew at each connection.
	// Empty: 127.0.0.1:19000.
	Addr string
	// MediaIP is told to browsers instead of the address in Addr: the public side of a 1:1 NAT. Zero: as in Addr.
	MediaIP netip.Addr
	// Lite answers connectivity checks only (RFC 8445 2.5); for servers with a public address.
	Lite bool

	Pacer   *media.Pacer   // for endpoints that play
	Library *media.Library // prompts
	// MediaTimeout is how long an endpoint waits for packets before OnMediaTimeout; 0: never told.
	MediaTimeout time.Duration
	// ConnectLimit closes a connection that was not up so long after Attach; 0: 15 s.
	ConnectLimit time.Duration

	// OnState hears every change of every connection, in order, from one goroutine for all agents: it must be quick
	// and must not call Stop. Nil: nobody listens.
	OnState func(agent string, st State)
	// OnDigit hears keys sent by the browser's insertDTMF (source rfc4733). It must not block. The key is never logged.
	OnDigit func(agent string, d telephony.Digit)
	// OnMediaTimeout: see MediaTimeout. It must not block.
	OnMediaTimeout func(agent string)

	// DropUDP, while it returns true, loses every UDP packet in both directions: a cut cable for tests.
	DropUDP func() bool

	Now        func() time.Time // nil: time.Now
	Log        *slog.Logger     // nil: discarded
	Registerer prometheus.Registerer
}

// Phase is what a connection is doing.
type Phase string

// Phases of a connection.
const (
	PhaseConnecting   Phase = "connecting"   // attached, not up yet
	PhaseConnected    Phase = "connected"    // up
	PhaseDisconnected Phase = "disconnected" // no answer to checks for 4 s; comes back by itself or by restart
	PhaseFailed       Phase = "failed"       // no answer for 16 s: needs a restart or Attach; or, followed by closed, never up or refused by DTLS
	PhaseClosed       Phase = "closed"       // detached, replaced, ended by the browser or stopped
)

// State is a change of one connection. States of an older epoch than Phone.Epoch are history.
type State struct {
	Epoch int
	Phase Phase
	Path  string // udp or tcp once connected, empty before
	Why   string // for the log: ice, dtls, connect_limit, replaced, detached, removed, stopped, abandoned, peer
	At    time.Time
}

// Server is the media server of all browsers. Its goroutines: the notifier, pion's, and per connection those that
// conn.close joins. Stop joins all.
type Server struct {
	cfg  Config
	addr netip.AddrPort
	log  *slog.Logger
	now  func() time.Time
	m    *metrics

	port *port
	api  *pion.API

	mu      sync.Mutex // guards what follows
	running bool
	phones  map[string]*Phone
	conns   sync.WaitGroup // open connections; Add only under mu while running

	told notifier
}

// New checks the settings and makes a server; Start opens its port.
func New(cfg Config) (*Server, error) {
	if cfg.Addr == "" {
		cfg.Addr = "127.0.0.1:19000"
	}
	addr, err := netip.ParseAddrPort(cfg.Addr)
	if err != nil {
		return nil, fmt.Errorf("media address of browsers: %w (give an IP address and a port)", err)
	}
	if cfg.ConnectLimit <= 0 {
		cfg.ConnectLimit = 15 * time.Second
	}
	s := &Server{cfg: cfg, addr: addr, log: cfg.Log, now: cfg.Now, phones: map[string]*Phone{}}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.now == nil {
		s.now = time.Now
	}
	if s.m, err = newMetrics(cfg.Registerer); err != nil {
		return nil, fmt.Errorf("metrics of the browsers' media: %w", err)
	}
	return s, nil
}

// Start opens the port. The context is only for starting.
func (s *Server) Start(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running || s.port != nil {
		return errors.New("browsers' media server started twice")
	}
	logs := pionLogs{s.log}
	p, err := openPort(s.addr, s.cfg.DropUDP, logs, s.m.tcpRefused)
	if err != nil {
		return fmt.Errorf("browsers' media port: %w", err)
	}
	api, err := s.newAPI(p, logs)
	if err != nil {
		return errors.Join(err, p.close())
	}
	s.port, s.api, s.running = p, api, true
	s.told.start(s.cfg.OnState)
	return nil
}

// newAPI puts the table of agent-desk section 1 into pion.
func (s *Server) newAPI(p *port, logs pionLogs) (*pion.API, error) {
	var se pion.SettingEngine
	se.LoggerFactory = logs
	se.SetICEUDPMux(p.udp)
	se.SetICETCPMux(p.tcp)
	se.SetNetworkTypes([]pion.NetworkType{pion.NetworkTypeUDP4, pion.NetworkTypeTCP4, pion.NetworkTypeUDP6, pion.NetworkTypeTCP6})
	se.SetICETimeouts(4*time.Second, 12*time.Second, time.Second)
	se.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	se.SetIncludeLoopbackCandidate(s.addr.Addr().IsLoopback())
	se.SetLite(s.cfg.Lite)
	se.DisableActiveTCP(true) // never dial an address that a page named
	if err := se.SetAnsweringDTLSRole(pion.DTLSRoleClient); err != nil {
		return nil, fmt.Errorf("settings of WebRTC: %w", err)
	}
	if s.cfg.MediaIP.IsValid() && s.cfg.MediaIP != s.addr.Addr() {
		err := se.SetICEAddressRewriteRules(pion.ICEAddressRewriteRule{External: []string{s.cfg.MediaIP.String()},
			AsCandidateType: pion.ICECandidateTypeHost, Mode: pion.ICEAddressRewriteReplace})
		if err != nil {
			return nil, fmt.Errorf("media address %s told to browsers: %w", s.cfg.MediaIP, err)
		}
	}
	me := &pion.MediaEngine{}
	for _, c := range []pion.RTPCodecParameters{codecParameters(media.PCMA), codecParameters(media.PCMU), eventParameters(eventPT)} {
		if err := me.RegisterCodec(c, pion.RTPCodecTypeAudio); err != nil {
			return nil, fmt.Errorf("settings of WebRTC: %w", err)
		}
	}
	// No interceptors: G.711 needs no feedback, and each costs every packet. Loss and jitter are counted by the endpoint.
	return pion.NewAPI(pion.WithMediaEngine(me), pion.WithSettingEngine(se), pion.WithInterceptorRegistry(&interceptor.Registry{})), nil
}

// Stop closes every connection, the port and all endpoints, and waits for their goroutines, at most until ctx ends.
// A server is started once.
func (s *Server) Stop(ctx context.Context) error {
	s.mu.Lock()
	wasRunning := s.running
	s.running = false
	phones := make([]*Phone, 0, len(s.phones))
	for _, p := range s.phones {
		phones = append(phones, p)
	}
	s.phones = map[string]*Phone{}
	s.mu.Unlock()
	for _, p := range phones {
		p.end(whyStopped)
	}
	if !wasRunning {
		return nil
	}
	done := make(chan error, 1)
	go func() {
		s.conns.Wait()
		err := s.port.close()
		s.told.stop()
		done <- err
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return fmt.Errorf("stop the browsers' media server: %w", context.Cause(ctx))
	}
}

// Addr is the address the port is bound to, with its real number; the zero value before Start.
func (s *Server) Addr() netip.AddrPort {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.port == nil {
		return netip.AddrPort{}
	}
	return s.port.addr
}

// Attach connects a page's sound: it answers the offer in full (all candidates in it) and replaces the agent's former
// connection, which is closed. codecs is what the page can use, empty for all it offers. The epoch names this
// connection from now on. Errors: ErrBadSDP, telephony.ErrNoCodec, ErrStopped; the former connection stays then.
func (s *Server) Attach(ctx context.Context, agent, offerSDP string, codecs []string) (answerSDP string, epoch int, err error) {
	answerSDP, epoch, err = s.Phone(agent).attach(ctx, offerSDP, codecs)
	s.m.attaches.WithLabelValues(attachResult(err)).Inc()
	if err != nil {
		return "", 0, fmt.Errorf("attach %s: %w", agent, err)
	}
	return answerSDP, epoch, nil
}

func attachResult(err error) string {
	switch {
	case err == nil:
		return "ok"
	case errors.Is(err, telephony.ErrNoCodec):
		return "no_codec"
	case errors.Is(err, ErrBadSDP):
		return "bad_sdp"
	case errors.Is(err, ErrStopped):
		return "stopped"
	}
	return "error"
}

// Offer renegotiates the connection of that epoch: ICE restart or change of device. Errors: ErrStaleEpoch, ErrBadSDP,
// telephony.ErrNoCodec.
func (s *Server) Offer(ctx context.Context, agent string, epoch int, offerSDP string) (answerSDP string, err error) {
	p, err := s.known(agent)
	if err == nil {
		answerSDP, err = p.offer(ctx, epoch, offerSDP)
	}
	if err != nil {
		return "", fmt.Errorf("offer of %s: %w", agent, err)
	}
	return answerSDP, nil
}

// Candidate adds an address of the browser; the empty string says that no more will come. Errors: ErrStaleEpoch,
// ErrBadCandidate, ErrTooMany (200 per epoch).
func (s *Server) Candidate(agent string, epoch int, candidate string) error {
	p, err := s.known(agent)
	if err != nil {
		return err
	}
	c, err := p.at(epoch)
	if err != nil {
		return err
	}
	return c.candidate(candidate)
}

// Detach ends the connection of that epoch; the phone and its endpoint stay. A stale epoch is ignored.
func (s *Server) Detach(agent string, epoch int) {
	if p, err := s.known(agent); err == nil && epoch >= 0 {
		p.detach(epoch, whyDetached)
	}
}

// Phone returns the agent's phone and makes it when it is new. After Stop the phone it returns cannot attach.
func (s *Server) Phone(agent string) *Phone {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.phones[agent]
	if p == nil {
		p = newPhone(s, agent)
		if !s.running && s.port != nil {
			p.gone = true
			p.ep.Close()
			return p
		}
		s.phones[agent] = p
	}
	return p
}

// known is Phone for requests that name an epoch: it makes nothing.
func (s *Server) known(agent string) (*Phone, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.phones[agent]; p != nil {
		return p, nil
	}
	return nil, fmt.Errorf("%w: nothing attached", ErrStaleEpoch)
}

// Remove ends the agent's phone for good: its connection and its endpoint.
func (s *Server) Remove(agent string) {
	s.mu.Lock()
	p := s.phones[agent]
	delete(s.phones, agent)
	s.mu.Unlock()
	if p != nil {
		p.end(whyRemoved)
	}
}

// enter takes a place for one connection; false once stopping.
func (s *Server) enter() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running {
		s.conns.Add(1)
	}
	return s.running
}

func (s *Server) tell(agent string, st State) {
	s.log.Debug("browser sound", "agent", agent, "epoch", st.Epoch, "phase", st.Phase, "path", st.Path, "why", st.Why)
	s.told.put(agent, st)
}
