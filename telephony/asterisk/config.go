package asterisk

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"hotline/telephony"
	"hotline/telephony/media"
)

// Config is what a Driver needs. Zero values mean the defaults given here.
type Config struct {
	// URL is the base of ARI, such as http://127.0.0.1:8088/ari. Required.
	URL string
	// App is the Stasis application, one per node: hotline-<node>. Required. What we make in Asterisk has ids that begin
	// with it and a colon.
	App string
	// User and Secret are of ari.conf. Required.
	User, Secret string
	// MediaIP is where Asterisk sends the audio of our side. Zero: 127.0.0.1.
	MediaIP netip.Addr
	// MusicClass is the music on hold that Asterisk plays for music named "default". Empty: "default".
	MusicClass string
	// MaxCalls bounds live legs; above it new channels are refused with congestion. 0: 500.
	MaxCalls int
	// MediaTimeout ends a leg that sends no audio for so long, unless it is on hold, hears music or Asterisk is away.
	// 0: 30 s. Negative: never.
	MediaTimeout time.Duration
	// Dead is how long Asterisk may give no answer until it counts as lost and the socket is closed. 0: 10 s (reliability
	// R22). The alarm, State.Ready false, comes within half of it.
	Dead time.Duration
	// GiveUp ends the legs of an Asterisk that stays away for so long. 0: 150 s.
	GiveUp time.Duration
	// Now tells the time of day. nil: time.Now.
	Now func() time.Time
	// Log receives what happens. nil: nothing is logged.
	Log *slog.Logger
	// Registerer takes the metrics. nil: none.
	Registerer prometheus.Registerer
	// Sockets opens RTP sockets; Pacer and Library serve prompts. Required.
	Sockets media.Sockets
	Pacer   *media.Pacer
	Library *media.Library
	// OnState hears each change of State, from one goroutine. It must not block. May be nil.
	OnState func(State)
}

// State is how we stand with Asterisk.
type State struct {
	// Ready says that calls can come and go.
	Ready bool
	// Version is Asterisk's, as it says; empty before the first contact.
	Version string
	// Problem is for people: what is wrong and which setting mends it. It may be set while Ready holds: a version below
	// the one we test with, or a missing module. Empty: nothing.
	Problem string
	// Since is when Ready changed last.
	Since time.Time
	// Clock is how far Asterisk's clock is ahead of ours, measured by the quickest of the recent probes.
	Clock time.Duration
}

// Trunk is an endpoint of Asterisk that stands for a line to a provider or a PBX. A channel "PJSIP/<Name>-0000abcd"
// belongs to it.
type Trunk struct {
	// Name is the endpoint's in Asterisk: unique, not empty, without ':', '/', '@' and spaces.
	Name string
	// AssertsIdentity makes us believe the caller's number this trunk sends (RFC 3325).
	AssertsIdentity bool
	// Region (ISO 3166) and AreaCode are passed on with each call, to normalise numbers.
	Region, AreaCode string
	// CallerID is the number shown when a call out names none.
	CallerID string
	// MaxCalls bounds live calls of this trunk, both ways. 0: no bound of its own.
	MaxCalls int
	// Enabled false refuses calls from it (403) and through it.
	Enabled bool
}

// TrunkState is a trunk as it is now.
type TrunkState struct {
	Trunk
	Calls int // live legs of this trunk
	// Problem is for people: Asterisk has no endpoint of that name. Empty: it has, or could not be asked yet.
	Problem string
}

// Dial says whom to call and how.
type Dial struct {
	// To is "trunk:NAME:NUMBER", or "asterisk:TECH/RESOURCE" for any endpoint, such as asterisk:PJSIP/100.
	To string
	// Law is the codec asked for first: the other leg's, so that nothing is transcoded.
	Law media.Law
	// Ring bounds the time until the answer; 0: 60 s. Then the call is cancelled: telephony.ErrNoAnswer.
	Ring time.Duration
	// Caller is shown to the called side. Through a trunk an empty value means the trunk's CallerID.
	Caller telephony.Identity
	// CallerName is shown beside it; empty: Caller.DisplayName.
	CallerName string
	// OnRinging is called once, when the far side rings, by a goroutine of the leg. It must not block. May be nil.
	OnRinging func()
	// Leg is the leg's id, so that who dials can journal it before. Empty: a new one.
	Leg telephony.LegID
}

// ErrElsewhere is telephony.ErrElsewhere.
var ErrElsewhere = telephony.ErrElsewhere

// ErrAway says that Asterisk cannot be asked now.
var ErrAway = errors.New("asterisk is away")

// appName is what Asterisk takes as an application and what can stand in an id.
var appName = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// withDefaults fills in the zero values and checks the rest, reporting everything that is wrong at once.
func (c Config) withDefaults() (Config, error) {
	var errs []error
	u, err := url.Parse(strings.TrimRight(c.URL, "/"))
	switch {
	case err != nil:
		errs = append(errs, fmt.Errorf("telephony.asterisk.url: %w", err))
	case (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.RawQuery != "" || u.User != nil:
		errs = append(errs, fmt.Errorf("telephony.asterisk.url %q: must be like http://127.0.0.1:8088/ari", c.URL))
	default:
		c.URL = u.String()
	}
	if !appName.MatchString(c.App) {
		errs = append(errs, fmt.Errorf("telephony.asterisk.app %q: letters, digits, '.', '_' and '-' only, at most 64", c.App))
	}
	if c.User == "" || strings.Contains(c.User, ":") {
		errs = append(errs, errors.New("telephony.asterisk.user: must not be empty nor contain ':'"))
	}
	if c.Secret == "" {
		errs = append(errs, errors.New("telephony.asterisk.secret: must not be empty"))
	}
	if !c.MediaIP.IsValid() {
		c.MediaIP = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	}
	if c.MediaIP.IsUnspecified() {
		errs = append(errs, errors.New("media address: must be one that Asterisk can send to"))
	}
	setDefault(&c.MusicClass, "default")
	setDefault(&c.MaxCalls, 500)
	setDefault(&c.MediaTimeout, 30*time.Second)
	setDefault(&c.Dead, 10*time.Second)
	setDefault(&c.GiveUp, 150*time.Second)
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Sockets == nil || c.Pacer == nil || c.Library == nil {
		errs = append(errs, errors.New("sockets, pacer and library are needed"))
	}
	return c, errors.Join(errs...)
}

func setDefault[T comparable](v *T, def T) {
	var zero T
	if *v == zero {
		*v = def
	}
}
