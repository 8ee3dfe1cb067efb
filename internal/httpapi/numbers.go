package httpapi

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	"github.com/jackc/pgx/v5"

	"hotline/internal/auth"
	"hotline/internal/trunks"
	"hotline/queue"
)

// numberJSON says where a dialled number leads.
type numberJSON struct {
	Number   string `json:"number" doc:"As the trunk dials it"`
	Flow     string `json:"flow" doc:"Menu; empty: straight to the queue"`
	Queue    string `json:"queue"`
	Label    string `json:"label"`
	MaxCalls int    `json:"max_calls" doc:"0: no limit of its own"`
	Version  int    `json:"version"`
}

// NumberFields are where a number leads; what is absent stays as it is.
type NumberFields struct {
	Flow     *string `json:"flow,omitempty" maxLength:"100"`
	Queue    *string `json:"queue,omitempty" maxLength:"100"`
	Label    *string `json:"label,omitempty" maxLength:"200"`
	MaxCalls *int    `json:"max_calls,omitempty" minimum:"0" maximum:"100000"`
}

type numberInput struct {
	Body struct {
		Number string `json:"number" minLength:"1" maxLength:"41"`
		NumberFields
	}
}

// ByNumber names a dialled number.
type ByNumber struct {
	Number string `path:"number" maxLength:"100"`
}

type numberPatch struct {
	ByNumber
	Match
	Body NumberFields
}

type deleteNumber struct {
	ByNumber
	Match
}

func (a *API) numberRoutes() {
	handle(a, op{method: "GET", path: "/numbers", summary: "List dialled numbers", resource: auth.Numbers, verb: auth.Read},
		func(ctx context.Context, _ *auth.Identity, _ *Paging) (*body[list[numberJSON]], error) {
			all, err := a.cfg.Trunks.Numbers(ctx)
			out := make([]numberJSON, len(all))
			for i, n := range all {
				out[i] = numberJSON(n)
			}
			return &body[list[numberJSON]]{Body: whole(out)}, err
		})
	handle(a, op{method: "POST", path: "/numbers", summary: "Add a dialled number", resource: auth.Numbers, verb: auth.Write, status: http.StatusCreated},
		func(ctx context.Context, who *auth.Identity, in *numberInput) (*created[numberJSON], error) {
			n := trunks.Number{Number: in.Body.Number}
			in.Body.NumberFields.apply(&n)
			n, err := a.writeNumber(ctx, who, "number.create", n, a.cfg.Trunks.CreateNumber)
			return &created[numberJSON]{Location: Prefix + "/numbers/" + url.PathEscape(n.Number), ETag: etag(n.Version), Body: numberJSON(n)}, err
		})
	handle(a, op{method: "PATCH", path: "/numbers/{number}", summary: "Change where a number leads", resource: auth.Numbers, verb: auth.Write},
		func(ctx context.Context, who *auth.Identity, in *numberPatch) (*versioned[numberJSON], error) {
			version, err := in.version(true)
			if err != nil {
				return nil, err
			}
			n, err := a.cfg.Trunks.Number(ctx, in.Number)
			if err != nil {
				return nil, err
			}
			if version != 0 && version != n.Version {
				return nil, stale()
			}
			in.Body.apply(&n)
			n, err = a.writeNumber(ctx, who, "number.update", n, a.cfg.Trunks.UpdateNumber)
			return &versioned[numberJSON]{ETag: etag(n.Version), Body: numberJSON(n)}, err
		})
	handle(a, op{method: "DELETE", path: "/numbers/{number}", summary: "Remove a dialled number", resource: auth.Numbers, verb: auth.Write},
		func(ctx context.Context, who *auth.Identity, in *deleteNumber) (*nothing, error) {
			version, err := in.version(false)
			if err != nil {
				return nil, err
			}
			err = a.tx(ctx, func(tx pgx.Tx) error {
				if err := a.cfg.Trunks.DeleteNumber(ctx, tx, in.Number, version); err != nil {
					return err
				}
				return a.cfg.Auth.Audit(ctx, tx, who, auth.Entry{Action: "number.delete", Object: "number:" + in.Number})
			})
			if err == nil {
				a.cfg.Live.ConfigChanged(ChangedNumbers)
			}
			return &nothing{}, err
		})
}

// apply writes the fields that are set. Naming one destination takes the other away.
func (f NumberFields) apply(n *trunks.Number) {
	set(&n.Flow, f.Flow)
	set(&n.Queue, f.Queue)
	switch {
	case f.Flow != nil && *f.Flow != "" && f.Queue == nil:
		n.Queue = ""
	case f.Queue != nil && *f.Queue != "" && f.Flow == nil:
		n.Flow = ""
	}
	set(&n.Label, f.Label)
	set(&n.MaxCalls, f.MaxCalls)
}

// writeNumber checks that the destination exists, and writes.
func (a *API) writeNumber(ctx context.Context, who *auth.Identity, action string, n trunks.Number,
	do func(context.Context, pgx.Tx, trunks.Number) (trunks.Number, error)) (trunks.Number, error) {
	if err := a.checkDestination(ctx, n); err != nil {
		return trunks.Number{}, err
	}
	out, err := write(ctx, a, func(tx pgx.Tx) (trunks.Number, error) {
		out, err := do(ctx, tx, n)
		if err != nil {
			return out, err
		}
		return out, a.cfg.Auth.Audit(ctx, tx, who, auth.Entry{Action: action, Object: "number:" + n.Number,
			Detail: map[string]any{"flow": n.Flow, "queue": n.Queue}})
	})
	if err == nil {
		a.cfg.Live.ConfigChanged(ChangedNumbers)
	}
	return out, err
}

func (a *API) checkDestination(ctx context.Context, n trunks.Number) error {
	if n.Queue != "" {
		if _, err := a.cfg.Queues.Queue(ctx, n.Queue); errors.Is(err, queue.ErrNotFound) {
			return invalid("queue", "there is no such queue")
		} else if err != nil {
			return err
		}
	}
	if n.Flow == "" {
		return nil
	}
	flows, err := a.cfg.Live.Flows(ctx)
	if err != nil {
		return err
	}
	for _, f := range flows {
		if f.ID == n.Flow {
			return nil
		}
	}
	return invalid("flow", "there is no such flow")
}
