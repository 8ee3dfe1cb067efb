package program

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// rules are invariants of reliability.md section 3 as queries that give what breaks them, one text a row.
var rules = []struct{ id, what, sql string }{
	{"I1", "one record per INVITE", `SELECT concat('Call-ID ', data->'party'->>'sip_call_id', ': ', count(*), ' calls')
		FROM call_event WHERE type = 'begin' AND data->'party'->>'sip_call_id' <> '' GROUP BY data->'party'->>'sip_call_id' HAVING count(*) > 1`},
	{"I1", "one terminal state per call", `SELECT concat('call ', c.call_key, ' is ', c.state, ' with ', count(e.*), ' ends')
		FROM call c LEFT JOIN call_event e ON e.call_id = c.id AND e.type = 'end' GROUP BY c.id HAVING count(e.*) <> (c.state = 'ended')::int`},
	{"I1", "rows of calls and their legs are over together", `SELECT concat('call ', c.call_key, ': leg of ', l.role, ' goes on')
		FROM call c JOIN call_leg l ON l.call_id = c.id WHERE c.state = 'ended' AND l.ended_at IS NULL`},
	{"I2", "a call that waited in vain has one follow-up", `SELECT concat('call ', c.call_key, ' of ', c.caller_e164, ', ', c.disposition, ': rule ', l.rule, ', link ', l.state, ', ',
			(SELECT count(*) FROM message m WHERE m.call_id = c.id AND m.kind = 'call' AND m.deleted_at IS NULL), ' entries')
		FROM call c LEFT JOIN call_link l ON l.call_id = c.id
		WHERE c.state = 'ended' AND c.answered_at IS NULL AND EXISTS (SELECT FROM queue_entry q WHERE q.call = c.call_key)
		  AND CASE WHEN l.rule = 'A10' THEN l.ticket_id IS NOT NULL OR c.disposition <> 'abandoned_queue' OR c.wait_ms >= coalesce((SELECT q.short_abandon_s * 1000 FROM queue q WHERE q.key = c.queue), 5000)
		      ELSE l.ticket_id IS NULL OR NOT l.missed OR (SELECT count(*) FROM message m WHERE m.call_id = c.id AND m.kind = 'call' AND m.deleted_at IS NULL) <> 1 END`},
	{"I2", "a missed-call ticket has one callback", `SELECT concat('ticket ', l.ticket_id, ' of ', l.caller_key, ': ', (SELECT count(*) FROM callback_request b WHERE b.ticket_id = l.ticket_id AND b.number = l.caller_key), ' callbacks')
		FROM call_link l WHERE l.rule IN ('A11', 'A13') AND l.missed AND l.caller_key IS NOT NULL
		  AND (SELECT count(*) FROM callback_request b WHERE b.ticket_id = l.ticket_id AND b.number = l.caller_key) <> 1`},
	{"I5", "no agent has two live offers", `SELECT concat(a.agent, ': offers ', a.id, ' and ', b.id) FROM queue_offer a JOIN queue_offer b ON a.agent = b.agent AND a.id < b.id
		WHERE tstzrange(a.made_at, a.ended_at) && tstzrange(b.made_at, b.ended_at)`},
	{"I6", "a caller has at most one agent", `SELECT concat('call ', c.call_key, ': legs ', a.leg_key, ' and ', b.leg_key) FROM call c
		JOIN call_leg a ON a.call_id = c.id AND a.role = 'agent' JOIN call_leg b ON b.call_id = c.id AND b.role = 'agent' AND a.id < b.id
		WHERE tstzrange(a.started_at, a.ended_at) && tstzrange(b.started_at, b.ended_at)`},
	{"I6", "an agent has at most one caller", `SELECT concat(p.login, ': calls ', a.call_id, ' and ', b.call_id) FROM call_leg a
		JOIN call_leg b ON a.agent_id = b.agent_id AND a.id < b.id AND a.role = 'agent' AND b.role = 'agent' JOIN agent p ON p.id = a.agent_id
		WHERE tstzrange(a.started_at, a.ended_at) && tstzrange(b.started_at, b.ended_at)`},
	{"I8", "recordings are ready or say why not", `SELECT concat('recording ', id, ' is ', state, ', error ', coalesce(error, 'none')) FROM recording r
		WHERE state NOT IN ('ready', 'deleted') AND NOT (state = 'failed' AND error IS NOT NULL)
		  AND EXISTS (SELECT FROM call c WHERE c.id = r.call_id AND c.state = 'ended')`},
}

// Invariants gives what is broken of I1, I2, I5, I6 and I8 in the rows of a server at rest, its folder of recordings and
// the INVITEs it has answered.
func Invariants(ctx context.Context, db *pgx.Conn, recordings string, invites []string) (broken []string) {
	fail := func(id, what string, detail any) {
		broken = append(broken, fmt.Sprintf("%s, %s: %v", id, what, detail))
	}
	for _, r := range rules {
		rows, err := db.Query(ctx, r.sql)
		if err != nil {
			fail(r.id, r.what, err)
			continue
		}
		list, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			fail(r.id, r.what, err)
		}
		for _, v := range list {
			fail(r.id, r.what, v)
		}
	}
	for _, id := range invites {
		var n int
		err := db.QueryRow(ctx, `SELECT count(*) FROM call_event WHERE type = 'begin' AND data->'party'->>'sip_call_id' = $1`, id).Scan(&n)
		if err != nil || n != 1 {
			fail("I1", "the INVITE that was taken has its record", fmt.Sprintf("Call-ID %s: %d calls, %v", id, n, err))
		}
	}
	if err := files(ctx, db, recordings); err != nil {
		fail("I8", "files and rows of recordings match", err)
	}
	return broken
}

// files holds the recordings' rows and files against each other.
func files(ctx context.Context, db *pgx.Conn, dir string) error {
	rows, err := db.Query(ctx, `SELECT store_key, sha256, size FROM recording WHERE state = 'ready' OR (state = 'failed' AND store_key IS NOT NULL)`)
	if err != nil {
		return err
	}
	type row struct {
		Key  string
		Hash []byte
		Size int64
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[row])
	if err != nil {
		return err
	}
	known := map[string]bool{}
	for _, r := range list {
		path := filepath.Join(dir, filepath.FromSlash(r.Key)+".hrec")
		known[path] = true
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if sum := sha256.Sum256(b); string(sum[:]) != string(r.Hash) || int64(len(b)) != r.Size {
			return fmt.Errorf("%s: %d bytes, hash %x; the row says %d, %x", path, len(b), sum, r.Size, r.Hash)
		}
	}
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".hrec") && !known[path] {
			return fmt.Errorf("%s belongs to no row", path)
		}
		return err
	})
}

// Until waits for a text value of the database.
func (p *Program) Until(ctx context.Context, what, want, sql string, args ...any) {
	p.t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		got := p.SQL(ctx, sql, args...)
		if got == want {
			return
		}
		select {
		case <-ctx.Done():
			p.t.Fatalf("never: %s (last %q, wanted %q)\n%s", what, got, want, p.Log())
		case <-tick.C:
		}
	}
}
