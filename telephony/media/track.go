package media

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"hotline/telephony"
	"hotline/telephony/media/tone"
)

// errEmptyLoop refuses a prompt that would loop over nothing.
var errEmptyLoop = errors.New("looping prompt has no sound in it")

// track reads a prompt frame by frame, across its clips, in whichever law is asked for. It belongs to one goroutine.
type track struct {
	clips []clip
	loop  bool
	i     int   // the clip in hand
	pos   int64 // samples of it that were read
}

// clip is a telephony.Clip made ready. Exactly one of sound, gen and neither (silence) is meant.
type clip struct {
	sound  *sound
	gen    *tone.Generator
	on     int64 // cadence in samples; off 0: steady
	off    int64
	length int64 // samples; endless: negative
}

const endless = -1

// defaultGain is the peak of a tone that names none (telephony.Tone).
const defaultGain = 0.2

// newTrack loads all of a prompt's files, so that playing cannot fail.
func newTrack(ctx context.Context, lib *Library, p telephony.Prompt) (*track, error) {
	t := &track{loop: p.Loop, clips: make([]clip, 0, len(p.Clips))}
	for i, c := range p.Clips {
		made, err := newClip(ctx, lib, c)
		if err != nil {
			return nil, err
		}
		if made.length == endless && i < len(p.Clips)-1 {
			return nil, fmt.Errorf("clip %d of %d never ends: only the last may", i+1, len(p.Clips))
		}
		if made.length != 0 {
			t.clips = append(t.clips, made)
		}
	}
	if len(t.clips) == 0 && t.loop {
		return nil, errEmptyLoop
	}
	t.skip(int64(samples(p.Offset)))
	return t, nil
}

func newClip(ctx context.Context, lib *Library, c telephony.Clip) (clip, error) {
	switch {
	case c.File != "":
		if lib == nil {
			return clip{}, fmt.Errorf("no prompt library to load %s from", c.File)
		}
		s, err := lib.load(ctx, c.File)
		if err != nil {
			return clip{}, err
		}
		return clip{sound: s, length: int64(len(s.mu))}, nil
	case c.Tone != nil:
		return newToneClip(*c.Tone), nil
	default:
		return clip{length: toSamples(c.Silence)}, nil
	}
}

func newToneClip(t telephony.Tone) clip {
	gain := t.Gain
	if gain <= 0 {
		gain = defaultGain
	}
	c := clip{
		gen:    tone.NewGenerator(8000, min(gain, 1), t.Hz...),
		on:     toSamples(t.On),
		off:    toSamples(t.Off),
		length: toSamples(t.For),
	}
	if c.on == 0 {
		c.off = 0
	}
	if t.For == 0 {
		c.length = endless
	}
	return c
}

// toSamples is how many 8 kHz samples d lasts; nothing for negative times. Unlike samples it does not wrap.
func toSamples(d time.Duration) int64 { return max(0, int64(d/(time.Second/8000))) }

// total is the length of one pass in samples; endless if it never ends.
func (t *track) total() int64 {
	var sum int64
	for _, c := range t.clips {
		if c.length == endless {
			return endless
		}
		sum += c.length
	}
	return sum
}

// skip moves the beginning forward by n samples.
func (t *track) skip(n int64) {
	if total := t.total(); t.loop && total > 0 {
		n %= total
	}
	for n > 0 && t.i < len(t.clips) {
		c := &t.clips[t.i]
		if c.length == endless || n < c.length {
			t.pos = n
			return
		}
		n -= c.length
		t.i++
	}
}

// over reports whether nothing is left to read.
func (t *track) over() bool { return t.i >= len(t.clips) }

// fill reads the next samples into dst, silence behind the end. It is false when there was nothing left at all.
func (t *track) fill(dst []byte, law Law) bool {
	if t.over() {
		return false
	}
	for len(dst) > 0 {
		if t.over() {
			fillSilence(dst, law)
			return true
		}
		c := &t.clips[t.i]
		n := int64(len(dst))
		if c.length != endless {
			n = min(n, c.length-t.pos)
		}
		c.read(dst[:n], t.pos, law)
		dst, t.pos = dst[n:], t.pos+n
		if c.length != endless && t.pos >= c.length {
			t.i, t.pos = t.i+1, 0
			if t.i == len(t.clips) && t.loop {
				t.i = 0
			}
		}
	}
	return true
}

// read copies samples from pos on, which lie all in the clip.
func (c *clip) read(dst []byte, pos int64, law Law) {
	switch {
	case c.sound != nil:
		copy(dst, c.sound.in(law)[pos:])
	case c.gen != nil:
		c.readTone(dst, pos, law)
	default:
		fillSilence(dst, law)
	}
}

// readTone makes a stretch of tone with its cadence; dst is at most a frame.
func (c *clip) readTone(dst []byte, pos int64, law Law) {
	var pcm [frameSamples]int16
	c.gen.Fill(pcm[:len(dst)])
	if c.off > 0 {
		for i := range dst {
			if (pos+int64(i))%(c.on+c.off) >= c.on {
				pcm[i] = 0
			}
		}
	}
	law.Encode(dst, pcm[:len(dst)])
}

// sound is a decoded file in both laws.
type sound struct {
	mu, a []byte
}

func (s *sound) in(l Law) []byte {
	if l == PCMA {
		return s.a
	}
	return s.mu
}

// copy is a track that reads the same from here on by itself. Tones begin anew.
func (t *track) copy() *track {
	c := *t
	c.clips = slices.Clone(t.clips)
	for i := range c.clips {
		if g := c.clips[i].gen; g != nil {
			c.clips[i].gen = g.Clone()
		}
	}
	return &c
}
