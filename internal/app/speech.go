package app

import (
	"sync/atomic"
	"time"

	"hotline/telephony/media"
)

// speechTap passes a message on to its recording and measures where speech was, so that silence can end it.
type speechTap struct {
	to    media.Tap
	last  atomic.Int64 // samples up to the end of the last speech
	total atomic.Int64 // samples heard
}

// speechLevel is the mean amplitude, of 32767, above which a frame counts as speech: about -43 dBFS.
const speechLevel = 230

func newSpeechTap(to media.Tap) *speechTap { return &speechTap{to: to} }

// Frame implements media.Tap.
func (s *speechTap) Frame(ch int, payloadType uint8, pos int64, payload []byte) {
	s.to.Frame(ch, payloadType, pos, payload)
	if ch != 0 {
		return
	}
	var pcm [480]int16
	n := min(len(payload), len(pcm))
	media.Law(payloadType).Decode(pcm[:n], payload[:n])
	sum := 0
	for _, v := range pcm[:n] {
		sum += max(int(v), -int(v))
	}
	end := pos + int64(n)
	s.total.Store(end)
	if n > 0 && sum/n > speechLevel {
		s.last.Store(end)
	}
}

// quiet is how long nothing was said.
func (s *speechTap) quiet() time.Duration { return samples(s.total.Load() - s.last.Load()) }

// said is the length up to the last word.
func (s *speechTap) said() time.Duration { return samples(s.last.Load()) }

func samples(n int64) time.Duration { return time.Duration(n) * time.Second / 8000 }
