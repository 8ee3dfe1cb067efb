package ivr

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"hotline/ivr/say"
	"hotline/telephony"
)

// Options says what a set is checked against and where its sound comes from. The zero value checks all but queues and
// has no sound beyond the set's own recordings.
type Options struct {
	Queues   map[string]bool   // known queues; nil: not checked
	Sounds   map[string]string // language -> folder of recorded fragments (layout of Asterisk's core sounds)
	Extra    string            // further folder searched for audio/<lang>/<id>.wav and music/<id>.wav; empty: none
	TTS      *TTSCommand       // nil: no speech synthesis
	CacheDir string            // rendered speech; empty: a folder hotline-speech in the system's temporary folder
	Text     bool              // words only: sound is neither looked for nor checked (simulator, tests)
	Now      func() time.Time  // nil: time.Now
	Log      *slog.Logger      // nil: slog.Default
}

// DebianSounds are the folders of Debian's packages asterisk-core-sounds-ru-wav and asterisk-core-sounds-en-wav.
func DebianSounds() map[string]string {
	const base = "/usr/share/asterisk/sounds/"
	return map[string]string{"ru": base + "ru_RU_f_IvrvoiceRU", "en": base + "en_US_f_Allison"}
}

// Route says what happens to a called number. Exactly one of Flow and Queue is set.
type Route struct {
	Number        string `json:"number"`
	Flow          string `json:"flow,omitempty"`
	Queue         string `json:"queue,omitempty"` // straight there, without a menu
	FallbackQueue string `json:"fallback_queue,omitempty"`
	MaxCalls      int    `json:"max_calls,omitempty"` // 0: no limit
	Lang          string `json:"lang,omitempty"`      // the route's default language; empty: the flow's
}

// FlowInfo describes one flow of a set for lists.
type FlowInfo struct {
	ID        string            `json:"id"`
	Kind      string            `json:"kind"` // inbound or subflow
	Title     map[string]string `json:"title"`
	Languages []string          `json:"languages"`
	Nodes     int               `json:"nodes"`
}

// Set is one checked, immutable version of the flow files. Safe for any number of goroutines; a call keeps its set to
// the end.
type Set struct {
	*bundle
	hash   string
	sounds *sounds
	log    *slog.Logger
}

// Load reads and checks a folder (layout: ivr.md section 1). All problems come back; the set is nil when one of them is
// an error. Fixed texts are rendered here, so a first load with speech takes a second or two.
func Load(dir string, opt Options) (*Set, []Problem) {
	abs, err := filepath.Abs(dir)
	if err == nil {
		_, err = os.Stat(abs)
	}
	if err != nil {
		return nil, []Problem{{File: dir, Code: "L001", Severity: SevError, Msg: "the folder of flows cannot be read: " + err.Error()}}
	}
	return load(os.DirFS(abs), abs, opt)
}

// load is Load over any file system; dir is where its files really are, for sound.
func load(fsys fs.FS, dir string, opt Options) (*Set, []Problem) {
	now := opt.Now
	if now == nil {
		now = time.Now
	}
	var probs []Problem
	l := &loader{fsys: fsys, probs: &probs, now: now(), hash: map[string]string{}}
	b := l.read()
	s := &Set{bundle: b, hash: l.sum(), log: opt.Log}
	if s.log == nil {
		s.log = slog.Default()
	}
	s.sounds = newSounds(dir, opt, &probs)
	c := &checker{bundle: b, opt: opt, probs: &probs}
	if !opt.Text {
		c.music = func(id string) bool { _, ok := s.sounds.music[id]; return ok }
	}
	c.run()
	if !opt.Text && !HasErrors(probs) {
		s.sounds.prepare(context.Background(), s.fixedTexts(), c)
	}
	sortProblems(probs)
	if HasErrors(probs) {
		return nil, probs
	}
	return s, probs
}

// loader reads the files of a folder and remembers their hashes.
type loader struct {
	fsys  fs.FS
	probs *[]Problem
	now   time.Time
	hash  map[string]string
}

