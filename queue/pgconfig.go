package queue

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// Errors of the configuration.
var (
	// ErrNotFound says that there is no such queue.
	ErrNotFound = errors.New("queue not found")
	// ErrVersion says that the queue was changed since it was read.
	ErrVersion = errors.New("queue was changed meanwhile")
	// ErrExists says that the key is taken.
	ErrExists = errors.New("queue exists")
	// ErrInUse says that callers wait in the queue.
	ErrInUse = errors.New("queue is in use")
)

const queueColumns = `key, name, strategy, ring_timeout_s, wrapup_s, wrapup_mode, max_wait_s, max_len, on_timeout, on_full,
	on_no_agents, moh, announce_first_s, announce_every_s, record, retention_days, max_missed, missed_rest_s, sl_threshold_s,
	sl_target, short_abandon_s, team, weight, closed`

// fields are the queue's values in the order of queueColumns.
func (q *Queue) fields() []any {
	return []any{&q.Key, &q.Name, &q.Strategy, &q.RingTimeoutS, &q.WrapupS, &q.WrapupMode, &q.MaxWaitS, &q.MaxLen, &q.OnTimeout,
		&q.OnFull, &q.OnNoAgents, &q.MOH, &q.AnnounceFirstS, &q.AnnounceEveryS, &q.Record, &q.RetentionDays, &q.MaxMissed,
		&q.MissedRestS, &q.SLThresholdS, &q.SLTarget, &q.ShortAbandonS, &q.Team, &q.Weight, &q.Closed}
}

func scanQueue(row pgx.CollectableRow) (Queue, error) {
	var q Queue
	err := row.Scan(append(q.fields(), &q.Version)...)
	return q, err
}

// Queues lists all queues by key.
func (s *PGStore) Queues(ctx context.Context) ([]Queue, error) {
	rows, err := s.pool.Query(ctx, `SELECT `+queueColumns+`, version FROM queue ORDER BY key`)
	if err != nil {
		return nil, fmt.Errorf("list queues: %w", err)
	}
	qs, err := pgx.CollectRows(rows, scanQueue)
	if err != nil {
		return nil, fmt.Errorf("list queues: %w", err)
	}
	return qs, nil
}

// Queue returns one queue, or ErrNotFound.
func (s *PGStore) Queue(ctx context.Context, key string) (Queue, error) {
	rows, err := s.pool.Query(ctx, `SELECT `+queueColumns+`, version FROM queue WHERE key = $1`, key)
	if err != nil {
		return Queue{}, fmt.Errorf("read queue %s: %w", key, err)
	}
	q, err := pgx.CollectExactlyOneRow(rows, scanQueue)
	if errors.Is(err, pgx.ErrNoRows) {
		return Queue{}, ErrNotFound
	}
	if err != nil {
		return Queue{}, fmt.Errorf("read queue %s: %w", key, err)
	}
	return q, nil
}

