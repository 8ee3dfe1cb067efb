package recordings

import (
	"context"
	"errors"
	"fmt"
	"hash"
	"os"
	"sync"
	"time"
)

const (
	// slack is how far a channel may be behind the other before a frame is written without it. A tap places what it
	// hears within half a second before and a tenth after the wall clock, so nothing comes later than that.
	slack = rate * 3 / 4
	// ahead is how many frames may be under way: a whole one and the slack.
	ahead = (frameSamples + slack + frameSamples - 1) / frameSamples
	// maxGap of silence; a greater step, or one back of maxBack, is the room's clock that was set.
	maxGap  = 600 * rate
	maxBack = 2 * rate
	// maxPending frames may wait for the disk, 10 s. Then the disk does not keep up: the recording ends, the call goes on.
	maxPending = 10 * rate / frameSamples
	// closeLimit is how long Close waits for the disk.
	closeLimit = 5 * time.Second
)

var (
	errStopped = errors.New("recordings are stopped")
	errDisk    = errors.New("the disk does not answer")
	errSlow    = errors.New("the disk does not keep up")
)

// Recorder is one recording in the making. It is a tap of the sound: Frame may be called from several goroutines of the
// media path and never waits for the disk. Close it.
type Recorder struct {
	s    *Service
	h    header
	on   func(error)
	done chan struct{} // closed when the file is closed and the indexer knows

	mu      sync.Mutex     // guards what follows; held for microseconds only
	ring    [ahead]*[]byte // sound from base on, interleaved; nil: nothing but silence
	base    int64          // first sample of ring[0]; a multiple of frameSamples
	heard   [2]int64       // per channel: the sample after the last one heard
	shift   int64          // added to positions: the room's clock was set
	pending []order        // handed to the writer; at most maxPending
	spare   []order        // the writer's half of the pair
	queued  bool           // the writer has been told
	ended   bool           // nothing follows
	failure error          // why nothing is written any more
	pause   pauses

	// Owned by the writer until the file is closed, then by the goroutine that closes it.
	f      *os.File
	seal   *seal
	sum    hash.Hash // of what is in the file
	number int64     // of the next frame
	bytes  int64     // in the file
	length int64     // samples in the file
	torn   bool      // a half written frame could not be taken back
	peaks  []byte
}

// order is work for the writer: one frame of sound, or a number of silent ones.
type order struct {
	sound   *[]byte // nil: silence
	frames  int
	samples int // of each frame
}

// ID names the recording for ever; recording.key.
func (r *Recorder) ID() string { return r.h.Key }

