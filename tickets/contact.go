package tickets

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

var contactKinds = []string{"person", "shared", "unknown", "machine"}

func (a Actor) needs(permission string) error {
	if !a.Can(permission) {
		return forbidden("this needs the permission %q", permission)
	}
	return nil
}

// CreateContact makes a contact with its first addresses.
func (s *Service) CreateContact(ctx context.Context, tx pgx.Tx, a Actor, n NewContact) (Contact, error) {
	if err := a.needs(PermContactWrite); err != nil {
		return Contact{}, err
	}
	n.Name, n.Kind = strings.TrimSpace(n.Name), orText(n.Kind, "person")
	if err := checkContact(&n.Name, &n.Kind, &n.Locale); err != nil {
		return Contact{}, err
	}
	if n.Name == "" && len(n.Points) == 0 {
		return Contact{}, invalid("name", "a contact needs a name or an address")
	}
	if n.OrgID == 0 && a.PartnerOrgID != 0 {
		n.OrgID = a.PartnerOrgID
	}
	if err := seesOrg(ctx, tx, a, "org_id", n.OrgID); err != nil {
		return Contact{}, err
	}
	by := a.author(s.now())
	var id int64
	if err := tx.QueryRow(ctx, `INSERT INTO contact (name, kind, locale, created_at) VALUES ($1,$2,$3,$4) RETURNING id`, n.Name, n.Kind, nullText(n.Locale), by.at).Scan(&id); err != nil {
		return Contact{}, fmt.Errorf("insert contact: %w", err)
	}
	if n.OrgID != 0 {
		if err := setPrimaryOrg(ctx, tx, id, n.OrgID); err != nil {
			return Contact{}, err
		}
	}
	for i, p := range n.Points {
		if err := s.addPoint(ctx, tx, a, by, id, 0, p, fmt.Sprintf("points[%d].value", i)); err != nil {
			return Contact{}, err
		}
	}
	if err := addOutbox(ctx, tx, by, "contact.created", id, map[string]any{}); err != nil {
		return Contact{}, err
	}
	return viewContact(ctx, tx, id)
}

func checkContact(name, kind, locale *string) error {
	if name != nil && len([]rune(*name)) > 200 {
		return invalid("name", "at most 200 characters")
	}
	if kind != nil {
		if err := oneOf("kind", *kind, contactKinds); err != nil {
			return err
		}
	}
	if locale != nil && len(*locale) > 20 {
		return invalid("locale", "a language tag")
	}
	return nil
}

func viewContact(ctx context.Context, q querier, id int64) (Contact, error) {
	cs, err := loadContacts(ctx, q, []int64{id})
	if err != nil {
		return Contact{}, err
	}
	if len(cs) == 0 {
		return Contact{}, ErrNotFound
	}
	return cs[0], nil
}

// GetContact reads one; a merged one leads to the living contact.
func (s *Service) GetContact(ctx context.Context, a Actor, id int64) (Contact, error) {
	args := sqlArgs{id}
	var living int64
	err := s.pool.QueryRow(ctx, `WITH RECURSIVE chain AS (SELECT id, merged_into_id, 1 AS n FROM contact WHERE id = $1
		UNION ALL SELECT c.id, c.merged_into_id, n + 1 FROM chain JOIN contact c ON c.id = chain.merged_into_id WHERE n < 20)
		SELECT coalesce((SELECT k.id FROM chain JOIN contact k ON k.id = chain.id WHERE k.merged_into_id IS NULL AND `+a.visibleContacts(&args)+`), 0)`, args...).Scan(&living)
	if err != nil {
		return Contact{}, fmt.Errorf("find contact %d: %w", id, err)
	}
	if living == 0 {
		return Contact{}, ErrNotFound
	}
	return viewContact(ctx, s.pool, living)
}

// openContact locks a contact the actor sees and may change.
func openContact(ctx context.Context, tx querier, a Actor, id int64, version int) error {
	args := sqlArgs{id}
	rows, err := tx.Query(ctx, "SELECT k.version FROM contact k WHERE k.id = $1 AND k.merged_into_id IS NULL AND "+a.visibleContacts(&args)+" FOR NO KEY UPDATE OF k", args...)
	if err != nil {
		return fmt.Errorf("lock contact %d: %w", id, err)
	}
	versions, err := pgx.CollectRows(rows, pgx.RowTo[int])
	if err != nil {
		return fmt.Errorf("lock contact %d: %w", id, err)
	}
	if len(versions) == 0 {
		return ErrNotFound
	}
	if err := a.needs(PermContactWrite); err != nil {
		return err
	}
	return checkVersion(version, versions[0])
}

