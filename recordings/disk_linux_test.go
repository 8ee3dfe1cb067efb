package recordings_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"hotline/recordings"
	"hotline/telephony"
	"hotline/telephony/media"
)

// smallDisk mounts a file system of one MiB.
func smallDisk(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=1m"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("a full disk cannot be tested: mount: %v", err)
		}
		fmt.Fprintf(os.Stderr, "\n*** NOT TESTED: recordings on a full disk, because this user may not mount a file system (%v) ***\n\n", err)
		t.Skip("no mount")
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
	return dir
}

// fill leaves about so many bytes free.
func fill(t *testing.T, dir string, free int64) (ballast string) {
	t.Helper()
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		t.Fatal(err)
	}
	ballast = filepath.Join(dir, "ballast")
	if err := os.WriteFile(ballast, make([]byte, int64(st.Bavail)*st.Bsize-free), 0o600); err != nil {
		t.Fatal(err)
	}
	return ballast
}

// TestDiskFull is R36: the talk goes on, the file is whole up to there and marked, somebody is told at once, and the next
// recording works as soon as there is space.
func TestDiskFull(t *testing.T) {
	disk := smallDisk(t)
	r := newRig(t, func(c *recordings.Config) { c.Dir = filepath.Join(disk, "recordings") })
	r.t.Cleanup(func() { r.close(r.Service) }) // before the disk goes
	r.call("full")
	told := make(chan error, 9)
	rec := r.start(recordings.Start{Call: "full", OnFailure: func(err error) { told <- err }})
	ballast := fill(t, disk, 100<<10) // 6 s of sound
	v := newVoice(media.PCMA, 1000)
	var pos int64
	var failed time.Time
	for pos < 20*8000 && len(told) == 0 {
		pos = talk(t, rec, pos, 1, v, v)
		if rec.Failed() && failed.IsZero() {
			failed = time.Now()
		}
	}
	select {
	case err := <-told:
		if !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("told %v", err)
		}
		if !failed.IsZero() && time.Since(failed) > time.Second {
			t.Errorf("told %v after the failure", time.Since(failed))
		}
	case <-time.After(10 * time.Second):
		t.Fatal("nobody was told")
	}
	if _, err := r.Start(context.Background(), recordings.Start{Call: "full", Kind: recordings.KindCall}); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("a recording begins on a full disk: %v", err)
	}
	talk(t, rec, pos, 1000, v, v) // the talk goes on
	if err := rec.Close(context.Background()); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("closed with %v", err)
	}
	w := r.waitRow(rec.ID())
	r.kept(w)
	_, _, got := r.read(w.id)
	if w.state != "ready" || !strings.Contains(w.failed, "no space") || w.ms < 4000 || w.ms > 8000 || w.ms%500 != 0 {
		t.Errorf("%+v", w)
	}
	if a := amplitude(media.PCMA, got[1], 1000, 0, w.ms); a < 0.47 {
		t.Errorf("the sound until then: %.3f", a)
	}
	if n := len(told); n != 0 || r.metric("hotline_recordings_failed_total") != 1 {
		t.Errorf("told %d times more, failed %v", n, r.metric("hotline_recordings_failed_total"))
	}

	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	next := r.start(recordings.Start{Call: "full"})
	talk(t, next, 0, 100, v, v)
	r.end(next)
	if w := r.waitRow(next.ID()); w.state != "ready" || w.failed != "" || w.ms != 2000 {
		t.Errorf("after the space is back: %+v", w)
	}
	if left := strings.Join(diskFiles(t, filepath.Join(r.cfg.Dir, "open")), " "); left != "" {
		r.until("open files gone", func() bool { return len(diskFiles(t, filepath.Join(r.cfg.Dir, "open"))) == 0 })
	}
}

// TestDiskFails lets every write fail, and taking back as well.
func TestDiskFails(t *testing.T) {
	r := newRig(t)
	r.call("eio")
	told := make(chan error, 9)
	rec := r.start(recordings.Start{Call: "eio", OnFailure: func(err error) { told <- err }})
	null, err := os.Open(os.DevNull) // may be read only, cannot be truncated
	if err != nil {
		t.Fatal(err)
	}
	old := recordings.SwapFile(rec, null)
	defer old.Close()
	v := newVoice(media.PCMA, 1000)
	pos := talk(t, rec, 0, 50, v, v)
	select {
	case err = <-told:
	case <-time.After(time.Second):
		t.Fatal("nobody was told within a second")
	}
	talk(t, rec, pos, 100, v, v)
	if got := rec.Close(context.Background()); got == nil || got.Error() != err.Error() {
		t.Errorf("told %v, closed with %v", err, got)
	}
	if w := r.waitRow(rec.ID()); w.state != "failed" || w.failed == "" {
		t.Errorf("%+v", w)
	}
}

