package phone

import "sync"

// presence is what Desk.Presence is told. The zero value is an agent nobody knows of.
type presence struct {
	online bool
	tabs   int
	owner  bool
}

// presences tells the Desk who is there. Changes only mark a login; one goroutine reads the state and tells it if it
// differs from what was told. So no lock is held during the call, nothing is told out of order, and of changes that come
// faster than the Desk takes them only the last counts.
type presences struct {
	mu    sync.Mutex // guards dirty
	dirty map[string]struct{}
	wake  chan struct{} // size 1: one wake-up pending is enough
}

// changed marks a login. Any goroutine may call it, under any lock.
func (p *presences) changed(login string) {
	p.mu.Lock()
	p.dirty[login] = struct{}{}
	p.mu.Unlock()
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

func (p *presences) take() map[string]struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	d := p.dirty
	p.dirty = map[string]struct{}{}
	return d
}

// runPresence is the presence goroutine; it ends with the hub.
func (h *Hub) runPresence() {
	defer h.background.Done()
	told := map[string]presence{} // by login, those not offline
	for {
		select {
		case <-h.stop:
			return
		case <-h.presences.wake:
		}
		for login := range h.presences.take() {
			var now presence
			if s := h.find(login); s != nil {
				now = s.present(h.now(), h.cfg.Lost)
			}
			if now == told[login] {
				continue
			}
			if told[login] = now; now == (presence{}) {
				delete(told, login)
			}
			h.cfg.Desk.Presence(login, now.online, now.tabs, now.owner)
		}
	}
}
