// Package e2e holds the whole-system tests that need no browser: the real program with its database as a child process,
// SIP phones as callers and desk phones, headless pages as agents. They hear: a test passes when the right tone is in the
// right ear. Its folders hold those with browsers and with other people's telephones.
package e2e

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"hotline/internal/e2e/program"
	"hotline/telephony/media"
	"hotline/telephony/media/tone"
	"hotline/telephony/telephonytest"
)

// What everybody says, in Hz.
const (
	customerHz = 1000.0
	agent1Hz   = 440.0
	agent2Hz   = 700.0
	leadHz     = 1500.0
	holdHz     = 350.0
	comfortHz  = 320.0 // the server, to a customer whose agent's page is away
)

func TestMain(m *testing.M) { program.Main(m) }

// shared is the server of all tests that do not restart it. When the test ends nothing of its calls may be left.
func shared(t *testing.T) (*program.Program, context.Context) {
	t.Helper()
	p := program.Shared(t, "company", program.Music(holdHz))
	t.Cleanup(func() { p.Clean() }) // after the test's own phones and pages, which are registered later
	return p, limit(t, 90*time.Second)
}

// nativeOnly leaves a test about our own SIP edge, or about what ends with our process, to the run with the native driver.
func nativeOnly(t *testing.T) {
	t.Helper()
	if program.Driver() != "native" {
		t.Skip("for the run with the native driver")
	}
}

func limit(t testing.TB, d time.Duration) context.Context {
	t.Helper()
	ctx, stop := context.WithTimeoutCause(context.Background(), d, errors.New("the test takes too long"))
	t.Cleanup(stop)
	return ctx
}

// alone is a server of the test's own, not yet started.
func alone(t *testing.T, options ...program.Option) (*program.Program, context.Context) {
	t.Helper()
	p := program.New(t, append(options, program.Music(holdHz))...)
	return p, limit(t, 2*time.Minute)
}

var callers atomic.Int64

// number is a caller's number that no other test has.
func number() string { return fmt.Sprintf("+790355%05d", callers.Add(1)) }

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// eventually asks until the answer is yes; the error says what it was waiting for.
func eventually(ctx context.Context, t testing.TB, what string, ask func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !ask() {
		select {
		case <-ctx.Done():
			t.Fatalf("never: %s: %v", what, context.Cause(ctx))
		case <-tick.C:
		}
	}
}

// within is eventually with a time of its own.
func within(ctx context.Context, t testing.TB, d time.Duration, what string, ask func() bool) {
	t.Helper()
	ctx, stop := context.WithTimeoutCause(ctx, d, fmt.Errorf("not within %v", d))
	defer stop()
	eventually(ctx, t, what, ask)
}

// queue makes a queue with a number that leads straight to it, and gives it members. They leave their other queues until
// the test ends. The queue's wrap-up is a second where the fields do not say otherwise.
func queue(ctx context.Context, t testing.TB, p *program.Program, key, dial string, fields map[string]any, members ...string) {
	t.Helper()
	body := map[string]any{"key": key, "name": "new", "strategy": "longest_idle", "team": "Support", "wrapup_s": 1, "on_timeout": "hangup"}
	for k, v := range fields {
		body[k] = v
	}
	var said json.RawMessage
	if code := p.API(ctx, "admin", http.MethodPost, "/queues", body, &said); code != http.StatusCreated {
		t.Fatalf("make queue %s: %d %s", key, code, said)
	}
	if code := p.API(ctx, "admin", http.MethodPost, "/numbers", map[string]any{"number": dial, "queue": key}, &said); code != http.StatusCreated {
		t.Fatalf("make number %s: %d %s", dial, code, said)
	}
	p.Set(ctx, "/queues/"+key, map[string]any{"name": "Test " + key}) // seen on the board, it says that all before is in force
	for _, login := range members {
		var user struct{ Queues []map[string]any }
		p.API(ctx, "admin", http.MethodGet, "/users/"+login, nil, &user)
		p.Set(ctx, "/users/"+login, map[string]any{"queues": []map[string]any{{"queue": key, "level": 1}}})
		t.Cleanup(func() {
			p.Set(context.Background(), "/users/"+login, map[string]any{"queues": user.Queues})
		})
	}
	eventually(ctx, t, "the queue is there with its members", func() bool {
		board := live(ctx, p)
		there := slices.ContainsFunc(board.Queues, func(q boardQueue) bool { return q.Key == key && q.Name != "new" })
		for _, login := range members {
			there = there && slices.Contains(board.agent(login).Queues, key)
		}
		return there
	})
}

