package asterisk

import (
	"context"
	"errors"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"

	"hotline/telephony"
	"hotline/telephony/media"
)

// anyEndpoint is what may be dialled beside trunks: a technology and a resource, nothing that Asterisk reads as options.
var anyEndpoint = regexp.MustCompile(`^[A-Za-z0-9]{2,20}/[A-Za-z0-9._+*#@:/-]{1,128}$`)

// Dial calls and returns when the call is answered and our audio is connected. The error wraps telephony.ErrBusy,
// ErrNoAnswer, ErrRefused, ErrUnreachable or ErrNoCodec, or is ctx's cause; then a call that still rang was cancelled.
// Calls out are not subject to MaxCalls, but to their trunk's.
func (d *Driver) Dial(ctx context.Context, dial Dial) (*Leg, error) {
	l, err := d.dial(ctx, dial)
	if err != nil {
		return nil, fmt.Errorf("dial %s: %w", dial.To, err)
	}
	return l, nil
}

func (d *Driver) dial(ctx context.Context, dial Dial) (*Leg, error) {
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	c, err := d.plan(dial)
	if err != nil {
		return nil, err
	}
	id := dial.Leg
	if id == "" {
		id = d.newID()
	}
	l := d.newLeg(id, d.cfg.App+":"+string(id)+":c", false, c.trunk)
	if c.trunk == nil {
		l.side = telephony.SideAgent
	}
	l.party, l.ringFor, l.ringing = c.party, c.ring, dial.OnRinging
	l.setLaw(dial.Law)
	c.vars["HOTLINE_LEG"] = string(id)
	if !l.start() {
		return nil, telephony.ErrUnreachable
	}
	if !d.ask(func(t *table) { t.add(l) }) {
		l.Hangup(telephony.CauseOverload)
		return nil, telephony.ErrUnreachable
	}
	d.chore(func(ctx context.Context) { l.place(ctx, c) })
	return l.await(ctx)
}

// place makes the call. It is not cut short when the leg ends meanwhile: Asterisk may have begun, and then must hear that
// it is over.
func (l *Leg) place(ctx context.Context, c *outCall) {
	err := l.d.rest.ask(ctx, "POST", "/channels", params{"endpoint", c.endpoint, "app", l.d.cfg.App, "channelId", l.channel, "callerId", c.callerID,
		"timeout", strconv.Itoa(int(math.Ceil(c.ring.Seconds())) + 2), "formats", c.formats}, map[string]any{"variables": c.vars}, nil)
	if err != nil {
		l.endFor(why{what: noResponse, cause: telephony.CauseUnavailable, detail: err.Error()})
		return
	}
	l.placed.Store(true)
	select {
	case <-l.done:
		l.d.exhume(ctx, l.channel, qNormal)
	default:
	}
}

// await waits for the answer.
func (l *Leg) await(ctx context.Context) (*Leg, error) {
	select {
	case <-l.ready:
		if err := l.attach(ctx); err != nil {
			l.Hangup(telephony.CauseServerError)
			if cause := context.Cause(ctx); cause != nil {
				return nil, cause
			}
			return nil, fmt.Errorf("%w: %w", telephony.ErrUnreachable, err)
		}
		l.rearm()
		return l, nil
	case <-l.done:
		e := l.End()
		if e.Code != 0 {
			return nil, fmt.Errorf("%w (Q.850 cause %d)", e.DialError(), e.Code)
		}
		return nil, fmt.Errorf("%w (%s)", e.DialError(), e.Detail)
	case <-ctx.Done():
		cause := context.Cause(ctx)
		if errors.Is(cause, ErrElsewhere) {
			l.Hangup(telephony.CauseElsewhere)
		} else {
			l.Hangup(telephony.CauseNormal)
		}
		return nil, cause
	}
}

// outCall is a call out, as Asterisk wants it.
type outCall struct {
	endpoint, callerID, formats string
	vars                        map[string]string
	ring                        time.Duration
	trunk                       *trunk
	party                       telephony.Party
}

// plan finds out where a call goes and what it shows.
func (d *Driver) plan(dial Dial) (*outCall, error) {
	c := &outCall{vars: map[string]string{}, ring: dial.Ring, formats: "alaw,ulaw"}
	if dial.Law == media.PCMU {
		c.formats = "ulaw,alaw"
	}
	setDefault(&c.ring, 60*time.Second)
	private := dial.Caller.Trust == telephony.TrustWithheld
	number := dial.Caller.Value
	kind, rest, _ := strings.Cut(dial.To, ":")
	switch kind {
	case "trunk":
		name, called, _ := strings.Cut(rest, ":")
		c.trunk = d.trunks.Load().byName[name]
		switch {
		case c.trunk == nil:
			return nil, fmt.Errorf("%w: no such trunk", telephony.ErrUnreachable)
		case !c.trunk.cfg.Enabled:
			return nil, fmt.Errorf("%w: trunk %s takes no calls out", telephony.ErrUnreachable, name)
		case c.trunk.full():
			return nil, fmt.Errorf("%w: trunk %s is full", telephony.ErrBusy, name)
		case !dialable(called):
			return nil, fmt.Errorf("%w: not a number", telephony.ErrUnreachable)
		}
		c.endpoint = "PJSIP/" + called + "@" + name
		c.party = telephony.Party{Called: called, Trunk: name, Region: c.trunk.cfg.Region, AreaCode: c.trunk.cfg.AreaCode}
		if number == "" && !private {
			number = c.trunk.cfg.CallerID
		}
	case "asterisk":
		if !anyEndpoint.MatchString(rest) {
			return nil, fmt.Errorf("%w: not an endpoint of Asterisk", telephony.ErrUnreachable)
		}
		c.endpoint = rest
		_, resource, _ := strings.Cut(rest, "/")
		c.party = telephony.Party{Called: resource, Trunk: resource}
	default:
		return nil, fmt.Errorf("%w: unknown kind of address", telephony.ErrUnreachable)
	}
	c.party.Caller = dial.Caller
	name := dial.CallerName
	if name == "" {
		name = dial.Caller.DisplayName
	}
	if private {
		number, name = "", ""
		c.vars["CALLERID(num-pres)"], c.vars["CALLERID(name-pres)"] = "prohib", "prohib"
	}
	c.callerID = callerID(name, number)
	return c, nil
}

// callerID is a caller as Asterisk reads it: "Name" <number>.
func callerID(name, number string) string {
	if !dialable(number) {
		number = ""
	}
	name = strings.Map(func(r rune) rune {
		if strings.ContainsRune(`"\<>`, r) {
			return -1
		}
		return r
	}, clean(name, 80))
	switch {
	case name == "" && number == "":
		return ""
	case name == "":
		return number
	}
	return `"` + name + `" <` + number + `>`
}

// setLaw chooses the codec of our side, before the audio is connected.
func (l *Leg) setLaw(law media.Law) {
	if law != media.PCMA {
		law = media.PCMU
	}
	l.law.Store(uint32(law))
}
