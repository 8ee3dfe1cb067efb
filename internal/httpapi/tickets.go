package httpapi

import (
	"context"
	"net/http"
	"time"

	"github.com/jackc/pgx/v5"

	"hotline/internal/auth"
	"hotline/tickets"
)

// pageOf is a page of the ticket engine: the engine signs its own cursors.
func pageOf[T any](p tickets.Page[T], err error) (*body[list[T]], error) {
	if p.Data == nil {
		p.Data = []T{}
	}
	return &body[list[T]]{Body: list[T]{Data: p.Data, Page: pageInfo{Next: p.Page.Next, HasMore: p.Page.HasMore}}}, err
}

type ticketQuery struct {
	Paging
	Status  string `query:"status" enum:"open,waiting,solved,all" doc:"Class of status; open by default"`
	Mine    bool   `query:"mine" doc:"Only those assigned to me"`
	Team    string `query:"team" maxLength:"200" doc:"Name or id"`
	Contact int64  `query:"contact"`
	Org     int64  `query:"org"`
	Missed  bool   `query:"missed" doc:"Only tickets of missed calls"`
	Q       string `query:"q" maxLength:"200" doc:"Words, a number, a telephone number"`
	Sort    string `query:"sort" enum:"updated,work" doc:"Newest activity first, or by rank and deadline"`
}

type newTicket struct {
	Body struct {
		Title     string   `json:"title" minLength:"1" maxLength:"500"`
		Kind      string   `json:"kind,omitempty" enum:"question,problem,suggestion,feedback,task"`
		ContactID int64    `json:"contact_id,omitempty"`
		Phone     string   `json:"phone,omitempty" maxLength:"100" doc:"Finds or makes the contact"`
		OrgID     int64    `json:"org_id,omitempty"`
		Body      string   `json:"body,omitempty" maxLength:"100000" doc:"First note"`
		Team      nameOrID `json:"team,omitempty"`
		Severity  int      `json:"severity,omitempty" minimum:"1" maximum:"5"`
		Assignee  string   `json:"assignee,omitempty" maxLength:"100"`
	}
}

// OfTicket names a ticket by its number, as people write it.
type OfTicket struct {
	Number string `path:"number" maxLength:"40"`
}

type ticketPatch struct {
	OfTicket
	Match
	Body struct {
		Title          *string     `json:"title,omitempty" minLength:"1" maxLength:"500"`
		Severity       *int        `json:"severity,omitempty" minimum:"1" maximum:"5"`
		ClientPriority *int        `json:"client_priority,omitempty" minimum:"1" maximum:"3"`
		Kind           *string     `json:"kind,omitempty" enum:"question,problem,suggestion,feedback,task"`
		ContactID      opt[int64]  `json:"contact_id,omitempty"`
		OrgID          opt[int64]  `json:"org_id,omitempty"`
		Team           *nameOrID   `json:"team,omitempty"`
		Assignee       opt[string] `json:"assignee,omitempty"`
	}
}

func (a *API) ticketRoutes() {
	t := a.cfg.Tickets
	handle(a, op{method: "GET", path: "/tickets", summary: "List tickets", resource: auth.Tickets, verb: auth.Read},
		func(ctx context.Context, who *auth.Identity, in *ticketQuery) (*body[list[tickets.Ticket]], error) {
			return pageOf(t.ListTickets(ctx, actor(who), tickets.TicketFilter{Status: in.Status, Mine: in.Mine, Team: in.Team, Contact: in.Contact, Org: in.Org,
				Missed: in.Missed, Query: in.Q, Sort: in.Sort, Limit: in.Limit, After: in.After}))
		})
	handle(a, op{method: "POST", path: "/tickets", summary: "Make a ticket", resource: auth.Tickets, verb: auth.Write, status: http.StatusCreated},
		func(ctx context.Context, who *auth.Identity, in *newTicket) (*created[tickets.Ticket], error) {
			b := in.Body
			v, err := write(ctx, a, func(tx pgx.Tx) (tickets.Ticket, error) {
				return t.CreateTicket(ctx, tx, actor(who), tickets.NewTicket{Title: b.Title, Kind: b.Kind, ContactID: b.ContactID, Phone: b.Phone, OrgID: b.OrgID,
					Body: b.Body, Team: string(b.Team), Severity: b.Severity, Assignee: b.Assignee})
			})
			return &created[tickets.Ticket]{Location: Prefix + "/tickets/" + v.Number, ETag: etag(v.Version), Body: v}, err
		})
	handle(a, op{method: "GET", path: "/tickets/{number}", summary: "Read a ticket", resource: auth.Tickets, verb: auth.Read},
		func(ctx context.Context, who *auth.Identity, in *OfTicket) (*versioned[tickets.Ticket], error) {
			return versionedTicket(t.GetTicket(ctx, actor(who), in.Number))
		})
	handle(a, op{method: "PATCH", path: "/tickets/{number}", summary: "Change a ticket", resource: auth.Tickets, verb: auth.Write}, a.changeTicket)
	type timelineQuery struct {
		OfTicket
		Paging
	}
	handle(a, op{method: "GET", path: "/tickets/{number}/timeline", summary: "Messages, calls and events of a ticket", resource: auth.Tickets, verb: auth.Read},
		func(ctx context.Context, who *auth.Identity, in *timelineQuery) (*body[list[tickets.TimelineItem]], error) {
			return pageOf(t.Timeline(ctx, actor(who), in.Number, in.After, in.Limit))
		})
	handle(a, op{method: "GET", path: "/tickets/{number}/why", summary: "Why a ticket is as it is: the rules that spoke", resource: auth.Tickets, verb: auth.Read},
		func(ctx context.Context, who *auth.Identity, in *OfTicket) (*body[list[tickets.WhyItem]], error) {
			w, err := t.Why(ctx, actor(who), in.Number)
			return &body[list[tickets.WhyItem]]{Body: whole(w)}, err
		})
}

