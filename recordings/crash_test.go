package recordings_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"hotline/recordings"
	"hotline/telephony/media"
)

// childDir is the variable that makes this test program record until it is killed.
const childDir = "HOTLINE_TEST_RECORDINGS_CHILD"

// talks of the child: who speaks, and what else happens.
var talks = []struct {
	call     string
	channels [2]bool
	pauseAt  int // ms; 0: never
	closeAt  int
}{
	{call: "both", channels: [2]bool{true, true}},
	{call: "customer", channels: [2]bool{true, false}},
	{call: "agent", channels: [2]bool{false, true}},
	{call: "paused", channels: [2]bool{true, true}, pauseAt: 1000},
	{call: "closed", channels: [2]bool{true, true}, closeAt: 1500},
	{call: "empty"},
}

// child records in real time and says how far it is: call, key, samples.
func child() {
	dir := os.Getenv(childDir)
	pool, err := pgxpool.New(context.Background(), "postgres://nobody@127.0.0.1:1/none") // a database that is away
	if err != nil {
		panic(err)
	}
	s, err := recordings.New(recordings.Config{Dir: filepath.Join(dir, "recordings"), KeyFile: filepath.Join(dir, "key"), Pool: pool, RetentionDays: 7})
	if err != nil {
		panic(err)
	}
	var out sync.Mutex
	for _, k := range talks {
		rec, err := s.Start(context.Background(), recordings.Start{Call: k.call, Kind: recordings.KindCall})
		if err != nil {
			panic(err)
		}
		go func() {
			v := newVoice(media.PCMA, 1000)
			said := func(n int64) {
				out.Lock()
				defer out.Unlock()
				fmt.Println(k.call, rec.ID(), n)
			}
			said(0)
			begin := time.Now()
			for n := int64(0); ; n++ {
				if d := time.Until(begin.Add(time.Duration(n) * 20 * time.Millisecond)); d > 0 {
					time.Sleep(d) // real time is the matter here
				}
				ms, sound := int(n*20), v.frame()
				if k.pauseAt > 0 && ms == k.pauseAt {
					rec.Pause("card")
				}
				if k.pauseAt > 0 && ms >= k.pauseAt {
					sound = bytes.Repeat([]byte{secret}, 160)
				}
				if k.closeAt > 0 && ms == k.closeAt {
					if err := rec.Close(context.Background()); err != nil {
						panic(err)
					}
					return
				}
				for ch, speaks := range k.channels {
					if speaks {
						rec.Frame(ch, 8, n*160, sound)
					}
				}
				if k.channels != [2]bool{} {
					said(n*160 + 160)
				}
			}
		}()
	}
	select {}
}

