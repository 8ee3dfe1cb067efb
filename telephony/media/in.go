package media

import (
	"sync"
	"time"
)

// kind is what to do with a received packet.
type kind uint8

const (
	kindDrop  kind = iota
	kindAudio      // G.711, header.pt says the law
	kindEvent      // telephone-event
	kindQuiet      // nothing to hear, but a sign of life: comfort noise, an empty payload
)

// Limits of the receiving side.
const (
	ssrcProbation = 3    // packets in sequence from a new stream, none of the old between, before we follow it
	maxDropout    = 3000 // a jump this far is a restarted sender (RFC 3550 A.1)
)

// in is the receiving side of an endpoint: which stream we listen to, its sequence, its keys, its counters.
// mu guards everything; it is free but in the moment a transport is swapped.
type in struct {
	mu      sync.Mutex
	eventPT uint8
	recv    bool

	locked  bool
	ssrc    uint32
	max     uint16 // highest sequence number seen
	seen    uint64 // bit i: max-i has come
	transit int32  // of the last packet, RFC 3550 A.8
	jitter  int32  // scaled by 16

	rival     uint32 // another stream that tries to become ours
	rivalSeq  uint16 // its last sequence number
	rivalRuns int    // packets of it in sequence

	keys  keys
	stats Stats
}

// reset forgets the stream we are locked on, so that the next packet chooses. Counters stay. Caller holds mu.
func (s *in) reset() {
	s.locked, s.rivalRuns = false, 0
	s.keys = keys{}
}

// take judges one packet: counts it, follows the stream, finds keys. key is non-zero when one was pressed.
func (s *in) take(b []byte, h *header, since time.Duration) (k kind, key byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if isRTCP(b) {
		s.stats.RTCP++
		return kindDrop, 0
	}
	if !h.parse(b) {
		s.stats.Invalid++
		return kindDrop, 0
	}
	switch {
	case h.pt == uint8(PCMU) || h.pt == uint8(PCMA):
		k = kindAudio
	case s.eventPT != 0 && h.pt == s.eventPT:
		k = kindEvent
	case h.pt == ptComfortNoise: // RFC 3389: understood as silence, which needs no packet
		k = kindQuiet
	default:
		s.stats.Unknown++
		return kindDrop, 0
	}
	if !s.recv {
		s.stats.Refused++
		return kindDrop, 0
	}
	if !s.follow(h, k) {
		return kindDrop, 0
	}
	s.stats.ReceivedPackets++
	s.stats.ReceivedBytes += uint64(len(b))
	if k == kindEvent {
		s.stats.Events++
		if key = s.keys.take(b[h.off:h.end], h.ts); key != 0 {
			s.stats.Digits++
		}
		return k, key
	}
	s.measure(h.ts, since)
	if h.off == h.end {
		k = kindQuiet
	}
	return k, 0
}

// follow keeps the stream's identity and sequence. It is false for packets that must not be used.
func (s *in) follow(h *header, k kind) bool {
	if !s.locked {
		s.lock(h)
		return true
	}
	if h.ssrc != s.ssrc {
		return s.challenge(h, k)
	}
	s.rivalRuns = 0
	d := int16(h.seq - s.max)
	switch {
	case d > 0 && d < maxDropout:
		s.stats.Lost += uint64(d - 1)
		if d < 64 {
			s.seen = s.seen<<uint(d) | 1
		} else {
			s.seen = 1
		}
		s.max = h.seq
	case d <= 0 && d > -64:
		bit := uint64(1) << uint(-d)
		if s.seen&bit != 0 {
			s.stats.Duplicates++
			return false
		}
		s.seen |= bit
		s.stats.Reordered++
		if s.stats.Lost > 0 {
			s.stats.Lost-- // it had been counted when the gap showed
		}
	case d <= -64 && d > -maxDropout:
		s.stats.Late++
		return false
	default: // the sender started anew under the same SSRC
		s.lock(h)
	}
	return true
}

// lock makes h's stream ours.
func (s *in) lock(h *header) {
	if !s.locked || h.ssrc != s.ssrc {
		s.keys = keys{}
	}
	// Packets before this one are behind us: they count neither as lost nor, if they come yet, as found.
	s.locked, s.ssrc, s.max, s.seen, s.rivalRuns, s.transit = true, h.ssrc, h.seq, ^uint64(0), 0, 0
}

// challenge judges a packet of another SSRC. Media servers change theirs in mid-call, so a stream that goes on alone
// becomes ours; one that mixes into a living stream does not, and its keys never count (reliability R19).
func (s *in) challenge(h *header, k kind) bool {
	if k == kindAudio && s.rivalRuns > 0 && h.ssrc == s.rival && h.seq == s.rivalSeq+1 {
		s.rivalRuns++
		s.rivalSeq = h.seq
	} else if k == kindAudio {
		s.rival, s.rivalSeq, s.rivalRuns = h.ssrc, h.seq, 1
	}
	if s.rivalRuns >= ssrcProbation && h.ssrc == s.rival {
		s.lock(h)
		return true
	}
	s.stats.ForeignSSRC++
	return false
}

// measure updates the interarrival jitter (RFC 3550 A.8).
func (s *in) measure(ts uint32, since time.Duration) {
	transit := int32(uint32(since/(time.Second/8000)) - ts)
	if s.transit != 0 {
		d := transit - s.transit
		if d < 0 {
			d = -d
		}
		if d < 8000 { // a second: the sender's clock was set, not the network's delay
			s.jitter += d - (s.jitter+8)>>4
		}
	}
	s.transit = transit
}

// snapshot copies the counters.
func (s *in) snapshot() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.stats
	st.Jitter = time.Duration(s.jitter>>4) * (time.Second / 8000)
	return st
}
