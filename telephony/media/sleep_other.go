//go:build !linux

package media

import "time"

const preciseSleep = false

// sleepPrecisely is never called here.
func sleepPrecisely(d time.Duration) { time.Sleep(d) }
