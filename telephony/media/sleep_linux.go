package media

import (
	"time"

	"golang.org/x/sys/unix"
)

// preciseSleep: the runtime's poller waits in whole milliseconds, clock_nanosleep does not.
const preciseSleep = true

// sleepPrecisely sleeps for d, or until a signal comes.
func sleepPrecisely(d time.Duration) {
	ts := unix.NsecToTimespec(int64(d))
	// Its one error of interest, EINTR, needs nothing: the caller looks at the clock.
	_ = unix.ClockNanosleep(unix.CLOCK_MONOTONIC, 0, &ts, nil)
}
