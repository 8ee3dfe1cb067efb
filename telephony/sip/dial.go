package sip

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"hotline/telephony"
)

// Dial calls and returns when the call is answered. The error wraps telephony.ErrBusy, ErrNoAnswer, ErrRefused,
// ErrUnreachable or ErrNoCodec, or is ctx's cause; then a call that still rang was cancelled. Calls out are not subject
// to MaxCalls, but to their trunk's.
func (s *Server) Dial(ctx context.Context, d Dial) (*Leg, error) {
	if err := context.Cause(ctx); err != nil {
		return nil, fmt.Errorf("dial %s: %w", d.To, err)
	}
	c, tr, err := s.plan(ctx, d)
	if err != nil {
		return nil, fmt.Errorf("dial %s: %w", d.To, err)
	}
	select {
	case <-s.run.Done():
		return nil, fmt.Errorf("dial %s: %w", d.To, telephony.ErrUnreachable)
	default:
	}
	s.dialogs.reserve(1 << 30)
	l := s.newLeg(false, nil)
	if tr != nil {
		l.setTrunk(tr)
	}
	l.prepare(c)
	go l.own()
	select {
	case <-c.ready:
		return l, nil
	case <-l.done:
		e := l.End()
		if e.Code != 0 {
			return nil, fmt.Errorf("dial %s: %w (%d %s)", d.To, e.DialError(), e.Code, e.Detail)
		}
		return nil, fmt.Errorf("dial %s: %w (%s)", d.To, e.DialError(), e.Detail)
	case <-ctx.Done():
		why := context.Cause(ctx)
		if errors.Is(why, ErrElsewhere) {
			l.Hangup(telephony.CauseElsewhere)
		} else {
			l.Hangup(telephony.CauseNormal)
		}
		return nil, fmt.Errorf("dial %s: %w", d.To, why)
	}
}

// plan finds out where a call goes.
func (s *Server) plan(ctx context.Context, d Dial) (*outCall, *trunk, error) {
	c := &outCall{dial: d, ready: make(chan struct{}), private: d.Caller.Trust == telephony.TrustWithheld}
	name, host := d.CallerName, s.advertised()
	if name == "" {
		name = d.Caller.DisplayName
	}
	kind, rest, _ := strings.Cut(d.To, ":")
	var tr *trunk
	switch kind {
	case "user":
		r, ok := s.registrar.get(rest)
		if !ok {
			return nil, nil, fmt.Errorf("%w: desk phone %s is not registered", telephony.ErrUnreachable, rest)
		}
		c.uri, c.places = r.Contact, []place{{r.Transport, r.Remote}}
	case "trunk":
		trunkName, number, _ := strings.Cut(rest, ":")
		tr = s.trunks.Load().byName[trunkName]
		if err := s.planTrunk(ctx, c, tr, number); err != nil {
			return nil, nil, err
		}
		if d.Caller.Value == "" && !c.private {
			d.Caller.Value = tr.cfg.CallerID
			if d.Caller.Value == "" {
				d.Caller.Value = tr.cfg.User
			}
		}
		if tr.cfg.User != "" {
			host = hostInURI(tr.cfg.Host)
		}
	case "sip":
		if checkURI(d.To) != uriSIP || strings.ContainsAny(d.To, "?<>\"") {
			return nil, nil, fmt.Errorf("%w: not a SIP address", telephony.ErrUnreachable)
		}
		var err error
		c.uri = d.To
		if c.places, err = s.resolve(ctx, d.To, "udp"); err != nil {
			return nil, nil, fmt.Errorf("%w: %w", telephony.ErrUnreachable, err)
		}
	default:
		return nil, nil, fmt.Errorf("%w: unknown kind of address", telephony.ErrUnreachable)
	}
	for _, p := range c.places {
		c.answerTo = append(c.answerTo, p.addr.Addr())
	}
	c.from, c.to = callerValue(name, d.Caller.Value, host, c.private), "<"+c.uri+">"
	return c, tr, nil
}

