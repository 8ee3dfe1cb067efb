package app

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"

	"hotline/internal/auth"
	"hotline/internal/httpapi"
	"hotline/ivr"
	"hotline/ivr/demo"
	"hotline/recordings"
	"hotline/telephony"
	"hotline/telephony/calllog"
)

type telephonyCallID = telephony.CallID

// metrics of the story; what a package does it counts itself.
type metrics struct {
	started     prometheus.Counter
	ended       *prometheus.CounterVec // result, reason: the closed sets of telephony.End
	panics      prometheus.Counter
	dials       *prometheus.CounterVec // outcome of calls out: answered, busy, no_answer, ... (dialFailure)
	dialRefused *prometheus.CounterVec // why: rule of the dial policy
	menu        *prometheus.CounterVec // kind: entered, key, timeout, invalid, left, hungup, error
	jobs        *prometheus.CounterVec // kind, result: done, failed
	flows       prometheus.Gauge       // 1: the menu files on disk are the ones that run
	alarm       *prometheus.GaugeVec   // what: recording, journal, asterisk
}

func newMetrics(reg prometheus.Registerer) metrics {
	m := metrics{
		started:     prometheus.NewCounter(prometheus.CounterOpts{Name: "hotline_calls_started_total", Help: "Inbound calls that reached the flow."}),
		ended:       prometheus.NewCounterVec(prometheus.CounterOpts{Name: "hotline_calls_ended_total", Help: "Calls by their end."}, []string{"result", "reason"}),
		panics:      prometheus.NewCounter(prometheus.CounterOpts{Name: "hotline_call_panics_total", Help: "Panics recovered in calls; each is a bug."}),
		dials:       prometheus.NewCounterVec(prometheus.CounterOpts{Name: "hotline_calls_out_total", Help: "Calls that agents made, by what came of them."}, []string{"outcome"}),
		dialRefused: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "hotline_dial_refused_total", Help: "Numbers that the dial policy refused, by its rule."}, []string{"why"}),
		menu:        prometheus.NewCounterVec(prometheus.CounterOpts{Name: "hotline_menu_steps_total", Help: "Steps of callers in voice menus."}, []string{"kind"}),
		jobs:        prometheus.NewCounterVec(prometheus.CounterOpts{Name: "hotline_jobs_total", Help: "Jobs by kind and result."}, []string{"kind", "result"}),
		flows:       prometheus.NewGauge(prometheus.GaugeOpts{Name: "hotline_flows_current", Help: "1 when the menu files on disk are those that run, 0 when they have errors."}),
		alarm:       prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "hotline_alarm", Help: "1 while something needs a person."}, []string{"what"}),
	}
	reg.MustRegister(m.started, m.ended, m.panics, m.dials, m.dialRefused, m.menu, m.jobs, m.flows, m.alarm)
	for _, r := range []telephony.Reason{telephony.ReasonTalked, telephony.ReasonCompleted, telephony.ReasonVoicemail} {
		m.ended.WithLabelValues(string(telephony.ResultSuccess), string(r))
	}
	for _, k := range []string{"tickets.call", "tickets.wrapup"} {
		m.jobs.WithLabelValues(k, "done")
		m.jobs.WithLabelValues(k, "failed")
	}
	m.alarm.WithLabelValues("recording")
	m.alarm.WithLabelValues("journal")
	return m
}

func poolMetrics(p *pgxpool.Pool) prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "hotline_db_connections_in_use", Help: "Database connections in use."},
		func() float64 { return float64(p.Stat().AcquiredConns()) })
}

// alarms is what needs a person now; shown on boards, in metrics and by /readyz.
type alarms struct {
	draining  atomic.Bool
	mu        sync.Mutex // guards what follows
	recording time.Time  // last failed recording; zero: none in a while
	asterisk  string     // what keeps Asterisk from carrying calls; empty: nothing
}

func (a *alarms) setDraining() { a.draining.Store(true) }

// recordingFailed raises the alarm: the talk goes on, somebody has to look at the disk.
func (a *App) recordingFailed(c *call, err error) {
	a.log.Error("recording failed; the call goes on", "call", c.id, "cause", err)
	a.metrics.alarm.WithLabelValues("recording").Set(1)
	a.alarms.mu.Lock()
	a.alarms.recording = a.now()
	a.alarms.mu.Unlock()
	c.update(a.now(), func(v *callView) { v.Recording = "off" })
	c.note(context.Background(), a, calllog.TypeRecording, calllog.RecordingNote{What: "failed", Why: "see the log"})
	text := map[string]string{"ru": "Запись разговора не идёт: проверьте место на диске", "en": "A call is not being recorded: check the disk space"}
	for login, s := range a.people() {
		if slices.Contains(s.roles, "supervisor") || slices.Contains(s.roles, "admin") {
			a.hub.Send(login, "alert", map[string]any{"id": "recording", "level": "critical", "text": text, "link": ""})
		}
	}
	a.publish()
}

