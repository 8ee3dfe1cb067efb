package recordings_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"hotline/recordings"
	"hotline/telephony/media"
)

func TestCallRowComesLater(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	early, late := r.start(recordings.Start{Call: "early"}), r.start(recordings.Start{Call: "late", RetentionDays: 30})
	v := newVoice(media.PCMA, 1000)
	talk(t, early, 0, 50, v, v)
	talk(t, late, 0, 50, v, v)
	early.Pause("x")
	r.end(late)
	if _, ok := r.row(early.ID()); ok {
		t.Fatal("a row without a call")
	}
	r.call("early")
	if w := r.waitRow(early.ID(), "paused"); w.due != nil || w.paused != "[[1000, 1000]]" {
		t.Errorf("%+v", w)
	}
	r.call("late")
	w := r.waitRow(late.ID())
	r.kept(w)
	info, err := r.Get(context.Background(), w.id)
	if err != nil || info.StartedAt == nil || w.due == nil || !w.due.Equal(info.StartedAt.AddDate(0, 0, 30)) {
		t.Errorf("%+v, %+v, %v", w, info, err)
	}
	r.end(early)
	r.waitRow(early.ID())
	if _, err := r.Get(context.Background(), 1<<40); !errors.Is(err, recordings.ErrNotFound) {
		t.Errorf("a recording that is not there: %v", err)
	}
	r.until("nothing waiting", func() bool { return r.metric("hotline_recordings_unindexed") == 0 })
}

// TestOtherPBX has a call with the same key: rows of foreign exchanges are not ours.
func TestOtherPBX(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.exec(`INSERT INTO call (pbx, call_key, direction, started_at) VALUES ('other', 'same', 'in', now())`)
	id := r.call("same")
	rec := r.start(recordings.Start{Call: "same"})
	r.end(rec)
	r.waitRow(rec.ID())
	if list, err := r.ForCall(context.Background(), id); err != nil || len(list) != 1 {
		t.Errorf("%+v, %v", list, err)
	}
}

// TestCallRowNeverComes is bounded: given up with noise, tried again by the next start.
func TestCallRowNeverComes(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(c *recordings.Config) { *c = recordings.Impatient(*c, 50*time.Millisecond, 0) })
	rec := r.start(recordings.Start{Call: "never"})
	v := newVoice(media.PCMA, 1000)
	talk(t, rec, 0, 50, v, v)
	r.end(rec)
	r.until("giving up", func() bool { return r.metric("hotline_recordings_orphaned_total") == 1 })
	r.until("log line", func() bool { return r.log.has("recording has no call") })
	if n, more := waiting(r); n != 0 || more {
		t.Errorf("%d wait still, more %v", n, more)
	}
	if files := diskFiles(t, filepath.Join(r.cfg.Dir, "open")); len(files) != 1 {
		t.Errorf("files %v", files)
	}
	r.call("never")
	if err := r.Recover(context.Background()); err != nil { // within this process it is known
		t.Fatal(err)
	}
	r.close(r.Service)
	r.open()
	if err := r.Recover(context.Background()); err != nil {
		t.Fatal(err)
	}
	w := r.waitRow(rec.ID())
	r.kept(w)
	if w.ms != 1000 || w.failed != "" {
		t.Errorf("%+v", w)
	}
}

// TestStopWithTalksOn ends recordings that nobody closed, whole and marked.
func TestStopWithTalksOn(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.call("on")
	told := make(chan error, 9)
	var all []*recordings.Recorder
	for range 5 {
		rec := r.start(recordings.Start{Call: "on", OnFailure: func(err error) { told <- err }})
		talk(t, rec, 0, 60, newVoice(media.PCMA, 1000), newVoice(media.PCMA, 500))
		all = append(all, rec)
	}
	r.close(r.Service)
	r.close(r.Service)
	for _, rec := range all {
		talk(t, rec, 9600, 60, newVoice(media.PCMA, 1000), newVoice(media.PCMA, 500))
		if err := rec.Close(context.Background()); err == nil || !strings.Contains(err.Error(), "stopped") {
			t.Errorf("closed with %v", err)
		}
		w := r.waitRow(rec.ID())
		r.kept(w)
		if w.ms != 1200 || !strings.Contains(w.failed, "stopped") {
			t.Errorf("%+v", w)
		}
	}
	if _, err := r.Start(context.Background(), recordings.Start{Call: "on", Kind: recordings.KindCall}); err == nil {
		t.Error("started after the end")
	}
	if len(told) != 0 {
		t.Errorf("told %v", <-told)
	}
}

