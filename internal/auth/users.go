package auth

import (
	"context"
	"errors"
	"fmt"
	"net/mail"
	"regexp"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"hotline/internal/pg"
)

// User is an account as administrators see it.
type User struct {
	ID       int64
	Login    string // lower case; never changes
	Name     string
	Email    string // empty: none
	Locale   string // ru, en
	Roles    []string
	Teams    []Membership
	Endpoint string // empty: browser; "registered"; or a fixed SIP address
	Active   bool
	Version  int
	HasSIP   bool // a desk phone password is set
	Password bool // a password is set
}

// Membership is a user's access to a team.
type Membership struct {
	Name   string `json:"name" doc:"Team"`
	Access string `json:"access" enum:"read,reply,full,lead"`
}

// UserPatch changes an account; nil leaves a field alone.
type UserPatch struct {
	Name     *string
	Email    *string
	Locale   *string
	Roles    []string
	Teams    []Membership
	Endpoint *string
	Active   *bool
}

// Roles that exist.
const (
	RoleAgent      = "agent"
	RoleSupervisor = "supervisor"
	RoleAdmin      = "admin"
)

var (
	loginText    = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,39}$`)
	endpointText = regexp.MustCompile(`^(sips?:[A-Za-z0-9_.!~*'()&=+$,;?/%-]+@[A-Za-z0-9.\[\]:-]+(;[A-Za-z0-9=._-]+)*|asterisk:[A-Za-z0-9]+/[A-Za-z0-9_.@-]+)$`)
)

// Also is what has to happen in the transaction that changes an account: all of it is done, or nothing.
type Also func(ctx context.Context, tx pgx.Tx) error

// CreateUser makes an account without a password. Login, roles and the rest come from u; id and version are set.
func (s *Service) CreateUser(ctx context.Context, by *Identity, u User, also ...Also) (User, error) {
	u.Login = strings.ToLower(strings.TrimSpace(u.Login))
	if !loginText.MatchString(u.Login) {
		return User{}, &Invalid{Field: "login", Message: "needs 1 to 40 of a-z, 0-9, dot, dash, underscore, beginning with a letter or digit"}
	}
	if u.Name == "" {
		u.Name = u.Login
	}
	if u.Locale == "" {
		u.Locale = "ru"
	}
	patch := UserPatch{Name: &u.Name, Email: &u.Email, Locale: &u.Locale, Roles: u.Roles, Teams: u.Teams, Endpoint: &u.Endpoint}
	if err := patch.check(); err != nil {
		return User{}, err
	}
	var made User
	err := pg.Tx(ctx, s.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `INSERT INTO agent (login, name) VALUES ($1, $2)`, u.Login, u.Name); err != nil {
			return taken(err)
		}
		if err := s.apply(ctx, tx, u.Login, 0, patch); err != nil {
			return err
		}
		var err error
		if made, err = getUser(ctx, tx, u.Login); err != nil {
			return err
		}
		if err := s.Audit(ctx, tx, by, Entry{Action: "user.create", Object: "user:" + u.Login, Detail: patch.detail()}); err != nil {
			return err
		}
		return all(ctx, tx, also)
	})
	return made, err
}

// UpdateUser changes an account. version 0 is not checked; else a newer row is ErrVersion. Deactivating ends all
// sessions; tokens stop by themselves.
func (s *Service) UpdateUser(ctx context.Context, by *Identity, login string, version int, p UserPatch, also ...Also) (User, error) {
	if err := p.check(); err != nil {
		return User{}, err
	}
	var u User
	err := pg.Tx(ctx, s.pool, func(tx pgx.Tx) error {
		if err := s.apply(ctx, tx, login, version, p); err != nil {
			return err
		}
		var err error
		if u, err = getUser(ctx, tx, login); err != nil {
			return err
		}
		if err := s.Audit(ctx, tx, by, Entry{Action: "user.update", Object: "user:" + u.Login, Detail: p.detail()}); err != nil {
			return err
		}
		return all(ctx, tx, also)
	})
	return u, err
}

