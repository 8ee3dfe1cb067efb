package tickets

// The decision which ticket a call belongs to: rows A0a to A16, pure. Facts are gathered by gather.go, the outcome is
// written by apply.go.

// phase is when the table is asked.
type phase uint8

const (
	phaseAnswered phase = iota // a person answered: A0a-A9
	phaseEnded                 // hang-up: A0a, A0b, A10-A15
	phaseWrapUp                // the wrap-up time is over: A16
)

// States of a link. Moved by the table, by the agent's answer to the card, and by undo.
const (
	linkOpen      = "open"      // a ticket is wanted, nothing is preselected
	linkProposed  = "proposed"  // one ticket is preselected; nothing of the call is in it yet
	linkConfirmed = "confirmed" // the call's entry stands in the ticket
	linkNone      = "none"      // no ticket, by rule or by the agent's word
)

// Policies of a team: what the table may do by itself.
const (
	policyAuto = "auto"
	policyAsk  = "ask"
	policyOff  = "off"
)

// Flags on tickets that this table sets.
const (
	flagMissed    = "missed_call"
	flagVoicemail = "voicemail"
	flagCallback  = "callback"
	flagCheckLink = "check_link"
	flagWithheld  = "withheld"
	// flagUnverified marks a ticket whose contact rests on a merely claimed number.
	flagUnverified = "unverified"
)

const (
	defaultShortAbandonMS = 5000
	voicemailLeastMS      = 3000 // A14: less is a breath, not a message
)

// ticketFact is a ticket as the table sees it.
type ticketFact struct {
	ID       int64
	Category string
	InWindow bool // solved or closed, and still inside its team's reopen window
	Open     bool // neither solved nor closed
	Fresh    bool
	Place    bool // same team, or same dialled number (A7)
	Pure     bool // a missed-call ticket that holds nothing but missed calls of this number
}

// linkFact is the link the call already has.
type linkFact struct {
	Rule, State string
	TicketID    int64
}

// attachFacts is everything the table looks at.
type attachFacts struct {
	Phase     phase
	Outbound  bool
	NoTicket  bool // number policy, survey, internal call, own number
	Withheld  bool
	Trust     string // of the number, verified included
	Policy    string // of the team
	Link      *linkFact
	From      *ticketFact // dialled from this ticket
	IVR       *ticketFact // keyed in the menu, living ticket, check digit right
	IVRAccess bool        // the caller's contact or organisation may have it
	Missed    *ticketFact // missed-call ticket of the number: open, or touched within 60 minutes
	Return    *ticketFact // we called this number from it within 24 h, without a talk of more than 30 s
	// Candidates are at most six tickets of the matched contact, newest activity first.
	Candidates []ticketFact

	Answered       bool
	ReachedQueue   bool
	Disposition    string
	WaitMS         int
	ShortAbandonMS int
	VoicemailMS    int
}

// action is what is to be done with the call.
type action uint8

const (
	actKeep         action = iota // leave everything as it is
	actNothing                    // a link row, no ticket
	actList                       // a link row, candidates are listed
	actPropose                    // a link row that names a ticket
	actAttach                     // into the ticket
	actCreate                     // a new ticket
	actMissed                     // into the ticket, as a missed call
	actCreateMissed               // a new missed-call ticket with a callback
)

// decision is the outcome of the table.
type decision struct {
	Rule     string
	State    string
	Act      action
	TicketID int64
	Relates  int64 // a new ticket gets a link "relates" to this one
	FollowUp int64 // a new ticket follows this one, which may no longer be reopened (G7)
	Flags    []string
	Also     []string // further rows that added something: A14
	Verified bool     // number and keyed ticket together prove the caller (design.md section 7)
}

// trusted reports whether rows marked (n), which rest on the number alone, act as written.
func (f attachFacts) trusted() bool { return f.Trust == TrustAsserted || f.Trust == TrustVerified }

// decide goes through the table; the first row that holds speaks.
func decide(f attachFacts) decision {
	switch {
	case f.Phase == phaseWrapUp:
		return decideWrapUp(f)
	case f.Link != nil:
		return decision{Rule: "A0b", State: f.Link.State, Act: actKeep, TicketID: f.Link.TicketID}
	case f.NoTicket:
		return decision{Rule: "A0a", State: linkNone, Act: actNothing}
	case f.Phase == phaseEnded && !f.Answered:
		return decideUnanswered(f)
	}
	return decideAnswered(f)
}

// decideAnswered is rows A1 to A9.
func decideAnswered(f attachFacts) decision {
	if f.From != nil {
		return attach("A1", f.From)
	}
	if f.IVR != nil && !f.Outbound {
		return decideKeyed(f)
	}
	if f.Missed != nil && f.Missed.Open {
		return f.byNumber(attach("A4", f.Missed))
	}
	if f.Return != nil && !f.Outbound {
		return f.byNumber(attach("A5", f.Return))
	}
	if c := only(f.Candidates, func(c ticketFact) bool { return c.Category == "waiting_customer" }); c != nil && c.Fresh {
		return f.byNumber(f.byPolicy(attach("A6", c)))
	}
	if c := only(f.Candidates, func(c ticketFact) bool { return c.Open && c.Fresh }); c != nil && c.Place {
		return f.byNumber(f.byPolicy(attach("A7", c)))
	}
	if len(f.Candidates) > 0 {
		return decision{Rule: "A8", State: linkOpen, Act: actList}
	}
	d := decision{Rule: "A9", State: linkOpen, Act: actNothing}
	if f.Withheld {
		d.Rule, d.Flags = "A8a", []string{flagWithheld}
	}
	if f.Policy == policyAuto {
		d.State, d.Act = linkConfirmed, actCreate
	}
	return d
}

