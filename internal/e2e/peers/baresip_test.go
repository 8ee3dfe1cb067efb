// Package peers holds the whole-system tests with other people's SIP software as callers: second opinions.
package peers

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"hotline/internal/e2e/program"
	"hotline/telephony/media/tone"
	"hotline/telephony/telephonytest"
)

// baresip calls the queue, an agent answers: both hear each other. baresip's own recording of what it heard is measured.
func TestBaresipTalksWithAnAgent(t *testing.T) {
	bin := program.Tool(t, "baresip")
	ctx, stop := context.WithTimeout(context.Background(), 90*time.Second)
	defer stop()
	p := program.New(t)
	p.Start(ctx)
	a := p.Agent(ctx, "agent1")
	dir := t.TempDir()
	pcm := make([]int16, 8000*30)
	for i := range pcm {
		pcm[i] = int16(16383 * math.Sin(2*math.Pi*1000*float64(i)/8000))
	}
	p.OK(os.WriteFile(filepath.Join(dir, "tone.wav"), telephonytest.WAV(pcm), 0o644))
	p.OK(os.WriteFile(filepath.Join(dir, "accounts"), []byte("<sip:+79031112233@127.0.0.1;transport=udp>;regint=0;audio_codecs=pcma\n"), 0o644))
	config := fmt.Sprintf("sip_listen 127.0.0.1:0\naudio_source aufile,%s/tone.wav\nsnd_path %s\nmodule_path %s\nmodule g711.so\nmodule aufile.so\nmodule sndfile.so\nmodule_app account.so\nmodule_app menu.so\n",
		dir, dir, modules())
	p.OK(os.WriteFile(filepath.Join(dir, "config"), []byte(config), 0o644))
	cmd := exec.CommandContext(ctx, bin, "-f", dir, "-e", "/dial sip:200@"+p.Run.SIP)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGINT) }
	log, err := os.Create(filepath.Join(dir, "log"))
	p.OK(err)
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	p.OK(cmd.Start())
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	defer func() {
		_ = cmd.Process.Signal(syscall.SIGINT)
		<-ended
		if t.Failed() {
			b, _ := os.ReadFile(log.Name())
			t.Logf("baresip:\n%s", b)
		}
	}()
	call, _, err := a.WaitOffer(ctx)
	p.OK(err)
	p.OK(a.Answer(ctx, call))
	p.OK(a.Hears(ctx, []float64{1000}, nil))
	began := a.Sound().Packets()
	p.Eventually(ctx, "two seconds of talk", func() bool { return a.Sound().Packets() > began+100 })
	p.OK(a.Hangup(ctx, call))
	p.Eventually(ctx, "the call is over and linked", func() bool {
		return p.SQL(ctx, `SELECT concat(c.state, ' ', c.hangup_by, ' ', l.state) FROM call c JOIN call_link l ON l.call_id = c.id`) == "ended agent confirmed"
	})
	_ = cmd.Process.Signal(syscall.SIGINT) // its files are whole only after an orderly end
	p.OK(<-ended)
	ended <- nil
	if hz := heard(t, dir); hz < telephonytest.Present {
		t.Fatalf("baresip heard the agent at %.3f", hz)
	}
}

// heard is the greatest amplitude of the agent's tone in any 400 ms of what baresip decoded.
func heard(t *testing.T, dir string) (most float64) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "dump-*-dec.wav"))
	if err != nil || len(files) != 1 {
		t.Fatalf("baresip's recordings: %v %v", files, err)
	}
	b, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	pcm := make([]int16, (len(b)-44)/2)
	for i := range pcm {
		pcm[i] = int16(binary.LittleEndian.Uint16(b[44+2*i:]))
	}
	for ; len(pcm) >= 3200; pcm = pcm[1600:] {
		most = max(most, tone.Amplitude(pcm[:3200], 440, 8000))
	}
	return most
}

// modules is where the distribution keeps baresip's modules.
func modules() string {
	for _, d := range []string{"/usr/lib/baresip/modules", "/usr/lib/x86_64-linux-gnu/baresip/modules", "/usr/lib/aarch64-linux-gnu/baresip/modules"} {
		if _, err := os.Stat(d); err == nil {
			return d
		}
	}
	return "/usr/lib/baresip/modules"
}