func versionedTicket(v tickets.Ticket, err error) (*versioned[tickets.Ticket], error) {
	return &versioned[tickets.Ticket]{ETag: etag(v.Version), Body: v}, err
}

func (a *API) changeTicket(ctx context.Context, who *auth.Identity, in *ticketPatch) (*versioned[tickets.Ticket], error) {
	version, err := in.version(true)
	if err != nil {
		return nil, err
	}
	b := in.Body
	return versionedTicket(write(ctx, a, func(tx pgx.Tx) (tickets.Ticket, error) {
		return a.cfg.Tickets.PatchTicket(ctx, tx, actor(who), in.Number, version, tickets.TicketPatch{Title: b.Title, Severity: b.Severity, ClientPriority: b.ClientPriority,
			Kind: b.Kind, ContactID: b.ContactID.ptr(), OrgID: b.OrgID.ptr(), Team: b.Team.str(), Assignee: b.Assignee.ptr()})
	}))
}

type newMessage struct {
	OfTicket
	Body struct {
		Kind              string `json:"kind" enum:"note,reply"`
		Body              string `json:"body" minLength:"1" maxLength:"100000"`
		LastSeenMessageID int64  `json:"last_seen_message_id,omitempty" doc:"Newest message the author has seen: a newer public one is a conflict"`
	}
}

type solution struct {
	OfTicket
	Body struct {
		Resolution string `json:"resolution" enum:"fixed,workaround,answered,duplicate,not_a_problem,wont_do,no_answer,out_of_scope"`
		RootCause  string `json:"root_cause,omitempty" enum:"defect,missing_feature,unclear_feature,user_error,infrastructure,third_party,other"`
		Body       string `json:"body,omitempty" maxLength:"100000" doc:"Closing note"`
	}
}

type assignment struct {
	OfTicket
	Body struct {
		Assignee opt[string] `json:"assignee,omitempty" doc:"Login; null: nobody"`
		Team     *nameOrID   `json:"team,omitempty"`
	}
}

type waiting struct {
	OfTicket
	Body struct {
		Category string    `json:"category" enum:"waiting_customer,waiting_vendor,scheduled"`
		Until    time.Time `json:"until,omitzero"`
	}
}

type spamInput struct {
	OfTicket
	Body struct {
		Spam *bool `json:"spam,omitempty" doc:"False takes it back"`
	}
}

func (a *API) messageRoutes() {
	t := a.cfg.Tickets
	change := func(path, summary string) op {
		return op{method: "POST", path: "/tickets/{number}/" + path, summary: summary, resource: auth.Tickets, verb: auth.Write, status: http.StatusOK}
	}
	post := change("messages", "Write a note or a reply")
	post.status = http.StatusCreated
	handle(a, post, func(ctx context.Context, who *auth.Identity, in *newMessage) (*body[tickets.TimelineItem], error) {
		v, err := write(ctx, a, func(tx pgx.Tx) (tickets.TimelineItem, error) {
			return t.AddMessage(ctx, tx, actor(who), in.Number, tickets.NewMessage{Kind: in.Body.Kind, Body: in.Body.Body, LastSeenMessageID: in.Body.LastSeenMessageID})
		})
		return &body[tickets.TimelineItem]{Body: v}, err
	})
	handle(a, change("solve", "Solve a ticket"), func(ctx context.Context, who *auth.Identity, in *solution) (*versioned[tickets.Ticket], error) {
		return versionedTicket(write(ctx, a, func(tx pgx.Tx) (tickets.Ticket, error) {
			return t.Solve(ctx, tx, actor(who), in.Number, tickets.Solution{Resolution: in.Body.Resolution, RootCause: in.Body.RootCause, Body: in.Body.Body})
		}))
	})
	handle(a, change("reopen", "Open a ticket again"), func(ctx context.Context, who *auth.Identity, in *OfTicket) (*versioned[tickets.Ticket], error) {
		return versionedTicket(write(ctx, a, func(tx pgx.Tx) (tickets.Ticket, error) { return t.Reopen(ctx, tx, actor(who), in.Number) }))
	})
	handle(a, change("assign", "Give a ticket to an agent or a team"), func(ctx context.Context, who *auth.Identity, in *assignment) (*versioned[tickets.Ticket], error) {
		return versionedTicket(write(ctx, a, func(tx pgx.Tx) (tickets.Ticket, error) {
			return t.Assign(ctx, tx, actor(who), in.Number, tickets.Assignment{Assignee: in.Body.Assignee.ptr(), Team: in.Body.Team.str()})
		}))
	})
	handle(a, change("wait", "Let a ticket wait"), func(ctx context.Context, who *auth.Identity, in *waiting) (*versioned[tickets.Ticket], error) {
		return versionedTicket(write(ctx, a, func(tx pgx.Tx) (tickets.Ticket, error) {
			return t.Wait(ctx, tx, actor(who), in.Number, in.Body.Category, in.Body.Until)
		}))
	})
	handle(a, change("spam", "Mark a ticket as spam, or take that back"), func(ctx context.Context, who *auth.Identity, in *spamInput) (*versioned[tickets.Ticket], error) {
		return versionedTicket(write(ctx, a, func(tx pgx.Tx) (tickets.Ticket, error) {
			return t.Spam(ctx, tx, actor(who), in.Number, in.Body.Spam == nil || *in.Body.Spam)
		}))
	})
}
