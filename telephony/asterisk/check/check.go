// Package check is in charge of the question whether a running Asterisk is fit for Hotline: it asks over HTTP as Hotline will,
// makes one short test channel, and says of each finding what to do. It changes nothing that stays.
package check

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"time"
)

// Level is how bad a finding is.
type Level string

// Levels of a Finding.
const (
	OK      Level = "ok"
	Warning Level = "warning" // works, and will hurt one day
	Error   Level = "error"   // calls do not work, or the door stands open
)

// Finding is one thing looked at.
type Finding struct {
	Level Level
	What  string // one sentence: what is so
	Fix   string // what to do; empty when ok
}

// Config is how Hotline reaches Asterisk. URL, User and Secret are needed.
type Config struct {
	URL    string   // http://127.0.0.1:8088/ari
	User   string   // section of ari.conf
	Secret string   // never printed
	App    string   // application name of Hotline's node; empty: not looked at
	Music  string   // music class of waiting callers; empty: default
	Trunks []string // names of PJSIP endpoints that Hotline's trunk page has

	Client *http.Client     // nil: one with a limit of 5 s per request
	Now    func() time.Time // nil: time.Now
	// Addrs gives this machine's other addresses, where ARI should not answer; nil: those of its interfaces.
	Addrs func() ([]netip.Addr, error)
}

// The oldest Asterisk that was tried with Hotline, and the oldest that has what it needs.
var (
	tried  = [3]int{22, 10, 1}
	needed = [3]int{22, 0, 0}
)

// Run looks at everything and gives the findings in the order looked at. Where Asterisk cannot be asked at all there is one
// finding. It takes a few seconds and ends when the context does.
func Run(ctx context.Context, cfg Config) []Finding {
	if cfg.Music == "" {
		cfg.Music = "default"
	}
	if cfg.Client == nil {
		t := &http.Transport{}
		defer t.CloseIdleConnections()
		cfg.Client = &http.Client{Transport: t, Timeout: 5 * time.Second}
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Addrs == nil {
		cfg.Addrs = ownAddrs
	}
	r := &run{cfg: cfg}
	u, err := url.Parse(cfg.URL)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		r.say(Error, fmt.Sprintf("%q is no URL of an ARI", cfg.URL), "set telephony.asterisk.url (HOTLINE_ASTERISK_URL), for example http://127.0.0.1:8088/ari")
		return r.found
	}
	r.base = u
	if !r.reach(ctx) {
		return r.found
	}
	r.version(ctx)
	r.door(ctx)
	r.rights(ctx)
	r.clock(ctx)
	r.modules(ctx)
	r.app(ctx)
	r.trunks(ctx)
	r.listen(ctx)
	return r.found
}

// run is one look.
type run struct {
	cfg   Config
	base  *url.URL
	found []Finding
	have  map[string]bool // modules that run
}

func (r *run) say(l Level, what, fix string) { r.found = append(r.found, Finding{l, what, fix}) }

// reach finds out whether ARI is there and lets us in.
func (r *run) reach(ctx context.Context) bool {
	err := r.get(ctx, "/asterisk/ping", nil)
	var no *refusal
	switch {
	case err == nil:
		r.say(OK, "ARI answers at "+r.cfg.URL, "")
		return true
	case !errors.As(err, &no):
		r.say(Error, fmt.Sprintf("ARI does not answer at %s: %v", r.cfg.URL, err), "start Asterisk; in http.conf enabled = yes, bindaddr and bindport as in telephony.asterisk.url (HOTLINE_ASTERISK_URL); check the firewall between the two")
	case no.status == http.StatusUnauthorized:
		r.say(Error, fmt.Sprintf("Asterisk does not know user %q with this secret", r.cfg.User), "make telephony.asterisk.user and .secret (HOTLINE_ASTERISK_USER, _SECRET or _SECRET_FILE) equal to the section and password in ari.conf, then `module reload res_ari.so`")
	case no.status == http.StatusNotFound:
		r.say(Error, fmt.Sprintf("something answers at %s, but it is no ARI with /asterisk: %v", r.cfg.URL, err), "the URL ends in /ari (or PREFIX/ari if http.conf has a prefix); load res_ari.so and res_ari_asterisk.so")
	default:
		r.say(Error, fmt.Sprintf("ARI at %s refuses: %v", r.cfg.URL, err), "see Asterisk's log")
	}
	return false
}

