package httpapi_test

import (
	"fmt"

	"hotline/internal/auth"
	"hotline/tickets"
)

// params are the values of a route's path.
type params map[string]string

// route is what the tests know of a route. It is written by hand from the specification, not derived from the table
// that the program uses: the two are held against each other.
type route struct {
	who   string // least role: public, agent, supervisor, admin
	scope string // what opens it to a token; any: every token; none: no token
	// object makes an object that belongs to owner, fresh for each request. nil: the route is about no single object.
	object func(w *world, owner string) params
	absent params // of an object that was never made
	hidden string // from whom a foreign object is hidden: agents (all but supervisors), external, or nobody when empty
	query  string
	body   func(w *world, who string) any // nil: none is sent
	match  bool                           // needs If-Match
	status int                            // of success; 0: 200
	// external is the status that an external agent gets instead of success; 0: no difference.
	external int
}

func always(v any) func(*world, string) any { return func(*world, string) any { return v } }

func byTicket(w *world, owner string) params  { return params{"number": w.ticket(owner).Number} }
func byContact(w *world, owner string) params { return params{"id": itoa(w.contact(owner).ID)} }
func byOrg(w *world, owner string) params     { return params{"id": itoa(w.org(owner).ID)} }
func byCall(make func(*world, string) tickets.Call) func(*world, string) params {
	return func(w *world, owner string) params {
		c := make(w, owner)
		if w.next()%2 == 0 { // a call is named by id or key everywhere
			return params{"id": c.Key}
		}
		return params{"id": itoa(c.ID)}
	}
}
func byRecording(w *world, owner string) params { return params{"id": itoa(w.recording(owner).ID)} }
func bySolvedTicket(w *world, owner string) params {
	t := w.ticket(owner)
	w.exec(`UPDATE ticket SET status_id = (SELECT id FROM ticket_status WHERE key = 'waiting_customer') WHERE number = $1`, t.Number)
	return params{"number": t.Number}
}
func byPoint(w *world, owner string) params {
	c := w.contact(owner)
	return params{"id": itoa(c.ID), "point": itoa(c.Points[0].ID)}
}
func byLogin(w *world, _ string) params { return params{"login": w.account()} }
func byQueue(w *world, _ string) params {
	key := fmt.Sprintf("q%d", w.next())
	w.do(root, "POST", "/queues", map[string]any{"key": key}).want(201)
	return params{"key": key}
}
func byTrunk(w *world, _ string) params {
	name := fmt.Sprintf("t%d", w.next())
	w.do(root, "POST", "/trunks", map[string]any{"name": name}).want(201)
	return params{"name": name}
}
func byNumber(w *world, _ string) params {
	n := w.phone()
	w.do(root, "POST", "/numbers", map[string]any{"number": n, "queue": "support"}).want(201)
	return params{"number": n}
}
func byToken(w *world, _ string) params {
	a := into[struct {
		Token auth.Token `json:"token"`
	}](w.do(root, "POST", "/tokens", map[string]any{"name": "x", "scopes": []string{"live:read"}}))
	return params{"id": itoa(a.Token.ID)}
}
func byCallback(w *world, owner string) params { return params{"id": itoa(w.callback(owner))} }

var (
	noID     = params{"id": "999999999"}
	noTicket = params{"number": absentTicket}
)

func ticketRoute(suffix string, body any) (string, route) {
	r := route{who: "agent", scope: "tickets:write", object: byTicket, absent: noTicket, hidden: "agents"}
	if body != nil {
		r.body = always(body)
	}
	return "POST /tickets/{number}/" + suffix, r
}

func callRoute(suffix string, make func(*world, string) tickets.Call, body func(*world, string) any) (string, route) {
	return "POST /calls/{id}/" + suffix, route{who: "agent", scope: "calls:write", object: byCall(make), absent: noID, hidden: "agents", body: body}
}

