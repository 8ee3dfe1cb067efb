package webrtc

import (
	"log/slog"
	"net/netip"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"hotline/telephony"
	"hotline/telephony/media"
)

// Config says how a Server works.
type Config struct {
	// Addr is where browsers send sound to, udp and tcp, host:port. Port 0 takes any free one (see Server.Addr).
	// Empty: 127.0.0.1:19000.
	Addr string
	// MediaIP is told to browsers instead of the address in Addr: the public side of a 1:1 NAT. Zero: as in Addr.
	MediaIP netip.Addr
	// Lite answers connectivity checks only (RFC 8445 2.5); for servers with a public address.
	Lite bool

	Pacer   *media.Pacer   // required by endpoints that play
	Library *media.Library // prompts
	// MediaTimeout is how long an endpoint waits for packets before OnMediaTimeout; 0: never told.
	MediaTimeout time.Duration
	// ConnectLimit closes a connection that was not up so long after Attach; 0: 15 s.
	ConnectLimit time.Duration

	// OnState hears every change of every connection, in order per agent, from the phone's own goroutine. It must not
	// call Stop or Remove. Nil: nobody listens.
	OnState func(agent string, st State)
	// OnDigit hears keys sent by the browser's insertDTMF (source rfc4733). It must not block. The key is never logged.
	OnDigit func(agent string, d telephony.Digit)
	// OnMediaTimeout: see MediaTimeout.
	OnMediaTimeout func(agent string)

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
	PhaseFailed       Phase = "failed"       // no answer for 16 s, or never up, or DTLS refused: needs a restart or Attach
	PhaseClosed       Phase = "closed"       // detached, replaced or stopped
)

// State is a change of one connection. Epoch tells which: states of an older epoch than Phone.Epoch are history.
type State struct {
	Epoch int
	Phase Phase
	Path  string // udp or tcp once connected, empty before
	Why   string // for the log: replaced, detached, connect_limit, dtls, ...
	At    time.Time
}
