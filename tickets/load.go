package tickets

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// Actor loads an active agent with roles, permissions and teams. ErrNotFound when there is none. Of an external agent
// only the teams of their partner are kept.
func (s *Service) Actor(ctx context.Context, login string) (Actor, error) {
	var a Actor
	var teams []byte
	err := s.pool.QueryRow(ctx, `SELECT a.id, a.login::text, a.name, a.locale, coalesce(a.partner_org_id, 0),
		coalesce((SELECT array_agg(r.key ORDER BY r.key) FROM agent_role ar JOIN role r ON r.id = ar.role_id WHERE ar.agent_id = a.id), '{}'),
		coalesce((SELECT array_agg(DISTINCT p ORDER BY p) FROM agent_role ar JOIN role r ON r.id = ar.role_id CROSS JOIN unnest(r.permissions) p WHERE ar.agent_id = a.id), '{}'),
		coalesce((SELECT jsonb_agg(jsonb_build_object('id', t.id, 'name', t.name, 'line', t.line, 'access', m.access) ORDER BY t.line, t.id)
			FROM team_member m JOIN team t ON t.id = m.team_id WHERE m.agent_id = a.id
			AND (a.partner_org_id IS NULL OR t.partner_org_id = a.partner_org_id)), '[]')
		FROM agent a WHERE a.login = $1 AND a.active`, login).Scan(&a.AgentID, &a.Login, &a.Name, &a.Locale, &a.PartnerOrgID, &a.Roles, &a.Permissions, &teams)
	if errors.Is(err, pgx.ErrNoRows) {
		return Actor{}, ErrNotFound
	}
	if err != nil {
		return Actor{}, fmt.Errorf("load agent %s: %w", login, err)
	}
	if err := json.Unmarshal(teams, &a.Teams); err != nil {
		return Actor{}, fmt.Errorf("load teams of %s: %w", login, err)
	}
	return a, nil
}

// Teams lists the teams with their members; an external agent sees their own teams only.
func (s *Service) Teams(ctx context.Context, a Actor) ([]Team, error) {
	rows, err := s.pool.Query(ctx, `SELECT t.id, t.name, t.line, coalesce((SELECT jsonb_agg(jsonb_build_object('login', g.login, 'name', g.name) ORDER BY g.name)
		FROM team_member m JOIN agent g ON g.id = m.agent_id AND g.active WHERE m.team_id = t.id), '[]')
		FROM team t WHERE $1 OR t.id = ANY($2) ORDER BY t.line, t.name`, a.PartnerOrgID == 0 && (a.system || a.AgentID != 0), a.teamIDs())
	if err != nil {
		return nil, fmt.Errorf("list teams: %w", err)
	}
	teams, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (t Team, err error) {
		var members []byte
		if err := row.Scan(&t.ID, &t.Name, &t.Line, &members); err != nil {
			return t, err
		}
		return t, json.Unmarshal(members, &t.Members)
	})
	return teams, wrap("list teams", err)
}

// loadPoints reads the addresses of contacts (by contact) or organisations (by org), keyed by that id.
func loadPoints(ctx context.Context, q querier, column string, ids []int64) (map[int64][]Point, error) {
	rows, err := q.Query(ctx, `SELECT `+column+`, id, kind, value_norm, value_raw, coalesce(ext, ''), coalesce(label, ''), sharing, level, verified_at
		FROM contact_point WHERE `+column+` = ANY($1) ORDER BY is_primary DESC, kind, id`, ids)
	if err != nil {
		return nil, fmt.Errorf("load points: %w", err)
	}
	out := map[int64][]Point{}
	var owner int64
	var p Point
	_, err = pgx.ForEachRow(rows, []any{&owner, &p.ID, &p.Kind, &p.Value, &p.Raw, &p.Ext, &p.Label, &p.Sharing, &p.Level, &p.VerifiedAt}, func() error {
		out[owner] = append(out[owner], p)
		p.VerifiedAt = nil
		return nil
	})
	return out, wrap("load points", err)
}

