package tickets

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// demoOrg is a customer of the demo company.
type demoOrg struct {
	key, name, plan string
	priority        int
	domain          string
	switchboard     string
}

// demoContact is a person of the demo. An ext marks somebody behind the organisation's shared number.
type demoContact struct {
	key, name, org, locale string
	phone, email, ext      string
}

// demoTicket is a ticket of the demo, ago before now.
type demoTicket struct {
	key, title, kind, contact, team, note string
	severity                              int
	ago                                   time.Duration
	events                                []statusEvent
}

var demoOrgs = []demoOrg{
	{"demo-romashka", "ООО «Ромашка»", "premium", 1, "romashka.example", "+74950000100"},
	{"demo-northwind", "Northwind Traders Ltd", "extended", 2, "northwind.example", "+442079460100"},
	{"demo-vektor", "АО «Вектор»", "standard", 3, "vektor.example", "+78120000300"},
}

var demoContacts = []demoContact{
	{"demo-ivanova", "Мария Иванова", "demo-romashka", "ru", "+79990000001", "m.ivanova@romashka.example", "101"},
	{"demo-petrov", "Иван Петров", "demo-romashka", "ru", "+79990000002", "i.petrov@romashka.example", "102"},
	{"demo-smith", "John Smith", "demo-northwind", "en", "+442079460101", "john.smith@northwind.example", ""},
	{"demo-jones", "Alice Jones", "demo-northwind", "en", "", "alice.jones@northwind.example", "21"},
	{"demo-orlov", "Сергей Орлов", "demo-vektor", "ru", "+79990000003", "s.orlov@vektor.example", ""},
	{"demo-volkova", "Анна Волкова", "", "ru", "+79990000004", "", ""},
}

var demoTickets = []demoTicket{
	{"demo-1", "Не печатает принтер в бухгалтерии", "problem", "demo-ivanova", "Support", "Модель HP M428, ошибка 49.38. Перезагружали, не помогло.", 3, 3 * time.Hour, []statusEvent{evAgentReply}},
	{"demo-2", "Cannot log in to the customer portal", "question", "demo-smith", "Support", "Password reset mail does not arrive.", 2, 26 * time.Hour, []statusEvent{evAgentReply, evWaitCustomer}},
	{"demo-3", "Обмен с 1С идёт дольше часа", "problem", "demo-petrov", "Experts", "Замедление после обновления 12 числа.", 2, 50 * time.Hour, []statusEvent{evAgentReply}},
	{"demo-4", "Как выгрузить отчёт за квартал", "question", "demo-orlov", "Support", "Отправили инструкцию.", 5, 4 * 24 * time.Hour, []statusEvent{evAgentReply, evSolve}},
	{"demo-5", "Feature request: dark theme", "suggestion", "demo-jones", "Engineering", "Asked for by the whole office.", 5, 9 * 24 * time.Hour, nil},
}

// SeedDemo writes the demo company: organisation numbers, calendars, plans, three teams on lines 1 to 3, customers with
// numbers (two of them behind a shared switchboard), tickets. Agents are made elsewhere; tickets are assigned to those
// who are there, and a second run, after the agents were made, assigns what was left over. Otherwise running it again
// changes nothing.
func SeedDemo(ctx context.Context, tx pgx.Tx, now func() time.Time) error {
	if now == nil {
		now = time.Now
	}
	d := demo{tx: tx, now: utc(now())}
	for _, step := range []func(context.Context) error{d.plans, d.teams, d.numbers, d.orgs, d.contacts, d.tickets, d.assign} {
		if err := step(ctx); err != nil {
			return fmt.Errorf("seed the demo company: %w", err)
		}
	}
	return nil
}

type demo struct {
	tx  pgx.Tx
	now time.Time
}

func (d demo) exec(ctx context.Context, sql string, args ...any) error {
	_, err := d.tx.Exec(ctx, sql, args...)
	return err
}

func (d demo) plans(ctx context.Context) error {
	if err := d.exec(ctx, `INSERT INTO calendar (name, tz) VALUES ('Business hours', 'Europe/Moscow'), ('24x7', 'Europe/Moscow') ON CONFLICT (name) DO NOTHING`); err != nil {
		return err
	}
	if err := d.exec(ctx, `INSERT INTO calendar_week (calendar_id, weekday, open) SELECT c.id, d, CASE WHEN c.name = '24x7' THEN '{[0,1440)}' ELSE '{[540,780),[840,1080)}' END::int4multirange
		FROM calendar c CROSS JOIN generate_series(1, 7) d WHERE c.name = '24x7' OR c.name = 'Business hours' AND d <= 5 ON CONFLICT DO NOTHING`); err != nil {
		return err
	}
	return d.exec(ctx, `INSERT INTO service_plan (key, name, calendar_id, named_engineer) SELECT p.key, p.name, c.id, p.key = 'premium'
		FROM (VALUES ('standard','Standard','Business hours'), ('extended','Extended','24x7'), ('premium','Premium','24x7')) p (key, name, calendar)
		JOIN calendar c ON c.name = p.calendar ON CONFLICT (key) DO NOTHING`)
}

