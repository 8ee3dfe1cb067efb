package check

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"
)

// fake answers as an ARI that is fit, but for what a test changes. It has no event socket: internal/e2e/asterisk holds the
// check against a real one.
type fake struct {
	version string
	off     time.Duration // of its clock
	without string        // a module that does not run
	open    bool          // strangers come in
	files   int
	answer  map[string]string // raw answers by path
}

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	say := func(code int, v any) { w.WriteHeader(code); json.NewEncoder(w).Encode(v) }
	if user, secret, _ := r.BasicAuth(); !f.open && (user != "hotline" || secret != "s3cret") {
		say(401, map[string]string{"message": "Authentication required"})
		return
	}
	if raw, there := f.answer[r.URL.Path]; there {
		w.Write([]byte(raw))
		return
	}
	switch r.URL.Path {
	case "/ari/asterisk/ping":
		say(200, map[string]string{"ping": "pong", "timestamp": now.Add(f.off).Format("2006-01-02T15:04:05.000-0700")})
	case "/ari/asterisk/info":
		say(200, map[string]any{"system": map[string]string{"version": f.version}, "config": map[string]int{"max_open_files": f.files}})
	case "/ari/asterisk/modules":
		list := []map[string]string{{"name": "res_timing_timerfd.so", "status": "Running"}}
		for _, m := range wanted {
			if m.name != f.without {
				list = append(list, map[string]string{"name": m.name, "status": "Running"})
			}
		}
		say(200, append(list, map[string]string{"name": f.without, "status": "Not Running"}))
	default:
		say(404, map[string]string{"message": "not found"})
	}
}

func look(t *testing.T, f *fake, change func(*Config)) []string {
	t.Helper()
	if f.version == "" {
		f.version = "22.10.1+dfsg-1"
	}
	s := httptest.NewServer(f)
	defer s.Close()
	cfg := Config{URL: s.URL + "/ari", User: "hotline", Secret: "s3cret", App: "hotline", Now: func() time.Time { return now },
		Addrs: func() ([]netip.Addr, error) { return nil, nil }}
	if change != nil {
		change(&cfg)
	}
	return judge(t, Run(t.Context(), cfg))
}

// judge gives what is not ok. Every finding says something, and a bad one what to do.
func judge(t *testing.T, found []Finding) (bad []string) {
	t.Helper()
	for _, f := range found {
		if f.What == "" || (f.Level == OK) != (f.Fix == "") || strings.Contains(f.What+f.Fix, "s3cret") {
			t.Errorf("%+v", f)
		}
		if f.Level != OK {
			bad = append(bad, string(f.Level)+": "+f.What)
		}
	}
	return bad
}

