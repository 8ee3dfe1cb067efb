package sip

import (
	"errors"
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
