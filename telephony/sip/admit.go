package sip

import (
	"math/rand/v2"
	"time"

	"hotline/telephony"
)

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
