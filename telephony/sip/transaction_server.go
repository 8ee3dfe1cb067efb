package sip

import (
	"strconv"
	"strings"
	"sync"
	"time"
)

// serverKey matches repeated requests, ACK and CANCEL to their transaction (RFC 3261 17.2.3).
func serverKey(m *message, method string) string {
	if method == "ACK" {
		method = "INVITE"
	}
	v := &m.vias[0]
	branch := v.branch()
	if strings.HasPrefix(branch, magic) && len(branch) > len(magic) {
		return branch + "\x00" + strings.ToLower(v.host) + ":" + strconv.Itoa(v.port) + "\x00" + method
	}
	return m.from.tag() + "\x00" + m.callID + "\x00" + strconv.Itoa(int(m.cseq)) + "\x00" + v.text + "\x00" + m.uri +
		"\x00" + method
}

func mergeKey(m *message) string {
	return m.callID + "\x00" + m.from.tag() + "\x00" + strconv.Itoa(int(m.cseq))
}

// serverTx answers one request.
type serverTx struct {
	layer    *txLayer
	req      *message
	key      string
	out      hop
	reliable bool
	leg      *Leg // whose INVITE this is; nil: none. Set before the transaction is published.

	mu       sync.Mutex // guards what follows
	state    txState
	last     []byte // the last response, to repeat
	code     int    // its status
	interval time.Duration
	repeat   *time.Timer // G
	end      *time.Timer // H, I, J, L
}

// serve opens a transaction. False: it exists already, or the layer is closed.
func (l *txLayer) serve(m *message, out hop, leg *Leg) (*serverTx, bool) {
	t := &serverTx{layer: l, req: m, key: serverKey(m, m.method), out: out, reliable: out.reliable(), leg: leg}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed || l.server[t.key] != nil {
		return nil, false
	}
	l.server[t.key] = t
	if m.method == "INVITE" && m.to.tag() == "" {
		l.merge[mergeKey(m)] = t
	}
	return t, true
}

func (l *txLayer) findServer(m *message, method string) *serverTx {
	key := serverKey(m, method)
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.server[key]
}

// merged reports whether the same INVITE came another way already, with another branch, and was not refused.
func (l *txLayer) merged(m *message) bool {
	l.mu.Lock()
	t := l.merge[mergeKey(m)]
	l.mu.Unlock()
	return t != nil && t.key != serverKey(m, m.method) && t.final() < 300
}

// respond sends a response and keeps it for repeats. code is its status.
func (t *serverTx) respond(b []byte, code int) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.state == txAccepted && code/100 == 2 {
		t.layer.met.resent.WithLabelValues("out").Inc()
		return t.out.send(b) // repeated by its owner until the ACK
	}
	if t.state != txProceeding {
		return nil
	}
	t.last, t.code = b, code
	t.layer.met.response("out", code)
	err := t.out.send(b)
	if code < 200 {
		return err
	}
	switch {
	case t.req.method == "INVITE" && code < 300:
		t.state = txAccepted
		t.end = time.AfterFunc(64*t.layer.t1, t.drop) // L
	case t.req.method == "INVITE":
		t.state = txCompleted
		if !t.reliable {
			t.interval = t.layer.t1
			t.repeat = time.AfterFunc(t.interval, t.again) // G
		}
		t.end = time.AfterFunc(64*t.layer.t1, t.drop) // H
	case t.reliable:
		t.state = txTerminated
		go t.drop() // J is zero; not here, since drop takes the layer's lock
	default:
		t.state = txCompleted
		t.end = time.AfterFunc(64*t.layer.t1, t.drop) // J
	}
	return err
}

// again is timer G.
func (t *serverTx) again() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.state != txCompleted {
		return
	}
	t.layer.met.resent.WithLabelValues("out").Inc()
	_ = t.out.send(t.last)
	t.interval = min(2*t.interval, t.layer.t2)
	t.repeat.Reset(t.interval)
}

// repeated handles the same request coming again.
func (t *serverTx) repeated() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.layer.met.resent.WithLabelValues("in").Inc()
	if t.last != nil && t.state != txAccepted && t.state != txConfirmed {
		t.layer.met.resent.WithLabelValues("out").Inc()
		_ = t.out.send(t.last)
	}
}

// ack handles the ACK for a final response other than 2xx.
func (t *serverTx) ack() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.state != txCompleted {
		return
	}
	t.state = txConfirmed
	if t.repeat != nil {
		t.repeat.Stop()
	}
	wait := t.layer.t4 // I
	if t.reliable {
		wait = 0
	}
	t.end.Reset(wait)
}

// final reports the final status sent; 0: none yet.
func (t *serverTx) final() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.code >= 200 {
		return t.code
	}
	return 0
}

// drop ends the transaction and forgets it.
func (t *serverTx) drop() {
	t.terminate()
	l := t.layer
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.server[t.key] == t {
		delete(l.server, t.key)
	}
	if t.req.method == "INVITE" {
		if k := mergeKey(t.req); l.merge[k] == t {
			delete(l.merge, k)
		}
	}
}

func (t *serverTx) terminate() {
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
