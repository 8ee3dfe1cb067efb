package tickets

import "time"

// Text is a text in both languages of the product.
type Text struct {
	RU string `json:"ru"`
	EN string `json:"en"`
}

// In picks the language; anything but ru reads as English.
func (t Text) In(lang string) string {
	if lang == "ru" {
		return t.RU
	}
	return t.EN
}

// Page is one page of a list. Next is the cursor for the following page, empty on the last one.
type Page[T any] struct {
	Data []T      `json:"data"`
	Page PageInfo `json:"page"`
}

// PageInfo is the paging part of a list answer.
type PageInfo struct {
	Next    string `json:"next"`
	HasMore bool   `json:"has_more"`
}

// Status of a ticket: a free name over a fixed category.
type Status struct {
	Key      string `json:"key"`
	Name     Text   `json:"name"`
	Category string `json:"category"`
}

// TeamRef names a team.
type TeamRef struct {
	ID   int64  `json:"id"`
	Name string `json:"name"`
	Line int    `json:"line"`
}

// AgentRef names an agent.
type AgentRef struct {
	Login string `json:"login"`
	Name  string `json:"name"`
}

// OrgRef names an organisation.
type OrgRef struct {
	ID   int64  `json:"id"`
	Name string `json:"name"`
}

// ContactRef names a contact, with the addresses known for it.
type ContactRef struct {
	ID     int64   `json:"id"`
	Name   string  `json:"name"`
	Points []Point `json:"points"`
}

// TicketRef names a ticket in another view.
type TicketRef struct {
	Number string `json:"number"`
	Title  string `json:"title"`
}

// Ticket is a ticket as lists and pages show it.
type Ticket struct {
	ID             int64       `json:"-"`
	Number         string      `json:"number"`
	Title          string      `json:"title"`
	Kind           string      `json:"kind"` // question, problem, suggestion, feedback, task
	Status         Status      `json:"status"`
	Severity       int         `json:"severity"`        // 1 blocking .. 5 trivial
	ClientPriority int         `json:"client_priority"` // 1 high .. 3 low
	Team           TeamRef     `json:"team"`
	Assignee       *AgentRef   `json:"assignee"`
	Contact        *ContactRef `json:"contact"`
	Org            *OrgRef     `json:"org"`
	Channel        string      `json:"channel"` // kind of the channel it came through; empty: made by hand
	CreatedAt      time.Time   `json:"created_at"`
	UpdatedAt      time.Time   `json:"updated_at"`
	LastCustomerAt *time.Time  `json:"last_customer_at"`
	NextDueAt      *time.Time  `json:"next_due_at"`
	SolvedAt       *time.Time  `json:"solved_at"`
	Breached       bool        `json:"breached"`
	Resolution     string      `json:"resolution"`
	RootCause      string      `json:"root_cause"`
	MissedCalls    int         `json:"missed_calls"`
	Flags          []string    `json:"flags"`
	Preview        string      `json:"preview"` // beginning of the newest message
	Version        int         `json:"version"`

	contactID int64
	rank      int
	missed    bool // a missed-call ticket
}

// Point is an address of a contact or organisation: a phone, a mail address, a messenger id.
type Point struct {
	ID         int64      `json:"id"`
	Kind       string     `json:"kind"`
	Value      string     `json:"value"` // normalised: E.164, lower case
	Raw        string     `json:"raw"`
	Ext        string     `json:"ext"`
	Label      string     `json:"label"`
	Sharing    string     `json:"sharing"` // personal, shared
	Level      string     `json:"level"`   // known, maybe
	VerifiedAt *time.Time `json:"verified_at"`
}

// Contact is a person, a shared line or a bare number.
type Contact struct {
	ID      int64    `json:"id"`
	Name    string   `json:"name"`
	Kind    string   `json:"kind"` // person, shared, unknown, machine
	Locale  string   `json:"locale"`
	Org     *OrgRef  `json:"org"` // the primary one
	Orgs    []OrgRef `json:"orgs"`
	Points  []Point  `json:"points"`
	Blocked bool     `json:"blocked"`
	Version int      `json:"version"`
}

// Org is a customer's organisation.
type Org struct {
	ID             int64   `json:"id"`
	Name           string  `json:"name"`
	Kind           string  `json:"kind"` // client, partner, vendor, internal
	ClientPriority int     `json:"client_priority"`
	Plan           string  `json:"plan"`     // key of the plan valid today; empty: the default plan
	Engineer       string  `json:"engineer"` // name of the named engineer; empty: none
	Points         []Point `json:"points"`
	Contacts       int     `json:"contacts"` // people known
	Version        int     `json:"version"`
}