// loadContactRefs reads names and addresses of contacts.
func loadContactRefs(ctx context.Context, q querier, ids []int64) (map[int64]*ContactRef, error) {
	out := map[int64]*ContactRef{}
	if len(ids) == 0 {
		return out, nil
	}
	points, err := loadPoints(ctx, q, "contact_id", ids)
	if err != nil {
		return nil, err
	}
	rows, err := q.Query(ctx, `SELECT id, name FROM contact WHERE id = ANY($1)`, ids)
	if err != nil {
		return nil, fmt.Errorf("load contacts: %w", err)
	}
	var c ContactRef
	_, err = pgx.ForEachRow(rows, []any{&c.ID, &c.Name}, func() error {
		ref := ContactRef{ID: c.ID, Name: c.Name, Points: points[c.ID]}
		if ref.Points == nil {
			ref.Points = []Point{}
		}
		out[c.ID] = &ref
		return nil
	})
	return out, wrap("load contacts", err)
}

// loadContacts reads whole contacts in the order of ids; merged and absent ones are left out.
func loadContacts(ctx context.Context, q querier, ids []int64) ([]Contact, error) {
	out := []Contact{}
	if len(ids) == 0 {
		return out, nil
	}
	points, err := loadPoints(ctx, q, "contact_id", ids)
	if err != nil {
		return nil, err
	}
	rows, err := q.Query(ctx, `SELECT k.id, k.name, k.kind, coalesce(k.locale, ''), k.blocked_at IS NOT NULL, k.version,
		coalesce((SELECT jsonb_agg(jsonb_build_object('id', o.id, 'name', o.name) ORDER BY co.is_primary DESC, o.id)
			FROM contact_org co JOIN org o ON o.id = co.org_id WHERE co.contact_id = k.id), '[]')
		FROM contact k WHERE k.id = ANY($1) AND k.merged_into_id IS NULL ORDER BY array_position($1, k.id)`, ids)
	if err != nil {
		return nil, fmt.Errorf("load contacts: %w", err)
	}
	out, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (c Contact, err error) {
		var orgs []byte
		if err := row.Scan(&c.ID, &c.Name, &c.Kind, &c.Locale, &c.Blocked, &c.Version, &orgs); err != nil {
			return c, err
		}
		if c.Points = points[c.ID]; c.Points == nil {
			c.Points = []Point{}
		}
		if err := json.Unmarshal(orgs, &c.Orgs); err != nil {
			return c, err
		}
		if len(c.Orgs) > 0 {
			c.Org = &c.Orgs[0]
		}
		return c, nil
	})
	return out, wrap("load contacts", err)
}

// loadOrgs reads whole organisations in the order of ids, with the plan valid at an instant.
func loadOrgs(ctx context.Context, q querier, ids []int64, at time.Time) ([]Org, error) {
	out := []Org{}
	if len(ids) == 0 {
		return out, nil
	}
	points, err := loadPoints(ctx, q, "org_id", ids)
	if err != nil {
		return nil, err
	}
	rows, err := q.Query(ctx, `SELECT o.id, o.name, o.kind, o.client_priority, o.version, coalesce(p.key, ''), coalesce(g.name, ''),
		(SELECT count(*) FROM contact_org co JOIN contact k ON k.id = co.contact_id AND k.merged_into_id IS NULL WHERE co.org_id = o.id)
		FROM org o LEFT JOIN LATERAL (SELECT plan_id, engineer_id FROM contract c WHERE c.org_id = o.id AND c.valid @> $2::date ORDER BY project_id NULLS FIRST LIMIT 1) c ON true
		LEFT JOIN service_plan p ON p.id = c.plan_id LEFT JOIN agent g ON g.id = c.engineer_id
		WHERE o.id = ANY($1) ORDER BY array_position($1, o.id)`, ids, utc(at))
	if err != nil {
		return nil, fmt.Errorf("load organisations: %w", err)
	}
	out, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (o Org, err error) {
		if err := row.Scan(&o.ID, &o.Name, &o.Kind, &o.ClientPriority, &o.Version, &o.Plan, &o.Engineer, &o.Contacts); err != nil {
			return o, err
		}
		if o.Points = points[o.ID]; o.Points == nil {
			o.Points = []Point{}
		}
		return o, nil
	})
	return out, wrap("load organisations", err)
}
