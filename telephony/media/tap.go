package media

import (
	"sync"
	"time"
)

// Channels of a tap.
const (
	TapCustomer   = 0 // what customers say, also while they are held
	TapAgent      = 1 // what agents say and customers could hear: not while muted or held
	TapSupervisor = 2 // what supervisors say and customers could hear: barge only; whispers reach no recording
	tapChannels   = 3
)

// Tap hears what was said in a room, in the law it was said in (payloadType 0 or 8). pos counts 8 kHz samples since the
// tap was added and tells where the payload belongs: what no frame covers was silent. A frame usually begins where the
// one before ended; a late packet has its rightful, smaller pos. Calls do not overlap, but come from several
// goroutines. The payload is valid during the call only. Frame must not block, nor call the room.
type Tap interface {
	Frame(ch int, payloadType uint8, pos int64, payload []byte)
}

// Tolerances between a sender's clock and ours, in samples.
const (
	tapBehind = 4000 // half a second of silence that the timestamps do not show: move on
	tapAhead  = 800  // the first packet had been late: move back
)

// tapState is a tap in a room: the positions of its channels. mu guards everything and makes calls one at a time.
type tapState struct {
	tap   Tap
	start time.Time

	mu     sync.Mutex
	closed bool
	ch     [tapChannels]tapClock
}

// tapClock turns one voice's timestamps into positions.
type tapClock struct {
	voice any // who speaks: a party, or the mix
	ssrc  uint32
	ts    uint32 // of the newest frame
	pos   int64  // of the newest frame
}

// frame hands audio on. voice, ssrc and ts place it on its channel; at is when its last sample was said.
func (t *tapState) frame(ch int, voice any, pt uint8, ssrc, ts uint32, at time.Time, payload []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return
	}
	c := &t.ch[ch]
	wall := int64(at.Sub(t.start)/(time.Second/8000)) - int64(len(payload))
	step := int64(int32(ts - c.ts))
	pos := c.pos + step
	if c.voice != voice || c.ssrc != ssrc || wall-pos > tapBehind || pos-wall > tapAhead {
		pos = max(0, wall)
		c.voice, c.ssrc, c.ts, c.pos = voice, ssrc, ts, pos
	} else if step > 0 {
		c.ts, c.pos = ts, pos
	}
	if pos < 0 { // said before the tap was there
		return
	}
	t.tap.Frame(ch, pt, pos, payload)
}

// close ends it: when it returns, Frame is called no more.
func (t *tapState) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed = true
}
