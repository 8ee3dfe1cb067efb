// Package trunks is in charge of trunks and dialled numbers as administrators set them: who may send us calls, through
// whom ours go out, and where a dialled number leads.
//
// A trunk's password is kept in the database as it is, since digest authentication needs it, and leaves only towards
// the SIP server (All): no answer of the API and no log holds it.
package trunks

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"hotline/internal/pg"
)

// Errors that callers branch on.
var (
	// ErrNotFound says that there is no such trunk or number.
	ErrNotFound = errors.New("not found")
	// ErrVersion says that somebody changed the row since the version given.
	ErrVersion = errors.New("changed by somebody else")
)

// Invalid says which field breaks a rule. Taken marks a name or number that exists already.
type Invalid struct {
	Field, Message string
	Taken          bool
}

// Error implements error.
func (i *Invalid) Error() string { return i.Field + ": " + i.Message }

// Trunk is a peer that may send us calls or take ours.
type Trunk struct {
	Name            string         // never changes
	CIDRs           []netip.Prefix // addresses its calls come from; none: no calls in
	AssertsIdentity bool           // its caller numbers count as asserted (RFC 3325)
	Region          string         // ISO 3166, for numbers without a country
	AreaCode        string         // for local numbers; empty: none
	Host            string         // where our calls go; empty: none go out
	Port            int
	Transport       string // udp, tcp
	User            string
	Password        string // see the package comment
	Realm           string // empty: whatever the host asks for
	Register        bool
	RegisterEveryS  int
	MaxCalls        int    // 0: no limit of its own
	UnknownNumber   string // reject, notice
	CallerID        string
	Enabled         bool
	Version         int
}

// Number says where a dialled number leads: to a flow or to a queue.
type Number struct {
	Number   string // as the trunk dials it; never changes
	Flow     string
	Queue    string
	Label    string
	MaxCalls int // 0: no limit of its own
	Version  int
}

// Defaults is a new trunk before anything is set.
func Defaults() Trunk {
	return Trunk{Region: "RU", Port: 5060, Transport: "udp", RegisterEveryS: 300, UnknownNumber: "reject", Enabled: true, CIDRs: []netip.Prefix{}}
}

// Store keeps trunks and numbers in PostgreSQL. Safe for any goroutine. Methods that write take the caller's transaction.
type Store struct{ pool *pgxpool.Pool }

// NewStore uses the pool; whoever made it closes it.
func NewStore(pool *pgxpool.Pool) *Store { return &Store{pool: pool} }

const trunkColumns = `name, cidrs, asserts_identity, region, area_code, host, port, transport, username, password, realm, register,
  register_every_s, max_calls, unknown_number, caller_id, enabled, version`

