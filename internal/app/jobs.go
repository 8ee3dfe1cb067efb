package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"

	"hotline/telephony/calllog"
	"hotline/tickets"
)

// phases of a call that the ticket engine is told.
const (
	phaseAnswered = "answered"
	phaseEnded    = "ended"
)

// callJob tells the ticket engine about a call. It is inserted in the transaction that writes the call's rows, so
// there is one for every call that ended, and telling the engine twice changes nothing.
type callJob struct {
	Phase string            `json:"phase"`
	Facts tickets.CallFacts `json:"facts"`
}

// Kind names the job in river_job.
func (callJob) Kind() string { return "tickets.call" }

// wrapupJob closes the question which ticket a call belongs to, some time after the wrap-up (A16).
type wrapupJob struct {
	Call string `json:"call"`
}

// Kind names the job in river_job.
func (wrapupJob) Kind() string { return "tickets.wrapup" }

func migrateJobs(ctx context.Context, pool *pgxpool.Pool) error {
	m, err := rivermigrate.New(riverpgxv5.New(pool), &rivermigrate.Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return fmt.Errorf("job tables: %w", err)
	}
	if _, err := m.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		return fmt.Errorf("job tables: %w", err)
	}
	return nil
}

// freeJobs gives the jobs back that this node was working on when it was killed. River would do so after an hour.
func freeJobs(ctx context.Context, pool *pgxpool.Pool, node string) error {
	_, err := pool.Exec(ctx, `UPDATE river_job SET state = 'available' WHERE state = 'running' AND attempted_by[array_upper(attempted_by, 1)] = $1`, node)
	if err != nil {
		return fmt.Errorf("give cut jobs back: %w", err)
	}
	return nil
}

func (a *App) startJobs(ctx, bg context.Context) (err error) {
	workers := river.NewWorkers()
	river.AddWorker(workers, &callWorker{a: a})
	river.AddWorker(workers, &wrapupWorker{a: a})
	if err := freeJobs(ctx, a.db.Pool, a.journal.ID()); err != nil {
		return err
	}
	a.jobs, err = river.NewClient(riverpgxv5.New(a.db.Pool), &river.Config{Queues: map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: 8}},
		ID: a.journal.ID(), Workers: workers, Logger: slog.New(levelAbove{a.log.Handler(), slog.LevelWarn}), FetchPollInterval: 500 * time.Millisecond})
	if err != nil {
		return fmt.Errorf("make the job client: %w", err)
	}
	if err := a.jobs.Start(context.WithoutCancel(ctx)); err != nil {
		return fmt.Errorf("start jobs: %w", err)
	}
	a.copier = &calllog.Copier{Journal: a.journal, Pool: a.db.Pool, Each: a.followUp, Log: a.log}
	run, stop := context.WithCancel(context.WithoutCancel(bg))
	done := make(chan error, 1)
	go func() { done <- a.copier.Run(run) }()
	a.onStop(func(ctx context.Context) error {
		stop()
		err := <-done
		drain, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		if derr := a.copier.Drain(drain); derr != nil { // the journal keeps them for the next start
			a.log.Warn("last call facts stay in the journal until the next start", "cause", derr)
		}
		return errors.Join(err, a.jobs.Stop(ctx))
	})
	return nil
}

// levelAbove passes on what matters of a talkative library.
type levelAbove struct {
	slog.Handler
	min slog.Level
}

// Enabled implements slog.Handler.
func (l levelAbove) Enabled(_ context.Context, level slog.Level) bool { return level >= l.min }

// followUp runs inside the transaction that writes a call's rows: it inserts what has to follow.
func (a *App) followUp(ctx context.Context, tx pgx.Tx, c calllog.Copied) error {
	phase := ""
	switch c.Record.Type {
	case calllog.TypeConnected:
		phase = phaseAnswered
		if c.Summary.Agent == "" {
			return nil // a talk with a number outside is no agent's
		}
	case calllog.TypeEnd:
		phase = phaseEnded
	default:
		return nil
	}
	if _, err := a.jobs.InsertTx(ctx, tx, callJob{Phase: phase, Facts: a.facts(c.Summary)}, &river.InsertOpts{MaxAttempts: 20}); err != nil {
		return fmt.Errorf("insert job %s of call %s: %w", phase, c.Record.Call, err)
	}
	return nil
}

