package tickets

import "fmt"

// sqlArgs collects the arguments of a query that is put together.
type sqlArgs []any

// add appends a value and gives its placeholder.
func (a *sqlArgs) add(v any) string {
	*a = append(*a, v)
	return fmt.Sprintf("$%d", len(*a))
}

// visibleTickets is the one predicate on tickets (2.5), on the alias t. No query on tickets or messages for an actor is
// written without it.
//
//	program, ticket.read_all        all
//	external agent                  tickets of their teams that belong to their partner
//	agent                           tickets of their teams, assigned to them, where they take part,
//	                                and, as a lead, tickets that passed through a team of theirs
func (a Actor) visibleTickets(args *sqlArgs) string {
	switch {
	case a.system:
		return "TRUE"
	case a.AgentID == 0:
		return "FALSE"
	case a.PartnerOrgID != 0:
		return "t.team_id IN " + a.partnerTeams(args)
	case a.Can(PermReadAll):
		return "TRUE"
	}
	me := args.add(a.AgentID)
	return "(t.team_id = ANY(" + args.add(a.teamIDs()) + ") OR t.assignee_id = " + me +
		" OR EXISTS (SELECT FROM ticket_participant vp WHERE vp.ticket_id = t.id AND vp.agent_id = " + me + " AND vp.removed_at IS NULL)" +
		" OR EXISTS (SELECT FROM line_visit vl WHERE vl.ticket_id = t.id AND vl.team_id = ANY(" + args.add(a.leadIDs()) + ")))"
}

// partnerTeams are the actor's teams that belong to their partner, whatever else they were made a member of.
func (a Actor) partnerTeams(args *sqlArgs) string {
	return "(SELECT pt.id FROM team pt WHERE pt.id = ANY(" + args.add(a.teamIDs()) + ") AND pt.partner_org_id = " + args.add(a.PartnerOrgID) + ")"
}

// visibleCalls is the predicate on calls, on the aliases c (call) and l (call_link, left joined): calls of the actor's
// teams, calls they took part in, and calls in tickets they see.
func (a Actor) visibleCalls(args *sqlArgs) string {
	switch {
	case a.system:
		return "TRUE"
	case a.AgentID == 0:
		return "FALSE"
	case a.Can(PermCallsAll) && a.PartnerOrgID == 0:
		return "TRUE"
	}
	if a.PartnerOrgID != 0 {
		return "(coalesce(l.team_id, c.team_id) IN " + a.partnerTeams(args) + ")"
	}
	me, teams := args.add(a.AgentID), args.add(a.teamIDs())
	return "(c.team_id = ANY(" + teams + ") OR l.team_id = ANY(" + teams + ") OR l.agent_id = " + me +
		" OR EXISTS (SELECT FROM call_leg vg WHERE vg.call_id = c.id AND vg.agent_id = " + me + ")" +
		" OR EXISTS (SELECT FROM ticket t WHERE t.id = l.ticket_id AND l.state = 'confirmed' AND " + a.visibleTickets(args) + "))"
}

// visibleContacts is the predicate on contacts, on the alias k. Our own agents see all customers; an external agent sees
// those of their partner and of tickets they see.
func (a Actor) visibleContacts(args *sqlArgs) string {
	switch {
	case a.system:
		return "TRUE"
	case a.AgentID == 0:
		return "FALSE"
	case a.PartnerOrgID == 0:
		return "TRUE"
	}
	return "(EXISTS (SELECT FROM contact_org vo WHERE vo.contact_id = k.id AND vo.org_id = " + args.add(a.PartnerOrgID) + ")" +
		" OR EXISTS (SELECT FROM ticket t WHERE t.contact_id = k.id AND " + a.visibleTickets(args) + "))"
}

// visibleOrgs is the predicate on organisations, on the alias o, by the same rule.
func (a Actor) visibleOrgs(args *sqlArgs) string {
	switch {
	case a.system:
		return "TRUE"
	case a.AgentID == 0:
		return "FALSE"
	case a.PartnerOrgID == 0:
		return "TRUE"
	}
	return "(o.id = " + args.add(a.PartnerOrgID) + " OR EXISTS (SELECT FROM ticket t WHERE t.org_id = o.id AND " + a.visibleTickets(args) + "))"
}
