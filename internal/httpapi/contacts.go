package httpapi

import (
	"context"
	"net/http"
	"strconv"

	"github.com/jackc/pgx/v5"

	"hotline/internal/auth"
	"hotline/tickets"
)

// ByID names an object by its number.
type ByID struct {
	ID int64 `path:"id" minimum:"1"`
}

type contactQuery struct {
	Paging
	Phone string `query:"phone" maxLength:"100"`
	Email string `query:"email" maxLength:"200"`
	Q     string `query:"q" maxLength:"200"`
	Org   int64  `query:"org"`
}

type newPoint struct {
	Kind    string `json:"kind" enum:"phone,email,telegram,whatsapp,viber,vk,facebook,chat,external"`
	Value   string `json:"value" minLength:"1" maxLength:"200"`
	Ext     string `json:"ext,omitempty" maxLength:"20"`
	Label   string `json:"label,omitempty" maxLength:"100"`
	Sharing string `json:"sharing,omitempty" enum:"personal,shared"`
}

func (p newPoint) point() tickets.NewPoint {
	return tickets.NewPoint{Kind: p.Kind, Value: p.Value, Ext: p.Ext, Label: p.Label, Sharing: p.Sharing}
}

func points(in []newPoint) (out []tickets.NewPoint) {
	for _, p := range in {
		out = append(out, p.point())
	}
	return out
}

type newContact struct {
	Body struct {
		Name   string     `json:"name" maxLength:"300"`
		Kind   string     `json:"kind,omitempty" enum:"person,shared,unknown,machine"`
		Locale string     `json:"locale,omitempty" maxLength:"20"`
		OrgID  int64      `json:"org_id,omitempty"`
		Points []newPoint `json:"points,omitempty" maxItems:"20"`
	}
}

type contactPatch struct {
	ByID
	Match
	Body struct {
		Name    *string    `json:"name,omitempty" maxLength:"300"`
		Kind    *string    `json:"kind,omitempty" enum:"person,shared,unknown,machine"`
		Locale  *string    `json:"locale,omitempty" maxLength:"20"`
		OrgID   opt[int64] `json:"org_id,omitempty"`
		Blocked *bool      `json:"blocked,omitempty"`
	}
}

type addPoint struct {
	ByID
	Body newPoint
}

type removePoint struct {
	ByID
	Point int64 `path:"point" minimum:"1"`
}

type ofContact struct {
	ByID
	Paging
}

func versionedContact(v tickets.Contact, err error) (*versioned[tickets.Contact], error) {
	return &versioned[tickets.Contact]{ETag: etag(v.Version), Body: v}, err
}

func (a *API) contactRoutes() {
	t := a.cfg.Tickets
	handle(a, op{method: "GET", path: "/contacts", summary: "Find contacts: by phone or mail exactly, by words loosely", resource: auth.Contacts, verb: auth.Read},
		func(ctx context.Context, who *auth.Identity, in *contactQuery) (*body[list[tickets.Contact]], error) {
			return pageOf(t.ListContacts(ctx, actor(who), tickets.ContactFilter{Phone: in.Phone, Email: in.Email, Query: in.Q, Org: in.Org, Limit: in.Limit, After: in.After}))
		})
	handle(a, op{method: "POST", path: "/contacts", summary: "Make a contact", resource: auth.Contacts, verb: auth.Write, status: http.StatusCreated},
		func(ctx context.Context, who *auth.Identity, in *newContact) (*created[tickets.Contact], error) {
			b := in.Body
			v, err := write(ctx, a, func(tx pgx.Tx) (tickets.Contact, error) {
				return t.CreateContact(ctx, tx, actor(who), tickets.NewContact{Name: b.Name, Kind: b.Kind, Locale: b.Locale, OrgID: b.OrgID, Points: points(b.Points)})
			})
			return &created[tickets.Contact]{Location: Prefix + "/contacts/" + strconv.FormatInt(v.ID, 10), ETag: etag(v.Version), Body: v}, err
		})
	handle(a, op{method: "GET", path: "/contacts/{id}", summary: "Read a contact", resource: auth.Contacts, verb: auth.Read},
		func(ctx context.Context, who *auth.Identity, in *ByID) (*versioned[tickets.Contact], error) {
			return versionedContact(t.GetContact(ctx, actor(who), in.ID))
		})
	handle(a, op{method: "PATCH", path: "/contacts/{id}", summary: "Change a contact", resource: auth.Contacts, verb: auth.Write},
		func(ctx context.Context, who *auth.Identity, in *contactPatch) (*versioned[tickets.Contact], error) {
			version, err := in.version(true)
			if err != nil {
				return nil, err
			}
			b := in.Body
			return versionedContact(write(ctx, a, func(tx pgx.Tx) (tickets.Contact, error) {
				return t.PatchContact(ctx, tx, actor(who), in.ID, version, tickets.ContactPatch{Name: b.Name, Kind: b.Kind, Locale: b.Locale, OrgID: b.OrgID.ptr(), Blocked: b.Blocked})
			}))
		})
	handle(a, op{method: "POST", path: "/contacts/{id}/points", summary: "Add an address; 409 names the present owner", resource: auth.Contacts, verb: auth.Write, status: http.StatusCreated},
		func(ctx context.Context, who *auth.Identity, in *addPoint) (*versioned[tickets.Contact], error) {
			return versionedContact(write(ctx, a, func(tx pgx.Tx) (tickets.Contact, error) {
				return t.AddPoint(ctx, tx, actor(who), in.ID, in.Body.point())
			}))
		})
	handle(a, op{method: "DELETE", path: "/contacts/{id}/points/{point}", summary: "Remove an address", resource: auth.Contacts, verb: auth.Write, status: http.StatusOK},
		func(ctx context.Context, who *auth.Identity, in *removePoint) (*versioned[tickets.Contact], error) {
			return versionedContact(write(ctx, a, func(tx pgx.Tx) (tickets.Contact, error) { return t.RemovePoint(ctx, tx, actor(who), in.ID, in.Point) }))
		})
	handle(a, op{method: "GET", path: "/contacts/{id}/tickets", summary: "Tickets of a contact", resource: auth.Contacts, verb: auth.Read},
		func(ctx context.Context, who *auth.Identity, in *ofContact) (*body[list[tickets.Ticket]], error) {
			return pageOf(t.ContactTickets(ctx, actor(who), in.ID, in.Limit, in.After))
		})
	handle(a, op{method: "GET", path: "/contacts/{id}/calls", summary: "Calls of a contact", resource: auth.Contacts, verb: auth.Read},
		func(ctx context.Context, who *auth.Identity, in *ofContact) (*body[list[tickets.Call]], error) {
			return pageOf(t.ContactCalls(ctx, actor(who), in.ID, in.Limit, in.After))
		})
	type callerQuery struct {
		Number string `query:"number" required:"true" maxLength:"100"`
		DID    string `query:"did" maxLength:"100" doc:"Our number that was dialled"`
	}
	handle(a, op{method: "GET", path: "/caller", summary: "Who may be calling from a number, and about which tickets", resource: auth.Contacts, verb: auth.Read},
		func(ctx context.Context, who *auth.Identity, in *callerQuery) (*body[tickets.Caller], error) {
			v, err := t.CallerFor(ctx, actor(who), in.Number, in.DID)
			return &body[tickets.Caller]{Body: v}, err
		})
}