func (d demo) teams(ctx context.Context) error {
	if err := d.exec(ctx, `INSERT INTO team (name, line) VALUES ('Support', 1), ('Experts', 2), ('Engineering', 3) ON CONFLICT (name) DO NOTHING`); err != nil {
		return err
	}
	return d.exec(ctx, `UPDATE team SET calendar_id = c.id FROM calendar c WHERE c.name = 'Business hours' AND team.calendar_id IS NULL AND team.name IN ('Support','Experts','Engineering')`)
}

// numbers are our own: the extensions of the demo menu and queue, and the number that reaches them from outside.
func (d demo) numbers(ctx context.Context) error {
	if err := d.exec(ctx, `INSERT INTO channel (kind, name, team_id) SELECT 'phone', 'Hotline', t.id FROM team t
		WHERE t.name = 'Support' AND NOT EXISTS (SELECT FROM channel WHERE kind = 'phone' AND name = 'Hotline')`); err != nil {
		return err
	}
	return d.exec(ctx, `INSERT INTO own_address (kind, value_norm, channel_id) SELECT v.kind, v.value, c.id
		FROM (VALUES ('extension','100'), ('extension','200'), ('phone','+74950000000')) v (kind, value) JOIN channel c ON c.kind = 'phone' AND c.name = 'Hotline' ON CONFLICT DO NOTHING`)
}

func (d demo) orgs(ctx context.Context) error {
	for _, o := range demoOrgs {
		if err := d.exec(ctx, `INSERT INTO org (name, client_priority, external_key) VALUES ($1,$2,$3) ON CONFLICT (external_key) DO NOTHING`, o.name, o.priority, o.key); err != nil {
			return err
		}
		if err := d.exec(ctx, `INSERT INTO org_domain (domain, org_id) SELECT $1, id FROM org WHERE external_key = $2 ON CONFLICT DO NOTHING`, o.domain, o.key); err != nil {
			return err
		}
		if err := d.exec(ctx, `INSERT INTO contact_point (org_id, kind, value_norm, value_raw, sharing, source, label) SELECT id, 'phone', $1, $1, 'shared', 'import', 'switchboard'
			FROM org WHERE external_key = $2 ON CONFLICT DO NOTHING`, o.switchboard, o.key); err != nil {
			return err
		}
		if err := d.exec(ctx, `INSERT INTO contract (org_id, plan_id, valid, number, engineer_id)
			SELECT o.id, p.id, daterange($3::date - 180, $3::date + 185), 'D-' || o.id, CASE WHEN p.named_engineer THEN (SELECT id FROM agent WHERE login = 'agent1') END
			FROM org o, service_plan p WHERE o.external_key = $1 AND p.key = $2 AND NOT EXISTS (SELECT FROM contract c WHERE c.org_id = o.id)`, o.key, o.plan, d.now); err != nil {
			return err
		}
	}
	return nil
}

// contacts are known by custom.demo, so that renaming them in the demo does not bring them back.
func (d demo) contacts(ctx context.Context) error {
	for _, c := range demoContacts {
		var id int64
		err := d.tx.QueryRow(ctx, `INSERT INTO contact (name, locale, custom, created_at) SELECT $1, $2, jsonb_build_object('demo', $3::text), $4
			WHERE NOT EXISTS (SELECT FROM contact WHERE custom->>'demo' = $3) RETURNING id`, c.name, c.locale, c.key, d.now.AddDate(0, -3, 0)).Scan(&id)
		if err == pgx.ErrNoRows {
			continue
		}
		if err != nil {
			return err
		}
		if err := d.exec(ctx, `INSERT INTO contact_org (contact_id, org_id, is_primary) SELECT $1, id, true FROM org WHERE external_key = $2`, id, c.org); err != nil {
			return err
		}
		if err := d.points(ctx, id, c); err != nil {
			return err
		}
	}
	return nil
}

