package auth

import (
	"context"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// Entry is something that somebody did. Detail never holds secrets.
type Entry struct {
	Action string         // object.verb: user.update
	Object string         // kind:key: user:agent1
	Detail map[string]any // what changed; nil: nothing to add
}

// AuditEntry is a line of the audit log.
type AuditEntry struct {
	Seq    int64          `json:"seq" doc:"Without gaps"`
	At     time.Time      `json:"at"`
	Actor  string         `json:"actor" doc:"Login, or system"`
	Via    string         `json:"via" doc:"session, token:<name>, command"`
	Action string         `json:"action"`
	Object string         `json:"object"`
	Detail map[string]any `json:"detail"`
	IP     string         `json:"ip"`
}

// Audit appends to the audit log. q is the transaction of the change itself, or the pool. by nil is the command line.
// The number and hash also go into the program's log: a tail cut off the table shows there.
func (s *Service) Audit(ctx context.Context, q querier, by *Identity, e Entry) error {
	actor, via, ip := "system", "command", ""
	if by != nil {
		actor, via, ip = by.Login, by.Via(), by.IP
	}
	if e.Detail == nil {
		e.Detail = map[string]any{}
	}
	var seq int64
	var hash []byte
	err := q.QueryRow(ctx, `INSERT INTO audit (seq, at, actor, via, action, object, detail, ip, hash) VALUES (0, $1, $2, $3, $4, $5, $6, $7, '')
		RETURNING seq, hash`, s.now(), actor, via, e.Action, e.Object, e.Detail, ip).Scan(&seq, &hash)
	if err != nil {
		return fmt.Errorf("write the audit log: %w", err)
	}
	s.log.Info("audit", "seq", seq, "actor", actor, "via", via, "action", e.Action, "object", e.Object, "hash", hex.EncodeToString(hash[:8]))
	return nil
}

// ListAudit lists the newest entries below before (0: from the newest). actor and object filter when not empty.
func (s *Service) ListAudit(ctx context.Context, actor, object string, before int64, limit int) ([]AuditEntry, error) {
	rows, err := s.pool.Query(ctx, `SELECT seq, at, actor, via, action, object, detail, ip FROM audit
		WHERE ($1 = '' OR actor = $1) AND ($2 = '' OR object = $2) AND ($3 = 0 OR seq < $3) ORDER BY seq DESC LIMIT $4`, actor, object, before, limit)
	if err != nil {
		return nil, fmt.Errorf("list the audit log: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[AuditEntry])
	if err != nil {
		return nil, fmt.Errorf("list the audit log: %w", err)
	}
	return list, nil
}

// VerifyAudit walks the chain and returns the number of the first entry that does not fit (0: all fit) and the last
// number with its hash, to be held against the program's log.
func (s *Service) VerifyAudit(ctx context.Context) (bad, last int64, hash []byte, err error) {
	err = s.pool.QueryRow(ctx, `WITH w AS (
		  SELECT seq, hash, row_number() OVER o AS n, audit_hash(coalesce(lag(hash) OVER o, '\x'::bytea), audit) AS want FROM audit WINDOW o AS (ORDER BY seq))
		SELECT coalesce((SELECT min(seq) FROM w WHERE hash <> want OR seq <> n), 0),
		       coalesce((SELECT max(seq) FROM w), 0), (SELECT hash FROM w ORDER BY seq DESC LIMIT 1)`).Scan(&bad, &last, &hash)
	if err != nil {
		return 0, 0, nil, fmt.Errorf("verify the audit log: %w", err)
	}
	return bad, last, hash, nil
}
