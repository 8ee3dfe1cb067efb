package recordings

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"filippo.io/age"
)

// FuzzReadFile reads whatever a disk may hold: no panic, and a WAV that is as long as it says.
func FuzzReadFile(f *testing.F) {
	id, err := age.ParseX25519Identity("AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX") // any
	if err != nil {
		f.Fatal(err)
	}
	for _, channels := range []int{1, 2} {
		h := header{Key: "01ARZ3NDEKTSV4RRFFQ69G5FAV", Call: "fuzz", Kind: KindCall, Channels: channels, Law: ptA, Frame: rate / 50, Started: time.Unix(1, 0).UTC()}
		b, s, err := newHead(h, id.Recipient())
		if err != nil {
			f.Fatal(err)
		}
		for i := range 3 {
			b = s.frame(b, int64(i), bytes.Repeat([]byte{byte(i)}, h.plain()))
		}
		f.Add(s.frame(bytes.Clone(b), 3, []byte("a shorter one")))
		f.Add(b[:len(b)-1])
	}
	f.Add([]byte(magic))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		name := filepath.Join(t.TempDir(), "f")
		if err := os.WriteFile(name, b, 0o600); err != nil {
			t.Fatal(err)
		}
		in, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		defer in.Close()
		r, err := readFile(in, []age.Identity{id})
		if err != nil {
			return
		}
		if r.sealedLen() > int64(len(b)) || r.frames < 0 || r.last <= 0 || r.last > r.h.plain() {
			t.Fatalf("%d frames, last %d, %d of %d bytes", r.frames, r.last, r.sealedLen(), len(b))
		}
		w := newWAV(r, nil)
		if all, err := io.ReadAll(w); err != nil || int64(len(all)) != w.size() {
			t.Fatalf("%d bytes of %d, %v", len(all), w.size(), err)
		}
	})
}
