package httpapi

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"hotline/internal/auth"
	"hotline/tickets"
)

func (a *API) liveRoutes() {
	handle(a, op{method: "GET", path: "/live", summary: "Queues, agents and calls now", resource: auth.Live, verb: auth.Read},
		func(ctx context.Context, _ *auth.Identity, _ *none) (*body[any], error) {
			v, err := a.cfg.Live.Snapshot(ctx)
			return &body[any]{Body: v}, err
		})
	handle(a, op{method: "GET", path: "/flows", summary: "Voice menus that are loaded, with their problems", resource: auth.Flows, verb: auth.Read},
		func(ctx context.Context, _ *auth.Identity, _ *Paging) (*body[list[FlowInfo]], error) {
			v, err := a.cfg.Live.Flows(ctx)
			return &body[list[FlowInfo]]{Body: whole(v)}, err
		})
	handle(a, op{method: "GET", path: "/teams", summary: "Teams", resource: auth.Teams, verb: auth.Read},
		func(ctx context.Context, who *auth.Identity, _ *Paging) (*body[list[tickets.Team]], error) {
			v, err := a.cfg.Tickets.Teams(ctx, actor(who))
			return &body[list[tickets.Team]]{Body: whole(v)}, err
		})
}

type newTokenInput struct {
	Body struct {
		Name      string    `json:"name" minLength:"1" maxLength:"100" doc:"What it is for"`
		Login     string    `json:"login,omitempty" maxLength:"100" doc:"Acts for this user; empty: for me"`
		Scopes    []string  `json:"scopes" minItems:"1" maxItems:"20"`
		ExpiresAt time.Time `json:"expires_at,omitzero"`
	}
}

// newTokenOutput shows the secret, this once.
type newTokenOutput struct {
	Token  auth.Token `json:"token"`
	Secret string     `json:"secret" doc:"Shown this once"`
}

type auditQuery struct {
	Paging
	Actor  string `query:"actor" maxLength:"100"`
	Object string `query:"object" maxLength:"200"`
}

const tokenPage = 100

func (a *API) tokenRoutes() {
	handle(a, op{method: "GET", path: "/tokens", summary: "List API tokens", resource: auth.Tokens, verb: auth.Read},
		func(ctx context.Context, _ *auth.Identity, in *Paging) (*body[list[auth.Token]], error) {
			before, err := a.placeID("tokens", in.After)
			if err != nil {
				return nil, err
			}
			limit := sizeOf(in.Limit, tokenPage)
			ts, err := a.cfg.Auth.ListTokens(ctx, before, limit+1)
			return &body[list[auth.Token]]{Body: cut(a, "tokens", ts, limit, func(t auth.Token) int64 { return t.ID })}, err
		})
	handle(a, op{method: "POST", path: "/tokens", summary: "Make an API token", resource: auth.Tokens, verb: auth.Write, status: http.StatusCreated, secret: true},
		func(ctx context.Context, who *auth.Identity, in *newTokenInput) (*body[newTokenOutput], error) {
			login := in.Body.Login
			if login == "" {
				login = who.Login
			}
			secret, t, err := a.cfg.Auth.CreateToken(ctx, who, auth.NewToken{Name: in.Body.Name, Login: login, Scopes: in.Body.Scopes, ExpiresAt: in.Body.ExpiresAt})
			return &body[newTokenOutput]{Body: newTokenOutput{Token: t, Secret: secret}}, err
		})
	handle(a, op{method: "DELETE", path: "/tokens/{id}", summary: "End an API token", resource: auth.Tokens, verb: auth.Write},
		func(ctx context.Context, who *auth.Identity, in *ByID) (*nothing, error) {
			return &nothing{}, a.cfg.Auth.RevokeToken(ctx, who, in.ID)
		})
	handle(a, op{method: "GET", path: "/audit", summary: "Who did what, newest first", resource: auth.Audit, verb: auth.Read},
		func(ctx context.Context, _ *auth.Identity, in *auditQuery) (*body[list[auth.AuditEntry]], error) {
			before, err := a.placeID("audit", in.After)
			if err != nil {
				return nil, err
			}
			limit := sizeOf(in.Limit, tokenPage)
			es, err := a.cfg.Auth.ListAudit(ctx, in.Actor, in.Object, before, limit+1)
			return &body[list[auth.AuditEntry]]{Body: cut(a, "audit", es, limit, func(e auth.AuditEntry) int64 { return e.Seq })}, err
		})
}

func sizeOf(limit, def int) int {
	if limit == 0 {
		return def
	}
	return limit
}

// cut makes a page of up to limit out of a list that was asked for one more.
func cut[T any](a *API, kind string, all []T, limit int, id func(T) int64) list[T] {
	if len(all) <= limit {
		return whole(all)
	}
	page := whole(all[:limit])
	page.Page = pageInfo{HasMore: true, Next: a.cursor(kind, strconv.FormatInt(id(all[limit-1]), 10))}
	return page
}
