package httpapi_test

import (
	"strings"
	"testing"

	"hotline/tickets"
)

// TestIfMatchOnEveryChange tries every route that changes an object that has versions.
func TestIfMatchOnEveryChange(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	eachRoute(t, w, func(t *testing.T, h hostile) {
		takes := false
		for _, p := range h.o.Parameters {
			takes = takes || p.Name == "If-Match"
		}
		if h.o.method == "PATCH" && h.r.object != nil && !takes && h.o.path != "/callbacks/{id}" { // a callback has one way to go
			t.Error("a change without If-Match")
		}
		if !takes {
			return
		}
		path := h.path(nil)
		send := func(version string) *answer {
			head := []string{}
			if version != "" {
				head = []string{"If-Match", version}
			}
			var body any
			if h.r.body != nil {
				body = h.r.body(h.w, root)
			}
			return h.w.do(root, h.o.method, path, body, head...)
		}
		for _, v := range []string{`"x"`, `"0"`, `"-1"`, `"1", "2"`, `"99999999999999999999"`} {
			send(v).problem(412, "stale")
		}
		send(`"999"`).problem(412, "stale") // a version that was never issued
		if h.o.method == "DELETE" {
			send(`"1"`).want(204)
			return
		}
		send("").problem(428, "precondition_required")
		first := send("*").want(200)
		tag := first.head.Get("ETag")
		if v := into[struct{ Version int }](first).Version; tag != `"`+itoa(int64(v))+`"` || v < 2 {
			t.Fatalf("ETag %q of version %d", tag, v)
		}
		if second := send(tag).want(200); second.head.Get("ETag") == "" {
			t.Error("no ETag")
		}
	})
}

// An edit from an old version is refused where settings are replaced, and merged where people work on one ticket.
func TestOldVersions(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, r := range table {
		method, path, _ := strings.Cut(name, " ")
		if !r.match || path == "/tickets/{number}" {
			continue
		}
		for k, v := range r.object(w, root) {
			path = strings.ReplaceAll(path, "{"+k+"}", v)
		}
		first := w.do(root, method, path, r.body(w, root), "If-Match", "*").want(200)
		w.do(root, method, path, r.body(w, root), "If-Match", first.head.Get("ETag"))
		w.do(root, method, path, map[string]any{}, "If-Match", `"1"`).problem(412, "stale")
		w.do(lead, method, path, map[string]any{}, "If-Match", `"1"`).asProblem()
	}
	for _, kind := range []struct {
		object func(*world, string) params
		path   string
	}{{byQueue, "/queues/{key}"}, {byTrunk, "/trunks/{name}"}, {byNumber, "/numbers/{number}"}} {
		path := kind.path
		for k, v := range kind.object(w, root) {
			path = strings.ReplaceAll(path, "{"+k+"}", v)
		}
		w.do(root, "PATCH", path, map[string]any{"max_calls": 1, "weight": 1}, "If-Match", "*")
		r := table["PATCH "+kind.path]
		w.do(root, "PATCH", path, r.body(w, root), "If-Match", "*").want(200)
		w.do(root, "DELETE", path, nil, "If-Match", `"1"`).problem(412, "stale")
	}

	ticket := w.ticket(anna)
	path, base := "/tickets/"+ticket.Number, `"`+itoa(int64(ticket.Version))+`"`
	w.do(anna, "PATCH", path, map[string]any{"title": "By Anna"}, "If-Match", base).want(200)
	merged := into[tickets.Ticket](w.do(lead, "PATCH", path, map[string]any{"severity": 1}, "If-Match", base).want(200))
	if merged.Title != "By Anna" || merged.Severity != 1 {
		t.Errorf("not merged: %+v", merged)
	}
	p := w.do(lead, "PATCH", path, map[string]any{"title": "By Lead"}, "If-Match", base).problem(409, "conflict").asProblem()
	if p.Field != "title" || p.Context == nil {
		t.Errorf("the collision does not say what collided: %+v", p)
	}
}

// null clears, absent leaves alone.
func TestNullClears(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	path := "/tickets/" + w.ticket(anna).Number
	got := into[tickets.Ticket](w.do(anna, "PATCH", path, map[string]any{"assignee": anna}, "If-Match", "*").want(200))
	if got.Assignee == nil || got.Contact == nil {
		t.Fatalf("%+v", got)
	}
	got = into[tickets.Ticket](w.do(anna, "PATCH", path, `{"title":"x"}`, "If-Match", "*").want(200))
	if got.Assignee == nil || got.Contact == nil {
		t.Errorf("absent fields were cleared: %+v", got)
	}
	got = into[tickets.Ticket](w.do(anna, "PATCH", path, `{"assignee":null,"contact_id":null,"org_id":null}`, "If-Match", "*").want(200))
	if got.Assignee != nil || got.Contact != nil || got.Org != nil {
		t.Errorf("null did not clear: %+v", got)
	}
	w.do(anna, "POST", path+"/assign", `{"assignee":"anna"}`).want(200)
	if got = into[tickets.Ticket](w.do(anna, "POST", path+"/assign", `{"assignee":null}`).want(200)); got.Assignee != nil {
		t.Errorf("null did not take the ticket away: %+v", got)
	}
	contact := w.contact(pat)
	got2 := into[tickets.Contact](w.do(anna, "PATCH", "/contacts/"+itoa(contact.ID), `{"org_id":null}`, "If-Match", "*").want(200))
	if got2.Org != nil {
		t.Errorf("null did not clear the organisation: %+v", got2)
	}
}
