package queue

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
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

// PGStore keeps rows and configuration in PostgreSQL.
type PGStore struct{ pool *pgxpool.Pool }

// NewPGStore uses the pool; whoever made it closes it.
func NewPGStore(pool *pgxpool.Pool) *PGStore { return &PGStore{pool: pool} }

// Load implements Store.
func (s *PGStore) Load(ctx context.Context, since time.Time) (Saved, error) {
	return Saved{}, errors.ErrUnsupported
}

// Save implements Store.
func (s *PGStore) Save(ctx context.Context, b Batch) error { return errors.ErrUnsupported }

// Queues lists all queues by key.
func (s *PGStore) Queues(ctx context.Context) ([]Queue, error) { return nil, errors.ErrUnsupported }

// Queue returns one queue, or ErrNotFound.
func (s *PGStore) Queue(ctx context.Context, key string) (Queue, error) {
	return Queue{}, errors.ErrUnsupported
}

// CreateQueue stores a new queue with its defaults filled in and returns it. A *InvalidError names wrong fields.
func (s *PGStore) CreateQueue(ctx context.Context, q Queue) (Queue, error) {
	return Queue{}, errors.ErrUnsupported
}

// UpdateQueue replaces the queue if its version is still q.Version (0: whatever it is): ErrVersion, ErrNotFound.
func (s *PGStore) UpdateQueue(ctx context.Context, q Queue) (Queue, error) {
	return Queue{}, errors.ErrUnsupported
}

// DeleteQueue removes the queue and its memberships if its version is still version (0: whatever it is).
func (s *PGStore) DeleteQueue(ctx context.Context, key string, version int64) error {
	return errors.ErrUnsupported
}

// Memberships lists the queues of one agent, or of all agents when login is empty, by login.
func (s *PGStore) Memberships(ctx context.Context, login string) (map[string][]Membership, error) {
	return nil, errors.ErrUnsupported
}

// SetMemberships replaces an agent's queues. ErrNotFound: a queue does not exist.
func (s *PGStore) SetMemberships(ctx context.Context, login string, m []Membership) error {
	return errors.ErrUnsupported
}

// Skills lists the skills of one agent, or of all agents when login is empty, by login.
func (s *PGStore) Skills(ctx context.Context, login string) (map[string]map[string]int, error) {
	return nil, errors.ErrUnsupported
}

// SetSkills replaces an agent's skills.
func (s *PGStore) SetSkills(ctx context.Context, login string, skills map[string]int) error {
	return errors.ErrUnsupported
}