// TestEverythingAtOnce lets every method run against every other; the race detector judges.
func TestEverythingAtOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	id := r.call("race")
	var wg sync.WaitGroup
	for range 4 {
		rec := r.start(recordings.Start{Call: "race", OnFailure: func(error) {}})
		for ch := range 3 {
			wg.Go(func() {
				v := newVoice(media.PCMA, 1000)
				for pos := int64(0); pos < 80000; pos += 160 {
					rec.Frame(ch, 8, pos, v.frame())
					keepUp(t, rec)
				}
			})
		}
		wg.Go(func() {
			for range 50 {
				rec.Pause("x")
				rec.Resume()
			}
			for range 2 {
				wg.Go(func() { _ = rec.Close(context.Background()) })
			}
		})
		wg.Go(func() {
			for range 10 {
				list, err := r.ForCall(context.Background(), id)
				if err != nil {
					t.Error(err)
				}
				for _, i := range list {
					if f, _, err := r.Open(context.Background(), i.ID); err == nil {
						f.Close()
					}
				}
				if err := r.Expire(context.Background()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	r.until("quiet", func() bool { n, more := waiting(r); return n == 0 && !more })
	if n := r.metric("hotline_recordings_live"); n != 0 {
		t.Errorf("%v live", n)
	}
}

func TestAccessLog(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.call("access")
	var agent int64
	if err := r.pool.QueryRow(context.Background(), `INSERT INTO agent (login, name) VALUES ('lead9', 'Вера') RETURNING id`).Scan(&agent); err != nil {
		t.Fatal(err)
	}
	rec := r.start(recordings.Start{Call: "access"})
	r.end(rec)
	id := r.waitRow(rec.ID()).id
	for _, a := range []struct {
		agent      int64
		action, ip string
	}{{agent, "play", "10.1.2.3"}, {0, "download", ""}, {agent, "play", "2001:db8::1"}} {
		if err := r.LogAccess(context.Background(), id, a.agent, a.action, a.ip); err != nil {
			t.Fatal(err)
		}
	}
	list, err := r.AccessLog(context.Background(), id)
	if err != nil || len(list) != 3 {
		t.Fatalf("%+v, %v", list, err)
	}
	if a := list[0]; a.Login != "lead9" || a.Name != "Вера" || a.Action != "play" || a.IP != "2001:db8::1" || time.Since(a.At) > time.Minute {
		t.Errorf("newest: %+v", a)
	}
	if a := list[1]; a.Login != "" || a.Action != "download" || a.IP != "" {
		t.Errorf("without an agent: %+v", a)
	}
	if err := r.LogAccess(context.Background(), 1<<40, agent, "play", ""); err == nil {
		t.Error("hearing of a recording that is not there")
	}
	if err := r.LogAccess(context.Background(), id, agent, "play", "no address"); err == nil {
		t.Error("hearing from nowhere")
	}
	if list, err := r.AccessLog(context.Background(), 1<<40); err != nil || len(list) != 0 {
		t.Errorf("%+v, %v", list, err)
	}
}

func TestPeaks(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.call("peaks")
	rec := r.start(recordings.Start{Call: "peaks"})
	live := r.waitRow(rec.ID(), "recording")
	if p, err := r.Peaks(context.Background(), live.id); err != nil || p.Channels != 2 || len(p.Data) != 2 || len(p.Data[0]) != 0 {
		t.Errorf("while it is made: %+v, %v", p, err)
	}
	v := newVoice(media.PCMA, 1000)
	talk(t, rec, 0, 50, v)                                 // one second of the customer
	talk(t, rec, 16000, 50, nil, newVoice(media.PCMA, 50)) // then one of the agent
	r.end(rec)
	w := r.waitRow(rec.ID())
	p, err := r.Peaks(context.Background(), w.id)
	if err != nil || p.PerSecond != 50 || len(p.Data) != 2 || len(p.Data[0]) != 150 || len(p.Data[1]) != 150 {
		t.Fatalf("%+v, %v", p, err)
	}
	for i := range 150 {
		for ch, loud := range []bool{i < 50, i >= 100} {
			if v := p.Data[ch][i]; loud && (v < 0.47 || v > 0.53) || !loud && v > 0.01 {
				t.Errorf("channel %d, slice %d: %.3f", ch, i, v)
			}
		}
	}
	long := bytes.Repeat([]byte{0, 10}, 50*3600)
	long[50*3000*2] = 255 // the only loud moment of an hour, on the left
	r.exec(`UPDATE recording SET peaks = $1`, long)
	p, err = r.Peaks(context.Background(), w.id)
	if err != nil || p.PerSecond >= 50 || len(p.Data[0]) != 3600*p.PerSecond || p.Data[0][3000*p.PerSecond] != 1 || p.Data[1][17] != float32(10)/255 {
		t.Errorf("an hour: %d a second, %d slices, %v", p.PerSecond, len(p.Data[0]), err)
	}
	if _, err := r.Peaks(context.Background(), 1<<40); !errors.Is(err, recordings.ErrNotFound) {
		t.Errorf("a recording that is not there: %v", err)
	}
}

// TestStoreKeysStayInside gives rows names that lead elsewhere (R31).
func TestStoreKeysStayInside(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.call("names")
	rec := r.start(recordings.Start{Call: "names"})
	v := newVoice(media.PCMA, 1000)
	talk(t, rec, 0, 50, v, v)
	r.end(rec)
	w := r.waitRow(rec.ID())
	r.kept(w)
	outside := filepath.Join(filepath.Dir(r.cfg.Dir), rec.ID()+".hrec")
	if err := os.Rename(filepath.Join(r.cfg.Dir, w.store+".hrec"), outside); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, filepath.Join(r.cfg.Dir, "link")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Dir(outside), filepath.Join(r.cfg.Dir, "up")); err != nil {
		t.Fatal(err)
	}
	for _, store := range []string{"../" + rec.ID(), "2026/../../" + rec.ID(), strings.TrimSuffix(outside, ".hrec"), "up/" + rec.ID(),
		"link", "../key", "../../etc/passwd", "/etc/passwd", "..", ".", "/", "", "open/../../" + rec.ID(), rec.ID() + "\\..", w.store + "/../../../../../" + rec.ID()} {
		r.exec(`UPDATE recording SET state = 'ready', deleted_at = NULL, store_key = $1, delete_after = now() - interval '1 day'`, store)
		if f, _, err := r.Open(context.Background(), w.id); err == nil {
			t.Errorf("%q was opened", store)
			f.Close()
		}
		_ = r.Expire(context.Background())
		if _, err := os.Stat(outside); err != nil {
			t.Fatalf("%q was deleted: %v", store, err)
		}
	}
}
