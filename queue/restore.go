package queue

import (
	"time"

	"hotline/telephony"
)

// savedAgent and savedEntry are rows in the core's time. They wait until their agent or queue is set.
type savedAgent struct {
	AgentRow
	since instant
	until instant // of wrap-up; noInstant: none
}

type savedEntry struct {
	EntryRow
	since    instant
	maxUntil instant
	today    bool
}

// restore takes what a restarted engine found in its rows; at maps a row's time to the core's.
func (s *state) restore(sv *Saved, at func(time.Time) instant, midnight time.Time) {
	s.nextRow, s.nextOffer = max(1, sv.NextRow), OfferID(max(1, sv.NextOffer))
	s.saved = make(map[string]savedAgent, len(sv.Agents))
	for _, r := range sv.Agents {
		sa := savedAgent{AgentRow: r, since: min(0, at(r.Since)), until: noInstant}
		if !r.Until.IsZero() {
			sa.until = at(r.Until)
		}
		s.saved[r.Login] = sa
	}
	s.parked = map[string][]savedEntry{}
	for _, r := range sv.Entries {
		se := savedEntry{EntryRow: r, since: at(r.Entered).Truncate(time.Microsecond), maxUntil: noInstant,
			today: !r.Entered.Before(midnight)}
		if !r.MaxUntil.IsZero() {
			se.maxUntil = at(r.MaxUntil)
		}
		s.parked[r.Queue] = append(s.parked[r.Queue], se)
	}
	s.arm(timer{kind: tOrphans}, s.adoptGrace)
}

// figures adds the finished rows of today; queues that are set later find theirs too.
func (s *state) figures(today map[string]Figures) { s.today = today }

// dropOrphan ends the old row of a call that comes back elsewhere before its old queue was set.
func (s *state) dropOrphan(call telephony.CallID) {
	for key, rows := range s.parked {
		for i := range rows {
			if rows[i].Call == call {
				old := rows[i]
				s.tell(effect{kind: fxOrphan, saved: &old})
				s.parked[key] = append(rows[:i], rows[i+1:]...)
				return
			}
		}
	}
}

// orphans ends the rows of queues that are gone for good.
func (s *state) orphans() {
	for key, rows := range s.parked {
		for i := range rows {
			s.tell(effect{kind: fxOrphan, saved: &rows[i]})
		}
		delete(s.parked, key)
	}
}

// restoreQueue rebuilds the places of a queue's callers, in their old order. They get no offer before they are adopted:
// nobody would bridge it.
func (s *state) restoreQueue(q *queueState) {
	rows := s.parked[q.cfg.Key]
	delete(s.parked, q.cfg.Key)
	if f, ok := s.today[q.cfg.Key]; ok {
		q.fig = f
		delete(s.today, q.cfg.Key)
	}
	for i := range rows {
		r := &rows[i]
		if s.waiting[r.Call] != nil {
			continue
		}
		e := Entry{Call: r.Call, Skills: r.Skills, Lang: r.Lang, Tag: r.Tag, Prefer: r.Prefer, Credit: r.Credit, Later: r.Later}
		row := s.nextRow
		c := s.newCaller(q, &e, r.since)
		s.nextRow = row
		c.row, c.prio, c.maxUntil, c.offers = r.ID, r.Priority, r.maxUntil, r.Offers
		c.day = s.day - 1
		if r.today {
			c.day = s.day
			q.fig.N++
			q.fig.W++
		}
		s.link(c)
		c.state = EntryParked
		s.armCaller(c, tAdopt, s.adoptGrace)
		s.tell(effect{kind: fxEntry, c: c, entry: EntryParked})
	}
}

// restoreAgent gives an agent its state from before the restart. States that need a call or a page become lost, and
// return with the page within the grace time; what depended on a call is available then.
func (s *state) restoreAgent(a *agent) {
	r, ok := s.saved[a.login]
	delete(s.saved, a.login)
	if !ok || r.State == Offline || a.state != Offline {
		return
	}
	s.staff(a, Offline, r.State)
	a.state, a.reason, a.by, a.missed, a.since = r.State, r.Reason, r.By, r.Missed, r.since
	s.tell(effect{kind: fxAgentBack, a: a, agentTo: r.State})
	a.next, a.nextReason = r.Next, r.NextReason
	switch r.State {
	case Paused, BusyOther, Fault: // stay; without connection not for long
	case ACW:
		a.acwMode, a.acwUntil, a.call, a.queue = WrapupTimed, r.until, r.Call, s.queues[r.Queue]
		if r.until == noInstant {
			a.acwMode = WrapupUntilDone
			break
		}
		s.armWork(a, max(0, r.until-s.now))
	case LostState:
		a.back, a.backReason = r.Back, r.BackReason
		if a.connected() {
			s.comeBack(a)
		}
	default: // available, ringing, and all that depended on a call
		if a.state != Available || !a.connected() {
			s.released(a, false)
		} else {
			s.seekCall(a)
		}
	}
	if !a.connected() && a.state != Offline {
		s.armGrace(a)
	}
}
