package queue

import (
	"time"

	"hotline/telephony"
)

// queueState is one queue at work.
type queueState struct {
	cfg  Queue // with defaults filled in
	gone bool  // removed

	ring, wrapup, maxWait, rest, threshold, short instant

	pools   []*pool    // one per skill profile among the members, for good
	open    []openPool // those with somebody free, each with a copy of its best
	lines   []*line    // one per need ever asked for
	busy    []busyLine // those with somebody waiting, each with a copy of its first
	first   *caller    // everybody with a place here, offered and parked included, by arrival
	last    *caller
	len     int
	fig     Figures
	isDirty bool
}

// pool holds the free members of one queue that share one skill profile, best first.
type pool struct {
	q       *queueState
	profile *profile
	items   []poolItem
	openAt  int // index in q.open; -1: nobody free
	staffed int // members that are not offline
	talking int // members in a call
}

// openPool and busyLine are what a choice reads: side by side in memory, so that looking at all of them costs little
// more than looking at one. The heaps keep them in step.
type openPool struct {
	best    poolItem
	profile *profile
	p       *pool
}

type busyLine struct {
	prio  int
	eff   instant
	first *caller
	l     *line
}

// poolItem carries its key, so that comparing touches no agent record.
type poolItem struct {
	level int32 // only for the strategy "priority", else 0
	idle  instant
	m     *member
}

func (x *poolItem) before(y *poolItem) bool {
	if x.level != y.level {
		return x.level > y.level
	}
	if x.idle != y.idle {
		return x.idle < y.idle
	}
	return x.m.a.num < y.m.a.num
}

// member is one agent in one queue.
type member struct {
	a     *agent
	pool  *pool
	level int32
	pos   int // index in pool.items while the agent is free
}

// line holds the callers of one queue that share one need and may be offered, best first.
type line struct {
	q      *queueState
	need   *need
	heap   []*caller
	busyAt int // index in q.busy; -1: empty
}

// agent is one agent at work.
type agent struct {
	login   string
	num     uint64 // order of making: the last tie-break
	cfg     Agent
	profile *profile
	mems    []member
	gone    bool // no longer configured; removed when its call ends

	conn   Connection
	state  AgentState
	reason string
	by     string
	since  instant

	next       AgentState // slot: paused or offline; empty: none
	nextReason string
	nextBy     string
	back       AgentState // lost: what returns
	backReason string
	backBy     string

	call   telephony.CallID
	queue  *queueState // of the call; nil: direct or outbound
	offer  *offer
	missed int
	idle   instant // free since; decides who is longest idle
	pooled bool    // stands in the pools
	rests  bool    // after a miss, until restTo
	restTo instant

	acwUntil   instant // noInstant: no limit
	acwMode    WrapupMode
	workEpoch  uint32
	workArmed  bool
	graceEpoch uint32
	graceArmed bool

	mine  []*caller // with a place, preferring this agent
	names []string  // of the queues, for screens; replaced, never changed
}

// connected reports whether the agent may be rung: a browser needs its heartbeat, a desk phone must not be known lost.
func (a *agent) connected() bool {
	if a.cfg.Kind == Desk {
		return a.conn != Lost
	}
	return a.conn == Online
}

// caller is one row: one stay of one call in one queue.
type caller struct {
	row      int64
	call     telephony.CallID
	q        *queueState
	line     *line
	pos      int // index in line.heap; -1: not there
	epoch    uint32
	timed    bool // a wait or adopt timer is armed
	state    EntryState
	prio     int
	eff      instant // begin of the effective wait: since - credit
	seq      uint64  // arrival
	since    instant
	credit   instant
	later    bool
	day      int
	skills   map[string]int
	lang     string
	tag      string
	maxUntil instant // noInstant: no limit
	leaving  bool    // left during an offer; parked until Leave says how
	overdue  bool    // max_wait passed during an offer
	prefer   *agent
	preferTo instant
	offer    *offer
	offers   int
	told     int // last position told; 0: none

	// With an outcome.
	outcome Outcome
	reason  string
	ended   instant
	wait    instant
	agent   *agent
	parties int // agents in the talk

	prev, next *caller
}

// before is the one order of callers: priority class, effective wait, queue weight, arrival (reliability I10).
func (c *caller) before(d *caller) bool {
	if c.prio != d.prio {
		return c.prio > d.prio
	}
	if c.eff != d.eff {
		return c.eff < d.eff
	}
	if c.q != d.q && c.q.cfg.Weight != d.q.cfg.Weight {
		return c.q.cfg.Weight > d.q.cfg.Weight
	}
	return c.seq < d.seq
}

// offer is one reservation.
type offer struct {
	id    OfferID
	c     *caller // nil: direct
	a     *agent
	call  telephony.CallID
	q     *queueState
	epoch uint32
	timed bool
	state OfferState

	result  FailReason
	made    instant
	expires instant // whatever happens
	rang    instant
	taken   instant
	ended   instant
	ringFor instant
	waited  instant
	why     decision
}

// decision is why this agent got this call.
type decision struct {
	rule    string // preferred, longest_idle, level, skills, pulled, direct
	side    string // call: a caller looked for an agent; agent: an agent looked for a caller; by: a person chose
	by      string
	choice  int // profiles with a free agent who could have taken the call, or queues' heads that the agent could have taken
	idle    instant
	level   int32
	score   int32
	prio    int
	wait    instant
	credit  instant
	ahead   bool // the preferred agent's own caller went before a better one of the same class
	reasons string
}

// apply fills defaults and derives durations.
func (q *queueState) apply(cfg Queue) {
	cfg = cfg.WithDefaults()
	q.cfg = cfg
	sec := func(n int) instant { return time.Duration(n) * time.Second }
	q.ring, q.wrapup, q.maxWait = sec(cfg.RingTimeoutS), sec(cfg.WrapupS), sec(cfg.MaxWaitS)
	q.rest, q.threshold, q.short = sec(cfg.MissedRestS), sec(cfg.SLThresholdS), sec(cfg.ShortAbandonS)
}

// pool finds or makes the pool of a profile.
func (q *queueState) pool(p *profile) *pool {
	for _, l := range q.pools {
		if l.profile == p {
			return l
		}
	}
	l := &pool{q: q, profile: p, openAt: -1}
	q.pools = append(q.pools, l)
	return l
}

// line finds or makes the line of a need.
func (q *queueState) line(n *need) *line {
	for _, l := range q.lines {
		if l.need == n {
			return l
		}
	}
	l := &line{q: q, need: n, busyAt: -1}
	q.lines = append(q.lines, l)
	return l
}

// serveable reports whether anybody signed on could take a call with this need.
func (q *queueState) serveable(n *need) bool {
	for _, p := range q.pools {
		if p.staffed > 0 && n.scoreOf(p.profile) != unable {
			return true
		}
	}
	return false
}
