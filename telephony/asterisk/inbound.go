package asterisk

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"hotline/telephony"
	"hotline/telephony/media"
)

// maxText bounds what others write about themselves.
const maxText = 120

// variables are what StasisStart does not tell. None of them is needed; what Asterisk does not know is empty.
var variables = []string{"CALLERID(num-pres)", "REDIRECTING(from-num)", "CHANNEL(audionativeformat)", "CHANNEL(pjsip,remote_addr)", "PJSIP_HEADER(read,User-Agent)", "PJSIP_HEADER(read,Via)"}

// legVariable marks a channel as a leg of ours, so that a later process recognises it.
const legVariable = "HOTLINE_LEG"

// welcome runs a call that came in: it reads who calls, and gives the leg to the application.
func (l *Leg) welcome() {
	ok := l.d.guard(func() {
		if l.introduce(l.entered, true) {
			l.d.serve(l.ctx, l)
		}
	})
	if ok {
		l.Hangup(telephony.CauseNormal)
	} else {
		l.Hangup(telephony.CauseServerError)
	}
	<-l.done
}

// introduce fills in party and codec, and marks the channel. It tries until it knows or the leg ends: without the
// presentation a withheld number would be shown. False: the leg has ended.
func (l *Leg) introduce(e event, mark bool) bool {
	ctx, cancel := l.bound(context.Background())
	defer cancel()
	for wait := 50 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		values, err := l.readVariables(ctx, mark)
		if err == nil {
			party := l.partyOf(e, values)
			l.mu.Lock()
			l.party = party
			l.mu.Unlock()
			l.setLaw(lawOf(values["CHANNEL(audionativeformat)"]))
			return true
		}
		if !errors.Is(l.noteGone(err), errChannelGone) && ctx.Err() == nil && !errors.Is(err, ErrAway) {
			l.log.Warn("who calls could not be read yet", "cause", err)
		}
		if !pause(ctx, wait) {
			return false
		}
	}
}

// readVariables reads all variables at once. An error means that Asterisk could not be asked, or the channel is gone.
func (l *Leg) readVariables(ctx context.Context, mark bool) (map[string]string, error) {
	var wg sync.WaitGroup
	values := make([]string, len(variables))
	errs := make([]error, len(variables)+1)
	for i, name := range variables {
		wg.Go(func() { values[i], errs[i] = l.variable(ctx, name) })
	}
	if mark {
		errs[len(variables)] = l.d.rest.ask(ctx, "POST", channelPath(l.channel, "/variable"), params{"variable", legVariable, "value", string(l.id)}, nil, nil)
	}
	wg.Wait()
	m := map[string]string{}
	for i, name := range variables {
		m[name] = values[i]
	}
	return m, errors.Join(errs...)
}

// variable reads a channel variable or function. What Asterisk does not have is empty and no error.
func (l *Leg) variable(ctx context.Context, name string) (string, error) {
	return l.d.variable(ctx, l.channel, name)
}

func (d *Driver) variable(ctx context.Context, channel, name string) (string, error) {
	var v struct{ Value string }
	err := d.rest.ask(ctx, "GET", channelPath(channel, "/variable"), params{"variable", name}, nil, &v)
	if s, ok := errors.AsType[*statusError](err); ok {
		if s.Code == 404 && strings.Contains(strings.ToLower(s.Message), "channel") {
			return "", err
		}
		if s.Code == 404 || s.Code == 500 { // "variable was not found", "Unable to read provided function"
			return "", nil
		}
	}
	return v.Value, err
}

// partyOf is what Asterisk knows of a call.
func (l *Leg) partyOf(e event, v map[string]string) telephony.Party {
	name := endpointOf(e.name)
	p := telephony.Party{Called: e.call.exten, Trunk: name, SIPCallID: e.call.protocolID, Remote: v["CHANNEL(pjsip,remote_addr)"],
		UserAgent: clean(v["PJSIP_HEADER(read,User-Agent)"], maxText), Protocol: viaProtocol(v["PJSIP_HEADER(read,Via)"])}
	asserts := false
	if l.trunk != nil {
		p.Region, p.AreaCode, asserts = l.trunk.cfg.Region, l.trunk.cfg.AreaCode, l.trunk.cfg.AssertsIdentity
	}
	p.Caller = identity(e.call.number, e.call.display, v["CALLERID(num-pres)"], asserts)
	if from := clean(v["REDIRECTING(from-num)"], maxText); from != "" {
		p.Diversion = []string{from}
	}
	return p
}

// anonymous are the spellings by which networks say that a number is withheld, where Asterisk passes them as numbers.
var anonymous = []string{"anonymous", "unavailable", "restricted", "private", "withheld", "unknown", "blocked"}

// identity is the claim about who calls. presentation is CALLERID(num-pres), such as "allowed_not_screened"; empty when
// Asterisk does not know.
func identity(number, display, presentation string, asserts bool) telephony.Identity {
	number = clean(number, maxText)
	if number == "" || slices.Contains(anonymous, strings.ToLower(number)) || strings.HasPrefix(presentation, "prohib") || presentation == "unavailable" {
		return telephony.Identity{Source: "none", Trust: telephony.TrustWithheld}
	}
	id := telephony.Identity{Value: number, DisplayName: clean(display, maxText), Source: "ari", Trust: telephony.TrustClaimed}
	if asserts {
		id.Trust = telephony.TrustAsserted
	}
	return id
}

// lawOf chooses the codec of our side from CHANNEL(audionativeformat), such as "(alaw|ulaw)": A-law unless the channel
// speaks µ-law only.
func lawOf(formats string) media.Law {
	list := strings.FieldsFunc(formats, func(r rune) bool { return strings.ContainsRune("()|, ", r) })
	if slices.Contains(list, "ulaw") && !slices.Contains(list, "alaw") {
		return media.PCMU
	}
	return media.PCMA
}

// viaProtocol reads the transport of a Via field: "SIP/2.0/UDP host" is udp.
func viaProtocol(via string) string {
	first, _, _ := strings.Cut(via, " ")
	if i := strings.LastIndexByte(first, '/'); i >= 0 {
		return strings.ToLower(clean(first[i+1:], 8))
	}
	return ""
}
