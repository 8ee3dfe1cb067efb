package media

import (
	"encoding/binary"

	"hotline/telephony"
)

// keys finds telephone keys in telephone-event packets (RFC 4733). One key is many packets with one timestamp, the end
// sent three times; each key is reported once, when its first packet comes, and if only its end comes, then.
type keys struct {
	any   bool
	ended bool
	event uint8
	ts    uint32 // of the key in hand, or of its running segment
	dur   uint32 // longest duration seen
}

// slack is how far a new key may begin before the old one's stated end: some senders round up.
const slack = frameSamples

// take reads one event payload and returns the key that it presses, or 0.
func (k *keys) take(p []byte, ts uint32) byte {
	if len(p) < 4 || p[0] > 15 { // 0-15 are the keys (RFC 4733 table 7); others are signals we do not use
		return 0
	}
	event, end, dur := p[0], p[1]&0x80 != 0, uint32(binary.BigEndian.Uint16(p[2:]))
	if k.any {
		ahead := int32(ts - k.ts)
		switch {
		case ahead == 0: // another packet of the key in hand, whatever it says
			k.dur = max(k.dur, dur)
			k.ended = k.ended || end
			return 0
		case ahead < 0: // an old key comes late, or again
			return 0
		case event == k.event && !k.ended && uint32(ahead) <= k.dur+slack:
			// A long key goes on in a new segment (RFC 4733 2.5.1.3), or a sender moves the timestamp with each packet.
			k.ts, k.dur, k.ended = ts, dur, end
			return 0
		case uint32(ahead)+slack < k.dur: // lies inside the last key: two keys cannot overlap
			return 0
		}
	}
	*k = keys{any: true, ended: end, event: event, ts: ts, dur: dur}
	return telephony.Keys[event] // same order: 0-9, *, #, A-D
}
