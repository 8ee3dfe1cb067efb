package recordings

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"
	"time"
)

// Endings of files and the directory of those without a finished row; doc.go has the states.
const (
	openDir = "open"
	endPart = ".part"
	endDone = ".done"
	endCut  = ".cut"
	endKept = ".hrec"
)

// files is the directory of recordings. Names come from rows and headers too, so every step goes through an os.Root,
// which no name leads out of. The root is opened anew each time: a disk that was mounted again is found.
type files string

func (d files) in(do func(*os.Root) error) error {
	root, err := os.OpenRoot(string(d))
	if err != nil {
		return err
	}
	return errors.Join(do(root), root.Close())
}

// storeKey is the name, without its ending, that a recording has once it is indexed.
func storeKey(h header) string {
	return path.Join(h.Started.UTC().Format("2006/01/02"), h.Key)
}

// keyName reports whether s may name a file: the alphabet of telephony.NewID.
func keyName(s string) bool {
	return len(s) == 26 && strings.Trim(s, "0123456789ABCDEFGHJKMNPQRSTVWXYZ") == ""
}

// create makes the file of a new recording, and the directory that it will end in: closing it needs no space then.
func (d files) create(h header) (f *os.File, err error) {
	err = d.in(func(root *os.Root) error {
		if err := root.MkdirAll(path.Dir(storeKey(h)), 0o700); err != nil {
			return err
		}
		if err := root.MkdirAll(openDir, 0o700); err != nil {
			return err
		}
		f, err = root.OpenFile(path.Join(openDir, h.Key+endPart), os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("make recording: %w", err)
	}
	return f, nil
}

// discard deletes a file that was never used.
func (d files) discard(key string) error {
	return d.in(func(root *os.Root) error { return root.Remove(path.Join(openDir, key+endPart)) })
}

// closed renames a file that is written no more.
func (d files) closed(key, end string) error {
	return d.in(func(root *os.Root) error {
		return root.Rename(path.Join(openDir, key+endPart), path.Join(openDir, key+end))
	})
}

// kept renames a file whose row is written. Doing it again changes nothing.
func (d files) kept(h header) error {
	return d.in(func(root *os.Root) error {
		to := storeKey(h) + endKept
		for _, end := range []string{endDone, endCut} {
			from := path.Join(openDir, h.Key+end)
			err := root.Rename(from, to)
			if errors.Is(err, fs.ErrNotExist) { // not this one; or the day's directory was removed
				if _, gone := root.Stat(from); gone != nil {
					continue
				}
				if err = root.MkdirAll(path.Dir(to), 0o700); err == nil {
					err = root.Rename(from, to)
				}
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// find opens the file behind a store key, whatever its state. It looks in the order in which files move, so that one
// moving meanwhile is not missed. ErrNotFound when there is none.
func (d files) find(store string) (f *os.File, err error) {
	key := path.Base(store)
	if !keyName(key) {
		return nil, fmt.Errorf("store key %q: %w", store, errFormat)
	}
	err = d.in(func(root *os.Root) error {
		for _, name := range []string{path.Join(openDir, key+endPart), path.Join(openDir, key+endDone), path.Join(openDir, key+endCut), store + endKept} {
			if f, err = root.Open(name); !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
		return ErrNotFound
	})
	if err != nil {
		return nil, fmt.Errorf("open recording: %w", err)
	}
	return f, nil
}

// remove deletes the file behind a store key, whatever its state; none is fine.
func (d files) remove(store string) error {
	key := path.Base(store)
	if !keyName(key) {
		return fmt.Errorf("store key %q: %w", store, errFormat)
	}
	return d.in(func(root *os.Root) error {
		for _, name := range []string{path.Join(openDir, key+endDone), path.Join(openDir, key+endCut), store + endKept} {
			if err := root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("delete recording: %w", err)
			}
		}
		return nil
	})
}

// unfinished is a file in open.
type unfinished struct{ key, end string }

func (u unfinished) name() string { return path.Join(openDir, u.key+u.end) }

// list gives the files in open that have one of the endings, oldest first.
func (d files) list(ends ...string) (list []unfinished, err error) {
	err = d.in(func(root *os.Root) error {
		found, err := fs.ReadDir(root.FS(), openDir)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		for _, e := range found {
			for _, end := range ends {
				if key, ok := strings.CutSuffix(e.Name(), end); ok && keyName(key) {
					list = append(list, unfinished{key, end})
				}
			}
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list unfinished recordings: %w", err)
	}
	return list, nil
}

// due reads when an unfinished file has to be gone; the zero time: never.
func (d files) due(u unfinished) (at time.Time, err error) {
	err = d.in(func(root *os.Root) error {
		f, err := root.Open(u.name())
		if err != nil {
			return err
		}
		defer f.Close()
		h, _, _, err := readHeader(f)
		at = h.due()
		return err
	})
	return at, err
}
