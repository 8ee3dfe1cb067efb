package phone

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"
	"golang.org/x/time/rate"
)

// Close codes of phone.v1 (agent-desk section 3). Restart is 1012.
const (
	CloseMalformed   websocket.StatusCode = 4400
	CloseNotLoggedIn websocket.StatusCode = 4401
	CloseForbidden   websocket.StatusCode = 4403
	CloseNoHello     websocket.StatusCode = 4408 // also: no heartbeat
	CloseReplaced    websocket.StatusCode = 4409
	CloseTooMany     websocket.StatusCode = 4429
)

const (
	helloLimit  = 5 * time.Second // default of Hub.helloLimit
	writeLimit  = 5 * time.Second // for one frame
	perSecond   = 20              // requests, agent-desk section 3
	burst       = 2 * perSecond
	candsPerTry = 200 // candidates per epoch
)

// socket is one connection of one tab.
type socket struct {
	conn *websocket.Conn
	who  Who
	now  func() time.Time

	out     chan []byte // size outFrames; full: the socket is cut
	jobs    chan frame  // size jobsPerTab; full: refused
	closing chan struct{}
	once    sync.Once
	code    websocket.StatusCode // set before closing is closed
	reason  string
	cut     bool // no closing handshake: the far side does not read

	writing     context.Context // of the writer; ends when the socket is cut, which interrupts a stuck write
	stopWriting context.CancelFunc

	seenAt atomic.Int64 // unix nanoseconds by now()
	limit  *rate.Limiter
	cands  atomic.Int32 // candidates of this epoch

	// What follows is guarded by session.mu, once the socket has joined one.
	tab     *tab
	holding bool // the snapshot is being made: events wait in held
	held    [][]byte
	replay  []event
	snapSeq int64
	topics  map[string]bool
}

func newSocket(conn *websocket.Conn, who Who, now func() time.Time) *socket {
	s := &socket{conn: conn, who: who, now: now, out: make(chan []byte, outFrames), jobs: make(chan frame, jobsPerTab),
		closing: make(chan struct{}), limit: rate.NewLimiter(perSecond, burst), topics: map[string]bool{}}
	s.writing, s.stopWriting = context.WithCancel(context.Background())
	s.alive()
	return s
}

func (s *socket) alive() { s.seenAt.Store(s.now().UnixNano()) }

func (s *socket) lastSeen() time.Time { return time.Unix(0, s.seenAt.Load()) }

// close asks the writer to send what is queued, say goodbye and end. The first call decides. It never blocks.
func (s *socket) close(code websocket.StatusCode, reason string) {
	s.once.Do(func() {
		s.code, s.reason = code, reason
		close(s.closing)
	})
}

// drop ends the socket without goodbye: the far side does not read, or is gone.
func (s *socket) drop(reason string) {
	s.once.Do(func() {
		s.code, s.reason, s.cut = websocket.StatusAbnormalClosure, reason, true
		close(s.closing)
		s.stopWriting()
	})
}

// put queues a frame. A reader so slow that the queue is full is cut: it comes back and gets a snapshot.
func (s *socket) put(f []byte) {
	select {
	case <-s.closing:
		return
	default:
	}
	select {
	case s.out <- f:
	default:
		s.drop("reader too slow")
	}
}

// event queues an event, or holds it back while the snapshot is made. The caller holds session.mu.
func (s *socket) event(f []byte) {
	if !s.holding {
		s.put(f)
		return
	}
	if s.held = append(s.held, f); len(s.held) > heldEvents {
		s.drop("too many events during the snapshot")
	}
}

// figures queues live figures unless events would suffer.
func (s *socket) figures(f []byte) {
	if len(s.out) < cap(s.out)/2 {
		s.put(f)
	}
}

// welcome sends the missed events, the state and what was held back. The caller holds session.mu.
func (s *socket) welcome(f []byte) {
	for _, e := range s.replay {
		s.put(eventFrame(e.t, e.seq, true, e.d))
	}
	s.put(f)
	for _, h := range s.held {
		s.put(h)
	}
	s.holding, s.held, s.replay = false, nil, nil
}

// write is the writer goroutine.
func (s *socket) write() {
	defer s.stopWriting()
	for {
		select {
		case f := <-s.out:
			if !s.send(f) {
				return
			}
		case <-s.closing:
			if s.cut {
				_ = s.conn.CloseNow()
				return
			}
			for len(s.out) > 0 {
				if !s.send(<-s.out) {
					return
				}
			}
			_ = s.conn.Close(s.code, s.reason)
			return
		}
	}
}

func (s *socket) send(f []byte) bool {
	ctx, cancel := context.WithTimeout(s.writing, writeLimit)
	defer cancel()
	if err := s.conn.Write(ctx, websocket.MessageText, f); err != nil {
		s.drop("write")
		_ = s.conn.CloseNow()
		return false
	}
	return true
}

// drain reads and ignores until the socket ends: without a reader the closing handshake would wait in vain.
func (s *socket) drain(ctx context.Context) {
	for {
		if _, _, err := s.conn.Read(ctx); err != nil {
			return
		}
	}
}

// read is the reader: it hands every frame to take until the socket ends or take, having closed it, returns false.
func (s *socket) read(ctx context.Context, take func(frame) bool) {
	for {
		kind, data, err := s.conn.Read(ctx)
		if err != nil {
			s.ended(err)
			return
		}
		s.alive()
		f, err := parseFrame(data)
		if kind != websocket.MessageText || len(data) > maxFrame || err != nil {
			s.close(CloseMalformed, "malformed frame")
			s.drain(ctx)
			return
		}
		if !take(f) {
			s.drain(ctx)
			return
		}
	}
}

// ended notes why reading stopped.
func (s *socket) ended(err error) {
	if ce, ok := errors.AsType[websocket.CloseError](err); ok {
		s.drop("page closed: " + ce.Code.String())
		return
	}
	s.drop("connection lost")
}