// All lists all trunks by name, passwords included: for the SIP server.
func (s *Store) All(ctx context.Context) ([]Trunk, error) {
	rows, err := s.pool.Query(ctx, `SELECT `+trunkColumns+` FROM trunk ORDER BY name`)
	if err != nil {
		return nil, fmt.Errorf("list trunks: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Trunk])
	if err != nil {
		return nil, fmt.Errorf("list trunks: %w", err)
	}
	return list, nil
}

// Get reads one trunk.
func (s *Store) Get(ctx context.Context, name string) (Trunk, error) {
	rows, err := s.pool.Query(ctx, `SELECT `+trunkColumns+` FROM trunk WHERE name = $1`, name)
	if err != nil {
		return Trunk{}, fmt.Errorf("read trunk: %w", err)
	}
	return one(rows, pgx.RowToStructByPos[Trunk], "read trunk")
}

// Create stores a new trunk and returns it.
func (s *Store) Create(ctx context.Context, tx pgx.Tx, t Trunk) (Trunk, error) {
	if err := t.validate(); err != nil {
		return Trunk{}, err
	}
	rows, err := tx.Query(ctx, `INSERT INTO trunk (`+trunkColumns+`) VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13,$14,$15,$16,$17,1)
		RETURNING `+trunkColumns, t.values()...)
	if err != nil {
		return Trunk{}, fmt.Errorf("create trunk: %w", err)
	}
	made, err := one(rows, pgx.RowToStructByPos[Trunk], "create trunk")
	if pg.Code(err) == pg.CodeUniqueViolation {
		return Trunk{}, &Invalid{Field: "name", Message: "exists already", Taken: true}
	}
	return made, err
}

// Update replaces a trunk if its version is still t.Version (0: whatever it is). The name stays.
func (s *Store) Update(ctx context.Context, tx pgx.Tx, t Trunk) (Trunk, error) {
	if err := t.validate(); err != nil {
		return Trunk{}, err
	}
	if err := checkVersion(ctx, tx, `SELECT version FROM trunk WHERE name = $1 FOR UPDATE`, t.Name, t.Version); err != nil {
		return Trunk{}, err
	}
	rows, err := tx.Query(ctx, `UPDATE trunk SET cidrs=$2, asserts_identity=$3, region=$4, area_code=$5, host=$6, port=$7, transport=$8,
		username=$9, password=$10, realm=$11, register=$12, register_every_s=$13, max_calls=$14, unknown_number=$15, caller_id=$16, enabled=$17,
		version = version + 1 WHERE name = $1 RETURNING `+trunkColumns, t.values()...)
	if err != nil {
		return Trunk{}, fmt.Errorf("change trunk: %w", err)
	}
	return one(rows, pgx.RowToStructByPos[Trunk], "change trunk")
}

// Delete removes a trunk if its version is still version (0: whatever it is).
func (s *Store) Delete(ctx context.Context, tx pgx.Tx, name string, version int) error {
	if err := checkVersion(ctx, tx, `SELECT version FROM trunk WHERE name = $1 FOR UPDATE`, name, version); err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, `DELETE FROM trunk WHERE name = $1`, name); err != nil {
		return fmt.Errorf("delete trunk: %w", err)
	}
	return nil
}

func (t Trunk) values() []any {
	if t.CIDRs == nil {
		t.CIDRs = []netip.Prefix{}
	}
	return []any{t.Name, t.CIDRs, t.AssertsIdentity, t.Region, t.AreaCode, t.Host, t.Port, t.Transport, t.User, t.Password, t.Realm,
		t.Register, t.RegisterEveryS, t.MaxCalls, t.UnknownNumber, t.CallerID, t.Enabled}
}

var (
	nameText   = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,39}$`)
	hostText   = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9.:-]{0,251}[A-Za-z0-9])?$`)
	regionText = regexp.MustCompile(`^[A-Z]{2}$`)
	areaText   = regexp.MustCompile(`^[0-9]{0,8}$`)
	numberText = regexp.MustCompile(`^\+?[0-9A-Za-z*#_.-]{1,40}$`)
	callerText = regexp.MustCompile(`^(\+?[0-9]{1,20})?$`)
)

func (t Trunk) validate() error {
	for _, c := range []struct {
		ok         bool
		field, why string
	}{
		{nameText.MatchString(t.Name), "name", "needs 1 to 40 of a-z, 0-9, dash, underscore"},
		{regionText.MatchString(t.Region), "region", "is a country of two capital letters, like RU"},
		{areaText.MatchString(t.AreaCode), "area_code", "is up to 8 digits"},
		{t.Host == "" || hostText.MatchString(t.Host), "host", "is a host name or an address"},
		{!t.Register || t.Host != "", "host", "is needed to register"},
		{!t.Register || t.User != "", "user", "is needed to register"},
		{t.Port >= 1 && t.Port <= 65535, "port", "is 1 to 65535"},
		{t.Transport == "udp" || t.Transport == "tcp", "transport", "is udp or tcp"},
		{plain(t.User, 100), "user", "has control characters or is too long"},
		{plain(t.Password, 200), "password", "has control characters or is too long"},
		{plain(t.Realm, 200), "realm", "has control characters or is too long"},
		{t.RegisterEveryS >= 30 && t.RegisterEveryS <= 86400, "register_every_s", "is 30 to 86400"},
		{t.MaxCalls >= 0 && t.MaxCalls <= 100000, "max_calls", "is 0 to 100000"},
		{t.UnknownNumber == "reject" || t.UnknownNumber == "notice", "unknown_number", "is reject or notice"},
		{callerText.MatchString(t.CallerID), "caller_id", "is a number of up to 20 digits"},
	} {
		if !c.ok {
			return &Invalid{Field: c.field, Message: c.why}
		}
	}
	for i, p := range t.CIDRs {
		if !p.IsValid() || p != p.Masked() {
			return &Invalid{Field: fmt.Sprintf("cidrs[%d]", i), Message: "is not a network like 192.0.2.0/24"}
		}
		if p.Bits() == 0 { // matching by address fails closed (reliability section 2)
			return &Invalid{Field: fmt.Sprintf("cidrs[%d]", i), Message: "names the whole internet"}
		}
	}
	return nil
}

// plain reports whether a text can stand in a SIP header.
func plain(s string, limit int) bool {
	return len(s) <= limit && !strings.ContainsFunc(s, func(r rune) bool { return r < 0x20 || r == 0x7f })
}

const numberColumns = `number, flow, queue, label, max_calls, version`

