package asterisk

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"

	"github.com/CyCoreSystems/ari/v6"
)

// ariTime is a time as ARI writes it.
type ariTime = ari.DateTime

// version is Asterisk's: major, minor, patch.
type version [3]int

// tested is the oldest version we test with; floor the oldest that can work.
var (
	tested = version{22, 10, 1}
	floor  = version{22, 0, 0}
)

func (v version) below(o version) bool {
	for i := range v {
		if v[i] != o[i] {
			return v[i] < o[i]
		}
	}
	return false
}

func (v version) String() string { return fmt.Sprintf("%d.%d.%d", v[0], v[1], v[2]) }

// parseVersion reads "22.10.1+dfsg-1" and "certified/22.8-cert1". False: not a version, such as a build from source.
func parseVersion(s string) (v version, ok bool) {
	s = strings.TrimPrefix(s, "certified/")
	if i := strings.IndexAny(s, "+~- "); i >= 0 {
		s = s[:i]
	}
	for i, part := range strings.SplitN(s, ".", 4) {
		n, err := strconv.Atoi(part)
		if err != nil || i > 2 {
			return v, i > 0
		}
		v[i] = n
	}
	return v, true
}

// module is a part of Asterisk that we use.
type module struct {
	name string
	why  string
	must bool // without it no call works
}

var modules = []module{
	{"app_stasis.so", "brings calls to us", true},
	{"res_stasis.so", "the application interface", true},
	{"res_stasis_answer.so", "answers calls", true},
	{"res_ari_applications.so", "finds calls again", true},
	{"res_ari_bridges.so", "connects audio", true},
	{"res_ari_channels.so", "controls calls", true},
	{"res_ari_events.so", "events", true},
	{"chan_rtp.so", "hands us the audio", true},
	{"res_rtp_asterisk.so", "audio", true},
	{"bridge_simple.so", "connects audio", true},
	{"res_musiconhold.so", "music for those who wait", false},
	{"func_callerid.so", "tells withheld numbers", false},
	{"func_channel.so", "tells codecs", false},
}

// refusal is an Asterisk that we cannot work with, in words for people.
type refusal string

// Error implements error.
func (r refusal) Error() string { return string(r) }

// examine looks at an Asterisk before we use it. problem is what people should know though it works.
func (d *Driver) examine(ctx context.Context) (ver, problem string, err error) {
	var info struct{ System struct{ Version string } }
	if err := d.rest.send(ctx, "GET", "/asterisk/info", nil, nil, &info); err != nil {
		return "", "", err
	}
	ver = clean(info.System.Version, 60)
	d.noteVersion(ver)
	var notes []string
	if v, ok := parseVersion(ver); ok && v.below(floor) {
		return ver, "", refusal(fmt.Sprintf("Asterisk %s is too old: at least %v is needed, %v is tested", ver, floor, tested))
	} else if ok && v.below(tested) {
		notes = append(notes, fmt.Sprintf("Asterisk %s is older than %v, which we test with", ver, tested))
	}
	missing, note, err := d.missingModules(ctx)
	if err != nil {
		return ver, "", err
	}
	if missing != "" {
		return ver, "", refusal("modules missing in Asterisk (modules.conf): " + missing)
	}
	if note != "" {
		notes = append(notes, "modules missing in Asterisk (modules.conf): "+note)
	}
	// A user of ari.conf that may only read learns it by any request that writes. This one destroys nothing.
	err = d.rest.send(ctx, "DELETE", bridgePath(d.cfg.App+":none", ""), nil, nil, nil)
	if s, ok := errors.AsType[*statusError](err); ok && s.Code == http.StatusForbidden {
		return ver, "", refusal("telephony.asterisk.user: this user may only read: read_only=no is needed in ari.conf")
	}
	return ver, strings.Join(notes, "; "), nil
}

// missingModules names the modules that do not run: those without which nothing works, and the others.
func (d *Driver) missingModules(ctx context.Context) (must, others string, err error) {
	var list []ari.ModuleData
	if err := d.rest.send(ctx, "GET", "/asterisk/modules", nil, nil, &list); err != nil {
		if s, ok := errors.AsType[*statusError](err); ok && s.Code != http.StatusUnauthorized {
			return "", "", nil // cannot be told
		}
		return "", "", err
	}
	running := map[string]bool{}
	for _, m := range list {
		running[m.Name] = m.Status == "Running"
	}
	var a, b []string
	for _, m := range modules {
		switch {
		case running[m.name]:
		case m.must:
			a = append(a, m.name+" ("+m.why+")")
		default:
			b = append(b, m.name+" ("+m.why+")")
		}
	}
	return strings.Join(a, ", "), strings.Join(b, ", "), nil
}

// noteVersion remembers the version before we know more.
func (d *Driver) noteVersion(v string) {
	d.stateMu.Lock()
	defer d.stateMu.Unlock()
	d.state.Version = v
}

// explain says in words for people why there is no connection, and which setting mends it.
func (d *Driver) explain(err error) string {
	if r, ok := errors.AsType[refusal](err); ok {
		return string(r)
	}
	if errors.Is(err, errReplaced) {
		return "telephony.asterisk.app: another node has taken the application name " + d.cfg.App + "; each node needs its own. Trying again slowly"
	}
	switch {
	case errors.Is(err, errOverflow):
		return "events came faster than they could be taken: this machine has too much to do"
	case errors.Is(err, errSocketEnded):
		return "Asterisk closed the connection at " + d.cfg.URL + ": it stopped, or the network did"
	}
	if s, ok := errors.AsType[*statusError](err); ok {
		switch s.Code {
		case http.StatusUnauthorized:
			return "telephony.asterisk.user, telephony.asterisk.secret: Asterisk does not know this user with this secret (ari.conf)"
		case http.StatusForbidden:
			return "telephony.asterisk.user: Asterisk forbids it to this user (ari.conf)"
		case http.StatusNotFound:
			return "telephony.asterisk.url: there is no ARI at " + d.cfg.URL + ": the path, usually /ari, or enabled=yes in ari.conf, or a module res_ari_*.so"
		case http.StatusServiceUnavailable:
			return "Asterisk is starting, or has too many connections (sessionlimit of http.conf)"
		}
		return "telephony.asterisk.url: " + s.Error()
	}
	return "telephony.asterisk.url: " + networkProblem(err) + " at " + d.cfg.URL
}

// networkProblem puts a failure of the network in plain words.
func networkProblem(err error) string {
	if _, ok := errors.AsType[*net.DNSError](err); ok {
		return "the host name is not known"
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return "the certificate is not trusted (TLS)"
	}
	if _, ok := errors.AsType[x509.HostnameError](err); ok {
		return "the certificate is for another name (TLS)"
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return "no TLS is spoken; http instead of https?"
	}
	if _, ok := errors.AsType[tls.AlertError](err); ok {
		return "TLS was refused"
	}
	if strings.Contains(err.Error(), "HTTP response to HTTPS client") { // the library has no type for it
		return "no TLS is spoken; http instead of https?"
	}
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "dial" {
		return "nothing answers (" + clean(op.Err.Error(), 120) + ")"
	}
	return clean(err.Error(), 300)
}
