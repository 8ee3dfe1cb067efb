package recordings_test

import (
	"bytes"
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hotline/recordings"
	"hotline/telephony/media"
)

// TestNothingInTheClear searches the disk for what was said, while it is said and after, and for the number of who said
// it (R53).
func TestNothingInTheClear(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.call("clear")
	rec := r.start(recordings.Start{Call: "clear"})
	rnd := rand.New(rand.NewPCG(4, 2))
	left, right := make([]byte, 24000), make([]byte, 24000)
	for i := range left {
		left[i], right[i] = byte(rnd.Uint32()), byte(rnd.Uint32())
	}
	both := make([]byte, 0, 48000)
	for i := range left {
		both = append(both, left[i], right[i])
	}
	search := func() (bytesSeen int) {
		for _, name := range diskFiles(t, filepath.Dir(r.cfg.Dir)) {
			b, err := os.ReadFile(filepath.Join(filepath.Dir(r.cfg.Dir), name))
			if err != nil {
				continue // renamed meanwhile
			}
			bytesSeen += len(b)
			for at := 0; at+8 <= len(left); at += 8 {
				for _, piece := range [][]byte{left[at : at+8], right[at : at+8], both[2*at : 2*at+8]} {
					if bytes.Contains(b, piece) {
						t.Fatalf("%s has sound in the clear", name)
					}
				}
			}
		}
		return bytesSeen
	}
	for pos := 0; pos < len(left); pos += 160 {
		rec.Frame(0, 8, int64(pos), left[pos:pos+160])
		rec.Frame(1, 8, int64(pos), right[pos:pos+160])
		keepUp(t, rec)
		if pos%8000 == 0 {
			search()
		}
	}
	r.end(rec)
	w := r.waitRow(rec.ID())
	r.kept(w)
	if n := search(); n < 48000 {
		t.Errorf("searched %d bytes only", n)
	}
	if _, _, got := r.read(w.id); !bytes.Equal(got[0], left) || !bytes.Equal(got[1], right) {
		t.Error("the sound is not what was said")
	}
	for _, dir := range []string{r.cfg.Dir, filepath.Join(r.cfg.Dir, "open"), filepath.Dir(filepath.Join(r.cfg.Dir, w.store))} {
		if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("%s: %v, %v", dir, info.Mode(), err)
		}
	}
	for _, f := range []string{filepath.Join(r.cfg.Dir, w.store+".hrec"), r.cfg.KeyFile} {
		if info, err := os.Stat(f); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", f, info.Mode(), err)
		}
	}
}

