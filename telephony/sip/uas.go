package sip

import (
	"time"

	gosip "github.com/emiago/sipgo/sip"

	"hotline/telephony"
)

// defaultEventPT is the payload type of telephone-event in our offers.
const defaultEventPT = 101

// begin is the first thing the owner does.
func (l *Leg) begin() {
	if err := l.openMedia(); err != nil {
		l.s.met.refuse("no_port")
		l.log.Error("no media for a call", "error", err)
		l.endBy(noPort, telephony.CauseOverload, 0, "no RTP port")
		return
	}
	if !l.inbound {
		l.place()
		return
	}
	l.timeSession()
	l.s.legs.Add(1)
	go func() { // ends when the application returns, which its context asks for when the leg is over
		defer l.s.legs.Done()
		defer l.Hangup(telephony.CauseNormal)
		l.s.guardElse(func() { l.s.onCall(l.ctx, l) }, func() { l.Hangup(telephony.CauseServerError) })
	}()
}

// obey does what the application asks.
func (l *Leg) obey(e event) {
	o := &l.o
	switch {
	case o.phase == up:
		e.reply <- nil
	case o.phase == answering && e.cmd == cmdAnswer:
		o.waiters = append(o.waiters, e.reply)
	case o.phase == answering:
		e.reply <- nil
	case o.phase != invited:
		e.reply <- telephony.ErrLegEnded
	case e.cmd == cmdAnswer:
		o.waiters = append(o.waiters, e.reply)
		l.accept()
	case e.cmd == cmdProgress && o.offer != nil && !o.early:
		e.reply <- l.progress()
	case e.cmd == cmdProgress && o.early:
		e.reply <- nil
	default:
		e.reply <- l.provisional(180, nil)
	}
}

// provisional sends 180 or 183.
func (l *Leg) provisional(code int, body []byte) error {
	res := l.startResponse(l.o.invite, code, "")
	return l.o.tx.respond(encode(res, "application/sdp", body), code)
}

// progress opens early media (RFC 3960).
func (l *Leg) progress() error {
	body, err := l.answerOffer(l.o.offer)
	if err != nil {
		return err
	}
	l.o.early = true
	return l.provisional(183, body)
}

// startResponse is a response of this dialog: our tag, our Contact, what we can do.
func (l *Leg) startResponse(m *message, code int, reason string) *gosip.Response {
	res := responseTo(m, l.o.dlg.peer.addr, code, reason, l.o.dlg.localTag)
	add := adder(res)
	if m.method == "INVITE" || m.method == "UPDATE" {
		if code < 300 {
			add("Contact", l.s.contact(l.o.dlg.user, l.o.dlg.peer.proto()))
			add("Supported", "timer")
		}
		add("Allow", allow)
	}
	add("Server", l.s.cfg.UserAgent)
	return res
}

// accept sends the 200 (RFC 3261 13.3.1.4).
func (l *Leg) accept() {
	o := &l.o
	var body []byte
	var err error
	offered := false
	switch {
	case o.early: // the 183 carried the answer; the 200 repeats it
		body = o.lastSDP
	case o.offer != nil:
		body, err = l.answerOffer(o.offer)
	default:
		body, offered = l.makeOffer(), true
	}
	if err != nil {
		l.endBy(noCodecs, telephony.CauseNotAcceptable, 488, err.Error())
		return
	}
	res := l.startResponse(o.invite, 200, "")
	o.timer.announce(adder(res))
	l.s.met.inviteSeconds.Observe(time.Since(o.since).Seconds())
	o.phase = answering
	l.send2xx(o.tx, encode(res, "application/sdp", body), o.invite.cseq, offered)
}

// send2xx sends a 2xx to INVITE and repeats it until the ACK, over any transport.
func (l *Leg) send2xx(tx *serverTx, b []byte, seq uint32, offered bool) {
	o := &l.o
	o.accepting = &accepting{tx: tx, bytes: b, seq: seq, interval: l.s.cfg.T1, offered: offered}
	l.accepted.Store(uint64(seq) + 1) // before the 200 goes out: its ACK may be faster than we
	_ = tx.respond(b, 200)
	o.resend.set(l.s.cfg.T1)
	o.confirm.set(64 * l.s.cfg.T1)
}

func (l *Leg) resend2xx() {
	a := l.o.accepting
	if a == nil {
		return
	}
	_ = a.tx.respond(a.bytes, 200)
	a.interval = min(2*a.interval, 8*l.s.cfg.T1)
	l.o.resend.set(a.interval)
}

func (l *Leg) stopAccepting() {
	l.o.accepting = nil
	l.o.resend.stop()
	l.o.confirm.stop()
}

// acked handles the ACK for our 2xx.
func (l *Leg) acked(m *message) {
	o := &l.o
	a := o.accepting
	if a == nil || a.seq != m.cseq || o.phase != answering && o.phase != up {
		return
	}
	l.stopAccepting()
	if a.offered {
		if err := l.takeAnswer(m.sdp()); err != nil {
			l.endBy(noCodecs, telephony.CauseNotAcceptable, 0, err.Error())
			return
		}
	}
	if o.phase == answering {
		o.phase = up
		l.answered.Store(true)
		o.timer.start()
		l.listenAgain()
	}
	for _, w := range o.waiters {
		w <- nil
	}
	o.waiters = nil
}

// unconfirmed says goodbye to a caller that never confirmed our 200.
func (l *Leg) unconfirmed() {
	l.endBy(noACK, telephony.CauseTimeout, 0, "200 was not confirmed")
}

// cancelled handles CANCEL. After our 200 it has no effect (RFC 3261 9.2): the caller has to say BYE.
func (l *Leg) cancelled(e event) {
	o := &l.o
	if o.phase != invited || e.tx != o.tx {
		return
	}
	what := cancelIn
	if readReason(e.msg, "SIP") == 200 {
		what = elsewhereIn
	}
	l.refuseInvite(487)
	end := classify(what, "", readReason(e.msg, "Q.850"))
	end.By = l.side
	l.finish(end, "")
	o.phase = gone
}

// refuseInvite sends the final refusal and remembers it.
func (l *Leg) refuseInvite(code int, extra ...field) {
	o := &l.o
	res := l.startResponse(o.invite, code, "")
	add := adder(res)
	for _, f := range extra {
		add(f.name, f.value)
	}
	_ = o.tx.respond(encode(res, "", nil), code)
	l.s.dialogs.reject(o.invite, code, time.Now())
}

// answer sends a plain response inside a dialog.
func (s *Server) answer(t *serverTx, code int, reason string, extra ...field) {
	res := responseTo(t.req, t.out.addr, code, reason, s.statelessTag(t.req))
	add := adder(res)
	for _, f := range extra {
		add(f.name, f.value)
	}
	_ = t.respond(encode(res, "", nil), code)
}
