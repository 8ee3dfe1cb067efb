package tickets

import (
	"strings"
	"testing"
)

// Each row of the attach-or-create table by its id. Trusted and claimed numbers, and the three team policies, stand
// side by side where the row tells them apart.
func TestDecide(t *testing.T) {
	open := func(id int64) ticketFact {
		return ticketFact{ID: id, Category: "open", Open: true, Fresh: true, Place: true}
	}
	waiting := func(id int64) ticketFact {
		return ticketFact{ID: id, Category: "waiting_customer", Open: true, Fresh: true}
	}
	stale := func(id int64) ticketFact { return ticketFact{ID: id, Category: "open", Open: true, Place: true} }
	solved := func(id int64) ticketFact {
		return ticketFact{ID: id, Category: "solved", InWindow: true, Fresh: true, Place: true}
	}
	elsewhere := func(id int64) ticketFact { return ticketFact{ID: id, Category: "open", Open: true, Fresh: true} }
	missedPure := ticketFact{ID: 50, Category: "new", Open: true, Fresh: true, Pure: true}
	missedMixed := ticketFact{ID: 50, Category: "open", Open: true, Fresh: true}
	ptr := func(f ticketFact) *ticketFact { return &f }
	answered := func(f attachFacts) attachFacts { f.Answered = true; return f }
	ended := func(disposition string, wait int, f attachFacts) attachFacts {
		f.Phase, f.Disposition, f.WaitMS, f.ReachedQueue = phaseEnded, disposition, wait, wait > 0
		return f
	}
	wrapup := func(l linkFact, f attachFacts) attachFacts {
		f.Phase, f.Link, f.Answered = phaseWrapUp, &l, true
		return f
	}
	claimed := func(f attachFacts) attachFacts { f.Trust = TrustClaimed; return f }
	policy := func(p string, f attachFacts) attachFacts { f.Policy = p; return f }
	out := func(f attachFacts) attachFacts { f.Outbound = true; return f }
	cands := func(cs ...ticketFact) attachFacts { return attachFacts{Candidates: cs} }

	cases := []struct {
		row, name string
		f         attachFacts
		state     string
		act       action
		ticket    int64
		more      string // relates, follow-up, flags, in short
	}{
		{"A0a", "never a ticket at answer", answered(attachFacts{NoTicket: true, From: ptr(open(1))}), linkNone, actNothing, 0, ""},
		{"A0a", "never a ticket at hang-up", ended("abandoned_queue", 60000, attachFacts{NoTicket: true}), linkNone, actNothing, 0, ""},
		{"A0b", "second leg", answered(attachFacts{Link: &linkFact{"A7", linkConfirmed, 9}, From: ptr(open(1))}), linkConfirmed, actKeep, 9, ""},
		{"A0b", "hang-up of a linked call", ended("answered", 1000, attachFacts{Link: &linkFact{"A8", linkOpen, 0}, Answered: true}), linkOpen, actKeep, 0, ""},
		{"A1", "dialled from a ticket", out(answered(attachFacts{From: ptr(open(1)), Candidates: []ticketFact{open(2)}})), linkConfirmed, actAttach, 1, ""},
		{"A1", "whatever the trust", out(claimed(answered(attachFacts{From: ptr(open(1))}))), linkConfirmed, actAttach, 1, ""},
		{"A2", "keyed, access", answered(attachFacts{IVR: ptr(open(3)), IVRAccess: true, Candidates: []ticketFact{open(2)}}), linkConfirmed, actAttach, 3, "verified"},
		{"A2", "keyed, solved inside the window", answered(attachFacts{IVR: ptr(solved(3)), IVRAccess: true}), linkConfirmed, actAttach, 3, "verified"},
		{"A2", "keyed, beyond the window", answered(attachFacts{IVR: &ticketFact{ID: 3, Category: "closed"}, IVRAccess: true}), linkConfirmed, actCreate, 0, "follow 3 verified"},
		{"A2", "(n) claimed only proposes", claimed(answered(attachFacts{IVR: ptr(open(3)), IVRAccess: true})), linkProposed, actPropose, 3, ""},
		{"A2", "(n) claimed, beyond the window", claimed(answered(attachFacts{IVR: &ticketFact{ID: 3, Category: "closed"}, IVRAccess: true})), linkProposed, actPropose, 3, ""},
		{"A3", "keyed, no access", answered(attachFacts{IVR: ptr(open(3)), Candidates: []ticketFact{open(2)}}), linkProposed, actPropose, 3, ""},
		{"A3", "a withheld number proposes too", answered(attachFacts{IVR: ptr(open(3)), Withheld: true, Trust: TrustWithheld}), linkProposed, actPropose, 3, ""},
		{"A4", "open missed-call ticket", answered(attachFacts{Missed: &missedPure, Candidates: []ticketFact{waiting(2)}}), linkConfirmed, actAttach, 50, ""},
		{"A4", "(n) claimed only proposes", claimed(answered(attachFacts{Missed: &missedPure})), linkProposed, actPropose, 50, ""},
		{"A4", "also when an agent calls back by hand", out(answered(attachFacts{Missed: &missedPure})), linkConfirmed, actAttach, 50, ""},
		{"A9", "a solved missed-call ticket is no A4", answered(attachFacts{Missed: ptr(solved(50))}), linkConfirmed, actCreate, 0, ""},
		{"A5", "return call", answered(attachFacts{Return: ptr(open(4)), Candidates: []ticketFact{waiting(2)}}), linkConfirmed, actAttach, 4, ""},
		{"A5", "(n) claimed only proposes", claimed(answered(attachFacts{Return: ptr(open(4))})), linkProposed, actPropose, 4, ""},
		{"A6", "auto", answered(cands(open(1), waiting(2))), linkConfirmed, actAttach, 2, ""},
		{"A6", "ask", policy(policyAsk, answered(cands(open(1), waiting(2)))), linkProposed, actPropose, 2, ""},
		{"A6", "off", policy(policyOff, answered(cands(open(1), waiting(2)))), linkProposed, actPropose, 2, ""},
		{"A6", "(n) claimed only proposes", claimed(answered(cands(waiting(2)))), linkProposed, actPropose, 2, ""},
		{"A8", "a stale waiting one is no A6", answered(cands(ticketFact{ID: 2, Category: "waiting_customer", Open: true})), linkOpen, actList, 0, ""},
		{"A8", "two waiting are no A6", answered(cands(waiting(1), waiting(2))), linkOpen, actList, 0, ""},
		{"A7", "auto", answered(cands(open(1), solved(2), stale(3))), linkConfirmed, actAttach, 1, ""},
		{"A7", "ask", policy(policyAsk, answered(cands(open(1)))), linkProposed, actPropose, 1, ""},
		{"A7", "(n) claimed only proposes", claimed(answered(cands(open(1)))), linkProposed, actPropose, 1, ""},
		{"A8", "another team and number is no A7", answered(cands(elsewhere(1))), linkOpen, actList, 0, ""},
		{"A8", "several", answered(cands(open(1), open(2))), linkOpen, actList, 0, ""},
		{"A8", "only solved", answered(cands(solved(1))), linkOpen, actList, 0, ""},
		{"A8", "only stale", answered(cands(stale(1))), linkOpen, actList, 0, ""},
		{"A8a", "auto", answered(attachFacts{Withheld: true, Trust: TrustWithheld}), linkConfirmed, actCreate, 0, "withheld"},
		{"A8a", "ask", policy(policyAsk, answered(attachFacts{Withheld: true, Trust: TrustWithheld})), linkOpen, actNothing, 0, "withheld"},
		{"A9", "auto", answered(attachFacts{}), linkConfirmed, actCreate, 0, ""},
		{"A9", "auto, claimed: shows nothing, can be undone", claimed(answered(attachFacts{})), linkConfirmed, actCreate, 0, ""},
		{"A9", "ask", policy(policyAsk, answered(attachFacts{})), linkOpen, actNothing, 0, ""},
		{"A9", "off", policy(policyOff, answered(attachFacts{})), linkOpen, actNothing, 0, ""},
		{"A10", "in the menu", ended("abandoned_ivr", 0, attachFacts{Missed: &missedPure}), linkNone, actNothing, 0, ""},
		{"A10", "4.9 s in the queue", ended("abandoned_queue", 4900, attachFacts{}), linkNone, actNothing, 0, ""},
		{"A10", "the queue's own limit", ended("abandoned_queue", 9000, attachFacts{ShortAbandonMS: 10000}), linkNone, actNothing, 0, ""},
		{"A10", "refused before any queue", ended("rejected", 0, attachFacts{}), linkNone, actNothing, 0, ""},
		{"A10", "two seconds of voicemail out of the menu", ended("voicemail", 0, attachFacts{VoicemailMS: 2999}), linkNone, actNothing, 0, ""},
		{"A11", "again", ended("abandoned_queue", 5000, attachFacts{Missed: &missedMixed, Candidates: []ticketFact{open(1)}}), linkConfirmed, actMissed, 50, "missed_call"},
		{"A11", "no answer", ended("no_answer", 0, attachFacts{Missed: &missedPure}), linkConfirmed, actMissed, 50, "missed_call"},
		{"A11", "solved a moment ago", ended("no_answer", 0, attachFacts{Missed: ptr(solved(50))}), linkConfirmed, actMissed, 50, "missed_call"},
		{"A11", "claimed, nothing but missed calls in it", claimed(ended("no_answer", 0, attachFacts{Missed: &missedPure})), linkConfirmed, actMissed, 50, "missed_call"},
		{"A12", "(n) claimed, somebody worked in it", claimed(ended("no_answer", 0, attachFacts{Missed: &missedMixed})), linkConfirmed, actCreateMissed, 0, "relates 50 missed_call"},
		{"A12", "one fresh open candidate", ended("no_answer", 0, cands(elsewhere(1), stale(2), solved(3))), linkConfirmed, actMissed, 1, "missed_call"},
		{"A12", "(n) claimed", claimed(ended("no_answer", 0, cands(open(1)))), linkConfirmed, actCreateMissed, 0, "relates 1 missed_call"},
		{"A13", "nothing fits", ended("abandoned_queue", 5000, attachFacts{}), linkConfirmed, actCreateMissed, 0, "missed_call"},
		{"A13", "several fit", ended("abandoned_queue", 60000, cands(open(1), open(2))), linkConfirmed, actCreateMissed, 0, "missed_call"},
		{"A13", "full queue", ended("busy", 1, attachFacts{}), linkConfirmed, actCreateMissed, 0, "missed_call"},
		{"A13", "cut by a crash in the queue", ended("failed", 1, attachFacts{}), linkConfirmed, actCreateMissed, 0, "missed_call"},
		{"A13", "withheld", ended("abandoned_queue", 9000, attachFacts{Withheld: true, Trust: TrustWithheld}), linkConfirmed, actCreateMissed, 0, "missed_call withheld"},
		{"A13", "A14 adds a voicemail", ended("voicemail", 0, attachFacts{VoicemailMS: 3000}), linkConfirmed, actCreateMissed, 0, "missed_call voicemail A14"},
		{"A11", "A14 adds a voicemail", ended("voicemail", 9000, attachFacts{VoicemailMS: 8000, Missed: &missedPure}), linkConfirmed, actMissed, 50, "missed_call voicemail A14"},
		{"A13", "a callback asked for in the menu", ended("callback", 0, attachFacts{}), linkConfirmed, actCreateMissed, 0, "missed_call callback"},
		{"A15", "dialled from a ticket", out(ended("no_answer", 0, attachFacts{From: ptr(open(1))})), linkConfirmed, actAttach, 1, ""},
		{"A15", "dialled by hand", out(ended("busy", 0, attachFacts{Candidates: []ticketFact{open(1)}})), linkNone, actNothing, 0, ""},
		{"A16", "proposed by the team's policy", wrapup(linkFact{"A7", linkProposed, 1}, policy(policyAsk, attachFacts{})), linkConfirmed, actAttach, 1, ""},
		{"A16", "(n) proposed on a claimed number", wrapup(linkFact{"A7", linkProposed, 1}, claimed(attachFacts{})), linkConfirmed, actCreate, 0, "relates 1 check_link"},
		{"A16", "A3 is never confirmed by silence", wrapup(linkFact{"A3", linkProposed, 1}, attachFacts{}), linkConfirmed, actCreate, 0, "relates 1 check_link"},
		{"A16", "open, auto", wrapup(linkFact{"A8", linkOpen, 0}, attachFacts{}), linkConfirmed, actCreate, 0, "check_link"},
		{"A0b", "A16: open, ask: stays in the list", wrapup(linkFact{"A8", linkOpen, 0}, policy(policyAsk, attachFacts{})), linkOpen, actKeep, 0, ""},
		{"A0b", "A16: claimed proposal, ask: stays in the list", wrapup(linkFact{"A7", linkProposed, 1}, claimed(policy(policyAsk, attachFacts{}))), linkProposed, actKeep, 1, ""},
		{"A0b", "A16: the agent has answered", wrapup(linkFact{"agent", linkConfirmed, 1}, attachFacts{}), "", actKeep, 0, ""},
	}
	seen := map[string]bool{}
	for _, c := range cases {
		seen[c.row] = true
		t.Run(c.row+" "+c.name, func(t *testing.T) {
			f := c.f
			if f.Trust == "" {
				f.Trust = TrustAsserted
			}
			if f.Policy == "" {
				f.Policy = policyAuto
			}
			d := decide(f)
			if d.Rule != c.row || d.State != c.state || d.Act != c.act || d.TicketID != c.ticket || d.more() != c.more {
				t.Errorf("got %s %s act %d ticket %d %q, want %s %s act %d ticket %d %q", d.Rule, d.State, d.Act, d.TicketID, d.more(), c.row, c.state, c.act, c.ticket, c.more)
			}
			if d.Rule != "A0b" && (d.State == linkConfirmed || d.State == linkProposed) != (d.TicketID != 0 || d.Act == actCreate || d.Act == actCreateMissed) {
				t.Errorf("state %s with ticket %d and act %d", d.State, d.TicketID, d.Act)
			}
		})
	}
	for row := range reasons {
		if strings.HasPrefix(row, "A") && row != "A14" && !seen[row] {
			t.Errorf("row %s has no case", row)
		}
	}
	for row := range seen {
		if r := Reason(row); r.RU == "" || r.EN == "" {
			t.Errorf("row %s has no words", row)
		}
	}
}