func all(ctx context.Context, tx pgx.Tx, also []Also) error {
	for _, do := range also {
		if err := do(ctx, tx); err != nil {
			return err
		}
	}
	return nil
}

// Deactivate gives the step that makes a new account an inactive one.
func (s *Service) Deactivate(login string) Also {
	return func(ctx context.Context, tx pgx.Tx) error {
		no := false
		return s.apply(ctx, tx, strings.ToLower(strings.TrimSpace(login)), 0, UserPatch{Active: &no})
	}
}

// Password gives the step that sets a password, which is checked and hashed now.
func (s *Service) Password(ctx context.Context, by *Identity, login, password string) (Also, error) {
	login = strings.ToLower(strings.TrimSpace(login))
	if err := CheckPassword(login, password); err != nil {
		return nil, err
	}
	hash, err := s.hash(ctx, password)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, tx pgx.Tx) error { return s.keepPassword(ctx, tx, by, login, hash, 0) }, nil
}

// apply writes a checked patch and raises the version.
func (s *Service) apply(ctx context.Context, tx pgx.Tx, login string, version int, p UserPatch) error {
	before, err := admins(ctx, tx)
	if err != nil {
		return err
	}
	id, _, err := lockAccount(ctx, tx, login)
	if err != nil {
		return err
	}
	var now int
	err = tx.QueryRow(ctx, `UPDATE agent_account SET version = version + 1, endpoint = coalesce($2, endpoint) WHERE agent_id = $1 RETURNING version - 1`,
		id, p.Endpoint).Scan(&now)
	if err != nil {
		return fmt.Errorf("change the account: %w", err)
	}
	if version != 0 && version != now {
		return ErrVersion
	}
	if _, err := tx.Exec(ctx, `UPDATE agent SET name = coalesce($2, name), locale = coalesce($3, locale), active = coalesce($4, active),
		email = CASE WHEN $5::text IS NULL THEN email ELSE nullif($5, '') END WHERE id = $1`, id, p.Name, p.Locale, p.Active, p.Email); err != nil {
		return taken(err)
	}
	if p.Roles != nil {
		if err := replaceRoles(ctx, tx, id, p.Roles); err != nil {
			return err
		}
	}
	if p.Teams != nil {
		if err := replaceTeams(ctx, tx, id, p.Teams); err != nil {
			return err
		}
	}
	if p.Active != nil && !*p.Active {
		if err := endSessions(ctx, tx, id, 0); err != nil {
			return err
		}
	}
	after, err := admins(ctx, tx)
	if err == nil && after == 0 && before > 0 {
		err = &Invalid{Field: "roles", Message: "the last active administrator cannot be taken away"}
	}
	return err
}

