package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"hotline/internal/phone"
	"hotline/queue"
	"hotline/telephony"
	"hotline/tickets"
)

// desk is what the hub of agents' sockets asks of the system: it carries the pages' wishes to the engine and to the
// calls, and shows them what is. It holds no state.
type desk struct{ a *App }

var _ phone.Desk = (*desk)(nil)

// ask is the data of every request a page may send; each command reads its own fields.
type ask struct {
	Call     string                  `json:"call"`
	State    string                  `json:"state"`
	Reason   string                  `json:"reason"`
	When     string                  `json:"when"`
	On       bool                    `json:"on"`
	Keys     string                  `json:"keys"`
	Op       string                  `json:"op"`
	Contact  int64                   `json:"contact_id"`
	Ticket   string                  `json:"ticket"`
	New      *struct{ Title string } `json:"new"`
	Topic    string                  `json:"topic"`
	Result   string                  `json:"result"`
	Note     string                  `json:"note"`
	Done     bool                    `json:"done"`
	Seconds  int                     `json:"seconds"`
	Agent    string                  `json:"agent"`
	Leg      string                  `json:"leg"`
	Mode     string                  `json:"mode"`
	Queue    string                  `json:"queue"`
	Priority int                     `json:"priority"`
	To       string                  `json:"to"`
	Callback int64                   `json:"callback"`
}

// dial is whom call.dial wants to reach. With call it is that call's other party.
func (q ask) dial() tickets.DialRequest {
	return tickets.DialRequest{Number: q.To, Ticket: q.Ticket, Contact: q.Contact, Call: q.Call, Callback: q.Callback}
}

// Command implements phone.Desk.
func (d *desk) Command(ctx context.Context, who phone.Who, t string, raw json.RawMessage) (any, error) {
	var q ask
	if len(raw) > 0 {
		if err := json.Unmarshal(raw, &q); err != nil {
			return nil, refusal("malformed", "", "Запрос не понят", "The request is malformed")
		}
	}
	reply, err := d.command(ctx, who, t, q)
	return reply, explain(err)
}

func (d *desk) command(ctx context.Context, who phone.Who, t string, q ask) (any, error) {
	a := d.a
	switch t {
	case "agent.set":
		return nil, d.set(ctx, who, q)
	case "call.dial":
		return a.callOut(ctx, who.Login, q.dial(), q.Queue)
	case "call.answer":
		if !who.Owner {
			return nil, refusal("not_owner", "", "Звук на другой вкладке: перенесите его сюда", "Another tab owns the sound: take it over first")
		}
		return nil, found(a.offers.reply(who.Login, q.Call, ""))
	case "call.reject":
		return nil, d.reject(ctx, who, q)
	case "call.ring_state", "media.device", "media.stats":
		return nil, nil
	case "call.hangup", "call.mute", "call.hold", "call.dtmf", "call.record":
		return d.inTalk(ctx, who, t, q)
	case "call.link":
		return d.link(ctx, who, q)
	case "wrapup.save":
		return nil, d.wrapup(ctx, who, q)
	case "wrapup.extend":
		until, err := a.engine.ExtendWrapUp(ctx, who.Login, time.Duration(min(max(q.Seconds, 0), 600))*time.Second)
		return map[string]any{"until": until.UnixMilli()}, err
	case "monitor.start", "monitor.mode", "monitor.stop", "sup.agent", "sup.call":
		if !who.Has("supervisor", "admin") {
			return nil, refusal("forbidden", "", "Это право есть у супервизора", "Only a supervisor may do this")
		}
		return d.supervise(ctx, who, t, q)
	}
	return nil, refusal("unsupported", "", "Эта версия так не умеет", "This version cannot do that")
}

// set is the agent's own wish for a state.
func (d *desk) set(ctx context.Context, who phone.Who, q ask) error {
	want := map[string]queue.AgentState{"available": queue.Available, "paused": queue.Paused, "offline": queue.Offline, "": ""}
	state, ok := want[q.State]
	if !ok {
		return refusal("invalid", "", "Нет такого состояния", "There is no such state")
	}
	if state == queue.Paused && q.Reason == "" {
		q.Reason = "other"
	}
	when := queue.Now
	if q.When == "after_call" {
		when = queue.AfterCall
	}
	if state == queue.Available {
		_ = d.a.engine.AgentFixed(ctx, who.Login) // being available again is the agent's word that the sound works
	}
	return d.a.engine.SetAgentState(ctx, who.Login, state, q.Reason, who.Login, when)
}

// reject gives an offer back. A page whose microphone does not work says so: that is a fault to mend, not a miss.
func (d *desk) reject(ctx context.Context, who phone.Who, q ask) error {
	why := queue.Rejected
	if strings.HasPrefix(q.Reason, "no_microphone") {
		why = queue.NoMedia
	}
	if err := found(d.a.offers.reply(who.Login, q.Call, why)); err != nil || why == queue.Rejected {
		return err
	}
	return d.a.engine.AgentFault(ctx, who.Login, q.Reason[:min(len(q.Reason), 200)])
}

