package e2e

import (
	"context"
	"slices"
	"testing"

	"hotline/internal/e2e/program"
	"hotline/telephony/telephonytest"
)

// A desk phone as agent: known by its registration with digest, by a fixed address, or as an endpoint of Asterisk.
func TestDeskPhoneAsAgent(t *testing.T) {
	t.Run("registered", func(t *testing.T) {
		p, ctx := shared(t)
		queue(ctx, t, p, "registered", "311", map[string]any{"ring_timeout_s": 3, "missed_rest_s": 1}, "desk1")
		stranger := p.Desk(telephonytest.PhoneConfig{User: "desk1", Password: "wrong"})
		if err := stranger.Register(ctx, "hotline", 60); err == nil {
			t.Error("a wrong password registers")
		}
		if s := live(ctx, p).agent("desk1"); s.Online {
			t.Errorf("nobody registered: %+v", s)
		}
		desk := p.Desk(telephonytest.PhoneConfig{User: "desk1", Password: p.SIPPassword("desk1")})
		ok(t, desk.Register(ctx, "hotline", 60))
		eventually(ctx, t, "the desk phone is on shift", func() bool { return live(ctx, p).agent("desk1").State == "available" })
		atTheDesk(ctx, t, p, desk, "311")
		ok(t, desk.Register(ctx, "hotline", 0))
		eventually(ctx, t, "the desk phone is off", func() bool { s := live(ctx, p).agent("desk1"); return !s.Online && s.State != "available" })
	})
	t.Run("fixed address", func(t *testing.T) {
		p, ctx := shared(t)
		desk := p.Desk(telephonytest.PhoneConfig{User: "desk1"})
		p.Command(ctx, "user", "set", "desk1", "--endpoint", desk.URI())
		t.Cleanup(func() { p.Set(context.Background(), "/users/desk1", map[string]any{"endpoint": "registered"}) })
		queue(ctx, t, p, "fixed", "312", map[string]any{"ring_timeout_s": 3, "missed_rest_s": 1}, "desk1")
		eventually(ctx, t, "the desk phone is on shift", func() bool { return live(ctx, p).agent("desk1").State == "available" })
		atTheDesk(ctx, t, p, desk, "312")
	})
	t.Run("endpoint of Asterisk", func(t *testing.T) {
		if program.Driver() != "asterisk" {
			t.Skip("for the run with the Asterisk driver (HOTLINE_TEST_DRIVER=asterisk)")
		}
		p, ctx := shared(t)
		desk := p.Phone(telephonytest.PhoneConfig{User: "desk9"})
		p.PBX.AddPhone(ctx, "desk9", desk.Addr().String())
		p.Command(ctx, "user", "set", "desk1", "--endpoint", "asterisk:PJSIP/desk9")
		t.Cleanup(func() { p.Set(context.Background(), "/users/desk1", map[string]any{"endpoint": "registered"}) })
		queue(ctx, t, p, "pbxdesk", "313", map[string]any{"ring_timeout_s": 3, "missed_rest_s": 1}, "desk1")
		eventually(ctx, t, "the desk phone is on shift", func() bool { return live(ctx, p).agent("desk1").State == "available" })
		atTheDesk(ctx, t, p, desk, "313")
	})
}

// atTheDesk has three calls come to a desk phone: one is busy there and comes again, one is given up by the caller while
// it rings, one is hung up by the customer.
func atTheDesk(ctx context.Context, t *testing.T, p *program.Program, desk *telephonytest.Phone, dial string) {
	t.Helper()
	from := number()
	c := p.Dial(ctx, from, dial)
	rings(ctx, t, desk).Reject(486)
	in := rings(ctx, t, desk) // the caller kept the place
	if user, _ := in.Caller(); user != from {
		t.Errorf("the desk phone shows %q, called %q", user, from)
	}
	ok(t, c.Hears(ctx, []float64{holdHz}, nil))
	in.Tone(agent1Hz)
	ok(t, in.Answer())
	ok(t, c.Hears(ctx, []float64{agent1Hz}, []float64{holdHz}))
	ok(t, in.Hears(ctx, []float64{customerHz}, []float64{holdHz}))
	begin := c.Packets()
	eventually(ctx, t, "a second of talk", func() bool { return c.Packets()-begin > 50 })
	in.Hangup()
	<-c.Done()
	row := told(ctx, t, p, keyOf(ctx, t, p, from))
	if row.Disposition != "answered" || row.HangupBy != "agent" || !slices.ContainsFunc(row.Legs, func(l leg) bool {
		return l.Role == "agent" && l.Endpoint == "desk" && l.Agent != nil && l.Agent.Login == "desk1"
	}) {
		t.Errorf("call to the desk phone: %+v", row)
	}
	stereo(ctx, t, p, row)

	gone := p.Dial(ctx, number(), dial)
	in = rings(ctx, t, desk)
	gone.Hangup()
	<-in.Done()
	if code, why := in.Why(); code != 487 {
		t.Errorf("the caller left and the desk phone rings on: %d %s", code, why)
	}

	d := p.Dial(ctx, number(), dial)
	in = rings(ctx, t, desk)
	in.Tone(agent1Hz)
	ok(t, in.Answer())
	ok(t, d.Hears(ctx, []float64{agent1Hz}, nil))
	d.Hangup()
	<-in.Done()
}

// rings waits for a call at a phone.
func rings(ctx context.Context, t *testing.T, phone *telephonytest.Phone) *telephonytest.PhoneCall {
	t.Helper()
	select {
	case c := <-phone.Incoming():
		return c
	case <-ctx.Done():
		t.Fatal("the desk phone does not ring")
		return nil
	}
}
