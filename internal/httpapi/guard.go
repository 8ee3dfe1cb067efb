package httpapi

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/jackc/pgx/v5"

	"hotline/internal/auth"
	"hotline/internal/pg"
	"hotline/tickets"
)

// op describes a route.
type op struct {
	method, path string
	summary      string
	resource     auth.Resource
	verb         auth.Verb
	public       bool                      // no session needed
	secret       bool                      // the answer holds a secret: never stored for repeats
	status       int                       // of success; 0: 200, or 204 without a body
	responses    map[string]*huma.Response // in place of what the types say; nil: nothing to add
}

// handle registers a route. fn is called with the identity (nil on public routes) once the request has passed
// authentication, permission, rate limit, idempotency and validation.
func handle[I, O any](a *API, o op, fn func(ctx context.Context, who *auth.Identity, in *I) (*O, error)) {
	hop := huma.Operation{
		Method: o.method, Path: o.path, Summary: o.summary, DefaultStatus: o.status, MaxBodyBytes: a.cfg.MaxBody, BodyReadTimeout: a.cfg.BodyTimeout,
		OperationID: operationID(o.method, o.path), Tags: []string{string(o.resource)},
		Metadata:    map[string]any{"resource": o.resource, "verb": o.verb, "public": o.public},
		Middlewares: huma.Middlewares{a.guard(o)},
		Responses:   o.responses,
		Errors:      []int{http.StatusBadRequest, http.StatusForbidden, http.StatusNotFound, http.StatusConflict, http.StatusTooManyRequests, http.StatusServiceUnavailable},
	}
	if !o.public {
		hop.Security = []map[string][]string{{"session": {}}, {"token": {}}}
	}
	hop.Errors = append(hop.Errors, http.StatusUnauthorized)
	if o.method == http.MethodPatch || o.method == http.MethodDelete {
		hop.Errors = append(hop.Errors, http.StatusPreconditionFailed, http.StatusPreconditionRequired)
	}
	if o.method != http.MethodGet {
		hop.Errors = append(hop.Errors, http.StatusRequestTimeout, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType, http.StatusUnprocessableEntity)
	} else {
		hop.Errors = append(hop.Errors, http.StatusUnprocessableEntity)
	}
	if o.method == http.MethodPost {
		hop.Parameters = append(hop.Parameters, &huma.Param{Name: keyHeader, In: "header", Schema: &huma.Schema{Type: huma.TypeString},
			Description: "Makes a repeat act once: the answer of success is stored for a day and given again."})
	}
	a.metrics.expect(o.method + " " + Prefix + o.path)
	huma.Register(a.huma, hop, func(ctx context.Context, in *I) (*O, error) {
		infoOf(ctx).bodyRead()
		out, err := fn(ctx, infoOf(ctx).who, in)
		if err == nil {
			return out, nil
		}
		p := problemOf(err).finish(ctx)
		infoOf(ctx).problem = p
		return nil, p
	})
}

// operationID names an operation after its route: get-tickets-number-timeline.
func operationID(method, path string) string {
	return strings.ToLower(method) + strings.NewReplacer("/", "-", "{", "", "}", "").Replace(path)
}

// guard is the layer in front of every route: who is it, may they, not too often, and a repeat gets its first answer.
func (a *API) guard(o op) func(huma.Context, func(huma.Context)) {
	return func(c huma.Context, next func(huma.Context)) {
		r, w := humago.Unwrap(c)
		in := infoOf(r.Context())
		var p *Problem
		if o.public {
			p = a.limit("ip:" + in.ip.String())
		} else {
			in.who, p = a.admit(r, o.resource, o.verb)
		}
		if p == nil {
			p = plainAddress(r)
		}
		if p != nil {
			a.fail(w, r, p)
			return
		}
		if key := r.Header.Get(keyHeader); o.method == http.MethodPost && key != "" && in.who != nil {
			a.once(w, r, o, key, func(w http.ResponseWriter, r *http.Request) {
				next(humago.NewContext(c.Operation(), r, w))
			})
			return
		}
		next(c)
	}
}

// plainAddress refuses what cannot stand in a text of the database: such an object is never there, and such a filter
// cannot be meant.
func plainAddress(r *http.Request) *Problem {
	if !plainText(r.URL.Path) {
		return notFound("there is no such object")
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return &Problem{Status: http.StatusBadRequest, Detail: "the query of the address is not readable"}
	}
	for name, values := range query {
		if !plainText(name) || slices.ContainsFunc(values, func(v string) bool { return !plainText(v) }) {
			return invalid(clip(name, 100), "is not a text")
		}
	}
	return nil
}

func plainText(s string) bool { return utf8.ValidString(s) && !strings.Contains(s, "\x00") }

// admit authenticates a request and holds it against the table of permissions and the rate limit.
func (a *API) admit(r *http.Request, res auth.Resource, verb auth.Verb) (*auth.Identity, *Problem) {
	in := infoOf(r.Context())
	who, err := a.cfg.Auth.Authenticate(r)
	if errors.Is(err, auth.ErrUnauthenticated) {
		if p := a.limit("ip:" + in.ip.String()); p != nil {
			return nil, p
		}
	}
	if err != nil {
		return nil, problemOf(err)
	}
	who.IP = in.ip.String()
	if l := r.Header.Get("Accept-Language"); l == "ru" || l == "en" { // our pages; a browser by itself sends a list
		who.Reads = l
	}
	in.who = who
	if p := a.limit(who.Subject()); p != nil {
		return nil, p
	}
	if !who.May(res, verb) {
		return nil, &Problem{Status: http.StatusForbidden, Detail: "your role or token does not allow this"}
	}
	return who, nil
}

func (a *API) limit(subject string) *Problem {
	if wait, ok := a.limits.take(subject); !ok {
		return &Problem{Status: http.StatusTooManyRequests, Detail: "too many requests", retry: wait}
	}
	return nil
}

// tx runs fn in a transaction that also marks the request's idempotency row as carried out, so that a repeat after a
// crash of ours can tell "done, the answer is lost" from "never happened".
func (a *API) tx(ctx context.Context, fn func(tx pgx.Tx) error) error {
	return pg.Tx(ctx, a.cfg.Pool, func(tx pgx.Tx) error {
		if err := fn(tx); err != nil {
			return err
		}
		return infoOf(ctx).stored.carriedOut(ctx, tx)
	})
}

// write is tx for functions that return what they wrote.
func write[T any](ctx context.Context, a *API, fn func(tx pgx.Tx) (T, error)) (v T, err error) {
	err = a.tx(ctx, func(tx pgx.Tx) error {
		v, err = fn(tx)
		return err
	})
	return v, err
}

// actor is the identity as the ticket engine knows it.
func actor(who *auth.Identity) tickets.Actor {
	t := tickets.Actor{AgentID: who.AgentID, Login: who.Login, Name: who.Name, Locale: cmp.Or(who.Reads, who.Locale), Roles: who.Roles,
		Permissions: who.Permissions, PartnerOrgID: who.PartnerOrgID}
	for _, m := range who.Teams {
		t.Teams = append(t.Teams, tickets.TeamAccess{TeamID: m.ID, Name: m.Name, Line: m.Line, Access: tickets.Access(m.Access)})
	}
	return t
}
