package ivr

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"hotline/ivr/say"
	"hotline/telephony"
)

// defaultMusic is the music of a queue that names none.
const defaultMusic = "default"

// errNoSound says that nothing of an utterance can be heard.
var errNoSound = errors.New("no recording and no speech for it")

// sounds turns words into clips. After load it is read only, apart from the caches of the speaker and of known files.
type sounds struct {
	silent bool // Options.Text: clips carry text only
	dirs   []string
	frags  map[string]string // language -> folder
	tts    *speaker
	fixed  map[string][]telephony.Clip // "lang/id" of prompts and "lang text" of inline texts
	music  map[string]telephony.Prompt
	known  sync.Map // path -> bool: does the file exist
}

func (s *sounds) exists(path string) bool {
	if v, ok := s.known.Load(path); ok {
		return v.(bool)
	}
	st, err := os.Stat(path)
	ok := err == nil && st.Mode().IsRegular()
	s.known.Store(path, ok)
	return ok
}

// clips makes an utterance audible. Pieces without any sound are left out; if nothing is left it is an error.
func (s *sounds) clips(ctx context.Context, u utterance) ([]telephony.Clip, error) {
	var out []telephony.Clip
	heard := false
	var why error
	for _, p := range u.pieces {
		if p.pause > 0 {
			out = append(out, telephony.Clip{Silence: p.pause})
			continue
		}
		cs, err := s.piece(ctx, u.lang, p)
		if err != nil {
			why = err
			continue
		}
		heard = heard || len(cs) > 0
		out = append(out, cs...)
	}
	if !heard && why != nil {
		return nil, why
	}
	return out, nil
}

func (s *sounds) piece(ctx context.Context, lang string, p piece) ([]telephony.Clip, error) {
	if s.silent {
		return []telephony.Clip{{Silence: time.Millisecond, Text: p.words()}}, nil
	}
	switch {
	case p.prompt != "":
		if c, ok := s.fixed[lang+"/"+p.prompt]; ok {
			return c, nil
		}
		return s.spoken(ctx, speechOf{lang: lang, text: p.text}, s.limit())
	case len(p.plan.Words) > 0:
		return s.plan(ctx, p.plan)
	}
	if c, ok := s.fixed[lang+" "+p.text]; ok {
		return c, nil
	}
	return s.spoken(ctx, speechOf{lang: lang, text: p.text}, s.limit())
}

func (s *sounds) limit() time.Duration {
	if s.tts == nil {
		return callLimit
	}
	return s.tts.cmd.Limit
}

// spoken has the speech program say it; a text of two languages is said in parts.
func (s *sounds) spoken(ctx context.Context, w speechOf, limit time.Duration) ([]telephony.Clip, error) {
	if s.tts == nil || w.text == "" {
		return nil, errNoSound
	}
	if w.lang == allLangs {
		var out []telephony.Clip
		for _, part := range byScript(w.text) {
			c, err := s.spoken(ctx, speechOf{lang: part.lang, text: part.text}, limit)
			if err != nil {
				return nil, err
			}
			out = append(out, c...)
		}
		return out, nil
	}
	path, err := s.tts.render(ctx, w, limit)
	if err != nil {
		return nil, err
	}
	return []telephony.Clip{{File: path, Text: w.text}}, nil
}