// Candidate is a ticket that a call may belong to, in the order the card shows them (keys 1 to 6).
type Candidate struct {
	Key       int        `json:"key"` // 1..6
	Number    string     `json:"number"`
	Title     string     `json:"title"`
	Status    Status     `json:"status"`
	Fresh     bool       `json:"fresh"` // active within the team's fresh_days
	Missed    bool       `json:"missed"`
	Team      TeamRef    `json:"team"`
	UpdatedAt time.Time  `json:"updated_at"`
	NextDueAt *time.Time `json:"next_due_at"`

	id, channelID int64
	active        time.Time // last activity of the customer or an agent
}

// ListedContact is a person offered by the look-up, with the reason to offer them.
type ListedContact struct {
	ID     int64      `json:"id"`
	Name   string     `json:"name"`
	Org    *OrgRef    `json:"org"`
	Ext    string     `json:"ext,omitempty"`
	Source string     `json:"source,omitempty"` // "maybe" points: the ticket it was seen in
	SeenAt *time.Time `json:"seen_at,omitempty"`
}

// Caller is the answer of the look-up: who may be calling, how sure that is, and which tickets it may be about.
type Caller struct {
	Level      string          `json:"level"`       // known, shared, maybe, ambiguous, none, withheld, own
	Rule       string          `json:"rule"`        // row of the look-up table: L0..L11
	NumberRule string          `json:"number_rule"` // row that normalised the number: N1..N7
	Reason     string          `json:"reason_text"`
	E164       string          `json:"e164"`
	Ext        string          `json:"ext"`
	Raw        string          `json:"raw"`
	Name       string          `json:"name"` // name given by the signalling: a hint, never an identity
	Trust      string          `json:"trust"`
	Contact    *Contact        `json:"contact"`
	Org        *Org            `json:"org"`
	Contacts   []ListedContact `json:"contacts"`
	Candidates []Candidate     `json:"candidates"`
	Blocked    bool            `json:"blocked"`   // L2: refuse the call
	NoTicket   bool            `json:"no_ticket"` // number policy: never a ticket
	VIP        bool            `json:"vip"`
	Plan       string          `json:"plan"`
	Engineer   string          `json:"engineer"`
	Locale     string          `json:"locale"` // language the contact prefers; empty: unknown
}

// LinkView is how a call hangs on tickets, and why.
type LinkView struct {
	Rule       string     `json:"rule"`
	State      string     `json:"state"` // open, proposed, confirmed, none
	ReasonText string     `json:"reason_text"`
	Ticket     *TicketRef `json:"ticket"` // nil when the actor may not see it
	MatchLevel string     `json:"match_level"`
	MatchRule  string     `json:"match_rule"`
	By         string     `json:"by"` // login of the agent who decided; empty: a rule
	At         *time.Time `json:"at"`
	Missed     bool       `json:"missed"`
	Result     string     `json:"result"` // wrap-up
	Note       string     `json:"note"`
	CanUndo    bool       `json:"can_undo"`
}

// PathStep is one step of the caller's way through the menu.
type PathStep struct {
	Node string     `json:"node"`
	Exit string     `json:"exit,omitempty"`
	At   *time.Time `json:"at,omitempty"`
	// Label is the node's title per language, as it was then; nil: it had none.
	Label map[string]string `json:"label,omitempty"`
}

// LegView is one party of a call.
type LegView struct {
	Key        string     `json:"key"`
	Role       string     `json:"role"`
	Agent      *AgentRef  `json:"agent"`
	Endpoint   string     `json:"endpoint"`
	StartedAt  time.Time  `json:"started_at"`
	AnsweredAt *time.Time `json:"answered_at"`
	EndedAt    *time.Time `json:"ended_at"`
	Cause      string     `json:"cause"`
}

// RecordingRef names a recording of a call; audio is served by the recordings package.
type RecordingRef struct {
	ID         int64      `json:"id"`
	Kind       string     `json:"kind"`
	State      string     `json:"state"`
	DurationMS int        `json:"duration_ms"`
	Channels   int        `json:"channels"`
	StartedAt  *time.Time `json:"started_at"`
}