func (r *run) version(ctx context.Context) {
	var info struct {
		System struct{ Version string }
		Config struct {
			MaxOpenFiles int `json:"max_open_files"`
			MaxChannels  int `json:"max_channels"`
		}
	}
	if err := r.get(ctx, "/asterisk/info", &info); err != nil {
		r.say(Error, "Asterisk does not tell its version: "+err.Error(), "load res_ari_asterisk.so")
		return
	}
	v, ok := parse(info.System.Version)
	const upgrade = "upgrade to Asterisk 22.10.1 or newer"
	switch {
	case !ok:
		r.say(Warning, fmt.Sprintf("the version %q cannot be read", info.System.Version), upgrade+" if it is older")
	case less(v, needed):
		r.say(Error, "Asterisk is version "+info.System.Version+"; Hotline needs 22", upgrade)
	case less(v, tried):
		r.say(Warning, "Asterisk is version "+info.System.Version+"; Hotline is tried with 22.10.1 and newer", upgrade)
	default:
		r.say(OK, "Asterisk is version "+info.System.Version, "")
	}
	if n := info.Config.MaxOpenFiles; n > 0 && n < 4096 {
		r.say(Warning, fmt.Sprintf("Asterisk may open %d files, which is about %d calls", n, n/12), "set maxfiles = 20000 in asterisk.conf, or LimitNOFILE of its service")
	}
	if n := info.Config.MaxChannels; n > 0 && n < 300 {
		r.say(Warning, fmt.Sprintf("Asterisk is limited to %d channels, about %d talks", n, n/3), "raise maxcalls in asterisk.conf: a talk takes up to three channels")
	}
}

// parse reads the numbers of "22.10.1+dfsg-1" or "certified-22.8-cert1".
func parse(s string) (v [3]int, ok bool) {
	for len(s) > 0 && (s[0] < '0' || s[0] > '9') {
		s = s[1:]
	}
	n, err := fmt.Sscanf(s, "%d.%d.%d", &v[0], &v[1], &v[2])
	return v, n >= 2 || err == nil
}

func less(a, b [3]int) bool {
	for i := range a {
		if a[i] != b[i] {
			return a[i] < b[i]
		}
	}
	return false
}

// door looks at who else could knock: over what the secret travels, and on which addresses ARI listens.
func (r *run) door(ctx context.Context) {
	const tls = "put ARI on loopback beside Hotline, or use TLS: tlsenable, tlsbindaddr, tlscertfile in http.conf and an https URL"
	ip, err := netip.ParseAddr(r.base.Hostname())
	local := r.base.Hostname() == "localhost" || err == nil && ip.IsLoopback()
	switch {
	case r.base.Scheme == "https":
		r.say(OK, "ARI is reached over TLS", "")
	case local:
		r.say(OK, "ARI is reached over loopback", "")
	case err == nil && ip.IsPrivate():
		r.say(Warning, "the secret and callers' numbers travel unencrypted to "+r.base.Host, tls)
	default:
		r.say(Error, "the secret and callers' numbers travel unencrypted to "+r.base.Host+", which may be anywhere", tls)
	}
	if !local {
		return
	}
	addrs, err := r.cfg.Addrs()
	if err != nil {
		r.say(Warning, "this machine's addresses cannot be read: "+err.Error(), "see by `ss -ltn` that ARI listens on loopback only")
		return
	}
	port := r.base.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[r.base.Scheme]
	}
	for _, a := range addrs {
		d := net.Dialer{Timeout: time.Second}
		if c, err := d.DialContext(ctx, "tcp", net.JoinHostPort(a.String(), port)); err == nil {
			c.Close()
			r.say(Error, "ARI also listens on "+net.JoinHostPort(a.String(), port)+", where others can try the secret", "in http.conf bindaddr = 127.0.0.1, then restart Asterisk")
			return
		}
	}
	r.say(OK, "ARI listens on loopback only", "")
}

// ownAddrs are this machine's addresses that others could reach.
func ownAddrs() (out []netip.Addr, err error) {
	list, err := net.InterfaceAddrs()
	for _, a := range list {
		if p, err := netip.ParsePrefix(a.String()); err == nil && !p.Addr().IsLoopback() && !p.Addr().IsLinkLocalUnicast() {
			out = append(out, p.Addr())
		}
	}
	return out, err
}