func (d demo) points(ctx context.Context, id int64, c demoContact) error {
	const insert = `INSERT INTO contact_point (contact_id, kind, value_norm, value_raw, ext, sharing, source, is_primary, verified_at)
		SELECT $1, $2, $3, $3, nullif($4, ''), $5, 'import', $6, $7 ON CONFLICT DO NOTHING`
	if c.phone != "" {
		if err := d.exec(ctx, insert, id, "phone", c.phone, "", "personal", true, d.now.AddDate(0, -3, 0)); err != nil {
			return err
		}
	}
	if c.email != "" {
		if err := d.exec(ctx, insert, id, "email", c.email, "", "personal", c.phone == "", d.now.AddDate(0, -3, 0)); err != nil {
			return err
		}
	}
	for _, o := range demoOrgs {
		if o.key == c.org && c.ext != "" {
			return d.exec(ctx, insert, id, "phone", o.switchboard, c.ext, "shared", false, nil)
		}
	}
	return nil
}

func (d demo) tickets(ctx context.Context) error {
	for _, t := range demoTickets {
		var there bool
		var contact, org, team, agent int64
		var priority int
		err := d.tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM ticket WHERE custom->>'demo' = $1),
			coalesce((SELECT id FROM contact WHERE custom->>'demo' = $2 AND merged_into_id IS NULL), 0),
			coalesce((SELECT co.org_id FROM contact k JOIN contact_org co ON co.contact_id = k.id AND co.is_primary WHERE k.custom->>'demo' = $2), 0),
			(SELECT id FROM team WHERE name = $3), coalesce((SELECT a.id FROM agent a JOIN team_member m ON m.agent_id = a.id JOIN team t ON t.id = m.team_id AND t.name = $3
				WHERE a.active ORDER BY a.login LIMIT 1), 0)`, t.key, t.contact, t.team).Scan(&there, &contact, &org, &team, &agent)
		if err != nil {
			return err
		}
		if there {
			continue
		}
		if priority, err = orgPriority(ctx, d.tx, org); err != nil {
			return err
		}
		at := d.now.Add(-t.ago)
		by := SystemActor().author(at)
		row, err := insertTicket(ctx, d.tx, by, ticketInsert{Title: t.title, Kind: t.kind, Category: catNew, TeamID: team, AssigneeID: 0, ContactID: contact, OrgID: org,
			Severity: t.severity, ClientPriority: priority, At: at, LastCustomerAt: at})
		if err != nil {
			return err
		}
		if err := d.exec(ctx, `UPDATE ticket SET custom = jsonb_build_object('demo', $2::text) WHERE id = $1`, row.ID, t.key); err != nil {
			return err
		}
		if _, err := insertMessage(ctx, d.tx, row, messageInsert{Kind: "note", Direction: "none", Visibility: "internal", AgentID: agent, Body: t.note, At: at.Add(10 * time.Minute)}); err != nil {
			return err
		}
		if err := d.story(ctx, row, t, agent, at.Add(15*time.Minute)); err != nil {
			return err
		}
		if err := refreshSearch(ctx, d.tx, row.ID); err != nil {
			return err
		}
	}
	return nil
}

// assign gives the named engineer and open tickets to agents that were not there the first time.
func (d demo) assign(ctx context.Context) error {
	if err := d.exec(ctx, `UPDATE contract c SET engineer_id = g.id FROM agent g, service_plan p, org o
		WHERE g.login = 'agent1' AND p.id = c.plan_id AND p.named_engineer AND o.id = c.org_id AND o.external_key LIKE 'demo-%' AND c.engineer_id IS NULL`); err != nil {
		return err
	}
	return d.exec(ctx, `UPDATE ticket t SET assignee_id = m.agent_id, version = version + 1
		FROM (SELECT DISTINCT ON (m.team_id) m.team_id, m.agent_id FROM team_member m JOIN agent g ON g.id = m.agent_id AND g.active WHERE m.access <> 'lead' ORDER BY m.team_id, g.login) m
		WHERE m.team_id = t.team_id AND t.assignee_id IS NULL AND t.custom ? 'demo' AND t.status_id BETWEEN 2 AND 7
		AND NOT EXISTS (SELECT FROM ticket_event e WHERE e.ticket_id = t.id AND e.field = 'assignee')`)
}

// story moves a demo ticket to where it stands.
func (d demo) story(ctx context.Context, row *ticketRow, t demoTicket, agent int64, at time.Time) error {
	by := SystemActor().author(at)
	for _, ev := range t.events {
		var more []fieldChange
		if ev == evAgentReply && agent != 0 {
			more = append(more, fieldChange{"assignee", "assignee_id", agent, nil, nil})
		}
		if ev == evSolve {
			more = append(more, fieldChange{"resolution", "resolution", "answered", nil, "answered"})
		}
		if _, err := moveStatus(ctx, d.tx, by, row, ev, more...); err != nil {
			return err
		}
	}
	if len(t.events) == 0 {
		return nil
	}
	return d.exec(ctx, `UPDATE ticket SET first_response_at = $2, last_agent_at = $2, waiting_since = NULL WHERE id = $1`, row.ID, at)
}
