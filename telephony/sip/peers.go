package sip

import (
	"net/netip"
	"sync"
	"time"
)

// Bounds on sources we do not know: at most one stateless answer per packet, and so many a second.
const (
	strangerRate  = 10.0 // packets a second from one address
	strangerBurst = 40.0
	allStrangers  = 1000.0 // from all together
	maxStrangers  = 4096   // addresses remembered
)

// peer is what we know about the source of a message.
type peer struct {
	trunk *trunk // nil: none
	desk  bool   // the exact address a desk phone is registered from
}

func (p peer) listed() bool { return p.trunk != nil || p.desk }

// name is what Party.Trunk says.
func (p peer) name() string {
	if p.trunk != nil && !p.desk {
		return p.trunk.cfg.Name
	}
	return deskTrunk
}

// deskTrunk is the name of no trunk: calls of our own desk phones.
const deskTrunk = "desk"

// peerOf looks a source up. A desk phone's own address goes before the trunk whose network it is in.
func (s *Server) peerOf(addr netip.AddrPort) peer {
	return peer{trunk: s.trunks.Load().find(addr.Addr()), desk: s.registrar.at(addr)}
}

func (s *Server) listed(addr netip.AddrPort) bool { return s.peerOf(addr).listed() }

// strangers limits sources we do not know by token buckets.
type strangers struct {
	mu     sync.Mutex // guards what follows
	all    bucket
	byAddr map[netip.Addr]*bucket
}

type bucket struct {
	tokens float64
	at     time.Time
}

// take removes a token if there is one.
func (b *bucket) take(now time.Time, rate, burst float64) bool {
	if b.at.IsZero() {
		b.tokens = burst
	} else {
		b.tokens = min(burst, b.tokens+now.Sub(b.at).Seconds()*rate)
	}
	b.at = now
	if b.tokens < 1 {
		return false
	}
	b.tokens--
	return true
}

func newStrangers() *strangers { return &strangers{byAddr: map[netip.Addr]*bucket{}} }

// allow reports whether a packet from addr may be looked at. IPv6 sources count by /64.
func (s *strangers) allow(addr netip.Addr, now time.Time) bool {
	if addr.Is6() {
		if p, err := addr.Prefix(64); err == nil {
			addr = p.Addr()
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.byAddr[addr]
	if b == nil {
		if len(s.byAddr) >= maxStrangers {
			for a := range s.byAddr { // any: the table only has to stay bounded
				delete(s.byAddr, a)
				break
			}
		}
		b = &bucket{}
		s.byAddr[addr] = b
	}
	return b.take(now, strangerRate, strangerBurst) && s.all.take(now, allStrangers, allStrangers)
}

// sweep forgets addresses whose bucket is full again.
func (s *strangers) sweep(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for a, b := range s.byAddr {
		if now.Sub(b.at).Seconds()*strangerRate > strangerBurst {
			delete(s.byAddr, a)
		}
	}
}