// rights looks whether strangers stay out and whether we may act.
func (r *run) rights(ctx context.Context) {
	stranger := *r
	stranger.cfg.User, stranger.cfg.Secret = "", ""
	var no *refusal
	if err := stranger.get(ctx, "/asterisk/info", nil); err == nil {
		r.say(Error, "ARI answers without user and secret", "something in front of Asterisk adds them, or it is no Asterisk: close it")
	} else if errors.As(err, &no) && no.status == http.StatusUnauthorized {
		r.say(OK, "ARI refuses strangers", "")
	}
	// A channel that is not there cannot be hurt; a user who may only read is refused before Asterisk looks for it.
	err := r.do(ctx, http.MethodDelete, "/channels/hotline-doctor-none", nil, nil)
	switch {
	case errors.As(err, &no) && no.status == http.StatusForbidden:
		r.say(Error, fmt.Sprintf("user %q may only read", r.cfg.User), "read_only = no in its section of ari.conf, then `module reload res_ari.so`")
	case errors.As(err, &no) && no.status == http.StatusNotFound:
		r.say(OK, fmt.Sprintf("user %q may drive calls", r.cfg.User), "")
	default:
		r.say(Error, fmt.Sprintf("whether user %q may drive calls cannot be told: %v", r.cfg.User, err), "load res_ari_channels.so")
	}
}

// clock compares Asterisk's clock with ours: times of events go into call records.
func (r *run) clock(ctx context.Context) {
	var pong struct{ Timestamp string }
	sent := r.cfg.Now()
	if err := r.get(ctx, "/asterisk/ping", &pong); err != nil {
		r.say(Error, "Asterisk's clock cannot be read: "+err.Error(), "load res_ari_asterisk.so")
		return
	}
	back := r.cfg.Now()
	at, err := time.Parse("2006-01-02T15:04:05.000-0700", pong.Timestamp)
	if err != nil {
		r.say(Warning, "Asterisk's clock cannot be read: "+err.Error(), "report this with Asterisk's version")
		return
	}
	half := back.Sub(sent) / 2
	off := at.Sub(sent.Add(half)).Round(time.Millisecond)
	if off.Abs() > half+500*time.Millisecond {
		r.say(Warning, fmt.Sprintf("Asterisk's clock differs from Hotline's by %v: times in call records will not fit", off), "run a time service (chrony, systemd-timesyncd) on both machines")
		return
	}
	r.say(OK, fmt.Sprintf("Asterisk's clock agrees with Hotline's to %v", max(off.Abs(), half).Round(time.Millisecond)), "")
}

// app looks whether the application name is free.
func (r *run) app(ctx context.Context) {
	if r.cfg.App == "" {
		return
	}
	var no *refusal
	var app struct {
		Channels []string `json:"channel_ids"`
	}
	err := r.get(ctx, "/applications/"+url.PathEscape(r.cfg.App), &app)
	switch {
	case err == nil:
		r.say(Warning, fmt.Sprintf("application %q is taken, with %d channels: by this Hotline if it runs, else by another program", r.cfg.App, len(app.Channels)),
			"each Hotline node has an application name of its own: telephony.asterisk.app (HOTLINE_ASTERISK_APP), and the same name in Stasis() of extensions.conf")
	case errors.As(err, &no) && no.status == http.StatusNotFound:
		r.say(OK, fmt.Sprintf("application %q is free", r.cfg.App), "")
	default:
		r.say(Error, fmt.Sprintf("application %q cannot be looked up: %v", r.cfg.App, err), "load res_ari_applications.so")
	}
}

// trunks looks for the endpoints that Hotline's trunks name.
func (r *run) trunks(ctx context.Context) {
	for _, name := range r.cfg.Trunks {
		var no *refusal
		var end struct{ State string }
		err := r.get(ctx, "/endpoints/PJSIP/"+url.PathEscape(name), &end)
		switch {
		case err == nil && end.State == "offline":
			r.say(Warning, fmt.Sprintf("trunk %q is offline", name), "see `pjsip show endpoint "+name+"`: address of the provider, registration, firewall")
		case err == nil:
			r.say(OK, fmt.Sprintf("trunk %q is known to Asterisk (%s)", name, end.State), "")
		case errors.As(err, &no) && no.status == http.StatusNotFound:
			r.say(Error, fmt.Sprintf("trunk %q is no PJSIP endpoint of Asterisk", name), "name the trunk on Hotline's trunk page as its section (type = endpoint) in pjsip.conf")
		default:
			r.say(Error, fmt.Sprintf("trunk %q cannot be looked up: %v", name, err), "load res_ari_endpoints.so")
		}
	}
}
