package media

import (
	"context"
	"log/slog"
	"net/netip"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"hotline/telephony"
)

// Law is a G.711 companding law; its value is the static RTP payload type (RFC 3551 table 4).
type Law uint8

// The two laws.
const (
	PCMU Law = 0
	PCMA Law = 8
)

// Transport carries complete RTP packets to the far side. WriteRTP must not block and must not keep the packet.
type Transport interface {
	WriteRTP(packet []byte) error
}

// Format is what the signalling agreed on for one endpoint.
type Format struct {
	Law     Law   // what we send; both laws are always understood
	EventPT uint8 // telephone-event payload type, both directions; 0: none agreed
	Send    bool  // we may send
	Recv    bool  // we listen
}

// EndpointConfig makes an Endpoint.
type EndpointConfig struct {
	Name           string
	Transport      Transport // may be nil until SetTransport
	Law            Law
	EventPT        uint8
	DropEvents     bool // never send telephone-event (pion would turn it into clicks)
	Silent         bool // send nothing before the first Configure
	Pacer          *Pacer
	Library        *Library
	Now            func() time.Time
	OnDigit        func(telephony.Digit)
	MediaTimeout   time.Duration
	OnMediaTimeout func()
}

// Endpoint is one party's audio.
type Endpoint struct{}

func NewEndpoint(cfg EndpointConfig) *Endpoint                         { return &Endpoint{} }
func (e *Endpoint) Name() string                                       { return "" }
func (e *Endpoint) Receive(packet []byte, at time.Time)                {}
func (e *Endpoint) Configure(f Format)                                 {}
func (e *Endpoint) Format() Format                                     { return Format{} }
func (e *Endpoint) Play(ctx context.Context, p telephony.Prompt) error { return nil }
func (e *Endpoint) SendDigits(ctx context.Context, keys string) error  { return nil }
func (e *Endpoint) Stats() Stats                                       { return Stats{} }
func (e *Endpoint) LastReceived() time.Time                            { return time.Time{} }
func (e *Endpoint) WaitMedia(ctx context.Context) error                { return nil }
func (e *Endpoint) ResetMedia()                                        {}
func (e *Endpoint) SetTransport(t Transport)                           {}
func (e *Endpoint) Close()                                             {}

// Stats are an endpoint's counters since it was made.
type Stats struct {
	ReceivedPackets, ReceivedBytes uint64
	SentPackets, SentBytes         uint64
	Lost, Late, Duplicates         uint64
	Unknown, Invalid, ForeignSSRC  uint64
	Events, Digits                 uint64
	SendErrors                     uint64
	Jitter                         time.Duration
}

// PacerConfig makes a Pacer.
type PacerConfig struct {
	Registerer prometheus.Registerer
	Log        *slog.Logger
}

// Pacer is the one pacing clock.
type Pacer struct{}

func NewPacer(cfg PacerConfig) *Pacer          { return &Pacer{} }
func (p *Pacer) Run(ctx context.Context) error { return nil } // blocks until ctx ends or Close
func (p *Pacer) Start()                        {}             // runs it in a goroutine that Close joins
func (p *Pacer) Close()                        {}

// LibraryConfig makes a Library.
type LibraryConfig struct {
	MaxBytes   int64 // 0: 128 MiB
	Registerer prometheus.Registerer
}

// Library caches decoded prompts.
type Library struct{}

func NewLibrary(cfg LibraryConfig) *Library                              { return &Library{} }
func (l *Library) Preload(ctx context.Context, p telephony.Prompt) error { return nil }
func (l *Library) Duration(ctx context.Context, p telephony.Prompt) (time.Duration, error) {
	return 0, nil
}

// Sockets opens RTP sockets.
type Sockets interface {
	Open() (*Socket, error)
}

// PortsConfig makes a Ports.
type PortsConfig struct {
	IP            netip.Addr    // address to bind; zero: 127.0.0.1
	Min, Max      uint16        // 0: 20000, 29999; both 0 with Any: the system's choice
	Any           bool          // any free port, for tests
	Rest          time.Duration // quarantine of a closed port; 0: 10 s
	AllowLoopback bool          // loopback remotes although IP is not loopback
	Now           func() time.Time
	Log           *slog.Logger
	Registerer    prometheus.Registerer
}

// Ports is a range of RTP ports.
type Ports struct{}

func NewPorts(cfg PortsConfig) (*Ports, error) { return &Ports{}, nil }
func (p *Ports) Open() (*Socket, error)        { return &Socket{}, nil }
func (p *Ports) Close() error                  { return nil }

// Source says whose packets a socket takes.
type Source struct {
	Learn bool         // false: only the remote's exact address; true: lock on in fewer than 5 packets
	Only  []netip.Addr // with Learn: only these addresses may be learned; empty: any
}

// SocketStats are a socket's counters.
type SocketStats struct {
	Received, Foreign, Unbound, RTCP, Sent, SendErrors uint64
	Locked                                             netip.AddrPort
}

// Socket is one RTP socket. It is a Transport.
type Socket struct{}

func (s *Socket) LocalAddr() netip.AddrPort           { return netip.AddrPort{} }
func (s *Socket) SetRemote(addr netip.AddrPort) error { return nil }
func (s *Socket) SetSource(src Source)                {}
func (s *Socket) Bind(e *Endpoint)                    {}
func (s *Socket) WriteRTP(packet []byte) error        { return nil }
func (s *Socket) Stats() SocketStats                  { return SocketStats{} }
func (s *Socket) Close() error                        { return nil }

// Role is what a party is in a room.
type Role uint8

const (
	Customer Role = iota + 1
	Agent
	Supervisor
)

// Mode is how a supervisor takes part.
type Mode uint8

const (
	Listen Mode = iota
	Whisper
	Barge
)

// RoomConfig makes a Room.
type RoomConfig struct {
	Pacer   *Pacer
	Library *Library
	Hold    telephony.Prompt // loops whatever its Loop says; empty: silence
	Comfort telephony.Tone   // zero: 320 Hz in a slow cadence
	Log     *slog.Logger
	Now     func() time.Time
}

// Room is one talk.
type Room struct{}

func NewRoom(cfg RoomConfig) *Room                 { return &Room{} }
func (r *Room) Join(e *Endpoint, role Role) error  { return nil }
func (r *Room) Leave(e *Endpoint)                  {}
func (r *Room) SetMode(e *Endpoint, m Mode) error  { return nil }
func (r *Room) SetMute(e *Endpoint, on bool) error { return nil }
func (r *Room) SetHold(on bool) error              { return nil }
func (r *Room) SetLost(e *Endpoint, on bool) error { return nil }
func (r *Room) AddTap(t Tap)                       {}
func (r *Room) RemoveTap(t Tap)                    {}
func (r *Room) Close()                             {}

// Tap hears what was said. ch 0 customer, 1 agent side as the customer could hear it, 2 supervisors the customer could
// hear. pos counts 8 kHz samples since the tap was added.
type Tap interface {
	Frame(ch int, payloadType uint8, pos int64, payload []byte)
}
