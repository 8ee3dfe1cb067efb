package e2e

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"hotline/telephony/telephonytest"
)

// The menu transfers to a number outside, by the trunk: ringback, both hear each other, and the far side's hang-up ends
// the caller's call. A busy number leads to the message box instead.
func TestMenuTransfersOutside(t *testing.T) {
	p, ctx := alone(t)
	p.Start(ctx)
	provider := p.Phone(telephonytest.PhoneConfig{User: "provider"})
	p.Provider(ctx, provider, "+74950000000")
	calendar := filepath.Join(p.Data(), "ivr", "calendars", "support.yaml")
	b, err := os.ReadFile(calendar)
	ok(t, err)
	version := func() string {
		var flows struct{ Data []struct{ Version string } }
		if p.API(ctx, "admin", http.MethodGet, "/flows", nil, &flows) != http.StatusOK || len(flows.Data) == 0 {
			return ""
		}
		return flows.Data[0].Version
	}
	open := version()
	closed := strings.Replace(string(b), `weekly: {mon-sun: ["00:00-24:00"]}`, `weekly: {}`, 1)
	ok(t, os.WriteFile(calendar, []byte(closed), 0o644))
	flow := filepath.Join(p.Data(), "ivr", "flows", "hotline.yaml") // calendars are no part of the version that is shown
	f, err := os.ReadFile(flow)
	ok(t, err)
	ok(t, os.WriteFile(flow, append(f, "\n# another version\n"...), 0o644))
	eventually(ctx, t, "the server reads that we are closed", func() bool { v := version(); return v != "" && v != open })
	for _, busy := range []bool{false, true} {
		from := number()
		c := p.Dial(ctx, from, "100")
		key := keyOf(ctx, t, p, from)
		press(ctx, t, p, c, key, "language", "1")
		press(ctx, t, p, c, key, "main", "0")
		press(ctx, t, p, c, key, "night", "2")
		out := rings(ctx, t, provider)
		if user, _ := out.Caller(); user != "+74950000000" {
			t.Errorf("the far side sees %q", user)
		}
		ok(t, c.Hears(ctx, hz(425), nil))
		if busy {
			out.Reject(486)
			p.Until(ctx, "the message box", "true", `SELECT bool_or(e.data->>'node' = 'vm')::text FROM call c JOIN call_event e ON e.call_id = c.id AND e.type = 'menu' WHERE c.call_key = $1`, key)
			speaks(ctx, t, c)
			c.Hangup()
			told(ctx, t, p, key)
			continue
		}
		out.Tone(agent2Hz)
		ok(t, out.Answer())
		ok(t, c.Hears(ctx, hz(agent2Hz), hz(425)))
		ok(t, out.Hears(ctx, hz(customerHz), nil))
		out.Hangup()
		<-c.Done()
		if row := told(ctx, t, p, key); row.Disposition != "answered" || len(row.Legs) != 2 {
			t.Errorf("%+v", row)
		}
	}
	p.Clean()
}
