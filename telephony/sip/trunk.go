package sip

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// trunk is one configured trunk with what it shares over reconfigurations.
type trunk struct {
	cfg  Trunk
	live *trunkLive
}

// trunkLive outlives a change of the trunk's settings.
type trunkLive struct {
	calls atomic.Int32 // live legs

	mu         sync.Mutex // guards what follows
	registered bool
	since      time.Time
	err        string
	addrs      []netip.Addr // what Host resolved to, while Register is on
}

func (l *trunkLive) setState(registered bool, err string, now time.Time) (changed bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	changed = l.registered != registered
	if changed {
		l.since = now
	}
	l.registered, l.err = registered, err
	return changed
}

func (l *trunkLive) setAddrs(a []netip.Addr) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.addrs = a
}

func (l *trunkLive) has(addr netip.Addr) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Contains(l.addrs, addr)
}

// trunkTable is immutable; the server swaps it whole.
type trunkTable struct {
	byName   map[string]*trunk
	ordered  []*trunk
	prefixes []trunkPrefix // longest first
}

type trunkPrefix struct {
	prefix netip.Prefix
	trunk  *trunk
}

// find gives the trunk an address belongs to; nil: none, which refuses. The most exact network wins.
func (t *trunkTable) find(addr netip.Addr) *trunk {
	for _, p := range t.prefixes {
		if p.prefix.Contains(addr) {
			return p.trunk
		}
	}
	for _, tr := range t.ordered {
		if tr.cfg.Register && tr.live.has(addr) {
			return tr
		}
	}
	return nil
}

// newTrunkTable checks trunks, reporting everything wrong at once, and takes over what old knows of them.
func newTrunkTable(list []Trunk, old *trunkTable) (*trunkTable, error) {
	t := &trunkTable{byName: map[string]*trunk{}}
	owner := map[netip.Prefix]string{}
	var errs []error
	for _, c := range list {
		c.CIDRs = slices.Clone(c.CIDRs)
		c.Transport = cmp.Or(strings.ToLower(c.Transport), "udp")
		errs = append(errs, c.check()...)
		if t.byName[c.Name] != nil {
			errs = append(errs, fmt.Errorf("trunk %q: the name is taken twice", c.Name))
			continue
		}
		tr := &trunk{cfg: c, live: &trunkLive{}}
		if old != nil && old.byName[c.Name] != nil {
			tr.live = old.byName[c.Name].live
		}
		t.byName[c.Name] = tr
		t.ordered = append(t.ordered, tr)
		for i, p := range c.CIDRs {
			p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()).Masked()
			if !p.IsValid() {
				errs = append(errs, fmt.Errorf("trunk %q: network %d is not valid", c.Name, i+1))
				continue
			}
			if o, ok := owner[p]; ok && o != c.Name {
				errs = append(errs, fmt.Errorf("trunk %q: network %v belongs to trunk %q already", c.Name, p, o))
			}
			owner[p] = c.Name
			t.prefixes = append(t.prefixes, trunkPrefix{p, tr})
		}
	}
	slices.SortStableFunc(t.prefixes, func(a, b trunkPrefix) int { return b.prefix.Bits() - a.prefix.Bits() })
	return t, errors.Join(errs...)
}

// check finds what is wrong with one trunk.
func (c *Trunk) check() []error {
	var errs []error
	add := func(what string) { errs = append(errs, fmt.Errorf("trunk %q: %s", c.Name, what)) }
	if c.Name == "" || c.Name == deskTrunk || strings.ContainsAny(c.Name, ": \t\r\n") {
		add("the name must not be empty, \"desk\", or contain spaces or ':'")
	}
	if c.Transport != "udp" && c.Transport != "tcp" {
		add("transport must be udp or tcp")
	}
	if c.Host != "" {
		host := c.Host
		if ip, err := netip.ParseAddr(host); err == nil && ip.Is6() {
			host = "[" + host + "]"
		}
		if !checkHostPort(host) || c.Port < 0 || c.Port > 65535 {
			add("host or port is not valid")
		}
	}
	if c.Register && (c.Host == "" || c.User == "") {
		add("registering needs a host and a user")
	}
	if strings.ContainsAny(c.User+c.Realm+c.CallerID, "\"\\\r\n<>@; ") {
		add("user, realm and caller id must be plain")
	}
	return errs
}

// SetTrunks replaces all trunks. Live calls go on. An error changes nothing.
func (s *Server) SetTrunks(trunks []Trunk) error {
	s.trunkMu.Lock()
	defer s.trunkMu.Unlock()
	old := s.trunks.Load()
	t, err := newTrunkTable(trunks, old)
	if err != nil {
		return fmt.Errorf("set trunks: %w", err)
	}
	s.trunks.Store(t)
	s.syncRegistrations(t)
	return nil
}

// Trunks tells how each trunk is, in the order they were set.
func (s *Server) Trunks() []TrunkState {
	var out []TrunkState
	for _, tr := range s.trunks.Load().ordered {
		tr.live.mu.Lock()
		st := TrunkState{Trunk: tr.cfg, Registered: tr.live.registered, Since: tr.live.since, Error: tr.live.err}
		tr.live.mu.Unlock()
		st.Calls = int(tr.live.calls.Load())
		st.CIDRs = slices.Clone(st.CIDRs)
		out = append(out, st)
	}
	return out
}