// CallerRef is the calling side as stored with the call: a claim with its trust.
type CallerRef struct {
	Number   string `json:"number"` // E.164, or as signalled
	Raw      string `json:"raw"`
	Name     string `json:"name"`
	Trust    string `json:"trust"`
	Withheld bool   `json:"withheld"`
}

// Call is a call as lists, pages and timelines show it.
type Call struct {
	ID          int64          `json:"id"`
	Key         string         `json:"key"`
	Direction   string         `json:"direction"`
	State       string         `json:"state"`
	Caller      CallerRef      `json:"caller"`
	Called      string         `json:"called"`
	Trunk       string         `json:"trunk"`
	Queue       string         `json:"queue"`
	QueueName   string         `json:"queue_name"` // empty: in none, or the queue is no more
	Lang        string         `json:"lang"`
	Team        *TeamRef       `json:"team"`
	Contact     *ContactRef    `json:"contact"`
	Org         *OrgRef        `json:"org"`
	Agents      []AgentRef     `json:"agents"` // who answered, in order
	StartedAt   time.Time      `json:"started_at"`
	AnsweredAt  *time.Time     `json:"answered_at"`
	EndedAt     *time.Time     `json:"ended_at"`
	Disposition string         `json:"disposition"`
	EndResult   string         `json:"end_result"`
	EndReason   string         `json:"end_reason"`
	HangupBy    string         `json:"hangup_by"`
	WaitMS      int            `json:"wait_ms"`
	TalkMS      int            `json:"talk_ms"`
	HoldMS      int            `json:"hold_ms"`
	MenuPath    []PathStep     `json:"menu_path"`
	Legs        []LegView      `json:"legs"`
	Recordings  []RecordingRef `json:"recordings"`
	Link        LinkView       `json:"link"`

	contactID int64
}

// CallEvent is a raw fact of a call in order.
type CallEvent struct {
	Seq  int            `json:"seq"`
	At   time.Time      `json:"at"`
	Type string         `json:"type"`
	Data map[string]any `json:"data"`
}

// TimelineItem is one entry of a ticket: what was said, called or changed.
type TimelineItem struct {
	ID         string      `json:"id"`   // stable: m12, e34
	Type       string      `json:"type"` // message, call, event
	At         time.Time   `json:"at"`
	Author     *AgentRef   `json:"author"`               // nil: the customer, or a rule
	Contact    *ContactRef `json:"contact"`              // who wrote or called; without points
	Kind       string      `json:"kind,omitempty"`       // of a message
	Direction  string      `json:"direction,omitempty"`  // in, out, none
	Visibility string      `json:"visibility,omitempty"` // public, internal
	Body       string      `json:"body,omitempty"`
	Delivery   string      `json:"delivery,omitempty"`
	MessageID  int64       `json:"message_id,omitempty"`
	Call       *Call       `json:"call,omitempty"`
	Event      *EventView  `json:"event,omitempty"`
}

// EventView is a change of a ticket.
type EventView struct {
	Type       string         `json:"type"`
	Field      string         `json:"field,omitempty"`
	Old        any            `json:"old,omitempty"`
	New        any            `json:"new,omitempty"`
	ActorKind  string         `json:"actor_kind"`
	Rule       string         `json:"rule,omitempty"`
	Call       int64          `json:"call,omitempty"`
	ReasonText string         `json:"reason_text,omitempty"`
	Cause      map[string]any `json:"cause,omitempty"`
}

// WhyItem answers "why did it do that?": one automatic step with its rule in words.
type WhyItem struct {
	At         time.Time `json:"at"`
	Rule       string    `json:"rule"`
	ReasonText string    `json:"reason_text"`
	What       string    `json:"what"` // type of the event
	Call       int64     `json:"call,omitempty"`
}

// Callback is a promise to call back.
type Callback struct {
	ID       int64       `json:"id"`
	Number   string      `json:"number"`
	State    string      `json:"state"` // waiting, dialing, done, failed, cancelled
	AskedAt  time.Time   `json:"asked_at"`
	Attempts int         `json:"attempts"`
	Ticket   *TicketRef  `json:"ticket"`
	CallID   *int64      `json:"call_id"`
	Contact  *ContactRef `json:"contact"`
	TakenBy  *AgentRef   `json:"taken_by"` // who is calling the number now; nil: nobody
}

// Team is a team as the API lists it.
type Team struct {
	TeamRef
	Members []AgentRef `json:"members"`
}
