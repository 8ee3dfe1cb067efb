package queue

import (
	"context"
	"maps"
	"slices"
	"time"

	"hotline/telephony"
)

// SetQueues replaces the set of queues. A queue that is no longer listed is removed: its callers get Closed.
func (e *Engine) SetQueues(ctx context.Context, queues []Queue) error {
	keep := make(map[string]bool, len(queues))
	for i := range queues {
		keep[queues[i].Key] = true
		if err := e.do(ctx, event{kind: evSetQueue, queueCfg: &queues[i]}); err != nil {
			return err
		}
	}
	return e.do(ctx, event{kind: evKeepQueues, keep: keep})
}

// agentsPerMessage bounds how long the owner is busy with one letter of SetAgents, so that no offer is late (Q1).
const agentsPerMessage = 50

// SetAgents replaces the set of agents: their queues, levels and skills. States stay. An agent that is no longer
// listed is signed off and removed when its call ends.
func (e *Engine) SetAgents(ctx context.Context, agents []Agent) error {
	keep := make(map[string]bool, len(agents))
	agents = slices.Clone(agents)
	for i := range agents {
		a := &agents[i]
		keep[a.Login] = true
		a.Skills, a.Queues = maps.Clone(a.Skills), slices.Clone(a.Queues)
	}
	for len(agents) > 0 {
		n := min(agentsPerMessage, len(agents))
		if err := e.do(ctx, event{kind: evSetAgents, agentCfgs: agents[:n]}); err != nil {
			return err
		}
		agents = agents[n:]
	}
	return e.do(ctx, event{kind: evKeepAgents, keep: keep})
}

// Enter gives a call its place at once, or says why not: ErrFull, ErrNoAgents, ErrClosed, ErrUnknownQueue,
// ErrAlreadyWaiting. A call that was waiting before a restart keeps its old place, class and credit. Whoever gets a
// Place calls Leave when done.
func (e *Engine) Enter(ctx context.Context, entry Entry) (*Place, error) {
	entry.Skills = maps.Clone(entry.Skills)
	return e.enter(ctx, event{kind: evEnter, call: entry.Call, queue: entry.Queue, entry: &entry})
}

// Adopt takes over the place of a call that was waiting before a restart. ErrUnknownCall: it had none.
func (e *Engine) Adopt(ctx context.Context, call telephony.CallID) (*Place, error) {
	return e.enter(ctx, event{kind: evAdopt, call: call})
}

// Requeue puts a caller whose agent was lost back at the head of the queue it came from, as a new row; prefer goes first
// for PreferFor. The agent in lost_call moves on (lost, or error when its page is there but its sound is not).
func (e *Engine) Requeue(ctx context.Context, call telephony.CallID, prefer, tag string) (*Place, error) {
	return e.enter(ctx, event{kind: evRequeue, call: call, agent: prefer, reason: tag})
}

func (e *Engine) enter(ctx context.Context, ev event) (*Place, error) {
	r, err := e.post(ctx, ev)
	if err != nil {
		return nil, err
	}
	return r.place, nil
}

// AdoptTalk takes over a talk that was going on before a restart, for a call whose driver kept it up: the agent is in it
// again, and Requeue works as in any talk. Of the entry, queue, skills, language and credit (the wait so far) count. Saying
// it again of the same agent renews all but the queue.
// ErrWrongState: the agent is in another call, or signed off; then Enter with Front and Prefer is the way.
func (e *Engine) AdoptTalk(ctx context.Context, agent string, entry Entry) error {
	entry.Skills = maps.Clone(entry.Skills)
	return e.do(ctx, event{kind: evAdoptTalk, call: entry.Call, agent: agent, entry: &entry})
}

// OfferRinging says that the agent's phone rings: the ring time starts anew, within the reservation.
func (e *Engine) OfferRinging(ctx context.Context, id OfferID) error {
	return e.do(ctx, event{kind: evOfferRinging, offer: id})
}

// OfferAccepted says that the agent answered and sound is not yet up. ErrOfferGone: too late.
func (e *Engine) OfferAccepted(ctx context.Context, id OfferID) error {
	return e.do(ctx, event{kind: evOfferAccepted, offer: id})
}

// OfferConnected says that the customer can hear the agent: the wait ends, the agent talks. ErrOfferGone: do not bridge.
func (e *Engine) OfferConnected(ctx context.Context, id OfferID) error {
	return e.do(ctx, event{kind: evOfferConnected, offer: id})
}

// OfferFailed says why the offer did not become a talk. Repeating it is harmless.
func (e *Engine) OfferFailed(ctx context.Context, id OfferID, why FailReason) error {
	return e.do(ctx, event{kind: evOfferFailed, offer: id, reason: string(why)})
}

