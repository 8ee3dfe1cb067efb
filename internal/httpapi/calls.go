package httpapi

import (
	"context"
	"net/http"

	"github.com/jackc/pgx/v5"

	"hotline/internal/auth"
	"hotline/tickets"
)

type callQuery struct {
	Paging
	Disposition string `query:"disposition" maxLength:"40"`
	Number      string `query:"number" maxLength:"100"`
	State       string `query:"state" enum:"unlinked,abandoned,live"`
	Contact     int64  `query:"contact"`
}

// ByCall names a call by its id or its key.
type ByCall struct {
	ID string `path:"id" maxLength:"60"`
}

type linkInput struct {
	ByCall
	Body struct {
		Ticket    string    `json:"ticket,omitempty" maxLength:"40"`
		New       *linkNew  `json:"new,omitempty"`
		None      *linkNone `json:"none,omitempty"`
		ContactID int64     `json:"contact_id,omitempty" doc:"This is who called: the number is learned for them"`
	}
}

type linkNew struct {
	Title string `json:"title" maxLength:"500"`
	Kind  string `json:"kind,omitempty" enum:"question,problem,suggestion,feedback,task"`
}

type linkNone struct {
	Reason string `json:"reason" minLength:"1" maxLength:"500"`
}

func (a *API) callRoutes() {
	t := a.cfg.Tickets
	handle(a, op{method: "GET", path: "/calls", summary: "List calls, newest first", resource: auth.Calls, verb: auth.Read},
		func(ctx context.Context, who *auth.Identity, in *callQuery) (*body[list[tickets.Call]], error) {
			return pageOf(t.ListCalls(ctx, actor(who), tickets.CallFilter{Disposition: in.Disposition, Number: in.Number, State: in.State, Contact: in.Contact, Limit: in.Limit, After: in.After}))
		})
	handle(a, op{method: "GET", path: "/calls/{id}", summary: "Read a call", resource: auth.Calls, verb: auth.Read},
		func(ctx context.Context, who *auth.Identity, in *ByCall) (*body[tickets.Call], error) {
			v, err := t.GetCall(ctx, actor(who), in.ID)
			return &body[tickets.Call]{Body: v}, err
		})
	handle(a, op{method: "GET", path: "/calls/{id}/events", summary: "What happened in a call, in order", resource: auth.Calls, verb: auth.Read},
		func(ctx context.Context, who *auth.Identity, in *ByCall) (*body[list[tickets.CallEvent]], error) {
			v, err := t.CallEvents(ctx, actor(who), in.ID)
			return &body[list[tickets.CallEvent]]{Body: whole(v)}, err
		})
}

type dialInput struct {
	Body struct {
		Number   string `json:"number,omitempty" maxLength:"100" doc:"One of the customer's numbers; empty: the first. Alone: any number, where the role allows it"`
		Ticket   string `json:"ticket,omitempty" maxLength:"40" doc:"Call the customer of this ticket; the call stands in it"`
		Contact  int64  `json:"contact,omitempty" doc:"Call this contact"`
		Call     string `json:"call,omitempty" maxLength:"60" doc:"Call the other party of this call (id or key) back"`
		Callback int64  `json:"callback,omitempty" doc:"Keep this promise to call back"`
		Queue    string `json:"queue,omitempty" maxLength:"100" doc:"Queue whose rules hold (recording, wrap-up); empty: found from the matter"`
	}
}

func (a *API) dialRoute() {
	handle(a, op{method: "POST", path: "/calls", summary: "Call a customer: your telephone is connected first", resource: auth.Phone, verb: auth.Write, status: http.StatusAccepted},
		func(ctx context.Context, who *auth.Identity, in *dialInput) (*body[Dialled], error) {
			b := in.Body
			d, err := a.cfg.Live.Dial(ctx, who.Login, tickets.DialRequest{Number: b.Number, Ticket: b.Ticket, Contact: b.Contact, Call: b.Call, Callback: b.Callback}, b.Queue)
			return &body[Dialled]{Body: d}, err
		})
}

