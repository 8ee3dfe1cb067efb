package ivr

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"
)

// TTSCommand names an external program for speech: text on stdin, WAV on stdout. In Args, "{lang}" and "{voice}" are
// replaced.
type TTSCommand struct {
	Path   string
	Args   []string
	Voices map[string]string // language -> voice; a language not listed is its own voice
	Limit  time.Duration     // at call time; 0: 1.5 s
}

// Espeak is the command for espeak-ng, found on PATH.
func Espeak() *TTSCommand {
	return &TTSCommand{
		Path:   "espeak-ng",
		Args:   []string{"-v", "{voice}", "-s", "150", "--stdin", "--stdout"},
		Voices: map[string]string{"ru": "ru", "en": "en-us"},
	}
}

// Limits of speech synthesis.
const (
	callLimit   = 1500 * time.Millisecond // while a caller waits
	loadLimit   = 20 * time.Second        // per text when a set is loaded
	maxRendered = 32 << 20                // bytes of one rendering
	keepSpeech  = 5000                    // files in the cache; the oldest go when a set is loaded
)

// speaker renders speech and caches it on disk by hash of text, language and voice. Safe for concurrent use.
type speaker struct {
	cmd  TTSCommand
	dir  string
	mu   sync.Mutex // guards busy
	busy map[string]*rendering
}

// rendering is a text being spoken: those who want the same one wait for it.
type rendering struct {
	done chan struct{}
	err  error
}

func newSpeaker(cmd *TTSCommand, dir string) (*speaker, error) {
	if cmd == nil {
		return nil, nil
	}
	path, err := exec.LookPath(cmd.Path)
	if err != nil {
		return nil, fmt.Errorf("find the speech program: %w", err)
	}
	c := *cmd
	c.Path = path
	if c.Limit <= 0 {
		c.Limit = callLimit
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("make the speech cache: %w", err)
	}
	return &speaker{cmd: c, dir: dir, busy: map[string]*rendering{}}, nil
}

// voiceOf is the wished voice, else the language's, else the language.
func (s *speaker) voiceOf(lang, wish string) string {
	return cmp.Or(wish, s.cmd.Voices[lang], lang)
}

// speechOf is what is spoken.
type speechOf struct{ lang, voice, text string }

func (s *speaker) file(w speechOf) string {
	h := sha256.New()
	fmt.Fprintf(h, "%s\x00%s\x00%q\x00%s\x00%s", w.lang, s.voiceOf(w.lang, w.voice), s.cmd.Args, filepath.Base(s.cmd.Path), w.text)
	return filepath.Join(s.dir, hex.EncodeToString(h.Sum(nil))[:32]+".wav")
}

// render gives the file that says it, making it if need be within limit.
func (s *speaker) render(ctx context.Context, w speechOf, limit time.Duration) (string, error) {
	path := s.file(w)
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	s.mu.Lock()
	r, running := s.busy[path]
	if !running {
		r = &rendering{done: make(chan struct{})}
		s.busy[path] = r
	}
	s.mu.Unlock()
	if running {
		select {
		case <-r.done:
			return path, r.err
		case <-ctx.Done():
			return "", fmt.Errorf("speak: %w", context.Cause(ctx))
		}
	}
	r.err = s.make(ctx, w, path)
	s.mu.Lock()
	delete(s.busy, path)
	s.mu.Unlock()
	close(r.done)
	return path, r.err
}

func (s *speaker) make(ctx context.Context, w speechOf, path string) error {
	args := slices.Clone(s.cmd.Args)
	for i, a := range args {
		args[i] = strings.NewReplacer("{lang}", w.lang, "{voice}", s.voiceOf(w.lang, w.voice)).Replace(a)
	}
	cmd := exec.CommandContext(ctx, s.cmd.Path, args...)
	cmd.Stdin = strings.NewReader(w.text + "\n")
	cmd.WaitDelay = 2 * time.Second // after the program has ended: its last output, on a busy machine
	out, msg := &bounded{max: maxRendered}, &bounded{max: 1000}
	cmd.Stdout, cmd.Stderr = out, msg
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return fmt.Errorf("speak in %s: %w %s", w.lang, err, bytes.TrimSpace(msg.Bytes()))
	}
	wav, err := tidyWAV(out.Bytes())
	if err != nil {
		return fmt.Errorf("speak in %s: %w", w.lang, err)
	}
	tmp, err := os.CreateTemp(s.dir, "new-*")
	if err != nil {
		return fmt.Errorf("keep speech: %w", err)
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.Write(wav)
	if err = errors.Join(err, tmp.Close()); err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("keep speech: %w", err)
	}
	return nil
}

// bounded keeps at most max bytes and refuses more.
type bounded struct {
	bytes.Buffer
	max int
}

func (b *bounded) Write(p []byte) (int, error) {
	if b.Len()+len(p) > b.max {
		return 0, errors.New("too much output")
	}
	return b.Buffer.Write(p)
}

// tidyWAV checks speech and writes the true lengths into its header: programs that stream leave them open.
func tidyWAV(data []byte) ([]byte, error) {
	w, err := readWAV(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return nil, err
	}
	if err := w.check(); err != nil {
		return nil, err
	}
	if w.format != 1 {
		return data, nil
	}
	pcm := data[w.dataAt : w.dataAt+w.dataLen&^1]
	return append(wavHeader(w.rate, uint32(len(pcm))), pcm...), nil
}

// prune removes the oldest files above keepSpeech. Errors only mean that the cache stays larger.
func (s *speaker) prune() {
	files, err := filepath.Glob(filepath.Join(s.dir, "*.wav"))
	if err != nil || len(files) <= keepSpeech {
		return
	}
	age := map[string]time.Time{}
	for _, f := range files {
		if st, err := os.Stat(f); err == nil {
			age[f] = st.ModTime()
		}
	}
	slices.SortFunc(files, func(a, b string) int { return age[a].Compare(age[b]) })
	for _, f := range files[:len(files)-keepSpeech] {
		_ = os.Remove(f)
	}
}

// byScript cuts a text of two languages into sentences and tells the language of each by its letters.
func byScript(text string) (parts []struct{ lang, text string }) {
	for _, s := range sentences(text) {
		lang := "en"
		for _, r := range s {
			if unicode.Is(unicode.Cyrillic, r) {
				lang = "ru"
				break
			}
		}
		if n := len(parts); n > 0 && parts[n-1].lang == lang {
			parts[n-1].text += " " + s
			continue
		}
		parts = append(parts, struct{ lang, text string }{lang, s})
	}
	return parts
}

func sentences(text string) []string {
	var out []string
	start := 0
	for i, r := range text {
		if r == '.' || r == '!' || r == '?' {
			if s := strings.TrimSpace(text[start : i+1]); len(s) > 1 {
				out = append(out, s)
				start = i + 1
			}
		}
	}
	if s := strings.TrimSpace(text[start:]); s != "" {
		out = append(out, s)
	}
	return out
}