// OfferDirect reserves one free agent for a call that waits in no queue: a transfer or a consultation. ErrAgentBusy
// when the agent is not available. The offer ends as every other; there is no Place.
func (e *Engine) OfferDirect(ctx context.Context, call telephony.CallID, agent string, ringFor time.Duration) (Offer, error) {
	r, err := e.post(ctx, event{kind: evOfferDirect, call: call, agent: agent, dur: ringFor})
	return r.offer, err
}

// ContactEnded says that the agent's part of a call is over: wrap-up, the next state, or available. Repeating it, or
// saying it late, is harmless.
func (e *Engine) ContactEnded(ctx context.Context, call telephony.CallID, agent string) error {
	return e.do(ctx, event{kind: evContactEnded, call: call, agent: agent})
}

// Contact says how the agent's talk goes on: talking, held, consulting, conference or lost_call. An available or paused
// agent who takes a call over begins with talking.
func (e *Engine) Contact(ctx context.Context, call telephony.CallID, agent string, to AgentState) error {
	return e.do(ctx, event{kind: evContact, call: call, agent: agent, want: to})
}

// Dialing says that the agent starts an outbound try, from available or paused. ErrWrongState otherwise. The wrap-up of
// the talk is that of queue; empty, or a queue that is gone: none.
func (e *Engine) Dialing(ctx context.Context, call telephony.CallID, agent, queue string) error {
	return e.do(ctx, event{kind: evDialing, call: call, agent: agent, queue: queue})
}

// DialFailed returns the agent to where the try began, that pause included; with wrapup for so long to ACW.
func (e *Engine) DialFailed(ctx context.Context, call telephony.CallID, agent string, wrapup time.Duration) error {
	return e.do(ctx, event{kind: evDialFailed, call: call, agent: agent, dur: wrapup})
}

// SetAgentState is the agent's own wish: available, paused with a reason, or offline. During a call it goes into the
// next-state slot, where the last wish wins and available empties it. An empty want empties it too.
func (e *Engine) SetAgentState(ctx context.Context, login string, want AgentState, reason, by string, when When) error {
	return e.do(ctx, event{kind: evWant, agent: login, want: want, reason: reason, by: by, when: when})
}

// Force is a supervisor's hand on an agent; the agent sees who and why.
func (e *Engine) Force(ctx context.Context, by, login string, op ForceOp, reason string) error {
	return e.do(ctx, event{kind: evForce, agent: login, by: by, op: op, reason: reason})
}

// Connection says what is known of the agent's page or phone.
func (e *Engine) Connection(ctx context.Context, login string, c Connection) error {
	return e.do(ctx, event{kind: evConnection, agent: login, conn: c})
}

// AgentFault says that the agent's sound does not work, with the exact reason; AgentFixed that a self test passed.
func (e *Engine) AgentFault(ctx context.Context, login, reason string) error {
	return e.do(ctx, event{kind: evFault, agent: login, reason: reason})
}

// AgentFixed ends the error state.
func (e *Engine) AgentFixed(ctx context.Context, login string) error {
	return e.do(ctx, event{kind: evFixed, agent: login})
}

// BusyOther says that the agent begins or ends work on another channel that fills its capacity.
func (e *Engine) BusyOther(ctx context.Context, login string, busy bool) error {
	return e.do(ctx, event{kind: evBusyOther, agent: login, flag: busy})
}

// WrapUpDone ends the agent's wrap-up. ErrWrongState when the queue's mode forbids it.
func (e *Engine) WrapUpDone(ctx context.Context, login string) error {
	return e.do(ctx, event{kind: evWrapUpDone, agent: login, by: login})
}

// ExtendWrapUp adds time to a running wrap-up and returns its new end.
func (e *Engine) ExtendWrapUp(ctx context.Context, login string, by time.Duration) (until time.Time, err error) {
	r, err := e.post(ctx, event{kind: evWrapUpExtend, agent: login, dur: by})
	return r.until, err
}

// SetPriority changes the class of a waiting call.
func (e *Engine) SetPriority(ctx context.Context, call telephony.CallID, priority int, by, reason string) error {
	return e.do(ctx, event{kind: evPriority, call: call, n: priority, by: by, reason: reason})
}

// Move puts a waiting call into another queue (its time of entry is kept, as credit of the new row), or to the head of
// its own when front is set and queue is its own or empty.
func (e *Engine) Move(ctx context.Context, call telephony.CallID, queue string, front bool, by, reason string) error {
	return e.do(ctx, event{kind: evMove, call: call, queue: queue, flag: front, by: by, reason: reason})
}

// Pull offers a waiting call to one named free agent, whatever the order says. ErrAgentBusy when that cannot be.
func (e *Engine) Pull(ctx context.Context, call telephony.CallID, agent, by, reason string) error {
	return e.do(ctx, event{kind: evPull, call: call, agent: agent, by: by, reason: reason})
}

// Remove tells a waiting call to hang up; its row ends as flowed.
func (e *Engine) Remove(ctx context.Context, call telephony.CallID, by, reason string) error {
	return e.do(ctx, event{kind: evRemove, call: call, by: by, reason: reason})
}
