package app

import (
	"cmp"
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"time"

	"hotline/internal/httpapi"
	"hotline/internal/trunks"
	"hotline/telephony/asterisk"
)

// Drivers, as calls and settings name them.
const (
	driverNative   = "native"
	driverAsterisk = "asterisk"
)

// byAsterisk reports whether Asterisk carries the callers.
func (a *App) byAsterisk() bool { return a.cfg.Driver == driverAsterisk }

// driver names who carries the callers.
func (a *App) driver() string {
	if a.byAsterisk() {
		return driverAsterisk
	}
	return driverNative
}

func driverOf(in callerLeg) string {
	if d, ok := in.(*dialledLeg); ok {
		in = d.real()
	}
	if _, ok := in.(*asterisk.Leg); ok {
		return driverAsterisk
	}
	return driverNative
}

// outlives reports whether a leg stays up when this process ends.
func outlives(in callerLeg) bool { return driverOf(in) == driverAsterisk }

// startAsterisk connects to Asterisk in the background: it may be away, and calls of before may be waiting in it.
func (a *App) startAsterisk(_, bg context.Context) (err error) {
	if !a.byAsterisk() {
		return nil
	}
	secret, err := a.cfg.AsteriskPassword()
	if err != nil {
		return err
	}
	ready := make(chan struct{}, 1) // full: told already
	ip, err := netip.ParseAddr(a.cfg.MediaIP)
	if err != nil {
		ip = mediaIP(a.cfg.MediaIP, a.cfg.SIPAddr)
	}
	a.ari, err = asterisk.New(asterisk.Config{URL: a.cfg.AsteriskURL, App: a.cfg.AsteriskApp, User: a.cfg.AsteriskUser, Secret: secret, MediaIP: ip,
		MusicClass: a.cfg.AsteriskMusic, MaxCalls: a.cfg.SIPMaxCalls, MediaTimeout: a.cfg.MediaTimeout, GiveUp: giveUp, Now: a.now, Log: a.log, Registerer: a.reg,
		Sockets: a.ports, Pacer: a.pacer, Library: a.library, OnState: func(s asterisk.State) {
			a.asteriskState(s)
			if s.Ready {
				select {
				case ready <- struct{}{}:
				default:
				}
			}
		}},
		func(ctx context.Context, leg *asterisk.Leg) { a.ServeCall(ctx, leg) },
		a.takeOver)
	if err != nil {
		return err
	}
	a.set.mu.RLock()
	var lines []trunks.Trunk
	for _, t := range a.set.trunks {
		lines = append(lines, t)
	}
	a.set.mu.RUnlock()
	if err := a.ari.SetTrunks(asteriskTrunks(lines)); err != nil {
		return err
	}
	if err := a.ari.Start(bg); err != nil {
		return err
	}
	a.onStop(func(ctx context.Context) error {
		cut, cancel := context.WithTimeout(ctx, cutLimit)
		defer cancel()
		return a.ari.Stop(cut)
	})
	a.goBG(bg, "adoption", func(ctx context.Context) error { return a.closeRest(ctx, ready) })
	return nil
}

// takeOver goes on with a call that was there before this process. One of which the journal knows nothing was met in the
// instant when it arrived: it is a new call. False: its call is over, or it is the side that we had called.
func (a *App) takeOver(ctx context.Context, leg *asterisk.Leg) bool {
	if a.GoOn(ctx, leg) {
		return true
	}
	if !leg.Inbound() || a.journal.Ended(leg.ID()) || a.cut.over(leg.ID()) {
		return false
	}
	a.ServeCall(ctx, leg)
	return true
}

// closeRest ends the calls of before that Asterisk does not know any more, or did not tell about in time.
func (a *App) closeRest(ctx context.Context, ready <-chan struct{}) error {
	limit := time.NewTimer(giveUp)
	defer limit.Stop()
	select {
	case <-ctx.Done():
		return nil // the next start has them again
	case <-limit.C:
	case <-ready: // every leg that is there is known to the driver by now
	}
	tick := time.NewTicker(claimEvery)
	defer tick.Stop()
	var errs []error
	for {
		gone, more := a.cut.giveUp(a.ari.Known)
		for _, s := range gone {
			errs = append(errs, a.closeOne(ctx, s))
		}
		if !more {
			return errors.Join(errs...)
		}
		select {
		case <-ctx.Done():
			return errors.Join(errs...)
		case <-tick.C:
		}
	}
}

// asteriskState raises and clears the alarm of a lost or refusing Asterisk.
func (a *App) asteriskState(s asterisk.State) {
	a.alarms.mu.Lock()
	told := a.alarms.asterisk
	a.alarms.asterisk = s.Problem
	a.alarms.mu.Unlock()
	if s.Ready {
		a.metrics.alarm.WithLabelValues("asterisk").Set(0)
	} else {
		a.metrics.alarm.WithLabelValues("asterisk").Set(1)
	}
	if s.Ready || told == s.Problem {
		return
	}
	text := map[string]string{"ru": "Нет связи с Asterisk: новые звонки не принимаются. " + s.Problem, "en": "No connection to Asterisk: no new calls come in. " + s.Problem}
	for login, p := range a.people() {
		if slices.Contains(p.roles, "supervisor") || slices.Contains(p.roles, "admin") {
			a.hub.Send(login, "alert", map[string]any{"id": "asterisk", "level": "critical", "text": text, "link": ""})
		}
	}
}

// asteriskReady is the readiness of the driver.
func (a *App) asteriskReady(context.Context) error {
	if s := a.ari.State(); !s.Ready {
		return errors.New(s.Problem)
	}
	return nil
}

// setTrunks hands the trunks to whoever carries callers.
func (a *App) setTrunks(lines []trunks.Trunk) error {
	if !a.byAsterisk() {
		return a.sip.SetTrunks(sipTrunks(lines))
	}
	if a.ari == nil {
		return nil // told when it starts
	}
	return a.ari.SetTrunks(asteriskTrunks(lines))
}

func asteriskTrunks(in []trunks.Trunk) []asterisk.Trunk {
	out := make([]asterisk.Trunk, 0, len(in))
	for _, t := range in {
		out = append(out, asterisk.Trunk{Name: t.Name, AssertsIdentity: t.AssertsIdentity, Region: t.Region, AreaCode: t.AreaCode, CallerID: t.CallerID,
			MaxCalls: t.MaxCalls, Enabled: t.Enabled})
	}
	return out
}

func (a *App) asteriskTrunk(name string) httpapi.TrunkState {
	for _, t := range a.ari.Trunks() {
		if t.Name == name {
			s := a.ari.State()
			return httpapi.TrunkState{Registered: s.Ready && t.Problem == "", Since: &s.Since, Error: cmp.Or(s.Problem, t.Problem), Calls: t.Calls}
		}
	}
	return httpapi.TrunkState{}
}

// dialAsterisk calls through Asterisk.
func (a *App) dialAsterisk(ctx context.Context, r dialRequest) (callerLeg, error) {
	leg, err := a.ari.Dial(ctx, asterisk.Dial{To: r.To, Law: r.Law, Ring: r.Ring, Caller: r.Caller, CallerName: strings.TrimSpace(r.CallerName), OnRinging: r.OnRinging, Leg: r.Leg})
	if err != nil {
		return nil, err
	}
	return leg, nil
}
