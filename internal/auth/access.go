package auth

import "slices"

// Resource is a kind of thing behind the API.
type Resource string

// Resources.
const (
	Self       Resource = "self" // one's own session, profile and password
	Users      Resource = "users"
	Queues     Resource = "queues"
	Trunks     Resource = "trunks"
	Numbers    Resource = "numbers"
	Flows      Resource = "flows"
	Teams      Resource = "teams"
	Tickets    Resource = "tickets"
	Contacts   Resource = "contacts"
	Orgs       Resource = "orgs"
	Calls      Resource = "calls"
	Recordings Resource = "recordings"
	Hearings   Resource = "hearings" // who heard a recording
	Callbacks  Resource = "callbacks"
	Tokens     Resource = "tokens"
	Audit      Resource = "audit"
	Live       Resource = "live"
	Phone      Resource = "phone" // the agent's own telephone
)

// Verb is what a request does to a resource.
type Verb string

// Verbs.
const (
	Read  Verb = "read"
	Write Verb = "write"
)

// Scopes a token may have. They only take away: a token can never do more than its agent.
const (
	ScopeTicketsRead    = "tickets:read" // tickets, contacts, organisations, look-up, teams
	ScopeTicketsWrite   = "tickets:write"
	ScopeCallsRead      = "calls:read" // calls, callbacks, queues, flows
	ScopeCallsWrite     = "calls:write"
	ScopeRecordingsRead = "recordings:read"
	ScopeLiveRead       = "live:read"
	ScopePhone          = "phone" // be the agent's telephone
	ScopeAdmin          = "admin" // settings, accounts, audit
)

// Scopes lists all scopes.
var Scopes = []string{ScopeTicketsRead, ScopeTicketsWrite, ScopeCallsRead, ScopeCallsWrite, ScopeRecordingsRead, ScopeLiveRead, ScopePhone, ScopeAdmin}

// any says that every signed-in agent may; anyScope that every token may; noScope that no token may.
const (
	anybody  = ""
	anyScope = "*"
	noScope  = "-"
)

// need is what a request needs: a permission of the person and, for a token, a scope.
type need struct{ permission, scope string }

// needs is the whole table of who may do what. Which *objects* are visible is a second question, answered by the
// package that owns them (tickets: visible_tickets); it never replaces this one.
var needs = map[Resource]map[Verb]need{
	Self:       {Read: {anybody, anyScope}, Write: {anybody, noScope}},
	Users:      {Read: {"admin.users", ScopeAdmin}, Write: {"admin.users", ScopeAdmin}},
	Queues:     {Read: {anybody, ScopeCallsRead}, Write: {"admin.queues", ScopeAdmin}},
	Trunks:     {Read: {"admin.trunks", ScopeAdmin}, Write: {"admin.trunks", ScopeAdmin}},
	Numbers:    {Read: {"admin.numbers", ScopeAdmin}, Write: {"admin.numbers", ScopeAdmin}},
	Flows:      {Read: {anybody, ScopeCallsRead}},
	Teams:      {Read: {anybody, ScopeTicketsRead}},
	Tickets:    {Read: {anybody, ScopeTicketsRead}, Write: {anybody, ScopeTicketsWrite}},
	Contacts:   {Read: {anybody, ScopeTicketsRead}, Write: {"contact.write", ScopeTicketsWrite}},
	Orgs:       {Read: {anybody, ScopeTicketsRead}, Write: {"org.write", ScopeTicketsWrite}},
	Calls:      {Read: {anybody, ScopeCallsRead}, Write: {anybody, ScopeCallsWrite}},
	Recordings: {Read: {anybody, ScopeRecordingsRead}},
	Hearings:   {Read: {"recording.read_all", ScopeRecordingsRead}},
	Callbacks:  {Read: {anybody, ScopeCallsRead}, Write: {"callback.write", ScopeCallsWrite}},
	Tokens:     {Read: {"admin.tokens", noScope}, Write: {"admin.tokens", noScope}},
	Audit:      {Read: {"audit.read", ScopeAdmin}},
	Live:       {Read: {"live.read", ScopeLiveRead}},
	Phone:      {Read: {"phone.use", ScopePhone}, Write: {"phone.use", ScopePhone}}, // write: call somebody
}

// May reports whether the identity may do v to resources of kind r at all. What the table does not name is refused.
func (id *Identity) May(r Resource, v Verb) bool {
	n, ok := needs[r][v]
	if !ok || id == nil {
		return false
	}
	if n.permission != anybody && !id.Can(n.permission) {
		return false
	}
	if id.TokenID == 0 || n.scope == anyScope {
		return true
	}
	return slices.Contains(id.Scopes, n.scope)
}

// MayHear reports whether the identity may hear the recordings of a call that it sees: our own agents may, external
// ones when their role says so.
func (id *Identity) MayHear() bool {
	return id.May(Recordings, Read) && (id.PartnerOrgID == 0 || id.Can("recording.read_all"))
}
