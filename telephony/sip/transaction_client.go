package sip

import (
	"errors"
	"sync"
	"time"
)

// clientTx carries one request of ours.
type clientTx struct {
	layer    *txLayer
	key      string
	invite   bool
	request  []byte
	ack      func(res *message) []byte // INVITE: the ACK for a non-2xx final response
	out      hop
	reliable bool
	// on hears every response in order and, at the end without a final one, an error. It runs on the goroutine that
	// reads the socket or a timer's: it must only hand over.
	on func(res *message, err error)

	mu          sync.Mutex // guards what follows
	state       txState
	provisional bool
	acked       []byte
	interval    time.Duration
	repeat      *time.Timer // A, E
	end         *time.Timer // B, D, F, K, M
}

// send starts a client transaction. An error is told by on as well, never both by the return value.
func (l *txLayer) send(t *clientTx, branch, method string) {
	t.layer, t.key, t.invite, t.reliable = l, branch+"\x00"+method, method == "INVITE", t.out.reliable()
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		t.on(nil, errTransport)
		return
	}
	l.client[t.key] = t
	l.mu.Unlock()

	t.mu.Lock()
	err := t.out.send(t.request)
	if err == nil {
		if !t.reliable {
			t.interval = l.t1
			t.repeat = time.AfterFunc(t.interval, t.again)
		}
		t.end = time.AfterFunc(64*l.t1, t.expire)
	}
	t.mu.Unlock()
	if err != nil {
		t.drop()
		t.on(nil, errors.Join(errTransport, err))
	}
}

// again is timers A and E (RFC 3261 17.1.1.2, 17.1.2.2).
func (t *clientTx) again() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.state != txProceeding || t.invite && t.provisional {
		return
	}
	t.layer.met.resent.WithLabelValues("out").Inc()
	_ = t.out.send(t.request)
	t.interval *= 2
	if !t.invite {
		t.interval = min(t.interval, t.layer.t2)
		if t.provisional {
			t.interval = t.layer.t2
		}
	}
	t.repeat.Reset(t.interval)
}

// expire is timers B and F before a final response, D, K and M after it.
func (t *clientTx) expire() {
	t.mu.Lock()
	open := t.state == txProceeding
	t.mu.Unlock()
	t.drop()
	if open {
		t.on(nil, errTimeout)
	}
}

// receive handles a response.
func (l *txLayer) receive(m *message) bool {
	branch := m.vias[0].branch()
	l.mu.Lock()
	t := l.client[branch+"\x00"+m.method]
	l.mu.Unlock()
	if t == nil {
		return false
	}
	t.response(m)
	return true
}

func (t *clientTx) response(m *message) {
	t.mu.Lock()
	tell := false
	switch {
	case m.status < 200:
		if t.state == txProceeding {
			tell = true
			if !t.provisional && t.invite && t.end != nil {
				t.end.Stop() // B ends here; the ring time-out is the caller's
			}
			t.provisional = true
		}
	case t.invite && m.status < 300:
		if t.state == txProceeding {
			t.settle(txAccepted, 64*t.layer.t1) // M
		}
		tell = t.state == txAccepted // repeated and forked 2xx are the owner's to acknowledge
	case t.state == txProceeding:
		tell = true
		switch {
		case t.invite:
			t.acked = t.ack(m)
			_ = t.out.send(t.acked)
			t.settle(txCompleted, 64*t.layer.t1) // D
		default:
			t.settle(txCompleted, t.layer.t4) // K
		}
	case t.state == txCompleted && t.acked != nil:
		t.layer.met.resent.WithLabelValues("in").Inc()
		_ = t.out.send(t.acked)
	}
	t.mu.Unlock()
	if tell {
		t.on(m, nil)
	}
}

// settle enters a state after a final response. Called with mu held.
func (t *clientTx) settle(state txState, linger time.Duration) {
	t.state = state
	if t.repeat != nil {
		t.repeat.Stop()
	}
	if t.reliable && state == txCompleted {
		linger = 0
	}
	t.end.Stop()
	t.end = time.AfterFunc(linger, t.expire)
}

// forget ends a transaction that has no final response yet: after a provisional one no timer would (RFC 3261 9.1).
func (t *clientTx) forget() {
	t.mu.Lock()
	open := t.state == txProceeding
	t.mu.Unlock()
	if open {
		t.drop()
	}
}

func (t *clientTx) drop() {
	t.terminate()
	t.layer.mu.Lock()
	defer t.layer.mu.Unlock()
	if t.layer.client[t.key] == t {
		delete(t.layer.client, t.key)
	}
}

func (t *clientTx) terminate() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.state = txTerminated
	if t.repeat != nil {
		t.repeat.Stop()
	}
	if t.end != nil {
		t.end.Stop()
	}
}