// decideKeyed is rows A2 and A3: the caller keyed a ticket number in the menu.
func decideKeyed(f attachFacts) decision {
	if !f.IVRAccess {
		return decision{Rule: "A3", State: linkProposed, Act: actPropose, TicketID: f.IVR.ID}
	}
	d := attach("A2", f.IVR)
	d.Verified = f.trusted()
	if !f.IVR.Open && !f.IVR.InWindow && f.trusted() {
		d.Act, d.TicketID, d.FollowUp = actCreate, 0, f.IVR.ID
		return d
	}
	return f.byNumber(d)
}

// decideUnanswered is rows A10 to A15.
func decideUnanswered(f attachFacts) decision {
	if f.Outbound {
		if f.From != nil {
			return attach("A15", f.From)
		}
		return decision{Rule: "A15", State: linkNone, Act: actNothing}
	}
	if !f.missed() {
		return decision{Rule: "A10", State: linkNone, Act: actNothing}
	}
	d := f.decideMissed()
	d.Flags = append(d.Flags, flagMissed)
	if f.VoicemailMS >= voicemailLeastMS {
		d.Flags, d.Also = append(d.Flags, flagVoicemail), append(d.Also, "A14")
	}
	if f.Disposition == "callback" {
		d.Flags = append(d.Flags, flagCallback)
	}
	if f.Withheld && d.Act == actCreateMissed {
		d.Flags = append(d.Flags, flagWithheld)
	}
	return d
}

// decideMissed is rows A11 to A13.
func (f attachFacts) decideMissed() decision {
	if m := f.Missed; m != nil {
		if f.trusted() || m.Pure {
			return decision{Rule: "A11", State: linkConfirmed, Act: actMissed, TicketID: m.ID}
		}
		return decision{Rule: "A12", State: linkConfirmed, Act: actCreateMissed, Relates: m.ID}
	}
	if c := only(f.Candidates, func(c ticketFact) bool { return c.Open && c.Fresh }); c != nil {
		if f.trusted() {
			return decision{Rule: "A12", State: linkConfirmed, Act: actMissed, TicketID: c.ID}
		}
		return decision{Rule: "A12", State: linkConfirmed, Act: actCreateMissed, Relates: c.ID}
	}
	return decision{Rule: "A13", State: linkConfirmed, Act: actCreateMissed}
}

// missed reports whether an unanswered inbound call needs a follow-up; false is A10. Leaving a message or asking for a
// callback always needs one; otherwise the caller must have reached a queue or rung a person.
func (f attachFacts) missed() bool {
	least := f.ShortAbandonMS
	if least == 0 {
		least = defaultShortAbandonMS
	}
	switch {
	case f.VoicemailMS >= voicemailLeastMS || f.Disposition == "callback" || f.Disposition == "no_answer":
		return true
	case f.Disposition == "abandoned_queue":
		return f.WaitMS >= least
	case f.Disposition == "abandoned_ivr":
		return false
	}
	return f.ReachedQueue // busy, rejected, failed, a voicemail too short: our side ended it
}

// decideWrapUp is row A16: the wrap-up time is over and the agent has not answered the card.
func decideWrapUp(f attachFacts) decision {
	if f.Link == nil || f.Link.State == linkConfirmed || f.Link.State == linkNone {
		return decision{Rule: "A0b", Act: actKeep}
	}
	// A3 waits for the agent to confirm who calls: silence is no confirmation.
	if f.Link.State == linkProposed && f.Link.Rule != "A3" && f.trusted() {
		return decision{Rule: "A16", State: linkConfirmed, Act: actAttach, TicketID: f.Link.TicketID}
	}
	if f.Policy == policyAuto {
		return decision{Rule: "A16", State: linkConfirmed, Act: actCreate, Relates: f.Link.TicketID, Flags: []string{flagCheckLink}}
	}
	return decision{Rule: "A0b", State: f.Link.State, Act: actKeep, TicketID: f.Link.TicketID}
}

func attach(rule string, t *ticketFact) decision {
	return decision{Rule: rule, State: linkConfirmed, Act: actAttach, TicketID: t.ID}
}

// byNumber turns a row marked (n) into a proposal when the number is merely claimed.
func (f attachFacts) byNumber(d decision) decision {
	if !f.trusted() {
		d.State, d.Act = linkProposed, actPropose
	}
	return d
}

// byPolicy turns an attachment into a proposal where the team wants to be asked.
func (f attachFacts) byPolicy(d decision) decision {
	if f.Policy != policyAuto {
		d.State, d.Act = linkProposed, actPropose
	}
	return d
}

// only gives the one ticket that fits, nil when none or several do.
func only(ts []ticketFact, fits func(ticketFact) bool) *ticketFact {
	var found *ticketFact
	for i := range ts {
		if fits(ts[i]) {
			if found != nil {
				return nil
			}
			found = &ts[i]
		}
	}
	return found
}