// facts is a call in the words of the ticket engine.
func (a *App) facts(s *calllog.Summary) tickets.CallFacts {
	p := s.Begin.Party
	trust := string(p.Caller.Trust)
	if p.Withheld() {
		trust = tickets.TrustWithheld
	}
	f := tickets.CallFacts{Key: string(s.Call), PBX: calllog.PBX, Direction: string(s.Begin.Direction), FromTicket: s.Begin.Ticket,
		Party: tickets.CallParty{Raw: p.Caller.Value, Name: p.Caller.DisplayName, Trust: trust, Region: p.Region, AreaCode: p.AreaCode, Withheld: p.Withheld(),
			Called: p.Called, Trunk: p.Trunk, Diversion: p.Diversion, IVRTicketNumber: s.Who.Ticket},
		Queue: s.Queue, Agent: s.Agent, Lang: s.Lang, StartedAt: s.Started, QueuedAt: s.Queued, AnsweredAt: s.Talked, EndedAt: s.Ended,
		FromCallback: s.Begin.Callback, Dialled: !s.Dialled.IsZero(),
		WaitMS: int(s.Wait.Milliseconds()), TalkMS: int(s.Talk.Milliseconds()), HoldMS: int(s.Hold.Milliseconds()), Note: s.Note, VoicemailMS: int(s.Message.Milliseconds())}
	if s.Begin.Direction == calllog.Out { // the party is the called side
		f.Party = tickets.CallParty{Raw: p.Called, Trust: tickets.TrustAsserted, Region: p.Region, AreaCode: p.AreaCode, Trunk: p.Trunk}
		f.Agent = cmp.Or(s.Agent, s.Begin.Agent)
		if s.Dialled.IsZero() { // broken off before the customer heard of it: nothing for the ticket
			f.FromTicket = ""
		}
	}
	if s.Queue != "" {
		q := a.queueConfig(s.Queue)
		f.Team, f.ShortAbandonMS = q.Team, q.ShortAbandonS*1000
	}
	if s.Finish != nil {
		f.Disposition = s.Finish.Disposition
	}
	return f
}

type callWorker struct {
	river.WorkerDefaults[callJob]
	a *App
}

// Work implements river.Worker.
func (w *callWorker) Work(ctx context.Context, job *river.Job[callJob]) error {
	a := w.a
	var link tickets.Link
	err := a.db.Tx(ctx, func(tx pgx.Tx) (err error) {
		if job.Args.Phase == phaseAnswered {
			link, err = a.tickets.CallAnswered(ctx, tx, job.Args.Facts)
		} else {
			link, err = a.tickets.CallEnded(ctx, tx, job.Args.Facts)
		}
		return err
	})
	a.metrics.jobs.WithLabelValues("tickets.call", word(err)).Inc()
	if err != nil {
		a.log.Error("call not brought to its ticket; tried again", "call", job.Args.Facts.Key, "phase", job.Args.Phase, "attempt", job.Attempt, "cause", err)
		return err
	}
	view := &tickets.LinkView{Rule: link.Rule, State: link.State, Ticket: link.Ticket}
	a.showLink(job.Args.Facts.Key, view)
	return nil
}

func word(err error) string {
	if err != nil {
		return "failed"
	}
	return "done"
}

// showLink puts the ticket of a live call on the agent's page. Ended calls are shown by their timeline.
func (a *App) showLink(key string, l *tickets.LinkView) {
	c := a.calls.get(key)
	if c == nil || l == nil {
		return
	}
	v := c.update(a.now(), func(v *callView) {
		v.Link, v.Ticket = &linkView{State: l.State, Rule: l.Rule}, nil
		if l.Ticket != nil {
			v.Ticket = &ticketView{Number: l.Ticket.Number, Title: l.Ticket.Title}
		}
	})
	if v.Agent != "" {
		a.sendCall(v.Agent, c)
	}
}

type wrapupWorker struct {
	river.WorkerDefaults[wrapupJob]
	a *App
}

// Work implements river.Worker.
func (w *wrapupWorker) Work(ctx context.Context, job *river.Job[wrapupJob]) error {
	err := w.a.db.Tx(ctx, func(tx pgx.Tx) error {
		_, err := w.a.tickets.WrapUpEnded(ctx, tx, job.Args.Call, w.a.now())
		return err
	})
	w.a.metrics.jobs.WithLabelValues("tickets.wrapup", word(err)).Inc()
	if err != nil {
		return fmt.Errorf("decide call %s after its wrap-up: %w", job.Args.Call, err)
	}
	return nil
}

// wrapupOver lets row A16 decide what the agent left open.
func (a *App) wrapupOver(id telephonyCallID) {
	if id == "" {
		return
	}
	ctx, stop := context.WithTimeout(context.Background(), 5*time.Second)
	defer stop()
	if _, err := a.jobs.Insert(ctx, wrapupJob{Call: string(id)}, &river.InsertOpts{ScheduledAt: a.now().Add(2 * time.Second), MaxAttempts: 20}); err != nil {
		a.log.Warn("end of wrap-up not handed to the ticket engine", "call", id, "cause", err)
	}
}