func TestFindings(t *testing.T) {
	other, err := net.Listen("tcp", "127.0.0.2:0")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	for name, c := range map[string]struct {
		fake   fake
		change func(*Config)
		want   []string // beginnings, without the event socket
	}{
		"fit":                  {},
		"newer":                {fake: fake{version: "23.1.0-rc1"}},
		"under the floor":      {fake: fake{version: "22.9.0"}, want: []string{"warning: Asterisk is version 22.9.0; Hotline is tried"}},
		"two numbers":          {fake: fake{version: "certified-22.8-cert1"}, want: []string{"warning: Asterisk is version certified-22.8-cert1"}},
		"too old":              {fake: fake{version: "20.15.0"}, want: []string{"error: Asterisk is version 20.15.0; Hotline needs 22"}},
		"a build from git":     {fake: fake{version: "GIT-master-abc"}, want: []string{`warning: the version "GIT-master-abc" cannot be read`}},
		"few files":            {fake: fake{files: 1024}, want: []string{"warning: Asterisk may open 1024 files"}},
		"clock behind":         {fake: fake{off: -3 * time.Second}, want: []string{"warning: Asterisk's clock differs from Hotline's by -3s"}},
		"clock nearly right":   {fake: fake{off: 400 * time.Millisecond}},
		"module not running":   {fake: fake{without: "chan_rtp.so"}, want: []string{"error: module chan_rtp.so does not run"}},
		"strangers":            {fake: fake{open: true}, want: []string{"error: ARI answers without user and secret"}},
		"wrong secret":         {change: func(c *Config) { c.Secret = "other" }, want: []string{`error: Asterisk does not know user "hotline"`}},
		"other path":           {change: func(c *Config) { c.URL = strings.TrimSuffix(c.URL, "ari") }, want: []string{"error: something answers"}},
		"no URL":               {change: func(c *Config) { c.URL = "127.0.0.1:8088" }, want: []string{`error: "127.0.0.1:8088" is no URL`}},
		"nobody there":         {change: func(c *Config) { c.URL = "http://127.0.0.1:1/ari" }, want: []string{"error: ARI does not answer"}},
		"application in use":   {fake: fake{answer: map[string]string{"/ari/applications/hotline": `{"channel_ids":["a","b"]}`}}, want: []string{`warning: application "hotline" is taken, with 2 channels`}},
		"trunks":               {fake: fake{answer: map[string]string{"/ari/endpoints/PJSIP/up": `{"state":"online"}`, "/ari/endpoints/PJSIP/down": `{"state":"offline"}`}}, change: func(c *Config) { c.Trunks = []string{"up", "down", "none"} }, want: []string{`warning: trunk "down" is offline`, `error: trunk "none" is no PJSIP endpoint`}},
		"nonsense for modules": {fake: fake{answer: map[string]string{"/ari/asterisk/modules": `<html>`}}, want: []string{"error: Asterisk's modules cannot be read"}},
		"nonsense for clock":   {fake: fake{answer: map[string]string{"/ari/asterisk/ping": `{"timestamp":"noon"}`}}, want: []string{"warning: Asterisk's clock cannot be read"}},
	} {
		t.Run(name, func(t *testing.T) {
			bad := look(t, &c.fake, c.change)
			if n := len(bad) - 1; n >= 0 && strings.HasPrefix(bad[n], "error: the event socket does not open: 404") {
				bad = bad[:n]
			}
			if len(bad) != len(c.want) {
				t.Fatalf("%q, want %q", bad, c.want)
			}
			for i := range bad {
				if !strings.HasPrefix(bad[i], c.want[i]) {
					t.Errorf("%q, want %q", bad[i], c.want[i])
				}
			}
		})
	}
	for name, c := range map[string]struct{ url, want string }{
		"loopback, and elsewhere":  {fmt.Sprintf("http://127.0.0.1:%d", other.Addr().(*net.TCPAddr).Port), "error: ARI also listens on 127.0.0.2"},
		"private and in the clear": {"http://10.1.2.3:8088", "warning: the secret and callers' numbers travel unencrypted to 10.1.2.3:8088"},
		"public and in the clear":  {"http://pbx.example:8088", "error: the secret and callers' numbers travel unencrypted to pbx.example:8088"},
		"TLS":                      {"https://pbx.example", ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := run{cfg: Config{Addrs: func() ([]netip.Addr, error) { return []netip.Addr{netip.MustParseAddr("127.0.0.2")}, nil }}}
			req, err := http.NewRequest(http.MethodGet, c.url, nil)
			if err != nil {
				t.Fatal(err)
			}
			r.base = req.URL
			r.door(t.Context())
			bad := judge(t, r.found)
			if got := strings.Join(bad, "; "); !strings.HasPrefix(got, c.want) || (c.want == "") != (got == "") {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

// What the check wants is what the shipped configuration loads.
func TestShippedModulesAreTheWantedOnes(t *testing.T) {
	b, err := os.ReadFile("../../../deploy/asterisk/modules.conf")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range wanted {
		if !strings.Contains(string(b), "\nrequire = "+m.name+"\n") {
			t.Errorf("modules.conf does not load %s (%s)", m.name, m.why)
		}
	}
}
