package app

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"hotline/internal/auth"
	"hotline/internal/httpapi"
	"hotline/internal/trunks"
	"hotline/ivr"
	"hotline/queue"
	"hotline/telephony"
	"hotline/telephony/sip"
)

// settings is what administrators set, read from rows and kept in memory, so that no call waits for the database.
type settings struct {
	mu      sync.RWMutex // guards what follows; replaced whole
	queues  map[string]queue.Queue
	agents  map[string]agentSetting
	trunks  map[string]trunks.Trunk
	numbers map[string]trunks.Number

	menuQueues map[string]bool // queues the menus were last checked against; used by loadSettings alone
}

type agentSetting struct {
	name     string
	kind     queue.AgentKind
	endpoint string // desk phones: "registered" or a SIP address
	roles    []string
}

// ConfigChanged implements httpapi.Live: the change is taken over in the background, at once.
func (a *App) ConfigChanged(string) {
	select {
	case a.reload <- struct{}{}:
	default: // one is waiting already and will see this change too
	}
}

// reloadLoop takes changed settings over, and looks every 30 s in case another process changed rows. It ends with ctx.
func (a *App) reloadLoop(ctx context.Context) error {
	tick := time.NewTicker(30 * time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-a.reload:
		case <-tick.C:
		}
		if err := a.loadSettings(ctx); err != nil && ctx.Err() == nil {
			a.log.Warn("settings not read; the last ones stay", "cause", err)
		}
	}
}

// loadSettings reads queues, people, trunks and numbers and hands them to those concerned.
func (a *App) loadSettings(ctx context.Context) error {
	queues, err := a.queues.Queues(ctx)
	if err != nil {
		return fmt.Errorf("read queues: %w", err)
	}
	users, err := a.allUsers(ctx)
	if err != nil {
		return fmt.Errorf("read users: %w", err)
	}
	members, err := a.queues.Memberships(ctx, "")
	if err != nil {
		return fmt.Errorf("read memberships: %w", err)
	}
	skills, err := a.queues.Skills(ctx, "")
	if err != nil {
		return fmt.Errorf("read skills: %w", err)
	}
	lines, err := a.trunks.All(ctx)
	if err != nil {
		return err
	}
	numbers, err := a.trunks.Numbers(ctx)
	if err != nil {
		return err
	}
	fresh := &settings{queues: map[string]queue.Queue{}, agents: map[string]agentSetting{}, trunks: map[string]trunks.Trunk{}, numbers: map[string]trunks.Number{}}
	for _, q := range queues {
		fresh.queues[q.Key] = q.WithDefaults()
	}
	var agents []queue.Agent
	for _, u := range users {
		if !u.Active {
			continue
		}
		s := agentSetting{name: u.Name, kind: queue.Browser, endpoint: u.Endpoint, roles: u.Roles}
		if u.Endpoint != "" {
			s.kind = queue.Desk
		}
		fresh.agents[u.Login] = s
		if m := members[u.Login]; len(m) > 0 || slices.Contains(u.Roles, "agent") {
			agents = append(agents, queue.Agent{Login: u.Login, Kind: s.kind, Skills: skills[u.Login], Queues: m})
		}
	}
	for _, t := range lines {
		fresh.trunks[t.Name] = t
	}
	for _, n := range numbers {
		fresh.numbers[n.Number] = n
	}
	a.set.mu.Lock()
	a.set.queues, a.set.agents, a.set.trunks, a.set.numbers = fresh.queues, fresh.agents, fresh.trunks, fresh.numbers
	a.set.mu.Unlock()
	names := map[string]bool{}
	for k := range fresh.queues {
		names[k] = true
	}
	if !maps.Equal(names, a.set.menuQueues) { // menus are checked against the queues there are
		a.set.menuQueues = names
		a.flows.SetQueues(names)
		a.reloadFlows(ctx)
	}
	err = errors.Join(a.engine.SetQueues(ctx, queues), a.engine.SetAgents(ctx, agents), a.setTrunks(lines))
	a.deskPhones(ctx)
	a.publish()
	return err
}

func (a *App) allUsers(ctx context.Context) ([]auth.User, error) {
	var out []auth.User
	after := ""
	for {
		page, err := a.auth.ListUsers(ctx, after, 200)
		if err != nil {
			return nil, err
		}
		out = append(out, page...)
		if len(page) < 200 {
			return out, nil
		}
		after = page[len(page)-1].Login
	}
}

func sipTrunks(in []trunks.Trunk) []sip.Trunk {
	out := make([]sip.Trunk, 0, len(in))
	for _, t := range in {
		out = append(out, sip.Trunk{Name: t.Name, CIDRs: t.CIDRs, AssertsIdentity: t.AssertsIdentity, Region: t.Region, AreaCode: t.AreaCode, Host: t.Host,
			Port: t.Port, Transport: t.Transport, User: t.User, Password: t.Password, Realm: t.Realm, Register: t.Register,
			RegisterEvery: time.Duration(t.RegisterEveryS) * time.Second, MaxCalls: t.MaxCalls, Enabled: t.Enabled, CallerID: t.CallerID})
	}
	return out
}

// deskPhones tells the engine which desk phones can be reached: a registration stands for the heartbeat, a fixed
// address counts as always there. A desk agent who has never been on shift is put on it: the phone is the shift.
func (a *App) deskPhones(ctx context.Context) {
	a.set.mu.RLock()
	desks := map[string]string{}
	for login, s := range a.set.agents {
		if s.kind == queue.Desk {
			desks[login] = s.endpoint
		}
	}
	a.set.mu.RUnlock()
	for login, endpoint := range desks {
		up := endpoint != "registered"
		if !up {
			_, up = a.sip.Registration(login)
		}
		a.deskPhone(ctx, login, up)
	}
}