// admins counts active administrators. Whoever changes accounts of administrators waits for one another.
func admins(ctx context.Context, tx pgx.Tx) (n int, err error) {
	if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock(hashtext('hotline.admins'))`); err != nil {
		return 0, fmt.Errorf("count administrators: %w", err)
	}
	err = tx.QueryRow(ctx, `SELECT count(*) FROM agent a JOIN agent_role ar ON ar.agent_id = a.id JOIN role r ON r.id = ar.role_id
		WHERE a.active AND r.key = 'admin'`).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("count administrators: %w", err)
	}
	return n, nil
}

func replaceRoles(ctx context.Context, tx pgx.Tx, id int64, roles []string) error {
	if _, err := tx.Exec(ctx, `DELETE FROM agent_role WHERE agent_id = $1`, id); err != nil {
		return fmt.Errorf("change roles: %w", err)
	}
	tag, err := tx.Exec(ctx, `INSERT INTO agent_role (agent_id, role_id) SELECT $1, id FROM role WHERE key = ANY($2)`, id, roles)
	if err != nil {
		return fmt.Errorf("change roles: %w", err)
	}
	if int(tag.RowsAffected()) != len(roles) {
		return &Invalid{Field: "roles", Message: "unknown or repeated role"}
	}
	return nil
}

func replaceTeams(ctx context.Context, tx pgx.Tx, id int64, teams []Membership) error {
	if _, err := tx.Exec(ctx, `DELETE FROM team_member WHERE agent_id = $1`, id); err != nil {
		return fmt.Errorf("change teams: %w", err)
	}
	for i, m := range teams {
		tag, err := tx.Exec(ctx, `INSERT INTO team_member (team_id, agent_id, access) SELECT id, $1, $3 FROM team WHERE name = $2`, id, m.Name, m.Access)
		if pg.Code(err) == pg.CodeUniqueViolation {
			return &Invalid{Field: fmt.Sprintf("teams[%d].name", i), Message: "is named twice"}
		}
		if err != nil {
			return fmt.Errorf("change teams: %w", err)
		}
		if tag.RowsAffected() == 0 {
			return &Invalid{Field: fmt.Sprintf("teams[%d].name", i), Message: "there is no such team"}
		}
	}
	return nil
}

// lockAccount finds an agent, makes its account row when an import left it out, and holds both until the commit.
func lockAccount(ctx context.Context, tx pgx.Tx, login string) (id int64, name string, err error) {
	if err := tx.QueryRow(ctx, `SELECT id, login::text FROM agent WHERE login = $1 FOR UPDATE`, login).Scan(&id, &name); err != nil {
		return 0, "", absent("load account "+login, err)
	}
	if _, err := tx.Exec(ctx, `INSERT INTO agent_account (agent_id) VALUES ($1) ON CONFLICT DO NOTHING`, id); err != nil {
		return 0, "", fmt.Errorf("make the account: %w", err)
	}
	return id, name, nil
}

// taken explains a violated uniqueness.
func taken(err error) error {
	if pg.Code(err) != pg.CodeUniqueViolation {
		return fmt.Errorf("write the account: %w", err)
	}
	field := "login"
	if strings.Contains(pg.Constraint(err), "email") {
		field = "email"
	}
	return &Invalid{Field: field, Message: "somebody else has it", Taken: true}
}

func (p UserPatch) check() error {
	if p.Name != nil {
		if n := strings.TrimSpace(*p.Name); n == "" || len(n) > 200 {
			return &Invalid{Field: "name", Message: "needs 1 to 200 bytes"}
		}
	}
	if p.Locale != nil && *p.Locale != "ru" && *p.Locale != "en" {
		return &Invalid{Field: "locale", Message: "is ru or en"}
	}
	if p.Email != nil && *p.Email != "" {
		if a, err := mail.ParseAddress(*p.Email); err != nil || a.Address != *p.Email || len(*p.Email) > 254 {
			return &Invalid{Field: "email", Message: "is not a mail address"}
		}
	}
	if p.Endpoint != nil && *p.Endpoint != "" && *p.Endpoint != "registered" && (len(*p.Endpoint) > 200 || !endpointText.MatchString(*p.Endpoint)) {
		return &Invalid{Field: "endpoint", Message: "is empty (browser), registered, an address like sip:desk1@192.0.2.7:5060, or an endpoint of Asterisk like asterisk:PJSIP/desk1"}
	}
	for i, m := range p.Teams {
		if !slices.Contains([]string{"read", "reply", "full", "lead"}, m.Access) {
			return &Invalid{Field: fmt.Sprintf("teams[%d].access", i), Message: "is read, reply, full or lead"}
		}
	}
	return nil
}

// detail is what the audit log keeps of a change.
func (p UserPatch) detail() map[string]any {
	d := map[string]any{}
	for k, v := range map[string]*string{"name": p.Name, "email": p.Email, "locale": p.Locale, "endpoint": p.Endpoint} {
		if v != nil {
			d[k] = *v
		}
	}
	if p.Roles != nil {
		d["roles"] = p.Roles
	}
	if p.Teams != nil {
		d["teams"] = p.Teams
	}
	if p.Active != nil {
		d["active"] = *p.Active
	}
	return d
}

const userColumns = `a.id, a.login::text, a.name, coalesce(a.email::text, ''), a.locale,
  ARRAY(SELECT r.key FROM agent_role ar JOIN role r ON r.id = ar.role_id WHERE ar.agent_id = a.id ORDER BY r.key),
  coalesce((SELECT jsonb_agg(jsonb_build_object('name', t.name, 'access', m.access) ORDER BY t.line, t.name)
            FROM team_member m JOIN team t ON t.id = m.team_id WHERE m.agent_id = a.id), '[]'),
  coalesce(c.endpoint, ''), a.active, coalesce(c.version, 1), c.sip_ha1 IS NOT NULL, c.password_hash IS NOT NULL`

func getUser(ctx context.Context, q querier, login string) (User, error) {
	rows, err := q.Query(ctx, `SELECT `+userColumns+` FROM agent a LEFT JOIN agent_account c ON c.agent_id = a.id WHERE a.login = $1`, login)
	if err != nil {
		return User{}, fmt.Errorf("load the account: %w", err)
	}
	u, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[User])
	if err != nil {
		return User{}, absent("load the account", err)
	}
	return u, nil
}

// User reads one account.
func (s *Service) User(ctx context.Context, login string) (User, error) {
	return getUser(ctx, s.pool, login)
}

// ListUsers lists accounts by login, after the one given.
func (s *Service) ListUsers(ctx context.Context, after string, limit int) ([]User, error) {
	rows, err := s.pool.Query(ctx, `SELECT `+userColumns+` FROM agent a LEFT JOIN agent_account c ON c.agent_id = a.id
		WHERE a.login > $1 ORDER BY a.login LIMIT $2`, after, limit)
	if err != nil {
		return nil, fmt.Errorf("list accounts: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[User])
	if err != nil {
		return nil, fmt.Errorf("list accounts: %w", err)
	}
	return list, nil
}

// SetPassword sets a password (empty: makes one) and returns it. All sessions of the user end.
func (s *Service) SetPassword(ctx context.Context, by *Identity, login, password string) (string, error) {
	if password == "" {
		password = NewPassword()
	} else if err := CheckPassword(login, password); err != nil {
		return "", err
	}
	hash, err := s.hash(ctx, password)
	if err != nil {
		return "", err
	}
	return password, s.storePassword(ctx, by, login, hash, 0)
}

// ChangePassword sets one's own password after checking the old one. Other sessions end, this one stays.
func (s *Service) ChangePassword(ctx context.Context, id *Identity, old, password string) error {
	if err := CheckPassword(id.Login, password); err != nil {
		return err
	}
	if err := s.admit(ctx, id.Login, "change "+id.IP); err != nil { // a stolen session must not become a guessing machine
		return err
	}
	_, hash, err := s.passwordOf(ctx, id.Login)
	if err != nil {
		return err
	}
	ok, err := s.verify(ctx, hash, old)
	if err != nil {
		return err
	}
	if !ok {
		return ErrWrongPassword
	}
	if hash, err = s.hash(ctx, password); err != nil {
		return err
	}
	return s.storePassword(ctx, id, id.Login, hash, id.SessionID)
}

func (s *Service) storePassword(ctx context.Context, by *Identity, login, hash string, keep int64) error {
	return pg.Tx(ctx, s.pool, func(tx pgx.Tx) error { return s.keepPassword(ctx, tx, by, login, hash, keep) })
}

func (s *Service) keepPassword(ctx context.Context, tx pgx.Tx, by *Identity, login, hash string, keep int64) error {
	id, name, err := lockAccount(ctx, tx, login)
	if err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, `UPDATE agent_account SET password_hash = $2, password_set_at = $3 WHERE agent_id = $1`, id, hash, s.now()); err != nil {
		return fmt.Errorf("store the password: %w", err)
	}
	if err := endSessions(ctx, tx, id, keep); err != nil {
		return err
	}
	return s.Audit(ctx, tx, by, Entry{Action: "user.password", Object: "user:" + name})
}

// UpdateSelf changes one's own name and language.
func (s *Service) UpdateSelf(ctx context.Context, id *Identity, name, locale *string) error {
	_, err := s.UpdateUser(ctx, id, id.Login, 0, UserPatch{Name: name, Locale: locale})
	if errors.Is(err, ErrNotFound) {
		return ErrUnauthenticated
	}
	return err
}
