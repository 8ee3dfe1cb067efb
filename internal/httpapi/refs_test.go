package httpapi_test

import (
	"strings"
	"testing"

	"hotline/tickets"
)

// R28: an id inside a body is as closed as one in an address: what the caller may not see is refused in the words for
// what does not exist.
func TestR28IDsInsideBodies(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	type try struct {
		who, method  string
		path         func() string
		body         func(id any) map[string]any
		foreign, not any // an object of others, and none
	}
	at := func(format string, id func() string) func() string {
		return func() string { return strings.Replace(format, "{}", id(), 1) }
	}
	fixed := func(path string) func() string { return func() string { return path } }
	field := func(name string) func(any) map[string]any {
		return func(id any) map[string]any { return map[string]any{name: id} }
	}
	titled := func(name string) func(any) map[string]any {
		return func(id any) map[string]any { return map[string]any{"title": "x", "name": "x", name: id} }
	}
	pick := func(f func(any) map[string]any, drop string) func(any) map[string]any {
		return func(id any) map[string]any { m := f(id); delete(m, drop); return m }
	}
	annasCall := func() string { return w.linkedCall(anna).Key }
	patsCall := func() string { return w.linkedCall(pat).Key }
	patsTicket := func() string { return w.ticket(pat).Number }
	patsContact := func() string { return itoa(w.contact(pat).ID) }
	noID := int64(999999999)
	for name, c := range map[string]try{
		"call into a foreign ticket":   {anna, "POST", at("/calls/{}/link", annasCall), field("ticket"), w.ticket(boris).Number, absentTicket},
		"move into a foreign ticket":   {anna, "POST", at("/calls/{}/move", annasCall), field("ticket"), w.ticket(boris).Number, absentTicket},
		"call of a foreign customer":   {pat, "POST", at("/calls/{}/link", patsCall), field("contact_id"), w.contact(anna).ID, noID},
		"ticket of a foreign customer": {pat, "POST", fixed("/tickets"), pick(titled("contact_id"), "name"), w.contact(anna).ID, noID},
		"ticket of a foreign org":      {pat, "POST", fixed("/tickets"), pick(titled("org_id"), "name"), w.org(anna).ID, noID},
		"ticket in a foreign team":     {pat, "POST", fixed("/tickets"), pick(titled("team"), "name"), "Support", "Nosuch"},
		"ticket to a foreign customer": {pat, "PATCH", at("/tickets/{}", patsTicket), field("contact_id"), w.contact(anna).ID, noID},
		"ticket to a foreign org":      {pat, "PATCH", at("/tickets/{}", patsTicket), field("org_id"), w.org(anna).ID, noID},
		"contact of a foreign org":     {pat, "POST", fixed("/contacts"), pick(titled("org_id"), "title"), w.org(anna).ID, noID},
		"contact to a foreign org":     {pat, "PATCH", at("/contacts/{}", patsContact), field("org_id"), w.org(anna).ID, noID},
	} {
		send := func(id any) *answer {
			return w.do(c.who, c.method, c.path(), c.body(id), "If-Match", "*")
		}
		foreign, absent := send(c.foreign), send(c.not)
		if foreign.status != 422 || !sameAnswer(foreign, absent) {
			t.Errorf("%s:\n%d %s\nabsent:\n%d %s", name, foreign.status, foreign.body, absent.status, absent.body)
		}
	}
}

// A taken address is a conflict that names its owner, but not to an external agent who may not see them.
func TestOwnerOfATakenAddressIsNamedToOurOwnPeopleOnly(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	owner := w.contact(anna)
	point := map[string]any{"kind": "phone", "value": owner.Points[0].Value}
	a := w.do(anna, "POST", "/contacts/"+itoa(w.contact(anna).ID)+"/points", point).problem(409, "conflict")
	if p := a.asProblem(); p.Field != "value" || !strings.Contains(string(a.body), owner.Name) {
		t.Errorf("the owner is not named: %s", a.body)
	}
	a = w.do(pat, "POST", "/contacts/"+itoa(w.contact(pat).ID)+"/points", point).problem(409, "conflict")
	if strings.Contains(string(a.body), owner.Name) || strings.Contains(string(a.body), itoa(owner.ID)+",") {
		t.Errorf("an external agent learns whose it is: %s", a.body)
	}
}

