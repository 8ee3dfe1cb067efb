// Package app is in charge of the story: it builds everything in order, carries each call from end to end (flow.go),
// and stops everything in reverse. It is the only place where voice menu, queue, tickets, recordings and drivers meet.
package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/riverqueue/river"

	"hotline/internal/auth"
	"hotline/internal/config"
	"hotline/internal/pg"
	"hotline/internal/phone"
	"hotline/internal/trunks"
	"hotline/ivr"
	"hotline/queue"
	"hotline/recordings"
	"hotline/telephony"
	"hotline/telephony/asterisk"
	"hotline/telephony/calllog"
	"hotline/telephony/media"
	"hotline/telephony/sip"
	"hotline/telephony/webrtc"
	"hotline/tickets"
)

// App is the running system. Make it with New, run it with Run; a test does the same as main.
type App struct {
	cfg config.Config
	log *slog.Logger
	now func() time.Time
	reg *prometheus.Registry

	metrics    metrics
	journal    *calllog.Journal
	copier     *calllog.Copier
	db         *pg.DB
	auth       *auth.Service
	tickets    *tickets.Service
	queues     *queue.PGStore
	trunks     *trunks.Store
	recordings *recordings.Service
	flows      *ivr.Store
	lastGood   *ivr.Set // runs while the files have errors since the start
	pacer      *media.Pacer
	library    *media.Library
	ports      *media.Ports
	engine     *queue.Engine
	rtc        *webrtc.Server
	hub        *phone.Hub
	sip        *sip.Server
	ari        *asterisk.Driver // nil: the native driver carries the callers
	jobs       *river.Client[pgx.Tx]
	http       *http.Server
	httpAddr   net.Addr

	set       settings
	calls     calls
	offers    offers
	out       callsOut
	positions positions
	dbBreaker breaker
	dirty     chan struct{} // size 1: boards are to be told
	reload    chan struct{} // size 1: settings have changed
	problems  flowProblems
	cut       cutCalls
	alarms    alarms

	stopEngine func() error // idempotent
	leaving    atomic.Bool  // calls in Asterisk are left to the next process

	bg     sync.WaitGroup // background services
	bgStop context.CancelCauseFunc
	undo   []func(context.Context) error // what was started, in order
	passes []Login                       // seeded now, printed once
	noUI   bool
}

// Login is one account of the demo company with the password printed once.
type Login struct{ Login, Password, What string }

// Options are what tests change.
type Options struct {
	Now  func() time.Time // nil: time.Now
	Log  *slog.Logger     // nil: JSON on stderr at the configured level
	NoUI bool             // serve no pages
}

// New prepares an App; nothing is opened before Start.
func New(cfg config.Config, o Options) *App {
	a := &App{cfg: cfg, now: o.Now, log: o.Log, reg: prometheus.NewRegistry(), dirty: make(chan struct{}, 1), reload: make(chan struct{}, 1), noUI: o.NoUI}
	a.cut.clear()
	a.calls.byID = map[telephony.CallID]*call{}
	a.offers.m = map[string]*pendingOffer{}
	a.positions.m = map[telephony.CallID]int{}
	if a.now == nil {
		a.now = time.Now
	}
	if a.log == nil {
		var level slog.Level
		_ = level.UnmarshalText([]byte(cfg.LogLevel))
		a.log = slog.New(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
	}
	a.reg.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	a.metrics = newMetrics(a.reg)
	return a
}

// Start brings everything up in order. On an error what was started is stopped again.
func (a *App) Start(ctx context.Context) (err error) {
	defer func() {
		if err != nil {
			stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), 20*time.Second)
			defer cancel()
			err = errors.Join(err, a.unwind(stop))
		}
	}()
	if err := os.MkdirAll(a.cfg.DataDir, 0o755); err != nil {
		return fmt.Errorf("make data directory: %w", err)
	}
	bg, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	a.bgStop = cancel
	for _, step := range []struct {
		name string
		do   func(context.Context) error
	}{
		{"call journal", a.startJournal}, {"database", a.startDatabase}, {"services", a.startServices}, {"demo company", a.seed}, {"sound", a.startMedia},
		{"voice menus", a.startFlows}, {"queues", func(ctx context.Context) error { return a.startQueues(ctx, bg) }},
		{"browsers", a.startBrowsers}, {"SIP", a.startSIP}, {"settings", a.loadSettings},
		{"jobs", func(ctx context.Context) error { return a.startJobs(ctx, bg) }}, {"interrupted calls", a.closeCut}, {"calls out", a.startOut},
		{"Asterisk", func(ctx context.Context) error { return a.startAsterisk(ctx, bg) }}, {"pages and API", a.startHTTP},
	} {
		begin := time.Now()
		if err := step.do(ctx); err != nil {
			return fmt.Errorf("start %s: %w", step.name, err)
		}
		a.log.Debug("started", "part", step.name, "ms", time.Since(begin).Milliseconds())
	}
	a.goBG(bg, "settings", a.reloadLoop)
	a.goBG(bg, "boards", a.watch)
	a.goBG(bg, "housekeeping", a.housekeeping)
	return nil
}

