package webrtc

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"hotline/telephony"
	"hotline/telephony/media"
)

// Phone is an agent's phone: it lives as long as the login, while pages and connections come and go. Its endpoint is
// what rooms know; they never notice a re-attach. Any goroutine may call it.
type Phone struct {
	s     *Server
	agent string
	ep    *media.Endpoint

	op sync.Mutex // held over attach, offer, detach and remove: one negotiation at a time
	in sync.Mutex // held over each received packet and over changes of cur; taken before mu

	mu     sync.Mutex // guards what follows
	prefer media.Law
	epoch  int
	cur    *conn // nil: nothing attached
	gone   bool  // removed, or the server stopped
}

func newPhone(s *Server, agent string) *Phone {
	p := &Phone{s: s, agent: agent, prefer: media.PCMA}
	cfg := media.EndpointConfig{Name: agent, Law: media.PCMA, EventPT: eventPT, DropEvents: true,
		Silent: true, Pacer: s.cfg.Pacer, Library: s.cfg.Library, Now: s.cfg.Now, MediaTimeout: s.cfg.MediaTimeout}
	if s.cfg.OnDigit != nil {
		cfg.OnDigit = func(d telephony.Digit) { s.cfg.OnDigit(agent, d) }
	}
	if s.cfg.OnMediaTimeout != nil {
		cfg.OnMediaTimeout = func() { s.cfg.OnMediaTimeout(agent) }
	}
	p.ep = media.NewEndpoint(cfg)
	return p
}

// Agent is the login.
func (p *Phone) Agent() string { return p.agent }

// Endpoint is the agent's sound. It is the same over all epochs and is closed by Server.Remove and Server.Stop.
func (p *Phone) Endpoint() *media.Endpoint { return p.ep }

// Epoch counts attached connections; 0: none yet.
func (p *Phone) Epoch() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.epoch
}

// Connected reports whether media can flow now.
func (p *Phone) Connected() bool {
	c := p.current()
	if c == nil {
		return false
	}
	ph, _ := c.state()
	return ph == PhaseConnected
}

// Path is udp or tcp, empty while nothing is or was connected in this epoch.
func (p *Phone) Path() string {
	c := p.current()
	if c == nil {
		return ""
	}
	_, path := c.state()
	return path
}

// LastRTP is when the browser's last packet came, whatever the connection; zero: never.
func (p *Phone) LastRTP() time.Time { return p.ep.LastReceived() }

// Prefer sets the law that the next Attach or Offer asks the browser for: the one of the caller's trunk. PCMA until
// then. It changes nothing on an open connection, since a browser's leg is never renegotiated for a call.
func (p *Phone) Prefer(law media.Law) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.prefer = law
}

func (p *Phone) current() *conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cur
}

// receive passes a packet on if it belongs to the current epoch. The lock in makes that exact: when attach has
// switched, no packet of the old connection can follow. It is not mu, so that OnDigit may ask the phone things.
func (p *Phone) receive(c *conn, packet []byte) {
	p.in.Lock()
	defer p.in.Unlock()
	if p.current() != c {
		p.s.m.dropped.WithLabelValues(dropStale).Inc()
		return
	}
	p.ep.Receive(packet, p.s.now())
}

// attach replaces the connection.
func (p *Phone) attach(ctx context.Context, offer string, codecs []string) (string, int, error) {
	p.op.Lock()
	defer p.op.Unlock()
	p.mu.Lock()
	prefer, epoch, gone := p.prefer, p.epoch+1, p.gone
	p.mu.Unlock()
	if gone {
		return "", 0, ErrStopped
	}
	pl, err := planOffer(offer, prefer, codecs)
	if err != nil {
		return "", 0, err
	}
	if !p.s.enter() {
		return "", 0, ErrStopped
	}
	c, err := newConn(p, epoch, pl)
	if err != nil {
		p.s.conns.Done()
		return "", 0, err
	}
	p.s.m.open.Inc()
	answer, err := c.negotiate(ctx, offer)
	if err != nil {
		c.close(whyRefused)
		return "", 0, err
	}
	p.switchTo(c)
	c.watch(p.s.cfg.ConnectLimit)
	return answer, epoch, nil
}

// switchTo makes c the current connection. From here on packets of the old one are refused, the endpoint waits for the
// first packet of the new one, and what it sends goes there.
func (p *Phone) switchTo(c *conn) {
	p.s.tell(p.agent, State{Epoch: c.epoch, Phase: PhaseConnecting, At: p.s.now()})
	p.in.Lock()
	p.mu.Lock()
	old := p.cur
	p.cur, p.epoch = c, c.epoch
	p.mu.Unlock()
	p.ep.ResetMedia()
	p.ep.SetTransport(c.track)
	p.ep.Configure(c.plan.format())
	p.in.Unlock()
	if old != nil {
		old.close(whyReplaced)
	}
}

// at returns the connection if epoch is the current one.
func (p *Phone) at(epoch int) (*conn, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cur == nil || p.epoch != epoch {
		return nil, fmt.Errorf("%w: %d, now %d", ErrStaleEpoch, epoch, p.epoch)
	}
	return p.cur, nil
}

// offer renegotiates the current connection.
func (p *Phone) offer(ctx context.Context, epoch int, offer string) (string, error) {
	p.op.Lock()
	defer p.op.Unlock()
	c, err := p.at(epoch)
	if err != nil {
		return "", err
	}
	// The laws stay as they were agreed: the track is bound to them.
	pl, err := planOffer(offer, c.plan.law, nil)
	if err != nil {
		return "", err
	}
	if pl.law != c.plan.law {
		return "", fmt.Errorf("%w: a running connection keeps its codec", telephony.ErrNoCodec)
	}
	answer, err := c.negotiate(ctx, offer)
	if err != nil {
		if ph, _ := c.state(); ph == PhaseClosed {
			err = errors.Join(ErrStaleEpoch, err)
		}
		return "", err
	}
	p.ep.Configure(pl.format()) // op is held: c is still the current one
	p.s.m.restarts.Inc()
	return answer, nil
}

// detach ends the current connection if it is of that epoch; epoch -1 means whichever.
func (p *Phone) detach(epoch int, why string) {
	p.op.Lock()
	defer p.op.Unlock()
	p.in.Lock()
	p.mu.Lock()
	c := p.cur
	if c == nil || (epoch >= 0 && epoch != p.epoch) {
		p.mu.Unlock()
		p.in.Unlock()
		return
	}
	p.cur = nil
	p.mu.Unlock()
	p.ep.SetTransport(nil)
	p.in.Unlock()
	c.close(why)
}

// end detaches and closes the endpoint for good.
func (p *Phone) end(why string) {
	p.mu.Lock()
	p.gone = true
	p.mu.Unlock()
	p.detach(-1, why)
	p.ep.Close()
}
