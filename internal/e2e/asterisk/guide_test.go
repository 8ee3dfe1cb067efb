package asterisk_test

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"hotline/internal/e2e/asterisk"
	"hotline/internal/e2e/program"
	"hotline/telephony/asterisk/check"
	"hotline/telephony/telephonytest"
)

var block = regexp.MustCompile("(?ms)^```(?:ini|sh) ([a-z.]+)\\n(.*?)^```")

// docs/asterisk.md is followed word by word on the configuration that the package brings: its blocks are added, with the
// test's own ports, secret and folders in their places. Then nothing is found wrong, a call waits with music for Hotline,
// and Hotline with the guide's settings takes it into the queue.
func TestTheGuide(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithTimeoutCause(context.Background(), 2*time.Minute, errors.New("the test takes too long"))
	t.Cleanup(stop)
	guide, err := os.ReadFile("../../../docs/asterisk.md")
	if err != nil {
		t.Fatal(err)
	}
	var settings string
	a := asterisk.Start(t, asterisk.Options{Stock: func(etc string, a *asterisk.Asterisk) error {
		secret := filepath.Join(a.Dir, "ari.secret")
		if err := os.WriteFile(secret, []byte(a.Secret+"\n"), 0o600); err != nil {
			return err
		}
		// what is the reader's own, each time it stands there
		own := strings.NewReplacer("CHANGE-ME", a.Secret, "127.0.0.1:8088", a.HTTP, "bindport = 8088", "bindport = "+after(a.HTTP), "0.0.0.0:5060", a.SIP,
			"192.0.2.10", "127.0.0.1", "/usr/share/asterisk/moh", a.Music, "/etc/hotline/ari.secret", secret, "127.0.0.1:5070", "127.0.0.1:0")
		blocks := block.FindAllStringSubmatch(string(guide), -1)
		if len(blocks) != 6 {
			t.Errorf("the guide has %d blocks", len(blocks))
		}
		for _, b := range blocks {
			text := own.Replace(b[2])
			if b[1] == "hotline.env" {
				settings = text
				continue
			}
			path := filepath.Join(etc, b[1])
			was, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			if err := os.WriteFile(path, []byte(string(was)+"\n"+text), 0o600); err != nil {
				return err
			}
		}
		return nil
	}})
	for _, f := range check.Run(ctx, check.Config{URL: a.URL, User: a.User, Secret: a.Secret, App: "hotline", Music: "hotline", Trunks: []string{"provider"}}) {
		if t.Log(f.Level, f.What); f.Level != check.OK {
			t.Errorf("%s: %s", f.What, f.Fix)
		}
	}
	phone, err := telephonytest.NewPhone(telephonytest.PhoneConfig{User: "+79031112233", Server: a.SIP})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(phone.Close)
	c, err := phone.Call(ctx, "200", telephonytest.CallOptions{Tone: 1000})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(c.Connected(ctx), c.Hears(ctx, []float64{asterisk.HoldHz}, nil)); err != nil {
		t.Fatal("waiting for Hotline: ", err)
	}
	p := program.New(t, program.Native(), program.Env(strings.Fields(settings)...)) // Native: the suite starts no Asterisk of its own
	p.Start(ctx)
	p.Eventually(ctx, "Hotline is ready", func() bool { return p.Get(ctx, "/readyz") == http.StatusOK })
	agent := p.Agent(ctx, "agent1")
	call, _, err := agent.WaitOffer(ctx)
	p.OK(err)
	p.OK(agent.Answer(ctx, call))
	p.OK(agent.Hears(ctx, []float64{1000}, nil))
	p.OK(c.Hears(ctx, []float64{440}, []float64{asterisk.HoldHz}))
}

func after(addr string) string {
	_, port, _ := strings.Cut(addr, ":")
	return port
}
