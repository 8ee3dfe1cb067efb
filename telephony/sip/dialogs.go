package sip

import (
	"sync"
	"time"
)

// replayFor is how long a rejected call is remembered: a provider that repeats it with another branch gets the same
// answer, and no second call. maxRejected bounds the memory.
const (
	replayFor   = time.Minute
	maxRejected = 4096
)

// dialogs finds the leg a message belongs to, and counts live legs.
type dialogs struct {
	mu       sync.Mutex // guards what follows
	legs     map[string]*entry
	rejected map[string]rejection
	count    int // legs that are not over
}

type entry struct {
	leg    *Leg
	remote string // the other side's tag; empty: not known yet, or a caller of RFC 2543
	known  bool
}

type rejection struct {
	code  int
	until time.Time
}

func newDialogs() *dialogs {
	return &dialogs{legs: map[string]*entry{}, rejected: map[string]rejection{}}
}

// reserve takes a place for a leg unless limit is reached.
func (d *dialogs) reserve(limit int) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.count >= limit {
		return false
	}
	d.count++
	return true
}

func (d *dialogs) release() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.count--
}

func (d *dialogs) live() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.count
}

func dialogKey(callID, localTag string) string { return callID + "\x00" + localTag }

func (d *dialogs) add(l *Leg, callID, localTag, remoteTag string, known bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.legs[dialogKey(callID, localTag)] = &entry{leg: l, remote: remoteTag, known: known}
}

// setRemote fixes the other side's tag once an answer told it.
func (d *dialogs) setRemote(callID, localTag, remoteTag string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if e := d.legs[dialogKey(callID, localTag)]; e != nil {
		e.remote, e.known = remoteTag, true
	}
}

func (d *dialogs) remove(callID, localTag string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.legs, dialogKey(callID, localTag))
}

// find gives the leg of a dialog, both tags matching (RFC 3261 12.2.2).
func (d *dialogs) find(callID, localTag, remoteTag string) *Leg {
	d.mu.Lock()
	defer d.mu.Unlock()
	e := d.legs[dialogKey(callID, localTag)]
	if e == nil || e.known && e.remote != remoteTag {
		return nil
	}
	return e.leg
}

// byLocal gives the leg whose own tag it is, whatever the other side's: forked answers have several.
func (d *dialogs) byLocal(callID, localTag string) *Leg {
	d.mu.Lock()
	defer d.mu.Unlock()
	if e := d.legs[dialogKey(callID, localTag)]; e != nil {
		return e.leg
	}
	return nil
}

// reject remembers how an INVITE was turned down.
func (d *dialogs) reject(m *message, code int, now time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.rejected) < maxRejected {
		d.rejected[mergeKey(m)] = rejection{code, now.Add(replayFor)}
	}
}

// rejection tells how the same INVITE was turned down before; 0: it was not.
func (d *dialogs) rejection(m *message, now time.Time) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	if r, ok := d.rejected[mergeKey(m)]; ok && now.Before(r.until) {
		return r.code
	}
	return 0
}

func (d *dialogs) sweep(now time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for k, r := range d.rejected {
		if now.After(r.until) {
			delete(d.rejected, k)
		}
	}
}
