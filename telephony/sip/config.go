package sip

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"hotline/telephony"
	"hotline/telephony/media"
)

// Realm is the digest realm of our own registrar. HA1 of a desk phone is MD5(user:hotline:password).
const Realm = "hotline"

// Config is what a Server needs. Zero values mean the defaults given here.
type Config struct {
	// Addr is where we listen, host:port, for UDP and TCP alike. Empty: 127.0.0.1:5060. Port 0: any port that is free
	// for both.
	Addr string
	// MediaIP is put into SDP. Zero: the IP of Addr, or 127.0.0.1 if that is unspecified.
	MediaIP netip.Addr
	// AdvertiseHost is the host of our Contact and Via. Empty: the IP of Addr, or MediaIP if that is unspecified.
	AdvertiseHost string
	// UserAgent is our name in User-Agent and Server. Empty: "hotline".
	UserAgent string
	// MaxCalls bounds live legs; above it INVITEs get 503 with Retry-After. 0: 500.
	MaxCalls int
	// SessionExpires is the session interval we ask for (RFC 4028). 0: 1800 s. At least MinSE.
	SessionExpires time.Duration
	// MinSE is the shortest session interval we accept. 0: 90 s, the least RFC 4028 allows.
	MinSE time.Duration
	// MediaTimeout ends a leg that sends no packet for so long, unless it is on hold. 0: 30 s. Negative: never.
	MediaTimeout time.Duration
	// T1 is the round-trip estimate of RFC 3261 17.1.1.1. 0: 500 ms. Tests shorten it.
	T1 time.Duration
	// Accepts says whether we serve a dialled number. nil: all. False: 404. Called for every INVITE by the goroutine
	// that reads the socket, so it must only look something up in memory.
	Accepts func(called, trunk string) bool
	// OnRegistration hears that a desk phone came or went. Called without locks held; may be nil.
	OnRegistration func(user string, up bool)
	// Now tells the time of day. nil: time.Now. Durations come from the monotonic clock.
	Now func() time.Time
	// Log receives what happens. nil: nothing is logged.
	Log *slog.Logger
	// Registerer takes the metrics. nil: none.
	Registerer prometheus.Registerer
	// Sockets opens RTP sockets; Pacer and Library serve prompts. Required.
	Sockets media.Sockets
	Pacer   *media.Pacer
	Library *media.Library

	// stall and idle bound TCP peers: inside a message, and between messages for strangers. 0: 10 s, 30 s.
	stall, idle time.Duration
}

// withDefaults fills in the zero values and checks the rest, reporting everything that is wrong at once.
func (c Config) withDefaults() (Config, error) {
	var errs []error
	if c.Addr == "" {
		c.Addr = "127.0.0.1:5060"
	}
	host, _, err := net.SplitHostPort(c.Addr)
	if err != nil {
		errs = append(errs, fmt.Errorf("address %q: %w", c.Addr, err))
	}
	ip, err := netip.ParseAddr(host)
	if err != nil && host != "" {
		errs = append(errs, fmt.Errorf("address %q: the host must be an IP: %w", c.Addr, err))
	}
	if !c.MediaIP.IsValid() {
		c.MediaIP = netip.AddrFrom4([4]byte{127, 0, 0, 1})
		if ip.IsValid() && !ip.IsUnspecified() {
			c.MediaIP = ip
		}
	}
	if c.AdvertiseHost == "" {
		c.AdvertiseHost = c.MediaIP.String()
		if ip.IsValid() && !ip.IsUnspecified() {
			c.AdvertiseHost = ip.String()
		}
	}
	if c.UserAgent == "" {
		c.UserAgent = "hotline"
	}
	setDefault(&c.MaxCalls, 500)
	setDefault(&c.SessionExpires, 1800*time.Second)
	setDefault(&c.MinSE, 90*time.Second)
	setDefault(&c.MediaTimeout, 30*time.Second)
	setDefault(&c.T1, 500*time.Millisecond)
	setDefault(&c.stall, 10*time.Second)
	setDefault(&c.idle, 30*time.Second)
	if c.SessionExpires < c.MinSE {
		errs = append(errs, fmt.Errorf("session interval %v is below its minimum %v", c.SessionExpires, c.MinSE))
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Sockets == nil {
		errs = append(errs, errors.New("no RTP sockets given"))
	}
	return c, errors.Join(errs...)
}

func setDefault[T comparable](v *T, def T) {
	var zero T
	if *v == zero {
		*v = def
	}
}

// Trunk is a line to a provider or a PBX: who may call us without a password, and how we call out.
type Trunk struct {
	// Name is unique and not empty, without ':'; "desk" is taken by our own phones.
	Name string
	// CIDRs are source addresses whose calls belong to this trunk. May be empty if Register is set: then the addresses
	// that Host resolves to count.
	CIDRs []netip.Prefix
	// AssertsIdentity makes us believe the caller's number this trunk sends (RFC 3325).
	AssertsIdentity bool
	// Region (ISO 3166) and AreaCode are passed on with each call, to normalise numbers.
	Region, AreaCode string
	// Host and Port are where calls go out and where we register. Port 0: 5060, or what DNS SRV says.
	Host string
	Port int
	// Transport is "udp" (also when empty) or "tcp".
	Transport string
	// User and Password answer the provider's challenges, in Realm only (empty Realm: whatever realm Host asks with).
	User, Password, Realm string
	// Register keeps a registration at Host, renewed every RegisterEvery (0: 300 s; the provider may shorten it).
	Register      bool
	RegisterEvery time.Duration
	// MaxCalls bounds live calls of this trunk, both ways. 0: no bound of its own.
	MaxCalls int
	// Enabled false refuses calls from it (403) and through it.
	Enabled bool
	// CallerID is the number in From when a call names none.
	CallerID string
}

// TrunkState is a trunk as it is now.
type TrunkState struct {
	Trunk
	Registered bool      // our registration at the provider holds
	Since      time.Time // of the last change of Registered; zero: never changed
	Error      string    // why the last attempt failed; empty: it did not
	Calls      int       // live legs of this trunk
}

// Users tells the passwords of desk phones.
type Users interface {
	// Credential returns HA1 = MD5(user:hotline:password) in hex. False: no such user, or it may not register.
	Credential(ctx context.Context, user string) (ha1 string, ok bool)
}

// Registration is where a desk phone can be reached.
type Registration struct {
	User      string
	Contact   string         // as the phone gave it
	Remote    netip.AddrPort // where its REGISTER came from; calls go there
	Transport string         // udp, tcp
	Expires   time.Time
	UserAgent string
}

// Dial says whom to call and how.
type Dial struct {
	// To is "user:desk1" (a registered desk phone), "trunk:NAME:NUMBER", or a sip: URI.
	To string
	// Caller is shown to the called side. Through a trunk an empty value means the trunk's CallerID.
	Caller telephony.Identity
	// CallerName is shown beside it; empty: Caller.DisplayName.
	CallerName string
	// Law is the codec offered first: the other leg's, so that nothing is transcoded.
	Law media.Law
	// OnRinging is called once, on the first 180 or 183, by a goroutine of the leg. It must not block. May be nil.
	OnRinging func()
	// Ring bounds the time until the answer; 0: 60 s. Then the call is cancelled: ErrNoAnswer.
	Ring time.Duration
}

// ErrElsewhere is telephony.ErrElsewhere: the CANCEL then carries "Call completed elsewhere" (RFC 3326).
var ErrElsewhere = telephony.ErrElsewhere
