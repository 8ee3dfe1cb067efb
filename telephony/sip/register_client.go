package sip

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strconv"
	"time"
)

// registration keeps us registered at one provider (RFC 3261 10.2). Its goroutine ends when stop is called.
type registration struct {
	s      *Server
	trunk  *trunk
	callID string
	tag    string
	seq    uint32
	cancel context.CancelFunc
	done   chan struct{}
}

// firstRetry and lastRetry are the bounds of the pause after a failure; it doubles in between.
const (
	firstRetry = 30 * time.Second
	lastRetry  = 10 * time.Minute
)

// syncRegistrations starts and stops registrations so that they match the trunks. Called with trunkMu held.
func (s *Server) syncRegistrations(t *trunkTable) {
	if !s.started || s.closing {
		return
	}
	for name, r := range s.regs {
		now := t.byName[name]
		if now == nil || !now.registers() || !sameRegistration(now.cfg, r.trunk.cfg) {
			r.stop()
			delete(s.regs, name)
		}
	}
	for _, tr := range t.ordered {
		if r := s.regs[tr.cfg.Name]; tr.registers() && r == nil {
			s.regs[tr.cfg.Name] = s.startRegistration(tr)
		} else if !tr.registers() {
			tr.live.setAddrs(nil)
		}
	}
}

func (t *trunk) registers() bool { return t.cfg.Register && t.cfg.Enabled }

func sameRegistration(a, b Trunk) bool {
	return a.Host == b.Host && a.Port == b.Port && a.Transport == b.Transport && a.User == b.User &&
		a.Password == b.Password && a.Realm == b.Realm && a.RegisterEvery == b.RegisterEvery
}

// stopRegistrations ends them all. Called with trunkMu held.
func (s *Server) stopRegistrations() {
	for name, r := range s.regs {
		r.stop()
		delete(s.regs, name)
	}
}

func (s *Server) startRegistration(tr *trunk) *registration {
	ctx, cancel := context.WithCancel(s.run)
	r := &registration{s: s, trunk: tr, callID: token(12) + "@" + s.cfg.AdvertiseHost, tag: token(8),
		seq: rand.Uint32() >> 8, cancel: cancel, done: make(chan struct{})}
	go r.keep(ctx)
	return r
}

func (r *registration) stop() {
	r.cancel()
	<-r.done
}

// keep registers, renews in time, and retries after failures, until ctx ends; then it takes the registration back.
func (r *registration) keep(ctx context.Context) {
	defer close(r.done)
	retry := firstRetry
	for {
		var granted time.Duration
		err := errors.New("panic")
		r.s.guard(func() { granted, err = r.once(ctx, r.every()) })
		wait := time.Duration(0)
		switch {
		case ctx.Err() != nil:
		case err != nil:
			r.state(false, err.Error())
			wait = retry/2 + rand.N(retry)
			retry = min(2*retry, lastRetry)
		default:
			r.state(true, "")
			retry = firstRetry
			wait = granted * 4 / 5 // in time for a few repeats
		}
		t := time.NewTimer(wait)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			r.leave()
			return
		}
	}
}

// leave takes the registration back, without insisting.
func (r *registration) leave() {
	r.trunk.live.mu.Lock()
	was := r.trunk.live.registered
	r.trunk.live.mu.Unlock()
	if was {
		ctx, cancel := context.WithTimeout(context.Background(), 4*r.s.cfg.T1)
		defer cancel()
		r.s.guard(func() { _, _ = r.once(ctx, 0) })
	}
	r.state(false, "")
}

func (r *registration) every() time.Duration {
	if r.trunk.cfg.RegisterEvery > 0 {
		return r.trunk.cfg.RegisterEvery
	}
	return 300 * time.Second
}

func (r *registration) state(ok bool, why string) {
	if r.trunk.live.setState(ok, why, r.s.cfg.Now()) {
		n := 1.0
		if !ok {
			n = -1
		}
		r.s.met.trunks.Add(n)
		r.s.log.Info("trunk registration", "trunk", r.trunk.cfg.Name, "registered", ok, "error", why)
	}
}