// Frame takes up to half a second of one channel: 0 the customer, 1 the agent's side. Others are not stored (doc.go).
// pos counts 8 kHz samples since the tap was added; what never comes is silence, what comes too late is dropped.
func (r *Recorder) Frame(ch int, payloadType uint8, pos int64, payload []byte) {
	if ch < 0 || ch >= r.h.Channels || pos < 0 || len(payload) == 0 || len(payload) > frameSamples {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ended || r.failure != nil {
		return
	}
	pos = r.place(pos)
	end := pos + int64(len(payload))
	for end >= r.base+frameSamples+slack { // the other channel has had its time
		r.release(frameSamples)
	}
	if r.failure != nil {
		return
	}
	if from := max(r.base, r.pause.open(r.newest(), pos)); from < end {
		skip := max(0, from-pos)
		r.put(ch, int(payloadType), pos+skip, payload[skip:])
	}
	r.heard[ch] = max(r.heard[ch], end)
	for r.everybody() >= r.base+frameSamples {
		r.release(frameSamples)
	}
}

// newest is the length so far.
func (r *Recorder) newest() int64 { return max(r.heard[0], r.heard[1]) }

// everybody is the sample up to which every channel was heard.
func (r *Recorder) everybody() int64 {
	if r.h.Channels == 1 {
		return r.heard[0]
	}
	return min(r.heard[0], r.heard[1])
}

// place gives a position in the file. Positions follow the wall clock closely, so that a great step means that the clock
// was set: the file goes on where it was.
func (r *Recorder) place(pos int64) int64 {
	pos += r.shift
	newest := r.newest()
	if pos > newest+maxGap || pos < newest-maxBack {
		r.shift += newest - pos
		pos = newest
	}
	return pos
}

// put copies sound into the ring, which reaches that far.
func (r *Recorder) put(ch, law int, pos int64, payload []byte) {
	for len(payload) > 0 {
		slot, at := (pos-r.base)/frameSamples, int(pos%frameSamples)
		n := min(len(payload), frameSamples-at)
		if r.ring[slot] == nil {
			r.ring[slot] = r.s.blocks.get(r.h)
		}
		r.copy((*r.ring[slot])[at*r.h.Channels+ch:], law, payload[:n])
		pos, payload = pos+int64(n), payload[n:]
	}
}

func (r *Recorder) copy(dst []byte, law int, src []byte) {
	step := r.h.Channels
	if law == r.h.Law {
		for i, b := range src {
			dst[i*step] = b
		}
		return
	}
	table := &muToA
	if r.h.Law == ptMu {
		table = &aToMu
	}
	for i, b := range src {
		dst[i*step] = table[b]
	}
}

// release gives the first frame of the ring, or its first samples, to the writer.
func (r *Recorder) release(samples int) {
	o := order{sound: r.ring[0], frames: 1, samples: samples}
	copy(r.ring[:], r.ring[1:])
	r.ring[ahead-1] = nil
	r.base += frameSamples
	if r.failure != nil {
		r.s.blocks.put(o.sound)
		return
	}
	last := len(r.pending) - 1
	switch {
	case last >= 0 && o.sound == nil && r.pending[last].sound == nil && r.pending[last].samples == samples:
		r.pending[last].frames++ // a long silence is one order
	case len(r.pending) >= maxPending:
		r.s.blocks.put(o.sound)
		r.fail(errSlow)
	default:
		r.pending = append(r.pending, o)
	}
	r.tell()
}

// tell wakes the writer.
func (r *Recorder) tell() {
	if !r.queued {
		r.queued = true
		r.s.enqueue(r)
	}
}

// fail ends the recording and tells whoever started it, once. Caller holds mu.
func (r *Recorder) fail(err error) {
	if r.failure != nil {
		return
	}
	r.failure = err
	r.s.m.failed.Inc()
	for i := range r.ring {
		r.s.blocks.put(r.ring[i])
		r.ring[i] = nil
	}
	if on := r.on; on != nil {
		r.s.begin(func() { on(err) }) // while the service stops nobody is told; Close has the error
	}
}

// Pause writes silence from now on: card numbers and the like never reach the disk. The reason goes to the log.
func (r *Recorder) Pause(reason string) {
	if r.turn(func() bool { return r.pause.begin(r.newest()) }, "paused") {
		r.s.cfg.Log.Info("recording paused", "recording", r.h.Key, "call", r.h.Call, "reason", reason)
	}
}

// Resume records again, 0.75 s after the first sound that comes now: what was said in the pause may be under way still.
func (r *Recorder) Resume() {
	if r.turn(r.pause.end, "recording") {
		r.s.cfg.Log.Info("recording resumed", "recording", r.h.Key, "call", r.h.Call)
	}
}

// turn changes the pause, and the row when that changed anything.
func (r *Recorder) turn(change func() bool, state string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ended || !change() {
		return false
	}
	r.s.index(r.note(state))
	return true
}

// note is the row of a recording in the making.
func (r *Recorder) note(state string) entry {
	return entry{h: r.h, state: state, pauses: r.pause.list(r.newest())}
}

// Close writes the rest and waits, 5 s at most, until the file is whole on the disk; the row follows by itself. The error
// says why the file is shorter than the talk, and is the one that OnFailure had; the file is valid all the same. Closing
// again gives the same error. A file that the disk keeps us waiting for is closed later by itself.
func (r *Recorder) Close(ctx context.Context) error {
	r.end(nil)
	ctx, stop := context.WithTimeoutCause(ctx, closeLimit, errDisk)
	defer stop()
	select {
	case <-r.done:
		r.mu.Lock()
		defer r.mu.Unlock()
		return r.failure
	case <-ctx.Done():
		return fmt.Errorf("close recording: %w", context.Cause(ctx))
	}
}

// end hands over the rest of the sound; nothing follows. why is set when the talk has not ended.
func (r *Recorder) end(why error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ended {
		return
	}
	for r.failure == nil && r.newest() > r.base {
		r.release(int(min(frameSamples, r.newest()-r.base)))
	}
	if r.failure == nil {
		r.failure = why
	}
	r.ended = true
	r.tell()
}
