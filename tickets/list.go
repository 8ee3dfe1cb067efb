package tickets

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// placeUpdated and placeWork are places in the two orders of the ticket list.
type placeUpdated struct {
	At time.Time `json:"t"`
	ID int64     `json:"i"`
}

type placeWork struct {
	Rank int       `json:"r"`
	Due  time.Time `json:"d"` // far future: no deadline
	ID   int64     `json:"i"`
}

// noDeadline sorts tickets without a deadline last.
var noDeadline = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)

// ListTickets lists what the actor sees: newest activity first, or by working order (rank, deadline). A search text that
// nothing fits is looked for once more with slips of the pen.
func (s *Service) ListTickets(ctx context.Context, a Actor, f TicketFilter) (Page[Ticket], error) {
	p, err := s.listTickets(ctx, a, f, strings.HasPrefix(f.After, loosePrefix))
	if err != nil || f.Query == "" || f.After != "" || len(p.Data) > 0 {
		return p, err
	}
	return s.listTickets(ctx, a, f, true)
}

// loosePrefix marks cursors of a list that was found with slips of the pen.
const loosePrefix = "~"

func (s *Service) listTickets(ctx context.Context, a Actor, f TicketFilter, loose bool) (p Page[Ticket], err error) {
	var args sqlArgs
	where := a.visibleTickets(&args)
	more, err := s.ticketFilter(ctx, a, f, loose, &args)
	if err != nil {
		return Page[Ticket]{}, err
	}
	where += more
	if loose {
		f.After = strings.TrimPrefix(f.After, loosePrefix)
		defer func() {
			if p.Page.Next != "" {
				p.Page.Next = loosePrefix + p.Page.Next
			}
		}()
	}
	limit := pageLimit(f.Limit, 50, 200)
	if f.Sort == "work" {
		return s.listByWork(ctx, f, where, args, limit)
	}
	if f.Sort != "" && f.Sort != "updated" {
		return Page[Ticket]{}, invalid("sort", "updated or work")
	}
	var at placeUpdated
	if ok, err := s.readCursor("tickets", f.After, &at); err != nil {
		return Page[Ticket]{}, err
	} else if ok {
		where += " AND (t.updated_at, t.id) < (" + args.add(at.At) + ", " + args.add(at.ID) + ")"
	}
	ts, err := loadTickets(ctx, s.pool, where, args, "t.updated_at DESC, t.id DESC", limit+1)
	if err != nil {
		return Page[Ticket]{}, err
	}
	return page(s, "tickets", ts, limit, func(t Ticket) any { return placeUpdated{t.UpdatedAt, t.ID} }), nil
}

func (s *Service) listByWork(ctx context.Context, f TicketFilter, where string, args sqlArgs, limit int) (Page[Ticket], error) {
	due := "coalesce(t.next_due_at, " + args.add(noDeadline) + ")"
	var at placeWork
	if ok, err := s.readCursor("tickets by work", f.After, &at); err != nil {
		return Page[Ticket]{}, err
	} else if ok {
		where += " AND (t.rank, " + due + ", t.id) > (" + args.add(at.Rank) + ", " + args.add(at.Due) + ", " + args.add(at.ID) + ")"
	}
	ts, err := loadTickets(ctx, s.pool, where, args, "t.rank, "+due+", t.id", limit+1)
	if err != nil {
		return Page[Ticket]{}, err
	}
	return page(s, "tickets by work", ts, limit, func(t Ticket) any {
		p := placeWork{t.rank, noDeadline, t.ID}
		if t.NextDueAt != nil {
			p.Due = *t.NextDueAt
		}
		return p
	}), nil
}

// ticketFilter writes the filter as conditions on t.
func (s *Service) ticketFilter(ctx context.Context, a Actor, f TicketFilter, loose bool, args *sqlArgs) (string, error) {
	where := ""
	switch f.Status {
	case "", "open":
		where += " AND t.actionable"
	case "waiting":
		where += " AND t.status_id BETWEEN 3 AND 5"
	case "solved":
		where += " AND t.status_id IN (6, 7)"
	case "spam":
		where += " AND t.status_id = 9"
	case "all":
		where += " AND t.status_id <> 9"
	default:
		return "", invalid("status", "open, waiting, solved, spam or all")
	}
	if f.Mine {
		where += " AND t.assignee_id = " + args.add(a.AgentID)
	}
	if f.Team != "" {
		id, err := findTeam(ctx, s.pool, f.Team)
		if err != nil {
			return "", err
		}
		where += " AND t.team_id = " + args.add(id)
	}
	if f.Contact != 0 {
		c := args.add(f.Contact)
		where += " AND (t.contact_id = " + c + " OR t.id IN (SELECT p.ticket_id FROM ticket_participant p WHERE p.contact_id = " + c + " AND p.removed_at IS NULL))"
	}
	if f.Org != 0 {
		where += " AND t.org_id = " + args.add(f.Org)
	}
	if f.Missed {
		where += " AND 'missed_call' = ANY(t.flags)"
	}
	return where + ticketSearch(s.plan, f.Query, loose, args), nil
}

// ContactTickets lists the tickets of a contact that the actor sees, all states.
func (s *Service) ContactTickets(ctx context.Context, a Actor, id int64, limit int, after string) (Page[Ticket], error) {
	if _, err := s.GetContact(ctx, a, id); err != nil {
		return Page[Ticket]{}, err
	}
	p, err := s.ListTickets(ctx, a, TicketFilter{Status: "all", Contact: id, Limit: limit, After: after})
	return p, wrap(fmt.Sprintf("tickets of contact %d", id), err)
}
