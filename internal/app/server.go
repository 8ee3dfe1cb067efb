package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/netip"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"hotline/internal/httpapi"
	"hotline/web"
)

// startHTTP opens pages, API and metrics.
func (a *App) startHTTP(ctx context.Context) error {
	var ui fs.FS
	if dist, built := web.Dist(); built && !a.noUI {
		ui = dist
	}
	var proxies []netip.Prefix
	for _, p := range a.cfg.HTTPProxies {
		proxies = append(proxies, netip.MustParsePrefix(p)) // checked by config
	}
	secret, err := a.secret("cursor.key")
	if err != nil {
		return err
	}
	api, err := httpapi.New(httpapi.Config{Pool: a.db.Pool, Auth: a.auth, Tickets: a.tickets, Queues: a.queues, Trunks: a.trunks, Live: a, Recordings: recordingsAPI{a.recordings},
		Phone: a.hub, UI: ui, Metrics: promhttp.HandlerFor(a.reg, promhttp.HandlerOpts{}), Ready: a.checks(), Version: Version, Secret: secret, Origins: a.cfg.HTTPOrigins,
		Proxies: proxies, Now: a.now, Log: a.log, Registerer: a.reg})
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", a.cfg.HTTPAddr)
	if err != nil {
		return fmt.Errorf("open %s (HOTLINE_HTTP_ADDR): %w", a.cfg.HTTPAddr, err)
	}
	a.httpAddr = l.Addr()
	var handler http.Handler = api
	if a.cfg.TestHooks {
		handler = a.withTestHooks(api)
	}
	a.http = &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10}
	done := make(chan error, 1)
	go func() { done <- a.http.Serve(l) }()
	a.onStop(func(ctx context.Context) error {
		err := a.http.Shutdown(ctx)
		if err != nil {
			err = errors.Join(err, a.http.Close())
		}
		if serr := <-done; !errors.Is(serr, http.ErrServerClosed) {
			err = errors.Join(err, serr)
		}
		return err
	})
	return nil
}

// Version is set when the program is built.
var Version = "dev"

// checks is what /readyz asks.
func (a *App) checks() []httpapi.Check {
	all := []httpapi.Check{
		{Name: "database", Ask: a.db.Healthy},
		{Name: "journal", Ask: func(context.Context) error { return a.journal.Err() }},
		{Name: "accepting_calls", Ask: func(context.Context) error {
			if a.alarms.draining.Load() {
				return errors.New("draining")
			}
			return nil
		}},
		{Name: "queues", Ask: func(ctx context.Context) error { _, err := a.engine.Snapshot(ctx); return err }},
	}
	if a.ari != nil {
		all = append(all, httpapi.Check{Name: "asterisk", Ask: a.asteriskReady})
	}
	return all
}
