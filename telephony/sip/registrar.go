package sip

import (
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Bounds on registrations of desk phones.
const (
	minExpires     = 60 * time.Second
	maxExpires     = time.Hour
	maxBindings    = 5     // of one user
	maxRegistrants = 10000 // users
)

// registrar knows where desk phones are (RFC 3261 10.3). Its memory does not survive a restart; phones come again.
type registrar struct {
	now  func() time.Time
	met  *metrics
	hear func(user string, up bool)

	mu    sync.Mutex // guards what follows
	users map[string][]Registration
	from  map[netip.AddrPort]int // bindings by source
}

func newRegistrar(now func() time.Time, met *metrics, hear func(string, bool)) *registrar {
	return &registrar{now: now, met: met, hear: hear, users: map[string][]Registration{}, from: map[netip.AddrPort]int{}}
}

// at reports whether a phone is registered from exactly there.
func (r *registrar) at(a netip.AddrPort) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.from[a] > 0
}

// get gives a user's freshest binding that has not expired.
func (r *registrar) get(user string) (Registration, bool) {
	now := r.now()
	r.mu.Lock()
	defer r.mu.Unlock()
	list := r.users[user]
	for i := len(list) - 1; i >= 0; i-- {
		if list[i].Expires.After(now) {
			return list[i], true
		}
	}
	return Registration{}, false
}

func (r *registrar) all() []Registration {
	now := r.now()
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []Registration
	for _, list := range r.users {
		for _, b := range list {
			if b.Expires.After(now) {
				out = append(out, b)
			}
		}
	}
	return out
}

// set replaces a user's bindings. Called with mu held; returns what to tell.
func (r *registrar) set(user string, list []Registration) (tell, up bool) {
	old := r.users[user]
	for _, b := range old {
		if r.from[b.Remote]--; r.from[b.Remote] <= 0 {
			delete(r.from, b.Remote)
		}
	}
	for _, b := range list {
		r.from[b.Remote]++
	}
	if len(list) == 0 {
		delete(r.users, user)
	} else {
		r.users[user] = list
	}
	r.met.registrations.Set(float64(len(r.users)))
	return (len(old) == 0) != (len(list) == 0), len(list) > 0
}

// change applies f to a user's bindings and tells who listens.
func (r *registrar) change(user string, f func([]Registration) []Registration) {
	r.mu.Lock()
	list := f(append([]Registration(nil), r.users[user]...))
	if len(r.users) >= maxRegistrants && r.users[user] == nil {
		list = nil
	}
	tell, up := r.set(user, list)
	r.mu.Unlock()
	if tell && r.hear != nil {
		r.hear(user, up)
	}
}

// sweep drops what has expired.
func (r *registrar) sweep() {
	now := r.now()
	r.mu.Lock()
	var due []string
	for user, list := range r.users {
		for _, b := range list {
			if !b.Expires.After(now) {
				due = append(due, user)
				break
			}
		}
	}
	r.mu.Unlock()
	for _, user := range due {
		r.change(user, func(list []Registration) []Registration {
			kept := list[:0]
			for _, b := range list {
				if b.Expires.After(now) {
					kept = append(kept, b)
				}
			}
			return kept
		})
	}
}

// Registration tells where a desk phone is; false: nowhere.
func (s *Server) Registration(user string) (Registration, bool) { return s.registrar.get(user) }

// Registrations lists all bindings of desk phones, in no order.
func (s *Server) Registrations() []Registration { return s.registrar.all() }

// register handles REGISTER. It runs on a guest worker, since the password may have to be fetched.
func (s *Server) register(m *message, from hop, limit int) {
	if t := s.tx.findServer(m, "REGISTER"); t != nil {
		t.repeated()
		return
	}
	if !m.has("Authorization") {
		s.met.refuse("credential")
		s.challenge(m, from, false, limit)
		return
	}
	v := s.auth.verify(s.run, m, from.addr.Addr())
	to, _ := userPart(m.to)
	if !v.ok || to != v.user {
		s.challenge(m, from, v.stale, limit)
		return
	}
	t, ok := s.tx.serve(m, back(m, from), nil)
	if !ok {
		return
	}
	s.bind(m, from, v.user, t)
}

// bind changes the bindings as an authenticated REGISTER asks and answers it.
func (s *Server) bind(m *message, from hop, user string, t *serverTx) {
	asked := maxExpires
	if n, ok := number(m.get("Expires"), 1<<32-1); ok {
		asked = time.Duration(n) * time.Second
	}
	if m.star {
		if asked != 0 || len(m.contacts) > 0 {
			s.answer(t, 400, "Bad Contact")
			return
		}
		s.registrar.change(user, func([]Registration) []Registration { return nil })
	}
	now := s.cfg.Now()
	expires := make([]time.Duration, len(m.contacts))
	for i, c := range m.contacts {
		expires[i] = asked
		if v, ok := c.params.get("expires"); ok {
			if n, ok := number(v, 1<<32-1); ok {
				expires[i] = time.Duration(n) * time.Second
			}
		}
		if c.kind != uriSIP {
			s.answer(t, 400, "Bad Contact")
			return
		}
		if expires[i] > 0 && expires[i] < minExpires {
			s.met.refuse("interval")
			s.answer(t, 423, "", field{"Min-Expires", seconds(minExpires)})
			return
		}
		expires[i] = min(expires[i], maxExpires)
	}
	if len(m.contacts) > 0 {
		s.registrar.change(user, func(list []Registration) []Registration {
			for i, c := range m.contacts {
				list = rebind(list, Registration{User: user, Contact: c.uri, Remote: from.addr, Transport: from.proto(),
					Expires: now.Add(expires[i]), UserAgent: clean(m.get("User-Agent"), maxDisplay)}, expires[i] > 0)
			}
			return list
		})
	}
	s.answer(t, 200, "", s.bindings(user, now)...)
}

// rebind replaces or removes a binding with the same contact; the freshest is last, and only so many are kept.
func rebind(list []Registration, b Registration, keep bool) []Registration {
	kept := list[:0]
	for _, old := range list {
		if !strings.EqualFold(old.Contact, b.Contact) {
			kept = append(kept, old)
		}
	}
	if keep {
		kept = append(kept, b)
	}
	if len(kept) > maxBindings {
		kept = kept[len(kept)-maxBindings:]
	}
	return kept
}

// bindings lists a user's contacts for the answer.
func (s *Server) bindings(user string, now time.Time) []field {
	s.registrar.mu.Lock()
	defer s.registrar.mu.Unlock()
	var out []field
	for _, b := range s.registrar.users[user] {
		if left := b.Expires.Sub(now); left > 0 {
			out = append(out, field{"Contact", "<" + b.Contact + ">;expires=" + strconv.Itoa(int(left/time.Second))})
		}
	}
	return out
}
