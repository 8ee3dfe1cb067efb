package sip

import (
	"context"
	"net/netip"
	"strings"
	"time"

	"hotline/telephony"
)

// defaultRing bounds the time to the answer when Dial says nothing.
const defaultRing = 60 * time.Second

// outCall is what an outbound leg's owner keeps until the answer, and for repeated 200s after it.
type outCall struct {
	dial     Dial
	uri      string  // request URI
	places   []place // where to try, in order
	answerTo []netip.Addr
	from, to string // values without tags
	private  bool   // the caller's number is withheld
	ring     alarm
	ready    chan struct{} // closed when the call is up

	out         *outgoing
	tries       int
	auth        []field
	rang        bool
	provisional bool
	earlySDP    []byte
	cancelDue   bool
	cancelFor   telephony.Cause
	ack         []byte // the ACK of our INVITE's 2xx, to repeat
	ackTo       hop
	ackedSeq    uint32
}

// ours reports whether an address is one we called: only those may challenge us.
func (c *outCall) ours(a netip.Addr) bool {
	if c == nil {
		return false
	}
	for _, x := range c.answerTo {
		if x == a {
			return true
		}
	}
	return false
}

// place sends the first INVITE.
func (l *Leg) place() {
	c := l.o.call
	ring := c.dial.Ring
	if ring <= 0 {
		ring = defaultRing
	}
	c.ring.set(ring)
	l.makeOffer()
	l.tryPlaces("")
}

// tryPlaces sends the INVITE to the next place that takes it.
func (l *Leg) tryPlaces(detail string) {
	c := l.o.call
	for len(c.places) > 0 {
		p := c.places[0]
		c.places = c.places[1:]
		ctx, cancel := context.WithTimeout(l.ctx, 2*resolveFor)
		to, err := l.s.reach(ctx, p)
		cancel()
		if err == nil {
			l.o.dlg.peer = to
			l.sendInvite(to)
			return
		}
		detail = err.Error()
	}
	l.o.phase = cancelling // nothing is on its way
	l.endBy(noResponse, telephony.CauseUnavailable, 0, detail)
	l.o.phase = gone
}

// sendInvite sends the INVITE, a new transaction each time.
func (l *Leg) sendInvite(to hop) {
	o := &l.o
	c := o.call
	c.provisional = false
	c.out = &outgoing{method: "INVITE", to: to, branch: magic + token(8), tries: c.tries, offered: true}
	err := l.transmit(c.out, func(add func(name, value string)) {
		o.timer.ask(add, l.s.cfg, "")
		if c.private {
			add("Privacy", "id")
		}
		for _, f := range c.auth {
			add(f.name, f.value)
		}
	}, o.lastSDP)
	if err != nil {
		l.post(event{kind: evResponse, err: err, out: c.out})
	}
}

// ringing is when to give up waiting for the answer.
func (l *Leg) ringing() <-chan time.Time {
	if l.o.call == nil {
		return nil
	}
	return l.o.call.ring.c()
}

func (l *Leg) rangOut() {
	if l.o.phase == calling {
		l.endBy(ringTimeout, telephony.CauseUnavailable, 0, "not answered in time")
	}
}

// callResponse handles what came back for our INVITE. sipgo's own loop gives up after ten responses and sends no
// CANCEL; this one takes as many as come.
func (l *Leg) callResponse(e event) {
	o := &l.o
	switch {
	case e.msg == nil:
		l.callFailed(e.err)
	case e.msg.status < 200:
		l.proceeding(e.msg)
	case e.msg.status < 300:
		l.connected(e.msg)
	case o.phase == calling:
		l.refused(e)
	case o.phase == cancelling:
		o.phase = gone
	}
}

func (l *Leg) callFailed(err error) {
	switch l.o.phase {
	case calling:
		l.tryPlaces(err.Error())
	case cancelling:
		l.o.phase = gone
	}
}

func (l *Leg) proceeding(m *message) {
	c := l.o.call
	c.provisional = true
	if l.o.phase == cancelling && c.cancelDue {
		l.cancelNow()
		return
	}
	if l.o.phase != calling || m.status == 100 {
		return
	}
	if body := m.sdp(); body != nil {
		c.earlySDP = body // some repeat nothing of it in the 200
	}
	if (m.status == 180 || m.status == 183) && !c.rang {
		c.rang = true
		if c.dial.OnRinging != nil {
			l.s.guard(c.dial.OnRinging)
		}
	}
}

// connected handles 2xx to our INVITE.
func (l *Leg) connected(m *message) {
	o := &l.o
	c := o.call
	if o.phase != calling && o.phase != cancelling {
		l.reack(m)
		return
	}
	o.dlg.establish(m)
	l.s.dialogs.setRemote(o.dlg.callID, o.dlg.localTag, o.dlg.remoteTag)
	if a := m.get("Allow"); a != "" {
		o.peerSays = a
	}
	c.ring.stop()
	l.ack2xx(m)
	if o.phase == cancelling { // the 200 crossed our CANCEL (RFC 3261 9.1): it is answered, so say goodbye
		l.bye(c.cancelFor)
		return
	}
	o.phase = up
	body := m.sdp()
	if body == nil {
		body = c.earlySDP
	}
	if err := l.takeAnswer(body); err != nil {
		l.endBy(noCodecs, telephony.CauseNotAcceptable, 0, err.Error())
		return
	}
	l.s.met.inviteSeconds.Observe(time.Since(o.since).Seconds())
	o.timer.agreeAsClient(m)
	o.timer.start()
	l.listenAgain()
	l.answered.Store(true)
	close(c.ready)
}

