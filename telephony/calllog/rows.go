package calllog

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// PBX is call.pbx of our own calls; other values are foreign PBXs that report by API.
const PBX = "hotline"

// writeCall brings the call's row to what the summary says and gives its id. A row that has ended is never touched
// again: the end is the one terminal write.
func writeCall(ctx context.Context, tx pgx.Tx, s *Summary) (int64, error) {
	b := s.Begin
	p := b.Party
	path, err := json.Marshal(append([]PathStep{}, s.Path...))
	if err != nil {
		return 0, fmt.Errorf("encode menu path: %w", err)
	}
	var f Finish
	if s.Finish != nil {
		f = *s.Finish
	}
	trust, withheld, caller, callee := or(string(p.Caller.Trust), "withheld"), p.Withheld(), s.Who.E164, ""
	if b.Direction == Out { // the number known is the one called; the caller is us, whatever the trunk shows for it
		trust, withheld, caller, callee = "asserted", false, "", s.Who.E164
	}
	args := pgx.NamedArgs{
		"pbx": PBX, "key": string(s.Call), "direction": string(b.Direction), "state": string(s.State), "trunk": p.Trunk,
		"queue": null(s.Queue), "lang": null(s.Lang), "raw": clean(p.Caller.Value), "e164": null(caller), "callee": null(callee), "ext": null(s.Who.Ext),
		"name": null(clean(p.Caller.DisplayName)), "withheld": withheld, "source": or(p.Caller.Source, "none"), "trust": trust,
		"attestation": null(p.Caller.Attestation), "called": clean(p.Called), "diversion": cleanAll(p.Diversion),
		"started": s.Started, "queued": at(s.Queued), "answered": later(s.Talked, s.Started), "ended": later(s.Ended, s.Started),
		"disposition": null(f.Disposition), "result": null(string(f.End.Result)), "reason": null(string(f.End.Reason)),
		"by": null(string(f.End.By)), "cause": null(causeText(f)), "path": path,
	}
	if s.Finish != nil {
		args["wait"], args["talk"], args["hold"] = f.WaitMS, f.TalkMS, f.HoldMS
	} else {
		args["wait"], args["talk"], args["hold"] = nil, nil, nil
	}
	const sql = `
INSERT INTO call (pbx, call_key, direction, state, trunk, queue, lang, caller_raw, caller_e164, caller_ext, caller_name, withheld,
  claim_source, claim_trust, claim_attestation, callee_raw, callee_e164, diversion, started_at, queued_at, answered_at, ended_at,
  disposition, end_result, end_reason, hangup_by, hangup_cause, wait_ms, talk_ms, hold_ms, menu_path)
VALUES (@pbx, @key, @direction, @state, @trunk, @queue, @lang, @raw, @e164, @ext, @name, @withheld,
  @source, @trust, @attestation, @called, @callee, @diversion, @started, @queued, @answered, @ended,
  @disposition, @result, @reason, @by, @cause, @wait, @talk, @hold, @path)
ON CONFLICT (pbx, call_key) DO UPDATE SET state = excluded.state, queue = excluded.queue, lang = excluded.lang,
  caller_e164 = excluded.caller_e164, caller_ext = excluded.caller_ext, callee_e164 = excluded.callee_e164, queued_at = excluded.queued_at,
  answered_at = excluded.answered_at, ended_at = excluded.ended_at, disposition = excluded.disposition,
  end_result = excluded.end_result, end_reason = excluded.end_reason, hangup_by = excluded.hangup_by,
  hangup_cause = excluded.hangup_cause, wait_ms = excluded.wait_ms, talk_ms = excluded.talk_ms, hold_ms = excluded.hold_ms,
  menu_path = excluded.menu_path
WHERE call.ended_at IS NULL`
	if _, err := tx.Exec(ctx, sql, args); err != nil {
		return 0, fmt.Errorf("write call %s: %w", s.Call, err)
	}
	var id int64
	if err := tx.QueryRow(ctx, `SELECT id FROM call WHERE pbx = $1 AND call_key = $2`, PBX, string(s.Call)).Scan(&id); err != nil {
		return 0, fmt.Errorf("find call %s: %w", s.Call, err)
	}
	return id, nil
}

// writeFact writes the record as an event and, when it is about a leg, the leg's row.
func writeFact(ctx context.Context, tx pgx.Tx, row int64, r Record) error {
	data := r.Data
	if len(data) == 0 || string(data) == "null" {
		data = json.RawMessage(`{}`)
	}
	_, err := tx.Exec(ctx, `INSERT INTO call_event (call_id, seq, source_id, at, type, data) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT DO NOTHING`, row, r.N, fmt.Sprintf("%s-%d", r.Call, r.N), r.At, string(r.Type), stripNUL(data))
	if err != nil {
		return fmt.Errorf("write event %d of call %s: %w", r.N, r.Call, err)
	}
	switch r.Type {
	case TypeLegBegin:
		var l LegBegin
		if err := json.Unmarshal(r.Data, &l); err != nil {
			return nil // the event keeps what came
		}
		_, err = tx.Exec(ctx, `INSERT INTO call_leg (call_id, leg_key, role, agent_id, endpoint, started_at)
			VALUES ($1, $2, $3, (SELECT id FROM agent WHERE login = $4), $5, $6) ON CONFLICT (call_id, leg_key) DO NOTHING`,
			row, string(l.Leg), l.Role, null(l.Agent), null(clean(l.Endpoint)), r.At)
	case TypeLegEnd:
		var l LegEnd
		if err := json.Unmarshal(r.Data, &l); err != nil {
			return nil
		}
		_, err = tx.Exec(ctx, `UPDATE call_leg SET answered_at = coalesce(answered_at, $3), ended_at = $4, cause = $5
			WHERE call_id = $1 AND leg_key = $2 AND ended_at IS NULL`, row, string(l.Leg), l.Answered, r.At, string(l.End.Reason))
	case TypeEnd:
		_, err = tx.Exec(ctx, `UPDATE call_leg SET ended_at = $2, cause = coalesce(cause, 'crash') WHERE call_id = $1 AND ended_at IS NULL`, row, r.At)
	}
	if err != nil {
		return fmt.Errorf("write leg of call %s: %w", r.Call, err)
	}
	return nil
}

func causeText(f Finish) string {
	if f.End.Code == 0 {
		return clean(f.End.Detail)
	}
	return strings.TrimSpace(fmt.Sprintf("%d %s", f.End.Code, clean(f.End.Detail)))
}

// clean drops what PostgreSQL's text refuses (NUL, broken UTF-8) and bounds the length: callers choose these bytes.
func clean(s string) string {
	s = strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "")
	if len(s) > 1000 {
		s = strings.ToValidUTF8(s[:1000], "")
	}
	return s
}

// stripNUL removes the escaped NUL that jsonb refuses.
func stripNUL(raw json.RawMessage) json.RawMessage {
	return json.RawMessage(strings.ReplaceAll(string(raw), `\u0000`, ""))
}

func cleanAll(in []string) []string {
	out := make([]string, 0, len(in))
	for _, s := range in {
		out = append(out, clean(s))
	}
	return out
}

func null(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func or(s, def string) string {
	if s == "" {
		return def
	}
	return s
}

func at(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t
}

// later gives t, but never before min: the wall clock may have been set back during the call.
func later(t, min time.Time) any {
	if t.IsZero() {
		return nil
	}
	if t.Before(min) {
		return min
	}
	return t
}