// TestDiskHangs puts a pipe that nobody reads under the writer: sound never waits, the recording ends after ten seconds
// of it, and nothing that waits for the disk waits for long.
func TestDiskHangs(t *testing.T) {
	r := newRig(t)
	r.call("hang")
	told := make(chan error, 9)
	rec := r.start(recordings.Start{Call: "hang", OnFailure: func(err error) { told <- err }})
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	_ = write.SetWriteDeadline(time.Now().Add(10 * time.Millisecond))
	if _, err := write.Write(make([]byte, 1<<20)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("the pipe is not full: %v", err)
	}
	_ = write.SetWriteDeadline(time.Time{})
	old := recordings.SwapFile(rec, write)
	v := newVoice(media.PCMA, 1000)
	var slowest time.Duration
	for n := int64(0); n < 40*50 && len(told) == 0; n++ { // 40 s
		if n == 25 {
			r.until("writer hanging", func() bool { return recordings.Pending(rec) == 0 })
		}
		sound, begin := v.frame(), time.Now()
		rec.Frame(0, 8, n*160, sound)
		rec.Frame(1, 8, n*160, sound)
		slowest = max(slowest, time.Since(begin))
	}
	if slowest > 500*time.Millisecond { // a busy machine, not a disk
		t.Errorf("a frame waited %v", slowest)
	}
	select {
	case err := <-told:
		if !strings.Contains(err.Error(), "does not keep up") {
			t.Errorf("told %v", err)
		}
	case <-time.After(time.Second):
		t.Fatal("nobody was told within a second")
	}
	ctx, stop := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer stop()
	if err := rec.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("close on a disk that hangs: %v", err)
	}
	read.Close() // the disk is back
	old.Close()
	if err := rec.Close(context.Background()); err == nil || !strings.Contains(err.Error(), "does not keep up") {
		t.Errorf("closed with %v", err)
	}
	next := r.start(recordings.Start{Call: "hang"})
	talk(t, next, 0, 100, v, v)
	r.end(next)
	if w := r.waitRow(next.ID()); w.state != "ready" || w.failed != "" {
		t.Errorf("the next one: %+v", w)
	}
}

// TestDirectoryGone takes the directory away and brings it back, as a disk that is mounted again.
func TestDirectoryGone(t *testing.T) {
	r := newRig(t)
	r.call("gone")
	v := newVoice(media.PCMA, 1000)
	rec := r.start(recordings.Start{Call: "gone"})
	talk(t, rec, 0, 100, v, v)
	if err := os.Rename(r.cfg.Dir, r.cfg.Dir+".away"); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Start(context.Background(), recordings.Start{Call: "gone", Kind: recordings.KindCall}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("start without a directory: %v", err)
	}
	if err := rec.Close(context.Background()); err == nil {
		t.Error("closed without a directory")
	}
	w := r.waitRow(rec.ID())
	if w.failed == "" {
		t.Errorf("%+v", w)
	}
	if _, _, err := r.Open(context.Background(), w.id); !errors.Is(err, os.ErrNotExist) && !errors.Is(err, recordings.ErrNotFound) {
		t.Errorf("open without a directory: %v", err)
	}
	if err := os.Rename(r.cfg.Dir+".away", r.cfg.Dir); err != nil {
		t.Fatal(err)
	}
	if _, _, got := r.read(w.id); len(got[0]) != 16000 {
		t.Errorf("%d samples", len(got[0]))
	}
	next := r.start(recordings.Start{Call: "gone"})
	r.end(next)
	r.close(r.Service)
	r.open()
	if err := r.Recover(context.Background()); err != nil { // gives the file its name
		t.Fatal(err)
	}
	r.kept(w)
}

func TestStartAnswersWithinItsContext(t *testing.T) {
	r := newRig(t)
	ctx, stop := context.WithCancel(context.Background())
	stop()
	for range 50 { // whichever is first, nothing is left behind
		rec, err := r.Start(ctx, recordings.Start{Call: telephony.NewID(time.Now()), Kind: recordings.KindCall})
		if err == nil {
			r.end(rec)
		} else if !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
	}
	r.until("no file in the making", func() bool {
		return !strings.Contains(strings.Join(diskFiles(t, r.cfg.Dir), " "), ".part")
	})
	if r.metric("hotline_recordings_live") != 0 {
		t.Error("recordings still live")
	}
}
