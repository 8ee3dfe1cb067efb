package sip

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestSIPp is a second opinion: SIPp's own scenarios call us and are called by us.
func TestSIPp(t *testing.T) {
	bin, err := exec.LookPath("sipp")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("sipp is not installed")
		}
		t.Skip("SKIPPED: SIPp is not installed (Debian: sip-tester); no second opinion on SIP")
	}
	run := func(args ...string) *exec.Cmd {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		t.Cleanup(cancel)
		cmd := exec.CommandContext(ctx, bin, append([]string{"-nostdin", "-i", "127.0.0.1", "-timeout", "20s", "-timeout_error"}, args...)...)
		cmd.Dir = t.TempDir()
		return cmd
	}
	r := newRig(t, nil, func(ctx context.Context, l *Leg) {
		if l.Progress(ctx) == nil && l.Answer(ctx) == nil {
			<-l.Done()
		}
	}, loopTrunk())
	for _, transport := range []string{"u1", "t1"} {
		cmd := run("-sn", "uac", "-t", transport, "-m", "10", "-r", "20", "-d", "50", r.addr.String())
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("sipp uac over %s: %v\n%s", transport, err, tail(out))
		}
	}
	if n := r.metric("hotline_sip_invite_seconds"); n != 20 {
		t.Errorf("%v calls answered, want 20", n)
	}

	// The called side: SIPp picks its port and says so in its control file's name only, so we tell it one that is free.
	u := r.ua()
	port := u.local()[strings.LastIndexByte(u.local(), ':')+1:]
	_ = u.udp.Close()
	cmd := run("-sn", "uas", "-p", port, "-m", "3", "-trace_err")
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		l, err := r.s.Dial(ctx, Dial{To: "sip:service@127.0.0.1:" + port})
		cancel()
		if err != nil {
			t.Fatalf("dial sipp: %v\n%s", err, tail([]byte(out.String())))
		}
		l.Hangup("normal")
		ended(t, l)
	}
	if err := cmd.Wait(); err != nil {
		logs, _ := filepath.Glob(filepath.Join(cmd.Dir, "*errors.log"))
		t.Errorf("sipp uas: %v %v\n%s", err, logs, tail([]byte(out.String())))
	}
}

func tail(b []byte) string { return string(b[max(0, len(b)-2000):]) }
