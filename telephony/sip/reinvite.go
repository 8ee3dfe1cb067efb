package sip

import (
	"bytes"
	"math/rand/v2"
	"strconv"
	"strings"

	"hotline/telephony"
)

// request handles a request inside the dialog.
func (l *Leg) request(e event) {
	o := &l.o
	m := e.msg
	if m.cseq <= o.dlg.remoteSeq && o.dlg.remoteSeq != 0 { // RFC 3261 12.2.2
		l.s.met.refuse("dialog")
		l.s.answer(e.tx, 500, "CSeq Out Of Order")
		return
	}
	o.dlg.remoteSeq = m.cseq
	if o.phase == leaving || o.phase == cancelling || o.phase == gone {
		l.leavingRequest(e)
		return
	}
	switch m.method {
	case "BYE":
		l.byeCame(e)
	case "INVITE":
		l.reinvited(e)
	case "UPDATE":
		l.updated(e)
	case "INFO":
		l.info(e)
	default:
		l.s.answer(e.tx, 200, "", field{"Allow", allow}, field{"Accept", "application/sdp"})
	}
}

// leavingRequest answers what crosses our BYE. A BYE is fine: both wanted the same.
func (l *Leg) leavingRequest(e event) {
	if e.msg.method != "BYE" {
		l.s.answer(e.tx, 481, "")
		return
	}
	l.s.answer(e.tx, 200, "")
	if l.o.phase == leaving {
		l.o.phase = gone
	}
}

// byeCame ends the leg at the far side's wish, in whatever phase.
func (l *Leg) byeCame(e event) {
	o := &l.o
	l.s.answer(e.tx, 200, "")
	code := readReason(e.msg, "Q.850")
	end := classify(byeIn, "", code)
	if o.phase == invited { // RFC 3261 15.1.2: the INVITE is still to be answered
		l.refuseInvite(487)
		end = classify(cancelIn, "", code)
	}
	end.By = l.side
	l.stopAccepting()
	l.finish(end, "")
	o.phase = gone
}

// refetch renews the remote target (RFC 3261 12.2.2): re-INVITE and UPDATE move where our requests go.
func (l *Leg) refetch(m *message) {
	if len(m.contacts) > 0 && m.contacts[0].kind == uriSIP {
		l.o.dlg.target = m.contacts[0].uri
	}
	if a := m.get("Allow"); a != "" {
		l.o.peerSays = a
	}
}

// reinvited handles a re-INVITE: hold, resume, a new address or codec, a refresh, or a question what we would offer.
func (l *Leg) reinvited(e event) {
	o := &l.o
	switch {
	case o.pending != nil && (o.pending.method == "INVITE" || o.pending.offered):
		l.s.answer(e.tx, 491, "") // RFC 3261 14.2
		return
	case o.phase != up || o.accepting != nil:
		l.s.answer(e.tx, 500, "", field{"Retry-After", strconv.Itoa(rand.IntN(11))})
		return
	}
	if l.tooShort(e) {
		return
	}
	body, offered, ok := l.newOffer(e)
	if !ok {
		return
	}
	o.timer.agreeAsServer(e.msg, l.s.cfg)
	o.timer.start()
	l.refetch(e.msg)
	if e.from.s != nil {
		l.moved(e.from)
	}
	res := l.startResponse(e.msg, 200, "")
	o.timer.announce(adder(res))
	l.send2xx(e.tx, encode(res, "application/sdp", body), e.msg.cseq, offered)
}

// newOffer answers the description in a re-INVITE or UPDATE. offered: the request had none, so ours is an offer. Not
// ok: refused, and the session stays as it was.
func (l *Leg) newOffer(e event) (body []byte, offered, ok bool) {
	text := e.msg.sdp()
	if text == nil {
		if e.msg.method == "UPDATE" {
			return nil, false, true
		}
		return l.makeOffer(), true, true
	}
	refuse := func(why string) ([]byte, bool, bool) {
		l.s.met.refuse("no_codec")
		l.log.Info("change of session refused", "why", why)
		l.s.answer(e.tx, 488, "", field{"Warning", `399 hotline "` + why + `"`})
		return nil, false, false
	}
	offer, err := parseSDP(text)
	if err != nil {
		return refuse("session description not understood")
	}
	if len(offer.laws) == 0 && offer.remote.Port() != 0 {
		return refuse("no codec in common")
	}
	if offer.remote.Port() != 0 && !offer.zeroIP {
		if why := hostile(offer.remote.Addr(), l.s.cfg.MediaIP); why != "" {
			return refuse(why)
		}
	}
	body, err = l.answerOffer(offer)
	if err != nil {
		return refuse("no codec in common")
	}
	return body, false, true
}

// moved follows a peer whose requests now come from elsewhere, as phones behind NAT do.
func (l *Leg) moved(from hop) {
	if l.o.dlg.sticky {
		l.o.dlg.peer = from
	}
}