// Numbers lists all numbers.
func (s *Store) Numbers(ctx context.Context) ([]Number, error) {
	rows, err := s.pool.Query(ctx, `SELECT `+numberColumns+` FROM route_number ORDER BY number`)
	if err != nil {
		return nil, fmt.Errorf("list numbers: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Number])
	if err != nil {
		return nil, fmt.Errorf("list numbers: %w", err)
	}
	return list, nil
}

// Number reads one number.
func (s *Store) Number(ctx context.Context, number string) (Number, error) {
	rows, err := s.pool.Query(ctx, `SELECT `+numberColumns+` FROM route_number WHERE number = $1`, number)
	if err != nil {
		return Number{}, fmt.Errorf("read number: %w", err)
	}
	return one(rows, pgx.RowToStructByPos[Number], "read number")
}

// CreateNumber stores a new number and returns it. Whether its flow or queue exists is the caller's to check.
func (s *Store) CreateNumber(ctx context.Context, tx pgx.Tx, n Number) (Number, error) {
	if err := n.validate(); err != nil {
		return Number{}, err
	}
	rows, err := tx.Query(ctx, `INSERT INTO route_number (number, flow, queue, label, max_calls) VALUES ($1,$2,$3,$4,$5) RETURNING `+numberColumns,
		n.Number, n.Flow, n.Queue, n.Label, n.MaxCalls)
	if err != nil {
		return Number{}, fmt.Errorf("create number: %w", err)
	}
	made, err := one(rows, pgx.RowToStructByPos[Number], "create number")
	if pg.Code(err) == pg.CodeUniqueViolation {
		return Number{}, &Invalid{Field: "number", Message: "exists already", Taken: true}
	}
	return made, err
}

// UpdateNumber replaces a number if its version is still n.Version (0: whatever it is).
func (s *Store) UpdateNumber(ctx context.Context, tx pgx.Tx, n Number) (Number, error) {
	if err := n.validate(); err != nil {
		return Number{}, err
	}
	if err := checkVersion(ctx, tx, `SELECT version FROM route_number WHERE number = $1 FOR UPDATE`, n.Number, n.Version); err != nil {
		return Number{}, err
	}
	rows, err := tx.Query(ctx, `UPDATE route_number SET flow=$2, queue=$3, label=$4, max_calls=$5, version = version + 1 WHERE number = $1 RETURNING `+numberColumns,
		n.Number, n.Flow, n.Queue, n.Label, n.MaxCalls)
	if err != nil {
		return Number{}, fmt.Errorf("change number: %w", err)
	}
	return one(rows, pgx.RowToStructByPos[Number], "change number")
}

// DeleteNumber removes a number if its version is still version (0: whatever it is).
func (s *Store) DeleteNumber(ctx context.Context, tx pgx.Tx, number string, version int) error {
	if err := checkVersion(ctx, tx, `SELECT version FROM route_number WHERE number = $1 FOR UPDATE`, number, version); err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, `DELETE FROM route_number WHERE number = $1`, number); err != nil {
		return fmt.Errorf("delete number: %w", err)
	}
	return nil
}

func (n Number) validate() error {
	switch {
	case !numberText.MatchString(n.Number):
		return &Invalid{Field: "number", Message: "is 1 to 40 digits or letters, as the trunk dials it"}
	case n.Flow == "" && n.Queue == "":
		return &Invalid{Field: "flow", Message: "needs a flow or a queue"}
	case n.Flow != "" && n.Queue != "":
		return &Invalid{Field: "queue", Message: "leads to a flow or to a queue, not both"}
	case !plain(n.Flow, 100):
		return &Invalid{Field: "flow", Message: "is too long or has control characters"}
	case !plain(n.Queue, 100):
		return &Invalid{Field: "queue", Message: "is too long or has control characters"}
	case !plain(n.Label, 200):
		return &Invalid{Field: "label", Message: "is too long or has control characters"}
	case n.MaxCalls < 0 || n.MaxCalls > 100000:
		return &Invalid{Field: "max_calls", Message: "is 0 to 100000"}
	}
	return nil
}

// checkVersion locks a row and holds its version against the one given.
func checkVersion(ctx context.Context, tx pgx.Tx, sql, key string, want int) error {
	var have int
	err := tx.QueryRow(ctx, sql, key).Scan(&have)
	if errors.Is(err, pgx.ErrNoRows) {
		return ErrNotFound
	}
	if err != nil {
		return fmt.Errorf("check the version of %s: %w", key, err)
	}
	if want != 0 && want != have {
		return ErrVersion
	}
	return nil
}

func one[T any](rows pgx.Rows, scan pgx.RowToFunc[T], what string) (v T, err error) {
	v, err = pgx.CollectExactlyOneRow(rows, scan)
	if errors.Is(err, pgx.ErrNoRows) {
		return v, ErrNotFound
	}
	if err != nil {
		return v, fmt.Errorf("%s: %w", what, err)
	}
	return v, nil
}
