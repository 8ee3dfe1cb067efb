package tickets

// Categories of a status. The name of a status is free, its category is what the machine knows.
const (
	catNew             = "new"
	catOpen            = "open"
	catWaitingCustomer = "waiting_customer"
	catWaitingVendor   = "waiting_vendor"
	catScheduled       = "scheduled"
	catSolved          = "solved"
	catClosed          = "closed"
	catMerged          = "merged"
	catSpam            = "spam"
)

// statusID is the row of each category, as the first migration numbers them.
var statusID = map[string]int16{catNew: 1, catOpen: 2, catWaitingCustomer: 3, catWaitingVendor: 4, catScheduled: 5,
	catSolved: 6, catClosed: 7, catMerged: 8, catSpam: 9}

// statusEvent is what moves a ticket.
type statusEvent string

const (
	evCustomer     statusEvent = "customer"      // the customer writes or calls
	evAgentReply   statusEvent = "agent_reply"   // a public answer, or an answered call
	evWaitCustomer statusEvent = "wait_customer" // an agent sets it
	evWaitVendor   statusEvent = "wait_vendor"
	evSchedule     statusEvent = "schedule"
	evTimer        statusEvent = "timer" // the time of the state is over
	evSolve        statusEvent = "solve"
	evReopen       statusEvent = "reopen" // an agent asks for it; needs the reopen window when closed
	evMerge        statusEvent = "merge"
	evSpam         statusEvent = "spam"
	evNotSpam      statusEvent = "not_spam"
)

// statusMoves is the status machine (3.7). An absent move is refused.
//
//	new -> open -> waiting_* / scheduled -> open ... -> solved -> closed
//	solved, closed -> open by the customer or on request inside the reopen window
//	any living state -> merged (for good), spam (back by "not spam")
var statusMoves = map[string]map[statusEvent]string{
	catNew: {evCustomer: catNew, evAgentReply: catOpen, evWaitCustomer: catWaitingCustomer, evWaitVendor: catWaitingVendor,
		evSchedule: catScheduled, evSolve: catSolved, evReopen: catOpen, evMerge: catMerged, evSpam: catSpam},
	catOpen: {evCustomer: catOpen, evAgentReply: catOpen, evWaitCustomer: catWaitingCustomer, evWaitVendor: catWaitingVendor,
		evSchedule: catScheduled, evSolve: catSolved, evMerge: catMerged, evSpam: catSpam},
	catWaitingCustomer: {evCustomer: catOpen, evAgentReply: catWaitingCustomer, evWaitCustomer: catWaitingCustomer, evWaitVendor: catWaitingVendor,
		evSchedule: catScheduled, evTimer: catSolved, evSolve: catSolved, evReopen: catOpen, evMerge: catMerged, evSpam: catSpam},
	catWaitingVendor: {evCustomer: catOpen, evAgentReply: catWaitingVendor, evWaitCustomer: catWaitingCustomer, evWaitVendor: catWaitingVendor,
		evSchedule: catScheduled, evTimer: catWaitingVendor, evSolve: catSolved, evReopen: catOpen, evMerge: catMerged, evSpam: catSpam},
	catScheduled: {evCustomer: catOpen, evAgentReply: catScheduled, evWaitCustomer: catWaitingCustomer, evWaitVendor: catWaitingVendor,
		evSchedule: catScheduled, evTimer: catOpen, evSolve: catSolved, evReopen: catOpen, evMerge: catMerged, evSpam: catSpam},
	catSolved: {evCustomer: catOpen, evAgentReply: catSolved, evTimer: catClosed, evReopen: catOpen, evMerge: catMerged},
	catClosed: {evCustomer: catOpen, evReopen: catOpen},
	catSpam:   {evCustomer: catSpam, evNotSpam: catOpen},
}

// nextStatus answers where an event moves a ticket; false refuses it. inWindow says whether a solved or closed ticket
// may still come back: beyond the window the customer gets a follow-up ticket (G7). An agent may reopen a solved
// ticket at any time, a closed one only inside the window.
func nextStatus(from string, ev statusEvent, inWindow bool) (string, bool) {
	to, ok := statusMoves[from][ev]
	if !ok {
		return "", false
	}
	if !inWindow && (from == catSolved && ev == evCustomer || from == catClosed) {
		return "", false
	}
	return to, true
}

func isDone(category string) bool { return category == catSolved || category == catClosed }
