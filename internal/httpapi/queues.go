package httpapi

import (
	"context"
	"net/http"
	"net/url"
	"slices"

	"hotline/internal/auth"
	"hotline/queue"
	"hotline/tickets"
)

// QueueFields are the settings of a queue; what is absent stays as it is, or gets its default.
type QueueFields struct {
	Name           *string `json:"name,omitempty" maxLength:"200"`
	Strategy       *string `json:"strategy,omitempty" enum:"longest_idle,priority,skills"`
	RingTimeoutS   *int    `json:"ring_timeout_s,omitempty" minimum:"0" maximum:"600"`
	WrapupS        *int    `json:"wrapup_s,omitempty" minimum:"0" maximum:"86400"`
	WrapupMode     *string `json:"wrapup_mode,omitempty" enum:"timed,optional,until_done,fixed"`
	MaxWaitS       *int    `json:"max_wait_s,omitempty" minimum:"0" maximum:"86400"`
	MaxLen         *int    `json:"max_len,omitempty" minimum:"0" maximum:"100000"`
	OnTimeout      *string `json:"on_timeout,omitempty" enum:"voicemail,hangup,callback"`
	OnFull         *string `json:"on_full,omitempty" enum:"voicemail,hangup,callback"`
	OnNoAgents     *string `json:"on_no_agents,omitempty" enum:"voicemail,hangup,callback,wait"`
	MOH            *string `json:"moh,omitempty" maxLength:"200"`
	AnnounceFirstS *int    `json:"announce_first_s,omitempty" minimum:"0" maximum:"3600"`
	AnnounceEveryS *int    `json:"announce_every_s,omitempty" minimum:"0" maximum:"3600"`
	Record         *string `json:"record,omitempty" enum:"always,never"`
	RetentionDays  *int    `json:"retention_days,omitempty" minimum:"0" maximum:"36500"`
	MaxMissed      *int    `json:"max_missed,omitempty" minimum:"0" maximum:"100"`
	MissedRestS    *int    `json:"missed_rest_s,omitempty" minimum:"0" maximum:"3600"`
	SLThresholdS   *int    `json:"sl_threshold_s,omitempty" minimum:"0" maximum:"86400"`
	SLTarget       *int    `json:"sl_target,omitempty" minimum:"0" maximum:"100"`
	ShortAbandonS  *int    `json:"short_abandon_s,omitempty" minimum:"0" maximum:"600"`
	Team           *string `json:"team,omitempty" maxLength:"200"`
	Weight         *int    `json:"weight,omitempty" minimum:"-1000" maximum:"1000"`
	Closed         *bool   `json:"closed,omitempty" doc:"Nobody enters; those inside stay"`
}

type queueInput struct {
	Body struct {
		Key string `json:"key" minLength:"1" maxLength:"40" pattern:"^[a-z0-9][a-z0-9_-]*$"`
		QueueFields
	}
}

type queuePatch struct {
	ByKey
	Match
	Body QueueFields
}

// ByKey names a queue.
type ByKey struct {
	Key string `path:"key" maxLength:"100"`
}

type deleteQueue struct {
	ByKey
	Match
}

func (a *API) queueRoutes() {
	handle(a, op{method: "GET", path: "/queues", summary: "List queues", resource: auth.Queues, verb: auth.Read},
		func(ctx context.Context, _ *auth.Identity, _ *Paging) (*body[list[queue.Queue]], error) {
			qs, err := a.cfg.Queues.Queues(ctx)
			return &body[list[queue.Queue]]{Body: whole(qs)}, err
		})
	handle(a, op{method: "POST", path: "/queues", summary: "Make a queue", resource: auth.Queues, verb: auth.Write, status: http.StatusCreated},
		func(ctx context.Context, who *auth.Identity, in *queueInput) (*created[queue.Queue], error) {
			q := queue.Queue{Key: in.Body.Key}
			if err := overlay(in.Body.QueueFields, &q); err != nil {
				return nil, err
			}
			if err := a.checkTeam(ctx, who, in.Body.Team); err != nil {
				return nil, err
			}
			q, err := a.cfg.Queues.CreateQueue(ctx, q)
			if err != nil {
				return nil, err
			}
			if err := a.queueChanged(ctx, who, "queue.create", q.Key, names(in.Body.QueueFields)); err != nil {
				return nil, err
			}
			return &created[queue.Queue]{Location: Prefix + "/queues/" + url.PathEscape(q.Key), ETag: etag(q.Version), Body: q}, nil
		})
	handle(a, op{method: "GET", path: "/queues/{key}", summary: "Read a queue", resource: auth.Queues, verb: auth.Read},
		func(ctx context.Context, _ *auth.Identity, in *ByKey) (*versioned[queue.Queue], error) {
			q, err := a.cfg.Queues.Queue(ctx, in.Key)
			return &versioned[queue.Queue]{ETag: etag(q.Version), Body: q}, err
		})
	handle(a, op{method: "PATCH", path: "/queues/{key}", summary: "Change a queue", resource: auth.Queues, verb: auth.Write}, a.changeQueue)
	handle(a, op{method: "DELETE", path: "/queues/{key}", summary: "Delete a queue", resource: auth.Queues, verb: auth.Write},
		func(ctx context.Context, who *auth.Identity, in *deleteQueue) (*nothing, error) {
			version, err := in.version(false)
			if err != nil {
				return nil, err
			}
			if err := a.cfg.Queues.DeleteQueue(ctx, in.Key, int64(version)); err != nil {
				return nil, err
			}
			return &nothing{}, a.queueChanged(ctx, who, "queue.delete", in.Key, nil)
		})
}

func (a *API) changeQueue(ctx context.Context, who *auth.Identity, in *queuePatch) (*versioned[queue.Queue], error) {
	version, err := in.version(true)
	if err != nil {
		return nil, err
	}
	q, err := a.cfg.Queues.Queue(ctx, in.Key)
	if err != nil {
		return nil, err
	}
	if version != 0 && int64(version) != q.Version {
		return nil, stale()
	}
	if err := overlay(in.Body, &q); err != nil {
		return nil, err
	}
	if err := a.checkTeam(ctx, who, in.Body.Team); err != nil {
		return nil, err
	}
	if q, err = a.cfg.Queues.UpdateQueue(ctx, q); err != nil {
		return nil, err
	}
	if err := a.queueChanged(ctx, who, "queue.update", q.Key, names(in.Body)); err != nil {
		return nil, err
	}
	return &versioned[queue.Queue]{ETag: etag(q.Version), Body: q}, nil
}

func (a *API) queueChanged(ctx context.Context, who *auth.Identity, action, key string, fields []string) error {
	a.cfg.Live.ConfigChanged(ChangedQueues)
	return a.cfg.Auth.Audit(ctx, a.cfg.Pool, who, auth.Entry{Action: action, Object: "queue:" + key, Detail: map[string]any{"fields": fields}})
}

// checkTeam refuses a team that is not there: its calls would make tickets that nobody sees.
func (a *API) checkTeam(ctx context.Context, who *auth.Identity, name *string) error {
	if name == nil || *name == "" {
		return nil
	}
	teams, err := a.cfg.Tickets.Teams(ctx, actor(who))
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(teams, func(t tickets.Team) bool { return t.Name == *name }) {
		return invalid("team", "there is no such team")
	}
	return nil
}
