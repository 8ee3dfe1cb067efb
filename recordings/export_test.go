package recordings

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// What tests of the package's users see may not know, but tests of its promises must.

// Impatient makes the indexer try often, and give up soon unless giveUp is 0; rows bounds what waits in memory.
func Impatient(c Config, giveUp time.Duration, rows int) Config {
	c.patience = patience{retry: 5 * time.Millisecond, most: 20 * time.Millisecond, giveUp: giveUp, rows: rows}
	return c
}

// Pending is how much waits for the writer.
func Pending(r *Recorder) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.pending)
}

// Waiting is how many rows wait in memory, and whether there is more on the disk.
func Waiting(s *Service) (rows int, more bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.backlog.items), s.backlog.more
}

// SwapFile puts f under a recorder that has not written yet.
func SwapFile(r *Recorder, f *os.File) (old *os.File) {
	old, r.f = r.f, f
	return old
}

// PartName is the file of a recording in the making.
func PartName(dir string, r *Recorder) string { return filepath.Join(dir, openDir, r.h.Key+endPart) }

// Linear is a code's value.
func Linear(law, code byte) int16 {
	if law == ptMu {
		return linearMu[code]
	}
	return linearA[code]
}

// Convert is a code in the other law.
func Convert(from, code byte) byte {
	if from == ptMu {
		return muToA[code]
	}
	return aToMu[code]
}

// Constants of the promises.
const (
	Slack        = slack
	FrameSamples = frameSamples
	MaxPending   = maxPending
	SealedFor    = sealedFor
)

// Failed reports whether the recording has ended before its talk.
func (r *Recorder) Failed() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.failure != nil
}

// Sealer gives what seals and writes a second of a recording that nobody speaks to.
func Sealer(r *Recorder) (second, end func()) {
	buf := r.s.blocks.get(r.h)
	o := order{sound: buf, frames: 1, samples: frameSamples}
	return func() {
		for range rate / frameSamples {
			if !r.write(o) {
				panic(r.failure)
			}
		}
		if len(r.peaks) > 1<<20 {
			r.peaks = r.peaks[:0]
		}
	}, func() { r.end(nil); <-r.done }
}

// CutAway takes the last bytes of a file away, one by one, and tells how much sound is left each time.
func CutAway(t *testing.T, s *Service, name string, last int64, each func(size, samples int64)) {
	t.Helper()
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := readFile(f, s.keys.open)
	if err != nil {
		t.Fatal(err)
	}
	for size := r.sealedLen() - 1; last > 0; size, last = size-1, last-1 {
		if err := f.Truncate(size); err != nil {
			t.Fatal(err)
		}
		if err := r.fit(); err != nil {
			t.Fatal(err)
		}
		each(size, r.samples())
	}
}