// once registers for expires, answering at most maxTries challenges, and returns what was granted.
func (r *registration) once(ctx context.Context, expires time.Duration) (time.Duration, error) {
	cfg := r.trunk.cfg
	places, err := r.s.lookup(ctx, hostInURI(cfg.Host), cfg.Port, cfg.Transport)
	if err != nil {
		return 0, err
	}
	var addrs []netip.Addr
	for _, p := range places {
		addrs = append(addrs, p.addr.Addr())
	}
	r.trunk.live.setAddrs(addrs)
	for _, p := range places {
		var granted time.Duration
		if granted, err = r.at(ctx, p, expires); err == nil || ctx.Err() != nil {
			return granted, err
		}
	}
	return 0, err
}

func (r *registration) at(ctx context.Context, p place, expires time.Duration) (time.Duration, error) {
	to, err := r.s.reach(ctx, p)
	if err != nil {
		return 0, err
	}
	var auth []field
	for tries := 0; ; tries++ {
		res, uri, err := r.ask(ctx, to, expires, auth)
		switch {
		case err != nil:
			return 0, err
		case res.status/100 == 2:
			return r.granted(res, expires), nil
		case res.status == 423 && tries < maxTries:
			if n, ok := number(res.get("Min-Expires"), 1<<20); ok {
				expires = time.Duration(n) * time.Second
				continue
			}
		case (res.status == 401 || res.status == 407) && tries < maxTries:
			if auth = r.credentials(res, uri); auth != nil {
				continue
			}
		}
		return 0, fmt.Errorf("refused: %d %s", res.status, clean(res.reason, maxDisplay))
	}
}

func (r *registration) credentials(res *message, uri string) []field {
	ask, answer := "WWW-Authenticate", "Authorization"
	if res.status == 407 {
		ask, answer = "Proxy-Authenticate", "Proxy-Authorization"
	}
	cfg := r.trunk.cfg
	for _, f := range res.fields {
		if f.name == ask {
			if v, ok := answerChallenge(f.value, cfg.Realm, cfg.User, cfg.Password, "REGISTER", uri); ok {
				return []field{{answer, v}}
			}
		}
	}
	return nil
}

// granted reads how long the registration holds: our contact's expires, else Expires, else what we asked.
func (r *registration) granted(res *message, asked time.Duration) time.Duration {
	got := asked
	if n, ok := number(res.get("Expires"), 1<<20); ok {
		got = time.Duration(n) * time.Second
	}
	for _, c := range res.contacts {
		u, err := c.parsed()
		if err != nil || u.User != escapeUser(r.trunk.cfg.User) {
			continue
		}
		if v, ok := c.params.get("expires"); ok {
			if n, ok := number(v, 1<<20); ok && n > 0 {
				got = time.Duration(n) * time.Second
			}
		}
	}
	return max(got, time.Second)
}

// ask sends one REGISTER and waits for its final response.
func (r *registration) ask(ctx context.Context, to hop, expires time.Duration, auth []field) (*message, string, error) {
	cfg := r.trunk.cfg
	host := hostInURI(cfg.Host)
	uri := "sip:" + host
	if cfg.Port != 0 {
		uri += ":" + strconv.Itoa(cfg.Port)
	}
	branch := magic + token(8)
	req, err := r.s.newRequest("REGISTER", uri, to, branch)
	if err != nil {
		return nil, "", err
	}
	aor := "<sip:" + escapeUser(cfg.User) + "@" + host + ">"
	r.seq++
	add := adder(req)
	add("From", aor+";tag="+r.tag)
	add("To", aor)
	add("Call-ID", r.callID)
	add("CSeq", strconv.FormatUint(uint64(r.seq), 10)+" REGISTER")
	add("Contact", r.s.contact(escapeUser(cfg.User), to.proto()))
	add("Expires", seconds(expires))
	add("Allow", allow)
	add("User-Agent", r.s.cfg.UserAgent)
	for _, f := range auth {
		add(f.name, f.value)
	}
	type result struct {
		m   *message
		err error
	}
	got := make(chan result, 4) // one final answer; provisional ones are not sent on
	r.s.tx.send(&clientTx{request: encode(req, "", nil), out: to, on: func(m *message, err error) {
		if m == nil || m.status >= 200 {
			select {
			case got <- result{m, err}:
			default:
			}
		}
	}}, branch, "REGISTER")
	select {
	case x := <-got:
		return x.m, req.Recipient.String(), x.err
	case <-ctx.Done():
		return nil, "", context.Cause(ctx)
	}
}