func (l *loader) problem(file, code string, sev Severity, format string, args ...any) {
	*l.probs = append(*l.probs, Problem{File: file, Code: code, Severity: sev, Msg: fmt.Sprintf(format, args...)})
}

// file reads one file; keep makes it part of the version.
func (l *loader) file(name string, keep, must bool) []byte {
	data, err := fs.ReadFile(l.fsys, name)
	if err != nil {
		if must || !errors.Is(err, fs.ErrNotExist) {
			l.problem(name, "L001", SevError, "cannot be read: %v", err)
		}
		return nil
	}
	if keep {
		h := sha256.Sum256(data)
		l.hash[name] = hex.EncodeToString(h[:])
	}
	return data
}

func (l *loader) glob(dir, ext string) []string {
	var out []string
	es, _ := fs.ReadDir(l.fsys, dir) // a missing folder is an empty one
	for _, e := range es {
		if !e.IsDir() && strings.HasSuffix(e.Name(), ext) {
			out = append(out, path.Join(dir, e.Name()))
		}
	}
	return out
}

func stem(file string) string { b := path.Base(file); return strings.TrimSuffix(b, path.Ext(b)) }

func (l *loader) read() *bundle {
	b := &bundle{flows: map[string]*flow{}, prompts: builtinPrompts(), cals: map[string]*calendar{}, lists: map[string]*numberList{},
		sayers: map[string]*say.Sayer{}}
	if data := l.file("prompts/prompts.yaml", true, true); data != nil {
		parsePrompts("prompts/prompts.yaml", data, l.probs, b.prompts)
	}
	for id := range builtinPrompts() {
		b.prompts[id].used = true
	}
	if data := l.file("say/nouns.yaml", true, false); data != nil {
		b.nouns = parseNouns("say/nouns.yaml", data, l.probs)
	}
	for _, lang := range say.Languages() {
		if s, err := say.New(lang, b.nouns); err == nil {
			b.sayers[lang] = s
		}
	}
	for _, f := range l.glob("calendars", ".yaml") {
		if data := l.file(f, false, true); data != nil {
			if c := parseCalendar(f, stem(f), data, l.now, l.probs); c != nil {
				b.cals[c.id] = c
			}
		}
	}
	for _, f := range l.glob("lists", ".txt") {
		if data := l.file(f, false, true); data != nil {
			b.lists[stem(f)] = parseList(data)
		}
	}
	for _, f := range l.glob("flows", ".yaml") {
		if data := l.file(f, true, true); data != nil {
			if fl := parseFlow(f, stem(f), data, l.probs); fl != nil {
				b.flows[fl.id] = fl
			}
		}
	}
	if data := l.file("routes.yaml", true, true); data != nil {
		b.routes, b.routesAt = parseRoutes("routes.yaml", data, l.probs)
	}
	for _, f := range l.wavs() {
		l.file(f, true, true)
	}
	return b
}

// wavs lists the recordings of the set: a new recording is a new version.
func (l *loader) wavs() []string {
	var out []string
	for _, root := range []string{"prompts/audio", "music"} {
		_ = fs.WalkDir(l.fsys, root, func(p string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() && strings.HasSuffix(p, ".wav") {
				out = append(out, p)
			}
			return nil
		})
	}
	return out
}

// sum is the version: 7 characters of the hash over names and contents.
func (l *loader) sum() string {
	h := sha256.New()
	for _, name := range sortedKeys(l.hash) {
		fmt.Fprintf(h, "%s %s\n", name, l.hash[name])
	}
	return hex.EncodeToString(h.Sum(nil))[:7]
}

