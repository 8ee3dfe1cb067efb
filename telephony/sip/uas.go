package sip

import (
	"math/rand/v2"
	"net/netip"
	"time"

	gosip "github.com/emiago/sipgo/sip"

	"hotline/telephony"
	"hotline/telephony/media"
)

// defaultEventPT is the payload type of telephone-event in our offers.
const defaultEventPT = 101

// invite handles an INVITE that starts a call. Trunks come in by their address; everybody else needs a password.
func (s *Server) invite(m *message, from hop, p peer, limit int) {
	if code := s.overloaded(p); code != "" {
		s.met.refuse(code)
		s.reply(m, from, 503, "", limit, retryAfter())
		return
	}
	if p.trunk != nil && !p.desk {
		s.admit(m, from, p, "")
		return
	}
	if !m.has("Authorization") && !m.has("Proxy-Authorization") {
		s.met.refuse("credential")
		s.challenge(m, from, false, limit)
		return
	}
	s.guest(m.callID, func() {
		if t := s.tx.findServer(m, "INVITE"); t != nil {
			t.repeated()
			return
		}
		v := s.auth.verify(s.run, m, from.addr.Addr())
		if !v.ok {
			s.challenge(m, from, v.stale, limit)
			return
		}
		s.admit(m, from, peer{desk: true}, v.user)
	})
}

func (s *Server) challenge(m *message, from hop, stale bool, limit int) {
	s.reply(m, from, 401, "", limit, field{"WWW-Authenticate", s.auth.challenge(stale)})
}

// overloaded gives the reason to turn new calls away before anything is allocated; empty: there is none.
func (s *Server) overloaded(p peer) string {
	switch {
	case s.draining.Load():
		return "draining"
	case s.dialogs.live() >= s.cfg.MaxCalls:
		return "overload"
	case p.trunk != nil && !p.desk && p.trunk.cfg.MaxCalls > 0 && int(p.trunk.live.calls.Load()) >= p.trunk.cfg.MaxCalls:
		return "trunk_full"
	}
	return ""
}

// admit makes a leg of an INVITE, or refuses it without keeping state. user is the desk phone's, authenticated.
func (s *Server) admit(m *message, from hop, p peer, user string) {
	no := func(why string, code int, extra ...field) {
		s.met.refuse(why)
		s.reply(m, from, code, "", 0, extra...)
	}
	called, ok := s.called(m, p)
	now := time.Now()
	switch rejected := s.dialogs.rejection(m, now); {
	case p.trunk != nil && !p.trunk.cfg.Enabled:
		no("disabled", 403)
		return
	case s.tx.merged(m):
		no("merged", 482)
		return
	case rejected != 0:
		no("replayed", rejected)
		return
	case !ok || s.cfg.Accepts != nil && !s.cfg.Accepts(called, p.name()):
		no("not_found", 404)
		return
	}
	offer, why := s.readOffer(m)
	if why != "" {
		s.log.Info("call refused: no usable audio", "trunk", p.name(), "sip_call_id", m.callID, "why", why)
		no("no_codec", 488, field{"Warning", `399 hotline "` + why + `"`})
		return
	}
	if min, bad := s.shortInterval(m); bad {
		no("interval", 422, field{"Min-SE", min})
		return
	}
	if !s.dialogs.reserve(s.cfg.MaxCalls) {
		no("overload", 503, retryAfter())
		return
	}
	s.newInbound(m, from, p, user, called, offer, now)
}

// called is the number that was dialled: the request URI's, or, when a provider calls the contact we registered, To's.
func (s *Server) called(m *message, p peer) (string, bool) {
	number, ok := userPart(m.target)
	if p.trunk != nil && p.trunk.cfg.Register && (!ok || number == p.trunk.cfg.User) {
		if to, has := userPart(m.to); has {
			return to, true
		}
	}
	return number, ok
}

// readOffer reads the INVITE's description; nil: it has none. why says what makes it unusable.
func (s *Server) readOffer(m *message) (offer *session, why string) {
	body := m.sdp()
	if body == nil {
		return nil, ""
	}
	offer, err := parseSDP(body)
	if err != nil {
		return nil, "session description not understood"
	}
	if offer.remote.Port() == 0 {
		return nil, "no audio offered"
	}
	if len(offer.laws) == 0 {
		return nil, "no codec in common"
	}
	return offer, hostile(offer.remote.Addr(), s.cfg.MediaIP)
}

// newInbound builds the leg, publishes it and starts its owner.
func (s *Server) newInbound(m *message, from hop, p peer, user, called string, offer *session, now time.Time) {
	l := s.newLeg(true, nil)
	if p.trunk != nil && !p.desk {
		l.setTrunk(p.trunk)
	}
	l.party = s.partyOf(m, from, p, user, called)
	localTag := token(8)
	l.o = owner{phase: invited, invite: m, since: now, offer: offer, sdpID: rand.Uint64() >> 2, dir: sendRecv,
		peerSays: m.get("Allow"),
		dlg: dialog{s: s, callID: m.callID, localTag: localTag, remoteTag: m.from.tag(),
			local: m.get("To") + ";tag=" + localTag, remote: m.get("From"), localSeq: rand.Uint32() >> 8,
			remoteSeq: m.cseq, routes: m.list("Record-Route"), target: m.from.uri, peer: from, sticky: p.desk}}
	if len(m.contacts) > 0 {
		l.o.dlg.target = m.contacts[0].uri
	}
	if p.desk {
		l.side = telephony.SideAgent
	}
	if offer != nil {
		law, _ := offer.pick(0, false)
		l.law.Store(uint32(law))
	}
	l.log = l.log.With("trunk", l.party.Trunk)
	tx, ok := s.tx.serve(m, back(m, from), l)
	if !ok { // the same INVITE in the same moment
		l.abandon()
		return
	}
	l.o.tx = tx
	_ = tx.respond(encode(responseTo(m, from.addr, 100, "", ""), "", nil), 100)
	s.dialogs.add(l, m.callID, localTag, m.from.tag(), true)
	go l.own()
}

