package webrtc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	pion "github.com/pion/webrtc/v4"

	"hotline/telephony/media"
)

// Why a connection changed its phase.
const (
	whyICE          = "ice"           // no answer to connectivity checks
	whyDTLS         = "dtls"          // key exchange refused: the fingerprint is not the one of the offer
	whyConnectLimit = "connect_limit" // not up in time
	whyReplaced     = "replaced"
	whyDetached     = "detached"
	whyRemoved      = "removed"
	whyStopped      = "stopped"
	whyAbandoned    = "abandoned" // failed, and nobody came back
	whyPeer         = "peer"      // the browser closed it
	whyRefused      = "refused"   // the answer could not be made
)

// failedLimit closes a connection that failed and was neither restarted nor replaced. Longer than any page takes.
const failedLimit = 90 * time.Second

// conn is one epoch of a phone: one PeerConnection. Its goroutines are pion's, one reader per track and the closer;
// close joins them.
type conn struct {
	phone *Phone
	epoch int
	since time.Time
	pc    *pion.PeerConnection
	track *track
	plan  plan

	mu         sync.Mutex // guards what follows
	phase      Phase
	path       string
	candidates int
	closing    bool
	timer      *time.Timer    // connect limit, later failed limit
	readers    sync.WaitGroup // Add only under mu while !closing
}

// newConn makes the PeerConnection. The caller has taken a place in the server's group; close gives it back.
func newConn(p *Phone, epoch int, pl plan) (*conn, error) {
	c := &conn{phone: p, epoch: epoch, plan: pl, since: p.s.now(), phase: PhaseConnecting}
	c.track = &track{codec: codecParameters(pl.law), dropped: p.s.m.dropped.WithLabelValues(dropOut).Inc}
	for _, l := range pl.laws {
		c.track.allowed[lawIndex(l)] = true
	}
	pc, err := p.s.api.NewPeerConnection(pion.Configuration{})
	if err != nil {
		return nil, fmt.Errorf("make connection: %w", err)
	}
	c.pc = pc
	tr, err := pc.AddTransceiverFromTrack(c.track, pion.RTPTransceiverInit{Direction: pion.RTPTransceiverDirectionSendrecv})
	if err == nil {
		err = tr.SetCodecPreferences(pl.preferences())
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("make connection: %w", err), pc.GracefulClose())
	}
	pc.OnTrack(c.onTrack)
	pc.OnConnectionStateChange(func(pion.PeerConnectionState) { c.refresh() })
	return c, nil
}

// negotiate takes an offer and returns the complete answer, all candidates in it.
func (c *conn) negotiate(ctx context.Context, offer string) (string, error) {
	err := c.pc.SetRemoteDescription(pion.SessionDescription{Type: pion.SDPTypeOffer, SDP: offer})
	if err != nil {
		return "", fmt.Errorf("%w: take offer: %w", ErrBadSDP, err)
	}
	answer, err := c.pc.CreateAnswer(nil)
	if err != nil {
		return "", fmt.Errorf("%w: make answer: %w", ErrBadSDP, err)
	}
	gathered := pion.GatheringCompletePromise(c.pc)
	if err := c.pc.SetLocalDescription(answer); err != nil {
		return "", fmt.Errorf("%w: use answer: %w", ErrBadSDP, err)
	}
	select {
	case <-gathered:
		return c.pc.LocalDescription().SDP, nil
	case <-ctx.Done():
		return "", fmt.Errorf("gather addresses: %w", context.Cause(ctx))
	}
}

// candidate adds one address of the browser; the empty string ends them.
func (c *conn) candidate(cand string) error {
	if len(cand) > maxCandidateLen {
		return fmt.Errorf("%w: %d bytes", ErrBadCandidate, len(cand))
	}
	c.mu.Lock()
	c.candidates++
	tooMany := c.candidates > maxCandidates
	c.mu.Unlock()
	if tooMany {
		return ErrTooMany
	}
	if err := c.pc.AddICECandidate(pion.ICECandidateInit{Candidate: cand}); err != nil {
		return fmt.Errorf("%w: %w", ErrBadCandidate, err)
	}
	return nil
}