// establish makes the dialog of a 2xx (RFC 3261 12.1.2).
func (d *dialog) establish(m *message) {
	d.remoteTag, d.remote = m.to.tag(), m.get("To")
	routes := m.list("Record-Route")
	d.routes = d.routes[:0]
	for i := len(routes) - 1; i >= 0; i-- {
		d.routes = append(d.routes, routes[i])
	}
	if len(m.contacts) > 0 && m.contacts[0].kind == uriSIP {
		d.target = m.contacts[0].uri
	}
}

// ack2xx confirms a 2xx (RFC 3261 13.2.2.4): a message of its own, sent along the dialog's route.
func (l *Leg) ack2xx(m *message) {
	o := &l.o
	ctx, cancel := context.WithTimeout(context.WithoutCancel(l.ctx), resolveFor)
	defer cancel()
	to, err := o.dlg.next(ctx)
	if err != nil {
		to = o.dlg.peer
	}
	req, err := o.dlg.request("ACK", to, magic+token(8), m.cseq)
	if err != nil {
		l.log.Warn("cannot confirm an answer", "error", err)
		return
	}
	if o.call != nil {
		for _, f := range o.call.auth {
			adder(req)(f.name, f.value)
		}
	}
	b := encode(req, "", nil)
	if o.call != nil {
		o.call.ack, o.call.ackTo, o.call.ackedSeq = b, to, m.cseq
	}
	_ = to.send(b)
}

// endFork confirms the answer of another branch and hangs it up at once: one phone is enough.
func (l *Leg) endFork(m *message) {
	d := l.o.dlg
	d.routes = nil
	d.establish(m)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(l.ctx), resolveFor)
	defer cancel()
	to, err := d.next(ctx)
	if err != nil {
		return
	}
	ack, err := d.request("ACK", to, magic+token(8), m.cseq)
	if err != nil {
		return
	}
	_ = to.send(encode(ack, "", nil))
	branch := magic + token(8)
	bye, err := d.request("BYE", to, branch, 0)
	if err != nil {
		return
	}
	l.s.tx.send(&clientTx{request: encode(bye, "", nil), out: to, on: func(*message, error) {}}, branch, "BYE")
}

// refused handles a final refusal: answers a challenge, mends what can be mended, tries the next place, or ends.
func (l *Leg) refused(e event) {
	o := &l.o
	c := o.call
	switch status := e.msg.status; {
	case status == 401 || status == 407:
		if auth, ok := l.credentials(e); ok {
			c.tries++
			c.auth = []field{auth}
			l.sendInvite(e.out.to)
			return
		}
	case status == 422 && c.tries < maxTries:
		if min, ok := number(trim(strings.Split(e.msg.get("Min-SE"), ";")[0]), 1<<20); ok {
			c.tries++
			o.timer.interval = max(o.timer.interval, time.Duration(min)*time.Second)
			l.sendInvite(e.out.to)
			return
		}
	case (status == 503 || status == 408) && len(c.places) > 0:
		l.tryPlaces("")
		return
	}
	o.phase = cancelling // the transaction is over: nothing to cancel
	l.endBy(refusedBy, telephony.CauseNormal, e.msg.status, clean(e.msg.reason, maxDisplay))
	o.phase = gone
}

// sendCancel takes our call back. CANCEL may only follow a provisional response (RFC 3261 9.1); before one it is due.
func (l *Leg) sendCancel(cause telephony.Cause) {
	o := &l.o
	c := o.call
	o.phase, c.cancelDue, c.cancelFor = cancelling, true, cause
	c.ring.stop()
	o.guard.set(66 * l.s.cfg.T1)
	if c.provisional {
		l.cancelNow()
	}
}

func (l *Leg) cancelNow() {
	o := &l.o
	c := o.call
	c.cancelDue = false
	o.guard.set(66 * l.s.cfg.T1)
	req, err := o.dlg.request("CANCEL", c.out.to, c.out.branch, c.out.seq)
	if err != nil {
		return
	}
	adder(req)("Reason", reasonFor(c.cancelFor))
	l.s.tx.send(&clientTx{request: encode(req, "", nil), out: c.out.to, on: func(*message, error) {}}, c.out.branch, "CANCEL")
}

// ackFor makes the ACK of a refusal of our INVITE (RFC 3261 17.1.1.3). It runs on the socket's goroutine and so works
// on values taken now.
func (l *Leg) ackFor(out *outgoing) func(*message) []byte {
	if out.method != "INVITE" {
		return nil
	}
	d := l.o.dlg
	d.routes = append([]string(nil), d.routes...)
	branch, seq, to := out.branch, out.seq, out.to
	return func(res *message) []byte {
		d.remote = res.get("To")
		req, err := d.request("ACK", to, branch, seq)
		if err != nil {
			return nil
		}
		return encode(req, "", nil)
	}
}
