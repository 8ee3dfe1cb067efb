package asterisk

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"hotline/telephony"
	"hotline/telephony/media"
	"hotline/telephony/telephonytest"
)

var music = telephony.Prompt{Loop: true, Music: "default", Clips: []telephony.Clip{{Tone: &telephony.Tone{Hz: []float64{700}}}}}

// TestRealCall is a call through a real Asterisk: who calls, our tone, keys, Asterisk's music, and the hang-up.
func TestRealCall(t *testing.T) {
	a := startAsterisk(t)
	r := newRig(t, a.config(), nil)
	ok(t, r.d.SetTrunks([]Trunk{{Name: "pbx", AssertsIdentity: true, Region: "RU", AreaCode: "495", Enabled: true}}))
	ctx := within(t, 30*time.Second)
	if s := r.ready(ctx); s.Problem != "" || s.Version == "" {
		t.Errorf("state %+v", s)
	}
	phone := a.caller(telephonytest.PhoneConfig{User: "74951234567"})
	call, err := phone.Call(ctx, "100", telephonytest.CallOptions{Name: `Anna "A" <x>`, Tone: 500, Headers: map[string]string{
		"User-Agent": "tester/1", "Diversion": "<sip:+74950000000@pbx>;reason=unconditional"}})
	ok(t, err)
	l := r.call(ctx)
	p := l.Party()
	want := telephony.Party{Caller: telephony.Identity{Value: "74951234567", DisplayName: p.Caller.DisplayName, Source: "ari", Trust: telephony.TrustAsserted},
		Called: "100", Trunk: "pbx", Region: "RU", AreaCode: "495", Remote: phone.Addr().String(), Protocol: "udp", UserAgent: "tester/1", SIPCallID: call.ID()}
	if len(p.Diversion) != 1 || p.Diversion[0] != "+74950000000" || !strings.HasPrefix(p.Caller.DisplayName, "Anna") {
		t.Errorf("diversion %q, name %q", p.Diversion, p.Caller.DisplayName)
	}
	p.Diversion = nil
	if !samePartyButDiversion(p, want) {
		t.Errorf("party\n%+v, want\n%+v", p, want)
	}
	if l.Law() != media.PCMA {
		t.Errorf("law %v", l.Law())
	}

	// Early media is heard before the answer.
	ok(t, l.Progress(ctx))
	play, stop := context.WithCancel(ctx)
	early := make(chan error, 1)
	go func() { early <- l.Play(play, toneOf(600)) }()
	ok(t, call.Hears(ctx, []float64{600}, nil))
	if l.Answered() {
		t.Error("answered by early media")
	}
	began := time.Now()
	ok(t, l.Answer(ctx))
	t.Logf("answer took %v", time.Since(began))
	ok(t, call.Connected(ctx))
	stop()
	if err := <-early; !errors.Is(err, context.Canceled) {
		t.Errorf("play: %v", err)
	}
	ok(t, l.Endpoint().WaitMedia(ctx))

	call.Press("1*#9")
	for _, want := range "1*#9" {
		if d := take(ctx, t, "a key", l.Digits()); d.Key != byte(want) || d.Source != "rfc4733" {
			t.Errorf("key %q of %q", d.Key, d.Source)
		}
	}

	// Music is Asterisk's, keys go on, and the end of it is quick.
	play, stop = context.WithCancel(ctx)
	go func() { early <- l.Play(play, music) }()
	ok(t, call.Hears(ctx, []float64{350}, []float64{700, 600}))
	call.Press("5")
	if d := take(ctx, t, "a key in the music", l.Digits()); d.Key != '5' {
		t.Errorf("key %q", d.Key)
	}
	began = time.Now()
	stop()
	if err := <-early; !errors.Is(err, context.Canceled) {
		t.Errorf("music: %v", err)
	}
	took := time.Since(began)
	t.Logf("music ended in %v", took)
	if took > 500*time.Millisecond {
		t.Errorf("music took %v to end", took)
	}
	go func() { early <- l.Play(ctx, toneOf(440)) }()
	ok(t, call.Hears(ctx, []float64{440}, []float64{350}))

	// Music replaces a prompt and a prompt replaces music.
	go func() { early <- l.Play(ctx, music) }()
	if err := <-early; !errors.Is(err, media.ErrReplaced) {
		t.Errorf("replaced by music: %v", err)
	}
	ok(t, call.Hears(ctx, []float64{350}, []float64{440}))
	go func() { early <- l.Play(ctx, toneOf(900)) }()
	if err := <-early; !errors.Is(err, media.ErrReplaced) {
		t.Errorf("replaced by a prompt: %v", err)
	}
	ok(t, call.Hears(ctx, []float64{900}, []float64{350}))

	ok(t, l.SendDigits(ctx, "42"))
	for call.Digits() != "42" {
		if !pause(ctx, 10*time.Millisecond) {
			t.Fatalf("the phone got keys %q", call.Digits())
		}
	}

	call.Hangup()
	if e := over(ctx, t, l); e != (telephony.End{Result: telephony.ResultSuccess, Reason: telephony.ReasonHangup, By: telephony.SideCustomer, Code: qNormal}) {
		t.Errorf("end %+v", e)
	}
	if err := <-early; !errors.Is(err, telephony.ErrLegEnded) {
		t.Errorf("play after the end: %v", err)
	}
	if err := l.Play(ctx, toneOf(440)); !errors.Is(err, telephony.ErrLegEnded) {
		t.Errorf("play after the end: %v", err)
	}
	a.empty(ctx)
	if strings.Contains(r.logged.String(), a.Secret) {
		t.Error("the secret is in the log")
	}
}

