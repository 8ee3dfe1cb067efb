package sip

import (
	"context"
	"time"

	"hotline/telephony"
	"hotline/telephony/media"
)

// phase is where a leg is in its life. Only its owner moves it.
//
//	inbound:  invited -> answering (200 sent) -> up (ACK) -> leaving (BYE sent) -> gone
//	outbound: calling -> up (200, ACK sent) -> leaving -> gone
//	          calling -> cancelling (CANCEL sent or due) -> gone, or leaving when a 200 crossed the CANCEL
type phase uint8

const (
	invited phase = iota
	calling
	cancelling
	answering
	up
	leaving
	gone
)

var phaseNames = [...]string{"invited", "calling", "cancelling", "answering", "up", "leaving", "gone"}

func (p phase) String() string { return phaseNames[p] }

// evKind is what reached a leg's owner.
type evKind uint8

const (
	evRequest  evKind = iota // a request inside the dialog, with its transaction
	evAck                    // ACK for a 2xx of ours
	evCancel                 // CANCEL of an INVITE, already answered itself
	evResponse               // a response to a request of ours, or its failure
	evLate2xx                // a 2xx to INVITE whose transaction is over
	evNoMedia                // the endpoint heard nothing for too long
	evCommand                // the application asks
)

type cmdKind uint8

const (
	cmdRinging cmdKind = iota
	cmdProgress
	cmdAnswer
)

type event struct {
	kind  evKind
	msg   *message
	tx    *serverTx
	from  hop
	err   error
	out   *outgoing // evResponse: the request it answers
	cmd   cmdKind
	reply chan error // size 1
}

// outgoing is one request of ours inside a leg.
type outgoing struct {
	method  string
	seq     uint32
	to      hop
	branch  string
	uri     string
	bytes   []byte
	tx      *clientTx
	tries   int  // digest answers given so far
	refresh bool // a session refresh (RFC 4028)
	offered bool
}

// forget gives up waiting for a final response; one that came is still confirmed when it is repeated.
func (out *outgoing) forget() {
	if out != nil && out.tx != nil {
		out.tx.forget()
	}
}

// accepting is a 2xx to INVITE that waits for its ACK (RFC 3261 13.3.1.4).
type accepting struct {
	tx       *serverTx
	bytes    []byte
	seq      uint32
	interval time.Duration
	offered  bool // our description was an offer: the ACK brings the answer
}

// owner is the state that only a leg's owner goroutine touches.
type owner struct {
	phase  phase
	dlg    dialog
	invite *message  // inbound: the INVITE
	tx     *serverTx // inbound: its transaction
	since  time.Time // when the INVITE came or went

	// Offer and answer.
	sdpID, sdpVersion uint64
	offer             *session // the other side's last description
	dir               direction
	eventPT           uint8
	lastSDP           []byte
	early             bool // 183 with SDP sent

	accepting *accepting
	resend    alarm // of the 2xx
	confirm   alarm // limit for the ACK
	waiters   []chan error

	call     *outCall  // outbound: what Dial asked for
	pending  *outgoing // an INVITE or UPDATE of ours inside the dialog
	guard    alarm     // limit for pending and for leaving
	hushed   bool      // the endpoint reported silence while that did not count
	quiet    alarm     // looks again for silence after hold
	timer    sessionTimer
	peerSays string // methods in the other side's Allow

	abortHeard bool
}

// own is the owner goroutine: it handles one event at a time until the leg is gone and nothing of it is left.
func (l *Leg) own() {
	defer l.s.legs.Done()
	defer l.bury()
	l.s.guardElse(l.begin, l.crash)
	for l.o.phase != gone {
		l.s.guardElse(l.step, l.crash)
	}
}

// guardElse runs f; after a panic it is counted and after is run.
func (s *Server) guardElse(f, after func()) {
	defer func() {
		if v := recover(); v != nil {
			s.panicked(v)
			after()
		}
	}()
	f()
}

// crash ends a leg whose owner panicked: the far side hears BYE or a refusal, if that still works.
func (l *Leg) crash() {
	if l.o.phase == leaving || l.o.phase == gone {
		l.o.phase = gone
		return
	}
	l.s.guardElse(func() { l.endBy(panicked, telephony.CauseServerError, 0, "panic") }, func() { l.o.phase = gone })
}

// bury removes the last traces.
func (l *Leg) bury() {
	o := &l.o
	for _, a := range []*alarm{&o.resend, &o.confirm, &o.guard, &o.quiet, &o.timer.refresh, &o.timer.expiry} {
		a.stop()
	}
	if o.call != nil {
		o.call.out.forget()
	}
	o.pending.forget()
	l.s.dialogs.remove(o.dlg.callID, o.dlg.localTag)
	l.finish(telephony.End{}.OrServerError(), "ended without a reason")
	l.drain()
}

// drain answers what came too late. Legs are found no more, so the mailbox fills no further but for a race or two.
func (l *Leg) drain() {
	for {
		select {
		case e := <-l.box:
			switch {
			case e.kind == evRequest:
				l.s.answer(e.tx, 481, "")
			case e.reply != nil:
				e.reply <- telephony.ErrLegEnded
			}
		default:
			return
		}
	}
}