// board is what supervisors see.
type board struct {
	Queues []boardQueue
	Agents []boardAgent
	Calls  []boardCall
}

type boardQueue struct {
	Key, Name string
	Waiting   int
}

type boardAgent struct {
	Login, State, Reason, Kind, Call string
	Queues                           []string
	Online                           bool
}

type boardCall struct {
	Call, From, Queue, State, Agent string
	Position                        int
}

func live(ctx context.Context, p *program.Program) (b board) {
	p.API(ctx, "lead1", http.MethodGet, "/live", nil, &b)
	return b
}

func (b board) agent(login string) boardAgent {
	for _, a := range b.Agents {
		if a.Login == login {
			return a
		}
	}
	return boardAgent{}
}

func (b board) call(from string) boardCall {
	for _, c := range b.Calls {
		if c.From == from {
			return c
		}
	}
	return boardCall{}
}

// talk dials a number, has the agent answer and waits until both hear each other. It gives the customer's side and the
// call's key.
func talk(ctx context.Context, t *testing.T, p *program.Program, a *telephonytest.Agent, from, to string, hz float64) (*telephonytest.PhoneCall, string) {
	t.Helper()
	c := p.Dial(ctx, from, to)
	call, _, err := a.WaitOffer(ctx)
	ok(t, err)
	ok(t, a.Answer(ctx, call))
	ok(t, c.Hears(ctx, []float64{hz}, nil))
	ok(t, a.Hears(ctx, []float64{customerHz}, nil))
	return c, call
}

// callRow is a call as the API gives it.
type callRow struct {
	ID          int64
	Key         string
	State       string
	Queue, Lang string
	Disposition string
	EndReason   string `json:"end_reason"`
	HangupBy    string `json:"hangup_by"`
	WaitMS      int    `json:"wait_ms"`
	TalkMS      int    `json:"talk_ms"`
	HoldMS      int    `json:"hold_ms"`
	Legs        []leg
	MenuPath    []struct{ Node, Exit string } `json:"menu_path"`
	Recordings  []struct {
		ID         int64
		State      string
		DurationMS int `json:"duration_ms"`
		Channels   int
	}
	Link struct {
		Rule, State string
		Ticket      *struct{ Number, Title string }
		Missed      bool
	}
}

type leg struct {
	Role, Endpoint, Cause string
	Agent                 *struct{ Login string }
	EndedAt               *time.Time `json:"ended_at"`
}

// told waits until a call is over, in its ticket (or decided to be in none) and its recordings are closed.
func told(ctx context.Context, t *testing.T, p *program.Program, key string) (c callRow) {
	t.Helper()
	eventually(ctx, t, "call "+key+" is over and told", func() bool {
		c = callRow{}
		if p.API(ctx, "admin", http.MethodGet, "/calls/"+key, nil, &c) != http.StatusOK || c.State != "ended" || c.Link.Rule == "" {
			return false
		}
		for _, r := range c.Recordings {
			if r.State != "ready" && r.State != "failed" {
				return false
			}
		}
		return true
	})
	return c
}

// keyOf is the key of the newest call of a number.
func keyOf(ctx context.Context, t *testing.T, p *program.Program, from string) (key string) {
	t.Helper()
	eventually(ctx, t, "the call of "+from+" is in rows", func() bool {
		key = p.SQL(ctx, `SELECT call_key FROM call WHERE caller_e164 = $1 ORDER BY id DESC LIMIT 1`, from)
		return len(key) == 26
	})
	return key
}

// waiting waits until exactly one callback of a number is to be done.
func waiting(ctx context.Context, t *testing.T, p *program.Program, from string) {
	t.Helper()
	p.Until(ctx, "one callback to "+from, "waiting 1", `SELECT concat(max(state), ' ', count(*)) FROM callback_request WHERE number = $1`, from)
}

// timeline gives the entries of a ticket that are calls, by the call's key.
func timeline(ctx context.Context, p *program.Program, ticket string) (calls []string) {
	var page struct {
		Data []struct {
			Type string
			Call *struct{ Key string }
		}
	}
	p.API(ctx, "admin", http.MethodGet, "/tickets/"+ticket+"/timeline", nil, &page)
	for _, item := range page.Data {
		if item.Type == "call" && item.Call != nil {
			calls = append(calls, item.Call.Key)
		}
	}
	return calls
}

