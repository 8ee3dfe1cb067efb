// Command hotline is the contact centre: server, tools and test phone in one program. It parses the command line and
// hands over; there is no logic here.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	_ "time/tzdata" // calendars need zones on machines without them

	"github.com/alecthomas/kong"

	"hotline/internal/app"
	"hotline/internal/config"
)

type cli struct {
	Config string `help:"Settings file (YAML). Variables HOTLINE_... override it; see 'hotline config'." type:"path" env:"HOTLINE_CONFIG"`

	Serve    serveCmd   `cmd:"" help:"Run the server."`
	Demo     demoCmd    `cmd:"" help:"Play a whole customer story against a running server and print the ticket's address."`
	Doctor   doctorCmd  `cmd:"" help:"Say what is wrong with this machine or configuration, and how to mend it."`
	Settings configCmd  `cmd:"" name:"config" help:"Print the effective settings with their documentation."`
	Migrate  migrateCmd `cmd:"" help:"Bring the database schema up to date and stop."`
	User     userCmd    `cmd:"" help:"List and change users."`
	Token    tokenCmd   `cmd:"" help:"Make API tokens."`
	Flow     flowCmd    `cmd:"" help:"Check, run, draw and test voice menus."`
	Phone    phoneCmd   `cmd:"" help:"A SIP phone for tests and demos."`
	Version  versionCmd `cmd:"" help:"Print the version."`
}

type serveCmd struct{}

func (serveCmd) Run(ctx context.Context, c *cli) error {
	cfg, err := config.Load(c.Config, config.Env)
	if err != nil {
		return err
	}
	return app.Serve(ctx, cfg, os.Stdout)
}

type configCmd struct{}

func (configCmd) Run(c *cli) error {
	cfg, err := config.Load(c.Config, config.Env)
	cfg.Print(os.Stdout)
	return err
}

type migrateCmd struct{}

func (migrateCmd) Run(ctx context.Context, c *cli) error {
	return withConfig(c, func(cfg config.Config) error { return app.Migrate(ctx, cfg, os.Stdout) })
}

type doctorCmd struct {
	Asterisk bool `help:"Look at the Asterisk that the settings name, too; done anyway when it is the driver."`
}

func (d doctorCmd) Run(ctx context.Context, c *cli) error {
	return app.Doctor(ctx, c.Config, config.Env, d.Asterisk, os.Stdout)
}

type demoCmd struct {
	Number string `help:"Number to dial." default:"100"`
	Keys   string `help:"Keys pressed in the menu, one after the other; a comma waits for the next prompt." default:"1,1"`
	Human  bool   `help:"Bring no agent: answer the call yourself in the browser."`
	Talk   int    `help:"Seconds of talk." default:"5"`
	Server string `help:"SIP address to dial, host:port; empty: the server's own. With the Asterisk driver: Asterisk's."`
}

func (d demoCmd) Run(ctx context.Context, c *cli) error {
	return withConfig(c, func(cfg config.Config) error {
		return app.Demo(ctx, cfg, app.DemoOptions{Number: d.Number, Keys: d.Keys, Human: d.Human, TalkSeconds: d.Talk, Server: d.Server}, os.Stdout)
	})
}

type userCmd struct {
	List struct{} `cmd:"" help:"List users."`
	Set  struct {
		Login    string   `arg:"" help:"Login."`
		Endpoint *string  `help:"Where the agent's calls ring: '' browser, 'registered' a desk phone that registers, or sip:user@host:port."`
		Name     *string  `help:"Name."`
		Role     []string `help:"Roles: agent, supervisor, admin (repeatable)."`
		Active   *bool    `help:"Whether the user may sign in." negatable:""`
	} `cmd:"" help:"Change a user, or make one."`
	Password struct {
		Login string `arg:"" help:"Login."`
		SIP   bool   `help:"The password of the desk phone instead."`
	} `cmd:"" help:"Make a new password and print it."`
}

func (u userCmd) Run(ctx context.Context, k *kong.Context, c *cli) error {
	return withConfig(c, func(cfg config.Config) error {
		switch k.Selected().Name {
		case "set":
			return app.SetUser(ctx, cfg, app.UserChange{Login: u.Set.Login, Endpoint: u.Set.Endpoint, Name: u.Set.Name, Roles: u.Set.Role, Active: u.Set.Active}, os.Stdout)
		case "password":
			return app.NewPassword(ctx, cfg, u.Password.Login, u.Password.SIP, os.Stdout)
		}
		return app.ListUsers(ctx, cfg, os.Stdout)
	})
}