// checkVersion refuses an edit of another version than the present one; 0 is not checked.
func checkVersion(given, present int) error {
	if given != 0 && given != present {
		return &Error{Code: CodePrecondition, Field: "version", Message: "somebody changed this meanwhile; read it again", Detail: map[string]int{"version": present}}
	}
	return nil
}

// PatchContact changes one; version is If-Match, 0 does not check. Naming a provisional contact makes it a person.
func (s *Service) PatchContact(ctx context.Context, tx pgx.Tx, a Actor, id int64, version int, p ContactPatch) (Contact, error) {
	if err := openContact(ctx, tx, a, id, version); err != nil {
		return Contact{}, err
	}
	if p.Name != nil {
		name := strings.TrimSpace(*p.Name)
		p.Name = &name
	}
	if err := checkContact(p.Name, p.Kind, p.Locale); err != nil {
		return Contact{}, err
	}
	by := a.author(s.now())
	_, err := tx.Exec(ctx, `UPDATE contact SET name = coalesce($2, name), locale = coalesce($4, locale), version = version + 1,
		kind = coalesce($3, CASE WHEN kind = 'unknown' AND $2 <> '' THEN 'person' ELSE kind END),
		blocked_at = CASE WHEN $5::boolean IS NULL THEN blocked_at WHEN $5 THEN coalesce(blocked_at, $6) END WHERE id = $1`, id, p.Name, p.Kind, p.Locale, p.Blocked, by.at)
	if err != nil {
		return Contact{}, fmt.Errorf("change contact %d: %w", id, err)
	}
	if p.OrgID != nil {
		if err := seesOrg(ctx, tx, a, "org_id", *p.OrgID); err != nil {
			return Contact{}, err
		}
		if err := setPrimaryOrg(ctx, tx, id, *p.OrgID); err != nil {
			return Contact{}, err
		}
	}
	if err := addOutbox(ctx, tx, by, "contact.updated", id, map[string]any{}); err != nil {
		return Contact{}, err
	}
	return viewContact(ctx, tx, id)
}

// setPrimaryOrg makes an organisation the contact's own; 0 takes the present one away.
func setPrimaryOrg(ctx context.Context, tx querier, contact, org int64) error {
	if _, err := tx.Exec(ctx, `DELETE FROM contact_org WHERE contact_id = $1 AND is_primary`, contact); err != nil {
		return fmt.Errorf("leave the organisation: %w", err)
	}
	if org == 0 {
		return nil
	}
	_, err := tx.Exec(ctx, `INSERT INTO contact_org (contact_id, org_id, is_primary) VALUES ($1,$2,true) ON CONFLICT (contact_id, org_id) DO UPDATE SET is_primary = true`, contact, org)
	return wrap("join the organisation", err)
}

// placeName is a place in lists sorted by name.
type placeName struct {
	Name string `json:"n"`
	ID   int64  `json:"i"`
}

