package media

import "sync"

// Times of the mixer's jitter buffer, in samples.
const (
	ringSize    = 4096 // 512 ms; a power of two
	depthTarget = 2 * frameSamples
	depthHigh   = 3 * frameSamples // more than this left over for a second is too much
	depthMax    = ringSize - 2*frameSamples
	concealed   = 3  // lost frames in a row that are filled; after them there is silence
	depthWindow = 50 // frames over which the smallest depth is looked for
)

// hole marks a sample that never came. No G.711 octet decodes to it.
const hole = -32768

// jitter holds what a party says until the mixer takes it, 40 to 60 ms later. It lives on the sender's timestamps: a
// packet's samples lie where they belong, whatever the order and size of packets. The party's reader puts, the Pacer
// takes; mu guards everything.
type jitter struct {
	mu     sync.Mutex
	ring   [ringSize]int16
	ready  bool // next and end mean something
	ssrc   uint32
	next   uint32 // timestamp that is taken next
	end    uint32 // behind the newest sample
	low    int32  // smallest depth in this window
	frames int    // of this window
	last   [frameSamples]int16
	missed int // frames in a row with nothing in them; over concealed: nothing to conceal with
	late   uint64
}

func newJitter() *jitter {
	j := &jitter{missed: concealed}
	j.clear()
	return j
}

// reset forgets everything, for a party that begins to be mixed.
func (j *jitter) reset() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.ready = false
	j.clear()
	j.missed = concealed
}

// clear empties the ring. Caller holds mu.
func (j *jitter) clear() {
	for i := range j.ring {
		j.ring[i] = hole
	}
	j.frames, j.low = 0, depthMax
}

// put files one packet's samples. It reports false for a packet that came too late.
func (j *jitter) put(law Law, ssrc, ts uint32, payload []byte) bool {
	n := uint32(len(payload))
	if n > ringSize/4 { // 128 ms in a packet: nobody agreed to that
		return false
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	ahead := int32(ts - j.next)
	if !j.ready || ssrc != j.ssrc || ahead < -8000 || ahead+int32(n) > depthMax {
		j.clear()
		j.missed = concealed
		j.ready, j.ssrc, j.next, j.end = true, ssrc, ts-depthTarget, ts
		ahead = depthTarget
	}
	if ahead < 0 {
		j.late++
		if int32(j.end-j.next) > 0 || -ahead > 3*depthTarget {
			return false // a straggler: its place is gone
		}
		// The mixer ran dry and the party goes on: rebuild the reserve from here.
		j.clear()
		j.next, j.end = ts-depthTarget, ts
	}
	t := &expandU
	if law == PCMA {
		t = &expandA
	}
	for i, b := range payload {
		j.ring[(ts+uint32(i))%ringSize] = t[b]
	}
	if int32(ts+n-j.end) > 0 {
		j.end = ts + n
	}
	return true
}

// take gives the next 20 ms. It is false when there is nothing to hear; dst is silence then.
func (j *jitter) take(dst *[frameSamples]int16) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	if !j.ready {
		clear(dst[:])
		return false
	}
	j.trim()
	holes := 0
	for i := range dst {
		p := &j.ring[(j.next+uint32(i))%ringSize]
		if *p == hole {
			holes++
			dst[i] = 0
		} else {
			dst[i] = *p
		}
		*p = hole
	}
	j.next += frameSamples
	if holes < frameSamples {
		j.missed = 0
		j.last = *dst
		return true
	}
	return j.conceal(dst)
}

// conceal fills a lost frame with the one before, fading, and gives up after a second. Caller holds
// mu.
func (j *jitter) conceal(dst *[frameSamples]int16) bool {
	j.missed++
	if j.missed > concealed {
		if j.missed > depthWindow && int32(j.end-j.next) <= 0 {
			j.ready = false // the party pauses: begin anew with its next packet
		}
		return false
	}
	for i, v := range j.last {
		dst[i] = v >> uint(j.missed)
	}
	return true
}

// trim keeps the delay down: what was never needed for a second is skipped, a frame at a time. Caller holds mu.
func (j *jitter) trim() {
	depth := int32(j.end - j.next)
	j.low = min(j.low, depth)
	if j.frames++; j.frames < depthWindow {
		return
	}
	if j.low > depthHigh {
		for i := range uint32(frameSamples) {
			j.ring[(j.next+i)%ringSize] = hole
		}
		j.next += frameSamples
	}
	j.frames, j.low = 0, depthMax
}
