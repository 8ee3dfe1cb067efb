package recordings

// pauses is what of a recording is left out. Positions are samples of the file.
//
//	recording --begin--> paused --end--> ending --first sound--> recording
//	                        ^--------------begin----------|
type pauses struct {
	state  pauseState
	from   int64      // of the pause that is on or ending
	until  int64      // what is before is not written
	closed [][2]int64 // in order, not overlapping
}

type pauseState uint8

const (
	recording pauseState = iota
	paused
	ending // resumed, but what was said in the pause may still come
)

// begin says whether a pause begins, at sample now.
func (p *pauses) begin(now int64) bool {
	switch p.state {
	case paused:
		return false
	case ending: // no sound came in between: the same pause
	case recording:
		p.from = now
		if n := len(p.closed); n > 0 && p.closed[n-1][1] >= now { // it was not over yet
			p.from, p.closed = p.closed[n-1][0], p.closed[:n-1]
		}
	}
	p.state = paused
	return true
}

// end says whether a pause ends.
func (p *pauses) end() bool {
	if p.state != paused {
		return false
	}
	p.state = ending
	return true
}

// open gives the first sample that may be written, when sound for pos comes and the file reaches newest. The first sound
// after a pause ends it: a tap places sound half a second before the wall clock at worst, so that slack samples on
// nothing of the pause can come any more, and some is left for what was under way in the network.
func (p *pauses) open(newest, pos int64) int64 {
	switch p.state {
	case paused:
		return 1<<63 - 1
	case ending:
		p.state = recording
		p.until = max(newest, pos) + slack
		p.closed = append(p.closed, [2]int64{p.from, p.until})
	}
	return p.until
}

// list gives the pauses in ms up to the end of the file; one that is on reaches it.
func (p *pauses) list(end int64) [][2]int {
	list := make([][2]int, 0, len(p.closed)+1)
	for _, c := range p.closed {
		if c[0] >= end { // after a failure
			break
		}
		list = append(list, [2]int{ms(min(c[0], end)), ms(min(c[1], end))})
	}
	if p.state != recording {
		list = append(list, [2]int{ms(p.from), ms(end)})
	}
	return list
}

func ms(samples int64) int { return int(samples * 1000 / rate) }