// inTalk hands a command to the agent's own talk.
func (d *desk) inTalk(ctx context.Context, who phone.Who, t string, q ask) (any, error) {
	c := d.a.calls.get(q.Call)
	if c == nil || c.snapshot().Agent != who.Login {
		if t == "call.hangup" && d.a.offers.reply(who.Login, q.Call, queue.Rejected) {
			return nil, nil
		}
		return nil, errNoCall
	}
	text := q.Keys
	if t == "call.record" {
		text = q.Op
	}
	return c.do(ctx, command{name: t[len("call."):], on: q.On, text: text, who: who.Login})
}

// link is the agent's choice on the card: a ticket, a new one, or none with a reason.
func (d *desk) link(ctx context.Context, who phone.Who, q ask) (any, error) {
	a := d.a
	actor, err := a.tickets.Actor(ctx, who.Login)
	if err != nil {
		return nil, err
	}
	choice := tickets.LinkChoice{Ticket: q.Ticket, ContactID: q.Contact}
	if q.New != nil {
		choice.New = &tickets.LinkNew{Title: q.New.Title}
	} else if q.Ticket == "" && q.Contact == 0 {
		choice.None = &tickets.LinkNone{Reason: q.Reason}
	}
	var done tickets.Call
	err = a.db.Tx(ctx, func(tx pgx.Tx) error {
		done, err = a.tickets.LinkCall(ctx, tx, actor, q.Call, choice)
		return err
	})
	if err != nil {
		return nil, err
	}
	a.showLink(q.Call, &done.Link)
	return done, nil
}

// wrapup saves the agent's words and result; with done it ends the wrap-up.
func (d *desk) wrapup(ctx context.Context, who phone.Who, q ask) error {
	a := d.a
	if c := a.calls.get(q.Call); c != nil && c.snapshot().Agent == who.Login {
		c.update(a.now(), func(v *callView) { v.Note = q.Note })
	}
	actor, err := a.tickets.Actor(ctx, who.Login)
	if err != nil {
		return err
	}
	if q.Call != "" && (q.Note != "" || q.Result != "" || q.Done) {
		err = a.db.Tx(ctx, func(tx pgx.Tx) error {
			_, err := a.tickets.SetWrapUp(ctx, tx, actor, q.Call, q.Result, q.Note)
			return err
		})
		if err != nil && !errors.Is(err, tickets.ErrNotFound) { // a call that is not decided yet takes its note from the journal
			return err
		}
	}
	if q.Done {
		return a.engine.WrapUpDone(ctx, who.Login)
	}
	return nil
}

// supervise carries out what only supervisors may; each such step is in the audit log.
func (d *desk) supervise(ctx context.Context, who phone.Who, t string, q ask) (any, error) {
	a := d.a
	a.audit(ctx, who.Login, t, map[string]any{"call": q.Call, "agent": q.Agent, "op": q.Op, "mode": q.Mode, "reason": q.Reason})
	switch t {
	case "sup.agent":
		op := queue.ForceOp(q.Op)
		return nil, a.engine.Force(ctx, who.Login, q.Agent, op, q.Reason)
	case "sup.call":
		return nil, d.superviseCall(ctx, who, q)
	case "monitor.start":
		c := a.calls.get(q.Call)
		if c == nil && q.Agent != "" {
			c = a.calls.talkOf(q.Agent)
		}
		if c == nil {
			return nil, errNoCall
		}
		return c.do(ctx, command{name: "monitor", who: who.Login})
	}
	name := "mode"
	if t == "monitor.stop" {
		name = "unmonitor"
	}
	for _, c := range a.calls.list() {
		for _, m := range c.snapshot().Monitors {
			if m.leg == q.Leg && m.Who == who.Login {
				return c.do(ctx, command{name: name, who: who.Login, leg: q.Leg, text: q.Mode})
			}
		}
	}
	return nil, errNoCall
}

func (d *desk) superviseCall(ctx context.Context, who phone.Who, q ask) error {
	a, id := d.a, telephony.CallID(q.Call)
	switch q.Op {
	case "hangup":
		c := a.calls.get(q.Call)
		if c == nil {
			return errNoCall
		}
		_, err := c.do(ctx, command{name: "kick", who: who.Login, text: q.Reason})
		return err
	case "move":
		return a.engine.Move(ctx, id, q.Queue, false, who.Login, q.Reason)
	case "priority":
		return a.engine.SetPriority(ctx, id, q.Priority, who.Login, q.Reason)
	case "pull":
		agent := q.Agent
		if agent == "" {
			agent = who.Login
		}
		return a.engine.Pull(ctx, id, agent, who.Login, q.Reason)
	}
	return refusal("invalid", "", "Нет такого действия", "There is no such operation")
}

