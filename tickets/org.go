package tickets

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
)

var orgKinds = []string{"client", "partner", "vendor", "internal"}

// ListOrgs searches organisations by part of the name, sorted by it.
func (s *Service) ListOrgs(ctx context.Context, a Actor, f OrgFilter) (Page[Org], error) {
	var args sqlArgs
	where := "o.archived_at IS NULL AND " + a.visibleOrgs(&args)
	if text := clip(strings.TrimSpace(f.Query), 200); text != "" {
		where += " AND " + nameSearch("o.name", text, &args)
	}
	var at placeName
	if ok, err := s.readCursor("orgs", f.After, &at); err != nil {
		return Page[Org]{}, err
	} else if ok {
		where += " AND (o.name, o.id) > (" + args.add(at.Name) + ", " + args.add(at.ID) + ")"
	}
	limit := pageLimit(f.Limit, 50, 200)
	ids, err := listIDs(ctx, s.pool, "SELECT o.id FROM org o WHERE "+where+" ORDER BY o.name, o.id", args, limit+1)
	if err != nil {
		return Page[Org]{}, fmt.Errorf("list organisations: %w", err)
	}
	orgs, err := loadOrgs(ctx, s.pool, ids, s.now())
	if err != nil {
		return Page[Org]{}, err
	}
	return page(s, "orgs", orgs, limit, func(o Org) any { return placeName{o.Name, o.ID} }), nil
}

// GetOrg reads one.
func (s *Service) GetOrg(ctx context.Context, a Actor, id int64) (Org, error) {
	if err := seesOrg(ctx, s.pool, a, "id", id); err != nil || id == 0 {
		return Org{}, notFoundOr(err)
	}
	return s.viewOrg(ctx, s.pool, id)
}

// notFoundOr turns "there is no such object in this field" into plain absence.
func notFoundOr(err error) error {
	if _, ok := err.(*Error); ok || err == nil {
		return ErrNotFound
	}
	return err
}

func (s *Service) viewOrg(ctx context.Context, q querier, id int64) (Org, error) {
	orgs, err := loadOrgs(ctx, q, []int64{id}, s.now())
	if err != nil {
		return Org{}, err
	}
	if len(orgs) == 0 {
		return Org{}, ErrNotFound
	}
	return orgs[0], nil
}

// CreateOrg makes one with its first (shared) addresses.
func (s *Service) CreateOrg(ctx context.Context, tx pgx.Tx, a Actor, n NewOrg) (Org, error) {
	if err := a.needs(PermOrgWrite); err != nil {
		return Org{}, err
	}
	n.Name, n.Kind = strings.TrimSpace(n.Name), orText(n.Kind, "client")
	if n.ClientPriority == 0 {
		n.ClientPriority = 2
	}
	if err := checkOrg(&n.Name, &n.Kind, &n.ClientPriority); err != nil {
		return Org{}, err
	}
	by := a.author(s.now())
	var id int64
	if err := tx.QueryRow(ctx, `INSERT INTO org (name, kind, client_priority) VALUES ($1,$2,$3) RETURNING id`, n.Name, n.Kind, n.ClientPriority).Scan(&id); err != nil {
		return Org{}, fmt.Errorf("insert organisation: %w", err)
	}
	for i, p := range n.Points {
		if err := s.addPoint(ctx, tx, a, by, 0, id, p, fmt.Sprintf("points[%d].value", i)); err != nil {
			return Org{}, err
		}
	}
	if err := addOutbox(ctx, tx, by, "org.created", id, map[string]any{}); err != nil {
		return Org{}, err
	}
	return s.viewOrg(ctx, tx, id)
}

func checkOrg(name, kind *string, priority *int) error {
	if name != nil {
		if n := len([]rune(*name)); n == 0 || n > 200 {
			return invalid("name", "a name has 1 to 200 characters")
		}
	}
	if kind != nil {
		if err := oneOf("kind", *kind, orgKinds); err != nil {
			return err
		}
	}
	if priority != nil && (*priority < 1 || *priority > 3) {
		return invalid("client_priority", "1 (high) to 3 (low)")
	}
	return nil
}

// PatchOrg changes one; version is If-Match, 0 does not check.
func (s *Service) PatchOrg(ctx context.Context, tx pgx.Tx, a Actor, id int64, version int, p OrgPatch) (Org, error) {
	if err := seesOrg(ctx, tx, a, "id", id); err != nil || id == 0 {
		return Org{}, notFoundOr(err)
	}
	if err := a.needs(PermOrgWrite); err != nil {
		return Org{}, err
	}
	var present int
	if err := tx.QueryRow(ctx, `SELECT version FROM org WHERE id = $1 FOR NO KEY UPDATE`, id).Scan(&present); err != nil {
		return Org{}, fmt.Errorf("lock organisation %d: %w", id, err)
	}
	if err := checkVersion(version, present); err != nil {
		return Org{}, err
	}
	if p.Name != nil {
		name := strings.TrimSpace(*p.Name)
		p.Name = &name
	}
	if err := checkOrg(p.Name, p.Kind, p.ClientPriority); err != nil {
		return Org{}, err
	}
	if _, err := tx.Exec(ctx, `UPDATE org SET name = coalesce($2, name), kind = coalesce($3, kind), client_priority = coalesce($4, client_priority), version = version + 1 WHERE id = $1`,
		id, p.Name, p.Kind, p.ClientPriority); err != nil {
		return Org{}, fmt.Errorf("change organisation %d: %w", id, err)
	}
	if err := addOutbox(ctx, tx, a.author(s.now()), "org.updated", id, map[string]any{}); err != nil {
		return Org{}, err
	}
	return s.viewOrg(ctx, tx, id)
}