// R28: lists, searches and the look-up show what a direct question would show, and nothing else.
func TestR28ListsAndSearchesHideTheForeign(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	customer := w.contact(anna) // of our own: everybody in the house sees the person, the teams their tickets
	ours, theirs := w.ticketOf(anna, customer.ID), w.ticketOf(boris, customer.ID)
	org := w.org(anna)
	call := w.call(boris, "", tickets.TrustAsserted)
	w.call(anna, "", tickets.TrustAsserted)
	w.callback(boris)
	id, phone := itoa(customer.ID), strings.ReplaceAll(customer.Points[0].Value, "+", "%2B")
	for _, tt := range []struct {
		who, path string
		hidden    []string // texts that must not be in the answer
		shown     []string
	}{
		{anna, "/tickets?status=all", []string{theirs.Number}, []string{ours.Number}},
		{anna, "/tickets?status=all&contact=" + id, []string{theirs.Number}, []string{ours.Number}},
		{anna, "/tickets?status=all&q=printer", []string{theirs.Number}, []string{ours.Number}},
		{anna, "/tickets?status=all&q=" + theirs.Number, []string{theirs.Number}, nil},
		{anna, "/tickets?status=all&team=Experts", []string{theirs.Number}, nil},
		{anna, "/tickets?status=all&q=" + phone, []string{theirs.Number}, []string{ours.Number}},
		{anna, "/contacts/" + id + "/tickets", []string{theirs.Number}, []string{ours.Number}},
		{anna, "/caller?number=" + phone, []string{theirs.Number}, []string{ours.Number, customer.Name}},
		{anna, "/calls", []string{call.Key}, []string{`"key"`}},
		{anna, "/calls?number=" + strings.ReplaceAll(call.Caller.Number, "+", "%2B"), []string{call.Key}, nil},
		{anna, "/callbacks?state=all", []string{`"number"`}, nil},
		{lead, "/tickets?status=all", nil, []string{ours.Number, theirs.Number}},
		{lead, "/calls", nil, []string{call.Key}},
		{lead, "/callbacks?state=all", nil, []string{`"number"`}},

		{pat, "/tickets?status=all", []string{ours.Number, theirs.Number}, nil},
		{pat, "/tickets?status=all&contact=" + id, []string{ours.Number}, nil},
		{pat, "/tickets?status=all&q=printer", []string{ours.Number}, nil},
		{pat, "/contacts?q=customer", []string{customer.Name}, nil},
		{pat, "/contacts?phone=" + phone, []string{customer.Name}, nil},
		{pat, "/contacts?org=" + itoa(org.ID), []string{customer.Name}, nil},
		{pat, "/orgs", []string{org.Name}, nil},
		{pat, "/orgs?q=org", []string{org.Name}, nil},
		{pat, "/caller?number=" + phone, []string{customer.Name, ours.Number}, nil},
		{pat, "/calls", []string{call.Key, `"key"`}, nil},
		{pat, "/calls?contact=" + id, []string{`"key"`}, nil},
		{pat, "/callbacks?state=all", []string{`"number"`}, nil},
		{pat, "/teams", []string{"Support", "Experts", anna, boris}, []string{"Partner"}},
	} {
		a := w.do(tt.who, "GET", tt.path, nil).want(200)
		for _, s := range tt.hidden {
			if strings.Contains(string(a.body), s) {
				t.Errorf("%s %s shows %s: %s", tt.who, tt.path, s, a.body)
			}
		}
		for _, s := range tt.shown {
			if !strings.Contains(string(a.body), s) {
				t.Errorf("%s %s does not show %s: %s", tt.who, tt.path, s, a.body)
			}
		}
	}
}

// An external agent who was made a member of a team of ours by mistake is still a stranger there.
func TestExternalAgentInATeamOfOurs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.exec(`INSERT INTO team_member (team_id, agent_id, access) SELECT t.id, a.id, 'lead' FROM team t, agent a WHERE t.name = 'Support' AND a.login = $1`, pat)
	ours := w.ticket(anna)
	w.do(pat, "GET", "/tickets/"+ours.Number, nil).problem(404, "not_found")
	w.do(pat, "POST", "/tickets", map[string]any{"title": "x", "team": "Support"}).problem(422, "invalid")
	for _, path := range []string{"/teams", "/session"} {
		if a := w.do(pat, "GET", path, nil).want(200); strings.Contains(string(a.body), "Support") {
			t.Errorf("%s names the team: %s", path, a.body)
		}
	}
	if a := w.do(pat, "POST", "/tickets", map[string]any{"title": "x"}).want(201); into[tickets.Ticket](a).Team.Name != "Partner" {
		t.Errorf("the ticket went to a team of ours: %s", a.body)
	}
}
