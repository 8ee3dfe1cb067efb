package phone

import (
	"encoding/json"
	"sync"
	"time"
)

const (
	keepEvents  = 500
	keepFor     = time.Minute // events for replay, replies for repeated requests, sessions without a tab
	maxTabs     = 16          // open at once per login
	maxRequests = 2000        // replies kept per tab; 20 a second for a minute are 1200
	heldEvents  = keepEvents  // events held back while a snapshot is made
	outFrames   = 256
	jobsPerTab  = 64
	maxTabID    = 80
)

// session is one login with all its tabs.
type session struct {
	login string
	id    string // tells a page whether it talks to the same session as before

	mu     sync.Mutex // guards what follows
	seq    int64      // number of the newest event
	events []event    // newest last, numbers without gaps
	tabs   map[string]*tab
	owner  string    // tab that owns the sound; empty: none
	epoch  int       // of the newest media.attach
	seen   time.Time // when any tab last sent something
}

type event struct {
	t   string
	seq int64
	at  time.Time
	d   []byte
}

// tab is one page. It is remembered for a while after its socket closed, so that a repeated request finds its reply.
type tab struct {
	id       string
	sock     *socket // nil: closed
	gone     time.Time
	requests map[string]*request
}

type request struct {
	at    time.Time
	reply []byte // nil: still being served
}

// open counts tabs with a socket. The caller holds mu.
func (s *session) open() int {
	n := 0
	for _, t := range s.tabs {
		if t.sock != nil {
			n++
		}
	}
	return n
}

// send numbers an event, keeps it and queues it for every tab.
func (s *session) send(now time.Time, t string, d []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seq++
	s.events = append(s.events, event{t: t, seq: s.seq, at: now, d: d})
	if over := len(s.events) - keepEvents; over > 0 {
		s.events = append(s.events[:0:0], s.events[over:]...)
	}
	f := eventFrame(t, s.seq, false, d)
	for _, tb := range s.tabs {
		if tb.sock != nil {
			tb.sock.event(f)
		}
	}
}

// missed returns the events after last, or false when some of them are gone. The caller holds mu.
func (s *session) missed(last int64) ([]event, bool) {
	if last <= 0 || last > s.seq {
		return nil, false
	}
	n := int(min(s.seq-last, keepEvents+1))
	if n > len(s.events) {
		return nil, false
	}
	return append([]event(nil), s.events[len(s.events)-n:]...), true
}

// join makes sock the tab's socket. It returns the socket it replaces, if any, and false when there are too many tabs.
func (s *session) join(sock *socket, h hello, now time.Time) (old *socket, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	tb := s.tabs[h.TabID]
	if tb == nil {
		tb = &tab{id: h.TabID, requests: map[string]*request{}}
	}
	if tb.sock == nil && s.open() >= maxTabs {
		return nil, false
	}
	s.tabs[h.TabID] = tb
	old, tb.sock = tb.sock, sock
	s.seen = now
	sock.tab, sock.holding = tb, true
	if last, ok := s.missed(h.LastSeq); ok {
		sock.replay = last
	}
	sock.snapSeq = s.seq
	if h.Owner && s.owner == "" && sock.who.Has(mediaRoles...) {
		s.own(tb.id)
	}
	return old, true
}

// own changes the owner and tells every tab. The caller holds mu.
func (s *session) own(id string) {
	if s.owner == id {
		return
	}
	s.owner = id
	for _, tb := range s.tabs {
		if tb.sock != nil {
			tb.sock.event(s.ownerFrame(tb.id))
		}
	}
}

// ownerFrame tells one tab who owns the sound. The caller holds mu.
func (s *session) ownerFrame(tabID string) []byte {
	d, _ := json.Marshal(map[string]any{"owner": s.owner == tabID && tabID != "", "owner_tab": s.owner})
	return eventFrame("media.owner", 0, false, d)
}

// claim makes a tab the owner. With steal the former owner is told that it lost the sound.
func (s *session) claim(tabID string, steal bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch old := s.tabs[s.owner]; {
	case s.owner == tabID || s.owner == "":
	case !steal:
		return refuse(codeOwned)
	case old != nil && old.sock != nil:
		d, _ := json.Marshal(map[string]any{"epoch": s.epoch, "by": tabID})
		old.sock.event(eventFrame("media.superseded", 0, false, d))
	}
	s.own(tabID)
	return nil
}

// leave forgets a closed socket. A tab that was replaced meanwhile keeps everything.
func (s *session) leave(sock *socket, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	tb := sock.tab
	if tb == nil || tb.sock != sock {
		return
	}
	tb.sock, tb.gone = nil, now
	if s.owner == tb.id {
		s.own("")
	}
}

// begin looks a request up. stored is the kept reply of a repeated one; fresh is false when it needs no serving: it was
// served, or it is being served and its reply will come.
func (s *session) begin(tb *tab, id string, now time.Time) (stored []byte, fresh bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := tb.requests[id]; r != nil && now.Sub(r.at) < keepFor {
		return r.reply, false
	}
	if len(tb.requests) >= maxRequests {
		forget(tb.requests, now)
	}
	tb.requests[id] = &request{at: now}
	return nil, true
}

// finish keeps a reply and sends it to whatever socket the tab has now.
func (s *session) finish(tb *tab, id string, f []byte, keep bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := tb.requests[id]; r != nil {
		if r.reply = f; !keep {
			delete(tb.requests, id)
		}
	}
	if tb.sock != nil {
		tb.sock.put(f)
	}
}

// forget drops old requests, and when none is old, all that have been answered.
func forget(rs map[string]*request, now time.Time) {
	n := len(rs)
	for id, r := range rs {
		if now.Sub(r.at) >= keepFor {
			delete(rs, id)
		}
	}
	if len(rs) < n {
		return
	}
	for id, r := range rs {
		if r.reply != nil {
			delete(rs, id)
		}
	}
}

// beat cuts tabs that have been silent for lost and drops what is old. It reports whether the session may be forgotten.
func (s *session) beat(now time.Time, lost time.Duration) (forgettable bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, tb := range s.tabs {
		forgetOld(tb.requests, now)
		switch {
		case tb.sock != nil && now.Sub(tb.sock.lastSeen()) > lost:
			tb.sock.close(CloseNoHello, "no heartbeat")
		case tb.sock == nil && now.Sub(tb.gone) > keepFor:
			delete(s.tabs, id)
		}
	}
	n := 0
	for n < len(s.events) && now.Sub(s.events[n].at) > keepFor {
		n++
	}
	if n > 0 {
		s.events = append(s.events[:0:0], s.events[n:]...)
	}
	return len(s.tabs) == 0 && now.Sub(s.seen) > max(keepFor, 2*lost)
}

func forgetOld(rs map[string]*request, now time.Time) {
	for id, r := range rs {
		if now.Sub(r.at) >= keepFor {
			delete(rs, id)
		}
	}
}

// saw notes that a tab lives.
func (s *session) saw(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen = now
}

// owns reports whether the tab owns the sound.
func (s *session) owns(tabID string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return tabID != "" && s.owner == tabID
}

// present computes what Desk.Presence should know.
func (s *session) present(now time.Time, lost time.Duration) presence {
	s.mu.Lock()
	defer s.mu.Unlock()
	return presence{online: now.Sub(s.seen) <= lost, tabs: s.open(), owner: s.owner != ""}
}
