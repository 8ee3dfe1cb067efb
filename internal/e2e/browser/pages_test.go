package browser

import (
	"context"
	"encoding/json"
	"testing"
)

// noBarriers fails on serious findings of axe-core in what the tab shows now.
func noBarriers(t *testing.T, g tab, when string) {
	t.Helper()
	var found []string
	ok(t, json.Unmarshal(g.do("axe", nil), &found))
	for _, f := range found {
		t.Errorf("%s, %s: axe-core: %s", g.b.login, when, f)
	}
}

// pages opens every page in both languages and at two widths: nothing overflows, axe-core has no serious finding.
func pages(ctx context.Context, t *testing.T, s *suite) {
	ticket := s.p.SQL(ctx, `SELECT t.number FROM ticket t JOIN call_link l ON l.ticket_id = t.id JOIN recording r ON r.call_id = l.call_id ORDER BY t.id LIMIT 1`)
	contact := s.p.SQL(ctx, `SELECT id::text FROM contact ORDER BY id LIMIT 1`)
	work := []string{"/desk/mine", "/desk/all/" + ticket, "/desk/missed", "/desk/unlinked", "/contacts", "/contacts/" + contact, "/live", "/settings"}
	walk(t, tab{t, s.leader, 0}, work)
	walk(t, tab{t, s.two, 0}, []string{"/shift"})
	boss, err := launch(ctx, t, s.p, "admin", steady(supervisorHz))
	ok(t, err)
	admin := tab{t, boss, 0}
	walk(t, admin, []string{"/admin/users", "/admin/queues", "/admin/trunks", "/admin/flows", "/admin/tokens"})
	admin.js(`fetch('/api/v1/session', { method: 'DELETE' })`)
	walk(t, admin, []string{"/"}) // the sign-in
}

func walk(t *testing.T, g tab, paths []string) {
	t.Helper()
	for _, lang := range []string{"ru", "en"} {
		g.js(`localStorage.setItem('hotline.lang', '` + lang + `')`)
		for _, path := range paths {
			g.do("size", args{"width": 1280})
			g.open(path)
			g.do("quiet", nil)
			if v := g.js(`document.documentElement.lang`); v != `"`+lang+`"` {
				t.Errorf("%s: the page is in %s, not in %s", path, v, lang)
			}
			for _, width := range []int{1280, 390} {
				g.do("size", args{"width": width})
				var over int
				ok(t, json.Unmarshal(g.do("overflow", nil), &over))
				if over > 0 {
					t.Errorf("%s in %s, %d px wide: overflows by %d px", path, lang, width, over)
				}
			}
			noBarriers(t, g, path+" in "+lang)
		}
	}
	g.do("size", args{"width": 1280})
}
