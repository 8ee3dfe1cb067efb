package asterisk

import "time"

// offset is how far Asterisk's clock is ahead of ours. A measurement is wrong by up to half the time that its request took,
// which on a busy machine is many milliseconds; so the quickest of the recent ones counts. The zero value has none yet.
type offset struct {
	by   time.Duration
	took time.Duration // of the one that counts, a quarter more for each one since: clocks drift
}

// measured takes a measurement in.
func (o offset) measured(by, took time.Duration) offset {
	if o.took == 0 || took <= o.took {
		return offset{by, max(took, time.Microsecond)}
	}
	o.took += o.took / 4
	return o
}