// table is every route of the API.
var table = func() map[string]route {
	t := map[string]route{
		"POST /session":     {who: "public", body: always(map[string]any{"login": anna, "password": secret})},
		"GET /session":      {who: "agent", scope: "any"},
		"DELETE /session":   {who: "agent", scope: "none", status: 204},
		"PATCH /me":         {who: "agent", scope: "none", body: always(map[string]any{"locale": "en"})},
		"POST /me/password": {who: "agent", scope: "none", body: always(map[string]any{"old": secret, "new": secret}), status: 204},

		"GET /users": {who: "admin", scope: "admin"},
		"POST /users": {who: "admin", scope: "admin", status: 201, body: func(w *world, _ string) any {
			return map[string]any{"login": fmt.Sprintf("new%d", w.next()), "roles": []string{"agent"}}
		}},
		"GET /users/{login}":               {who: "admin", scope: "admin", object: byLogin, absent: params{"login": "nosuch"}},
		"PATCH /users/{login}":             {who: "admin", scope: "admin", object: byLogin, absent: params{"login": "nosuch"}, match: true, body: always(map[string]any{"name": "New"})},
		"POST /users/{login}/password":     {who: "admin", scope: "admin", object: byLogin, absent: params{"login": "nosuch"}, body: always(map[string]any{})},
		"POST /users/{login}/sip-password": {who: "admin", scope: "admin", object: byLogin, absent: params{"login": "nosuch"}},

		"GET /queues":          {who: "agent", scope: "calls:read"},
		"POST /queues":         {who: "admin", scope: "admin", status: 201, body: func(w *world, _ string) any { return map[string]any{"key": fmt.Sprintf("n%d", w.next()), "name": "N"} }},
		"GET /queues/{key}":    {who: "agent", scope: "calls:read", object: byQueue, absent: params{"key": "nosuch"}},
		"PATCH /queues/{key}":  {who: "admin", scope: "admin", object: byQueue, absent: params{"key": "nosuch"}, match: true, body: always(map[string]any{"weight": 3})},
		"DELETE /queues/{key}": {who: "admin", scope: "admin", object: byQueue, absent: params{"key": "nosuch"}, status: 204},

		"GET /trunks": {who: "admin", scope: "admin"},
		"POST /trunks": {who: "admin", scope: "admin", status: 201, body: func(w *world, _ string) any {
			return map[string]any{"name": fmt.Sprintf("n%d", w.next()), "cidrs": []string{"192.0.2.0/24"}}
		}},
		"GET /trunks/{name}":       {who: "admin", scope: "admin", object: byTrunk, absent: params{"name": "nosuch"}},
		"PATCH /trunks/{name}":     {who: "admin", scope: "admin", object: byTrunk, absent: params{"name": "nosuch"}, match: true, body: always(map[string]any{"max_calls": 3})},
		"DELETE /trunks/{name}":    {who: "admin", scope: "admin", object: byTrunk, absent: params{"name": "nosuch"}, status: 204},
		"GET /numbers":             {who: "admin", scope: "admin"},
		"POST /numbers":            {who: "admin", scope: "admin", status: 201, body: func(w *world, _ string) any { return map[string]any{"number": w.phone(), "flow": "hotline"} }},
		"PATCH /numbers/{number}":  {who: "admin", scope: "admin", object: byNumber, absent: params{"number": "000"}, match: true, body: always(map[string]any{"label": "x"})},
		"DELETE /numbers/{number}": {who: "admin", scope: "admin", object: byNumber, absent: params{"number": "000"}, status: 204},

		"GET /tokens":         {who: "admin", scope: "none"},
		"POST /tokens":        {who: "admin", scope: "none", status: 201, body: always(map[string]any{"name": "ci", "scopes": []string{"tickets:read"}})},
		"DELETE /tokens/{id}": {who: "admin", scope: "none", object: byToken, absent: noID, status: 204},
		"GET /audit":          {who: "admin", scope: "admin"},
		"GET /live":           {who: "supervisor", scope: "live:read"},
		"GET /flows":          {who: "agent", scope: "calls:read"},
		"GET /teams":          {who: "agent", scope: "tickets:read"},

		"GET /tickets": {who: "agent", scope: "tickets:read", query: "?status=all&q=printer"},
		"POST /tickets": {who: "agent", scope: "tickets:write", status: 201, body: func(w *world, who string) any {
			return map[string]any{"title": "New", "contact_id": w.contact(who).ID, "body": "It smokes."}
		}},
		"GET /tickets/{number}":          {who: "agent", scope: "tickets:read", object: byTicket, absent: noTicket, hidden: "agents"},
		"PATCH /tickets/{number}":        {who: "agent", scope: "tickets:write", object: byTicket, absent: noTicket, hidden: "agents", match: true, body: always(map[string]any{"severity": 2, "assignee": nil})},
		"GET /tickets/{number}/timeline": {who: "agent", scope: "tickets:read", object: byTicket, absent: noTicket, hidden: "agents"},
		"GET /tickets/{number}/why":      {who: "agent", scope: "tickets:read", object: byTicket, absent: noTicket, hidden: "agents"},

		"GET /contacts": {who: "agent", scope: "tickets:read", query: "?q=customer"},
		"POST /contacts": {who: "agent", scope: "tickets:write", status: 201, body: func(w *world, who string) any {
			return map[string]any{"name": "New", "points": []any{map[string]any{"kind": "phone", "value": w.phone()}}}
		}},
		"GET /contacts/{id}":                   {who: "agent", scope: "tickets:read", object: byContact, absent: noID, hidden: "external"},
		"PATCH /contacts/{id}":                 {who: "agent", scope: "tickets:write", object: byContact, absent: noID, hidden: "external", match: true, body: always(map[string]any{"name": "New"})},
		"POST /contacts/{id}/points":           {who: "agent", scope: "tickets:write", object: byContact, absent: noID, hidden: "external", status: 201, body: func(w *world, _ string) any { return map[string]any{"kind": "phone", "value": w.phone()} }},
		"DELETE /contacts/{id}/points/{point}": {who: "agent", scope: "tickets:write", object: byPoint, absent: params{"id": "999999999", "point": "1"}, hidden: "external"},
		"GET /contacts/{id}/tickets":           {who: "agent", scope: "tickets:read", object: byContact, absent: noID, hidden: "external"},
		"GET /contacts/{id}/calls":             {who: "agent", scope: "tickets:read", object: byContact, absent: noID, hidden: "external"},
		"GET /caller":                          {who: "agent", scope: "tickets:read", query: "?number=%2B79161234567"},
		"GET /orgs":                            {who: "agent", scope: "tickets:read"},
		"POST /orgs":                           {who: "supervisor", scope: "tickets:write", status: 201, body: func(w *world, _ string) any { return map[string]any{"name": fmt.Sprintf("Org %d", w.next())} }},
		"GET /orgs/{id}":                       {who: "agent", scope: "tickets:read", object: byOrg, absent: noID, hidden: "external"},
		"PATCH /orgs/{id}":                     {who: "supervisor", scope: "tickets:write", object: byOrg, absent: noID, hidden: "external", match: true, body: always(map[string]any{"name": "New"})},

		"GET /calls":                  {who: "agent", scope: "calls:read", query: "?disposition=answered"},
		"POST /calls":                 {who: "agent", scope: "phone", status: 202, body: func(w *world, who string) any { return map[string]any{"contact": w.contact(who).ID} }},
		"GET /calls/{id}":             {who: "agent", scope: "calls:read", object: byCall((*world).linkedCall), absent: noID, hidden: "agents"},
		"GET /calls/{id}/events":      {who: "agent", scope: "calls:read", object: byCall((*world).linkedCall), absent: noID, hidden: "agents"},
		"GET /calls/{id}/recordings":  {who: "agent", scope: "recordings:read", object: byCall((*world).linkedCall), absent: noID, hidden: "agents"},
		"GET /recordings/{id}/audio":  {who: "agent", scope: "recordings:read", object: byRecording, absent: noID, hidden: "agents", external: 404},
		"GET /recordings/{id}/peaks":  {who: "agent", scope: "recordings:read", object: byRecording, absent: noID, hidden: "agents", external: 404},
		"GET /recordings/{id}/access": {who: "supervisor", scope: "recordings:read", object: byRecording, absent: noID},

		"GET /callbacks":        {who: "agent", scope: "calls:read"},
		"PATCH /callbacks/{id}": {who: "agent", scope: "calls:write", object: byCallback, absent: noID, hidden: "agents", body: always(map[string]any{"state": "done"})},
	}
	add := func(name string, r route) { t[name] = r }
	add(ticketRoute("messages", map[string]any{"kind": "note", "body": "Hello"}))
	m := t["POST /tickets/{number}/messages"]
	m.status = 201
	t["POST /tickets/{number}/messages"] = m
	add(ticketRoute("solve", map[string]any{"resolution": "answered"}))
	add(ticketRoute("reopen", nil))
	r := t["POST /tickets/{number}/reopen"]
	r.object = bySolvedTicket
	t["POST /tickets/{number}/reopen"] = r
	add(ticketRoute("assign", map[string]any{"assignee": anna}))
	add(ticketRoute("wait", map[string]any{"category": "waiting_customer"}))
	add(ticketRoute("spam", map[string]any{}))
	add(callRoute("link", (*world).linkedCall, always(map[string]any{"new": map[string]any{"title": "New"}})))
	add(callRoute("move", (*world).linkedCall, func(w *world, who string) any { return map[string]any{"ticket": w.ticket(who).Number} }))
	add(callRoute("split", (*world).linkedCall, always(map[string]any{"title": "Second topic"})))
	add(callRoute("unlink", (*world).linkedCall, nil))
	add(callRoute("confirm", (*world).proposedCall, nil))
	add(callRoute("undo", (*world).changedCall, nil))
	return t
}()
