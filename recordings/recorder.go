package recordings

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"
)

const (
	// slack is how far one channel may be behind before its second is written without it.
	slack = rate / 4
	// peaksPerSecond of the waveform, per channel.
	peaksPerSecond = 50
)

// Recorder is one recording in the making. It is a tap of the sound: Frame may be called from several goroutines of the
// media path at once and never waits for the disk. Close it.
type Recorder struct {
	s    *Service
	h    header
	path string // without ending
	on   func(error)

	mu      sync.Mutex // guards what follows
	window  []byte     // interleaved sound from base on
	base    int64      // first sample in window; a multiple of rate
	head    [2]int64   // per channel: sample after the last one heard
	paused  bool
	pauses  [][2]int // closed ones, ms
	pauseAt int
	closed  bool
	failure error // why writing stopped

	// Owned by the writer goroutine.
	f      *os.File
	seal   seal
	number int64
	peaks  []byte
	bytes  int64
}

// ID names the recording for ever; recording.key.
func (r *Recorder) ID() string { return r.h.Key }

func (r *Recorder) silence() byte {
	if r.h.Law == ptMu {
		return silenceMu
	}
	return silenceA
}

// Frame takes up to 20 ms of one channel: 0 the customer, 1 the agent's side. Others (supervisors) are not in the file a
// customer may get. pos counts 8 kHz samples since the tap was added; what never comes is silence.
func (r *Recorder) Frame(ch int, payloadType uint8, pos int64, payload []byte) {
	if ch < 0 || ch >= r.h.Channels || pos < 0 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed || r.failure != nil || pos+int64(len(payload)) <= r.base {
		return
	}
	end := pos + int64(len(payload))
	r.grow(end)
	if !r.paused {
		r.put(ch, payloadType, pos, payload)
	}
	r.head[ch] = max(r.head[ch], end)
	r.flush(false)
}

// grow makes the window reach sample end, with silence.
func (r *Recorder) grow(end int64) {
	for want := int(end-r.base) * r.h.Channels; len(r.window) < want; {
		r.window = append(r.window, r.silence())
	}
}

func (r *Recorder) put(ch int, pt uint8, pos int64, payload []byte) {
	var table *[256]byte
	switch {
	case int(pt) == r.h.Law:
	case r.h.Law == ptA:
		table = &muToA
	default:
		table = &aToMu
	}
	for i, b := range payload {
		at := pos + int64(i) - r.base
		if at < 0 {
			continue
		}
		if table != nil {
			b = table[b]
		}
		r.window[int(at)*r.h.Channels+ch] = b
	}
}

// flush hands whole seconds to the writer: those that every channel has passed, or one has passed by slack. With all,
// the rest too.
func (r *Recorder) flush(all bool) {
	second := rate * r.h.Channels
	for {
		last := max(r.head[0], r.head[1])
		first := last
		for ch := range r.h.Channels {
			first = min(first, r.head[ch])
		}
		full := r.base + rate
		if !(first >= full || last >= full+slack) {
			break
		}
		r.hand(r.window[:second])
		r.window = append(r.window[:0:0], r.window[second:]...)
		r.base += rate
	}
	if all && len(r.window) > 0 {
		for len(r.window) > 0 {
			n := min(len(r.window), second)
			r.hand(r.window[:n])
			r.window = r.window[n:]
		}
	}
}

// hand gives one second to the writer. A writer that is far behind means a disk that does not keep up: the recording
// ends there, the call goes on.
func (r *Recorder) hand(plain []byte) {
	if r.failure != nil {
		return
	}
	select {
	case r.s.writes <- write{r: r, plain: append([]byte(nil), plain...)}:
	default:
		r.fail(errors.New("the disk does not keep up"))
	}
}

// fail ends the recording and tells whoever started it, once. Caller holds mu.
func (r *Recorder) fail(err error) {
	if r.failure == nil {
		r.failure = err
		r.s.m.failed.Inc()
		if r.on != nil {
			go r.on(err) // the callee may take its time; it must not block the sound
		}
	}
}