// onTrack reads the browser's packets, voice and keys alike, until the connection closes. pion starts a goroutine for it.
func (c *conn) onTrack(t *pion.TrackRemote, _ *pion.RTPReceiver) {
	c.mu.Lock()
	if c.closing || t.Kind() != pion.RTPCodecTypeAudio {
		c.mu.Unlock()
		return
	}
	c.readers.Add(1)
	c.mu.Unlock()
	defer c.readers.Done()
	unknown := c.phone.s.m.dropped.WithLabelValues(dropUnknown)
	buf := make([]byte, 1500)
	for {
		n, _, err := t.Read(buf)
		switch {
		case err == nil:
			c.phone.receive(c, buf[:n])
		case errors.Is(err, pion.ErrCodecNotFound), errors.Is(err, io.ErrShortBuffer):
			unknown.Inc() // a payload type nobody agreed to, or a giant: the next packet may be good
		default:
			return
		}
	}
}

// refresh computes the phase from pion's state. pion calls it from a new goroutine for every change and those may
// overtake each other, so the state is read here, never taken from the call.
func (c *conn) refresh() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closing {
		return
	}
	switch c.pc.ConnectionState() {
	case pion.PeerConnectionStateConnected:
		c.path = c.selectedPath()
		c.to(PhaseConnected, "")
	case pion.PeerConnectionStateDisconnected:
		c.to(PhaseDisconnected, whyICE)
	case pion.PeerConnectionStateFailed:
		why := whyDTLS
		if c.pc.ICEConnectionState() == pion.ICEConnectionStateFailed {
			why = whyICE
		}
		c.fail(why)
	case pion.PeerConnectionStateClosed:
		if c.phase == PhaseConnecting { // pion closes by itself when the key exchange fails, mostly before it says failed
			c.fail(whyDTLS)
		} else {
			c.startClose(whyPeer) // close_notify
		}
	}
}

// fail moves to PhaseFailed. An ICE failure may be mended by a restart; a failed key exchange ends the connection.
// The caller holds mu.
func (c *conn) fail(why string) {
	if c.phase == PhaseFailed {
		return
	}
	c.phone.s.m.failures.WithLabelValues(why).Inc()
	c.to(PhaseFailed, why)
	if why == whyDTLS || why == whyConnectLimit {
		c.startClose(why)
	}
}

// to moves to a phase, tells it and sets the timer that belongs to it. The caller holds mu.
func (c *conn) to(ph Phase, why string) {
	if c.phase == ph {
		return
	}
	s := c.phone.s
	if ph == PhaseConnected {
		s.m.connected.WithLabelValues(c.path).Inc()
		if c.phase == PhaseConnecting {
			s.m.setup.Observe(s.now().Sub(c.since).Seconds())
		}
	}
	c.phase = ph
	c.stopTimer()
	if ph == PhaseFailed {
		c.timer = time.AfterFunc(failedLimit, func() { c.close(whyAbandoned) })
	}
	s.tell(c.phone.agent, State{Epoch: c.epoch, Phase: ph, Path: c.path, Why: why, At: s.now()})
}

// watch gives up when the connection is not up in time.
func (c *conn) watch(limit time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closing || c.phase != PhaseConnecting {
		return
	}
	c.timer = time.AfterFunc(limit, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if !c.closing && c.phase == PhaseConnecting {
			c.fail(whyConnectLimit)
		}
	})
}

func (c *conn) stopTimer() {
	if c.timer != nil {
		c.timer.Stop()
		c.timer = nil
	}
}

// selectedPath tells by which transport packets travel: udp or tcp.
func (c *conn) selectedPath() string {
	pair, err := c.pc.SCTP().Transport().ICETransport().GetSelectedCandidatePair()
	if err != nil || pair == nil || pair.Local == nil {
		return ""
	}
	return pair.Local.Protocol.String()
}

// close ends the connection; the work is done by a goroutine that Server.Stop joins. Idempotent.
func (c *conn) close(why string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.startClose(why)
}

// startClose is close for a caller that holds mu.
func (c *conn) startClose(why string) {
	if c.closing {
		return
	}
	c.closing = true
	c.stopTimer()
	s := c.phone.s
	go func() {
		defer s.conns.Done()
		if err := c.pc.GracefulClose(); err != nil {
			s.log.Debug("close connection", "agent", c.phone.agent, "epoch", c.epoch, "err", err)
		}
		c.readers.Wait()
		s.m.open.Dec()
		c.mu.Lock()
		defer c.mu.Unlock()
		c.to(PhaseClosed, why)
	}()
}

// state returns phase and path.
func (c *conn) state() (Phase, string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.phase, c.path
}

// format is what the endpoint needs to know.
func (p plan) format() media.Format {
	return media.Format{Law: p.law, EventPT: p.eventPT, Send: p.send, Recv: p.recv}
}

var (
	_ pion.TrackLocal = (*track)(nil)
	_ media.Transport = (*track)(nil)
)
