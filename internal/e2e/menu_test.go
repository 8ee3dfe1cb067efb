package e2e

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"testing"
	"time"

	"hotline/internal/e2e/program"
	"hotline/telephony/telephonytest"
)

// From the dial to the ticket, in both languages: the voice is heard, keys act in the middle of a prompt, music in the
// queue, the card on the agent's page, both hear each other, and all of it is told afterwards.
func TestFromMenuToTicket(t *testing.T) {
	for _, v := range []struct {
		lang, key string
		byAgent   bool
	}{{"ru", "1", false}, {"en", "2", true}} {
		t.Run(v.lang, func(t *testing.T) {
			p, ctx := shared(t)
			a := p.Shift(ctx, "agent1", agent1Hz)
			from := number()
			c := p.Dial(ctx, from, "100")
			speaks(ctx, t, c)
			key := keyOf(ctx, t, p, from)
			acted := []time.Duration{press(ctx, t, p, c, key, "language", v.key), press(ctx, t, p, c, key, "main", "1")}
			if slices.Min(acted) > 300*time.Millisecond || slices.Max(acted) > time.Second {
				t.Errorf("keys acted after %v, want 300 ms", acted)
			}
			call, offer, err := a.WaitOffer(ctx)
			ok(t, err)
			if call != key {
				t.Fatalf("offered call %s, dialled %s", call, key)
			}
			card(t, offer, from, v.lang)
			ok(t, c.Hears(ctx, []float64{holdHz}, []float64{agent1Hz})) // music, and nothing of the agent yet
			ok(t, a.Answer(ctx, call))
			ok(t, c.Hears(ctx, []float64{agent1Hz}, []float64{holdHz}))
			ok(t, a.Hears(ctx, []float64{customerHz}, []float64{holdHz}))
			begin := c.Packets()
			eventually(ctx, t, "two seconds of talk", func() bool { return c.Packets()-begin > 100 })
			if v.byAgent {
				ok(t, a.Hangup(ctx, call))
				<-c.Done()
			} else {
				c.Hangup()
			}
			row := told(ctx, t, p, key)
			journey(t, row, v.lang, v.byAgent)
			inTicket(ctx, t, p, row)
			stereo(ctx, t, p, row)
		})
	}
}

// press presses a key in a menu and gives how long it took until the menu acted on it.
func press(ctx context.Context, t *testing.T, p *program.Program, c *telephonytest.PhoneCall, call, node, key string) time.Duration {
	t.Helper()
	p.Until(ctx, "the caller is in "+node, "true", `SELECT bool_or(e.data->>'node' = $2)::text FROM call c JOIN call_event e ON e.call_id = c.id AND e.type = 'menu' WHERE c.call_key = $1`, call, node)
	at := time.Now()
	c.Press(key)
	var acted time.Time
	eventually(ctx, t, "key "+key+" acts in "+node, func() bool {
		var err error
		acted, err = time.Parse(time.RFC3339Nano, p.SQL(ctx, `SELECT to_json(e.at)#>>'{}' FROM call c JOIN call_event e ON e.call_id = c.id AND e.type = 'menu'
			WHERE c.call_key = $1 AND e.data->>'node' = $2 AND e.data->>'key' = $3`, call, node, key))
		return err == nil
	})
	return acted.Sub(at)
}

// card checks what the agent sees before answering.
func card(t *testing.T, offer json.RawMessage, from, lang string) {
	t.Helper()
	var o struct {
		From, Queue, Lang, Trust string
		Menu                     []struct{ Node string }
		Card                     struct{ Level, Rule string }
	}
	ok(t, json.Unmarshal(offer, &o))
	if o.From != from || o.Queue != "support" || o.Lang != lang || o.Trust != "asserted" || o.Card.Level != "none" || o.Card.Rule != "L11" || len(o.Menu) < 2 || o.Menu[1].Node != "main" {
		t.Errorf("card: %s", offer)
	}
}