// goBG starts a background service that ends with the context; Stop joins it.
func (a *App) goBG(ctx context.Context, name string, f func(context.Context) error) {
	a.bg.Go(func() {
		if err := f(ctx); err != nil && ctx.Err() == nil {
			a.log.Error("service ended", "service", name, "cause", err)
		}
	})
}

func (a *App) onStop(f func(context.Context) error) { a.undo = append(a.undo, f) }

func (a *App) startJournal(context.Context) (err error) {
	a.journal, a.cut.found, err = calllog.Open(calllog.Config{Dir: filepath.Join(a.cfg.DataDir, "journal"), Now: a.now, Log: a.log, Registerer: a.reg})
	if err == nil {
		a.onStop(func(context.Context) error { return a.journal.Close() })
	}
	return err
}

func (a *App) startDatabase(ctx context.Context) (err error) {
	a.db, err = pg.Open(ctx, pg.Config{URL: a.cfg.DatabaseURL, Dir: filepath.Join(a.cfg.DataDir, "postgres"), Log: a.log})
	if err != nil {
		return err
	}
	a.onStop(a.db.Close)
	a.reg.MustRegister(poolMetrics(a.db.Pool))
	return migrateJobs(ctx, a.db.Pool)
}

func (a *App) startServices(ctx context.Context) (err error) {
	secret, err := a.secret("cursor.key")
	if err != nil {
		return err
	}
	a.auth = auth.New(auth.Config{Pool: a.db.Pool, Now: a.now, Log: a.log, SecureCookie: a.cfg.SecureCookie, Registerer: a.reg})
	a.tickets = tickets.New(tickets.Config{Pool: a.db.Pool, Now: a.now, Log: a.log, Secret: secret, Region: a.cfg.Region, AreaCode: a.cfg.AreaCode, Registerer: a.reg})
	a.queues = queue.NewPGStore(a.db.Pool)
	a.trunks = trunks.NewStore(a.db.Pool)
	a.recordings, err = recordings.New(recordings.Config{Dir: a.cfg.RecordingsDir, KeyFile: a.cfg.RecordingKey, Pool: a.db.Pool, RetentionDays: a.cfg.RetentionDays,
		Now: a.now, Log: a.log, Registerer: a.reg})
	if err != nil {
		return err
	}
	a.onStop(a.recordings.Close)
	return nil
}

func (a *App) startMedia(context.Context) (err error) {
	a.pacer = media.NewPacer(media.PacerConfig{Registerer: a.reg, Log: a.log})
	a.pacer.Start()
	a.onStop(func(context.Context) error { a.pacer.Close(); return nil })
	a.library = media.NewLibrary(media.LibraryConfig{Registerer: a.reg})
	low, high, err := a.cfg.PortRange()
	if err != nil {
		return err
	}
	ip := netip.AddrFrom4([4]byte{127, 0, 0, 1})
	if ap, perr := netip.ParseAddrPort(a.cfg.SIPAddr); perr == nil {
		ip = ap.Addr()
	}
	a.ports, err = media.NewPorts(media.PortsConfig{IP: ip, Min: low, Max: high, Any: low == 0, Loops: runtime.NumCPU(), Now: a.now, Registerer: a.reg})
	if err == nil {
		a.onStop(func(context.Context) error { return a.ports.Close() })
	}
	return err
}

