package media

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// counting is a task that notes its frames and ends after some.
type counting struct {
	mu    sync.Mutex
	n     []int64
	at    []time.Time
	when  []time.Time
	limit int
	gone  error
	hold  time.Duration
	began chan struct{} // closed at the first frame, if not nil
}

func (c *counting) frame(n int64, at time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n, c.at, c.when = append(c.n, n), append(c.at, at), append(c.when, time.Now())
	if len(c.n) == 1 && c.began != nil {
		close(c.began)
	}
	if len(c.n) == 5 {
		time.Sleep(c.hold)
	}
	return c.limit == 0 || len(c.n) < c.limit
}

func (c *counting) abandon(err error) { c.gone = err }

// TestPacerDoesNotDrift runs five minutes of virtual time.
func TestPacerDoesNotDrift(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := NewPacer(PacerConfig{Timers: true})
		p.Start()
		time.Sleep(12345 * time.Microsecond)
		tasks := make([]*counting, 30)
		for i := range tasks {
			tasks[i] = &counting{limit: 300 * 50}
			must(t, p.add(tasks[i]))
		}
		time.Sleep(301 * time.Second)
		synctest.Wait()
		p.Close()
		perPhase := map[int64]int{}
		for i, c := range tasks {
			if len(c.n) != c.limit {
				t.Fatalf("task %d: %d frames", i, len(c.n))
			}
			for k := range c.n {
				if c.n[k] != int64(k) || !c.at[k].Equal(c.at[0].Add(time.Duration(k)*frameTime)) || !c.when[k].Equal(c.at[k]) {
					t.Fatalf("task %d: frame %d is number %d at %v, deadline %v", i, k, c.n[k], c.when[k], c.at[k])
				}
			}
			perPhase[c.at[0].UnixMilli()%buckets]++
		}
		for ph, n := range perPhase {
			if n > 2 {
				t.Errorf("%d of 30 tasks share phase %d", n, ph)
			}
		}
	})
}

// TestPacerCatchesUp blocks the clock: a short while is caught up frame by frame, a long one is left out.
func TestPacerCatchesUp(t *testing.T) {
	for _, c := range []struct {
		hold time.Duration
		want int64 // number of the sixth frame
	}{{100 * time.Millisecond, 5}, {time.Second, 54}} {
		synctest.Test(t, func(t *testing.T) {
			p := NewPacer(PacerConfig{Timers: true})
			p.Start()
			task := &counting{hold: c.hold, limit: 100}
			must(t, p.add(task))
			time.Sleep(10 * time.Second)
			synctest.Wait()
			p.Close()
			if len(task.n) != 100 {
				t.Fatalf("%d frames", len(task.n))
			}
			if got := task.n[5]; got < c.want || got > c.want+1 {
				t.Errorf("after %v the next frame is %d, want %d", c.hold, got, c.want)
			}
			if last := task.at[99].Sub(task.at[0]); last != time.Duration(task.n[99])*frameTime {
				t.Errorf("frame %d at %v", task.n[99], last)
			}
		})
	}
}

func TestPacerEnds(t *testing.T) {
	p := NewPacer(PacerConfig{})
	c := &counting{began: make(chan struct{})}
	must(t, p.add(c))
	ctx, cancel := context.WithCancel(context.Background())
	res := make(chan error, 1)
	go func() { res <- p.Run(ctx) }()
	<-c.began
	if err := p.Run(ctx); err == nil {
		t.Error("ran twice")
	}
	cancel()
	must(t, <-res)
	if !errors.Is(c.gone, ErrNoPacer) {
		t.Errorf("the task was not told: %v", c.gone)
	}
	if err := p.add(c); !errors.Is(err, ErrNoPacer) {
		t.Errorf("added to a stopped clock: %v", err)
	}
	p.Close()
	p.Close()
	q := NewPacer(PacerConfig{})
	must(t, q.add(c))
	q.Close()
	q.Start()
	q.Close()
}