// more is everything of a decision beside the columns of the test.
func (d decision) more() string {
	var w []string
	if d.Relates != 0 {
		w = append(w, "relates", itoa(d.Relates))
	}
	if d.FollowUp != 0 {
		w = append(w, "follow", itoa(d.FollowUp))
	}
	if d.Verified {
		w = append(w, "verified")
	}
	return strings.Join(append(append(w, d.Flags...), d.Also...), " ")
}

// A merely claimed number never gets anything of a call into a ticket that was there before, but the missed-call ticket
// that holds nothing else (reliability R8).
func TestClaimedNumberAttachesNothing(t *testing.T) {
	tick := ticketFact{ID: 1, Category: "waiting_customer", Open: true, Fresh: true, Place: true}
	for _, withCandidates := range []bool{false, true} {
		for bits := range 1 << 4 {
			for _, disposition := range []string{"answered", "abandoned_ivr", "abandoned_queue", "no_answer", "voicemail", "callback", "failed"} {
				for _, p := range []string{policyAuto, policyAsk, policyOff} {
					f := attachFacts{Trust: TrustClaimed, Policy: p, Disposition: disposition, WaitMS: 60000, ReachedQueue: true, VoicemailMS: 9000}
					if f.Answered = disposition == "answered"; !f.Answered {
						f.Phase = phaseEnded
					}
					if bits&1 > 0 {
						f.IVR, f.IVRAccess = &tick, bits&2 > 0
					}
					if bits&4 > 0 {
						f.Missed = &tick
					}
					if bits&8 > 0 {
						f.Return = &tick
					}
					if withCandidates {
						f.Candidates = []ticketFact{tick}
					}
					if d := decide(f); d.Act == actAttach || d.Act == actMissed {
						t.Errorf("%+v: %+v", f, d)
					}
				}
			}
		}
	}
}
