package sip

import (
	"net/netip"

	"hotline/telephony/media"
)

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