func samePartyButDiversion(a, b telephony.Party) bool {
	a.Diversion, b.Diversion = nil, nil
	return a.Caller == b.Caller && a.Called == b.Called && a.Trunk == b.Trunk && a.Region == b.Region && a.AreaCode == b.AreaCode && a.Remote == b.Remote &&
		a.Protocol == b.Protocol && a.UserAgent == b.UserAgent && a.SIPCallID == b.SIPCallID
}

// TestRealTalk joins two callers in a room: each hears the other, and music before it ends by itself.
func TestRealTalk(t *testing.T) {
	a := startAsterisk(t)
	r := newRig(t, a.config(), nil)
	ctx := within(t, 30*time.Second)
	r.ready(ctx)
	one, err := a.caller(telephonytest.PhoneConfig{User: "1"}).Call(ctx, "100", telephonytest.CallOptions{Tone: 500})
	ok(t, err)
	l1 := r.call(ctx)
	two, err := a.caller(telephonytest.PhoneConfig{User: "2", Law: media.PCMU, OnlyLaw: true}).Call(ctx, "100", telephonytest.CallOptions{Tone: 620})
	ok(t, err)
	l2 := r.call(ctx)
	if l1.Law() != media.PCMA || l2.Law() != media.PCMU {
		t.Errorf("laws %v, %v", l1.Law(), l2.Law())
	}
	ok(t, l1.Answer(ctx))
	ok(t, l2.Answer(ctx))
	played := make(chan error, 1)
	go func() { played <- l1.Play(ctx, music) }()
	ok(t, one.Hears(ctx, []float64{350}, nil))
	room := media.NewRoom(media.RoomConfig{Pacer: r.d.cfg.Pacer})
	defer room.Close()
	ok(t, room.Join(l1.Endpoint(), media.Customer))
	if err := <-played; !errors.Is(err, media.ErrReplaced) {
		t.Errorf("music: %v", err)
	}
	ok(t, room.Join(l2.Endpoint(), media.Agent))
	ok(t, one.Hears(ctx, []float64{620}, []float64{350}))
	ok(t, two.Hears(ctx, []float64{500}, nil))
	l1.Hangup(telephony.CauseNormal)
	if e := over(ctx, t, l1); e != (telephony.End{Result: telephony.ResultSuccess, Reason: telephony.ReasonHangup, By: telephony.SideSystem}) {
		t.Errorf("end %+v", e)
	}
	take(ctx, t, "the phone's end", one.Done())
	l2.Hangup(telephony.CauseNormal)
	take(ctx, t, "the phone's end", two.Done())
	a.empty(ctx)
}