// ListContacts searches: phone and email exactly (other spellings of a phone count), Query by part of a name, number or
// mail address. Sorted by name.
func (s *Service) ListContacts(ctx context.Context, a Actor, f ContactFilter) (Page[Contact], error) {
	var args sqlArgs
	where := "k.merged_into_id IS NULL AND " + a.visibleContacts(&args)
	if f.Phone != "" {
		n := ParseNumber(f.Phone, s.plan)
		v := args.add(n.E164)
		where += " AND k.id IN (SELECT p.contact_id FROM contact_point p WHERE p.kind = 'phone' AND (p.value_norm = " + v + " OR p.value_norm = ANY(" + args.add(append([]string{}, n.Alt...)) + ") OR p.alt_keys @> ARRAY[" + v + "]))"
	}
	if f.Email != "" {
		where += " AND k.id IN (SELECT p.contact_id FROM contact_point p WHERE p.kind = 'email' AND p.value_norm = " + args.add(strings.ToLower(strings.TrimSpace(f.Email))) + ")"
	}
	if f.Org != 0 {
		where += " AND k.id IN (SELECT co.contact_id FROM contact_org co WHERE co.org_id = " + args.add(f.Org) + ")"
	}
	if text := clip(strings.TrimSpace(f.Query), 200); text != "" {
		or := []string{nameSearch("k.name", text, &args),
			"k.id IN (SELECT p.contact_id FROM contact_point p WHERE p.kind <> 'phone' AND p.value_norm LIKE " + args.add(likePrefix(strings.ToLower(text))) + ")"}
		if cond := pointMatch(s.plan, text, &args); cond != "" {
			or = append(or, "k.id IN (SELECT p.contact_id FROM contact_point p WHERE "+cond+")")
		}
		where += " AND (" + strings.Join(or, " OR ") + ")"
	}
	var at placeName
	if ok, err := s.readCursor("contacts", f.After, &at); err != nil {
		return Page[Contact]{}, err
	} else if ok {
		where += " AND (k.name, k.id) > (" + args.add(at.Name) + ", " + args.add(at.ID) + ")"
	}
	limit := pageLimit(f.Limit, 50, 200)
	ids, err := listIDs(ctx, s.pool, "SELECT k.id FROM contact k WHERE "+where+" ORDER BY k.name, k.id", args, limit+1)
	if err != nil {
		return Page[Contact]{}, fmt.Errorf("list contacts: %w", err)
	}
	cs, err := loadContacts(ctx, s.pool, ids)
	if err != nil {
		return Page[Contact]{}, err
	}
	return page(s, "contacts", cs, limit, func(c Contact) any { return placeName{c.Name, c.ID} }), nil
}

func listIDs(ctx context.Context, q querier, sql string, args []any, limit int) ([]int64, error) {
	rows, err := q.Query(ctx, sql+fmt.Sprintf(" LIMIT %d", limit), args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[int64])
}

// AddPoint adds an address to a contact. A personal one that somebody else has is a conflict whose detail names the
// owner; one that only a provisional contact has brings that contact's tickets along.
func (s *Service) AddPoint(ctx context.Context, tx pgx.Tx, a Actor, contact int64, p NewPoint) (Contact, error) {
	if err := openContact(ctx, tx, a, contact, 0); err != nil {
		return Contact{}, err
	}
	if err := s.addPoint(ctx, tx, a, a.author(s.now()), contact, 0, p, "value"); err != nil {
		return Contact{}, err
	}
	return viewContact(ctx, tx, contact)
}

// RemovePoint removes an address of a contact.
func (s *Service) RemovePoint(ctx context.Context, tx pgx.Tx, a Actor, contact, point int64) (Contact, error) {
	if err := openContact(ctx, tx, a, contact, 0); err != nil {
		return Contact{}, err
	}
	rows, err := tx.Query(ctx, `DELETE FROM contact_point WHERE id = $1 AND contact_id = $2 RETURNING CASE WHEN kind = 'phone' THEN value_norm ELSE '' END`, point, contact)
	if err != nil {
		return Contact{}, fmt.Errorf("remove point: %w", err)
	}
	gone, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return Contact{}, fmt.Errorf("remove point: %w", err)
	}
	if len(gone) == 0 {
		return Contact{}, ErrNotFound
	}
	if err := lookAgain(ctx, tx, s, gone[0], a.author(s.now())); err != nil {
		return Contact{}, err
	}
	if _, err := tx.Exec(ctx, `UPDATE contact SET version = version + 1 WHERE id = $1`, contact); err != nil {
		return Contact{}, fmt.Errorf("raise version: %w", err)
	}
	return viewContact(ctx, tx, contact)
}

var pointKinds = []string{"phone", "email", "telegram", "whatsapp", "viber", "vk", "facebook", "chat", "external"}

// normalise gives the stored value of an address and its other spellings.
func (s *Service) normalise(ctx context.Context, tx querier, p *NewPoint, field string) (value string, alt []string, err error) {
	if !slices.Contains(pointKinds, p.Kind) {
		return "", nil, invalid(strings.Replace(field, "value", "kind", 1), "one of %s", strings.Join(pointKinds, ", "))
	}
	value = clip(strings.TrimSpace(p.Value), 254)
	switch p.Kind {
	case "phone":
		n := ParseNumber(p.Value, s.plan)
		if n.E164 == "" {
			return "", nil, invalid(field, "%q is not a telephone number we can read", clip(p.Value, 40))
		}
		who, err := s.readCaller(ctx, tx, CallParty{Raw: n.E164, Trust: TrustVerified}, false, s.now())
		if err != nil {
			return "", nil, err
		}
		if who.Own {
			return "", nil, invalid(field, "this is a number of our own; it never means a customer")
		}
		if p.Ext == "" {
			p.Ext = n.Ext
		}
		return n.E164, n.Alt, nil
	case "email":
		value = strings.ToLower(value)
		if i := strings.LastIndexByte(value, '@'); i < 1 || i == len(value)-1 || strings.ContainsAny(value, " \t\r\n,;<>") {
			return "", nil, invalid(field, "this is not a mail address")
		}
	}
	if value == "" {
		return "", nil, invalid(field, "an address is not empty")
	}
	return value, nil, nil
}