// sound fetches a recording and gives its channels, 8 kHz.
func sound(ctx context.Context, t *testing.T, p *program.Program, id int64) (channels [][]int16) {
	t.Helper()
	var b []byte
	if code := p.API(ctx, "lead1", http.MethodGet, fmt.Sprintf("/recordings/%d/audio", id), nil, &b); code != http.StatusOK {
		t.Fatalf("recording %d: %d %.200s", id, code, b)
	}
	channels, err := readWAV(b)
	ok(t, err)
	return channels
}

// readWAV takes a WAV file of PCM16 or G.711 apart.
func readWAV(b []byte) (channels [][]int16, err error) {
	le := binary.LittleEndian
	if len(b) < 12 || string(b[:4]) != "RIFF" || string(b[8:12]) != "WAVE" || int(le.Uint32(b[4:])) != len(b)-8 {
		return nil, fmt.Errorf("no WAV file of %d bytes: %.12q", len(b), b)
	}
	format, n := 0, 0
	for b = b[12:]; len(b) >= 8; {
		id, size := string(b[:4]), int(le.Uint32(b[4:]))
		if size > len(b)-8 {
			return nil, fmt.Errorf("chunk %q of %d bytes is cut off", id, size)
		}
		part := b[8 : 8+size]
		switch id {
		case "fmt ":
			if rate := le.Uint32(part[4:]); rate != 8000 {
				return nil, fmt.Errorf("%d samples a second", rate)
			}
			format, n = int(le.Uint16(part)), int(le.Uint16(part[2:]))
		case "data":
			return split(part, format, n)
		}
		b = b[min(len(b), 8+size+size%2):]
	}
	return nil, errors.New("no samples in the WAV file")
}

func split(data []byte, format, n int) ([][]int16, error) {
	var all []int16
	switch format {
	case 1:
		for ; len(data) >= 2; data = data[2:] {
			all = append(all, int16(binary.LittleEndian.Uint16(data)))
		}
	case 6, 7: // WAVE_FORMAT_ALAW, WAVE_FORMAT_MULAW
		law := map[int]media.Law{6: media.PCMA, 7: media.PCMU}[format]
		all = make([]int16, len(data))
		law.Decode(all, data)
	default:
		return nil, fmt.Errorf("WAV format %d", format)
	}
	channels := make([][]int16, n)
	for i, s := range all {
		channels[i%n] = append(channels[i%n], s)
	}
	return channels, nil
}

// span is a stretch of a recording in which a tone sounds without a break, in seconds from its start.
type span struct{ from, to float64 }

// spans finds the stretches of a tone, to 0.1 s: windows of 100 ms in which it is present. Breaks under 0.15 s count as none.
func spans(pcm []int16, hz float64) (out []span) {
	const w = 800
	for at := 0; at+w <= len(pcm); at += w {
		if tone.Amplitude(pcm[at:at+w], hz, 8000) < telephonytest.Present {
			continue
		}
		from, to := float64(at)/8000, float64(at+w)/8000
		if n := len(out); n > 0 && from-out[n-1].to < 0.15 {
			out[n-1].to = to
		} else {
			out = append(out, span{from, to})
		}
	}
	return out
}

// loudest is the greatest amplitude of a tone in any window of 400 ms.
func loudest(pcm []int16, hz float64) (amp float64) {
	const w = 3200
	for at := 0; at+w <= len(pcm); at += w / 4 {
		amp = max(amp, tone.Amplitude(pcm[at:at+w], hz, 8000))
	}
	return amp
}

// speaks waits until somebody says something: a level, whatever the words.
func speaks(ctx context.Context, t *testing.T, c *telephonytest.PhoneCall) {
	t.Helper()
	eventually(ctx, t, "a voice", func() bool { return level(c.Heard()) > 0.01 })
}

// level is the power (RMS, 0 to 1) of the last 400 ms.
func level(pcm []int16) (rms float64) {
	pcm = pcm[max(0, len(pcm)-3200):]
	for _, s := range pcm {
		rms += float64(s) * float64(s)
	}
	if len(pcm) == 0 {
		return 0
	}
	return rms / float64(len(pcm)) / (32768 * 32768)
}

// agentAt is an agent with the tone of the voice.
type agentAt struct {
	*telephonytest.Agent
	tone float64
}