// TestRealRefusals compares the SIP status of each cause with the native driver's, and how early ends count.
func TestRealRefusals(t *testing.T) {
	a := startAsterisk(t)
	r := newRig(t, a.config(), nil)
	ctx := within(t, 30*time.Second)
	r.ready(ctx)
	phone := a.caller(telephonytest.PhoneConfig{User: "anonymous"})
	for cause, status := range map[telephony.Cause]int{telephony.CauseNormal: 480, telephony.CauseBusy: 486, telephony.CauseNotFound: 404, telephony.CauseForbidden: 403,
		telephony.CauseDeclined: 603, telephony.CauseUnavailable: 480, telephony.CauseNotAcceptable: 488, telephony.CauseOverload: 503, telephony.CauseTimeout: 408,
		telephony.CauseServerError: 500} {
		call, err := phone.Call(ctx, "100", telephonytest.CallOptions{})
		ok(t, err)
		l := r.call(ctx)
		if c := l.Party().Caller; c.Trust != telephony.TrustWithheld || c.Value != "" {
			t.Errorf("caller %+v", c)
		}
		l.Hangup(cause)
		over(ctx, t, l)
		take(ctx, t, "the refusal", call.Done())
		if code, _ := call.Why(); code != status {
			t.Errorf("%s gives %d, want %d", cause, code, status)
		}
	}
	call, err := phone.Call(ctx, "100", telephonytest.CallOptions{})
	ok(t, err)
	l := r.call(ctx)
	call.Hangup()
	if e := over(ctx, t, l); e.Result != telephony.ResultCaller || e.Reason != telephony.ReasonCancelled || e.By != telephony.SideCustomer {
		t.Errorf("cancelled: %+v", e)
	}
	r.d.SetDraining(true)
	call, err = phone.Call(ctx, "100", telephonytest.CallOptions{})
	ok(t, err)
	take(ctx, t, "the refusal", call.Done())
	if code, _ := call.Why(); code != 503 {
		t.Errorf("draining gives %d", code)
	}
	a.empty(ctx)
}

// TestRealDial calls out through a trunk.
func TestRealDial(t *testing.T) {
	a := startAsterisk(t)
	r := newRig(t, a.config(), nil)
	ok(t, r.d.SetTrunks([]Trunk{{Name: "pbx", CallerID: "74950000001", Enabled: true}, {Name: "off"}}))
	ctx := within(t, 40*time.Second)
	r.ready(ctx)
	phone := a.caller(telephonytest.PhoneConfig{User: "200", Port: a.phone})
	type result struct {
		l   *Leg
		err error
	}
	dial := func(ctx context.Context, d Dial) chan result {
		c := make(chan result, 1)
		go func() { l, err := r.d.Dial(ctx, d); c <- result{l, err} }()
		return c
	}
	rings := make(chan struct{}, 4)
	got := dial(ctx, Dial{To: "trunk:pbx:+74991112233", Law: media.PCMA, CallerName: `Line "1"`, OnRinging: func() { rings <- struct{}{} }})
	in := take(ctx, t, "the call out", phone.Incoming())
	if user, name := in.Caller(); user != "74950000001" || name != "Line 1" {
		t.Errorf("caller %q %q", user, name)
	}
	take(ctx, t, "ringing", rings)
	ok(t, in.Answer())
	res := take(ctx, t, "the answer", got)
	ok(t, res.err)
	l := res.l
	in.Tone(500)
	ok(t, l.Endpoint().WaitMedia(ctx))
	go func() { _ = l.Play(ctx, toneOf(440)) }()
	ok(t, in.Hears(ctx, []float64{440}, nil))
	if p := l.Party(); p.Called != "+74991112233" || p.Trunk != "pbx" || !l.Answered() {
		t.Errorf("party %+v", p)
	}
	if n := r.d.Trunks()[0].Calls; n != 1 {
		t.Errorf("%d calls on the trunk", n)
	}
	in.Hangup()
	if e := over(ctx, t, l); e.Result != telephony.ResultSuccess || e.Reason != telephony.ReasonHangup || e.By != telephony.SideCustomer {
		t.Errorf("end %+v", e)
	}

	for code, want := range map[int]error{486: telephony.ErrBusy, 603: telephony.ErrRefused, 480: telephony.ErrNoAnswer, 404: telephony.ErrRefused,
		488: telephony.ErrNoCodec, 503: telephony.ErrUnreachable, 408: telephony.ErrNoAnswer} {
		got := dial(ctx, Dial{To: "asterisk:PJSIP/200@pbx"})
		take(ctx, t, "the call out", phone.Incoming()).Reject(code)
		if res := take(ctx, t, "the refusal", got); !errors.Is(res.err, want) {
			t.Errorf("%d gives %v, want %v", code, res.err, want)
		}
	}
	got = dial(ctx, Dial{To: "asterisk:PJSIP/200@pbx", Ring: 300 * time.Millisecond})
	in = take(ctx, t, "the call out", phone.Incoming())
	if res := take(ctx, t, "no answer", got); !errors.Is(res.err, telephony.ErrNoAnswer) {
		t.Errorf("rang out: %v", res.err)
	}
	take(ctx, t, "the phone's end", in.Done())
	cancelled, cancel := context.WithCancelCause(ctx)
	got = dial(cancelled, Dial{To: "asterisk:PJSIP/200@pbx"})
	in = take(ctx, t, "the call out", phone.Incoming())
	cancel(telephony.ErrElsewhere)
	if res := take(ctx, t, "the cancel", got); !errors.Is(res.err, telephony.ErrElsewhere) {
		t.Errorf("cancelled: %v", res.err)
	}
	take(ctx, t, "the phone's end", in.Done())
	if _, reason := in.Why(); reason != "Call completed elsewhere" && !strings.Contains(reason, "elsewhere") {
		t.Logf("the phone tells the cancel's reason as %q", reason)
	}
	for _, to := range []string{"trunk:none:1", "trunk:off:1", "trunk:pbx:1&PJSIP/2@pbx", "asterisk:PJSIP/200@nosuch", "asterisk:NOSUCH/1", "asterisk:PJSIP/1,2", "sip:1@x"} {
		if _, err := r.d.Dial(ctx, Dial{To: to}); !errors.Is(err, telephony.ErrUnreachable) {
			t.Errorf("%s: %v", to, err)
		}
	}
	a.empty(ctx)
}

