package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func env(kv ...string) func(string) string {
	return func(k string) string {
		for i := 0; i < len(kv); i += 2 {
			if kv[i] == k {
				return kv[i+1]
			}
		}
		return ""
	}
}

func TestDefaultsFileEnvironment(t *testing.T) {
	f := filepath.Join(t.TempDir(), "hotline.yaml")
	if err := os.WriteFile(f, []byte("sip:\n  addr: 10.0.0.1:5060\n  max_calls: 20\ndrain_timeout: 90s\nhttp.origins: [https://a, https://b]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Load(f, env("HOTLINE_SIP_ADDR", "127.0.0.1:0", "HOTLINE_DEMO", "1"))
	if err != nil {
		t.Fatal(err)
	}
	if c.SIPAddr != "127.0.0.1:0" || c.SIPMaxCalls != 20 || c.DrainTimeout != 90*time.Second || !c.Demo || len(c.HTTPOrigins) != 2 ||
		c.HTTPAddr != "127.0.0.1:8080" || c.ComfortAfter != 1500*time.Millisecond {
		t.Fatalf("%+v", c)
	}
	if low, high, err := c.PortRange(); err != nil || low != 20000 || high != 29999 {
		t.Fatalf("ports %d-%d %v", low, high, err)
	}
}

func TestAllErrorsAtOnce(t *testing.T) {
	f := filepath.Join(t.TempDir(), "hotline.yaml")
	if err := os.WriteFile(f, []byte("sip: {adr: x}\ndemo: maybe\nlog.level: loud\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Load(f, env("HOTLINE_RTP_PORTS", "9-5", "HOTLINE_HTTP_ADDR", "8080"))
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"sip.adr", "demo", "log.level", "rtp.ports", "http.addr"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q not named in:\n%v", want, err)
		}
	}
}

func TestPrintMasksAndLoadsAgain(t *testing.T) {
	c, err := Load("", env("HOTLINE_DATABASE_URL", "postgres://u:geheim@h/db"))
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	c.Print(&b)
	if strings.Contains(b.String(), "geheim") {
		t.Fatal("password printed")
	}
	f := filepath.Join(t.TempDir(), "printed.yaml")
	if err := os.WriteFile(f, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(f, env()); err != nil {
		t.Fatal(err)
	}
}
