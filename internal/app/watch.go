package app

import (
	"context"
	"time"

	"hotline/queue"
	"hotline/telephony"
)

// publishEvery bounds how often boards are told; a change waits at most so long.
const publishEvery = 250 * time.Millisecond

// publish says that something on the boards has changed. It never blocks.
func (a *App) publish() {
	select {
	case a.dirty <- struct{}{}:
	default:
	}
}

// watch follows the queue engine and tells the pages: agents about themselves, boards about everybody. It ends with ctx.
func (a *App) watch(ctx context.Context) error {
	for ctx.Err() == nil {
		sub, err := a.engine.Subscribe(ctx, 4096)
		if err != nil {
			return nil // the engine has stopped, and so do we
		}
		a.follow(ctx, sub)
		sub.Close()
	}
	return nil
}

func (a *App) follow(ctx context.Context, sub *queue.Subscription) {
	tick := time.NewTicker(time.Second) // waits grow by themselves
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case ch, ok := <-sub.C:
			if !ok {
				return // too slow, or stopped: subscribe again
			}
			if ch.Agent != nil {
				a.agentMoved(*ch.Agent)
			}
			a.publish()
		case <-tick.C:
			a.boards(ctx)
		case <-a.dirty:
			a.boards(ctx)
			if !pause(ctx, publishEvery) {
				return
			}
		}
	}
}

func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// agentMoved tells an agent's pages of the agent's own state, and of the wrap-up's begin and end.
func (a *App) agentMoved(ch queue.AgentChange) {
	a.hub.Send(ch.Login, "agent.state", a.agentState(ch.AgentStat))
	switch {
	case ch.State == queue.ACW && ch.From != queue.ACW:
		d := map[string]any{"call": string(ch.Call), "until": ch.Until.UnixMilli(), "ticket": nil}
		if ch.Until.IsZero() {
			d["until"] = nil
		}
		a.hub.Send(ch.Login, "wrapup.start", d)
	case ch.From == queue.ACW && ch.State != queue.ACW:
		a.hub.Send(ch.Login, "wrapup.end", map[string]any{"call": string(ch.Call)})
		a.wrapupOver(ch.Call)
	}
}

func (a *App) agentState(s queue.AgentStat) map[string]any {
	next := ""
	if s.Next != "" {
		next = string(s.Next)
		if s.NextReason != "" {
			next += ":" + s.NextReason
		}
	}
	out := map[string]any{"login": s.Login, "state": s.State, "since": s.Since.UnixMilli(), "reason": s.Reason, "next": next, "by": s.By,
		"queues": s.Queues, "kind": s.Kind, "call": string(s.Call), "until": nil}
	if !s.Until.IsZero() {
		out["until"] = s.Until.UnixMilli()
	}
	return out
}

// boards sends the live figures to whoever subscribed; the hub holds it to one a second.
func (a *App) boards(ctx context.Context) {
	snap, err := a.engine.Snapshot(ctx)
	if err != nil {
		return
	}
	a.hub.SendTopic("stat.queues", a.queueFigures(snap))
	a.hub.SendTopic("stat.agents", a.agentFigures(snap))
	a.hub.SendTopic("stat.calls", a.callFigures(snap))
}

func (a *App) queueFigures(snap queue.Snapshot) []map[string]any {
	out := make([]map[string]any, 0, len(snap.Queues))
	for _, q := range snap.Queues {
		row := map[string]any{"key": q.Key, "name": q.Name, "waiting": q.Waiting, "longest_s": int(q.Longest.Seconds()), "available": q.Available,
			"talking": q.Talking, "staffed": q.Staffed, "answered": q.Today.A, "abandoned": q.Today.B, "sl_pct": q.SL, "avg_wait_s": nil}
		if q.ASA != nil {
			row["avg_wait_s"] = q.ASA.Seconds()
		}
		out = append(out, row)
	}
	return out
}

func (a *App) agentFigures(snap queue.Snapshot) []map[string]any {
	out := make([]map[string]any, 0, len(snap.Agents))
	for _, s := range snap.Agents {
		row := a.agentState(s)
		row["name"], row["online"] = a.agentName(s.Login), s.Online
		out = append(out, row)
	}
	return out
}

func (a *App) callFigures(snap queue.Snapshot) []map[string]any {
	places := map[telephony.CallID]queue.WaitingCall{}
	for _, w := range snap.Waiting {
		places[w.Call] = w
	}
	out := []map[string]any{}
	for _, c := range a.calls.list() {
		v := c.snapshot()
		if v.State == "ended" {
			continue
		}
		row := map[string]any{"call": v.Call, "from": v.From, "from_name": v.FromName, "direction": v.Direction, "queue": v.Queue, "state": v.State, "since": v.SinceMS,
			"agent": v.Agent, "lang": v.Lang, "monitors": v.Monitors, "trust": v.Trust}
		if w, ok := places[c.id]; ok {
			row["position"], row["priority"], row["since"] = w.Position, w.Priority, w.Since.UnixMilli()
		}
		out = append(out, row)
	}
	return out
}

// sendCall shows a call to the pages of an agent.
func (a *App) sendCall(login string, c *call) { a.hub.Send(login, "call.state", c.snapshot()) }
