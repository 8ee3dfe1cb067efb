package tickets

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
)

var errSkeleton = errors.New("not written yet")

// SetWrapUp stores note and result of a call.
func (s *Service) SetWrapUp(ctx context.Context, tx pgx.Tx, a Actor, call string, result, note string) (Call, error) {
	return Call{}, errSkeleton
}

// LinkCall answers the card.
func (s *Service) LinkCall(ctx context.Context, tx pgx.Tx, a Actor, call string, c LinkChoice) (Call, error) {
	return Call{}, errSkeleton
}

// MoveCall moves a linked call to another ticket.
func (s *Service) MoveCall(ctx context.Context, tx pgx.Tx, a Actor, call, ticket string) (Call, error) {
	return Call{}, errSkeleton
}

// SplitCall moves a linked call into a new ticket.
func (s *Service) SplitCall(ctx context.Context, tx pgx.Tx, a Actor, call, title string) (Call, error) {
	return Call{}, errSkeleton
}

// UnlinkCall takes a call off its ticket.
func (s *Service) UnlinkCall(ctx context.Context, tx pgx.Tx, a Actor, call string) (Call, error) {
	return Call{}, errSkeleton
}

// ConfirmLink accepts the proposed ticket.
func (s *Service) ConfirmLink(ctx context.Context, tx pgx.Tx, a Actor, call string) (Call, error) {
	return Call{}, errSkeleton
}

// UndoLink takes the last change of the link back.
func (s *Service) UndoLink(ctx context.Context, tx pgx.Tx, a Actor, call string) (Call, error) {
	return Call{}, errSkeleton
}

// CreateTicket makes a ticket by hand.
func (s *Service) CreateTicket(ctx context.Context, tx pgx.Tx, a Actor, n NewTicket) (Ticket, error) {
	return Ticket{}, errSkeleton
}

// PatchTicket changes fields; version is the base of the edit (If-Match), 0: not checked.
func (s *Service) PatchTicket(ctx context.Context, tx pgx.Tx, a Actor, number string, version int, p TicketPatch) (Ticket, error) {
	return Ticket{}, errSkeleton
}

// AddMessage writes a note or a reply.
func (s *Service) AddMessage(ctx context.Context, tx pgx.Tx, a Actor, number string, m NewMessage) (TimelineItem, error) {
	return TimelineItem{}, errSkeleton
}

// Assign moves a ticket to an agent or team.
func (s *Service) Assign(ctx context.Context, tx pgx.Tx, a Actor, number string, to Assignment) (Ticket, error) {
	return Ticket{}, errSkeleton
}

// Solve closes the work.
func (s *Service) Solve(ctx context.Context, tx pgx.Tx, a Actor, number string, how Solution) (Ticket, error) {
	return Ticket{}, errSkeleton
}

// Reopen opens a solved or closed ticket again.
func (s *Service) Reopen(ctx context.Context, tx pgx.Tx, a Actor, number string) (Ticket, error) {
	return Ticket{}, errSkeleton
}

// Wait sets waiting_customer, waiting_vendor or scheduled; until may be zero.
func (s *Service) Wait(ctx context.Context, tx pgx.Tx, a Actor, number, category string, until time.Time) (Ticket, error) {
	return Ticket{}, errSkeleton
}

// Spam marks a ticket as spam, or takes the mark back.
func (s *Service) Spam(ctx context.Context, tx pgx.Tx, a Actor, number string, spam bool) (Ticket, error) {
	return Ticket{}, errSkeleton
}

// ListTickets lists what the actor sees.
func (s *Service) ListTickets(ctx context.Context, a Actor, f TicketFilter) (Page[Ticket], error) {
	return Page[Ticket]{}, errSkeleton
}

// Timeline lists messages, calls and events of a ticket, oldest first.
func (s *Service) Timeline(ctx context.Context, a Actor, number, after string, limit int) (Page[TimelineItem], error) {
	return Page[TimelineItem]{}, errSkeleton
}

