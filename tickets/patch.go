package tickets

import (
	"context"
	"fmt"
	"reflect"
	"strings"

	"github.com/jackc/pgx/v5"
)

// Collision is one field that two people changed at once, as Error.Detail shows it.
type Collision struct {
	Field  string `json:"field"`
	Yours  any    `json:"yours"`
	Theirs any    `json:"theirs"`
}

// PatchTicket changes fields. version is the base of the edit (If-Match); 0 does not check. Fields that nobody changed
// since merge with other people's edits; a field changed since to another value is a conflict with both values.
func (s *Service) PatchTicket(ctx context.Context, tx pgx.Tx, a Actor, number string, version int, p TicketPatch) (Ticket, error) {
	t, err := openTicket(ctx, tx, a, number, AccessFull)
	if err != nil {
		return Ticket{}, err
	}
	if version > t.Version || version < 0 {
		return Ticket{}, &Error{Code: CodePrecondition, Field: "version", Message: "this version was never issued"}
	}
	if p.Title != nil {
		title := strings.TrimSpace(*p.Title)
		p.Title = &title
	}
	if err := checkTicketFields(p.Title, p.Kind, p.Severity); err != nil {
		return Ticket{}, err
	}
	e := edit{a: a, tx: tx, by: a.author(s.now()), t: t}
	if err := e.collect(ctx, p); err != nil {
		return Ticket{}, err
	}
	if err := collisions(t, version, e.changes); err != nil {
		return Ticket{}, err
	}
	if err := e.write(ctx); err != nil {
		return Ticket{}, err
	}
	return viewTicket(ctx, tx, t.ID)
}

// collisions compares changes with what happened since the base version.
func collisions(t *ticketRow, version int, changes []fieldChange) error {
	if version == 0 {
		return nil
	}
	var hits []Collision
	for _, c := range changes {
		if t.FieldVersion[c.field] > version {
			hits = append(hits, Collision{c.field, c.new, c.old})
		}
	}
	if len(hits) == 0 {
		return nil
	}
	return conflict(hits[0].Field, hits, "somebody changed the same field meanwhile")
}

// edit is one patch on its way.
type edit struct {
	a       Actor
	tx      pgx.Tx
	by      author
	t       *ticketRow
	changes []fieldChange
	team    int64 // new team; 0: stays
	contact int64 // new contact; 0: stays or none
}

// change notes a field, unless it has the value already: repeating what somebody else did is no collision.
func (e *edit) change(field, column string, value, old, new any) {
	if !reflect.DeepEqual(old, new) {
		e.changes = append(e.changes, fieldChange{field, column, value, old, new})
	}
}

func (e *edit) collect(ctx context.Context, p TicketPatch) error {
	t := e.t
	if p.Title != nil {
		e.change("title", "title", *p.Title, t.Title, *p.Title)
	}
	if p.Kind != nil {
		e.change("kind", "kind", *p.Kind, t.Kind, *p.Kind)
	}
	if p.Severity != nil {
		e.change("severity", "severity", *p.Severity, t.Severity, *p.Severity)
	}
	if p.ClientPriority != nil {
		if *p.ClientPriority < 1 || *p.ClientPriority > 3 {
			return invalid("client_priority", "1 (high) to 3 (low)")
		}
		e.change("client_priority", "client_priority", *p.ClientPriority, t.ClientPriority, *p.ClientPriority)
	}
	if err := e.collectCustomer(ctx, p); err != nil {
		return err
	}
	return e.collectPlace(ctx, p.Team, p.Assignee)
}

// collectCustomer: a new contact brings their organisation along, unless another one is given.
func (e *edit) collectCustomer(ctx context.Context, p TicketPatch) error {
	if p.ContactID != nil {
		if err := seesContact(ctx, e.tx, e.a, "contact_id", *p.ContactID); err != nil {
			return err
		}
		e.contact = *p.ContactID
		e.change("contact", "contact_id", nullID(*p.ContactID), deref(e.t.ContactID), *p.ContactID)
		if p.OrgID == nil && *p.ContactID != 0 && *p.ContactID != deref(e.t.ContactID) {
			org, err := primaryOrg(ctx, e.tx, *p.ContactID)
			if err != nil {
				return err
			}
			p.OrgID = &org
		}
	}
	if p.OrgID == nil {
		return nil
	}
	if err := seesOrg(ctx, e.tx, e.a, "org_id", *p.OrgID); err != nil {
		return err
	}
	e.change("org", "org_id", nullID(*p.OrgID), deref(e.t.OrgID), *p.OrgID)
	return nil
}