// TestRealAdoption leaves three calls in Asterisk, waiting, talking and unanswered, and finds them again.
func TestRealAdoption(t *testing.T) {
	a := startAsterisk(t)
	ctx := within(t, 40*time.Second)
	first := newRig(t, a.config(), nil)
	ok(t, first.d.SetTrunks([]Trunk{{Name: "pbx", AssertsIdentity: true, Enabled: true}}))
	first.ready(ctx)
	waiting, err := a.caller(telephonytest.PhoneConfig{User: "74951234567"}).Call(ctx, "100", telephonytest.CallOptions{Tone: 500})
	ok(t, err)
	l1 := first.call(ctx)
	ok(t, l1.Answer(ctx))
	go func() { _ = l1.Play(l1.ctx, music) }()
	ok(t, waiting.Hears(ctx, []float64{350}, nil))
	talking, err := a.caller(telephonytest.PhoneConfig{User: "74951234568"}).Call(ctx, "101", telephonytest.CallOptions{})
	ok(t, err)
	l2 := first.call(ctx)
	ok(t, l2.Answer(ctx))
	orphan, err := a.caller(telephonytest.PhoneConfig{User: "74951234569"}).Call(ctx, "102", telephonytest.CallOptions{})
	ok(t, err)
	l3 := first.call(ctx)
	ok(t, l3.Answer(ctx))
	ok(t, orphan.Connected(ctx))
	ok(t, first.d.Leave(ctx))
	if e := l1.End(); e.Reason != telephony.ReasonDraining {
		t.Errorf("end of the leg that was left %+v", e)
	}
	ok(t, waiting.Hears(ctx, []float64{350}, nil)) // Asterisk plays on

	began := time.Now()
	second := newRig(t, a.config(), func(r *rig) {
		r.adopt = func(_ context.Context, l *Leg) bool {
			if l.ID() == l3.ID() {
				return false
			}
			r.found <- l
			return true
		}
	})
	ok(t, second.d.SetTrunks([]Trunk{{Name: "pbx", AssertsIdentity: true, Enabled: true}}))
	legs := map[telephony.LegID]*Leg{}
	for range 2 {
		l := take(ctx, t, "an adoption", second.found)
		legs[l.ID()] = l
	}
	t.Logf("two calls adopted after %v", time.Since(began))
	w, k := legs[l1.ID()], legs[l2.ID()]
	if w == nil || k == nil {
		t.Fatalf("adopted %v, want %s and %s", legs, l1.ID(), l2.ID())
	}
	if w.Party().Caller != l1.Party().Caller || w.Party().Called != "100" || !w.Answered() || !w.Inbound() {
		t.Errorf("party %+v", w.Party())
	}
	ok(t, w.Endpoint().WaitMedia(ctx))
	played := make(chan error, 1)
	go func() { played <- w.Play(ctx, toneOf(440)) }()
	ok(t, waiting.Hears(ctx, []float64{440}, []float64{350}))
	go func() { _ = k.Play(ctx, music) }()
	ok(t, talking.Hears(ctx, []float64{350}, nil))
	take(ctx, t, "the orphan's end", orphan.Done())
	waiting.Press("7")
	if d := take(ctx, t, "a key", w.Digits()); d.Key != '7' {
		t.Errorf("key %q", d.Key)
	}
	waiting.Hangup()
	over(ctx, t, w)
	k.Hangup(telephony.CauseNormal)
	take(ctx, t, "the phone's end", talking.Done())
	<-played
	a.empty(ctx)
}

