package webrtc

import "sync"

// notifier hands states to Config.OnState in the order they happened. States are control events: none is dropped. The
// queue has no fixed size, but a connection has few states and the number of connections is bounded by logins.
type notifier struct {
	mu    sync.Mutex // guards queue and ended
	queue []toldState
	ended bool

	wake chan struct{} // size 1: a wake-up pending is enough
	done chan struct{}
}

type toldState struct {
	agent string
	st    State
}

// start runs the one goroutine; fn may be nil.
func (n *notifier) start(fn func(string, State)) {
	n.wake, n.done = make(chan struct{}, 1), make(chan struct{})
	go n.run(fn)
}

func (n *notifier) run(fn func(string, State)) {
	defer close(n.done)
	for range n.wake {
		n.mu.Lock()
		batch, ended := n.queue, n.ended
		n.queue = nil
		n.mu.Unlock()
		for _, t := range batch {
			if fn != nil {
				fn(t.agent, t.st)
			}
		}
		if ended {
			return
		}
	}
}

func (n *notifier) put(agent string, st State) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.ended || n.wake == nil {
		return
	}
	n.queue = append(n.queue, toldState{agent, st})
	n.signal()
}

func (n *notifier) signal() {
	select {
	case n.wake <- struct{}{}:
	default:
	}
}

// stop tells what is left and joins the goroutine.
func (n *notifier) stop() {
	n.mu.Lock()
	n.ended = true
	n.signal()
	n.mu.Unlock()
	<-n.done
}