// journey checks the call's own record.
func journey(t *testing.T, c callRow, lang string, byAgent bool) {
	t.Helper()
	by := map[bool]string{true: "agent", false: "customer"}[byAgent]
	if c.Disposition != "answered" || c.EndReason != "talked" || c.HangupBy != by || c.Lang != lang || c.Queue != "support" {
		t.Errorf("call: %+v", c)
	}
	if c.WaitMS < 400 || c.WaitMS > 30_000 || c.TalkMS < 2000 || c.TalkMS > 30_000 || c.HoldMS != 0 {
		t.Errorf("waited %d ms, talked %d ms, held %d ms", c.WaitMS, c.TalkMS, c.HoldMS)
	}
	path := []string{}
	for _, s := range c.MenuPath {
		path = append(path, s.Node+":"+s.Exit)
	}
	if want := []string{"language:next", "main:key 1", "internet:next", "operator:open", "greeting:next", "q_support:"}; !slices.Equal(path, want) {
		t.Errorf("way through the menu %q, want %q", path, want)
	}
	roles := []string{}
	for _, l := range c.Legs {
		who := ""
		if l.Agent != nil {
			who = l.Agent.Login
		}
		roles = append(roles, l.Role+":"+who)
		if l.EndedAt == nil {
			t.Errorf("the leg of the %s has no end", l.Role)
		}
	}
	if slices.Sort(roles); !slices.Equal(roles, []string{"agent:agent1", "customer:"}) {
		t.Errorf("legs %q", roles)
	}
}

// inTicket checks the link and the ticket's timeline: the call is in it, once.
func inTicket(ctx context.Context, t *testing.T, p *program.Program, c callRow) {
	t.Helper()
	if c.Link.Rule != "A9" || c.Link.State != "confirmed" || c.Link.Ticket == nil {
		t.Fatalf("link: %+v", c.Link)
	}
	if !damm(c.Link.Ticket.Number) {
		t.Errorf("ticket number %s has no check digit", c.Link.Ticket.Number)
	}
	if calls := timeline(ctx, p, c.Link.Ticket.Number); !slices.Equal(calls, []string{c.Key}) {
		t.Errorf("calls in the ticket: %q, want %s once", calls, c.Key)
	}
	var ticket struct{ Number, Channel string }
	if code := p.API(ctx, "agent1", http.MethodGet, "/tickets/"+c.Link.Ticket.Number, nil, &ticket); code != http.StatusOK || ticket.Number != c.Link.Ticket.Number {
		t.Errorf("the agent reads the ticket: %d %+v", code, ticket)
	}
}

// damm is the check digit's rule (a quasigroup of order 10), written down a second time.
func damm(number string) bool {
	table := [10]string{"0317598642", "7092154863", "4206871359", "1750983426", "6123045978", "3674209581", "5869720134", "8945362017", "9438617205", "2581436790"}
	at := byte('0')
	for i := range len(number) {
		at = table[at-'0'][number[i]-'0']
	}
	return at == '0'
}

// stereo checks the recording: the customer is left, the agent right, and neither is on the other side.
func stereo(ctx context.Context, t *testing.T, p *program.Program, c callRow) {
	t.Helper()
	if len(c.Recordings) != 1 || c.Recordings[0].State != "ready" || c.Recordings[0].Channels != 2 {
		t.Fatalf("recordings: %+v", c.Recordings)
	}
	ch := sound(ctx, t, p, c.Recordings[0].ID)
	if len(ch) != 2 {
		t.Fatalf("%d channels", len(ch))
	}
	if ms := len(ch[0]) / 8; ms < c.TalkMS-500 || ms > c.TalkMS+500 {
		t.Errorf("%d ms recorded of %d ms", ms, c.TalkMS)
	}
	for i, want := range []struct{ here, there float64 }{{customerHz, agent1Hz}, {agent1Hz, customerHz}} {
		if v := loudest(ch[i], want.here); v < telephonytest.Present {
			t.Errorf("channel %d: %.0f Hz at %.3f", i, want.here, v)
		}
		if v := loudest(ch[i], want.there); v > telephonytest.Absent {
			t.Errorf("channel %d: %.0f Hz of the other side at %.3f", i, want.there, v)
		}
	}
}