// deskPhone brings one desk phone's connection to the engine.
func (a *App) deskPhone(ctx context.Context, login string, up bool) {
	state := queue.Lost // none would mean that nobody knows
	if up {
		state = queue.Online
	}
	if err := a.engine.Connection(ctx, login, state); err != nil {
		return // not a member of any queue
	}
	if !up {
		return
	}
	snap, err := a.engine.Snapshot(ctx)
	if err != nil {
		return
	}
	for _, s := range snap.Agents {
		if s.Login == login && s.State == queue.Offline && s.By == "" {
			_ = a.engine.SetAgentState(ctx, login, queue.Available, "desk phone", "", queue.Now)
		}
	}
}

// registered hears of desk phones that came or went.
func (a *App) registered(user string, up bool) {
	if a.agentKind(user) != queue.Desk {
		return
	}
	ctx, stop := context.WithTimeout(context.Background(), 5*time.Second)
	defer stop()
	a.deskPhone(ctx, user, up)
}

func (a *App) queueConfig(key string) queue.Queue {
	a.set.mu.RLock()
	defer a.set.mu.RUnlock()
	q, ok := a.set.queues[key]
	if !ok {
		return queue.Queue{Key: key, Name: key}.WithDefaults()
	}
	return q
}

func (a *App) agentName(login string) string {
	a.set.mu.RLock()
	defer a.set.mu.RUnlock()
	if s, ok := a.set.agents[login]; ok && s.name != "" {
		return s.name
	}
	return login
}

func (a *App) agentKind(login string) queue.AgentKind {
	a.set.mu.RLock()
	defer a.set.mu.RUnlock()
	return a.set.agents[login].kind
}

// deskAddress is where a desk agent's phone is dialled.
func (a *App) deskAddress(login string) string {
	a.set.mu.RLock()
	defer a.set.mu.RUnlock()
	if e := a.set.agents[login].endpoint; e != "" && e != "registered" {
		return e
	}
	return "user:" + login
}

// route says what a dialled number does: the numbers of the administration first, then routes.yaml.
func (a *App) route(called string) (ivr.Route, bool) {
	set := a.menus()
	a.set.mu.RLock()
	n, ok := a.set.numbers[called]
	a.set.mu.RUnlock()
	if ok {
		r := ivr.Route{Number: called, Flow: n.Flow, Queue: n.Queue, MaxCalls: n.MaxCalls, FallbackQueue: n.Queue}
		if file, ok := set.Route(called); ok {
			r.FallbackQueue, r.Lang = file.FallbackQueue, file.Lang
		}
		return r, true
	}
	return set.Route(called)
}

func (a *App) unknownNotice(trunk string) bool {
	a.set.mu.RLock()
	defer a.set.mu.RUnlock()
	return a.set.trunks[trunk].UnknownNumber == "notice"
}

// outbound is the dial policy for all calls to numbers outside: the rule, and the first enabled trunk that takes calls
// out.
func (a *App) outbound(number string) (string, error) {
	if err := a.mayDial(number); err != nil {
		return "", err
	}
	a.set.mu.RLock()
	defer a.set.mu.RUnlock()
	var names []string
	for name, t := range a.set.trunks {
		if t.Enabled && (t.Host != "" || a.byAsterisk()) { // Asterisk's endpoints have their addresses there
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return "", errNoTrunkOut
	}
	slices.Sort(names)
	return "trunk:" + names[0] + ":" + number, nil
}

// music is the sound of waiting and holding: the named file or folder of the music folder, else all of it.
func (a *App) music(name string) telephony.Prompt {
	if name != "" && name != "default" {
		if p := a.menus().Music(name); len(p.Clips) > 0 {
			return p
		}
	}
	p := telephony.Prompt{Loop: true, Music: "default"}
	files, _ := filepath.Glob(filepath.Join(a.cfg.Music, "*.wav"))
	slices.Sort(files)
	for _, f := range files {
		p.Clips = append(p.Clips, telephony.Clip{File: f})
	}
	if len(p.Clips) == 0 {
		p.Clips = []telephony.Clip{{Tone: &telephony.Tone{Hz: []float64{350}, On: time.Second, Off: 4 * time.Second, Gain: 0.1}}}
	}
	return p
}

// notice is a recorded fragment in both languages, for the few words said outside of menus.
func (a *App) notice(name string) telephony.Prompt {
	var p telephony.Prompt
	for _, dir := range []string{a.cfg.SoundsRU, a.cfg.SoundsEN} {
		f := filepath.Join(dir, name+".wav")
		if _, err := os.Stat(f); err == nil {
			p.Clips = append(p.Clips, telephony.Clip{File: f})
		}
	}
	return p
}

// TrunkState implements httpapi.Live.
func (a *App) TrunkState(name string) httpapi.TrunkState {
	if a.ari != nil {
		return a.asteriskTrunk(name)
	}
	for _, t := range a.sip.Trunks() {
		if t.Name == name {
			s := httpapi.TrunkState{Registered: t.Registered, Error: t.Error, Calls: t.Calls}
			if !t.Since.IsZero() {
				s.Since = &t.Since
			}
			return s
		}
	}
	return httpapi.TrunkState{}
}

// mediaIP is the address put into SDP.
func mediaIP(setting, sipAddr string) netip.Addr {
	if ip, err := netip.ParseAddr(setting); err == nil {
		return ip
	}
	if ap, err := netip.ParseAddrPort(sipAddr); err == nil && !ap.Addr().IsUnspecified() {
		return ap.Addr()
	}
	return netip.AddrFrom4([4]byte{127, 0, 0, 1})
}