// pointOwner is who has a personal address already, as Error.Detail shows it.
type pointOwner struct {
	ContactID int64  `json:"contact_id"`
	Name      string `json:"name"`
}

// addPoint writes an address of a contact or (contact 0) an organisation.
func (s *Service) addPoint(ctx context.Context, tx pgx.Tx, a Actor, by author, contact, org int64, p NewPoint, field string) error {
	p.Sharing = orText(p.Sharing, "personal")
	if org != 0 {
		p.Sharing = "shared"
	}
	if err := oneOf(strings.Replace(field, "value", "sharing", 1), p.Sharing, []string{"personal", "shared"}); err != nil {
		return err
	}
	value, alt, err := s.normalise(ctx, tx, &p, field)
	if err != nil {
		return err
	}
	if err := lockNumber(ctx, tx, value); err != nil {
		return err
	}
	if p.Sharing == "personal" {
		if err := freePoint(ctx, tx, a, by, contact, p.Kind, value, field); err != nil {
			return err
		}
	}
	_, err = tx.Exec(ctx, `INSERT INTO contact_point (contact_id, org_id, kind, value_norm, value_raw, ext, alt_keys, label, sharing, source, last_seen_at)
		VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,'agent',$10)
		ON CONFLICT (kind, value_norm, ext, contact_id, org_id) DO UPDATE SET level = 'known', sharing = excluded.sharing, label = coalesce(excluded.label, contact_point.label), source = 'agent', expires_at = NULL`,
		nullID(contact), nullID(org), p.Kind, value, clip(p.Value, 254), nullText(clip(p.Ext, 20)), append([]string{}, alt...), nullText(clip(p.Label, 100)), p.Sharing, by.at)
	if pe, ok := errors.AsType[*pgconn.PgError](err); ok && pe.ConstraintName == "contact_point_owner" {
		return conflict(field, pointOwner{ContactID: contact}, "this contact has the address already, with another extension: change that one")
	}
	if err != nil {
		return fmt.Errorf("insert point: %w", err)
	}
	if contact != 0 {
		if _, err := tx.Exec(ctx, `UPDATE contact SET version = version + 1 WHERE id = $1`, contact); err != nil {
			return fmt.Errorf("raise version: %w", err)
		}
	}
	if p.Kind != "phone" {
		return nil
	}
	return lookAgain(ctx, tx, s, value, by)
}

// freePoint makes sure that nobody else owns a personal address. A provisional owner is absorbed.
func freePoint(ctx context.Context, tx pgx.Tx, a Actor, by author, contact int64, kind, value, field string) error {
	rows, err := tx.Query(ctx, `SELECT k.id, k.name, k.kind FROM contact_point p JOIN contact k ON k.id = p.contact_id
		WHERE p.kind = $1 AND p.value_norm = $2 AND p.sharing = 'personal' AND p.level = 'known' AND p.contact_id <> $3`, kind, value, contact)
	if err != nil {
		return fmt.Errorf("find the owner: %w", err)
	}
	owners, err := pgx.CollectRows(rows, pgx.RowToStructByPos[struct {
		ID         int64
		Name, Kind string
	}])
	if err != nil {
		return fmt.Errorf("find the owner: %w", err)
	}
	for _, o := range owners {
		if o.Kind == "unknown" && o.Name == "" {
			if err := absorb(ctx, tx, by, o.ID, contact); err != nil {
				return fmt.Errorf("take over a bare number: %w", err)
			}
			continue
		}
		detail := any(pointOwner{o.ID, o.Name})
		if seesContact(ctx, tx, a, field, o.ID) != nil {
			detail = nil // an external agent learns that it is taken, not by whom
		}
		return conflict(field, detail, "somebody else has this address")
	}
	return nil
}
