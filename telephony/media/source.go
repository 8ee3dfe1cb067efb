package media

import (
	"fmt"
	"net/netip"
	"slices"
)

// Source says whose packets a socket takes.
type Source struct {
	// Learn is for far sides behind NAT. False: packets come from the remote's exact address or are dropped.
	// True: the remote's address locks at once, another one after lockAfter packets of one stream in sequence; then
	// answers go there, and everything else is dropped. The remote's own address takes over even then.
	Learn bool
	// Only limits what may be learned: the address the signalling came from, for example. Empty: any.
	Only []netip.Addr
}

// lockAfter is how many packets in sequence a stranger needs to be learned; those before the last are dropped.
const lockAfter = 4

// rivals is how many strangers are watched at a time while learning, so that a spray does not hide the one.
const rivals = 4

// candidate is a stranger that may be learned.
type candidate struct {
	addr netip.AddrPort
	ssrc uint32
	seq  uint16
	runs int
}

// sourceLock decides whose packets are ours. It belongs to the socket, whose mutex guards it.
type sourceLock struct {
	policy Source
	remote netip.AddrPort // what the signalling said
	locked netip.AddrPort // invalid: nothing yet
	cands  [rivals]candidate
	oldest int
}

// reset starts anew with another remote or policy. A lock on the same remote stays.
func (l *sourceLock) reset() {
	if l.policy.Learn && l.locked.IsValid() && l.locked == l.remote {
		return
	}
	l.locked, l.cands = netip.AddrPort{}, [rivals]candidate{}
}

// take judges a packet from an address that is not locked. It is true when the packet is to be used; changed when the
// lock moved.
func (l *sourceLock) take(from netip.AddrPort, b []byte) (ok, changed bool) {
	if !l.remote.IsValid() {
		return false, false // the signalling has not said anything yet
	}
	var h header
	if from == l.remote {
		if !l.policy.Learn {
			l.locked = from
			return true, true
		}
		if isRTCP(b) || !h.parse(b) {
			return false, false
		}
		l.locked = from
		return true, true
	}
	if !l.policy.Learn || l.locked.IsValid() || isRTCP(b) || !h.parse(b) {
		return false, false
	}
	if len(l.policy.Only) > 0 && !slices.Contains(l.policy.Only, from.Addr()) {
		return false, false
	}
	c := l.candidate(from)
	if c.runs > 0 && c.ssrc == h.ssrc && h.seq == c.seq+1 {
		c.runs++
	} else {
		c.runs = 1
	}
	c.ssrc, c.seq = h.ssrc, h.seq
	if c.runs < lockAfter {
		return false, false
	}
	l.locked = from
	return true, true
}

// candidate finds or makes the place of a stranger; the oldest place is given away.
func (l *sourceLock) candidate(from netip.AddrPort) *candidate {
	for i := range l.cands {
		if l.cands[i].addr == from {
			return &l.cands[i]
		}
	}
	c := &l.cands[l.oldest]
	l.oldest = (l.oldest + 1) % rivals
	*c = candidate{addr: from}
	return c
}

// checkRemote refuses addresses that nobody can be at, and our own machine when the socket is not on loopback itself:
// a hostile SDP must not aim our packets at a local service.
func checkRemote(a netip.AddrPort, loopback bool) error {
	ip := a.Addr().Unmap()
	why := ""
	switch {
	case a.Port() == 0:
		why = "port 0"
	case ip.IsUnspecified(), ip.Is4() && ip.As4()[0] == 0:
		why = "unspecified address"
	case ip.IsMulticast():
		why = "multicast address"
	case ip.Is4() && ip.As4()[0] >= 240:
		why = "reserved or broadcast address"
	case ip.IsLoopback() && !loopback:
		why = "loopback address"
	default:
		return nil
	}
	return fmt.Errorf("send media to %v: %w: %s", a, ErrBadRemote, why)
}
