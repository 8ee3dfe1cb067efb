package asterisk

import (
	"context"
	"sync"
)

// crowd counts goroutines. Unlike a sync.WaitGroup it takes new ones while somebody waits, until it is shut.
type crowd struct {
	mu     sync.Mutex // guards what follows
	n      int
	closed bool
	empty  chan struct{} // closed when n falls to 0; nil: nobody waits
}

// run starts f in a goroutine. False: the crowd is shut.
func (c *crowd) run(f func()) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return false
	}
	c.n++
	go func() {
		defer c.done()
		f()
	}()
	return true
}

func (c *crowd) done() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n--; c.n == 0 && c.empty != nil {
		close(c.empty)
		c.empty = nil
	}
}

// shut lets nobody in any more.
func (c *crowd) shut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
}

// wait waits until nobody is left. False: ctx ended first.
func (c *crowd) wait(ctx context.Context) bool {
	for {
		c.mu.Lock()
		if c.n == 0 {
			c.mu.Unlock()
			return true
		}
		if c.empty == nil {
			c.empty = make(chan struct{})
		}
		empty := c.empty
		c.mu.Unlock()
		select {
		case <-empty:
		case <-ctx.Done():
			return false
		}
	}
}
