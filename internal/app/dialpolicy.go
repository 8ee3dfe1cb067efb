package app

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nyaruka/phonenumbers"

	"hotline/tickets"
)

// Reasons of the dial policy. A refusal wraps one of them; they are also the labels of the metric.
var (
	errNoNumber   = errors.New("not a telephone number")
	errBlocked    = errors.New("numbers with this beginning are not called (setting dial.blocked)")
	errPremium    = errors.New("premium-rate numbers are not called")
	errCountry    = errors.New("numbers of this country are not called (setting dial.countries)")
	errOwnNumber  = errors.New("one of our own numbers")
	errNoTrunkOut = errors.New("no trunk takes calls out: set a host on one")
)

// maxDigits is the longest number dialled: 15 digits of E.164 and room for a prefix of a PBX behind the trunk.
const maxDigits = 18

// mayDial is the one rule about numbers, for menus, transfers and agents alike (reliability R13). What it cannot read as a
// number of the world is a short number of the PBX behind the trunk, and nothing longer: a dialling prefix would lead
// around the rule.
func (a *App) mayDial(number string) error {
	digits := strings.TrimPrefix(number, "+")
	if digits == "" || strings.Trim(digits, "0123456789") != "" || len(digits) > maxDigits {
		return fmt.Errorf("%w: %d characters", errNoNumber, len(number))
	}
	n := tickets.ParseNumber(number, tickets.DialPlan{Region: a.cfg.Region, AreaCode: a.cfg.AreaCode})
	if n.E164 == "" {
		if len(digits) > 6 || number != digits {
			return errNoNumber
		}
		return a.notOurs(digits)
	}
	whole := strings.TrimPrefix(n.E164, "+")
	for _, p := range a.cfg.DialBlocked {
		if strings.HasPrefix(whole, strings.TrimPrefix(p, "+")) {
			return errBlocked
		}
	}
	p, err := phonenumbers.Parse(n.E164, "")
	if err != nil {
		return errNoNumber
	}
	switch phonenumbers.GetNumberType(p) {
	case phonenumbers.PREMIUM_RATE, phonenumbers.SHARED_COST, phonenumbers.PAGER:
		return errPremium
	}
	if allowed := a.cfg.DialCountries; len(allowed) > 0 && !slices.Contains(allowed, phonenumbers.GetRegionCodeForNumber(p)) {
		return errCountry
	}
	return a.notOurs(whole)
}

// notOurs refuses numbers that lead back to us.
func (a *App) notOurs(digits string) error {
	a.set.mu.RLock()
	defer a.set.mu.RUnlock()
	for n := range a.set.numbers {
		if strings.TrimPrefix(n, "+") == digits {
			return errOwnNumber
		}
	}
	return nil
}

// policyWhy names a refusal of the policy for the metric.
func policyWhy(err error) string {
	for why, e := range map[string]error{"number": errNoNumber, "blocked": errBlocked, "premium": errPremium, "country": errCountry, "own_number": errOwnNumber, "no_trunk": errNoTrunkOut} {
		if errors.Is(err, e) {
			return why
		}
	}
	return "other"
}

// dials is the cap on each agent's calls out: one at a time, and so many an hour.
type dials struct {
	mu   sync.Mutex // guards what follows
	busy map[string]bool
	made map[string][]time.Time // within the last hour
}

// take reserves the agent's one call out. hourly 0: no limit.
func (d *dials) take(login string, now time.Time, hourly int) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.busy == nil {
		d.busy, d.made = map[string]bool{}, map[string][]time.Time{}
	}
	if d.busy[login] {
		return errAgentDials
	}
	recent := slices.DeleteFunc(d.made[login], func(t time.Time) bool { return now.Sub(t) >= time.Hour })
	if hourly > 0 && len(recent) >= hourly {
		d.made[login] = recent
		return errTooMany
	}
	d.busy[login], d.made[login] = true, append(recent, now)
	return nil
}

func (d *dials) free(login string) { d.mu.Lock(); delete(d.busy, login); d.mu.Unlock() }

var (
	errAgentDials = errors.New("the agent is calling already")
	errTooMany    = errors.New("too many calls out within an hour (setting dial.per_hour)")
)