func (a *App) people() map[string]agentSetting {
	a.set.mu.RLock()
	defer a.set.mu.RUnlock()
	return a.set.agents
}

func (a *App) closeRecording(ctx context.Context, c *call, rec *recordings.Recorder) {
	what, why := "closed", ""
	if err := rec.Close(ctx); err != nil { // told by OnFailure, or the disk is slow and the file follows
		what, why = "failed", "see the log"
		a.log.Warn("recording ends before its talk", "call", c.id, "recording", rec.ID(), "cause", err)
	}
	c.note(ctx, a, calllog.TypeRecording, calllog.RecordingNote{ID: rec.ID(), What: what, Why: why})
}

// secret reads a random key of the data directory or makes it.
func (a *App) secret(name string) ([]byte, error) {
	path := filepath.Join(a.cfg.DataDir, name)
	b, err := os.ReadFile(path)
	if err == nil && len(b) >= 32 {
		return b, nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	b = make([]byte, 32)
	if _, err := rand.Read(b); err != nil {
		return nil, fmt.Errorf("make %s: %w", name, err)
	}
	if err := os.WriteFile(path, b, 0o600); err != nil {
		return nil, fmt.Errorf("write %s: %w", name, err)
	}
	return b, nil
}

// audit writes a line of the audit log; a database that is away costs the line, which the log then has.
func (a *App) audit(ctx context.Context, login, action string, data map[string]any) {
	id, err := a.auth.Lookup(ctx, login)
	if err == nil {
		err = a.db.Tx(ctx, func(tx pgx.Tx) error {
			return a.auth.Audit(ctx, tx, id, auth.Entry{Action: action, Object: fmt.Sprint(data["call"], data["agent"]), Detail: data})
		})
	}
	if err != nil {
		a.log.Error("audit line not stored", "who", login, "action", action, "data", data, "cause", err)
	}
}

// flowProblems are what the last look at the menu files found.
type flowProblems struct {
	mu   sync.Mutex // guards list
	list []ivr.Problem
	// stamp of the files when they were read at the start.
	stamp string
}

// startFlows loads the menu files: the demo set into an empty directory, the last good copy when the files have errors.
func (a *App) startFlows(ctx context.Context) error {
	if _, err := os.Stat(filepath.Join(a.cfg.IVRDir, "routes.yaml")); errors.Is(err, fs.ErrNotExist) {
		if err := demo.WriteDemo(a.cfg.IVRDir); err != nil {
			return fmt.Errorf("write the first voice menu: %w", err)
		}
	}
	a.flows = ivr.NewStore(a.cfg.IVRDir, a.ivrOptions())
	a.problems.stamp = treeStamp(a.cfg.IVRDir)
	a.reloadFlows(ctx)
	if a.flows.Current() != nil {
		return nil
	}
	good := filepath.Join(a.cfg.DataDir, "ivr-last-good")
	last := ivr.NewStore(good, a.ivrOptions())
	if ps := last.Reload(); last.Current() == nil {
		return fmt.Errorf("voice menu files have errors and there is no last good copy; see `hotline flow check %s`: %s", a.cfg.IVRDir, firstProblem(append(a.problems.get(), ps...)))
	}
	a.lastGood = last.Current()
	a.log.Error("voice menu files have errors; the last good version runs", "dir", a.cfg.IVRDir, "first", firstProblem(a.problems.get()))
	return nil
}

func firstProblem(ps []ivr.Problem) string {
	for _, p := range ps {
		if p.Severity == ivr.SevError {
			return p.String()
		}
	}
	return "unknown"
}

func (p *flowProblems) set(l []ivr.Problem) { p.mu.Lock(); p.list = l; p.mu.Unlock() }
func (p *flowProblems) get() []ivr.Problem  { p.mu.Lock(); defer p.mu.Unlock(); return p.list }

func (a *App) ivrOptions() ivr.Options {
	o := ivr.Options{Sounds: map[string]string{"ru": a.cfg.SoundsRU, "en": a.cfg.SoundsEN}, Extra: a.cfg.Music, CacheDir: filepath.Join(a.cfg.DataDir, "speech"), Now: a.now, Log: a.log}
	if a.cfg.TTSCommand != "" {
		o.TTS = ivr.Espeak()
		o.TTS.Path = a.cfg.TTSCommand
	}
	return o
}

// reloadFlows reads the menu files again. A set with errors is never used; a good one is kept as the last good copy.
func (a *App) reloadFlows(context.Context) {
	before := a.flows.Current()
	ps := a.flows.Reload()
	a.problems.set(ps)
	if ivr.HasErrors(ps) {
		a.metrics.flows.Set(0)
		a.log.Error("voice menu files refused; the running version stays", "first", firstProblem(ps))
		return
	}
	a.metrics.flows.Set(1)
	if now := a.flows.Current(); before == nil || before.Hash() != now.Hash() {
		a.log.Info("voice menu loaded", "version", now.Hash())
		if err := keepCopy(a.cfg.IVRDir, filepath.Join(a.cfg.DataDir, "ivr-last-good")); err != nil {
			a.log.Warn("no copy of the good menu files", "cause", err)
		}
	}
}

// keepCopy replaces to by a copy of from.
func keepCopy(from, to string) error {
	tmp := to + ".new"
	if err := errors.Join(os.RemoveAll(tmp), os.CopyFS(tmp, os.DirFS(from))); err != nil {
		return fmt.Errorf("copy %s: %w", from, err)
	}
	return errors.Join(os.RemoveAll(to), os.Rename(tmp, to))
}

// menus is the set that runs: the newest good one.
func (a *App) menus() *ivr.Set {
	if set := a.flows.Current(); set != nil {
		return set
	}
	return a.lastGood
}

// Flows implements httpapi.Live.
func (a *App) Flows(context.Context) ([]httpapi.FlowInfo, error) {
	set := a.menus()
	live := map[string]int{}
	for _, c := range a.calls.list() {
		if s := c.snapshot().State; s != "ended" && c.run != nil {
			live[c.flowID()]++
		}
	}
	out := []httpapi.FlowInfo{}
	for _, f := range set.Flows() {
		info := httpapi.FlowInfo{ID: f.ID, Title: httpapi.Text{RU: f.Title["ru"], EN: f.Title["en"]}, Version: set.Hash(), Languages: f.Languages, LiveCallers: live[f.ID], Problems: []httpapi.FlowProblem{}}
		for _, p := range a.problems.get() {
			if p.Flow == f.ID || p.Flow == "" {
				info.Problems = append(info.Problems, httpapi.FlowProblem{File: p.File, Line: p.Line, Col: p.Col, Code: p.Code, Severity: string(p.Severity), Node: p.Node, Msg: p.Msg, Fix: p.Fix})
			}
		}
		out = append(out, info)
	}
	return out, nil
}

// Snapshot implements httpapi.Live.
func (a *App) Snapshot(ctx context.Context) (any, error) {
	snap, err := a.engine.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	return map[string]any{"queues": a.queueFigures(snap), "agents": a.agentFigures(snap), "calls": a.callFigures(snap)}, nil
}

// housekeeping does what has to be done now and then: menu files looked at, sessions and stored answers forgotten,
// recordings past their time deleted, alarms cleared. It ends with ctx.
func (a *App) housekeeping(ctx context.Context) error {
	files := time.NewTicker(2 * time.Second)
	defer files.Stop()
	hourly := time.NewTicker(time.Hour)
	defer hourly.Stop()
	seen := a.problems.stamp // as it was when the files were read: an edit since then counts
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-files.C:
			if s := treeStamp(a.cfg.IVRDir); s != seen {
				seen = s
				a.reloadFlows(ctx)
			}
			a.watchAlarms()
		case <-hourly.C:
			if err := errors.Join(a.auth.Sweep(ctx), a.recordings.Expire(ctx)); err != nil {
				a.log.Warn("housekeeping", "cause", err)
			}
		}
	}
}

// alarmHolds is how long a failed recording is shown after the last one.
const alarmHolds = 10 * time.Minute

func (a *App) watchAlarms() {
	a.alarms.mu.Lock()
	old := !a.alarms.recording.IsZero() && a.now().Sub(a.alarms.recording) > alarmHolds
	if old {
		a.alarms.recording = time.Time{}
	}
	a.alarms.mu.Unlock()
	if old {
		a.metrics.alarm.WithLabelValues("recording").Set(0)
	}
	v := 0.0
	if a.journal.Err() != nil {
		v = 1
	}
	a.metrics.alarm.WithLabelValues("journal").Set(v)
}

// treeStamp changes when a file below dir does: names, sizes and times.
func treeStamp(dir string) (stamp string) {
	_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return nil
		}
		if info, err := d.Info(); err == nil {
			stamp += fmt.Sprint(path, info.Size(), info.ModTime().UnixNano(), "\n")
		}
		return nil
	})
	return stamp
}
