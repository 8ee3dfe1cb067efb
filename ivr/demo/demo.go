// Package demo is in charge of the flow set that a new installation starts with: a bilingual menu on 100 and a straight
// way to the queue support on 200.
package demo

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Files holds the set below "set": routes.yaml, flows, prompts, calendars, tests.
//
//go:embed all:set
var Files embed.FS

// WriteDemo copies the set into dir, which it makes; files that exist are left alone.
func WriteDemo(dir string) error {
	set, err := fs.Sub(Files, "set")
	if err != nil {
		return fmt.Errorf("read the demo menu: %w", err)
	}
	return fs.WalkDir(set, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return fmt.Errorf("read the demo menu: %w", err)
		}
		to := filepath.Join(dir, filepath.FromSlash(path))
		if d.IsDir() {
			return os.MkdirAll(to, 0o755)
		}
		data, err := fs.ReadFile(set, path)
		if err != nil {
			return fmt.Errorf("read the demo menu: %w", err)
		}
		f, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
		if errors.Is(err, fs.ErrExist) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("write the demo menu: %w", err)
		}
		_, err = f.Write(data)
		return errors.Join(err, f.Close())
	})
}
