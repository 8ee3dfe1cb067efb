package sip

import (
	"time"
)

// receive takes one message as it came: a datagram, or what the framing cut out of a stream. It runs on the goroutine
// that reads the socket and never blocks, so messages of one sender stay in their order. It keeps nothing of data.
func (s *Server) receive(from hop, data []byte) {
	if len(data) < 20 { // keep-alives (RFC 5626), empty datagrams
		return
	}
	p := s.peerOf(from.addr)
	if !p.listed() && !s.strangers.allow(from.addr.Addr(), time.Now()) {
		s.met.refuse("rate")
		return
	}
	m, r := parse(data)
	if m == nil {
		s.met.refuse(r.why)
		return
	}
	if !m.request() {
		if r != nil {
			s.met.refuse("junk")
			return
		}
		s.response(m, from)
		return
	}
	s.met.request(m.method)
	limit := 0
	if !p.listed() && !from.reliable() {
		limit = len(data)
	}
	if r != nil {
		s.refuse(m, from, p, r, limit)
		return
	}
	s.request(m, from, p, limit)
}

// refuse turns a request down for what it is. Strangers who cannot be understood hear nothing.
func (s *Server) refuse(m *message, from hop, p peer, r *refusal, limit int) {
	s.met.refuse(r.why)
	if r.code == 0 || !p.listed() && (r.why == "malformed" || r.why == "too_large" || r.why == "version") {
		return
	}
	s.reply(m, from, r.code, r.reason, limit, r.extra...)
}

// refuseFrame turns down a stream that cannot be followed.
func (s *Server) refuseFrame(from hop, buf []byte, r *refusal) {
	s.met.refuse(r.why)
	if !s.listed(from.addr) || r.code == 0 {
		return
	}
	if m, _, _ := scan(buf); m != nil && m.request() {
		_ = m.check() // reads what can be read
		s.reply(m, from, r.code, r.reason, 0)
	}
}

// response hands a response to the transaction that waits for it. A late or forked 2xx belongs to its leg.
func (s *Server) response(m *message, from hop) {
	s.met.response("in", m.status)
	if s.tx.receive(m) {
		return
	}
	if m.method == "INVITE" && m.status/100 == 2 {
		if l := s.dialogs.byLocal(m.callID, m.from.tag()); l != nil {
			l.post(event{kind: evLate2xx, msg: m})
		}
	}
}

// request routes a well-formed request.
func (s *Server) request(m *message, from hop, p peer, limit int) {
	switch m.method {
	case "ACK":
		s.ack(m)
		return
	case "CANCEL":
		s.cancel(m, from, p, limit)
		return
	}
	if t := s.tx.findServer(m, m.method); t != nil {
		t.repeated()
		return
	}
	if m.to.tag() != "" {
		s.inDialog(m, from, p, limit)
		return
	}
	switch m.method {
	case "INVITE":
		s.invite(m, from, p, limit)
	case "REGISTER":
		s.guest(m.callID, func() { s.register(m, from, limit) })
	case "OPTIONS":
		s.options(m, from, p, limit)
	default: // BYE, INFO, UPDATE outside a dialog
		s.met.refuse("dialog")
		s.reply(m, from, 481, "", limit)
	}
}

// ack goes to the leg whose 2xx it confirms, else to the transaction whose refusal it confirms.
func (s *Server) ack(m *message) {
	if l := s.dialogs.find(m.callID, m.to.tag(), m.from.tag()); l != nil && l.confirms(m) {
		l.post(event{kind: evAck, msg: m})
		return
	}
	if t := s.tx.findServer(m, "INVITE"); t != nil {
		t.ack()
	}
}

// cancel answers CANCEL by itself and tells the leg (RFC 3261 9.2). An INVITE that still waits for its password is
// looked for again by the same worker, after it.
func (s *Server) cancel(m *message, from hop, p peer, limit int) {
	if s.cancelNow(m, from, limit) {
		return
	}
	unknown := func() { s.reply(m, from, 481, "", limit) }
	if p.trunk != nil && !p.desk {
		unknown()
		return
	}
	s.guest(m.callID, func() {
		if !s.cancelNow(m, from, limit) {
			unknown()
		}
	})
}

func (s *Server) cancelNow(m *message, from hop, limit int) bool {
	t := s.tx.findServer(m, "INVITE")
	if t == nil {
		return false
	}
	s.reply(m, from, 200, "", limit)
	if t.leg != nil {
		t.leg.post(event{kind: evCancel, msg: m, tx: t})
	}
	return true
}

// inDialog hands a request to its leg. Anything but its leg's peer finds no dialog: tags are 64 random bits.
func (s *Server) inDialog(m *message, from hop, p peer, limit int) {
	l := s.dialogs.find(m.callID, m.to.tag(), m.from.tag())
	if l == nil || m.method == "REGISTER" {
		s.met.refuse("dialog")
		s.reply(m, from, 481, "", limit)
		return
	}
	t, ok := s.tx.serve(m, back(m, from), l)
	if !ok {
		return
	}
	if !l.post(event{kind: evRequest, msg: m, tx: t, from: from}) {
		s.answer(t, 503, "", retryAfter())
	}
}

// options answers a ping from those we know (RFC 3261 11.2); strangers learn nothing.
func (s *Server) options(m *message, from hop, p peer, limit int) {
	switch {
	case !p.listed():
		s.met.refuse("unlisted")
		s.reply(m, from, 403, "", limit)
	case s.draining.Load():
		s.met.refuse("draining")
		s.reply(m, from, 503, "", limit, retryAfter())
	default:
		s.reply(m, from, 200, "", limit, field{"Allow", allow}, field{"Accept", "application/sdp"},
			field{"Supported", "timer"}, field{"Server", s.cfg.UserAgent})
	}
}
