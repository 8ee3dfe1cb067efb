package tickets

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

func numbers(p Page[Ticket]) (out []string) {
	for _, t := range p.Data {
		out = append(out, t.Number)
	}
	return out
}

func TestListTickets(t *testing.T) {
	f := newFix(t)
	ctx := context.Background()
	a := f.ticket(f.ivan, f.support, catOpen, 3*time.Hour)
	b := f.ticket(f.petr, f.support, catWaitingCustomer, 2*time.Hour)
	c := f.ticket(f.petr, f.experts, catOpen, time.Hour)
	d := f.ticket(f.petr, f.support, catSolved, 4*time.Hour)
	f.ticket(f.petr, f.support, catSpam, time.Minute)
	_, err := f.patch(f.lead, a.Number, 0, TicketPatch{Assignee: ptr("anna"), Severity: ptr(5)})
	f.must(err)
	f.exec(`UPDATE ticket SET next_due_at = $2 WHERE id = $1`, c.ID, f.now.Add(time.Hour))
	for name, q := range map[string]struct {
		who  Actor
		f    TicketFilter
		want []string
	}{
		"open":         {f.lead, TicketFilter{}, []string{a.Number, c.Number}},
		"open of anna": {f.anna, TicketFilter{}, []string{a.Number}},
		"waiting":      {f.lead, TicketFilter{Status: "waiting"}, []string{b.Number}},
		"solved":       {f.lead, TicketFilter{Status: "solved"}, []string{d.Number}},
		"all":          {f.lead, TicketFilter{Status: "all"}, []string{a.Number, c.Number, b.Number, d.Number}},
		"mine":         {f.anna, TicketFilter{Mine: true}, []string{a.Number}},
		"team by name": {f.lead, TicketFilter{Team: "Experts"}, []string{c.Number}},
		"contact":      {f.lead, TicketFilter{Status: "all", Contact: f.petr}, []string{c.Number, b.Number, d.Number}},
		"org":          {f.lead, TicketFilter{Status: "all", Org: f.acme}, []string{a.Number}},
		"by work":      {f.lead, TicketFilter{Sort: "work"}, []string{c.Number, a.Number}},
	} {
		p, err := f.s.ListTickets(ctx, q.who, q.f)
		if err != nil || !slices.Equal(numbers(p), q.want) {
			t.Errorf("%s: %v %v, want %v", name, numbers(p), err, q.want)
		}
		// The same list by pages of one.
		var got []string
		for q.f.Limit = 1; ; {
			p, err := f.s.ListTickets(ctx, q.who, q.f)
			f.must(err)
			got = append(got, numbers(p)...)
			if q.f.After = p.Page.Next; !p.Page.HasMore {
				break
			}
		}
		if !slices.Equal(got, q.want) {
			t.Errorf("%s by pages: %v, want %v", name, got, q.want)
		}
	}
	p, err := f.s.ListTickets(ctx, f.lead, TicketFilter{Status: "all", Limit: 1})
	f.must(err)
	if _, err := f.s.ListTickets(ctx, f.lead, TicketFilter{Status: "all", Sort: "work", After: p.Page.Next}); codeOf(err) != CodeInvalid {
		t.Errorf("a cursor of another order: %v", err)
	}
}

