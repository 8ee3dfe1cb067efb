package media

import (
	"container/list"
	"context"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"hotline/telephony"
)

// LibraryConfig makes a Library.
type LibraryConfig struct {
	MaxBytes   int64                 // of decoded audio kept, 2 bytes a sample; 0: 128 MiB (two and a quarter hours)
	Registerer prometheus.Registerer // nil: none
}

// Library decodes prompt files to G.711 of both laws and keeps them, the longest unused leaving first. A file that has
// changed on disk is read anew. Two who ask for one file at a time make it be read once. Use from any goroutine.
type Library struct {
	max               int64
	hits, misses, bad prometheus.Counter
	mu                sync.Mutex // guards the rest
	bytes             int64
	entries           map[string]*libEntry
	used              *list.List // of *libEntry, newest in front; entries still loading are not in it
}

type libEntry struct {
	path    string
	size    int64
	modTime time.Time
	ready   chan struct{} // closed when sound or err is set
	sound   *sound
	err     error
	elem    *list.Element
}

// NewLibrary makes an empty library.
func NewLibrary(cfg LibraryConfig) *Library {
	if cfg.MaxBytes <= 0 {
		cfg.MaxBytes = 128 << 20
	}
	loads := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "hotline_media_prompt_loads_total",
		Help: "Prompt files asked for: hit (kept), miss (read and decoded), error.",
	}, []string{"result"})
	l := &Library{
		max:     cfg.MaxBytes,
		hits:    loads.WithLabelValues("hit"),
		misses:  loads.WithLabelValues("miss"),
		bad:     loads.WithLabelValues("error"),
		entries: map[string]*libEntry{},
		used:    list.New(),
	}
	if cfg.Registerer != nil {
		cfg.Registerer.MustRegister(loads, prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "hotline_media_prompt_bytes",
			Help: "Bytes of decoded prompts kept.",
		}, func() float64 {
			l.mu.Lock()
			defer l.mu.Unlock()
			return float64(l.bytes)
		}))
	}
	return l
}

// Preload reads all files of a prompt, so that playing it starts at once. The error names the file and what is wrong.
func (l *Library) Preload(ctx context.Context, p telephony.Prompt) error {
	_, err := newTrack(ctx, l, p)
	return err
}

// Duration is the length of one pass of a prompt without its Offset; negative if it never ends.
func (l *Library) Duration(ctx context.Context, p telephony.Prompt) (time.Duration, error) {
	p.Offset = 0
	t, err := newTrack(ctx, l, p)
	if err != nil {
		return 0, err
	}
	if n := t.total(); n != endless {
		return time.Duration(n) * (time.Second / 8000), nil
	}
	return -1, nil
}

// load returns a file's sound. It waits for another one's reading of the same file, or reads it in this goroutine.
func (l *Library) load(ctx context.Context, path string) (*sound, error) {
	info, err := os.Stat(path)
	if err != nil {
		l.bad.Inc()
		return nil, fmt.Errorf("load prompt: %w", err) // it names the path
	}
	l.mu.Lock()
	en := l.entries[path]
	if en != nil && en.size == info.Size() && en.modTime.Equal(info.ModTime()) {
		if en.elem != nil {
			l.used.MoveToFront(en.elem)
		}
		l.mu.Unlock()
		select {
		case <-en.ready:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
		if en.err == nil {
			l.hits.Inc()
		}
		return en.sound, en.err
	}
	if en != nil {
		l.drop(en)
	}
	en = &libEntry{path: path, size: info.Size(), modTime: info.ModTime(), ready: make(chan struct{})}
	l.entries[path] = en
	l.mu.Unlock()

	en.sound, en.err = readSound(path)
	l.keep(en)
	close(en.ready)
	return en.sound, en.err
}

// keep files a finished entry, and drops what no longer fits. A failed one is forgotten, so that the next try reads.
func (l *Library) keep(en *libEntry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if en.err != nil {
		l.bad.Inc()
		if l.entries[en.path] == en {
			delete(l.entries, en.path)
		}
		return
	}
	l.misses.Inc()
	if l.entries[en.path] != en {
		return // the file changed meanwhile; a newer entry has the name
	}
	en.elem = l.used.PushFront(en)
	l.bytes += en.bytes()
	for l.bytes > l.max && l.used.Len() > 1 {
		l.drop(l.used.Back().Value.(*libEntry))
	}
}

// drop forgets an entry; who plays it keeps it. Caller holds mu.
func (l *Library) drop(en *libEntry) {
	delete(l.entries, en.path)
	if en.elem != nil {
		l.used.Remove(en.elem)
		en.elem = nil
		l.bytes -= en.bytes()
	}
}

func (en *libEntry) bytes() int64 { return int64(len(en.sound.mu) + len(en.sound.a)) }

// readSound reads, resamples and encodes one file.
func readSound(path string) (*sound, error) {
	pcm, rate, err := readWAV(path)
	if err != nil {
		return nil, fmt.Errorf("load prompt %s: %w", path, err)
	}
	pcm = resample(pcm, rate)
	s := &sound{mu: make([]byte, len(pcm)), a: make([]byte, len(pcm))}
	PCMU.Encode(s.mu, pcm)
	PCMA.Encode(s.a, pcm)
	return s, nil
}
