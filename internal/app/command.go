package app

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"hotline/internal/auth"
	"hotline/internal/config"
	"hotline/internal/pg"
	"hotline/ivr"
)

// runFile says where a running server can be found; the other commands read it. It holds the database's address and is
// readable by its owner only.
type runFile struct {
	PID      int    `json:"pid"`
	HTTP     string `json:"http"`
	SIP      string `json:"sip"`
	Database string `json:"database"`
}

func runPath(cfg config.Config) string { return filepath.Join(cfg.DataDir, "hotline.run") }

// running reads the run file of a server that lives.
func running(cfg config.Config) (runFile, bool) {
	var r runFile
	b, err := os.ReadFile(runPath(cfg))
	if err != nil || json.Unmarshal(b, &r) != nil || r.PID == 0 || syscall.Kill(r.PID, 0) != nil {
		return runFile{}, false
	}
	return r, true
}

// Serve runs the server until SIGTERM or SIGINT, then drains. A second signal skips the wait.
func Serve(ctx context.Context, cfg config.Config, out io.Writer) error {
	a := New(cfg, Options{})
	if err := a.Start(ctx); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	b, err := json.Marshal(runFile{PID: os.Getpid(), HTTP: a.HTTPAddr(), SIP: a.SIPAddr().String(), Database: a.db.Pool.Config().ConnString()})
	if err == nil {
		err = os.WriteFile(runPath(cfg), b, 0o600)
	}
	if err != nil {
		a.log.Warn("other commands will not find this server", "cause", err)
	}
	a.greet(out)
	<-ctx.Done()
	again, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM) // the second signal
	defer stop()
	limit, cancel := context.WithTimeout(again, cfg.DrainTimeout)
	defer cancel()
	a.log.Info("draining: no new calls; a second signal ends the running ones", "limit", cfg.DrainTimeout.String())
	err = a.Stop(limit)
	_ = os.Remove(runPath(cfg))
	return err
}

// greet tells a newcomer where everything is.
func (a *App) greet(out io.Writer) {
	fmt.Fprintf(out, "\nHotline %s is up.\n\n  pages    http://%s/\n  API      http://%s/api/v1  (document: /openapi.json)\n  SIP      %s, udp and tcp\n  data     %s\n",
		Version, a.HTTPAddr(), a.HTTPAddr(), a.SIPAddr(), a.cfg.DataDir)
	if a.byAsterisk() {
		s := a.ari.State()
		if s.Ready {
			fmt.Fprintf(out, "  Asterisk %s at %s, application %s\n", s.Version, a.cfg.AsteriskURL, a.cfg.AsteriskApp)
		} else {
			fmt.Fprintf(out, "  Asterisk not ready: %s\n           no calls come in until that is mended; `hotline doctor` says more\n", s.Problem)
		}
	}
	if a.cfg.Demo {
		where := "sip:100@" + a.SIPAddr().String()
		if a.byAsterisk() {
			where = "through Asterisk, trunk provider"
		}
		fmt.Fprintf(out, "\n  dial     100  voice menu in Russian and English:  %s\n           200  straight to the queue\n", where)
	}
	if len(a.passes) > 0 {
		fmt.Fprintf(out, "\n  Logins of the demo company. They are shown this once: write them down.\n\n")
		w := tabwriter.NewWriter(out, 0, 0, 3, ' ', 0)
		for _, l := range a.passes {
			fmt.Fprintf(w, "    %s\t%s\t%s\n", l.Login, l.Password, l.What)
		}
		_ = w.Flush()
		fmt.Fprintf(out, "\n  Next: bin/hotline demo   plays a customer's call from the dial to the ticket\n")
	} else if a.cfg.Demo {
		fmt.Fprintf(out, "\n  Forgotten a password? bin/hotline user password agent1\n")
	}
	fmt.Fprintln(out)
}

// openDB opens the database for a command: of the running server, the configured one, or the private one for a moment.
func openDB(ctx context.Context, cfg config.Config) (*pg.DB, error) {
	c := pg.Config{URL: cfg.DatabaseURL, Dir: filepath.Join(cfg.DataDir, "postgres"), AppName: "hotline command", MaxConns: 4, Log: slog.New(slog.DiscardHandler)}
	if r, ok := running(cfg); ok && c.URL == "" {
		c.URL = r.Database
	}
	db, err := pg.Open(ctx, c)
	if err != nil {
		return nil, fmt.Errorf("open the database: %w", err)
	}
	return db, nil
}

// withAuth runs f with the accounts of the installation.
func withAuth(ctx context.Context, cfg config.Config, f func(*auth.Service) error) error {
	db, err := openDB(ctx, cfg)
	if err != nil {
		return err
	}
	err = f(auth.New(auth.Config{Pool: db.Pool, Log: slog.New(slog.DiscardHandler)}))
	return errors.Join(err, db.Close(context.WithoutCancel(ctx)))
}

// Migrate brings the schema up to date.
func Migrate(ctx context.Context, cfg config.Config, out io.Writer) error {
	db, err := openDB(ctx, cfg)
	if err != nil {
		return err
	}
	err = migrateJobs(ctx, db.Pool)
	if err == nil {
		fmt.Fprintln(out, "the database schema is up to date")
	}
	return errors.Join(err, db.Close(context.WithoutCancel(ctx)))
}

