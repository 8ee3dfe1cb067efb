package tickets

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

var (
	ticketKinds = []string{"question", "problem", "suggestion", "feedback", "task"}
	resolutions = []string{"fixed", "workaround", "answered", "duplicate", "not_a_problem", "wont_do", "no_answer", "out_of_scope"}
	rootCauses  = []string{"defect", "missing_feature", "unclear_feature", "user_error", "infrastructure", "third_party", "other"}
)

// mayWrite is what an actor may do to a ticket they see; it never replaces the visibility predicate.
func (a Actor) mayWrite(ctx context.Context, q querier, t *ticketRow, need Access) error {
	if a.system || a.Can(PermWriteAll) || a.access(t.TeamID).atLeast(need) || t.AssigneeID != nil && *t.AssigneeID == a.AgentID {
		return nil
	}
	if need == AccessReply {
		var takesPart bool
		err := q.QueryRow(ctx, `SELECT EXISTS (SELECT FROM ticket_participant WHERE ticket_id = $1 AND agent_id = $2 AND removed_at IS NULL)`, t.ID, a.AgentID).Scan(&takesPart)
		if err != nil || takesPart {
			return wrap("read participants", err)
		}
	}
	return forbidden("this needs the access %q in the ticket's team", need)
}

// openTicket locks a ticket the actor sees and may change as far as need says.
func openTicket(ctx context.Context, tx querier, a Actor, number string, need Access) (*ticketRow, error) {
	n, ok := ParseTicketNumber(number)
	if !ok {
		return nil, ErrNotFound
	}
	args := sqlArgs{n}
	var id int64
	err := tx.QueryRow(ctx, "SELECT t.id FROM ticket t WHERE t.number = $1 AND "+a.visibleTickets(&args), args...).Scan(&id)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("find ticket: %w", err)
	}
	t, err := lockTicket(ctx, tx, id)
	if err != nil {
		return nil, err
	}
	if t.Category == catMerged {
		return nil, conflict("number", nil, "the ticket was merged into another one")
	}
	return t, a.mayWrite(ctx, tx, t, need)
}

// CreateTicket makes a ticket by hand. Without a team it goes to the actor's first team; without a contact but with a
// phone, to the number's owner or a provisional contact. With an assignee it is open, else new.
func (s *Service) CreateTicket(ctx context.Context, tx pgx.Tx, a Actor, n NewTicket) (Ticket, error) {
	now := s.now()
	in := ticketInsert{Title: strings.TrimSpace(n.Title), Kind: orText(n.Kind, "question"), Category: catNew, ContactID: n.ContactID, OrgID: n.OrgID, Severity: n.Severity, At: now}
	if in.Severity == 0 {
		in.Severity = 4
	}
	if err := checkTicketFields(&in.Title, &in.Kind, &in.Severity); err != nil {
		return Ticket{}, err
	}
	if err := s.ticketPlace(ctx, tx, a, n, &in); err != nil {
		return Ticket{}, err
	}
	if err := s.ticketCustomer(ctx, tx, a, n, &in, now); err != nil {
		return Ticket{}, err
	}
	by := a.author(now)
	t, err := insertTicket(ctx, tx, by, in)
	if err != nil {
		return Ticket{}, err
	}
	if body := strings.TrimSpace(n.Body); body != "" {
		if _, err := addMessage(ctx, tx, by, a, t, messageInsert{Kind: "note", Direction: "none", Visibility: "internal", Body: body}); err != nil {
			return Ticket{}, err
		}
	}
	return viewTicket(ctx, tx, t.ID)
}

// ticketPlace finds team and assignee of a new ticket and checks that the actor may put one there.
func (s *Service) ticketPlace(ctx context.Context, tx querier, a Actor, n NewTicket, in *ticketInsert) error {
	var err error
	if n.Team != "" {
		if in.TeamID, err = findTeam(ctx, tx, n.Team); err != nil {
			return err
		}
	} else if i := slices.IndexFunc(a.Teams, func(t TeamAccess) bool { return t.Access.atLeast(AccessReply) }); i >= 0 {
		in.TeamID = a.Teams[i].TeamID
	} else if err := tx.QueryRow(ctx, `SELECT id FROM team WHERE $1 ORDER BY line, id LIMIT 1`, a.PartnerOrgID == 0).Scan(&in.TeamID); err != nil {
		return wrap("find a team", err)
	}
	if a.PartnerOrgID != 0 && a.access(in.TeamID) == "" {
		return invalid("team", "there is no such team")
	}
	if n.Assignee != "" {
		if in.AssigneeID, err = findAgent(ctx, tx, n.Assignee); err != nil {
			return err
		}
		in.Category = catOpen
	}
	return nil
}