func (a *App) startQueues(ctx, bg context.Context) error {
	a.engine = queue.New(queue.Config{Now: a.now, Log: a.log, Registerer: a.reg, Store: a.queues, ConnectLimit: a.cfg.ConnectLimit + 2*time.Second, Live: a.liveTalks,
		AdoptGrace: a.adoptGrace()})
	run, stop := context.WithCancel(context.WithoutCancel(bg))
	done := make(chan error, 1)
	go func() { done <- a.engine.Run(run) }()
	a.stopEngine = sync.OnceValue(func() error { stop(); return <-done })
	a.onStop(func(context.Context) error { return a.stopEngine() })
	select {
	case <-a.engine.Ready():
		return nil
	case err := <-done:
		done <- nil
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// liveTalks tells the engine which agents are in a talk: states that depend on a call are derived from it.
func (a *App) liveTalks(context.Context) []queue.LiveCall {
	var out []queue.LiveCall
	for _, c := range a.calls.list() {
		if v := c.snapshot(); v.Agent != "" && (v.State == "talking" || v.State == "held" || v.State == "agent_lost" || v.State == "dialing") {
			out = append(out, queue.LiveCall{Call: c.id, Agent: v.Agent})
		}
	}
	return append(out, a.cut.talks()...)
}

func (a *App) startBrowsers(ctx context.Context) (err error) {
	ip, _ := netip.ParseAddr(a.cfg.MediaIP)
	a.rtc, err = webrtc.New(webrtc.Config{Addr: a.cfg.WebRTCAddr, MediaIP: ip, Pacer: a.pacer, Library: a.library, Now: a.now, Log: a.log, Registerer: a.reg,
		OnDigit: a.browserDigit})
	if err != nil {
		return err
	}
	if err := a.rtc.Start(ctx); err != nil {
		return err
	}
	a.onStop(a.rtc.Stop)
	a.hub = phone.NewHub(phone.Config{Heartbeat: a.cfg.Heartbeat, Lost: a.cfg.HeartbeatLost, Grace: a.cfg.ReattachGrace, Media: a.rtc, Desk: &desk{a}, Authenticate: a.whoIs,
		Origins: a.cfg.HTTPOrigins, Now: a.now, Log: a.log, Registerer: a.reg})
	return nil
}

// browserDigit passes a key pressed in the page's own keypad on to the caller.
func (a *App) browserDigit(agent string, d telephony.Digit) {
	if c := a.calls.talkOf(agent); c != nil {
		select {
		case c.cmds <- command{name: "dtmf", text: string(d.Key), who: agent, reply: make(chan commandReply, 1)}:
		default:
		}
	}
}

// whoIs finds the person behind a socket.
func (a *App) whoIs(r *http.Request) (phone.Who, error) {
	id, err := a.auth.Authenticate(r)
	if err != nil {
		return phone.Who{}, err
	}
	return phone.Who{Login: id.Login, Roles: id.Roles, Lang: id.Locale}, nil
}

// cutLimit is how long calls that outlive the drain may still take before they are ended.
const cutLimit = 500 * time.Millisecond

func (a *App) startSIP(ctx context.Context) (err error) {
	a.sip, err = sip.New(sip.Config{Addr: a.cfg.SIPAddr, MediaIP: mediaIP(a.cfg.MediaIP, a.cfg.SIPAddr), UserAgent: "Hotline", MaxCalls: a.cfg.SIPMaxCalls,
		SessionExpires: a.cfg.SessionExpires, MediaTimeout: a.cfg.MediaTimeout, OnRegistration: a.registered, Now: a.now, Log: a.log,
		Registerer: a.reg, Sockets: a.ports, Pacer: a.pacer, Library: a.library},
		a.auth, func(ctx context.Context, leg *sip.Leg) { a.ServeCall(ctx, leg) })
	if err != nil {
		return err
	}
	if err := a.sip.Start(ctx); err != nil {
		return err
	}
	a.onStop(func(ctx context.Context) error {
		cut, cancel := context.WithTimeout(ctx, cutLimit) // who was to finish has finished: drain
		defer cancel()
		err := a.sip.Stop(cut)
		a.calls.all.Wait() // every call function has written its end
		return err
	})
	return nil
}

// HTTPAddr is where pages and API are served, with the real port.
func (a *App) HTTPAddr() string { return a.httpAddr.String() }

// SIPAddr is where SIP is spoken over UDP, with the real port.
func (a *App) SIPAddr() netip.AddrPort { udp, _ := a.sip.Addr(); return udp }

// Stop drains and stops: readiness off, no new calls, running ones may go on until ctx ends, then everything in
// reverse order.
func (a *App) Stop(ctx context.Context) error {
	a.alarms.setDraining()
	if a.sip != nil {
		a.sip.SetDraining(true)
	}
	if a.ari != nil {
		a.ari.SetDraining(true)
	}
	a.drain(ctx)
	a.leaveCalls(ctx)
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), 20*time.Second)
	defer cancel()
	return a.unwind(stop)
}

// drain waits for running calls, telling how many and which.
func (a *App) drain(ctx context.Context) {
	tick := time.NewTicker(5 * time.Second)
	defer tick.Stop()
	done := make(chan struct{})
	go func() { a.calls.all.Wait(); close(done) }() // ends with the calls, which SIP's stop ends at the latest
	for {
		live := a.calls.list()
		if len(live) > 0 {
			ids := make([]string, 0, 3)
			for _, c := range live[:min(3, len(live))] {
				ids = append(ids, string(c.id))
			}
			a.log.Info("waiting for running calls", "calls", len(live), "some", ids)
		}
		select {
		case <-done:
			return
		case <-ctx.Done():
			a.log.Warn("running calls are ended now", "calls", len(live))
			return
		case <-tick.C:
		}
	}
}

// unwind stops what was started, last first.
func (a *App) unwind(ctx context.Context) (err error) {
	if a.hub != nil {
		err = a.hub.Shutdown(ctx, time.Second)
	}
	for i := len(a.undo) - 1; i >= 0; i-- {
		if i == a.serviceMark() && a.bgStop != nil { // background work goes before what it uses
			a.bgStop(errors.New("stopping"))
			a.bg.Wait()
			a.bgStop = nil
		}
		err = errors.Join(err, a.undo[i](ctx))
	}
	a.undo = nil
	return err
}

// serviceMark is the place in the list of started parts before which background services must have ended: everything
// that ends calls (HTTP, jobs, SIP, browsers) is stopped above it.
func (a *App) serviceMark() int { return min(4, len(a.undo)-1) }