// TestKilled is R34: kill -9 in the middle of recordings, while the database is away.
func TestKilled(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.close(r.Service)
	base := filepath.Dir(r.cfg.Dir)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childDir+"="+base)
	cmd.Stderr = os.Stderr
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	keys, said := map[string]string{}, map[string]int64{}
	lines := bufio.NewScanner(pipe)
	killed := false
	for lines.Scan() { // what was said after the kill is in the pipe still: it counts
		var call, key string
		var n int64
		if _, err := fmt.Sscan(lines.Text(), &call, &key, &n); err != nil {
			t.Fatalf("child: %s", lines.Text())
		}
		keys[call], said[call] = key, n
		if call == "both" && n > 3500*8 && !killed {
			killed = true
			if err := cmd.Process.Signal(syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
		}
	}
	_ = cmd.Wait()
	for _, k := range talks {
		if k.call != "agent" { // one call's row comes later
			r.call(k.call)
		}
	}
	r.open()
	for range 2 {
		if err := r.Recover(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	for _, k := range talks {
		if k.call == "agent" {
			r.call(k.call)
		}
		w := r.waitRow(keys[k.call])
		r.kept(w)
		r.checkKilled(k.call, w, said[k.call], k.channels)
	}
	r.again(len(talks))
}

func (r *rig) checkKilled(call string, w row, said int64, channels [2]bool) {
	r.t.Helper()
	info, _, got := r.read(w.id)
	r.t.Logf("%s: %d ms said, %d ms kept, %s %q", call, said/8, w.ms, w.state, w.failed)
	switch {
	case call == "empty":
		if w.state != "failed" || w.failed == "" || w.ms != 0 {
			r.t.Errorf("%s: %+v", call, w)
		}
		return
	case call == "closed":
		if w.state != "ready" || w.failed != "" || w.ms != 1500 {
			r.t.Errorf("%s: %+v", call, w)
		}
		return
	case w.state != "ready" || !strings.Contains(w.failed, "crash"):
		r.t.Errorf("%s: %+v", call, w)
	}
	if lost := said/8 - int64(info.DurationMS); lost < 0 || lost > 2000 {
		r.t.Errorf("%s: %d ms lost", call, lost)
	}
	to := info.DurationMS
	if call == "paused" {
		to = 1000
		if bytes.IndexByte(got[0], secret) >= 0 || bytes.IndexByte(got[1], secret) >= 0 {
			r.t.Errorf("%s: what was said in the pause is there", call)
		}
	}
	for ch, speaks := range channels {
		if a := amplitude(media.PCMA, got[ch], 1000, 0, to); speaks && (a < 0.47 || a > 0.53) || !speaks && a > 0.01 {
			r.t.Errorf("%s: channel %d has %.3f", call, ch, a)
		}
	}
}

// again starts once more and finds nothing to do.
func (r *rig) again(recordings int) {
	r.t.Helper()
	before := r.dump()
	r.close(r.Service)
	r.open()
	if err := r.Recover(context.Background()); err != nil {
		r.t.Fatal(err)
	}
	r.until("quiet", func() bool { n, more := waiting(r); return n == 0 && !more })
	if after := r.dump(); after != before {
		r.t.Errorf("a second recovery changed\n%s\nto\n%s", before, after)
	}
	var rows int
	if err := r.pool.QueryRow(context.Background(), `SELECT count(*) FROM recording`).Scan(&rows); err != nil || rows != recordings {
		r.t.Errorf("%d rows for %d recordings, %v", rows, recordings, err)
	}
}

func waiting(r *rig) (int, bool) { return recordings.Waiting(r.Service) }

// dump is every row and every file.
func (r *rig) dump() string {
	r.t.Helper()
	var rows string
	if err := r.pool.QueryRow(context.Background(), `SELECT coalesce(string_agg(r::text, E'\n' ORDER BY id), '') FROM recording r`).Scan(&rows); err != nil {
		r.t.Fatal(err)
	}
	return rows + "\n" + strings.Join(diskFiles(r.t, r.cfg.Dir), "\n")
}

// TestTornAtEveryByte cuts a file at each byte of its last frame, whole or short: what was before is there.
func TestTornAtEveryByte(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, frames := range []int{100, 76} { // 4 frames; 3 and a short one of 20 ms
		call := fmt.Sprint("torn", frames)
		r.call(call)
		rec := r.start(recordings.Start{Call: call, Kind: recordings.KindVoicemail})
		talk(t, rec, 0, frames, newVoice(media.PCMA, 1000))
		r.end(rec)
		w := r.waitRow(rec.ID())
		r.kept(w)
		_, _, whole := r.read(w.id)
		name := filepath.Join(r.cfg.Dir, w.store+".hrec")
		last := int64(4 + 16 + len(whole[0])%recordings.FrameSamples)
		if len(whole[0])%recordings.FrameSamples == 0 {
			last += recordings.FrameSamples
		}
		cuts := 0
		recordings.CutAway(t, r.Service, name, last, func(size, samples int64) {
			if cuts++; samples != 12000 {
				t.Fatalf("cut at %d of %d: %d samples", size, w.size, samples)
			}
		})
		if cuts != int(last) {
			t.Errorf("%d cuts of %d", cuts, last)
		}
		if _, _, got := r.read(w.id); !bytes.Equal(got[0], whole[0][:12000]) {
			t.Error("what is left of the sound is another")
		}
		if !r.log.has("recording is damaged") {
			t.Error("nobody is told that the file is shorter than its row says")
		}
	}
}

// TestTailThatNobodyWrote is a lost power: the file has the length, but not the bytes.
func TestTailThatNobodyWrote(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for i, tail := range [][]byte{make([]byte, 10), make([]byte, 8020), make([]byte, 8020*3+77), bytes.Repeat([]byte{0x55}, 8020)} {
		call := fmt.Sprint("tail", i)
		rec := r.start(recordings.Start{Call: call})
		talk(t, rec, 0, 100, newVoice(media.PCMA, 1000), newVoice(media.PCMA, 700))
		r.end(rec)
		name := filepath.Join(r.cfg.Dir, "open", rec.ID())
		f, err := os.OpenFile(name+".done", os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write(tail); err != nil {
			t.Fatal(err)
		}
		f.Close()
		if err := os.Rename(name+".done", name+".part"); err != nil {
			t.Fatal(err)
		}
		r.close(r.Service)
		r.call(call)
		r.open()
		if err := r.Recover(context.Background()); err != nil {
			t.Fatal(err)
		}
		w := r.waitRow(rec.ID())
		r.kept(w)
		if w.state != "ready" || w.ms != 2000 || !strings.Contains(w.failed, "crash") {
			t.Errorf("%d: %+v", i, w)
		}
	}
}

// TestCrashBetweenSteps stops between any two steps of closing: after the file's renames and the row's writing.
func TestCrashBetweenSteps(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ file, row string }{
		{".part", ""}, {".part", "recording"}, {".part", "paused"}, {".done", ""}, {".done", "recording"}, {".done", "ready"},
		{".cut", "recording"}, {".cut", "ready"}, {".hrec", "ready"},
	} {
		t.Run(c.file+c.row, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.call("steps")
			rec := r.start(recordings.Start{Call: "steps", RetentionDays: 3})
			talk(t, rec, 0, 100, newVoice(media.PCMA, 1000), newVoice(media.PCMA, 700))
			r.end(rec)
			w := r.waitRow(rec.ID())
			r.kept(w)
			r.close(r.Service)
			if c.file != ".hrec" {
				if err := os.Rename(filepath.Join(r.cfg.Dir, w.store+".hrec"), filepath.Join(r.cfg.Dir, "open", rec.ID()+c.file)); err != nil {
					t.Fatal(err)
				}
			}
			switch c.row {
			case "":
				r.exec(`DELETE FROM recording`)
			case "recording":
				r.exec(`UPDATE recording SET state = 'recording', sha256 = NULL, size = 0, duration_ms = 0, peaks = NULL, paused = '[[500, 800]]'`)
			case "paused":
				r.exec(`UPDATE recording SET state = 'paused', sha256 = NULL, size = 0, duration_ms = 0, peaks = NULL, paused = '[[300, 400], [1500, 1600]]'`)
			}
			r.open()
			if err := r.Recover(context.Background()); err != nil {
				t.Fatal(err)
			}
			after := r.waitRow(rec.ID())
			r.kept(after)
			want := map[string]string{"recording": "[[500, 800]]", "paused": "[[300, 400], [1500, 2000]]", "ready": "[]", "": "[]"}[c.row]
			if after.ms != 2000 || after.paused != want || after.due == nil || !after.due.Equal(*w.due) || !bytes.Equal(after.sum, w.sum) {
				t.Errorf("%+v", after)
			}
			if cut := c.row != "ready" && (c.file == ".part" || c.file == ".cut"); cut != (after.failed != "") {
				t.Errorf("marked %q", after.failed)
			}
			if p, err := r.Peaks(context.Background(), after.id); err != nil || len(p.Data) != 2 || len(p.Data[0]) != 100 {
				t.Errorf("peaks: %d, %v", len(p.Data), err)
			}
			r.again(1)
		})
	}
}

// TestHeadThatWasNotWritten is a kill in the first write: no sound can be lost, nothing is left.
func TestHeadThatWasNotWritten(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	rec := r.start(recordings.Start{Call: "head"})
	part := recordings.PartName(r.cfg.Dir, rec)
	head, err := os.ReadFile(part)
	if err != nil {
		t.Fatal(err)
	}
	r.end(rec)
	r.close(r.Service)
	for i, n := range []int{0, 5, 11, 12, len(head) - 1} {
		name := filepath.Join(filepath.Dir(part), fmt.Sprintf("01ARZ3NDEKTSV4RRFFQ69G5FA%d.part", i))
		if err := os.WriteFile(name, head[:n], 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(filepath.Dir(part), "01ARZ3NDEKTSV4RRFFQ69G5FAX.part"), bytes.Repeat([]byte("no recording"), 9), 0o600); err != nil {
		t.Fatal(err)
	}
	r.open()
	if err := r.Recover(context.Background()); err != nil {
		t.Fatal(err)
	}
	r.until("quiet", func() bool {
		_, more := waiting(r)
		return !more && r.metric("hotline_recordings_unreadable_total") == 1
	})
	r.until("empty files gone", func() bool { return len(diskFiles(t, filepath.Join(r.cfg.Dir, "open"))) == 2 }) // the foreign one; the one without a call
}
