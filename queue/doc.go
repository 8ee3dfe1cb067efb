// Package queue is in charge of who waits, who is free, and who gets whom.
//
// # Shape
//
//	calls ──Enter──▶ mailbox ─▶ owner goroutine (Engine.Run) ─▶ Place events, changes, metrics
//	agents ─SetAgentState…▶        │  step(state, event, now) → effects
//	timers ────────────────▶       └─▶ writer goroutine ─▶ rows (batched, in order, never waited for)
//
// Decisions are pure: state.step does no I/O, reads no clock, starts nothing. The Engine around it owns the mailbox (1024
// letters; a sender blocks with its context), one timer, and the places. No decision waits for the database; while it is
// away, rows collapse to the newest state of each key, up to a stated number, and what is more is counted.
//
// # Who gets whom
//
// Callers are ordered by one rule, the same for every queue and between queues: priority class, then effective wait (own
// wait and credit), then queue weight, then arrival. A caller at the head (Front, Requeue) is in a class of its own above
// all others. Agents are chosen by the queue's strategy. Agents with the same skills and levels share a profile; each
// (queue, profile) has an indexed heap of free members, each (queue, needed skills) an indexed heap of callers. A caller
// compares the best of each profile, an agent the head of each line it can serve: neither grows with the number of agents.
//
// # Agent
//
// Two facts: connection (online, lost, none) and work state. In a talk a lost connection only warns; the talk's owner says
// lost_call when the sound is gone.
//
//	            start shift             offer              bridged            ends             done, time over
//	offline ───────────────▶ available ───────▶ ringing ──────────▶ talking ──────▶ acw ─────────────────────▶ available
//	   ▲  ▲                   │ │ │ ▲             │ │ │               ▲ │ held, consulting,                     │
//	   │  │ 60 s              │ │ │ └ caller left ┘ │ │               │ ▼ conference                            ▼
//	   │ lost ◀ no heartbeat ─┘ │ └▶ dialing ───────┼─┼── answers ────┘ lost_call ─▶ (talking, lost, acw)   next state
//	   │                        ▼                   │ └▶ error: no sound within 5 s
//	   └────────────────────  paused ◀─ too many ───┘
//	                                    missed
//
// Allowed moves (agentMoves in machine.go, CHECK agent_state_move in migration 0020; a test compares the three):
//
//	offline    -> available paused
//	available  -> offline ringing dialing talking paused busy_other lost error
//	ringing    -> offline available talking paused lost error
//	dialing    -> offline available talking acw paused lost
//	talking    -> offline available held consulting conference acw paused lost lost_call
//	held       -> offline available talking consulting conference acw paused lost lost_call
//	consulting -> offline available talking held conference acw paused lost lost_call
//	conference -> offline available talking held acw paused lost lost_call
//	acw        -> offline available paused lost
//	paused     -> offline available dialing talking paused
//	busy_other -> offline available talking paused
//	lost       -> offline available talking paused error
//	lost_call  -> offline available talking acw paused lost error
//	error      -> offline available paused
//
// Next state is one slot (paused with a reason, or offline): the last wish wins, available empties it, it applies when the
// call or its wrap-up ends. An outbound try from a pause puts that pause into the slot. A missed or rejected offer goes
// back; the agent rests and stands last in the order of idleness; after max_missed in a row the state is paused with reason
// missed. An agent without connection for 60 s is signed off, except in a call.
//
// # Offer
//
//	made ──▶ ringing ──▶ accepted ──▶ connected
//	   └────────┴───────────┴──▶ missed, refused, failed, withdrawn
//
//	made      -> ringing accepted connected missed refused failed withdrawn
//	ringing   -> accepted connected missed refused failed withdrawn
//	accepted  -> connected missed refused failed withdrawn
//	connected ->
//	missed    ->
//	refused   ->
//	failed    ->
//	withdrawn ->
//
// An offer is a reservation of one agent for one call with a number for ever, an end (ring time + 5 s) and, in memory, an
// epoch that makes timers of an earlier stage stale. Releasing is idempotent: whoever comes late gets ErrOfferGone, or
// nothing where nothing can be gained by an error. A sweeper frees what outlived its end and raises an alarm: timers should
// leave it nothing.
//
// # Entry
//
//	parked ◀─▶ waiting ◀──▶ offered
//	   └──────────┴────────────┴──▶ ended (outcome: answered abandoned callback voicemail deflected flowed)
//
//	parked  -> waiting ended
//	waiting -> parked offered ended
//	offered -> parked waiting ended
//	ended   ->
//
// The wait ends when the customer can hear the agent (OfferConnected), and not before. A caller whose offer fails keeps the
// place: its key in the order never changes. max_wait that passes while a phone rings applies if that ring fails. Parked
// rows keep their place and get no offer: those rebuilt after a restart, before their call adopts them, and callers who
// left during an offer, until Leave says how.
//
// A refused caller (full, closed, no agents) has a row too, flowed with that reason, so that every caller is counted.
//
// # Invariants
//
//   - No agent has two live offers, no caller two, and no offer outlives its caller.
//   - Never a free agent and a waiting caller whom that agent could serve.
//   - Among callers an agent could serve, the one taken is first by the one order, except by Prefer inside a class and by
//     Pull, a person's decision; both leave their reason with the offer.
//   - N = A + B + C + V + D + F + W for every queue: each row has exactly one outcome.
//   - A told position never grows for one caller.
//   - Every move is in the tables; an event that does not fit is logged with the state's name and ignored.
//
// # Failures
//
// Killed: Load rebuilds places, classes and credits from the rows; agents get their last state back when they return
// within 60 s; states that depended on a call become available then. A preference (Prefer) does not survive. Database away:
// see writer.go. Clock set: the core counts monotonic time, so nothing times out. Slow subscriber: cut off, subscribes anew.
package queue
