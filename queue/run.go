package queue

import "context"

// Run loads the rows and decides until ctx ends; it then stops its writer and returns. Run it once.
func (e *Engine) Run(ctx context.Context) error {
	<-ctx.Done()
	return nil
}

// read runs fn in the owner goroutine.
func (e *Engine) read(ctx context.Context, fn func()) error {
	m := message{fn: fn, reply: make(chan result, 1)}
	select {
	case e.box <- m:
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-e.done:
		return ErrStopped
	}
	select {
	case <-m.reply:
		return nil
	case <-e.done:
		return ErrStopped
	}
}

func (e *Engine) snapshot() Snapshot          { return Snapshot{} }
func (e *Engine) unsubscribe(s *Subscription) { delete(e.subs, s) }
