package tickets

// NewTicket is what creating a ticket by hand takes.
type NewTicket struct {
	Title     string `json:"title"`
	Kind      string `json:"kind,omitempty"`       // empty: question
	ContactID int64  `json:"contact_id,omitempty"` // 0: by Phone, else none
	Phone     string `json:"phone,omitempty"`      // finds or makes a contact
	OrgID     int64  `json:"org_id,omitempty"`     // 0: the contact's
	Body      string `json:"body,omitempty"`       // first note
	Team      string `json:"team,omitempty"`       // name or id; empty: the actor's first team
	Severity  int    `json:"severity,omitempty"`   // 0: 4
	Assignee  string `json:"assignee,omitempty"`   // login; empty: nobody
}

// TicketPatch changes fields of a ticket; nil leaves a field alone. An empty Assignee and a zero id clear the field.
type TicketPatch struct {
	Title          *string `json:"title,omitempty"`
	Severity       *int    `json:"severity,omitempty"`
	ClientPriority *int    `json:"client_priority,omitempty"`
	Kind           *string `json:"kind,omitempty"`
	ContactID      *int64  `json:"contact_id,omitempty"`
	OrgID          *int64  `json:"org_id,omitempty"`
	Team           *string `json:"team,omitempty"`     // name or id
	Assignee       *string `json:"assignee,omitempty"` // login
}

// NewMessage is a note or a reply.
type NewMessage struct {
	Kind string `json:"kind"` // note, reply
	Body string `json:"body"`
	// LastSeenMessageID is the newest message the author has seen; a newer public one is a conflict. 0: not checked.
	LastSeenMessageID int64 `json:"last_seen_message_id,omitempty"`
}

// Assignment moves a ticket to an agent, a team, or both.
type Assignment struct {
	Assignee *string `json:"assignee,omitempty"` // login; empty string: nobody
	Team     *string `json:"team,omitempty"`     // name or id
}

// Solution closes the work on a ticket.
type Solution struct {
	Resolution string `json:"resolution"` // fixed, workaround, answered, duplicate, not_a_problem, wont_do, no_answer, out_of_scope
	RootCause  string `json:"root_cause,omitempty"`
	Body       string `json:"body,omitempty"` // closing note
}

// NewContact is what creating a contact takes.
type NewContact struct {
	Name   string     `json:"name"`
	Kind   string     `json:"kind,omitempty"` // empty: person
	Locale string     `json:"locale,omitempty"`
	OrgID  int64      `json:"org_id,omitempty"`
	Points []NewPoint `json:"points,omitempty"`
}

// NewPoint is an address to add. The value is normalised; what cannot be is refused.
type NewPoint struct {
	Kind    string `json:"kind"` // phone, email, telegram, ...
	Value   string `json:"value"`
	Ext     string `json:"ext,omitempty"`
	Label   string `json:"label,omitempty"`
	Sharing string `json:"sharing,omitempty"` // empty: personal
}

// ContactPatch changes a contact; nil leaves a field alone, a zero OrgID takes the contact out of its organisation.
type ContactPatch struct {
	Name    *string `json:"name,omitempty"`
	Kind    *string `json:"kind,omitempty"`
	Locale  *string `json:"locale,omitempty"`
	OrgID   *int64  `json:"org_id,omitempty"`
	Blocked *bool   `json:"blocked,omitempty"`
}

// NewOrg is what creating an organisation takes.
type NewOrg struct {
	Name           string     `json:"name"`
	Kind           string     `json:"kind,omitempty"`            // empty: client
	ClientPriority int        `json:"client_priority,omitempty"` // 0: 2
	Points         []NewPoint `json:"points,omitempty"`
}

// OrgPatch changes an organisation.
type OrgPatch struct {
	Name           *string `json:"name,omitempty"`
	Kind           *string `json:"kind,omitempty"`
	ClientPriority *int    `json:"client_priority,omitempty"`
}

// LinkChoice is an agent's answer to the card. Exactly one of Ticket, New and None is set. Contact says who called
// ("this is X"); the number is learned for them.
type LinkChoice struct {
	Ticket    string    `json:"ticket,omitempty"` // number
	New       *LinkNew  `json:"new,omitempty"`
	None      *LinkNone `json:"none,omitempty"`
	ContactID int64     `json:"contact_id,omitempty"`
}

// LinkNew makes a ticket for the call.
type LinkNew struct {
	Title string `json:"title"`
	Kind  string `json:"kind,omitempty"`
}

// LinkNone leaves the call without a ticket, for a reason.
type LinkNone struct {
	Reason string `json:"reason"`
}

// TicketFilter selects tickets. Zero fields do not filter.
type TicketFilter struct {
	Status  string // open, waiting, solved, all; empty: open
	Mine    bool
	Team    string // name or id
	Contact int64
	Org     int64
	Missed  bool // only missed-call tickets
	Query   string
	Sort    string // updated (default): newest activity first; work: rank, deadline
	Limit   int    // 0: 50, at most 200
	After   string // cursor
}

// ContactFilter selects contacts: by phone and email exactly, by Query loosely.
type ContactFilter struct {
	Phone string
	Email string
	Query string
	Org   int64
	Limit int
	After string
}

// OrgFilter selects organisations.
type OrgFilter struct {
	Query string
	Limit int
	After string
}

// CallFilter selects calls. Zero fields do not filter.
type CallFilter struct {
	Disposition string
	Number      string
	State       string // unlinked, abandoned, live
	Contact     int64
	Limit       int
	After       string
}

// CallbackFilter selects callbacks.
type CallbackFilter struct {
	State string // waiting (default), open (waiting or dialing), all, or a state
	Limit int
	After string
}