type tokenCmd struct {
	Create struct {
		Login  string   `help:"User the token acts as." required:""`
		Name   string   `help:"What it is for." default:"command line"`
		Scopes []string `help:"Limits, e.g. tickets:read; none: everything the user may do."`
		Days   int      `help:"Days until it ends; 0: never." default:"365"`
	} `cmd:"" help:"Make a token and print it, once."`
}

func (t tokenCmd) Run(ctx context.Context, c *cli) error {
	return withConfig(c, func(cfg config.Config) error {
		return app.CreateToken(ctx, cfg, t.Create.Login, t.Create.Name, t.Create.Scopes, t.Create.Days, os.Stdout)
	})
}

type flowCmd struct {
	Check struct {
		Dir    string `arg:"" optional:"" help:"Folder of the flow files; empty: the server's." type:"path"`
		Format string `help:"text or json." enum:"text,json" default:"text"`
	} `cmd:"" help:"Check the files: all errors with file and line. Exit code 1 when there is one."`
	Run_ struct {
		Flow string `arg:"" help:"Flow id."`
		Dir  string `help:"Folder of the flow files." type:"path"`
		Lang string `help:"Language."`
		From string `help:"Calling number."`
		Dtmf string `help:"Keys pressed, '.' for silence, '!' to hang up."`
	} `cmd:"" name:"run" help:"A call on the console, on a virtual clock."`
	Graph struct {
		Flow string `arg:"" help:"Flow id."`
		Dir  string `help:"Folder of the flow files." type:"path"`
	} `cmd:"" help:"Draw a flow as Mermaid."`
	Test struct {
		Dir    string `arg:"" optional:"" help:"Folder of the flow files." type:"path"`
		Random int    `help:"So many random callers instead of the test files."`
		Seed   int64  `help:"Seed of the random callers." default:"1"`
	} `cmd:"" help:"Run the flow's test calls."`
}

func (f flowCmd) Run(k *kong.Context, c *cli) error {
	return withConfig(c, func(cfg config.Config) error {
		code := 0
		switch k.Selected().Name {
		case "check":
			code = app.FlowCheck(cfg, f.Check.Dir, f.Check.Format, os.Stdout)
		case "run":
			code = app.FlowRun(cfg, app.FlowRunOptions{Dir: f.Run_.Dir, Flow: f.Run_.Flow, Lang: f.Run_.Lang, From: f.Run_.From, Keys: f.Run_.Dtmf}, os.Stdin, os.Stdout)
		case "graph":
			code = app.FlowGraph(cfg, f.Graph.Dir, f.Graph.Flow, os.Stdout)
		case "test":
			code = app.FlowTest(cfg, f.Test.Dir, f.Test.Random, f.Test.Seed, os.Stdout)
		}
		if code != 0 {
			os.Exit(code)
		}
		return nil
	})
}

type phoneCmd struct {
	Number   string  `arg:"" optional:"" help:"Number to dial; none: wait for calls."`
	Server   string  `help:"SIP server, host:port; empty: this machine's."`
	User     string  `help:"Our number or user." default:"+79161234567"`
	Password string  `help:"Digest password (or HOTLINE_PHONE_PASSWORD)." env:"HOTLINE_PHONE_PASSWORD"`
	Register bool    `help:"Register before waiting for calls."`
	Port     int     `help:"Our SIP port; 0: any."`
	TCP      bool    `help:"SIP over TCP."`
	Tone     float64 `help:"Tone sent, in Hz; 0: silence." default:"1000"`
	Keys     string  `help:"Keys pressed after the answer; a comma waits a second."`
	Seconds  int     `help:"Hang up after so long." default:"30"`
	Save     string  `help:"WAV file for what is heard." type:"path"`
}

func (p phoneCmd) Run(ctx context.Context, c *cli) error {
	return withConfig(c, func(cfg config.Config) error {
		return app.RunPhone(ctx, cfg, app.PhoneOptions{Number: p.Number, Server: p.Server, User: p.User, Password: p.Password, Register: p.Register, Port: p.Port,
			TCP: p.TCP, Tone: p.Tone, Keys: p.Keys, Seconds: p.Seconds, Save: p.Save}, os.Stdout)
	})
}

type versionCmd struct{}

func (versionCmd) Run() error { fmt.Println("hotline", app.Version); return nil }

func withConfig(c *cli, f func(config.Config) error) error {
	cfg, err := config.Load(c.Config, config.Env)
	if err != nil {
		return err
	}
	return f(cfg)
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var c cli
	k := kong.Parse(&c, kong.Name("hotline"), kong.Description("Telephone hotline and help desk in one program."), kong.UsageOnError(), kong.Bind(&c),
		kong.BindTo(ctx, (*context.Context)(nil)))
	k.FatalIfErrorf(k.Run())
}
