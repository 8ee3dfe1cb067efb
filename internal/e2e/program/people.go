package program

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"hotline/telephony/telephonytest"
)

// Command runs another command of the program against the running server and gives what it prints.
func (p *Program) Command(ctx context.Context, args ...string) string {
	p.t.Helper()
	cmd := exec.CommandContext(ctx, p.bin, args...)
	cmd.Env = append(os.Environ(), "HOTLINE_DATA_DIR="+p.data)
	out, err := cmd.Output()
	if err != nil {
		p.t.Fatalf("hotline %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

// Password makes a new password for a login and gives it.
func (p *Program) Password(ctx context.Context, login string) string {
	p.t.Helper()
	return p.Command(ctx, "user", "password", login)
}

// SIPPassword is what the first start printed for a desk phone.
func (p *Program) SIPPassword(login string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.logins["sip:"+login]
}

// Token is an API token of a login, made once.
func (p *Program) Token(ctx context.Context, login string) string {
	p.t.Helper()
	p.mu.Lock()
	token := p.tokens[login]
	p.mu.Unlock()
	if token == "" {
		token = p.Command(ctx, "token", "create", "--login", login)
		p.mu.Lock()
		if p.tokens == nil {
			p.tokens = map[string]string{}
		}
		p.tokens[login] = token
		p.mu.Unlock()
	}
	return token
}

// API makes a request as a login and reads the answer, JSON or not, into a value (nil: not read). It gives the status.
func (p *Program) API(ctx context.Context, login, method, path string, body, into any) int {
	p.t.Helper()
	ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second) // a test out of time says what it was waiting for
	defer stop()
	var send io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		p.OK(err)
		send = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://"+p.Run.HTTP+"/api/v1"+path, send)
	p.OK(err)
	req.Header.Set("Authorization", "Bearer "+p.Token(ctx, login))
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("If-Match", "*")
	res, err := http.DefaultClient.Do(req)
	p.OK(err)
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	p.OK(err)
	switch v := into.(type) {
	case nil:
	case *[]byte:
		*v = b
	default:
		if err := json.Unmarshal(b, v); err != nil {
			p.t.Fatalf("%s %s: %s: %v\n%.300s", method, path, res.Status, err, b)
		}
	}
	return res.StatusCode
}

// Set changes something as administrator; a refusal fails the test.
func (p *Program) Set(ctx context.Context, path string, body any) {
	p.t.Helper()
	var said json.RawMessage
	if code := p.API(ctx, "admin", http.MethodPatch, path, body, &said); code != http.StatusOK {
		p.t.Fatalf("PATCH %s: %d %s", path, code, said)
	}
}

// SQL reads one text value from the running program's database. Without an answer it gives what went wrong.
func (p *Program) SQL(ctx context.Context, q string, args ...any) (v string) {
	p.t.Helper()
	c, err := pgx.Connect(ctx, p.Run.Database)
	if err != nil {
		return "no database: " + err.Error()
	}
	defer c.Close(ctx)
	if err := c.QueryRow(ctx, q, args...).Scan(&v); err != nil {
		return err.Error()
	}
	return v
}

// Phone is a caller's telephone. It hangs up when the test ends.
func (p *Program) Phone(cfg telephonytest.PhoneConfig) *telephonytest.Phone {
	p.t.Helper()
	cfg.Server = p.Edge()
	return p.phone(cfg)
}

// Desk is a telephone at the server itself, whoever carries the callers: an agent's desk phone.
func (p *Program) Desk(cfg telephonytest.PhoneConfig) *telephonytest.Phone {
	p.t.Helper()
	cfg.Server = p.Run.SIP
	return p.phone(cfg)
}

// Provider has the trunk's calls out arrive at a telephone, with a number of ours as caller id.
func (p *Program) Provider(ctx context.Context, ph *telephonytest.Phone, callerID string) {
	p.t.Helper()
	if p.PBX == nil {
		p.Set(ctx, "/trunks/"+Trunk(), map[string]any{"host": ph.Addr().Addr().String(), "port": ph.Addr().Port(), "caller_id": callerID})
		return
	}
	p.PBX.SetProvider(ctx, ph.Addr().String())
	p.Set(ctx, "/trunks/"+Trunk(), map[string]any{"caller_id": callerID})
}

func (p *Program) phone(cfg telephonytest.PhoneConfig) *telephonytest.Phone {
	p.t.Helper()
	ph, err := telephonytest.NewPhone(cfg)
	p.OK(err)
	server := p.Cmd
	p.t.Cleanup(func() {
		if p.Cmd != server && p.PBX == nil { // killed meanwhile: there is nobody to say goodbye to
			ph.Vanish()
			return
		}
		ph.Close()
	})
	return ph
}

// Call calls a number, saying a tone, and does not wait.
func (p *Program) Call(ctx context.Context, from, to string, hz float64) *telephonytest.PhoneCall {
	p.t.Helper()
	c, err := p.Phone(telephonytest.PhoneConfig{User: from}).Call(ctx, to, telephonytest.CallOptions{Tone: hz})
	p.OK(err)
	return c
}

// Dial calls a number, saying 1000 Hz, and waits for the answer.
func (p *Program) Dial(ctx context.Context, from, to string) *telephonytest.PhoneCall {
	p.t.Helper()
	c := p.Call(ctx, from, to, 1000)
	p.OK(c.Connected(ctx))
	p.Taken(c.ID())
	return c
}

// Taken says that the server has answered an INVITE with something other than a refusal: Clean wants its call record.
func (p *Program) Taken(sipCallID string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.invites = append(p.invites, sipCallID)
}

// Page is a headless page of a login with its sound attached, saying a tone; not on shift.
func (p *Program) Page(ctx context.Context, login string, hz float64) *telephonytest.Agent {
	p.t.Helper()
	a, err := telephonytest.NewAgent(ctx, telephonytest.AgentConfig{URL: "http://" + p.Run.HTTP + "/api/v1/phone",
		Header: http.Header{"Authorization": {"Bearer " + p.Token(ctx, login)}}, Tone: hz,
		Ping: 500 * time.Millisecond})
	p.OK(err)
	p.t.Cleanup(func() {
		ctx, stop := context.WithTimeout(context.Background(), 2*time.Second)
		defer stop()
		_ = a.SetState(ctx, "offline", "") // the next test finds the shift ended
		a.Close()
	})
	p.OK(a.Attach(ctx))
	return a
}

// Agent is a headless page of a login, on shift, saying 440 Hz.
func (p *Program) Agent(ctx context.Context, login string) *telephonytest.Agent {
	p.t.Helper()
	return p.Shift(ctx, login, 440)
}

// Shift is a headless page of a login, on shift, saying a tone.
func (p *Program) Shift(ctx context.Context, login string, hz float64) *telephonytest.Agent {
	p.t.Helper()
	a := p.Page(ctx, login, hz)
	p.OK(a.SetState(ctx, "available", ""))
	return a
}
