package httpapi_test

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"

	"hotline/internal/httpapi"
	"hotline/tickets"
)

// Whom one may call is decided with one's own eyes; a ticket, contact, call or callback of others looks absent.
func TestDial(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	post := func(who string, body map[string]any) *answer { return w.do(who, "POST", "/calls", body) }
	owner := w.contact(anna)
	ticket := w.ticketOf(anna, owner.ID)
	got := into[httpapi.Dialled](post(anna, map[string]any{"ticket": ticket.Number, "queue": "support"}).want(202))
	if got.Call == "" || got.Number != owner.Points[0].Value || got.Ticket != ticket.Number || w.live.queue != "support" {
		t.Errorf("from a ticket: %+v", got)
	}
	call := w.linkedCall(anna)
	if got = into[httpapi.Dialled](post(anna, map[string]any{"call": call.Key}).want(202)); got.Number != call.Caller.Number {
		t.Errorf("back to a caller: %+v", got)
	}
	back := w.callback(anna)
	if got = into[httpapi.Dialled](post(anna, map[string]any{"callback": back}).want(202)); got.Ticket == "" {
		t.Errorf("a callback: %+v", got)
	}
	for _, hidden := range []map[string]any{{"ticket": ticket.Number}, {"call": call.Key}, {"callback": back}} {
		post(boris, hidden).want(404)
		post(pat, hidden).want(404)
	}
	post(pat, map[string]any{"contact": owner.ID}).want(404)
	post(anna, map[string]any{"number": "+79160000001"}).want(403)
	if got = into[httpapi.Dialled](post(lead, map[string]any{"number": "8 916 000-00-01"}).want(202)); got.Number != "+79160000001" {
		t.Errorf("typed: %+v", got)
	}
	post(lead, map[string]any{"number": "112"}).want(422)
	post(lead, map[string]any{}).want(422)
	post(lead, map[string]any{"ticket": ticket.Number, "callback": back}).want(422)
	a, err := w.tickets.Actor(t.Context(), anna)
	w.must(err)
	w.tx(func(ctx context.Context, tx pgx.Tx) error { return w.tickets.TakeCallback(ctx, tx, a, back, "K1") })
	post(lead, map[string]any{"callback": back}).want(409)
	page := into[struct{ Data []tickets.Callback }](w.do(lead, "GET", "/callbacks?state=open", nil).want(200))
	if len(page.Data) != 1 || page.Data[0].TakenBy == nil || page.Data[0].TakenBy.Login != anna {
		t.Errorf("the list shows who calls: %+v", page.Data)
	}
	w.live.refuse = &httpapi.Problem{Status: 409, Code: "agent_busy", Detail: "you are in a call"}
	p := into[httpapi.Problem](post(anna, map[string]any{"ticket": ticket.Number}).want(409))
	if p.Code != "agent_busy" || p.TraceID == "" {
		t.Errorf("refused: %+v", p)
	}
}
