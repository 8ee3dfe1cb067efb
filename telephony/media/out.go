package media

import (
	"math/rand/v2"
	"sync"
	"time"
)

// feed is the right to speak on an endpoint's outgoing stream. Its address is its identity: whoever writes shows its
// feed, and only the granted one is let through.
type feed struct {
	what string // relay, mix, music, prompt, keys; for logs and tests
	from any    // the talker, for a relay
}

// out is the sending side of an endpoint: one RTP stream that goes on whoever feeds it. mu guards everything and is
// held while the transport writes, so that packets leave in order; transports do not block.
type out struct {
	mu        sync.Mutex
	transport Transport
	send      bool
	eventPT   uint8 // 0: do not send telephone-event
	closed    bool

	room   *feed // granted by the room; nil: nothing
	prompt *feed // a prompt played to this party alone; goes before room
	keys   *feed // keys being sent; go before all

	ssrc    uint32
	started bool
	seq     uint16        // of the newest packet
	ts      uint32        // of the newest packet
	dur     uint32        // samples in it
	at      time.Duration // when it was sent, since the endpoint was made

	cur     *feed // who sent the newest packet; nil: a new start is due
	curSSRC uint32
	seqOff  uint16
	tsOff   uint32
	first   uint16 // sequence number where cur began
	young   int    // packets since then, up to settled

	stats Stats
}

// settled is how many packets after a change of feed older ones may still come from the network; they are dropped.
const settled = 1 << 13

// init gives the stream its random start (RFC 3550 5.1).
func (o *out) init() {
	o.ssrc, o.seq, o.ts = rand.Uint32(), uint16(rand.Uint32()), rand.Uint32()
}

// may reports whether f is the feed that is heard now. Caller holds mu.
func (o *out) may(f *feed) bool {
	switch {
	case o.closed:
		return false
	case o.keys != nil:
		return f == o.keys
	case o.prompt != nil:
		return f == o.prompt
	}
	return f == o.room && f != nil
}

// ready reports whether a packet can leave; if not, it counts and makes the next packet a new start. Caller holds mu.
func (o *out) ready() bool {
	if o.send && o.transport != nil {
		return true
	}
	o.stats.Unsent++
	o.cur = nil
	return false
}

// next is the timestamp of something that begins now: after all that was sent, as much later as time has passed.
func (o *out) next(since time.Duration) uint32 {
	if !o.started {
		return o.ts
	}
	return o.ts + max(o.dur, samples(since-o.at))
}

// samples is how many 8 kHz samples fit into d; nothing for negative times.
func samples(d time.Duration) uint32 {
	if d <= 0 {
		return 0
	}
	return uint32(d / (time.Second / 8000))
}

// relay sends a received packet on: header h, payload in b[h.off:h.end], already in law pt (or an event). The twelve
// bytes before the payload are overwritten. Zero allocations.
func (o *out) relay(f *feed, b []byte, h *header, pt uint8, since time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.may(f) || !o.ready() {
		return
	}
	marker := h.marker
	if o.cur != f || o.curSSRC != h.ssrc {
		o.cur, o.curSSRC, o.young, marker = f, h.ssrc, 0, true
		o.first = o.seq + 1
		o.seqOff, o.tsOff = o.first-h.seq, o.next(since)-h.ts
	}
	seq, ts := h.seq+o.seqOff, h.ts+o.tsOff
	if o.young < settled {
		o.young++
		if int16(seq-o.first) < 0 { // from before the change
			return
		}
	}
	p := b[h.off-headerSize : h.end]
	putHeader(p, pt, marker, seq, ts, o.ssrc)
	if ahead := int16(seq - o.seq); ahead > 0 || !o.started {
		o.advance(seq, ts, uint32(h.end-h.off), since)
	}
	o.write(p)
}

// relayEvent passes a telephone-event on, or hides the gap it leaves when this side takes none.
func (o *out) relayEvent(f *feed, b []byte, h *header, since time.Duration) {
	o.mu.Lock()
	pt := o.eventPT
	if pt == 0 {
		if o.cur == f && o.curSSRC == h.ssrc {
			o.seqOff--
		}
		o.mu.Unlock()
		return
	}
	o.mu.Unlock()
	o.relay(f, b, h, pt, since)
}

// frame sends audio that we made: payload in b[headerSize:], frame n of its feed. It is false when the feed is not the
// one granted.
func (o *out) frame(f *feed, b []byte, pt uint8, n int64, since time.Duration) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.may(f) {
		return false
	}
	if !o.ready() {
		return true
	}
	clock := uint32(n) * frameSamples
	marker := o.cur != f
	if marker {
		o.cur = f
		o.tsOff = o.next(since) - clock
	}
	seq, ts := o.seq+1, clock+o.tsOff
	putHeader(b, pt, marker, seq, ts, o.ssrc)
	o.advance(seq, ts, uint32(len(b)-headerSize), since)
	o.write(b)
	return true
}

// event sends one packet of a key being pressed. first begins the key: it takes the timestamp that all of its packets
// share (RFC 4733 2.4.1) and the marker bit.
func (o *out) event(f *feed, b []byte, first bool, dur uint32, since time.Duration) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.may(f) {
		return false
	}
	if !o.ready() {
		return true
	}
	if first {
		o.ts = o.next(since)
	}
	o.cur = nil // whoever speaks next starts anew, behind the key
	seq := o.seq + 1
	putHeader(b, o.eventPT, first, seq, o.ts, o.ssrc)
	o.advance(seq, o.ts, dur, since)
	o.write(b)
	return true
}

// advance notes the newest packet. Caller holds mu.
func (o *out) advance(seq uint16, ts, dur uint32, since time.Duration) {
	o.seq, o.ts, o.dur, o.at, o.started = seq, ts, dur, since, true
}

// write hands a packet to the transport. Caller holds mu.
func (o *out) write(p []byte) {
	if err := o.transport.WriteRTP(p); err != nil {
		o.stats.SendErrors++
		return
	}
	o.stats.SentPackets++
	o.stats.SentBytes += uint64(len(p))
}
