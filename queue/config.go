package queue

import (
	"cmp"
	"fmt"
	"regexp"
	"sort"
	"strings"
)

// WithDefaults fills in what zero means.
func (q Queue) WithDefaults() Queue {
	q.Name = cmp.Or(q.Name, q.Key)
	q.Strategy = cmp.Or(q.Strategy, LongestIdle)
	q.RingTimeoutS = cmp.Or(q.RingTimeoutS, 20)
	q.WrapupMode = cmp.Or(q.WrapupMode, WrapupTimed)
	q.OnTimeout = cmp.Or(q.OnTimeout, PolicyHangup)
	q.OnFull = cmp.Or(q.OnFull, PolicyHangup)
	q.OnNoAgents = cmp.Or(q.OnNoAgents, PolicyWait)
	q.Record = cmp.Or(q.Record, "always")
	q.MissedRestS = cmp.Or(q.MissedRestS, 5)
	q.SLThresholdS = cmp.Or(q.SLThresholdS, 20)
	q.SLTarget = cmp.Or(q.SLTarget, 80)
	q.ShortAbandonS = cmp.Or(q.ShortAbandonS, 5)
	return q
}

// InvalidError says which fields of a configuration are wrong, all at once.
type InvalidError struct{ Fields map[string]string }

// Error lists the fields in order.
func (e *InvalidError) Error() string {
	parts := make([]string, 0, len(e.Fields))
	for f, why := range e.Fields {
		parts = append(parts, f+" "+why)
	}
	sort.Strings(parts)
	return "invalid queue: " + strings.Join(parts, "; ")
}

var keyForm = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,62}$`)

// Validate checks a queue after WithDefaults; the error is an *InvalidError.
func (q Queue) Validate() error {
	bad := map[string]string{}
	if !keyForm.MatchString(q.Key) {
		bad["key"] = "must be 1 to 63 of a-z, 0-9, _ and -, beginning with a letter or digit"
	}
	if len(q.Name) > 200 {
		bad["name"] = "is longer than 200 bytes"
	}
	oneOf(bad, "strategy", q.Strategy, LongestIdle, ByPriority, BySkills)
	oneOf(bad, "wrapup_mode", q.WrapupMode, WrapupTimed, WrapupOptional, WrapupUntilDone, WrapupFixed)
	oneOf(bad, "on_timeout", q.OnTimeout, PolicyVoicemail, PolicyHangup, PolicyCallback)
	oneOf(bad, "on_full", q.OnFull, PolicyVoicemail, PolicyHangup, PolicyCallback)
	oneOf(bad, "on_no_agents", q.OnNoAgents, PolicyVoicemail, PolicyHangup, PolicyCallback, PolicyWait)
	oneOf(bad, "record", q.Record, "always", "never")
	between(bad, "ring_timeout_s", q.RingTimeoutS, 3, 600)
	between(bad, "wrapup_s", q.WrapupS, 0, 24*3600)
	between(bad, "max_wait_s", q.MaxWaitS, 0, 7*24*3600)
	between(bad, "max_len", q.MaxLen, 0, 1_000_000)
	between(bad, "announce_first_s", q.AnnounceFirstS, 0, 3600)
	between(bad, "announce_every_s", q.AnnounceEveryS, 0, 3600)
	between(bad, "retention_days", q.RetentionDays, 0, 36500)
	between(bad, "max_missed", q.MaxMissed, 0, 100)
	between(bad, "missed_rest_s", q.MissedRestS, 0, 3600)
	between(bad, "sl_threshold_s", q.SLThresholdS, 1, 7*24*3600)
	between(bad, "sl_target", q.SLTarget, 1, 100)
	between(bad, "short_abandon_s", q.ShortAbandonS, 0, q.SLThresholdS)
	between(bad, "weight", q.Weight, -1000, 1000)
	if len(bad) > 0 {
		return &InvalidError{Fields: bad}
	}
	return nil
}

func oneOf[T ~string](bad map[string]string, field string, v T, allowed ...T) {
	names := make([]string, len(allowed))
	for i, a := range allowed {
		if v == a {
			return
		}
		names[i] = string(a)
	}
	bad[field] = "must be one of " + strings.Join(names, ", ")
}

func between(bad map[string]string, field string, v, low, high int) {
	if v < low || v > high {
		bad[field] = fmt.Sprintf("must be between %d and %d", low, high)
	}
}