func newSounds(dir string, opt Options, probs *[]Problem) *sounds {
	s := &sounds{silent: opt.Text, frags: opt.Sounds, fixed: map[string][]telephony.Clip{}, music: map[string]telephony.Prompt{}}
	if opt.Text {
		return s
	}
	s.dirs = []string{filepath.Join(dir, "prompts", "audio")}
	musicDirs := []string{filepath.Join(dir, "music")}
	if opt.Extra != "" {
		s.dirs = append(s.dirs, filepath.Join(opt.Extra, "audio"))
		musicDirs = append(musicDirs, filepath.Join(opt.Extra, "music"))
	}
	cache := opt.CacheDir
	if cache == "" {
		cache = filepath.Join(os.TempDir(), "hotline-speech")
	}
	warn := func(format string, args ...any) {
		*probs = append(*probs, Problem{File: ".", Code: "L033", Severity: SevWarning, Msg: fmt.Sprintf(format, args...)})
	}
	var err error
	if s.tts, err = newSpeaker(opt.TTS, cache); err != nil {
		warn("no speech: %v", err)
	} else if s.tts != nil {
		s.tts.prune()
	}
	for _, d := range musicDirs {
		files, _ := filepath.Glob(filepath.Join(d, "*.wav"))
		for _, f := range files {
			id := stem(filepath.ToSlash(f))
			if _, ok := s.music[id]; ok {
				continue
			}
			info, err := statWAV(f)
			if err == nil {
				err = info.check()
			}
			if err != nil {
				warn("the music %s: %v", f, err)
				continue
			}
			s.music[id] = telephony.Prompt{Clips: []telephony.Clip{{File: f}}, Loop: true, Music: id}
		}
	}
	if _, ok := s.music[defaultMusic]; !ok {
		p := composed(cache, warn)
		p.Music = defaultMusic
		s.music[defaultMusic] = p
	}
	return s
}

// composed gives the built-in music as a file, or as a soft repeated tone when it cannot be written.
func composed(cache string, warn func(string, ...any)) telephony.Prompt {
	data := holdMusic()
	h := sha256.Sum256(data)
	path := filepath.Join(cache, "music-"+hex.EncodeToString(h[:4])+".wav")
	if st, err := os.Stat(path); err == nil && st.Size() == int64(len(data)) {
		return telephony.Prompt{Clips: []telephony.Clip{{File: path}}, Loop: true}
	}
	err := os.MkdirAll(cache, 0o755)
	if err == nil {
		tmp := fmt.Sprintf("%s.%d", path, os.Getpid())
		if err = os.WriteFile(tmp, data, 0o644); err == nil {
			err = os.Rename(tmp, path)
		}
	}
	if err != nil {
		warn("no default music: %v", err)
		return telephony.Prompt{Loop: true, Clips: []telephony.Clip{
			{Tone: &telephony.Tone{Hz: []float64{330}, For: 400 * time.Millisecond, Gain: 0.05}}, {Silence: 4 * time.Second}}}
	}
	return telephony.Prompt{Clips: []telephony.Clip{{File: path}}, Loop: true}
}

// fixedTexts lists all that the flows say word for word.
func (s *Set) fixedTexts() []*wanted {
	seen := map[string]*wanted{}
	add := func(w *wanted) {
		if seen[w.key] == nil && w.text != "" {
			seen[w.key] = w
		}
	}
	langs := s.languages()
	for id, p := range s.prompts {
		if !p.used {
			continue
		}
		for _, l := range langs {
			if t, _, ok := p.textIn(l); ok {
				add(&wanted{key: l + "/" + id, lang: l, prompt: p, text: t, at: p.at})
			}
		}
	}
	for _, f := range s.flows {
		for _, n := range f.nodes {
			for _, list := range says(n) {
				for _, it := range list {
					for l, t := range it.text {
						add(&wanted{key: l + " " + t, lang: l, text: t, at: it.at})
					}
				}
			}
		}
	}
	var out []*wanted
	for _, k := range sortedKeys(seen) {
		out = append(out, seen[k])
	}
	return out
}

// languages are those that any flow speaks, or all that can be spoken when there is none.
func (s *Set) languages() []string {
	var out []string
	for _, id := range sortedKeys(s.flows) {
		for _, l := range s.flows[id].languages {
			if !slices.Contains(out, l) {
				out = append(out, l)
			}
		}
	}
	if len(out) == 0 {
		return say.Languages()
	}
	return out
}