func (a *API) linkRoutes() {
	t := a.cfg.Tickets
	change := func(path, summary string) op {
		return op{method: "POST", path: "/calls/{id}/" + path, summary: summary, resource: auth.Calls, verb: auth.Write, status: http.StatusOK}
	}
	call := func(ctx context.Context, fn func(tx pgx.Tx) (tickets.Call, error)) (*body[tickets.Call], error) {
		v, err := write(ctx, a, fn)
		return &body[tickets.Call]{Body: v}, err
	}
	handle(a, change("link", "Say which ticket a call belongs to: one, a new one, or none"), func(ctx context.Context, who *auth.Identity, in *linkInput) (*body[tickets.Call], error) {
		c := tickets.LinkChoice{Ticket: in.Body.Ticket, ContactID: in.Body.ContactID}
		if n := in.Body.New; n != nil {
			c.New = &tickets.LinkNew{Title: n.Title, Kind: n.Kind}
		}
		if n := in.Body.None; n != nil {
			c.None = &tickets.LinkNone{Reason: n.Reason}
		}
		return call(ctx, func(tx pgx.Tx) (tickets.Call, error) { return t.LinkCall(ctx, tx, actor(who), in.ID, c) })
	})
	type moveInput struct {
		ByCall
		Body struct {
			Ticket string `json:"ticket" minLength:"1" maxLength:"40"`
		}
	}
	handle(a, change("move", "Move a call to another ticket"), func(ctx context.Context, who *auth.Identity, in *moveInput) (*body[tickets.Call], error) {
		return call(ctx, func(tx pgx.Tx) (tickets.Call, error) { return t.MoveCall(ctx, tx, actor(who), in.ID, in.Body.Ticket) })
	})
	type splitInput struct {
		ByCall
		Body struct {
			Title string `json:"title" minLength:"1" maxLength:"500"`
		}
	}
	handle(a, change("split", "Take a call into a ticket of its own"), func(ctx context.Context, who *auth.Identity, in *splitInput) (*body[tickets.Call], error) {
		return call(ctx, func(tx pgx.Tx) (tickets.Call, error) { return t.SplitCall(ctx, tx, actor(who), in.ID, in.Body.Title) })
	})
	for path, verb := range map[string]struct {
		summary string
		do      func(context.Context, pgx.Tx, tickets.Actor, string) (tickets.Call, error)
	}{
		"unlink":  {"Take a call out of its ticket", t.UnlinkCall},
		"confirm": {"Confirm the ticket that was proposed", t.ConfirmLink},
		"undo":    {"Undo the last change of the link", t.UndoLink},
	} {
		handle(a, change(path, verb.summary), func(ctx context.Context, who *auth.Identity, in *ByCall) (*body[tickets.Call], error) {
			return call(ctx, func(tx pgx.Tx) (tickets.Call, error) { return verb.do(ctx, tx, actor(who), in.ID) })
		})
	}
}

type callbackQuery struct {
	Paging
	State string `query:"state" enum:"waiting,dialing,open,done,failed,cancelled,all" doc:"waiting by default; open: waiting or being called now"`
}

type callbackPatch struct {
	ByID
	Body struct {
		State string `json:"state" enum:"done,cancelled"`
	}
}

func (a *API) callbackRoutes() {
	t := a.cfg.Tickets
	handle(a, op{method: "GET", path: "/callbacks", summary: "Callers to be called back", resource: auth.Callbacks, verb: auth.Read},
		func(ctx context.Context, who *auth.Identity, in *callbackQuery) (*body[list[tickets.Callback]], error) {
			return pageOf(t.ListCallbacks(ctx, actor(who), tickets.CallbackFilter{State: in.State, Limit: in.Limit, After: in.After}))
		})
	handle(a, op{method: "PATCH", path: "/callbacks/{id}", summary: "Close a callback", resource: auth.Callbacks, verb: auth.Write},
		func(ctx context.Context, who *auth.Identity, in *callbackPatch) (*body[tickets.Callback], error) {
			v, err := write(ctx, a, func(tx pgx.Tx) (tickets.Callback, error) {
				return t.PatchCallback(ctx, tx, actor(who), in.ID, in.Body.State)
			})
			return &body[tickets.Callback]{Body: v}, err
		})
}
