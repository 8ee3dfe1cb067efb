package tickets

import "testing"

// Table 3.7, cell by cell: rows are states, columns events; "-" refuses. in/out is the reopen window.
func TestStatusMachine(t *testing.T) {
	events := []statusEvent{evCustomer, evAgentReply, evWaitCustomer, evWaitVendor, evSchedule, evTimer, evSolve, evReopen, evMerge, evSpam, evNotSpam}
	table := map[string][]string{
		"new":              {"new", "open", "waiting_customer", "waiting_vendor", "scheduled", "-", "solved", "open", "merged", "spam", "-"},
		"open":             {"open", "open", "waiting_customer", "waiting_vendor", "scheduled", "-", "solved", "-", "merged", "spam", "-"},
		"waiting_customer": {"open", "waiting_customer", "waiting_customer", "waiting_vendor", "scheduled", "solved", "solved", "open", "merged", "spam", "-"},
		"waiting_vendor":   {"open", "waiting_vendor", "waiting_customer", "waiting_vendor", "scheduled", "waiting_vendor", "solved", "open", "merged", "spam", "-"},
		"scheduled":        {"open", "scheduled", "waiting_customer", "waiting_vendor", "scheduled", "open", "solved", "open", "merged", "spam", "-"},
		"solved":           {"open", "solved", "-", "-", "-", "closed", "-", "open", "merged", "-", "-"},
		"solved out":       {"-", "solved", "-", "-", "-", "closed", "-", "open", "merged", "-", "-"},
		"closed":           {"open", "-", "-", "-", "-", "-", "-", "open", "-", "-", "-"},
		"closed out":       {"-", "-", "-", "-", "-", "-", "-", "-", "-", "-", "-"},
		"merged":           {"-", "-", "-", "-", "-", "-", "-", "-", "-", "-", "-"},
		"spam":             {"spam", "-", "-", "-", "-", "-", "-", "-", "-", "-", "open"},
	}
	for row, want := range table {
		from, in := row, true
		if n := len(row) - len(" out"); n > 0 && row[n:] == " out" {
			from, in = row[:n], false
		}
		for i, ev := range events {
			to, ok := nextStatus(from, ev, in)
			if !ok {
				to = "-"
			}
			if to != want[i] {
				t.Errorf("%s by %s: got %s, want %s", row, ev, to, want[i])
			}
		}
		if statusID[from] == 0 {
			t.Errorf("%s has no row", from)
		}
	}
}