// Pause writes silence from now on: card numbers and the like never reach the disk.
func (r *Recorder) Pause(string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.paused && !r.closed {
		r.paused, r.pauseAt = true, ms(max(r.head[0], r.head[1]))
	}
}

// Resume records again.
func (r *Recorder) Resume() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.endPause()
}

func (r *Recorder) endPause() {
	if r.paused {
		r.paused = false
		r.pauses = append(r.pauses, [2]int{r.pauseAt, ms(max(r.head[0], r.head[1]))})
	}
}

func ms(samples int64) int { return int(samples * 1000 / rate) }

// Close writes the rest and waits until the file is whole; the row follows by itself. The error says why the file is
// shorter than the talk; it is valid all the same. Closing again gives the same error.
func (r *Recorder) Close(ctx context.Context) error {
	r.mu.Lock()
	if !r.closed {
		r.flush(true)
		r.endPause()
		r.closed = true
		done := make(chan struct{})
		r.mu.Unlock()
		select {
		case r.s.writes <- write{r: r, done: done}:
		case <-r.s.stopped:
			return errors.New("recordings are stopped")
		case <-ctx.Done():
			return fmt.Errorf("close recording: %w", context.Cause(ctx))
		}
		select {
		case <-done:
		case <-ctx.Done():
			return fmt.Errorf("close recording: %w", context.Cause(ctx))
		}
		r.mu.Lock()
	}
	defer r.mu.Unlock()
	return r.failure
}

// write is one order to the writer goroutine: a second of sound, or with done the end of the file.
type write struct {
	r     *Recorder
	plain []byte
	done  chan struct{}
}

// write carries it out.
func (w write) do() {
	r := w.r
	if w.done != nil {
		r.finish()
		close(w.done)
		return
	}
	r.mu.Lock()
	dead := r.failure != nil
	r.mu.Unlock()
	if dead {
		return
	}
	start := time.Now()
	sealed := r.seal.frame(nil, r.number, w.plain)
	n, err := r.f.Write(sealed)
	if err != nil {
		_ = r.f.Truncate(r.bytes) // take the torn frame back: the file stays valid
		_, _ = r.f.Seek(r.bytes, 0)
		r.mu.Lock()
		r.fail(fmt.Errorf("write recording: %w", err))
		r.mu.Unlock()
		return
	}
	r.bytes += int64(n)
	r.number++
	r.peaks = appendPeaks(r.peaks, w.plain, r.h.Law, r.h.Channels)
	r.s.m.written.Add(float64(n))
	r.s.m.latency.Observe(time.Since(start).Seconds())
}

// finish syncs and closes the file and hands it to the indexer.
func (r *Recorder) finish() {
	err := errors.Join(r.f.Sync(), r.f.Close())
	if err == nil {
		err = os.Rename(r.path+".part", r.path+".done")
	}
	r.mu.Lock()
	if err != nil {
		r.fail(fmt.Errorf("close recording: %w", err))
	}
	text := ""
	if r.failure != nil {
		text = r.failure.Error()
	}
	e := entry{h: r.h, path: r.path, peaks: r.peaks, pauses: r.pauses, failure: text, closed: true}
	r.mu.Unlock()
	r.s.m.live.Dec()
	r.s.index(e)
}

// appendPeaks adds the greatest amplitude of each 20 ms, per channel.
func appendPeaks(out, plain []byte, law, channels int) []byte {
	table := &linearA
	if law == ptMu {
		table = &linearMu
	}
	step := rate / peaksPerSecond * channels
	for len(plain) > 0 {
		n := min(step, len(plain))
		for ch := range channels {
			top := 0
			for i := ch; i < n; i += channels {
				v := int(table[plain[i]])
				top = max(top, v, -v)
			}
			out = append(out, byte(min(255, top>>7)))
		}
		plain = plain[n:]
	}
	return out
}
