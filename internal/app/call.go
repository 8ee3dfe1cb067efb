package app

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"hotline/ivr"
	"hotline/queue"
	"hotline/telephony"
	"hotline/telephony/calllog"
	"hotline/telephony/media"
	"hotline/tickets"
)

// callerLeg is what the flow needs of a driver's inbound leg: the shared interface and its sound.
type callerLeg interface {
	telephony.Leg
	Endpoint() *media.Endpoint
	Law() media.Law
}

// errNoCall says that a command is for a call that is not (or no more) in the state the command needs.
var errNoCall = errors.New("no such call in a state for this")

// mailboxSize is how many commands may wait for one call. Full means the call is stuck: the sender gets errBusyCall.
const mailboxSize = 32

// call is one live call. Its goroutine, ServeCall's, owns in, run and the room; the mailbox brings it what people
// want; view is a copy for outsiders.
type call struct {
	id   telephony.CallID
	in   callerLeg
	log  *calllog.Call
	cmds chan command // size mailboxSize
	who  tickets.Caller
	run  *ivr.Run
	set  *ivr.Set

	ticket   string        // number keyed in the menu; a claim
	waited   time.Duration // before a restart, for the next place in a queue
	said     time.Duration // in a message that a restart broke off
	noRecord bool          // the menu said so: consent declined. Written by the call's goroutine alone
	out      bool          // we called: in is the customer's leg all the same

	mu   sync.Mutex // guards view; leaf data
	view callView
}

// callView is a live call as pages show it (phone.v1: Call, and the rows of stat.calls).
type callView struct {
	Call      string        `json:"call"`
	Key       string        `json:"call_key"`
	Direction string        `json:"direction"`
	State     string        `json:"state"` // menu, dialing, waiting, ringing, connecting, talking, held, agent_lost, voicemail, ended
	Since     time.Time     `json:"-"`
	SinceMS   int64         `json:"since"`
	From      string        `json:"from"`
	FromName  string        `json:"from_name"`
	Trust     string        `json:"trust"`
	Queue     string        `json:"queue"`
	QueueName string        `json:"queue_name"`
	Agent     string        `json:"agent"`
	Lang      string        `json:"lang"`
	Muted     bool          `json:"muted"`
	Held      bool          `json:"held"`
	Recording string        `json:"recording"` // on, paused, off
	Ticket    *ticketView   `json:"ticket"`
	Link      *linkView     `json:"link"`
	Monitors  []monitorView `json:"monitors"`
	Note      string        `json:"note"`
}

type ticketView struct {
	Number string `json:"number"`
	Title  string `json:"title"`
}

type linkView struct {
	State string `json:"state"`
	Rule  string `json:"rule"`
}

type monitorView struct {
	Who  string `json:"who"`
	Mode string `json:"mode"`
	leg  string
}

// snapshot copies the view.
func (c *call) snapshot() callView {
	c.mu.Lock()
	defer c.mu.Unlock()
	v := c.view
	v.Monitors = slices.Clone(v.Monitors)
	if v.Monitors == nil {
		v.Monitors = []monitorView{}
	}
	v.SinceMS = v.Since.UnixMilli()
	return v
}

// update changes the view; now is used when the state moves.
func (c *call) update(now time.Time, f func(*callView)) callView {
	c.mu.Lock()
	before := c.view.State
	f(&c.view)
	if c.view.State != before {
		c.view.Since = now
	}
	c.mu.Unlock()
	return c.snapshot()
}

// command is one wish for a live call, carried out by its goroutine.
type command struct {
	name  string // hold, mute, dtmf, hangup, record, monitor, mode, unmonitor, kick
	on    bool
	text  string // keys, pause or resume, mode, reason
	who   string // login
	leg   string // monitor leg
	reply chan commandReply
}

type commandReply struct {
	data any
	err  error
}

var errBusyCall = errors.New("the call does not answer; try again")

// do hands a command to the call's goroutine and waits for its answer.
func (c *call) do(ctx context.Context, m command) (any, error) {
	m.reply = make(chan commandReply, 1)
	select {
	case c.cmds <- m:
	default:
		return nil, errBusyCall
	}
	select {
	case r := <-m.reply:
		return r.data, r.err
	case <-c.in.Done():
		return nil, errNoCall
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// refuse answers commands that the call's present state does not take.
func (m command) refuse() { m.reply <- commandReply{err: errNoCall} }

// calls is the registry of live calls.
type calls struct {
	mu   sync.Mutex // guards the maps
	byID map[telephony.CallID]*call
	all  sync.WaitGroup
}

func (r *calls) add(c *call) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.byID[c.id] = c
	r.all.Add(1)
}

func (r *calls) remove(c *call) {
	r.mu.Lock()
	delete(r.byID, c.id)
	r.mu.Unlock()
	r.all.Done()
}

func (r *calls) get(id string) *call {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.byID[telephony.CallID(id)]
}

func (r *calls) list() []*call {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := make([]*call, 0, len(r.byID))
	for _, c := range r.byID {
		out = append(out, c)
	}
	slices.SortFunc(out, func(a, b *call) int { return cmpString(string(a.id), string(b.id)) })
	return out
}

func cmpString(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// count tells how many live calls a called number has.
func (r *calls) count(called string) (n int) {
	for _, c := range r.list() {
		if c.in.Party().Called == called {
			n++
		}
	}
	return n
}

// talkOf finds the call an agent is in.
func (r *calls) talkOf(login string) *call {
	for _, c := range r.list() {
		v := c.snapshot()
		if v.Agent == login && (v.State == "talking" || v.State == "held" || v.State == "agent_lost" || v.State == "connecting" || v.State == "dialing") {
			return c
		}
	}
	return nil
}

// party is the caller in the words of the ticket engine.
func (c *call) party() tickets.CallParty {
	p := c.in.Party()
	if c.out {
		return tickets.CallParty{Raw: p.Called, Trust: tickets.TrustAsserted, Region: p.Region, AreaCode: p.AreaCode, Trunk: p.Trunk}
	}
	trust := string(p.Caller.Trust)
	if p.Withheld() {
		trust = tickets.TrustWithheld
	}
	return tickets.CallParty{Raw: p.Caller.Value, Name: p.Caller.DisplayName, Trust: trust, Region: p.Region, AreaCode: p.AreaCode,
		Withheld: p.Withheld(), Called: p.Called, Trunk: p.Trunk, Diversion: p.Diversion, IVRTicketNumber: c.ticket}
}

// agentSide is the agent's end of a talk: a browser's long-lived phone or a desk phone's leg.
type agentSide struct {
	login  string
	kind   queue.AgentKind
	ep     *media.Endpoint
	leg    telephony.Leg // desk phone; nil for a browser
	legID  telephony.LegID
	browse bool
}

// done is closed when a desk phone hung up; nil, hence never, for a browser.
func (s *agentSide) done() <-chan struct{} {
	if s.leg == nil {
		return nil
	}
	return s.leg.Done()
}

func (s *agentSide) hangup(c telephony.Cause) {
	if s.leg != nil {
		s.leg.Hangup(c)
	}
}