// step waits for the next thing to happen. The list is all that can happen to a leg.
func (l *Leg) step() {
	o := &l.o
	abort := l.s.run.Done()
	if o.abortHeard {
		abort = nil
	}
	select {
	case e := <-l.box:
		l.handle(*e)
	case <-l.hang:
		l.hangUp()
	case <-o.resend.c():
		l.resend2xx()
	case <-o.confirm.c():
		l.unconfirmed()
	case <-o.guard.c():
		l.guardFired()
	case <-o.quiet.c():
		if time.Since(l.ep.LastReceived()) >= l.s.cfg.MediaTimeout {
			l.silent()
		}
	case <-o.timer.refresh.c():
		l.refreshSession()
	case <-o.timer.expiry.c():
		l.endBy(noSession, telephony.CauseTimeout, 0, "session not refreshed")
	case <-l.ringing():
		l.rangOut()
	case <-abort:
		o.abortHeard = true
		l.endBy(stopping, telephony.CauseOverload, 0, "server stopping")
		if o.phase == leaving || o.phase == cancelling {
			o.phase = gone // nobody will hear the answer
		}
	}
}

func (l *Leg) handle(e event) {
	switch e.kind {
	case evRequest:
		l.request(e)
	case evAck:
		l.acked(e.msg)
	case evCancel:
		l.cancelled(e)
	case evResponse:
		l.response(e)
	case evLate2xx:
		l.reack(e.msg)
	case evNoMedia:
		l.silent()
	case evCommand:
		l.obey(e)
	}
}

// endBy ends the leg for a reason of ours, saying to the far side whatever its phase asks for.
func (l *Leg) endBy(h happening, cause telephony.Cause, code int, detail string) {
	o := &l.o
	end := classify(h, cause, code)
	switch o.phase {
	case invited:
		status, extra := statusFor(cause)
		l.refuseInvite(status, extra...)
		l.finish(end, detail)
		o.phase = gone
	case answering, up:
		l.stopAccepting()
		l.bye(cause)
		l.finish(end, detail)
	case calling:
		l.sendCancel(cause)
		l.finish(end, detail)
	case cancelling, leaving, gone:
		l.finish(end, detail)
	}
}

// hangUp does what Hangup asked for.
func (l *Leg) hangUp() {
	cause := l.hangCause()
	switch l.o.phase {
	case invited:
		l.endBy(reject, cause, 0, "")
	case calling:
		l.endBy(withdraw, cause, 0, "")
	default:
		l.endBy(hangup, cause, 0, "")
	}
}

// bye says goodbye and leaves the owner waiting for the answer, so that a challenge can be met and a crossing BYE is
// answered.
func (l *Leg) bye(cause telephony.Cause) {
	o := &l.o
	o.phase = leaving
	o.timer.stop()
	o.guard.set(66 * l.s.cfg.T1)
	l.send("BYE", func(add func(name, value string)) { add("Reason", reasonFor(cause)) }, nil, outgoing{})
}

// send starts a request inside the dialog. It returns nil when it could not be sent; the leg then hears of it as of any
// failure.
func (l *Leg) send(method string, fields func(add func(name, value string)), body []byte, out outgoing) *outgoing {
	o := &l.o
	ctx, cancel := context.WithTimeout(context.WithoutCancel(l.ctx), 2*resolveFor)
	defer cancel()
	out.method, out.branch = method, magic+token(8)
	to, err := o.dlg.next(ctx)
	if err == nil {
		out.to = to
		err = l.transmit(&out, fields, body)
	}
	if err != nil {
		l.log.Warn("cannot send", "method", method, "error", err)
		l.post(event{kind: evResponse, err: err, out: &out})
	}
	return &out
}

func (l *Leg) transmit(out *outgoing, fields func(add func(name, value string)), body []byte) error {
	req, err := l.o.dlg.request(out.method, out.to, out.branch, 0)
	if err != nil {
		return err
	}
	out.seq = l.o.dlg.localSeq
	out.uri = req.Recipient.String()
	if fields != nil {
		fields(adder(req))
	}
	out.bytes = encode(req, "application/sdp", body)
	out.tx = &clientTx{request: out.bytes, out: out.to, on: l.hear(out), ack: l.ackFor(out)}
	l.s.tx.send(out.tx, out.branch, out.method)
	return nil
}

// hear hands responses to the owner. A full mailbox loses a provisional response; a final one is repeated by the far
// side for INVITE, and for others the guard timer ends the wait.
func (l *Leg) hear(out *outgoing) func(*message, error) {
	return func(m *message, err error) { l.post(event{kind: evResponse, msg: m, err: err, out: out}) }
}

// guardFired ends a wait that took too long.
func (l *Leg) guardFired() {
	o := &l.o
	switch o.phase {
	case leaving, cancelling:
		o.phase = gone
	case up:
		if o.pending != nil {
			l.refreshFailed(408)
		}
	}
}

// format tells the endpoint what was agreed.
func (l *Leg) format(law media.Law, eventPT uint8, dir direction) {
	l.law.Store(uint32(law))
	l.o.dir, l.o.eventPT = dir, eventPT
	l.ep.Configure(media.Format{Law: law, EventPT: eventPT, Send: dir&sendOnly != 0, Recv: dir&recvOnly != 0})
	held := dir&sendOnly == 0
	if l.held.Swap(held) == held {
		return
	}
	l.mu.Lock()
	f := l.onHold
	l.mu.Unlock()
	if f != nil {
		f(held)
	}
	l.listenAgain()
}

// silent ends the leg when the other side has sent nothing for too long. Before the answer and on hold silence is
// allowed; the endpoint reports it once, so it is looked for again when it counts.
func (l *Leg) silent() {
	if l.o.phase != up || l.held.Load() {
		l.o.hushed = true
		return
	}
	l.endBy(noMedia, telephony.CauseTimeout, 0, "no audio from the other side")
}

// listenAgain starts to count silence anew.
func (l *Leg) listenAgain() {
	if l.o.hushed && l.o.phase == up && !l.held.Load() {
		l.o.hushed = false
		l.o.quiet.set(l.s.cfg.MediaTimeout)
	}
}
