package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/jackc/pgx/v5/pgconn"

	"hotline/internal/auth"
	"hotline/internal/pg"
	"hotline/internal/trunks"
	"hotline/queue"
	"hotline/tickets"
)

// Problem is a problem document (RFC 9457). Code is stable: programs branch on it, pages translate it.
type Problem struct {
	Type    string       `json:"type" doc:"about:blank: the code says more"`
	Title   string       `json:"title"`
	Status  int          `json:"status"`
	Code    string       `json:"code" doc:"Stable name of the error"`
	Detail  string       `json:"detail,omitempty" doc:"For people"`
	Field   string       `json:"field,omitempty" doc:"Input field at fault"`
	TraceID string       `json:"trace_id" doc:"Names the log lines of this request"`
	Errors  []FieldError `json:"errors,omitempty" doc:"All fields at fault"`
	Context any          `json:"context,omitempty" doc:"What the error is about, such as both values of a collision"`

	retry time.Duration // Retry-After; 0: none
	cause error         // for the log
}

// FieldError is one field at fault.
type FieldError struct {
	Field   string `json:"field"`
	Message string `json:"message"`
}

// Error implements error.
func (p *Problem) Error() string { return p.Code + ": " + p.Detail }

// GetStatus implements huma.StatusError.
func (p *Problem) GetStatus() int { return p.Status }

// ContentType implements huma.ContentTypeFilter.
func (p *Problem) ContentType(string) string { return "application/problem+json" }

// GetHeaders implements huma.HeadersError.
func (p *Problem) GetHeaders() http.Header {
	h := http.Header{}
	if p.retry > 0 {
		h.Set("Retry-After", strconv.Itoa(int(math.Ceil(p.retry.Seconds()))))
	}
	if p.Status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", `Bearer realm="hotline"`)
	}
	return h
}

// codes are the default codes by status.
var codes = map[int]string{
	400: "bad_request", 401: "unauthenticated", 403: "forbidden", 404: "not_found", 405: "method_not_allowed", 406: "not_acceptable",
	408: "timeout", 409: "conflict", 412: "stale", 413: "too_large", 415: "unsupported_media_type", 416: "bad_range", 422: "invalid",
	428: "precondition_required", 429: "rate_limited", 499: "gone_away", 500: "internal", 503: "unavailable",
}

// finish fills in what follows from the status and the request.
func (p *Problem) finish(ctx context.Context) *Problem {
	q := *p
	q.Type = "about:blank"
	if q.Code == "" {
		q.Code = codes[q.Status]
	}
	if q.Code == "" {
		q.Code = "internal"
	}
	q.Title = http.StatusText(q.Status)
	q.TraceID = infoOf(ctx).trace
	return &q
}

// init makes huma's own errors (validation, unreadable bodies) ours. huma keeps this hook in a global variable.
func init() {
	huma.NewError = func(status int, msg string, errs ...error) huma.StatusError { return fromHuma(status, msg, errs) }
	huma.NewErrorWithContext = func(ctx huma.Context, status int, msg string, errs ...error) huma.StatusError {
		p := fromHuma(status, msg, errs).finish(ctx.Context())
		infoOf(ctx.Context()).problem = p
		return p
	}
	huma.DefaultArrayNullable = false // lists are [] when empty
}

// fromHuma leaves out the values that huma would echo: they may be passwords.
func fromHuma(status int, msg string, errs []error) *Problem {
	if status == http.StatusBadRequest && msg == "validation failed" {
		msg = "the body is not JSON"
	}
	p := &Problem{Status: status, Detail: msg}
	if status >= 500 {
		p.Detail, p.cause = "internal error", errors.Join(append([]error{errors.New(msg)}, errs...)...)
		return p
	}
	for _, err := range errs {
		d, ok := err.(huma.ErrorDetailer)
		if !ok {
			continue
		}
		e := d.ErrorDetail()
		field := e.Location
		for _, prefix := range []string{"body.", "query.", "path.", "header."} {
			field = strings.TrimPrefix(field, prefix)
		}
		message := e.Message
		if status == http.StatusBadRequest {
			message = "is not readable"
		}
		p.Errors = append(p.Errors, FieldError{Field: field, Message: message})
	}
	if len(p.Errors) > 0 {
		p.Field = p.Errors[0].Field
		if msg == "validation failed" {
			p.Detail = p.Errors[0].Field + ": " + p.Errors[0].Message
		}
	}
	return p
}

func notFound(detail string) *Problem {
	return &Problem{Status: http.StatusNotFound, Code: "not_found", Detail: detail}
}

func invalid(field, format string, args ...any) *Problem {
	return &Problem{Status: http.StatusUnprocessableEntity, Code: "invalid", Field: field, Detail: field + ": " + fmt.Sprintf(format, args...)}
}

func stale() *Problem {
	return &Problem{Status: http.StatusPreconditionFailed, Detail: "somebody changed it since you read it"}
}

// byField makes the answer to a broken rule, or to a value that somebody else has.
func byField(field, message string, taken bool) *Problem {
	p := invalid(field, "%s", message)
	if taken {
		p.Status, p.Code = http.StatusConflict, "taken"
	}
	return p
}

