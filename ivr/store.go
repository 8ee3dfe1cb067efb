package ivr

import (
	"sync"
	"sync/atomic"
)

// Store keeps the last good set of a folder. Current may be called from anywhere; calls hold on to the set they began
// with, which the garbage collector drops with the last of them.
type Store struct {
	dir  string
	opt  Options
	cur  atomic.Pointer[Set]
	mu   sync.Mutex // one Reload at a time; guards last
	last []Problem
}

// NewStore makes a store over a folder. It is empty until Reload succeeds.
func NewStore(dir string, opt Options) *Store { return &Store{dir: dir, opt: opt} }

// Current is the last good set, nil before the first.
func (s *Store) Current() *Set { return s.cur.Load() }

// Dir is the folder the store reads.
func (s *Store) Dir() string { return s.dir }

// Reload reads the folder again. On an error the old set stays and the problems say why.
func (s *Store) Reload() []Problem {
	s.mu.Lock()
	defer s.mu.Unlock()
	set, probs := Load(s.dir, s.opt)
	s.last = probs
	if set != nil {
		s.cur.Store(set)
	}
	return probs
}

// SetQueues changes what the next Reload checks queue names against.
func (s *Store) SetQueues(names map[string]bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.opt.Queues = names
}

// Problems are those of the last Reload.
func (s *Store) Problems() []Problem {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Problem(nil), s.last...)
}