// updated handles UPDATE (RFC 3311).
func (l *Leg) updated(e event) {
	o := &l.o
	if e.msg.sdp() != nil && o.phase != up {
		l.s.answer(e.tx, 500, "", field{"Retry-After", strconv.Itoa(rand.IntN(11))})
		return
	}
	if e.msg.sdp() != nil && (o.pending != nil || o.accepting != nil && o.accepting.offered) {
		l.s.answer(e.tx, 491, "")
		return
	}
	if l.tooShort(e) {
		return
	}
	body, _, ok := l.newOffer(e)
	if !ok {
		return
	}
	o.timer.agreeAsServer(e.msg, l.s.cfg)
	if o.phase == up {
		o.timer.start()
	}
	l.refetch(e.msg)
	res := l.startResponse(e.msg, 200, "")
	o.timer.announce(adder(res))
	_ = e.tx.respond(encode(res, "application/sdp", body), 200)
}

// info takes keys sent as SIP INFO: application/dtmf-relay ("Signal=5") and application/dtmf ("5").
func (l *Leg) info(e event) {
	typ, _, _ := strings.Cut(strings.ToLower(e.msg.get("Content-Type")), ";")
	switch trim(typ) {
	case "application/dtmf-relay":
		for line := range bytes.Lines(e.msg.body) {
			name, value, ok := strings.Cut(strings.TrimSpace(string(line)), "=")
			if ok && strings.EqualFold(strings.TrimSpace(name), "signal") {
				l.infoKey(strings.TrimSpace(value))
			}
		}
	case "application/dtmf":
		l.infoKey(strings.TrimSpace(string(e.msg.body)))
	case "":
	default:
		l.s.answer(e.tx, 415, "", field{"Accept", "application/dtmf-relay, application/dtmf"})
		return
	}
	l.s.answer(e.tx, 200, "")
}

// infoKey delivers one key; 10 and 11 are how some devices spell star and hash.
func (l *Leg) infoKey(s string) {
	switch s {
	case "10":
		s = "*"
	case "11":
		s = "#"
	}
	if len(s) != 1 {
		return
	}
	if key := strings.ToUpper(s)[0]; telephony.ValidKey(key) {
		l.pushDigit(telephony.Digit{Key: key, At: l.s.cfg.Now(), Source: "info"})
	}
}

// response handles what came back for a request of ours.
func (l *Leg) response(e event) {
	o := &l.o
	switch {
	case o.call != nil && e.out == o.call.out && o.phase != leaving:
		l.callResponse(e)
	case e.out.method == "BYE":
		l.byeResponse(e)
	case e.out == o.pending:
		l.refreshResponse(e)
	case e.out.method == "INVITE" && e.msg != nil && e.msg.status/100 == 2:
		l.reack(e.msg)
	}
}

// byeResponse ends the wait after our BYE, once more after a challenge that is ours to answer.
func (l *Leg) byeResponse(e event) {
	if e.msg != nil && e.msg.status < 200 {
		return
	}
	if e.msg != nil && (e.msg.status == 401 || e.msg.status == 407) {
		if auth, ok := l.credentials(e); ok {
			next := outgoing{tries: e.out.tries + 1}
			l.send("BYE", func(add func(name, value string)) { add(auth.name, auth.value) }, nil, next)
			return
		}
	}
	l.o.phase = gone
}

// maxTries is how many challenges we answer for one request.
const maxTries = 2

// credentials answers a challenge. Only the trunk the leg runs over may ask, from its own address and in its realm
// (reliability.md section 2): a callee that challenges us learns nothing.
func (l *Leg) credentials(e event) (field, bool) {
	t := l.trunk
	if t == nil || t.cfg.User == "" || e.out.tries >= maxTries {
		return field{}, false
	}
	if at := e.out.to.addr.Addr(); !l.o.call.ours(at) && !t.live.has(at) {
		return field{}, false
	}
	ask, answer := "WWW-Authenticate", "Authorization"
	if e.msg.status == 407 {
		ask, answer = "Proxy-Authenticate", "Proxy-Authorization"
	}
	for i := range e.msg.fields {
		if f := e.msg.fields[i]; f.name == ask {
			v, ok := answerChallenge(f.value, t.cfg.Realm, t.cfg.User, t.cfg.Password, e.out.method, e.out.uri)
			if ok {
				return field{answer, v}, true
			}
		}
	}
	return field{}, false
}

// reack confirms a 2xx that came again, or one of another branch of a forked call, which then also hears BYE.
func (l *Leg) reack(m *message) {
	o := &l.o
	if o.dlg.remoteTag == m.to.tag() {
		if o.call != nil && m.cseq == o.call.ackedSeq && o.call.ack != nil {
			l.s.met.resent.WithLabelValues("out").Inc()
			_ = o.call.ackTo.send(o.call.ack)
			return
		}
		l.ack2xx(m)
		return
	}
	if o.call != nil && (o.phase == up || o.phase == leaving) {
		l.endFork(m)
	}
}
