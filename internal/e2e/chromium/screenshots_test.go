//go:build screenshots

package chromium

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"hotline/internal/e2e/program"
)

// TestScreenshots makes the README's pictures of the real program: `make screenshots`.
func TestScreenshots(t *testing.T) {
	needs(t)
	ctx, stop := context.WithTimeout(context.Background(), 4*time.Minute)
	defer stop()
	dir, err := filepath.Abs("../../../docs/images")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	p := program.New(t)
	p.Start(ctx)
	shoot := func(g *page, name string) {
		g.do("screenshot", map[string]any{"path": filepath.Join(dir, name+".png")})
	}
	a := open(ctx, t, p, "agent1", 440)
	a.do("goto", map[string]any{"url": "http://" + p.Run.HTTP + "/desk/all"})
	a.do("startShift", nil)
	number := p.SQL(ctx, `SELECT value_norm FROM contact_point WHERE kind = 'phone' AND sharing = 'personal' AND contact_id IS NOT NULL ORDER BY id LIMIT 1`)
	c := p.Dial(ctx, number, "200")
	a.see("^answer")
	a.do("wait", map[string]any{"ms": 800}) // the card's entrance
	shoot(a, "desk")
	a.press("^answer")
	p.OK(c.Hears(ctx, []float64{440}, nil))
	p.Dial(ctx, "+79031112233", "200")
	p.Dial(ctx, "+79034445566", "200")
	t.Setenv("SCHEME", "dark")
	lead := open(ctx, t, p, "lead1", 1500)
	lead.do("goto", map[string]any{"url": "http://" + p.Run.HTTP + "/live"})
	lead.see("Talking")
	shoot(lead, "live")
	c.Hangup()
	a.see("wrap-up")
	a.press("^done")
	p.Eventually(ctx, "the call is in its ticket", func() bool {
		return p.SQL(ctx, `SELECT count(*)::text FROM recording WHERE state = 'ready'`) == "1"
	})
	ticket := p.SQL(ctx, `SELECT t.number FROM ticket t JOIN call_link l ON l.ticket_id = t.id JOIN call c ON c.id = l.call_id WHERE c.disposition = 'answered'`)
	a.do("goto", map[string]any{"url": "http://" + p.Run.HTTP + "/desk/all/" + ticket})
	a.see("0.75")
	a.do("wait", map[string]any{"ms": 800})
	shoot(a, "ticket")
}
