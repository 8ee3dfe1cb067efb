package recordings

import (
	"cmp"
	"slices"
	"time"
)

// entry is what the indexer has to bring into a row.
type entry struct {
	h         header
	state     string // of the row: recording, paused, ready, failed
	pauses    [][2]int
	failure   string
	peaks     []byte
	size      int64 // of the file
	length    int64 // samples
	sum       []byte
	recovered bool // read from a file: it does not know the pauses
}

func (e entry) closed() bool { return e.state == "ready" || e.state == "failed" }

// item is an entry that waits.
type item struct {
	entry
	first time.Time     // when it was tried first; zero: not yet
	next  time.Time     // when it is tried again
	wait  time.Duration // before the try after that
}

// backlog is what the indexer has to do. Guarded by Service.mu.
type backlog struct {
	items map[string]*item // by key: the newest state of each recording
	given map[string]bool  // files given up until the next start
	more  bool             // there may be closed files that no item stands for
}

func newBacklog() backlog { return backlog{items: map[string]*item{}, given: map[string]bool{}} }

// patience says how often and how long the indexer tries.
type patience struct {
	retry  time.Duration // first pause; doubled up to most
	most   time.Duration
	giveUp time.Duration // for the call's row, while the database answers
	rows   int           // may wait in memory, 1000 are 30 MB of waveforms; what is beyond is read again from its file
}

func (p patience) orUsual() patience {
	p.retry = cmp.Or(p.retry, 300*time.Millisecond) // the call's row comes within a second
	p.most = cmp.Or(p.most, time.Minute)
	p.giveUp = cmp.Or(p.giveUp, time.Hour)
	p.rows = cmp.Or(p.rows, 1000)
	return p
}

// index asks for a row. It replaces what is waiting for the same recording.
func (s *Service) index(e entry) {
	s.mu.Lock()
	if e.closed() {
		delete(s.live, e.h.Key)
	}
	old := s.backlog.items[e.h.Key]
	switch {
	case old != nil:
		s.backlog.items[e.h.Key] = &item{entry: e, first: old.first}
	case len(s.backlog.items) < s.cfg.patience.rows:
		s.backlog.items[e.h.Key] = &item{entry: e}
	case e.closed():
		s.backlog.more = true // its file says it all
	}
	s.m.pending.Set(float64(len(s.backlog.items)))
	s.mu.Unlock()
	s.look()
}

// look wakes the indexer.
func (s *Service) look() {
	select {
	case s.wake <- struct{}{}:
	default: // it will look
	}
}

// due gives what may be tried at now, oldest first; everything when now is zero.
func (s *Service) due(now time.Time) (list []*item) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, it := range s.backlog.items {
		if now.IsZero() || !it.next.After(now) {
			list = append(list, it)
		}
	}
	slices.SortFunc(list, func(a, b *item) int { return cmp.Compare(a.h.Key, b.h.Key) })
	return list
}

// wait is how long the indexer may sleep; negative: until it is woken.
func (s *Service) wait(now time.Time) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	least := time.Duration(-1)
	if s.backlog.more {
		least = s.cfg.patience.retry
	}
	for _, it := range s.backlog.items {
		if d := max(0, it.next.Sub(now)); least < 0 || d < least {
			least = d
		}
	}
	return least
}

// settle takes an item away that is done, unless a newer state came meanwhile.
func (s *Service) settle(it *item) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.backlog.items[it.h.Key] == it {
		delete(s.backlog.items, it.h.Key)
	}
	s.m.pending.Set(float64(len(s.backlog.items)))
}

// later puts an item off, or gives it up.
func (s *Service) later(it *item, why error, now time.Time) {
	s.mu.Lock()
	if it.first.IsZero() {
		it.first = now
	}
	lost := now.Sub(it.first) >= s.cfg.patience.giveUp
	if lost && s.backlog.items[it.h.Key] == it {
		delete(s.backlog.items, it.h.Key)
		if it.closed() {
			s.backlog.given[it.h.Key] = true
		}
	}
	it.wait = min(max(2*it.wait, s.cfg.patience.retry), s.cfg.patience.most)
	it.next = now.Add(it.wait)
	s.m.pending.Set(float64(len(s.backlog.items)))
	s.mu.Unlock()
	if lost && it.closed() {
		s.m.orphaned.Inc()
		s.cfg.Log.Error("recording has no call: its row is not written, its file stays and is tried again at the next start",
			"recording", it.h.Key, "call", it.h.Call, "cause", why)
	}
}

// room reports whether the backlog may take files from the disk.
func (s *Service) room() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.backlog.more || len(s.backlog.items) > s.cfg.patience.rows/2 {
		return false
	}
	s.backlog.more = false
	return true
}

// again notes that there are closed files left to look at.
func (s *Service) again() {
	s.mu.Lock()
	s.backlog.more = true
	s.mu.Unlock()
}

// known reports whether somebody cares for the file already.
func (s *Service) known(key string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.live[key] != nil || s.backlog.items[key] != nil || s.backlog.given[key]
}

// give gives up a file until the next start.
func (s *Service) give(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.backlog.given[key] = true
}