// Why lists the automatic steps on a ticket.
func (s *Service) Why(ctx context.Context, a Actor, number string) ([]WhyItem, error) {
	return nil, errSkeleton
}

// CreateContact makes a contact.
func (s *Service) CreateContact(ctx context.Context, tx pgx.Tx, a Actor, n NewContact) (Contact, error) {
	return Contact{}, errSkeleton
}

// GetContact reads one.
func (s *Service) GetContact(ctx context.Context, a Actor, id int64) (Contact, error) {
	return Contact{}, errSkeleton
}

// PatchContact changes one; version 0: not checked.
func (s *Service) PatchContact(ctx context.Context, tx pgx.Tx, a Actor, id int64, version int, p ContactPatch) (Contact, error) {
	return Contact{}, errSkeleton
}

// ListContacts searches.
func (s *Service) ListContacts(ctx context.Context, a Actor, f ContactFilter) (Page[Contact], error) {
	return Page[Contact]{}, errSkeleton
}

// AddPoint adds an address; a personal one that somebody has is a conflict naming the owner.
func (s *Service) AddPoint(ctx context.Context, tx pgx.Tx, a Actor, contact int64, p NewPoint) (Contact, error) {
	return Contact{}, errSkeleton
}

// RemovePoint removes an address.
func (s *Service) RemovePoint(ctx context.Context, tx pgx.Tx, a Actor, contact, point int64) (Contact, error) {
	return Contact{}, errSkeleton
}

// ContactTickets lists a contact's tickets that the actor sees.
func (s *Service) ContactTickets(ctx context.Context, a Actor, id int64, limit int, after string) (Page[Ticket], error) {
	return Page[Ticket]{}, errSkeleton
}

// ContactCalls lists a contact's calls that the actor sees.
func (s *Service) ContactCalls(ctx context.Context, a Actor, id int64, limit int, after string) (Page[Call], error) {
	return Page[Call]{}, errSkeleton
}

// ListOrgs searches organisations.
func (s *Service) ListOrgs(ctx context.Context, a Actor, f OrgFilter) (Page[Org], error) {
	return Page[Org]{}, errSkeleton
}

// GetOrg reads one.
func (s *Service) GetOrg(ctx context.Context, a Actor, id int64) (Org, error) {
	return Org{}, errSkeleton
}

// CreateOrg makes one.
func (s *Service) CreateOrg(ctx context.Context, tx pgx.Tx, a Actor, n NewOrg) (Org, error) {
	return Org{}, errSkeleton
}

// PatchOrg changes one; version 0: not checked.
func (s *Service) PatchOrg(ctx context.Context, tx pgx.Tx, a Actor, id int64, version int, p OrgPatch) (Org, error) {
	return Org{}, errSkeleton
}

// ListCalls lists calls the actor sees, newest first.
func (s *Service) ListCalls(ctx context.Context, a Actor, f CallFilter) (Page[Call], error) {
	return Page[Call]{}, errSkeleton
}

// GetCall reads a call by id or key, with legs and recordings.
func (s *Service) GetCall(ctx context.Context, a Actor, call string) (Call, error) {
	return Call{}, errSkeleton
}

// CallEvents lists the raw facts of a call.
func (s *Service) CallEvents(ctx context.Context, a Actor, call string) ([]CallEvent, error) {
	return nil, errSkeleton
}

// ListCallbacks lists promises to call back.
func (s *Service) ListCallbacks(ctx context.Context, a Actor, f CallbackFilter) (Page[Callback], error) {
	return Page[Callback]{}, errSkeleton
}

// PatchCallback finishes a callback: done or cancelled.
func (s *Service) PatchCallback(ctx context.Context, tx pgx.Tx, a Actor, id int64, state string) (Callback, error) {
	return Callback{}, errSkeleton
}

// SeedDemo writes the demo company. Running it again changes nothing.
func SeedDemo(ctx context.Context, tx pgx.Tx, now func() time.Time) error { return errSkeleton }
