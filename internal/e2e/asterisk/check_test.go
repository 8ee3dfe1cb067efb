package asterisk

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hotline/telephony/asterisk/check"
)

// bad gives the findings that are not ok, and fails the test for one that does not say what to do.
func bad(t *testing.T, found []check.Finding) (out []string) {
	t.Helper()
	for _, f := range found {
		switch {
		case f.Level == check.OK && f.Fix == "":
		case f.Level != check.OK && f.Fix != "":
			out = append(out, string(f.Level)+": "+f.What)
		default:
			t.Errorf("%+v", f)
		}
		if f.What == "" {
			t.Errorf("%+v", f)
		}
	}
	return out
}

// loopback2 is an address where only one who listens on all of them answers.
func loopback2() ([]netip.Addr, error) { return []netip.Addr{netip.MustParseAddr("127.0.0.2")}, nil }

// As shipped nothing is found; with one thing broken exactly that is found, by its name.
func TestCheckOfARealAsterisk(t *testing.T) {
	t.Parallel()
	ctx := limit(t, 2*time.Minute)
	a := Start(t, Options{})
	cfg := check.Config{URL: a.URL, User: a.User, Secret: a.Secret, App: a.App, Trunks: []string{"provider"}, Addrs: loopback2}
	found := check.Run(ctx, cfg)
	for _, f := range found {
		t.Log(f.Level, f.What)
	}
	if b := bad(t, found); len(b) > 0 || len(found) < 13 {
		t.Fatalf("as shipped: %d findings, bad ones %q", len(found), b)
	}
	for _, f := range found {
		if strings.Contains(f.What+f.Fix, a.Secret) {
			t.Errorf("the secret is shown: %+v", f)
		}
	}
	if got := a.CLI(ctx, "core show channels count"); !strings.HasPrefix(got, "0 active channels") {
		t.Errorf("the check leaves channels: %s", got)
	}

	edit := func(file, old, new string) {
		t.Helper()
		path := filepath.Join(a.Dir, "etc", file)
		b, err := os.ReadFile(path)
		ok(t, err)
		if !strings.Contains(string(b), old) {
			t.Fatalf("%s has no %q", file, old)
		}
		ok(t, os.WriteFile(path, []byte(strings.ReplaceAll(string(b), old, new)), 0o600))
	}
	finds := func(what string, cfg check.Config, parts ...string) {
		t.Helper()
		b := bad(t, check.Run(ctx, cfg))
		if len(b) != len(parts) {
			t.Errorf("%s: %q", what, b)
			return
		}
		for i, p := range parts {
			if !strings.Contains(b[i], p) {
				t.Errorf("%s: %q, want %q", what, b[i], p)
			}
		}
	}
	wrong := cfg
	wrong.Secret = "wrong"
	finds("wrong secret", wrong, "error: Asterisk does not know user")
	wrong = cfg
	wrong.Trunks = []string{"nobody"}
	finds("unknown trunk", wrong, `error: trunk "nobody" is no PJSIP endpoint`)
	s := join(ctx, t, a)
	finds("application taken", cfg, `warning: application "hotline" is taken`)
	s.leave()
	a.CLI(ctx, "module unload codec_ulaw.so")
	finds("missing module", cfg, "error: module codec_ulaw.so does not run")
	a.CLI(ctx, "module load codec_ulaw.so")
	ok(t, os.Rename(filepath.Join(a.Music, "tone.wav"), filepath.Join(a.Dir, "tone.wav")))
	a.Wake(ctx, "res_musiconhold.so")
	finds("no music", cfg, `error: no music is heard from class "default"`)
	ok(t, os.Rename(filepath.Join(a.Dir, "tone.wav"), filepath.Join(a.Music, "tone.wav")))
	a.Wake(ctx, "res_musiconhold.so")
	edit("ari.conf", "read_only = no", "read_only = yes")
	a.Wake(ctx, "res_ari.so")
	finds("read only", cfg, "error: user \"hotline\" may only read", "error: Asterisk does not hand out a channel's sound")
	edit("ari.conf", "read_only = yes", "read_only = no")

	edit("asterisk.conf", "live_dangerously = no", "live_dangerously = yes")
	ok(t, os.WriteFile(filepath.Join(a.Dir, "etc/modules-local.conf"), []byte("load = func_env.so\n"), 0o600))
	edit("http.conf", "bindaddr = 127.0.0.1", "bindaddr = 0.0.0.0")
	a.Restart(ctx)
	finds("open to all", cfg, "error: ARI also listens on 127.0.0.2", "error: functions that read and write files")
	edit("asterisk.conf", "live_dangerously = yes", "live_dangerously = no")
	edit("http.conf", "bindaddr = 0.0.0.0", "bindaddr = 127.0.0.1")
	a.Restart(ctx)
	finds("func_env without danger", cfg)
	a.Kill()
	finds("dead", cfg, "error: ARI does not answer")
}