// TestRealFaults stops, thaws, kills and restarts Asterisk under calls.
func TestRealFaults(t *testing.T) {
	const dead = 2 * time.Second
	a := startAsterisk(t)
	cfg := a.config()
	cfg.Dead = dead
	r := newRig(t, cfg, nil)
	ctx := within(t, 60*time.Second)
	r.ready(ctx)
	phone := a.caller(telephonytest.PhoneConfig{User: "1"})
	stays, err := phone.Call(ctx, "100", telephonytest.CallOptions{Tone: 500})
	ok(t, err)
	one := r.call(ctx)
	ok(t, one.Answer(ctx))
	leaves, err := phone.Call(ctx, "101", telephonytest.CallOptions{})
	ok(t, err)
	two := r.call(ctx)
	ok(t, two.Answer(ctx))
	ok(t, leaves.Connected(ctx))
	play, stop := context.WithCancel(ctx)
	played := make(chan error, 1)
	go func() { played <- one.Play(play, music) }()
	ok(t, stays.Hears(ctx, []float64{350}, nil))

	began := time.Now()
	a.Freeze()
	r.state(ctx, "the alarm", func(s State) bool { return !s.Ready })
	t.Logf("alarm after %v", time.Since(began))
	at := time.Now()
	stop()
	take(ctx, t, "the end of music", played)
	two.Hangup(telephony.CauseNormal)
	over(ctx, t, two)
	if took := time.Since(at); took > time.Second {
		t.Errorf("ending music and a call took %v while Asterisk was frozen", took)
	}
	r.state(ctx, "the end of the connection", func(s State) bool { return strings.Contains(s.Problem, "no answer for") })
	if took := time.Since(began); took > dead+500*time.Millisecond {
		t.Errorf("dead after %v", took)
	}
	t.Logf("dead after %v", time.Since(began))
	a.Thaw()
	thawed := time.Now()
	r.ready(ctx)
	t.Logf("ready %v after the thaw", time.Since(thawed))
	take(ctx, t, "the phone's end", leaves.Done())
	go func() { played <- one.Play(ctx, toneOf(440)) }()
	ok(t, stays.Hears(ctx, []float64{440}, []float64{350}))
	stays.Press("3")
	if d := take(ctx, t, "a key", one.Digits()); d.Key != '3' {
		t.Errorf("key %q", d.Key)
	}
	for !one.Endpoint().LastReceived().After(thawed) {
		if !pause(ctx, 5*time.Millisecond) {
			t.Fatal("no audio after the thaw")
		}
	}

	a.Kill()
	began = time.Now()
	r.state(ctx, "the loss", func(s State) bool { return !s.Ready })
	t.Logf("loss seen after %v", time.Since(began))
	a.Restart(ctx)
	if e := over(ctx, t, one); e.Result != telephony.ResultUpstream || e.Reason != telephony.ReasonUnreachable {
		t.Errorf("end %+v", e)
	}
	t.Logf("its call ended %v after the kill", time.Since(began))
	<-played
	r.ready(ctx)
	again, err := phone.Call(ctx, "100", telephonytest.CallOptions{})
	ok(t, err)
	l := r.call(ctx)
	ok(t, l.Answer(ctx))
	ok(t, again.Connected(ctx))
	l.Hangup(telephony.CauseNormal)
	a.empty(ctx)
}