func TestSearch(t *testing.T) {
	f := newFix(t)
	ctx := context.Background()
	ru, err := f.create(f.anna, NewTicket{Title: "Не работают роутеры в филиале", ContactID: f.ivan, Body: "Модель RB-4011 перезагружали"})
	f.must(err)
	en, err := f.create(f.anna, NewTicket{Title: "Headset crackles", ContactID: f.petr, Body: "Noise in conversations"})
	f.must(err)
	f.exec(`UPDATE contact SET name = 'Иван Петрович' WHERE id = $1`, f.ivan)
	missed := f.ended(f.call(f.newPhone, abandoned(time.Minute))).Ticket.Number
	for q, want := range map[string]string{
		"роутер": ru.Number, "RB-4011": ru.Number, "иван": ru.Number, "Петровч": ru.Number, "acme": ru.Number, "916 123-45-67": ru.Number, "1234567": ru.Number,
		"conversation": en.Number, "headst": en.Number, "#" + en.Number: en.Number, "+7 903 111 22 33": en.Number, "9990001122": missed,
	} {
		p, err := f.s.ListTickets(ctx, f.anna, TicketFilter{Status: "all", Query: q})
		if err != nil || !slices.Equal(numbers(p), []string{want}) {
			t.Errorf("%q found %v %v, want %s", q, numbers(p), err, want)
		}
		if p, err = f.s.ListTickets(ctx, f.boris, TicketFilter{Status: "all", Query: q}); err != nil || len(p.Data) != 0 {
			t.Errorf("%q shows %v to a foreign team, %v", q, numbers(p), err)
		}
	}
	for _, q := range []string{"nothing like it", "%", `\`, "'", "&|!", "(", "\x00"} {
		if p, err := f.s.ListTickets(ctx, f.anna, TicketFilter{Status: "all", Query: q}); err != nil || q == "nothing like it" && len(p.Data) > 0 {
			t.Errorf("%q: %v %v", q, numbers(p), err)
		}
	}
}

// Who sees what: every door gives the same answer, and a foreign ticket is like an absent one (reliability R28).
func TestVisibility(t *testing.T) {
	f := newFix(t)
	ctx := context.Background()
	partner := f.id(`INSERT INTO org (name, kind) VALUES ('Partner', 'partner') RETURNING id`)
	line1 := f.id(`INSERT INTO team (name, line, partner_org_id) VALUES ('Partner line', 1, $1) RETURNING id`, partner)
	actor := func(login string, partnerOrg any, roles string, teams ...any) Actor {
		id := f.id(`INSERT INTO agent (login, name, partner_org_id) VALUES ($1, $2, $3) RETURNING id`, login, login, partnerOrg)
		if roles != "" {
			f.exec(`INSERT INTO agent_role SELECT $1, id FROM role WHERE key = $2`, id, roles)
		}
		for i := 0; i < len(teams); i += 2 {
			f.exec(`INSERT INTO team_member VALUES ($1, $2, $3)`, teams[i], id, teams[i+1])
		}
		return f.actor(login)
	}
	admin := actor("root", nil, "admin")
	nobody := actor("nobody", nil, "agent")
	external := actor("ext", partner, "agent", line1, "full", f.support, "full") // of foreign teams nothing counts
	forged := external                                                           // an identity whose maker forgot to leave foreign teams out
	forged.Teams = append(slices.Clone(forged.Teams), TeamAccess{TeamID: f.support, Access: AccessLead})
	external2 := actor("ext2", partner, "supervisor", line1, "lead") // nor does read_all
	expertLead := actor("elead", nil, "agent", f.experts, "lead")

	support := f.ticket(f.ivan, f.support, catOpen, time.Hour)
	experts := f.ticket(f.petr, f.experts, catOpen, time.Hour)
	partners := f.ticket(f.petr, line1, catOpen, time.Hour)
	passed := f.ticket(f.maria, f.experts, catOpen, time.Hour) // went from experts to support
	_, err := f.patch(f.lead, passed.Number, 0, TicketPatch{Team: ptr("Support")})
	f.must(err)
	assigned := f.ticket(f.maria, f.experts, catOpen, time.Hour)
	f.exec(`UPDATE ticket SET assignee_id = $2 WHERE id = $1`, assigned.ID, nobody.AgentID)
	joined := f.ticket(f.maria, f.experts, catOpen, time.Hour)
	f.exec(`INSERT INTO ticket_participant (ticket_id, agent_id, role) VALUES ($1, $2, 'follower')`, joined.ID, nobody.AgentID)
	gone := f.ticket(f.maria, f.experts, catOpen, time.Hour)
	f.exec(`INSERT INTO ticket_participant (ticket_id, agent_id, role, removed_at) VALUES ($1, $2, 'follower', now())`, gone.ID, nobody.AgentID)

	all := []string{support.Number, experts.Number, partners.Number, passed.Number, assigned.Number, joined.Number, gone.Number}
	for name, c := range map[string]struct {
		who  Actor
		sees []string
	}{
		"admin":             {admin, all},
		"supervisor":        {f.lead, all},
		"system":            {SystemActor(), all},
		"zero actor":        {Actor{}, nil},
		"agent of support":  {f.anna, []string{support.Number, passed.Number}},
		"agent of experts":  {f.boris, []string{experts.Number, assigned.Number, joined.Number, gone.Number}},
		"lead of experts":   {expertLead, []string{experts.Number, passed.Number, assigned.Number, joined.Number, gone.Number}},
		"assignee, follows": {nobody, []string{assigned.Number, joined.Number}},
		"external":          {external, []string{partners.Number}},
		"external lead":     {external2, []string{partners.Number}},
		"external, sloppy":  {forged, []string{partners.Number}},
	} {
		p, err := f.s.ListTickets(ctx, c.who, TicketFilter{Status: "all"})
		f.must(err)
		got := numbers(p)
		slices.Sort(got)
		slices.Sort(c.sees)
		if !slices.Equal(got, c.sees) {
			t.Errorf("%s lists %v, want %v", name, got, c.sees)
		}
		for _, n := range append([]string{withCheckDigit("999999"), "12"}, all...) {
			want := slices.Contains(c.sees, n)
			_, err1 := f.s.GetTicket(ctx, c.who, n)
			_, err2 := f.s.Timeline(ctx, c.who, n, "", 1)
			_, err3 := f.s.Why(ctx, c.who, n)
			if want != (err1 == nil) || want != (err2 == nil) || want != (err3 == nil) {
				t.Errorf("%s, ticket %s: %v, %v, %v, want seen %v", name, n, err1, err2, err3, want)
			}
			if want {
				continue
			}
			_, err4 := f.patch(c.who, n, 0, TicketPatch{Title: ptr("mine now")})
			_, err5 := f.say(c.who, n, "note", "hello", 0)
			_, err6 := f.write(func(ctx context.Context, tx pgx.Tx) (Ticket, error) { return f.s.Reopen(ctx, tx, c.who, n) })
			for _, err := range []error{err1, err2, err3, err4, err5, err6} {
				if err != error(ErrNotFound) { // the very same, so that nothing tells foreign from absent
					t.Errorf("%s, ticket %s: %v", name, n, err)
				}
			}
		}
	}
	// Contacts and organisations of an external agent: those of their tickets and their partner.
	for _, who := range []Actor{external, external2} {
		ks, err := f.s.ListContacts(ctx, who, ContactFilter{})
		f.must(err)
		if len(ks.Data) != 1 || ks.Data[0].ID != f.petr {
			t.Errorf("external sees contacts %+v", ks.Data)
		}
		os, err := f.s.ListOrgs(ctx, who, OrgFilter{})
		f.must(err)
		if len(os.Data) != 1 || os.Data[0].ID != partner {
			t.Errorf("external sees organisations %+v", os.Data)
		}
		if _, err := f.s.GetContact(ctx, who, f.ivan); err != error(ErrNotFound) {
			t.Errorf("foreign contact: %v", err)
		}
		if _, err := f.s.GetOrg(ctx, who, f.acme); err != error(ErrNotFound) {
			t.Errorf("foreign organisation: %v", err)
		}
		c, err := f.s.CallerFor(ctx, who, f.ivanPhone, "")
		f.must(err)
		if c.Contact != nil || c.Org != nil || len(c.Candidates) != 0 {
			t.Errorf("the card shows a foreign customer: %+v", c)
		}
	}
	// Calls follow team, part taken and ticket; the ticket's name only those who see it.
	k := f.call(f.ivanPhone, answeredBy("boris", time.Minute), func(c *CallFacts) { c.Team = "Support" })
	l := f.both(k)
	for name, c := range map[string]struct {
		who          Actor
		sees, ticket bool
	}{"supervisor": {f.lead, true, true}, "team": {f.anna, true, true}, "taker": {f.boris, true, true}, "nobody": {nobody, false, false}, "external": {external, false, false}, "sloppy": {forged, false, false}} {
		got, err := f.s.GetCall(ctx, c.who, k.Key)
		if c.sees != (err == nil) || c.sees && c.ticket != (got.Link.Ticket != nil) {
			t.Errorf("call for %s: %+v %v", name, got.Link, err)
		}
		if !c.sees && err != error(ErrNotFound) {
			t.Errorf("call for %s: %v", name, err)
		}
		page, err := f.s.ListCalls(ctx, c.who, CallFilter{})
		f.must(err)
		if c.sees != (len(page.Data) == 1) {
			t.Errorf("calls listed for %s: %d", name, len(page.Data))
		}
	}
	f.exec(`UPDATE ticket_participant SET removed_at = now() WHERE agent_id = $1`, f.boris.AgentID)
	if got, err := f.s.GetCall(ctx, f.boris, itoa(l.CallID)); err != nil || got.Link.Ticket != nil || got.Link.State != linkConfirmed {
		t.Errorf("a call one took, in a ticket one does not see: %+v %v", got.Link, err)
	}
}
