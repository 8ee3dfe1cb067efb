package asterisk

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"testing"
	"time"

	real "hotline/internal/e2e/asterisk"
	"hotline/telephony/telephonytest"
)

// realAsterisk is a real Asterisk, as shipped, with one trunk more: "pbx", whose calls come from this machine.
type realAsterisk struct {
	*real.Asterisk
	t     testing.TB
	phone int // where calls to trunk "pbx" go
}

// freePort finds a port that is free for UDP and TCP now.
func freePort(t testing.TB) int {
	t.Helper()
	for range 50 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		ok(t, err)
		port := l.Addr().(*net.TCPAddr).Port
		u, err := net.ListenPacket("udp", fmt.Sprintf("127.0.0.1:%d", port))
		l.Close()
		if err == nil {
			u.Close()
			return port
		}
	}
	t.Fatal("no free port")
	return 0
}

// startAsterisk starts one; it ends with the test.
func startAsterisk(t testing.TB) *realAsterisk {
	t.Helper()
	phone := freePort(t)
	return &realAsterisk{t: t, phone: phone, Asterisk: real.Start(t, real.Options{App: "hotline-test", Match: "127.0.0.9", PJSIP: fmt.Sprintf(`
[pbx]
type=endpoint
context=in
disallow=all
allow=alaw,ulaw
direct_media=no
rtp_symmetric=yes
trust_id_inbound=yes
send_connected_line=no
aors=pbx
[pbx]
type=aor
contact=sip:127.0.0.1:%d
[pbxid]
type=identify
endpoint=pbx
match=127.0.0.1
`, phone), Dialplan: "[in]\nexten => _X.,1,Stasis(hotline-test)\n same => n,Hangup()\nexten => 9,1,Stasis(other)\n"})}
}

func (a *realAsterisk) config() Config {
	return Config{URL: a.URL, App: a.App, User: a.User, Secret: a.Secret}
}

// get asks ARI itself.
func (a *realAsterisk) get(path string) string {
	a.t.Helper()
	req, _ := http.NewRequestWithContext(within(a.t, patience), "GET", a.URL+path, nil)
	req.SetBasicAuth(a.User, a.Secret)
	c := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := c.Do(req)
	ok(a.t, err)
	defer resp.Body.Close()
	var b bytes.Buffer
	_, _ = b.ReadFrom(resp.Body)
	return b.String()
}

// caller is a phone behind the trunk "in".
func (a *realAsterisk) caller(cfg telephonytest.PhoneConfig) *telephonytest.Phone {
	a.t.Helper()
	cfg.Server = a.SIP
	p, err := telephonytest.NewPhone(cfg)
	ok(a.t, err)
	a.t.Cleanup(p.Close)
	return p
}

func (a *realAsterisk) empty(ctx context.Context) {
	a.t.Helper()
	for {
		if a.get("/channels") == "[]" && a.get("/bridges") == "[]" {
			return
		}
		select {
		case <-ctx.Done():
			a.t.Fatalf("left in Asterisk: %s %s", a.get("/channels"), a.get("/bridges"))
		case <-time.After(20 * time.Millisecond):
		}
	}
}
