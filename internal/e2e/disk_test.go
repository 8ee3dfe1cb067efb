package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"hotline/internal/e2e/program"
	"hotline/telephony/telephonytest"
)

// R36: the disk fills up while a talk is recorded. The talk goes on, the alarm rings within five seconds, the recording is
// closed: what was stored can be heard, and it says why it ends. When there is room again the next talk is recorded.
func TestR36DiskFullWhileRecording(t *testing.T) {
	if os.Geteuid() != 0 {
		if os.Getenv("CI") != "" {
			t.Fatal("a small file system needs root")
		}
		t.Skip("TEST DOES NOT RUN: a small file system needs root")
	}
	dir := t.TempDir()
	ok(t, syscall.Mount("hotline-e2e", dir, "tmpfs", 0, "size=1m"))
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	p, ctx := alone(t, program.Env("HOTLINE_RECORDINGS_DIR="+filepath.Join(dir, "recordings"))) // stopped before it is unmounted
	p.Start(ctx)
	a := p.Shift(ctx, "agent1", agent1Hz)
	c, call := talk(ctx, t, p, a, number(), "200", agent1Hz)
	begin := time.Now()
	eventually(ctx, t, "three seconds on the disk", func() bool { return time.Since(begin) > 3*time.Second })
	ballast := filepath.Join(dir, "ballast")
	fill(t, ballast)
	full := time.Now()
	within(ctx, t, 5*time.Second, "the alarm", func() bool { return p.Metrics(ctx)[`hotline_alarm{what="recording"}`] == 1 })
	t.Logf("alarm %v after the disk was full", time.Since(full).Round(10*time.Millisecond))
	ok(t, c.Hears(ctx, hz(agent1Hz), nil))
	ok(t, a.Hears(ctx, hz(customerHz), nil))
	if s := live(ctx, p).agent("agent1").State; s != "talking" {
		t.Errorf("the agent is %s", s)
	}
	if s := c.Gap(); s > time.Second {
		t.Errorf("the customer heard nothing for %v", s)
	}
	c.Hangup()
	row := told(ctx, t, p, call)
	if row.Disposition != "answered" || len(row.Recordings) != 1 {
		t.Fatalf("the talk: %+v", row)
	}
	if why := p.SQL(ctx, `SELECT coalesce(error, '') FROM recording WHERE id = $1`, row.Recordings[0].ID); why == "" {
		t.Errorf("the recording of %d ms of %d does not say why", row.Recordings[0].DurationMS, row.TalkMS)
	}
	if ms := row.Recordings[0].DurationMS; ms < 2000 || ms > row.TalkMS-500 {
		t.Errorf("%d ms recorded of a talk of %d ms", ms, row.TalkMS)
	}
	for i, f := range hz(customerHz, agent1Hz) {
		if v := loudest(sound(ctx, t, p, row.Recordings[0].ID)[i], f); v < telephonytest.Present {
			t.Errorf("channel %d: %.0f Hz at %.3f", i, f, v)
		}
	}
	ok(t, os.Remove(ballast))
	ok(t, a.SetState(ctx, "available", ""))
	d, next := talk(ctx, t, p, a, number(), "200", agent1Hz)
	n := d.Packets()
	eventually(ctx, t, "a second of talk", func() bool { return d.Packets()-n > 50 })
	d.Hangup()
	row = told(ctx, t, p, next)
	stereo(ctx, t, p, row)
	if p.SQL(ctx, `SELECT coalesce(error, '') FROM recording WHERE id = $1`, row.Recordings[0].ID) != "" {
		t.Errorf("with room again: %+v", row.Recordings)
	}
	p.Clean("recording failed")
}

// fill leaves no byte free.
func fill(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	ok(t, err)
	defer f.Close()
	block := []byte(strings.Repeat("x", 4096))
	for err == nil {
		_, err = f.Write(block)
	}
}