// ticketCustomer finds contact, organisation and priority of a new ticket.
func (s *Service) ticketCustomer(ctx context.Context, tx pgx.Tx, a Actor, n NewTicket, in *ticketInsert, now time.Time) error {
	if n.ContactID == 0 && n.Phone != "" {
		num := ParseNumber(n.Phone, s.plan)
		if num.E164 == "" {
			return invalid("phone", "%q is not a telephone number we can read", clip(n.Phone, 40))
		}
		if err := lockNumber(ctx, tx, num.E164); err != nil {
			return err
		}
		who, err := s.readCaller(ctx, tx, CallParty{Raw: num.E164, Trust: TrustVerified}, false, now)
		if err != nil {
			return err
		}
		switch {
		case who.Own:
			return invalid("phone", "this is a number of our own")
		case who.Match.ContactID != 0:
			in.ContactID = who.Match.ContactID
		case who.Match.Level == levelShared || who.Match.Level == levelAmbiguous:
			if in.OrgID == 0 && len(who.Match.OrgIDs) == 1 {
				in.OrgID = who.Match.OrgIDs[0]
			}
		default:
			if in.ContactID, err = provisionalContact(ctx, tx, num, now); err != nil {
				return err
			}
		}
	}
	if err := seesContact(ctx, tx, a, "contact_id", n.ContactID); err != nil {
		return err
	}
	if err := seesOrg(ctx, tx, a, "org_id", n.OrgID); err != nil {
		return err
	}
	var err error
	if in.OrgID == 0 && in.ContactID != 0 {
		if in.OrgID, err = primaryOrg(ctx, tx, in.ContactID); err != nil {
			return err
		}
	}
	in.ClientPriority, err = orgPriority(ctx, tx, in.OrgID)
	return err
}

// checkTicketFields checks what creating and patching share; nil is not given.
func checkTicketFields(title, kind *string, severity *int) error {
	if title != nil {
		if n := len([]rune(*title)); n == 0 || n > 500 {
			return invalid("title", "a title has 1 to 500 characters")
		}
	}
	if kind != nil && !slices.Contains(ticketKinds, *kind) {
		return invalid("kind", "one of %s", strings.Join(ticketKinds, ", "))
	}
	if severity != nil && (*severity < 1 || *severity > 5) {
		return invalid("severity", "1 (blocking) to 5 (trivial)")
	}
	return nil
}

// viewTicket reads a ticket that was just written, inside its transaction.
func viewTicket(ctx context.Context, tx querier, id int64) (Ticket, error) {
	ts, err := loadTickets(ctx, tx, "t.id = $1", []any{id}, "", 1)
	if err != nil {
		return Ticket{}, err
	}
	if len(ts) == 0 {
		return Ticket{}, ErrNotFound
	}
	return ts[0], nil
}

// findTeam finds a team by name or id.
func findTeam(ctx context.Context, q querier, team string) (int64, error) {
	var id int64
	err := q.QueryRow(ctx, `SELECT id FROM team WHERE name = $1 OR id = $2 ORDER BY name = $1 DESC LIMIT 1`, team, parseID(team)).Scan(&id)
	if errors.Is(err, pgx.ErrNoRows) {
		return 0, invalid("team", "there is no such team")
	}
	return id, wrap("find team", err)
}

// findAgent finds an active agent by login.
func findAgent(ctx context.Context, q querier, login string) (int64, error) {
	var id int64
	err := q.QueryRow(ctx, `SELECT id FROM agent WHERE login = $1 AND active`, login).Scan(&id)
	if errors.Is(err, pgx.ErrNoRows) {
		return 0, invalid("assignee", "there is no such agent")
	}
	return id, wrap("find agent", err)
}

// seesContact refuses an id that is absent or not visible; 0 is always allowed.
func seesContact(ctx context.Context, q querier, a Actor, field string, id int64) error {
	args := sqlArgs{id}
	return sees(ctx, q, field, id, "SELECT EXISTS (SELECT FROM contact k WHERE k.id = $1 AND k.merged_into_id IS NULL AND "+a.visibleContacts(&args)+")", args)
}

// seesOrg is seesContact for organisations.
func seesOrg(ctx context.Context, q querier, a Actor, field string, id int64) error {
	args := sqlArgs{id}
	return sees(ctx, q, field, id, "SELECT EXISTS (SELECT FROM org o WHERE o.id = $1 AND o.archived_at IS NULL AND "+a.visibleOrgs(&args)+")", args)
}

func sees(ctx context.Context, q querier, field string, id int64, sql string, args []any) error {
	if id == 0 {
		return nil
	}
	var ok bool
	if err := q.QueryRow(ctx, sql, args...).Scan(&ok); err != nil {
		return fmt.Errorf("look at %s: %w", field, err)
	}
	if !ok {
		return invalid(field, "there is no such object")
	}
	return nil
}