// CreateQueue stores a new queue with its defaults filled in and returns it. *InvalidError names wrong fields; ErrExists.
func (s *PGStore) CreateQueue(ctx context.Context, q Queue) (Queue, error) {
	q = q.WithDefaults()
	if err := q.Validate(); err != nil {
		return Queue{}, err
	}
	_, err := s.pool.Exec(ctx, `INSERT INTO queue (`+queueColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13,
		$14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24)`, q.fields()...)
	if pe, ok := errors.AsType[*pgconn.PgError](err); ok && pe.Code == "23505" {
		return Queue{}, ErrExists
	}
	if err != nil {
		return Queue{}, fmt.Errorf("create queue %s: %w", q.Key, err)
	}
	q.Version = 1
	return q, nil
}

// UpdateQueue replaces the queue if its version is still q.Version (0: whatever it is). ErrVersion, ErrNotFound,
// *InvalidError.
func (s *PGStore) UpdateQueue(ctx context.Context, q Queue) (Queue, error) {
	q = q.WithDefaults()
	if err := q.Validate(); err != nil {
		return Queue{}, err
	}
	err := s.pool.QueryRow(ctx, `UPDATE queue SET (`+queueColumns+`) = ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14,
		$15, $16, $17, $18, $19, $20, $21, $22, $23, $24), version = version + 1, updated_at = now()
		WHERE key = $1 AND ($25 = 0 OR version = $25) RETURNING version`, append(q.fields(), q.Version)...).Scan(&q.Version)
	if errors.Is(err, pgx.ErrNoRows) {
		if _, err := s.Queue(ctx, q.Key); err != nil {
			return Queue{}, err
		}
		return Queue{}, ErrVersion
	}
	if err != nil {
		return Queue{}, fmt.Errorf("update queue %s: %w", q.Key, err)
	}
	return q, nil
}

// DeleteQueue removes the queue and its memberships if its version is still version (0: whatever it is) and nobody waits
// in it: ErrVersion, ErrNotFound, ErrInUse. What happened in it stays.
func (s *PGStore) DeleteQueue(ctx context.Context, key string, version int64) error {
	tag, err := s.pool.Exec(ctx, `DELETE FROM queue WHERE key = $1 AND ($2 = 0 OR version = $2)
		AND NOT EXISTS (SELECT FROM queue_entry WHERE queue = $1 AND state <> 'ended')`, key, version)
	if err != nil {
		return fmt.Errorf("delete queue %s: %w", key, err)
	}
	if tag.RowsAffected() == 1 {
		return nil
	}
	q, err := s.Queue(ctx, key)
	switch {
	case err != nil:
		return err
	case version != 0 && q.Version != version:
		return ErrVersion
	}
	return ErrInUse
}

// Memberships lists the queues of one agent, or of all agents when login is empty, by login.
func (s *PGStore) Memberships(ctx context.Context, login string) (map[string][]Membership, error) {
	rows, err := s.pool.Query(ctx, `SELECT login, queue, level FROM queue_member WHERE $1 = '' OR login = $1 ORDER BY login, queue`,
		login)
	if err != nil {
		return nil, fmt.Errorf("list queue members: %w", err)
	}
	out := map[string][]Membership{}
	var who string
	var m Membership
	_, err = pgx.ForEachRow(rows, []any{&who, &m.Queue, &m.Level}, func() error {
		out[who] = append(out[who], m)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list queue members: %w", err)
	}
	return out, nil
}

// SetMemberships replaces an agent's queues. ErrNotFound: one of the queues does not exist, and nothing was changed.
func (s *PGStore) SetMemberships(ctx context.Context, login string, m []Membership) error {
	return pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error { return SetMembershipsIn(ctx, tx, login, m) })
}

// SetMembershipsIn is SetMemberships within the caller's transaction, which an error spoils.
func SetMembershipsIn(ctx context.Context, tx pgx.Tx, login string, m []Membership) error {
	keys, levels := make([]string, len(m)), make([]int, len(m))
	for i, x := range m {
		keys[i], levels[i] = x.Queue, x.Level
	}
	_, err := tx.Exec(ctx, `DELETE FROM queue_member WHERE login = $1 AND queue <> ALL($2)`, login, keys)
	if err == nil {
		_, err = tx.Exec(ctx, `INSERT INTO queue_member (login, queue, level)
			SELECT DISTINCT ON (q) $1, q, l FROM unnest($2::text[], $3::int[]) AS t(q, l)
			ON CONFLICT (login, queue) DO UPDATE SET level = excluded.level`, login, keys, levels)
	}
	if pe, ok := errors.AsType[*pgconn.PgError](err); ok && pe.Code == "23503" {
		return ErrNotFound
	}
	if err != nil {
		return fmt.Errorf("set queues of %s: %w", login, err)
	}
	return nil
}

// Skills lists the skills of one agent, or of all agents when login is empty, by login.
func (s *PGStore) Skills(ctx context.Context, login string) (map[string]map[string]int, error) {
	rows, err := s.pool.Query(ctx, `SELECT login, skill, level FROM agent_skill WHERE $1 = '' OR login = $1`, login)
	if err != nil {
		return nil, fmt.Errorf("list skills: %w", err)
	}
	out := map[string]map[string]int{}
	var who, skill string
	var level int
	_, err = pgx.ForEachRow(rows, []any{&who, &skill, &level}, func() error {
		if out[who] == nil {
			out[who] = map[string]int{}
		}
		out[who][skill] = level
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list skills: %w", err)
	}
	return out, nil
}

// SetSkills replaces an agent's skills. Levels below one remove the skill.
func (s *PGStore) SetSkills(ctx context.Context, login string, skills map[string]int) error {
	return pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error { return SetSkillsIn(ctx, tx, login, skills) })
}

// SetSkillsIn is SetSkills within the caller's transaction, which an error spoils.
func SetSkillsIn(ctx context.Context, tx pgx.Tx, login string, skills map[string]int) error {
	names := slices.DeleteFunc(slices.Sorted(maps.Keys(skills)), func(n string) bool { return skills[n] < 1 || n == "" })
	levels := make([]int, len(names))
	for i, n := range names {
		levels[i] = skills[n]
	}
	_, err := tx.Exec(ctx, `DELETE FROM agent_skill WHERE login = $1 AND skill <> ALL($2)`, login, names)
	if err == nil {
		_, err = tx.Exec(ctx, `INSERT INTO agent_skill (login, skill, level)
			SELECT $1, s, l FROM unnest($2::text[], $3::int[]) AS t(s, l)
			ON CONFLICT (login, skill) DO UPDATE SET level = excluded.level`, login, names, levels)
	}
	if err != nil {
		return fmt.Errorf("set skills of %s: %w", login, err)
	}
	return nil
}