// plan says a value: recorded words if all are there, else synthesis of the whole phrase in one voice, else the plain
// digits, which every set of recordings has.
func (s *sounds) plan(ctx context.Context, p say.Plan) ([]telephony.Clip, error) {
	if c, ok := s.recorded(p.Lang, p.Words); ok {
		return c, nil
	}
	c, err := s.spoken(ctx, speechOf{lang: p.Lang, text: p.Text()}, s.limit())
	if err == nil {
		return c, nil
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if c, ok := s.recorded(p.Lang, p.Plain); ok && len(p.Plain) > 0 {
		return c, nil
	}
	return nil, err
}

func (s *sounds) recorded(lang string, words []say.Word) ([]telephony.Clip, bool) {
	dir := s.frags[lang]
	if dir == "" {
		return nil, false
	}
	var out []telephony.Clip
	for _, w := range words {
		if len(w.Frags) == 0 {
			return nil, false
		}
		for i, f := range w.Frags {
			c := telephony.Clip{File: filepath.Join(dir, filepath.FromSlash(f)+".wav")}
			if !s.exists(c.File) {
				return nil, false
			}
			if i == 0 {
				c.Text = w.Text
			}
			out = append(out, c)
		}
	}
	return out, true
}

// textHash marks the text that was recorded: the first four digits are enough to see a change.
func textHash(text string) string {
	h := sha256.Sum256([]byte(text))
	return hex.EncodeToString(h[:])[:4]
}

// recording finds the recording of a prompt; "" when there is none.
func (s *sounds) recording(p *prompt, lang string) string {
	names := []string{filepath.Join(lang, p.id+".wav")}
	if f := p.file[lang]; f != "" {
		names = []string{filepath.FromSlash(f)}
	}
	for _, d := range s.dirs {
		for _, n := range names {
			if path := filepath.Join(d, n); s.exists(path) {
				return path
			}
		}
	}
	return ""
}

// wanted is one fixed text that needs a sound.
type wanted struct {
	key    string // in fixed
	lang   string
	prompt *prompt // nil: inline text
	text   string
	at     pos
	clips  []telephony.Clip
	err    error
}

// prepare finds or renders everything that flows say word for word, two renderings at a time. Problems are L033.
func (s *sounds) prepare(ctx context.Context, want []*wanted, c *checker) {
	jobs := make(chan *wanted) // unbuffered: the loop below blocks until a worker is free
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for w := range jobs {
				voice := ""
				if w.prompt != nil {
					voice = w.prompt.voice
				}
				w.clips, w.err = s.spoken(ctx, speechOf{w.lang, voice, w.text}, loadLimit)
			}
		})
	}
	for _, w := range want {
		if w.prompt != nil && s.fromRecordings(w, c) {
			continue
		}
		jobs <- w
	}
	close(jobs)
	wg.Wait()
	for _, w := range want {
		if w.err == nil {
			s.fixed[w.key] = w.clips
			continue
		}
		name := "the text"
		if w.prompt != nil {
			name = fmt.Sprintf("the prompt %q", w.prompt.id)
		}
		if w.prompt != nil && w.prompt.builtin {
			c.warn(w.at, "L033", "add it to prompts.yaml, or set up speech", "%s cannot be heard in %s: %v", name, w.lang, w.err)
			continue
		}
		c.err(w.at, "L033", "record it, name fragments, or set up speech", "%s cannot be heard in %s: %v", name, w.lang, w.err)
	}
}

// fromRecordings fills w from a recording or from fragments. A bad recording is reported and speech tried.
func (s *sounds) fromRecordings(w *wanted, c *checker) bool {
	p := w.prompt
	_, key, _ := p.textIn(w.lang)
	if !p.tts[key] {
		if path := s.recording(p, key); path != "" {
			info, err := statWAV(path)
			if err == nil {
				err = info.check()
			}
			if err != nil {
				c.warn(p.at, "L033", "record it again", "the recording of %q in %s: %v", p.id, key, err)
			} else {
				if h := p.hash[key]; h != "" && h != textHash(w.text) {
					c.warn(p.at, "L033", "record it again and write text_hash: \""+textHash(w.text)+"\"", "the text of %q in %s changed since it was recorded", p.id, key)
				}
				w.clips = []telephony.Clip{{File: path, Text: w.text}}
				return true
			}
		} else if f := p.file[key]; f != "" {
			c.warn(p.at, "L033", "add the file", "the recording %s of %q is missing", f, p.id)
		}
	}
	if fs := p.fragments[w.lang]; len(fs) > 0 && !p.tts[key] {
		if clips, ok := s.recorded(w.lang, []say.Word{{Text: w.text, Frags: fs}}); ok {
			w.clips = clips
			return true
		}
	}
	if key == allLangs {
		w.lang = allLangs
	}
	return false
}
