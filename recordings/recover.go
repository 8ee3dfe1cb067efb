package recordings

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
)

// cutText marks a recording that is shorter than its talk when only its file tells of it.
const cutText = "ended before its talk: cut by a crash of the server, or by a failure that its log tells"

// Recover takes over what a crash left. Files that were being written are closed, marked, and cut after their last whole
// frame; files without a finished row get one, as soon as the database answers. It reads one directory only and returns
// at once. Call it before the first Start; calling it again changes nothing.
func (s *Service) Recover(context.Context) error {
	list, err := s.dir.list(endPart)
	if err != nil {
		return err
	}
	for _, u := range list {
		if s.known(u.key) {
			continue
		}
		if err := s.dir.closed(u.key, endCut); err != nil {
			s.cfg.Log.Error("recording cut by a crash cannot be closed; the next start tries again", "recording", u.key, "cause", err)
			continue
		}
		s.cfg.Log.Warn("recording cut by a crash", "recording", u.key)
	}
	s.again()
	s.look()
	return nil
}

// load reads a closed file for its row, and cuts a torn end off.
func (s *Service) load(u unfinished) (e entry, err error) {
	err = s.dir.in(func(root *os.Root) error {
		f, err := root.OpenFile(u.name(), os.O_RDWR, 0)
		if err != nil {
			return err
		}
		defer f.Close()
		if e, err = s.examine(f); errors.Is(err, errNoSound) {
			return errors.Join(err, root.Remove(u.name()))
		}
		if err == nil && u.end == endCut {
			e.failure = cutText
		}
		return err
	})
	return e, err
}

func (s *Service) examine(f *os.File) (e entry, err error) {
	r, err := readFile(f, s.keys.open)
	if err != nil {
		return e, err
	}
	e = entry{h: r.h, state: "ready", pauses: [][2]int{}, size: r.sealedLen(), length: r.samples(), recovered: true}
	if err := f.Truncate(e.size); err != nil {
		return e, fmt.Errorf("cut the torn end: %w", err)
	}
	if err := f.Sync(); err != nil {
		return e, fmt.Errorf("cut the torn end: %w", err)
	}
	var plain []byte
	for i := range r.frames {
		if plain, err = r.frame(plain[:0], i); err != nil { // heard as silence
			s.m.unreadable.Inc()
			s.cfg.Log.Error("recording is damaged", "recording", r.h.Key, "cause", err)
			plain = appendSilence(plain[:0], r.h.Law, r.plainOf(i))
		}
		e.peaks = appendPeaks(e.peaks, plain, r.h.Law, r.h.Channels)
	}
	if e.length == 0 {
		e.state = "failed"
	}
	h := sha256.New()
	if _, err := io.Copy(h, io.NewSectionReader(f, 0, e.size)); err != nil {
		return e, fmt.Errorf("hash of a recording: %w", err)
	}
	e.sum = h.Sum(nil)
	return e, nil
}