// TestRealSilence: a caller that sends nothing is ended; music and hold are no silence.
func TestRealSilence(t *testing.T) {
	a := startAsterisk(t)
	cfg := a.config()
	cfg.MediaTimeout = 600 * time.Millisecond
	r := newRig(t, cfg, nil)
	ctx := within(t, 30*time.Second)
	r.ready(ctx)
	call, err := a.caller(telephonytest.PhoneConfig{User: "1"}).Call(ctx, "100", telephonytest.CallOptions{})
	ok(t, err)
	l := r.call(ctx)
	ok(t, l.Answer(ctx))
	ok(t, call.Connected(ctx))
	ok(t, l.Endpoint().WaitMedia(ctx))
	play, stop := context.WithTimeout(ctx, 1200*time.Millisecond)
	defer stop()
	if err := l.Play(play, music); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("music: %v", err)
	}
	_, err = call.Reinvite(ctx, "sendonly")
	ok(t, err)
	call.Pause(true)
	held, stop := context.WithTimeout(ctx, 1200*time.Millisecond)
	defer stop()
	if err := l.Play(held, toneOf(440)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("on hold: %v", err)
	}
	_, err = call.Reinvite(ctx, "sendrecv")
	ok(t, err)
	if e := over(ctx, t, l); e.Reason != telephony.ReasonMediaTimeout || e.Result != telephony.ResultUpstream || e.By != telephony.SideSystem {
		t.Errorf("end %+v", e)
	}
	take(ctx, t, "the phone's end", call.Done())

	// Before the answer silence is no fault; it counts from then, however long it has lasted.
	call, err = a.caller(telephonytest.PhoneConfig{User: "2"}).Call(ctx, "100", telephonytest.CallOptions{})
	ok(t, err)
	call.Pause(true)
	l = r.call(ctx)
	ok(t, l.Progress(ctx))
	early, stop := context.WithTimeout(ctx, 1300*time.Millisecond)
	defer stop()
	if err := l.Play(early, toneOf(440)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("early media: %v", err)
	}
	ok(t, l.Answer(ctx))
	if e := over(ctx, t, l); e.Reason != telephony.ReasonMediaTimeout {
		t.Errorf("end %+v", e)
	}
	a.empty(ctx)
}

// TestRealFigures measures calls one after another and at once; it fails only if they are far from what they were.
func TestRealFigures(t *testing.T) {
	a := startAsterisk(t)
	r := newRig(t, a.config(), nil)
	ctx := within(t, 60*time.Second)
	r.ready(ctx)
	phone := a.caller(telephonytest.PhoneConfig{User: "1"})
	var offered, answered, toMusic, fromMusic []time.Duration
	var legs []*Leg
	for range 50 {
		at := time.Now()
		_, err := phone.Call(ctx, "100", telephonytest.CallOptions{Tone: 500})
		ok(t, err)
		l := r.call(ctx)
		offered = append(offered, time.Since(at))
		at = time.Now()
		ok(t, l.Answer(ctx))
		answered = append(answered, time.Since(at))
		legs = append(legs, l)
	}
	for _, l := range legs {
		play, stop := context.WithCancel(ctx)
		done := make(chan error, 1)
		at := time.Now()
		go func() { done <- l.Play(play, music) }()
		for l.audio.lock(ctx) == nil {
			in := l.audio.at == inMusic
			l.audio.unlock()
			if in {
				break
			}
		}
		toMusic = append(toMusic, time.Since(at))
		at = time.Now()
		stop()
		<-done
		fromMusic = append(fromMusic, time.Since(at))
	}
	show := func(what string, d []time.Duration) {
		slices.Sort(d)
		t.Logf("%s: median %v, p90 %v, worst %v", what, d[len(d)/2], d[len(d)*9/10], d[len(d)-1])
		if d[len(d)/2] > 250*time.Millisecond {
			t.Errorf("%s takes %v", what, d[len(d)/2])
		}
	}
	show("INVITE to leg", offered)
	show("answer with audio", answered)
	show("into music", toMusic)
	show("out of music", fromMusic)
	t.Logf("mean event lag %v ms", 1000*r.mean("hotline_ari_event_lag_seconds"))
	for _, l := range legs {
		l.Hangup(telephony.CauseNormal)
	}
	a.empty(ctx)
}

// TestRealTrunkNames: a trunk whose name is no endpoint of Asterisk is said to be so; one that is there is not.
func TestRealTrunkNames(t *testing.T) {
	a := startAsterisk(t)
	r := newRig(t, a.config(), nil)
	ctx := within(t, 30*time.Second)
	r.ready(ctx)
	ok(t, r.d.SetTrunks([]Trunk{{Name: "pbx", Enabled: true}, {Name: "nosuch", Enabled: true}, {Name: "off"}}))
	until(ctx, t, "the problem", func() bool { return r.d.Trunks()[1].Problem != "" })
	if all := r.d.Trunks(); all[0].Problem != "" || all[2].Problem != "" || !strings.Contains(all[1].Problem, "PJSIP/nosuch") {
		t.Errorf("%+v", all)
	}
	if s := r.d.State(); !s.Ready {
		t.Errorf("one wrong name keeps all calls away: %+v", s)
	}
}
