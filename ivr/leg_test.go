package ivr

import (
	"context"
	"strings"
	"sync"
	"time"

	"hotline/telephony"
)

// fakeLeg is a caller made of functions: prompts take as long as their clips say, or speak, and everything is noted with
// its time.
type fakeLeg struct {
	speak  time.Duration // length of a clip with text
	answer func(context.Context) error
	play   func(context.Context, telephony.Prompt) error // nil: as above
	digits chan telephony.Digit
	done   chan struct{}
	once   sync.Once

	mu       sync.Mutex // guards the rest
	answered bool
	log      []legEvent
	playing  int
	most     int // most sounds at one time
}

// legEvent is one call on the leg.
type legEvent struct {
	at   time.Time
	what string // progress, answer, play, played, cut
	text string
	loop bool
	off  time.Duration
}

func newFakeLeg() *fakeLeg {
	return &fakeLeg{speak: 2 * time.Second, digits: make(chan telephony.Digit, 32), done: make(chan struct{})}
}

func (l *fakeLeg) note(e legEvent) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e.at = time.Now()
	l.log = append(l.log, e)
}

func (l *fakeLeg) ID() telephony.LegID            { return "leg" }
func (l *fakeLeg) Party() telephony.Party         { return telephony.Party{Called: "100"} }
func (l *fakeLeg) Digits() <-chan telephony.Digit { return l.digits }
func (l *fakeLeg) Done() <-chan struct{}          { return l.done }
func (l *fakeLeg) Hangup(telephony.Cause)         { l.once.Do(func() { close(l.done) }) }
func (l *fakeLeg) End() telephony.End             { return telephony.End{} }

func (l *fakeLeg) SendDigits(context.Context, string) error { return nil }

func (l *fakeLeg) Progress(context.Context) error { l.note(legEvent{what: "progress"}); return nil }

func (l *fakeLeg) Answer(ctx context.Context) error {
	l.note(legEvent{what: "answer"})
	if l.answer != nil {
		return l.answer(ctx)
	}
	l.mu.Lock()
	l.answered = true
	l.mu.Unlock()
	return nil
}

func (l *fakeLeg) Answered() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.answered
}

func (l *fakeLeg) Play(ctx context.Context, p telephony.Prompt) error {
	text, d := "", time.Duration(0)
	for _, c := range p.Clips {
		text += c.Text + " "
		d += c.Silence
		if c.Text != "" {
			d += l.speak
		}
	}
	l.note(legEvent{what: "play", text: strings.TrimSpace(text), loop: p.Loop, off: p.Offset})
	l.mu.Lock()
	l.playing++
	l.most = max(l.most, l.playing)
	l.mu.Unlock()
	err := l.sound(ctx, p, d)
	l.mu.Lock()
	l.playing--
	l.mu.Unlock()
	what := "played"
	if err != nil {
		what = "cut"
	}
	l.note(legEvent{what: what, text: strings.TrimSpace(text), loop: p.Loop})
	return err
}

func (l *fakeLeg) sound(ctx context.Context, p telephony.Prompt, d time.Duration) error {
	if l.play != nil {
		return l.play(ctx, p)
	}
	if p.Loop {
		d = 1000 * time.Hour
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-l.done:
		return telephony.ErrLegEnded
	}
}

// press sends keys.
func (l *fakeLeg) press(keys string) {
	for _, k := range keys {
		l.digits <- telephony.Digit{Key: byte(k), At: time.Now(), Source: "rfc4733"}
	}
}

// events copies the log.
func (l *fakeLeg) events() []legEvent {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]legEvent(nil), l.log...)
}

// story is the log without times, for comparing.
func (l *fakeLeg) story() string {
	var out []string
	for _, e := range l.events() {
		s := e.what
		if e.loop {
			s += " music"
		}
		if e.text != "" {
			s += " " + e.text
		}
		out = append(out, s)
	}
	return strings.Join(out, "|")
}