// byFields makes the answer to several broken rules at once.
func byFields(fields map[string]string) *Problem {
	p := &Problem{Status: http.StatusUnprocessableEntity, Detail: "the input is not valid"}
	for _, f := range slices.Sorted(maps.Keys(fields)) {
		p.Errors = append(p.Errors, FieldError{Field: f, Message: fields[f]})
	}
	if len(p.Errors) > 0 {
		p.Field, p.Detail = p.Errors[0].Field, p.Errors[0].Field+": "+p.Errors[0].Message
	}
	return p
}

var ticketStatus = map[tickets.Code]int{
	tickets.CodeNotFound: 404, tickets.CodeConflict: 409, tickets.CodePrecondition: 412, tickets.CodeInvalid: 422, tickets.CodeForbidden: 403,
}

// problemOf is the one table from errors to answers. What it does not know is "internal error" outside.
func problemOf(err error) *Problem {
	if p, ok := errors.AsType[*Problem](err); ok {
		return p
	}
	if e, ok := errors.AsType[*tickets.Error](err); ok {
		status, known := ticketStatus[e.Code]
		if !known {
			status = http.StatusInternalServerError
		}
		return &Problem{Status: status, Field: e.Field, Detail: e.Message, Context: e.Detail, cause: err}
	}
	if p := accountProblem(err); p != nil {
		return p
	}
	if p := settingsProblem(err); p != nil {
		return p
	}
	return systemProblem(err)
}

func accountProblem(err error) *Problem {
	if i, ok := errors.AsType[*auth.Invalid](err); ok {
		return byField(i.Field, i.Message, i.Taken)
	}
	if l, ok := errors.AsType[*auth.Locked](err); ok {
		return &Problem{Status: http.StatusTooManyRequests, Code: "locked", Detail: "too many tries; wait a while", retry: l.For}
	}
	switch {
	case errors.Is(err, auth.ErrUnauthenticated):
		return &Problem{Status: http.StatusUnauthorized, Detail: "sign in first"}
	case errors.Is(err, auth.ErrWrongPassword):
		return &Problem{Status: http.StatusUnauthorized, Code: "wrong_password", Detail: "wrong login or password"}
	case errors.Is(err, auth.ErrBusy):
		return &Problem{Status: http.StatusServiceUnavailable, Detail: "too many sign-ins at once", retry: 2 * time.Second}
	case errors.Is(err, auth.ErrNotFound):
		return notFound("there is no such object")
	case errors.Is(err, auth.ErrVersion):
		return stale()
	}
	return nil
}

func settingsProblem(err error) *Problem {
	if i, ok := errors.AsType[*trunks.Invalid](err); ok {
		return byField(i.Field, i.Message, i.Taken)
	}
	if i, ok := errors.AsType[*queue.InvalidError](err); ok {
		return byFields(i.Fields)
	}
	switch {
	case errors.Is(err, trunks.ErrNotFound), errors.Is(err, queue.ErrNotFound):
		return notFound("there is no such object")
	case errors.Is(err, trunks.ErrVersion), errors.Is(err, queue.ErrVersion):
		return stale()
	case errors.Is(err, queue.ErrExists):
		return byField("key", "exists already", true)
	case errors.Is(err, queue.ErrInUse):
		return &Problem{Status: http.StatusConflict, Code: "in_use", Detail: "callers wait in this queue"}
	}
	return nil
}

// systemProblem judges trouble that is not the caller's.
func systemProblem(err error) *Problem {
	_, connect := errors.AsType[*pgconn.ConnectError](err)
	_, wire := errors.AsType[net.Error](err)
	switch {
	case unkept(pg.Code(err)):
		return &Problem{Status: http.StatusUnprocessableEntity, Detail: "a text or a number in the request cannot be kept: NUL characters, or too large", cause: err}
	case pg.Code(err) == pg.CodeUniqueViolation:
		return &Problem{Status: http.StatusConflict, Detail: "the same is there already", cause: err}
	case errors.Is(err, context.Canceled):
		return &Problem{Status: 499, Detail: "the client went away", cause: err}
	case connect, wire, errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, context.DeadlineExceeded), pgconn.Timeout(err), pg.Retryable(err), strings.HasPrefix(pg.Code(err), "57"),
		errors.Is(err, pg.ErrCommitUnknown):
		return &Problem{Status: http.StatusServiceUnavailable, Detail: "the database does not answer now; try again", retry: 2 * time.Second, cause: err}
	}
	return &Problem{Status: http.StatusInternalServerError, Detail: "internal error", cause: err}
}

// unkept names the complaints of PostgreSQL about a value that no column can hold: character_not_in_repertoire and
// untranslatable_character (NUL), numeric_value_out_of_range, datetime_field_overflow.
func unkept(code string) bool {
	return code == "22021" || code == "22P05" || code == "22003" || code == "22008"
}

// fail writes a problem as the answer of a plain handler.
func (a *API) fail(w http.ResponseWriter, r *http.Request, p *Problem) {
	p = p.finish(r.Context())
	infoOf(r.Context()).problem = p
	for k, v := range p.GetHeaders() {
		w.Header()[k] = v
	}
	w.Header().Set("Content-Type", p.ContentType(""))
	w.Header().Del("Etag")
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p)
}
