package media

import (
	"math/bits"
	"time"
)

// mixPlan is what the mixer does each frame: an immutable table but for its work space, which the Pacer's goroutine
// owns. Bit i of a set means ears[i].
type mixPlan struct {
	ears []*jitter // parties who are heard together with others
	outs []mixOut  // who hears several voices, or none; sorted by set and law, so that equal ones are made once
	taps []mixTap  // channels with several voices
	room *Room     // the voice of such a channel

	pcm   [][frameSamples]int16
	total [frameSamples]int32
	sum   [frameSamples]int32
	lin   [frameSamples]int16
	buf   [headerSize + frameSamples]byte
}

type mixOut struct {
	to   *Endpoint
	feed *feed
	set  uint64
}

type mixTap struct {
	state *tapState
	ch    int
	set   uint64
}

// run makes and sends frame n.
func (p *mixPlan) run(n int64, at time.Time) {
	active := p.listen()
	have, haveLaw, first := uint64(0), Law(0), true
	for i := range p.outs {
		o := &p.outs[i]
		law, set := o.to.Law(), o.set&active
		if first || set != have || law != haveLaw {
			p.mix(set, active)
			law.Encode(p.buf[headerSize:], p.lin[:])
			have, haveLaw, first = set, law, false
		}
		o.to.out.frame(o.feed, p.buf[:], uint8(law), n, o.to.since(at))
	}
	for i := range p.taps {
		t := &p.taps[i]
		if set := t.set & active; set != 0 {
			p.mix(set, active)
			PCMA.Encode(p.buf[headerSize:], p.lin[:])
			said := at.Add(-depthTarget * time.Second / 8000)
			t.state.frame(t.ch, p.room, uint8(PCMA), 0, uint32(n)*frameSamples, said, p.buf[headerSize:])
		}
	}
}

// listen takes a frame from every ear; the set of those with something to hear.
func (p *mixPlan) listen() (active uint64) {
	clear(p.total[:])
	for i, j := range p.ears {
		if !j.take(&p.pcm[i]) {
			continue
		}
		active |= 1 << i
		for k, v := range p.pcm[i] {
			p.total[k] += int32(v)
		}
	}
	return active
}

// mix leaves the sum of a set in p.lin: everything, everything but one (mix-minus), or added up.
func (p *mixPlan) mix(set, active uint64) {
	rest := active &^ set
	switch {
	case rest == 0:
		for k, v := range p.total {
			p.lin[k] = clip16(v)
		}
	case bits.OnesCount64(rest) == 1:
		own := &p.pcm[bits.TrailingZeros64(rest)]
		for k, v := range p.total {
			p.lin[k] = clip16(v - int32(own[k]))
		}
	default:
		clear(p.sum[:])
		for s := set; s != 0; s &= s - 1 {
			for k, v := range p.pcm[bits.TrailingZeros64(s)] {
				p.sum[k] += int32(v)
			}
		}
		for k, v := range p.sum {
			p.lin[k] = clip16(v)
		}
	}
}

// mixer is a room's task on the Pacer; it is over when the room has no plan for it any more.
type mixer struct{ room *Room }

// frame implements task.
func (m *mixer) frame(n int64, at time.Time) bool {
	if p := m.room.plan.Load(); p != nil {
		p.run(n, at)
		return true
	}
	return m.room.keepMixing()
}

// abandon implements task.
func (m *mixer) abandon(error) {}
