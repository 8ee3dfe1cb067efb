package media

import (
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// TestMediaTimeout lets media stop, come back and stop, and rest while held.
func TestMediaTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex // the time-out runs in a goroutine of its own each time
		var fired []time.Duration
		begin := time.Now()
		e := NewEndpoint(EndpointConfig{
			MediaTimeout: 10 * time.Second,
			OnMediaTimeout: func() {
				mu.Lock()
				defer mu.Unlock()
				fired = append(fired, time.Since(begin))
			},
		})
		talk := func(d time.Duration) {
			for end := time.Now().Add(d); time.Now().Before(end); {
				e.Receive(audio(uint16(time.Since(begin)/frameTime), 7), time.Now())
				time.Sleep(frameTime)
			}
		}
		talk(15 * time.Second)          // last packet at 14.98 s
		time.Sleep(60 * time.Second)    // fires at 24.98 s, once
		talk(time.Second)               // 75 to 76 s
		time.Sleep(20 * time.Second)    // fires again
		e.Configure(Format{Send: true}) // held: 96 s
		time.Sleep(time.Hour)
		e.Configure(Format{Send: true, Recv: true})
		time.Sleep(9 * time.Second)
		synctest.Wait()
		mu.Lock()
		defer mu.Unlock()
		if len(fired) != 2 {
			t.Fatalf("fired at %v", fired)
		}
		if d := fired[0] - 24980*time.Millisecond; d < 0 || d > time.Second {
			t.Errorf("fired at %v, want 24.98 s", fired[0])
		}
		if fired[1] < 85900*time.Millisecond || fired[1] > 96*time.Second {
			t.Errorf("fired again at %v, want 85.98 s or up to one time-out later", fired[1])
		}
		mu.Unlock()
		time.Sleep(2 * time.Second)
		synctest.Wait()
		mu.Lock()
		if len(fired) != 3 {
			t.Errorf("silence after a hold did not count: %v", fired)
		}
		e.Close()
		time.Sleep(time.Hour)
	})
}

// TestMediaTimeoutWithoutMedia fires when nothing ever comes.
func TestMediaTimeoutWithoutMedia(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var fired atomic.Int32
		e := NewEndpoint(EndpointConfig{MediaTimeout: 5 * time.Second, OnMediaTimeout: func() { fired.Add(1) }})
		time.Sleep(4900 * time.Millisecond)
		synctest.Wait()
		if fired.Load() != 0 {
			t.Error("too soon")
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if n := fired.Load(); n != 1 {
			t.Errorf("fired %d times", n)
		}
		e.Close()
	})
}
