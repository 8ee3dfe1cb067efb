package sip

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"
)

// sessionTimer is RFC 4028: a session that nobody refreshes is over, so that a peer that vanished leaves no zombie.
// It belongs to a leg's owner.
type sessionTimer struct {
	interval time.Duration
	ours     bool // we refresh
	peer     bool // the other side knows session timers
	refresh  alarm
	expiry   alarm
}

// readInterval reads Session-Expires. Zero: none, or unreadable.
func readInterval(m *message) (d time.Duration, refresher string) {
	parts, ok := cut(m.get("Session-Expires"), ';')
	if !ok {
		return 0, ""
	}
	n, ok := number(parts[0], 1<<31)
	if !ok {
		return 0, ""
	}
	if p, ok := readParams(parts[1:]); ok {
		refresher, _ = p.get("refresher")
	}
	return time.Duration(n) * time.Second, strings.ToLower(refresher)
}

func knowsTimer(m *message) bool { return m.lists("Supported", "timer") || m.lists("Require", "timer") }

// shortInterval reports whether the other side asks for a shorter session than we allow, and what it may ask for.
func (s *Server) shortInterval(m *message) (min string, bad bool) {
	d, _ := readInterval(m)
	if d == 0 || d >= s.cfg.MinSE || !knowsTimer(m) {
		return "", false
	}
	return seconds(s.cfg.MinSE), true
}

func seconds(d time.Duration) string { return strconv.Itoa(int(d / time.Second)) }

// tooShort refuses such a re-INVITE or UPDATE.
func (l *Leg) tooShort(e event) bool {
	min, bad := l.s.shortInterval(e.msg)
	if bad {
		l.s.met.refuse("interval")
		l.s.answer(e.tx, 422, "", field{"Min-SE", min})
	}
	return bad
}

// timeSession reads what the INVITE says about the session's length.
func (l *Leg) timeSession() { l.o.timer.agreeAsServer(l.o.invite, l.s.cfg) }

// agreeAsServer settles interval and refresher for a request of the other side's (RFC 4028 9).
func (t *sessionTimer) agreeAsServer(m *message, cfg Config) {
	d, refresher := readInterval(m)
	t.peer = knowsTimer(m)
	t.interval = cfg.SessionExpires
	if d > 0 && d < t.interval {
		t.interval = max(d, cfg.MinSE)
	}
	if min, ok := number(trim(strings.Split(m.get("Min-SE"), ";")[0]), 1<<31); ok {
		t.interval = max(t.interval, time.Duration(min)*time.Second)
	}
	t.ours = !t.peer || d == 0 || refresher != "uac"
}

// announce writes the outcome into our 2xx.
func (t *sessionTimer) announce(add func(name, value string)) {
	if !t.peer {
		return // it could make nothing of it; we refresh all the same
	}
	who := "uac"
	if t.ours {
		who = "uas"
	}
	add("Require", "timer")
	add("Session-Expires", seconds(t.interval)+";refresher="+who)
}

// ask writes our wish into a request of ours. refresher "" leaves it to the other side.
func (t *sessionTimer) ask(add func(name, value string), cfg Config, refresher string) {
	if t.interval == 0 {
		t.interval = cfg.SessionExpires
	}
	v := seconds(t.interval)
	if refresher != "" {
		v += ";refresher=" + refresher
	}
	add("Supported", "timer")
	add("Session-Expires", v)
	add("Min-SE", seconds(cfg.MinSE))
}

// agreeAsClient reads the outcome from a 2xx to a request of ours (RFC 4028 7.2).
func (t *sessionTimer) agreeAsClient(m *message) {
	d, refresher := readInterval(m)
	t.peer, t.ours = d > 0, refresher != "uas"
	if d > 0 {
		t.interval = d
	}
}

// start runs the timers anew, after every refresh.
func (t *sessionTimer) start() {
	t.stop()
	if t.interval <= 0 {
		return
	}
	if t.ours {
		t.refresh.set(t.interval / 2)
		t.expiry.set(t.interval)
		return
	}
	t.expiry.set(t.interval - min(32*time.Second, t.interval/3)) // RFC 4028 10
}

func (t *sessionTimer) stop() {
	t.refresh.stop()
	t.expiry.stop()
}

// refreshSession sends UPDATE where it is understood, else a re-INVITE with the description we have.
func (l *Leg) refreshSession() {
	o := &l.o
	if o.phase != up {
		return
	}
	if o.pending != nil || o.accepting != nil {
		o.timer.refresh.set(4 * l.s.cfg.T1)
		return
	}
	method, body := "INVITE", o.lastSDP
	if (&message{fields: []field{{"Allow", o.peerSays}}}).lists("Allow", "UPDATE") {
		method, body = "UPDATE", nil
	}
	l.sendRefresh(method, body, 0)
}

func (l *Leg) sendRefresh(method string, body []byte, tries int, extra ...field) {
	o := &l.o
	o.guard.set(66 * l.s.cfg.T1)
	o.pending = l.send(method, func(add func(name, value string)) {
		who := "uac"
		if !o.timer.ours {
			who = "uas"
		}
		o.timer.ask(add, l.s.cfg, who)
		for _, f := range extra {
			add(f.name, f.value)
		}
	}, body, outgoing{refresh: true, tries: tries, offered: body != nil})
}

// refreshResponse judges the answer to a refresh.
func (l *Leg) refreshResponse(e event) {
	o := &l.o
	if e.msg != nil && e.msg.status < 200 {
		return
	}
	if o.phase != up {
		return
	}
	out := o.pending
	o.pending = nil
	o.guard.stop()
	if e.msg == nil {
		l.refreshFailed(408)
		return
	}
	switch status := e.msg.status; {
	case status < 300:
		if out.method == "INVITE" {
			l.ack2xx(e.msg)
		}
		l.refetch(e.msg)
		if body := e.msg.sdp(); body != nil && out.offered {
			if err := l.takeAnswer(body); err != nil {
				l.log.Warn("answer to a refresh not usable", "error", err)
			}
		}
		o.timer.agreeAsClient(e.msg)
		o.timer.start()
	case status == 401 || status == 407:
		auth, ok := l.credentials(event{msg: e.msg, out: out})
		if !ok {
			return // the expiry decides
		}
		var body []byte
		if out.offered {
			body = o.lastSDP
		}
		l.sendRefresh(out.method, body, out.tries+1, auth)
	case status == 422:
		if min, ok := number(trim(strings.Split(e.msg.get("Min-SE"), ";")[0]), 1<<20); ok && out.tries < maxTries {
			o.timer.interval = max(o.timer.interval, time.Duration(min)*time.Second)
			l.sendRefresh(out.method, nil, out.tries+1)
		}
	case status == 491: // RFC 3261 14.1: both at once; the dialog's maker waits longer
		o.timer.refresh.set(l.s.cfg.T1 * time.Duration(2+rand.IntN(6)))
	case out.method == "UPDATE" && (status == 405 || status == 501):
		o.peerSays = ""
		o.timer.refresh.set(l.s.cfg.T1)
	default:
		l.refreshFailed(status)
	}
}

// refreshFailed ends a dialog the other side knows no more (RFC 3261 12.2.1.2); anything else leaves it to the expiry.
func (l *Leg) refreshFailed(status int) {
	l.o.pending.forget()
	l.o.pending = nil
	if status == 408 || status == 481 {
		l.endBy(noSession, "timeout", status, fmt.Sprintf("refresh failed with %d", status))
	}
}