// planTrunk finds the places of a trunk's host.
func (s *Server) planTrunk(ctx context.Context, c *outCall, tr *trunk, number string) error {
	switch {
	case tr == nil:
		return fmt.Errorf("%w: no such trunk", telephony.ErrUnreachable)
	case !tr.cfg.Enabled || tr.cfg.Host == "":
		return fmt.Errorf("%w: trunk %s takes no calls out", telephony.ErrUnreachable, tr.cfg.Name)
	case tr.cfg.MaxCalls > 0 && int(tr.live.calls.Load()) >= tr.cfg.MaxCalls:
		return fmt.Errorf("%w: trunk %s is full", telephony.ErrBusy, tr.cfg.Name)
	case number == "" || len(number) > maxNumber:
		return fmt.Errorf("%w: no number", telephony.ErrUnreachable)
	}
	hostport := hostInURI(tr.cfg.Host)
	if tr.cfg.Port != 0 {
		hostport += ":" + strconv.Itoa(tr.cfg.Port)
	}
	c.uri = "sip:" + escapeUser(number) + "@" + hostport
	if tr.cfg.Transport == "tcp" {
		c.uri += ";transport=tcp"
	}
	var err error
	c.places, err = s.lookup(ctx, hostInURI(tr.cfg.Host), tr.cfg.Port, tr.cfg.Transport)
	if err != nil {
		return fmt.Errorf("%w: %w", telephony.ErrUnreachable, err)
	}
	return nil
}

// hostInURI puts brackets around an IPv6 address.
func hostInURI(host string) string {
	if ip, err := netip.ParseAddr(host); err == nil && ip.Is6() {
		return "[" + host + "]"
	}
	return host
}

// escapeUser makes any text a valid user part.
func escapeUser(s string) string {
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		if class[c]&isUser != 0 && c != '#' && c != ';' && c != '?' && c != '/' {
			b.WriteByte(c)
			continue
		}
		fmt.Fprintf(&b, "%%%02X", c)
	}
	return b.String()
}

// callerValue is From without its tag.
func callerValue(name, number, host string, private bool) string {
	if private || number == "" {
		return `"Anonymous" <sip:anonymous@anonymous.invalid>`
	}
	uri := "<sip:" + escapeUser(clean(number, maxNumber)) + "@" + host + ">"
	if name = clean(name, maxDisplay); name == "" {
		return uri
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(name) + `" ` + uri
}

// prepare fills in an outbound leg before its owner starts.
func (l *Leg) prepare(c *outCall) {
	s := l.s
	localTag := token(8)
	callID := token(12) + "@" + s.cfg.AdvertiseHost
	law := c.dial.Law
	l.law.Store(uint32(law))
	l.o = owner{phase: calling, since: time.Now(), sdpID: rand.Uint64() >> 2, dir: sendRecv, call: c,
		dlg: dialog{s: s, callID: callID, localTag: localTag, local: c.from + ";tag=" + localTag, remote: c.to,
			localSeq: rand.Uint32() >> 8, target: c.uri, sticky: strings.HasPrefix(c.dial.To, "user:")}}
	name := deskTrunk
	if l.trunk != nil {
		name = l.trunk.cfg.Name
		l.o.dlg.user = l.trunk.cfg.User
		l.party.Region, l.party.AreaCode = l.trunk.cfg.Region, l.trunk.cfg.AreaCode
	} else {
		l.side = telephony.SideAgent
	}
	called, _ := userPart(address{uri: c.uri, kind: uriSIP})
	l.party.Caller, l.party.Called, l.party.Trunk = c.dial.Caller, called, name
	l.party.Remote, l.party.Protocol, l.party.SIPCallID = c.places[0].addr.String(), c.places[0].proto, callID
	l.log = l.log.With("trunk", name)
	s.dialogs.add(l, callID, localTag, "", false)
}
