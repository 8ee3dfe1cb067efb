package sip

import (
	"errors"
	"strconv"
	"strings"
	"sync"
	"time"
)

// The transaction layer of RFC 3261 17 with the corrections of RFC 6026. It is ours, and not sipgo's, because ours
// keeps messages in the order they came, never blocks the goroutine that reads the socket (sipgo hands responses over
// unbuffered and sleeps T2 when a final response is repeated), and takes its timers from the server, not from globals.

// magic starts the branch of everybody who speaks RFC 3261.
const magic = "z9hG4bK"

// errTimeout says that a transaction got no final answer in 64*T1; errTransport that it could not be sent.
var (
	errTimeout   = errors.New("no answer in time")
	errTransport = errors.New("cannot be sent")
)

// txState names follow RFC 3261 figures 5 to 8 and RFC 6026.
type txState uint8

const (
	txProceeding txState = iota // also Trying and Calling: no final response yet
	txCompleted                 // final response sent or received; absorbing repeats
	txConfirmed                 // ACK for a non-2xx final response came
	txAccepted                  // 2xx to INVITE (RFC 6026)
	txTerminated
)

// txLayer keeps the live transactions.
type txLayer struct {
	t1, t2, t4 time.Duration
	met        *metrics

	mu     sync.Mutex // guards what follows
	server map[string]*serverTx
	merge  map[string]*serverTx // INVITEs by Call-ID, From tag and CSeq (RFC 3261 8.2.2.2)
	client map[string]*clientTx
	closed bool
}

func newTxLayer(t1 time.Duration, met *metrics) *txLayer {
	return &txLayer{t1: t1, t2: 8 * t1, t4: 10 * t1, met: met,
		server: map[string]*serverTx{}, merge: map[string]*serverTx{}, client: map[string]*clientTx{}}
}

// close stops all timers and forgets everything.
func (l *txLayer) close() {
	l.mu.Lock()
	l.closed = true
	servers, clients := l.server, l.client
	l.server, l.merge, l.client = map[string]*serverTx{}, map[string]*serverTx{}, map[string]*clientTx{}
	l.mu.Unlock()
	for _, t := range servers {
		t.terminate()
	}
	for _, t := range clients {
		t.terminate()
	}
}

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
