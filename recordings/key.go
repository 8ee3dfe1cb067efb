package recordings

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"filippo.io/age"
)

// sealedFor is a file in the directory of recordings: the public halves of the keys that sealed there, one a line. A key
// file that is lost or wrong is noticed at the start by it, not when somebody wants to hear something.
const sealedFor = "sealed-for.txt"

// keys are the installation's keys: the first seals, all open.
type keys struct {
	to   age.Recipient
	open []age.Identity
}

// loadKeys reads the key file. Without one it makes a key, unless recordings are there that it would not open.
func loadKeys(path, dir string) (keys, error) {
	used, err := usedKeys(dir)
	if err != nil {
		return keys{}, err
	}
	text, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && len(used) > 0:
		return keys{}, fmt.Errorf("the key of the recordings, %s, is gone; %s holds recordings sealed for %s. Put the key back from your copy; "+
			"to begin anew, and never hear the old ones again, remove %s", path, dir, strings.Join(used, ", "), filepath.Join(dir, sealedFor))
	case errors.Is(err, fs.ErrNotExist):
		if text, err = makeKey(path); err != nil {
			return keys{}, fmt.Errorf("make the key of the recordings: %w", err)
		}
	case err != nil:
		return keys{}, fmt.Errorf("read the key of the recordings: %w", err)
	}
	if err := private(path); err != nil {
		return keys{}, err
	}
	k, own, err := parseKeys(text)
	if err != nil {
		return keys{}, fmt.Errorf("key of the recordings in %s: %w", path, err)
	}
	for _, u := range used {
		if !own[u] {
			return keys{}, fmt.Errorf("%s holds recordings sealed for %s, which no key in %s opens. Add the old key as a further line; "+
				"if none of those recordings is needed any more, remove that line from %s", dir, u, path, filepath.Join(dir, sealedFor))
		}
	}
	return k, k.remember(dir, used)
}

// private refuses a key that others may read or change. A group may read it, as mounted secrets are often made.
func private(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("read the key of the recordings: %w", err)
	}
	if mode := info.Mode().Perm(); mode&0o027 != 0 {
		return fmt.Errorf("the key of the recordings, %s, is open to others (mode %#o): chmod 600 %s", path, mode, path)
	}
	return nil
}

func parseKeys(text []byte) (k keys, own map[string]bool, err error) {
	if k.open, err = age.ParseIdentities(bytes.NewReader(text)); err != nil {
		return k, nil, errors.New("it has no key, or a line that is none: put it back from your copy; a new one opens none of the old recordings")
	}
	own = map[string]bool{}
	for _, id := range k.open {
		var to age.Recipient
		switch id := id.(type) {
		case *age.X25519Identity:
			to = id.Recipient()
		case *age.HybridIdentity:
			to = id.Recipient()
		default:
			return k, nil, fmt.Errorf("keys of this kind (%T) cannot be used", id)
		}
		own[fmt.Sprint(to)] = true
		if k.to == nil {
			k.to = to
		}
	}
	return k, own, nil
}

// makeKey makes the key file, whole or not at all. When two do so at once, both get the first one's.
func makeKey(path string) ([]byte, error) {
	id, err := age.GenerateX25519Identity()
	if err != nil {
		return nil, err
	}
	text := "# Key of the recordings. Without it none of them can be heard: keep a copy apart from this machine.\n# public key: " +
		id.Recipient().String() + "\n" + id.String() + "\n"
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	temp, err := writeTemp(path, []byte(text))
	if err != nil {
		return nil, err
	}
	if err := errors.Join(ignore(os.Link(temp, path), fs.ErrExist), os.Remove(temp)); err != nil {
		return nil, err
	}
	return os.ReadFile(path)
}

func usedKeys(dir string) ([]string, error) {
	text, err := os.ReadFile(filepath.Join(dir, sealedFor))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read which keys sealed the recordings: %w", err)
	}
	return strings.Fields(string(text)), nil
}

// remember notes that this key seals from now on.
func (k keys) remember(dir string, used []string) error {
	to := fmt.Sprint(k.to)
	for _, u := range used {
		if u == to {
			return nil
		}
	}
	path := filepath.Join(dir, sealedFor)
	temp, err := writeTemp(path, []byte(strings.Join(append(used, to), "\n")+"\n"))
	if err == nil {
		err = os.Rename(temp, path)
	}
	if err != nil {
		return fmt.Errorf("note which key seals the recordings: %w", err)
	}
	return nil
}

// writeTemp writes a private file beside path, durably.
func writeTemp(path string, text []byte) (name string, err error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*") // mode 0600
	if err != nil {
		return "", err
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return "", errors.Join(err, os.Remove(f.Name()))
	}
	return f.Name(), nil
}

func ignore(err, fine error) error {
	if errors.Is(err, fine) {
		return nil
	}
	return err
}
