package queue

import (
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"hotline/internal/pg"
)

// table is a machine as text: state -> sorted states.
type table map[string][]string

func tableOf[S ~string](states []S, moves map[S][]S) table {
	t := table{}
	for _, s := range states {
		t[string(s)] = []string{}
		for _, to := range moves[s] {
			t[string(s)] = append(t[string(s)], string(to))
		}
		slices.Sort(t[string(s)])
	}
	return t
}

func same(t *testing.T, what string, got, want table) {
	t.Helper()
	for s, moves := range want {
		have := slices.Clone(got[s])
		slices.Sort(have)
		if !slices.Equal(have, moves) {
			t.Errorf("%s: %s -> %v, the code says %v", what, s, have, moves)
		}
	}
	for s := range got {
		if _, ok := want[s]; !ok {
			t.Errorf("%s: state %s is unknown to the code", what, s)
		}
	}
}

// docTable reads the lines "//	state -> a b c" of one section of doc.go.
func docTable(t *testing.T, section string) table {
	t.Helper()
	src, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	_, text, ok := strings.Cut(string(src), "// # "+section+"\n")
	if !ok {
		t.Fatalf("doc.go has no section %s", section)
	}
	text, _, _ = strings.Cut(text, "\n// # ")
	out := table{}
	for _, m := range regexp.MustCompile(`(?m)^//\t([a-z_]+) *->([a-z_ ]*)$`).FindAllStringSubmatch(text, -1) {
		out[m[1]] = strings.Fields(m[2])
	}
	return out
}

func migration(t *testing.T) string {
	t.Helper()
	sql, err := fs.ReadFile(pg.Migrations(), "0020_queue.sql")
	if err != nil {
		t.Fatal(err)
	}
	return string(sql)
}

// check reads the states of the CHECK of one table's state column.
func check(t *testing.T, sql, table string) []string {
	t.Helper()
	_, text, _ := strings.Cut(sql, "CREATE TABLE "+table+" (")
	m := regexp.MustCompile(`[( ]state IN \(([^)]*)\)`).FindStringSubmatch(text)
	if m == nil {
		t.Fatalf("no CHECK of state in %s", table)
	}
	return strings.Split(strings.ReplaceAll(m[1], "'", ""), ",")
}

func sortedStates[S ~string](states []S) []string {
	out := make([]string, len(states))
	for i, s := range states {
		out[i] = string(s)
	}
	slices.Sort(out)
	return out
}

// TestTablesAgree compares code, documentation and schema: a move added to one of them must be added to all.
func TestTablesAgree(t *testing.T) {
	same(t, "doc.go, agent", docTable(t, "Agent"), tableOf(AgentStates, agentMoves))
	same(t, "doc.go, offer", docTable(t, "Offer"), tableOf(OfferStates, offerMoves))
	same(t, "doc.go, entry", docTable(t, "Entry"), tableOf(EntryStates, entryMoves))

	sql := migration(t)
	moves := table{}
	for _, s := range AgentStates {
		moves[string(s)] = nil
	}
	_, text, _ := strings.Cut(sql, "CONSTRAINT agent_state_move")
	for _, m := range regexp.MustCompile(`\('([a-z_]+)','([a-z_]+)'\)`).FindAllStringSubmatch(text, -1) {
		moves[m[1]] = append(moves[m[1]], m[2])
	}
	same(t, "CHECK agent_state_move", moves, tableOf(AgentStates, agentMoves))

	for table, want := range map[string][]string{"agent_state": sortedStates(AgentStates),
		"queue_offer": sortedStates(OfferStates), "queue_entry": sortedStates(EntryStates)} {
		got := check(t, sql, table)
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("CHECK of %s.state: %v, the code says %v", table, got, want)
		}
	}
	live := strings.Contains(sql, `(agent) WHERE state IN ('made','ringing','accepted')`)
	for _, s := range OfferStates {
		if s.live() != slices.Contains([]OfferState{"made", "ringing", "accepted"}, s) || !live {
			t.Errorf("live offers: code and index queue_offer_agent differ at %s", s)
		}
	}
}

// TestEveryStateIsReachable walks the tables: a state nobody can reach or leave is a mistake.
func TestEveryStateIsReachable(t *testing.T) {
	seen := map[AgentState]bool{Offline: true}
	for todo := []AgentState{Offline}; len(todo) > 0; todo = todo[1:] {
		for _, s := range agentMoves[todo[0]] {
			if !seen[s] {
				seen[s] = true
				todo = append(todo, s)
			}
		}
	}
	for _, s := range AgentStates {
		if !seen[s] || len(agentMoves[s]) == 0 {
			t.Errorf("%s: reachable %v, ways out %d", s, seen[s], len(agentMoves[s]))
		}
	}
}