// TestDamageIsHeard flips bytes: in a frame, in the head, and swaps frames of two files.
func TestDamageIsSilence(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.call("flip")
	rec := r.start(recordings.Start{Call: "flip"})
	v := newVoice(media.PCMA, 1000)
	talk(t, rec, 0, 100, v, v)
	r.end(rec)
	w := r.waitRow(rec.ID())
	r.kept(w)
	name := filepath.Join(r.cfg.Dir, w.store+".hrec")
	whole, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	start := len(whole) - 4*(4+8000+16)
	write := func(b []byte) {
		if err := os.WriteFile(name, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, at := range []int{start, start + 3, start + 4, start + 4000, start + 8019} { // length, first byte, middle, tag
		bad := bytes.Clone(whole)
		bad[8020+at] ^= 1
		write(bad)
		before := r.metric("hotline_recordings_unreadable_total")
		_, _, got := r.read(w.id)
		if a, b, c := amplitude(media.PCMA, got[0], 1000, 0, 500), amplitude(media.PCMA, got[0], 1000, 500, 1000), amplitude(media.PCMA, got[0], 1000, 1000, 2000); a < 0.45 || b > 0.01 || c < 0.45 {
			t.Errorf("flipped at %d: %.3f, %.3f, %.3f", at, a, b, c)
		}
		if n := r.metric("hotline_recordings_unreadable_total"); n != before+1 {
			t.Errorf("told %v times", n-before)
		}
	}
	swapped := bytes.Clone(whole)
	copy(swapped[start:], whole[start+8020:start+16040])
	write(swapped)
	if _, _, got := r.read(w.id); amplitude(media.PCMA, got[0], 1000, 0, 500) > 0.01 {
		t.Error("a frame is heard in another's place")
	}
	head := bytes.Clone(whole)
	at := bytes.Index(head, []byte(`"law":8`))
	head[at+6] = '0'
	write(head)
	if _, _, got := r.read(w.id); len(got[0]) != 0 {
		t.Errorf("%d samples with another head", len(got[0]))
	}
	write([]byte("something else, long enough to be a head of a file"))
	if _, _, err := r.Open(context.Background(), w.id); err == nil {
		t.Error("opened what is no recording")
	}
	write(whole)
	if _, _, got := r.read(w.id); len(got[0]) != 16000 {
		t.Error("the test harmed the file")
	}
}

func TestKeys(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.call("keys")
	rec := r.start(recordings.Start{Call: "keys"})
	v := newVoice(media.PCMA, 1000)
	talk(t, rec, 0, 50, v, v)
	r.end(rec)
	w := r.waitRow(rec.ID())
	r.kept(w)
	r.close(r.Service)
	cfg := r.cfg
	cfg.Registerer = nil
	refused := func(what, says string) {
		t.Helper()
		s, err := recordings.New(cfg)
		if err == nil {
			_ = s.Close(context.Background())
			t.Errorf("%s: started", what)
		} else if !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "SECRET") {
			t.Errorf("%s: %v", what, err)
		}
	}
	own, err := os.ReadFile(cfg.KeyFile)
	if err != nil {
		t.Fatal(err)
	}
	put := func(text []byte, mode os.FileMode) {
		t.Helper()
		if err := os.WriteFile(cfg.KeyFile, text, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(cfg.KeyFile, mode); err != nil {
			t.Fatal(err)
		}
	}
	for _, mode := range []os.FileMode{0o644, 0o660, 0o604, 0o601} {
		put(own, mode)
		refused("key open to others", "chmod 600")
	}
	put([]byte("# nothing\n"), 0o600)
	refused("empty key", "your copy")
	put([]byte("AGE-SECRET-KEY-1WRONG\n"), 0o600)
	refused("spoilt key", "your copy")
	if err := os.Remove(cfg.KeyFile); err != nil {
		t.Fatal(err)
	}
	refused("lost key", "is gone")
	if _, err := os.Stat(cfg.KeyFile); err == nil {
		t.Error("a new key was made over a lost one")
	}

	other := newRig(t)
	foreign, err := os.ReadFile(other.cfg.KeyFile)
	if err != nil {
		t.Fatal(err)
	}
	put(foreign, 0o600)
	refused("wrong key", "Add the old key")
	marks := filepath.Join(cfg.Dir, recordings.SealedFor)
	noted, err := os.ReadFile(marks)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(marks); err != nil { // as the message says: begin anew
		t.Fatal(err)
	}
	r.open()
	if f, _, err := r.Open(context.Background(), w.id); err == nil || !strings.Contains(err.Error(), "does not open") {
		t.Errorf("opened with a wrong key: %v, %v", f, err)
	}
	r.close(r.Service)

	if err := os.WriteFile(marks, noted, 0o600); err != nil {
		t.Fatal(err)
	}
	put(append(foreign, own...), 0o440) // rotated: the new one seals, the old one opens
	r.open()
	r.call("keys2")
	next := r.start(recordings.Start{Call: "keys2"})
	talk(t, next, 0, 50, v, v)
	r.end(next)
	for _, id := range []int64{w.id, r.waitRow(next.ID()).id} {
		if _, _, got := r.read(id); len(got[0]) != 8000 {
			t.Errorf("%d samples", len(got[0]))
		}
	}
	r.close(r.Service)
	put(own, 0o600)
	refused("new key lost", "Add the old key")
}

// TestTwoStartsMakeOneKey begins in an empty directory twice at once.
func TestTwoStartsMakeOneKey(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	cfg := recordings.Config{Dir: filepath.Join(base, "r"), KeyFile: filepath.Join(base, "keys", "key")}
	made := make(chan error)
	for range 4 {
		go func() {
			s, err := recordings.New(cfg)
			if err == nil {
				ctx, stop := context.WithTimeout(context.Background(), 10*time.Second)
				defer stop()
				err = s.Close(ctx)
			}
			made <- err
		}()
	}
	for range 4 {
		if err := <-made; err != nil {
			t.Error(err)
		}
	}
	if left := diskFiles(t, filepath.Dir(cfg.KeyFile)); len(left) != 1 {
		t.Errorf("left: %v", left)
	}
	b, err := os.ReadFile(filepath.Join(cfg.Dir, recordings.SealedFor))
	if err != nil || len(strings.Fields(string(b))) != 1 {
		t.Errorf("sealed for %q, %v", b, err)
	}
}

// TestAbsurdStarts are refused, and leave no file.
func TestAbsurdStarts(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, o := range []recordings.Start{{Kind: "greeting"}, {}, {Kind: recordings.KindCall, Call: strings.Repeat("x", 20<<10)}} {
		if rec, err := r.Start(context.Background(), o); err == nil {
			r.end(rec)
			t.Errorf("started: %.40v", o)
		}
	}
	for _, f := range diskFiles(t, r.cfg.Dir) {
		if f != recordings.SealedFor {
			t.Errorf("left: %s", f)
		}
	}
}