// ListUsers prints the users.
func ListUsers(ctx context.Context, cfg config.Config, out io.Writer) error {
	return withAuth(ctx, cfg, func(s *auth.Service) error {
		w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "LOGIN\tNAME\tROLES\tENDPOINT\tACTIVE")
		after := ""
		for {
			page, err := s.ListUsers(ctx, after, 200)
			if err != nil {
				return err
			}
			for _, u := range page {
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%v\n", u.Login, u.Name, strings.Join(u.Roles, ","), cmp.Or(u.Endpoint, "browser"), u.Active)
			}
			if len(page) < 200 {
				return w.Flush()
			}
			after = page[len(page)-1].Login
		}
	})
}

// UserChange is what `hotline user set` changes; nil leaves a field alone.
type UserChange struct {
	Login    string
	Endpoint *string
	Name     *string
	Roles    []string
	Active   *bool
}

// SetUser changes a user, or makes one.
func SetUser(ctx context.Context, cfg config.Config, c UserChange, out io.Writer) error {
	return withAuth(ctx, cfg, func(s *auth.Service) error {
		if _, err := s.User(ctx, c.Login); errors.Is(err, auth.ErrNotFound) {
			u := auth.User{Login: c.Login, Name: c.Login, Locale: "ru", Roles: c.Roles, Active: true}
			if c.Name != nil {
				u.Name = *c.Name
			}
			if _, err := s.CreateUser(ctx, nil, u); err != nil {
				return err
			}
		} else if err != nil {
			return err
		}
		u, err := s.UpdateUser(ctx, nil, c.Login, 0, auth.UserPatch{Name: c.Name, Roles: c.Roles, Endpoint: c.Endpoint, Active: c.Active})
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "%s: %s, roles %s, rings at %s; a running server takes it over within 30 s\n", u.Login, u.Name, strings.Join(u.Roles, ","), cmp.Or(u.Endpoint, "browser"))
		return nil
	})
}

// NewPassword makes and prints a password.
func NewPassword(ctx context.Context, cfg config.Config, login string, sip bool, out io.Writer) error {
	return withAuth(ctx, cfg, func(s *auth.Service) error {
		if sip {
			user, password, err := s.NewSIPPassword(ctx, nil, login)
			if err == nil {
				fmt.Fprintf(out, "SIP user %s, password %s, realm hotline\n", user, password)
			}
			return err
		}
		password, err := s.SetPassword(ctx, nil, login, "")
		if err == nil {
			fmt.Fprintln(out, password)
		}
		return err
	})
}

// CreateToken makes and prints an API token.
func CreateToken(ctx context.Context, cfg config.Config, login, name string, scopes []string, days int, out io.Writer) error {
	return withAuth(ctx, cfg, func(s *auth.Service) error {
		secret, err := makeToken(ctx, s, login, name, scopes, time.Duration(days)*24*time.Hour)
		if err == nil {
			fmt.Fprintln(out, secret)
		}
		return err
	})
}

func makeToken(ctx context.Context, s *auth.Service, login, name string, scopes []string, life time.Duration) (string, error) {
	if len(scopes) == 0 { // everything the person may do
		scopes = auth.Scopes
	}
	n := auth.NewToken{Login: login, Name: name, Scopes: scopes}
	if life > 0 {
		n.ExpiresAt = time.Now().Add(life)
	}
	secret, _, err := s.CreateToken(ctx, nil, n)
	return secret, err
}

func flowOptions(cfg config.Config) ivr.Options {
	return (&App{cfg: cfg, log: slog.New(slog.DiscardHandler)}).ivrOptions()
}

// FlowCheck is `hotline flow check`; it gives the exit code.
func FlowCheck(cfg config.Config, dir, format string, out io.Writer) int {
	return ivr.CheckCommand(cmp.Or(dir, cfg.IVRDir), format, flowOptions(cfg), out)
}

// FlowGraph is `hotline flow graph`.
func FlowGraph(cfg config.Config, dir, flow string, out io.Writer) int {
	return ivr.GraphCommand(cmp.Or(dir, cfg.IVRDir), flow, flowOptions(cfg), out)
}

// FlowRunOptions are the arguments of `hotline flow run`.
type FlowRunOptions struct{ Dir, Flow, Lang, From, Keys string }

// FlowRun is `hotline flow run`.
func FlowRun(cfg config.Config, o FlowRunOptions, in io.Reader, out io.Writer) int {
	return ivr.RunCommand(ivr.RunArgs{Dir: cmp.Or(o.Dir, cfg.IVRDir), Flow: o.Flow, Lang: o.Lang, From: o.From, DTMF: o.Keys, At: time.Now(), Options: flowOptions(cfg)}, in, out)
}

// FlowTest is `hotline flow test`.
func FlowTest(cfg config.Config, dir string, random int, seed int64, out io.Writer) int {
	return ivr.TestCommand(ivr.TestArgs{Dir: cmp.Or(dir, cfg.IVRDir), Random: random, Seed: seed, Options: flowOptions(cfg)}, out)
}