// collectPlace: an assignee who is no member of a new team does not go there with the ticket; they stay as a follower.
func (e *edit) collectPlace(ctx context.Context, team, assignee *string) error {
	var err error
	if team != nil {
		if e.team, err = findTeam(ctx, e.tx, *team); err != nil {
			return err
		}
		if e.team == e.t.TeamID {
			e.team = 0
		} else {
			var old, new string
			if err := e.tx.QueryRow(ctx, `SELECT (SELECT name FROM team WHERE id = $1), (SELECT name FROM team WHERE id = $2)`, e.t.TeamID, e.team).Scan(&old, &new); err != nil {
				return fmt.Errorf("read teams: %w", err)
			}
			e.change("team", "team_id", e.team, old, new)
		}
	}
	id := deref(e.t.AssigneeID)
	switch {
	case assignee != nil && *assignee == "":
		id = 0
	case assignee != nil:
		if id, err = findAgent(ctx, e.tx, *assignee); err != nil {
			return err
		}
	case e.team != 0 && id != 0:
		var member bool
		if err := e.tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM team_member WHERE team_id = $1 AND agent_id = $2)`, e.team, id).Scan(&member); err != nil {
			return fmt.Errorf("read members: %w", err)
		}
		if !member {
			id = 0
		}
	}
	if id == deref(e.t.AssigneeID) {
		return nil
	}
	var old, new *string
	if err := e.tx.QueryRow(ctx, `SELECT (SELECT login::text FROM agent WHERE id = $1), (SELECT login::text FROM agent WHERE id = $2)`, deref(e.t.AssigneeID), id).Scan(&old, &new); err != nil {
		return fmt.Errorf("read agents: %w", err)
	}
	e.change("assignee", "assignee_id", nullID(id), textOrNil(old), textOrNil(new))
	return nil
}

// textOrNil makes an absent text a plain nil, so that two absent ones are equal.
func textOrNil(s *string) any {
	if s == nil {
		return nil
	}
	return *s
}

// write writes the changes and what hangs on them: participants, lines, search.
func (e *edit) write(ctx context.Context) error {
	before := deref(e.t.AssigneeID)
	if err := changeTicket(ctx, e.tx, e.by, e.t, e.changes...); err != nil {
		return err
	}
	for _, c := range e.changes {
		var err error
		switch c.field {
		case "title":
			err = refreshSearch(ctx, e.tx, e.t.ID)
		case "contact":
			err = e.newRequester(ctx)
		case "team":
			if before != 0 {
				err = addParticipant(ctx, e.tx, e.t.ID, 0, before, "follower", "system")
			}
			if err == nil {
				err = e.newLine(ctx)
			}
		case "assignee":
			err = addOutbox(ctx, e.tx, e.by, "ticket.assigned", e.t.ID, map[string]any{"number": e.t.Number, "assignee": c.new})
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// newRequester makes the new contact the requester; the one before stays in copy.
func (e *edit) newRequester(ctx context.Context) error {
	if _, err := e.tx.Exec(ctx, `UPDATE ticket_participant SET role = 'cc' WHERE ticket_id = $1 AND role = 'requester'`, e.t.ID); err != nil {
		return fmt.Errorf("keep the former requester: %w", err)
	}
	if e.contact == 0 {
		return nil
	}
	_, err := e.tx.Exec(ctx, `INSERT INTO ticket_participant (ticket_id, contact_id, role, added_by) VALUES ($1,$2,'requester',$3)
		ON CONFLICT (ticket_id, contact_id, agent_id) DO UPDATE SET role = 'requester', removed_at = NULL`, e.t.ID, e.contact, e.by.kind)
	if err != nil {
		return fmt.Errorf("name the requester: %w", err)
	}
	return nil
}

// newLine closes the visit of the old line and opens one in the new: up is escalated, down returned.
func (e *edit) newLine(ctx context.Context) error {
	var line int
	if err := e.tx.QueryRow(ctx, `SELECT line FROM team WHERE id = $1`, e.team).Scan(&line); err != nil {
		return fmt.Errorf("read line: %w", err)
	}
	exit := "moved"
	if line > e.t.TeamLine {
		exit = "escalated"
	} else if line < e.t.TeamLine {
		exit = "returned"
	}
	tag, err := e.tx.Exec(ctx, `UPDATE line_visit SET left_at = greatest(entered_at, $2), exit = $3 WHERE ticket_id = $1 AND left_at IS NULL`, e.t.ID, e.by.at, exit)
	if err != nil {
		return fmt.Errorf("leave the line: %w", err)
	}
	if tag.RowsAffected() == 0 {
		return nil // solved: nobody works on it
	}
	if _, err := e.tx.Exec(ctx, `INSERT INTO line_visit (ticket_id, line, team_id, entered_at) VALUES ($1,$2,$3,$4)`, e.t.ID, line, e.team, e.by.at); err != nil {
		return fmt.Errorf("enter the line: %w", err)
	}
	return nil
}

// Assign moves a ticket to an agent, a team, or both.
func (s *Service) Assign(ctx context.Context, tx pgx.Tx, a Actor, number string, to Assignment) (Ticket, error) {
	if to.Assignee == nil && to.Team == nil {
		return Ticket{}, invalid("assignee", "name an agent or a team")
	}
	return s.PatchTicket(ctx, tx, a, number, 0, TicketPatch{Assignee: to.Assignee, Team: to.Team})
}
