package httpapi

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// maxBuckets bounds the memory of the limiter. When it is full of busy ones, newcomers share one bucket.
const maxBuckets = 20000

// limiter is a token bucket per subject.
type limiter struct {
	rate  rate.Limit
	burst int
	now   func() time.Time

	mu      sync.Mutex // guards buckets, shared, swept
	buckets map[string]*bucket
	shared  *rate.Limiter
	swept   time.Time
}

type bucket struct {
	*rate.Limiter
	used time.Time
}

func newLimiter(r rate.Limit, burst int, now func() time.Time) *limiter {
	if now == nil {
		now = time.Now
	}
	return &limiter{rate: r, burst: burst, now: now, buckets: map[string]*bucket{}, shared: rate.NewLimiter(r*10, burst*10)}
}

// take takes one token. wait is how long to wait when there is none.
func (l *limiter) take(subject string) (wait time.Duration, ok bool) {
	now := l.now()
	l.mu.Lock()
	lim := l.bucket(subject, now)
	l.mu.Unlock()
	r := lim.ReserveN(now, 1)
	if wait = r.DelayFrom(now); wait > 0 {
		r.CancelAt(now)
		return wait, false
	}
	return 0, true
}

// bucket finds or makes the bucket of a subject. The caller holds mu.
func (l *limiter) bucket(subject string, now time.Time) *rate.Limiter {
	if b, ok := l.buckets[subject]; ok {
		b.used = now
		return b.Limiter
	}
	if len(l.buckets) >= maxBuckets && now.Sub(l.swept) > time.Second {
		l.swept = now
		for k, b := range l.buckets {
			if now.Sub(b.used) > time.Minute { // full again by then
				delete(l.buckets, k)
			}
		}
	}
	if len(l.buckets) >= maxBuckets {
		return l.shared
	}
	b := &bucket{Limiter: rate.NewLimiter(l.rate, l.burst), used: now}
	l.buckets[subject] = b
	return b.Limiter
}