type orgQuery struct {
	Paging
	Q string `query:"q" maxLength:"200"`
}

type newOrg struct {
	Body struct {
		Name           string     `json:"name" minLength:"1" maxLength:"300"`
		Kind           string     `json:"kind,omitempty" enum:"client,partner,vendor,internal"`
		ClientPriority int        `json:"client_priority,omitempty" minimum:"1" maximum:"3"`
		Points         []newPoint `json:"points,omitempty" maxItems:"20"`
	}
}

type orgPatch struct {
	ByID
	Match
	Body struct {
		Name           *string `json:"name,omitempty" minLength:"1" maxLength:"300"`
		Kind           *string `json:"kind,omitempty" enum:"client,partner,vendor,internal"`
		ClientPriority *int    `json:"client_priority,omitempty" minimum:"1" maximum:"3"`
	}
}

func versionedOrg(v tickets.Org, err error) (*versioned[tickets.Org], error) {
	return &versioned[tickets.Org]{ETag: etag(v.Version), Body: v}, err
}

func (a *API) orgRoutes() {
	t := a.cfg.Tickets
	handle(a, op{method: "GET", path: "/orgs", summary: "List organisations", resource: auth.Orgs, verb: auth.Read},
		func(ctx context.Context, who *auth.Identity, in *orgQuery) (*body[list[tickets.Org]], error) {
			return pageOf(t.ListOrgs(ctx, actor(who), tickets.OrgFilter{Query: in.Q, Limit: in.Limit, After: in.After}))
		})
	handle(a, op{method: "POST", path: "/orgs", summary: "Make an organisation", resource: auth.Orgs, verb: auth.Write, status: http.StatusCreated},
		func(ctx context.Context, who *auth.Identity, in *newOrg) (*created[tickets.Org], error) {
			b := in.Body
			v, err := write(ctx, a, func(tx pgx.Tx) (tickets.Org, error) {
				return t.CreateOrg(ctx, tx, actor(who), tickets.NewOrg{Name: b.Name, Kind: b.Kind, ClientPriority: b.ClientPriority, Points: points(b.Points)})
			})
			return &created[tickets.Org]{Location: Prefix + "/orgs/" + strconv.FormatInt(v.ID, 10), ETag: etag(v.Version), Body: v}, err
		})
	handle(a, op{method: "GET", path: "/orgs/{id}", summary: "Read an organisation", resource: auth.Orgs, verb: auth.Read},
		func(ctx context.Context, who *auth.Identity, in *ByID) (*versioned[tickets.Org], error) {
			return versionedOrg(t.GetOrg(ctx, actor(who), in.ID))
		})
	handle(a, op{method: "PATCH", path: "/orgs/{id}", summary: "Change an organisation", resource: auth.Orgs, verb: auth.Write},
		func(ctx context.Context, who *auth.Identity, in *orgPatch) (*versioned[tickets.Org], error) {
			version, err := in.version(true)
			if err != nil {
				return nil, err
			}
			b := in.Body
			return versionedOrg(write(ctx, a, func(tx pgx.Tx) (tickets.Org, error) {
				return t.PatchOrg(ctx, tx, actor(who), in.ID, version, tickets.OrgPatch{Name: b.Name, Kind: b.Kind, ClientPriority: b.ClientPriority})
			}))
		})
}