// Snapshot implements phone.Desk: the page's whole world.
func (d *desk) Snapshot(ctx context.Context, who phone.Who) (any, error) {
	a := d.a
	snap, err := a.engine.Snapshot(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the queues: %w", err)
	}
	agent := map[string]any{"login": who.Login, "name": a.agentName(who.Login), "state": queue.Offline, "since": a.now().UnixMilli(), "reason": "", "queues": []string{}, "kind": "browser"}
	for _, s := range snap.Agents {
		if s.Login == who.Login {
			agent = a.agentState(s)
			agent["name"] = a.agentName(who.Login)
		}
	}
	calls := []callView{}
	needed := false
	for _, c := range a.calls.list() {
		v := c.snapshot()
		if v.Agent == who.Login && v.State != "ended" && v.State != "waiting" {
			if v.State == "ringing" {
				v.State = "offered"
			} else {
				needed = true
			}
			calls = append(calls, v)
		}
	}
	out := map[string]any{"agent": agent, "calls": calls, "queues": a.queueFigures(snap), "ice": []any{},
		"media":  map[string]any{"epoch": a.rtc.Phone(who.Login).Epoch(), "needed": needed},
		"policy": map[string]any{"pause_reasons": pauseReasons, "dial": true, "wrapup_extend_s": 60},
		"grace":  map[string]any{"reattach_s": int(a.cfg.ReattachGrace.Seconds())}}
	if p := a.offers.get(who.Login); p != nil {
		out["offer"] = map[string]any{"call": string(p.call.id)}
	}
	return out, nil
}

// pauseReasons are the kinds of absence an agent chooses from.
var pauseReasons = []map[string]any{
	{"key": "lunch", "name": tickets.Text{RU: "Обед", EN: "Lunch"}, "productive": false},
	{"key": "break", "name": tickets.Text{RU: "Перерыв", EN: "Break"}, "productive": false},
	{"key": "training", "name": tickets.Text{RU: "Обучение", EN: "Training"}, "productive": true},
	{"key": "meeting", "name": tickets.Text{RU: "Совещание", EN: "Meeting"}, "productive": true},
	{"key": "tickets", "name": tickets.Text{RU: "Работа с тикетами", EN: "Working on tickets"}, "productive": true},
	{"key": "other", "name": tickets.Text{RU: "Другое", EN: "Other"}, "productive": false},
}

// Presence implements phone.Desk: the page's heartbeat is the browser agent's connection.
func (d *desk) Presence(agent string, online bool, tabs int, owner bool) {
	ctx, stop := context.WithTimeout(context.Background(), 5*time.Second)
	defer stop()
	if d.a.agentKind(agent) == queue.Desk {
		return // a desk phone's connection is its registration
	}
	state := queue.Lost
	if online && (owner || tabs == 0) { // a tab without the sound cannot take a call; no tab at all is a page that reloads
		state = queue.Online
	}
	if err := d.a.engine.Connection(ctx, agent, state); err != nil && !errors.Is(err, queue.ErrUnknownAgent) {
		d.a.log.Warn("presence not told to the queue", "agent", agent, "cause", err)
	}
}

func found(ok bool) error {
	if !ok {
		return errNoCall
	}
	return nil
}

func refusal(code, state, ru, en string) *phone.Error {
	return &phone.Error{Code: code, State: state, Text: map[string]string{"ru": ru, "en": en}}
}

// explain turns errors of the packages below into words for the agent; what is our own fault stays as it is.
func explain(err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*phone.Error](err); ok {
		return err
	}
	if r, ok := errors.AsType[*dialRefusal](err); ok {
		return refusal(r.code, "", r.ru, r.en)
	}
	if e, ok := errors.AsType[*tickets.Error](err); ok {
		return refusal(string(e.Code), "", e.Message, e.Message)
	}
	switch {
	case errors.Is(err, errNoCall), errors.Is(err, queue.ErrUnknownCall), errors.Is(err, queue.ErrOfferGone):
		return refusal("no_call", "", "Этого звонка уже нет", "This call is gone")
	case errors.Is(err, queue.ErrWrongState), errors.Is(err, queue.ErrAgentBusy):
		return refusal("wrong_state", "", "Сейчас это невозможно: "+err.Error(), "Not possible now: "+err.Error())
	case errors.Is(err, queue.ErrNotConnected):
		return refusal("not_connected", "", "Нет связи со страницей: обновите её", "The page is not connected: reload it")
	case errors.Is(err, queue.ErrUnknownAgent):
		return refusal("unknown_agent", "", "Такого оператора нет в очередях", "No such agent in any queue")
	case errors.Is(err, errBusyCall):
		return refusal("busy", "", "Звонок не отвечает, попробуйте ещё раз", "The call does not answer, try again")
	}
	return err
}
