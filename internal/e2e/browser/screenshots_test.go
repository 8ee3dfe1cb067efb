//go:build screenshots

package browser

import (
	"context"
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// spoken reads one of the recorded prompts (PCM16 mono, 8 kHz), so that the pictures show speech and no tones.
func spoken(t *testing.T, file string) []int16 {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("/usr/share/asterisk/sounds", file))
	ok(t, err)
	pcm := make([]int16, (len(b)-44)/2)
	for i := range pcm {
		pcm[i] = int16(binary.LittleEndian.Uint16(b[44+2*i:]))
	}
	return pcm
}

// TestScreenshots makes the README's pictures of the real program: scripts/screenshots.sh.
func TestScreenshots(t *testing.T) {
	needs(t)
	ctx, stop := context.WithTimeout(context.Background(), 4*time.Minute)
	defer stop()
	dir, err := filepath.Abs("../../../docs/images")
	ok(t, err)
	ok(t, os.MkdirAll(dir, 0o755))
	s := newSuite(ctx, t, spoken(t, "ru_RU_f_IvrvoiceRU/priv-callee-options.wav"))
	shoot := func(g tab, name string) {
		g.do("quiet", nil)
		g.do("rest", nil)
		g.do("screenshot", args{"path": filepath.Join(dir, name+".png")})
	}
	boss, err := launch(ctx, t, s.p, "admin", steady(supervisorHz))
	ok(t, err)
	a, two, lead, admin := tab{t, s.one, 0}, tab{t, s.two, 0}, tab{t, s.leader, 0}, tab{t, boss, 0}

	admin.open("/admin/queues")
	admin.see("Поддержка / Support")
	shoot(admin, "admin")

	// A customer whom the desk knows rings, having pressed "bills and payment".
	from := s.p.SQL(ctx, `SELECT p.value_norm FROM contact_point p JOIN ticket t ON t.contact_id = p.contact_id WHERE p.kind = 'phone' AND p.sharing = 'personal' AND t.actionable ORDER BY p.id LIMIT 1`)
	open := s.p.SQL(ctx, `SELECT t.number FROM contact_point p JOIN ticket t ON t.contact_id = p.contact_id WHERE p.kind = 'phone' AND p.sharing = 'personal' AND t.actionable ORDER BY p.id, t.id LIMIT 1`)
	a.onShift()
	a.open("/desk/mine/" + open)
	c := s.dial(ctx, t, from, "100")
	c.Tone(0)
	speech(ctx, t, c)
	c.Press("2")
	a.see("^answer")
	shoot(a, "desk")

	// They talk; two more wait, one talks to the other agent; the supervisor listens, in the dark scheme.
	a.press("^answer")
	a.until(`window.__hotline.core.getState().calls[0]?.state === 'talking'`)
	c.Say(spoken(t, "ru_RU_f_IvrvoiceRU/demo-congrats.wav")[:8000*9])
	two.onShift()
	d := s.dial(ctx, t, "+79031112233", "200")
	two.press("^answer")
	two.until(`window.__hotline.core.getState().calls[0]?.state === 'talking'`)
	w1 := s.dial(ctx, t, "+79034445566", "200")
	w2 := s.dial(ctx, t, "+14155550123", "200")
	lead.do("scheme", args{"value": "dark"})
	lead.open("/live")
	lead.see("^waiting$")
	lead.press(`^listen to Мария`)
	lead.see("nobody hears you")
	shoot(lead, "live")
	lead.press("^leave$")
	w1.Hangup()
	w2.Hangup()
	d.Hangup()

	a.press("^note$")
	a.do("fill", args{"label": "Note of the call", "value": "Счёт за ноябрь пришёл дважды, второй отменить"})
	a.see("^saved$")
	c.Hangup()
	a.press("^done$")
	call := `FROM call c JOIN call_link l ON l.call_id = c.id JOIN ticket t ON t.id = l.ticket_id JOIN recording r ON r.call_id = c.id WHERE r.state = 'ready' AND c.caller_e164 = '` + from + `'`
	s.wait(ctx, t, "the call is in its ticket, recorded", `SELECT count(*)::text `+call, "1")
	a.open("/desk/mine/" + s.p.SQL(ctx, `SELECT t.number `+call))
	a.see("0.75")
	shoot(a, "ticket")

	admin.js(`fetch('/api/v1/session', { method: 'DELETE' })`)
	admin.open("/")
	admin.do("scheme", args{"value": "dark"})
	shoot(admin, "signin")
}
