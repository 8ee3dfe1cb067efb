package recordings

import (
	"errors"
	"fmt"
	"sync"
	"time"
)

// blocks are buffers of one frame, reused.
type blocks struct{ one, two sync.Pool }

func (b *blocks) pool(size int) *sync.Pool {
	if size == frameSamples {
		return &b.one
	}
	return &b.two
}

// get gives a frame of silence.
func (b *blocks) get(h header) *[]byte {
	size := h.Channels * frameSamples
	buf, ok := b.pool(size).Get().(*[]byte)
	if !ok {
		p := make([]byte, size)
		buf = &p
	}
	p := *buf
	p[0] = silence(h.Law)
	for n := 1; n < size; n *= 2 {
		copy(p[n:], p[:n])
	}
	return buf
}

func (b *blocks) put(buf *[]byte) {
	if buf != nil {
		b.pool(len(*buf)).Put(buf)
	}
}

// enqueue tells the writer that r has work. Each recorder is in the list at most once, so the list is bounded.
func (s *Service) enqueue(r *Recorder) {
	s.readyMu.Lock()
	s.ready = append(s.ready, r)
	s.readyMu.Unlock()
	s.nudge()
}

func (s *Service) nudge() {
	select {
	case s.work <- struct{}{}:
	default: // it will look
	}
}

// writer writes frames, one after the other: one writer for the disk. It ends when the service stops and every
// recorder has ended.
func (s *Service) writer() {
	var batch []*Recorder
	for {
		s.readyMu.Lock()
		batch, s.ready = s.ready, batch[:0]
		s.readyMu.Unlock()
		for i, r := range batch {
			batch[i] = nil
			r.work()
		}
		if len(batch) > 0 {
			continue
		}
		if s.finished() {
			return
		}
		<-s.work
	}
}

// work carries out what is pending, and lets go of a file that is complete.
func (r *Recorder) work() {
	r.mu.Lock()
	orders := r.pending
	r.pending, r.spare = r.spare[:0], orders
	r.queued = false
	ended, failed := r.ended, r.failure != nil && !errors.Is(r.failure, errStopped)
	r.mu.Unlock()
	for _, o := range orders {
		for range o.frames {
			if failed {
				break
			}
			failed = !r.write(o)
		}
		r.s.blocks.put(o.sound)
	}
	if ended {
		r.s.complete(r)
	}
}

// write seals and writes one frame.
func (r *Recorder) write(o order) bool {
	begin := time.Now()
	var plain []byte
	if o.sound != nil {
		plain = (*o.sound)[:o.samples*r.h.Channels]
	} else {
		plain = r.s.quiet[r.h.Law][:o.samples*r.h.Channels]
	}
	r.s.sealed = r.seal.frame(r.s.sealed[:0], r.number, plain)
	n, err := r.f.Write(r.s.sealed)
	if err != nil {
		r.takeBack()
		r.mu.Lock()
		r.fail(fmt.Errorf("write recording: %w", err))
		r.mu.Unlock()
		return false
	}
	r.sum.Write(r.s.sealed)
	r.number++
	r.bytes += int64(n)
	r.length += int64(o.samples)
	r.peaks = appendPeaks(r.peaks, plain, r.h.Law, r.h.Channels)
	r.s.m.written.Add(float64(n))
	r.s.m.latency.Observe(time.Since(begin).Seconds())
	return true
}

// takeBack cuts a half written frame off: the file stays valid. Nothing is written after it.
func (r *Recorder) takeBack() {
	r.torn = r.f.Truncate(r.bytes) != nil
}

// finish makes the file durable, closes it and hands it to the indexer. It has a goroutine of its own, because a disk may
// take seconds for it.
func (r *Recorder) finish() {
	if r.torn {
		r.takeBack()
	}
	err := errors.Join(r.f.Sync(), r.f.Close())
	r.mu.Lock()
	if err != nil {
		r.fail(fmt.Errorf("close recording: %w", err))
	}
	end := endDone
	if r.failure != nil {
		end = endCut
	}
	r.mu.Unlock()
	err = r.s.dir.closed(r.h.Key, end)
	r.mu.Lock()
	if err != nil {
		r.fail(fmt.Errorf("close recording: %w", err))
	}
	e := r.note("ready")
	e.peaks, e.size, e.length, e.sum = r.peaks, r.bytes, r.length, r.sum.Sum(nil)
	if r.failure != nil {
		e.failure = r.failure.Error()
	}
	if r.length == 0 || r.torn {
		e.state = "failed"
	}
	if r.length == 0 && e.failure == "" {
		e.failure = "no sound came"
	}
	e.pauses = r.pause.list(r.length)
	r.mu.Unlock()
	r.s.m.live.Dec()
	r.s.index(e)
	close(r.done)
}