// setTrunk counts the leg for a trunk.
func (l *Leg) setTrunk(t *trunk) {
	l.trunk = t
	t.live.calls.Add(1)
}

// abandon undoes newLeg for a leg that never ran.
func (l *Leg) abandon() {
	l.finish(telephony.End{}.OrServerError(), "never started")
	l.s.legs.Done()
}

// partyOf fills Party from the INVITE.
func (s *Server) partyOf(m *message, from hop, p peer, user, called string) telephony.Party {
	party := telephony.Party{Called: called, Diversion: diversions(m), Trunk: p.name(), Remote: from.addr.String(),
		Protocol: from.proto(), UserAgent: clean(m.get("User-Agent"), maxDisplay), SIPCallID: m.callID}
	if p.trunk != nil && !p.desk {
		party.Region, party.AreaCode = p.trunk.cfg.Region, p.trunk.cfg.AreaCode
		party.Caller = identity(m, p.trunk.cfg.AssertsIdentity)
		return party
	}
	party.Caller = telephony.Identity{Value: user, DisplayName: clean(m.from.display, maxDisplay),
		Source: "registration", Trust: telephony.TrustAsserted}
	return party
}

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

// answerOffer agrees to an offer: picks the law, directs the audio, and writes our side.
func (l *Leg) answerOffer(offer *session) ([]byte, error) {
	o := &l.o
	prefer, have := l.Law(), o.lastSDP != nil
	law, ok := offer.pick(prefer, have || !l.inbound)
	if !ok && offer.remote.Port() != 0 {
		return nil, codecErr("none offered")
	}
	dir := offer.dir.mirror()
	if offer.zeroIP { // hold as RFC 2543 did it
		dir &= recvOnly
	}
	if offer.remote.Port() == 0 { // the stream was taken away
		dir, law = inactive, prefer
	}
	if err := l.aim(offer); err != nil {
		return nil, err
	}
	d := description{id: o.sdpID, version: o.sdpVersion, ip: l.s.cfg.MediaIP, port: l.sock.LocalAddr().Port(),
		laws: []media.Law{law}, eventPT: offer.eventPT, dir: dir, answering: offer}
	if offer.remote.Port() == 0 {
		d.port = 0
	}
	o.offer, o.lastSDP = offer, d.bytes()
	o.sdpVersion++
	l.format(law, offer.eventPT, dir)
	return o.lastSDP, nil
}

// aim points the RTP socket at the other side and says whom to hear: the address described, or the one the signalling
// comes from, whichever sends first (NAT); then locked.
func (l *Leg) aim(sess *session) error {
	if sess.zeroIP || sess.remote.Port() == 0 {
		return nil
	}
	if err := l.sock.SetRemote(sess.remote); err != nil {
		return codecErr(err.Error())
	}
	only := []netip.Addr{sess.remote.Addr()}
	if a := l.o.dlg.peer.addr.Addr(); a != only[0] && a.Is4() == only[0].Is4() {
		only = append(only, a)
	}
	l.sock.SetSource(media.Source{Learn: true, Only: only})
	return nil
}

// makeOffer writes an offer of both laws, the preferred first.
func (l *Leg) makeOffer() []byte {
	o := &l.o
	laws := []media.Law{media.PCMA, media.PCMU}
	if l.Law() == media.PCMU {
		laws[0], laws[1] = laws[1], laws[0]
	}
	if o.eventPT == 0 {
		o.eventPT = defaultEventPT
	}
	d := description{id: o.sdpID, version: o.sdpVersion, ip: l.s.cfg.MediaIP, port: l.sock.LocalAddr().Port(),
		laws: laws, eventPT: o.eventPT, dir: sendRecv}
	o.lastSDP = d.bytes()
	o.sdpVersion++
	return o.lastSDP
}

// takeAnswer applies the answer to an offer of ours.
func (l *Leg) takeAnswer(body []byte) error {
	if body == nil {
		return codecErr("no answer to our offer")
	}
	ans, err := parseSDP(body)
	if err != nil {
		return codecErr(err.Error())
	}
	law, ok := ans.pick(l.Law(), true)
	if !ok || ans.remote.Port() == 0 {
		return codecErr("audio refused")
	}
	dir := ans.dir.mirror()
	if ans.zeroIP {
		dir &= recvOnly
	} else if why := hostile(ans.remote.Addr(), l.s.cfg.MediaIP); why != "" {
		return codecErr(why)
	}
	if err := l.aim(ans); err != nil {
		return err
	}
	l.o.offer = ans
	l.format(law, ans.eventPT, dir)
	return nil
}
