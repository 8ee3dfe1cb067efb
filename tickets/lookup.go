package tickets

import (
	"cmp"
	"slices"
	"time"
)

// Levels of a match between a number and our customers.
const (
	levelKnown     = "known"
	levelShared    = "shared"
	levelMaybe     = "maybe"
	levelAmbiguous = "ambiguous"
	levelNone      = "none"
	levelWithheld  = "withheld"
	levelOwn       = "own"
)

// maybeFor is how long a number seen in a text stays a suggestion (L8).
const maybeFor = 180 * 24 * time.Hour

// maybeMost is how many contacts a "maybe" number may have before it is a hotline or a signature (L9).
const maybeMost = 3

// claimRow is one contact_point that matches a number.
type claimRow struct {
	ContactID, OrgID int64 // 0: none
	Sharing, Level   string
	Ext              string
	Exact            bool // false: through another spelling
	SourceTicket     string
	SeenAt           time.Time
	ContactKind      string
}

// lookFacts is what the look-up table decides on.
type lookFacts struct {
	Own       bool // our own number or extension, or an internal call (L0)
	Withheld  bool
	Policy    string // block, vip, no_ticket, shared; empty: none
	IVRTicket bool   // the menu delivered a valid ticket number and the number's contact or organisation has access to it
	Claims    []claimRow
	Name      string
	Now       time.Time
}

// match is the outcome: a row, a level and whom it names.
type match struct {
	Rule, Level string
	ContactID   int64   // L3 to L5
	OrgIDs      []int64 // L6: of the shared points
	ContactIDs  []int64 // L6 to L8: whom to list
}

// matchCaller goes through rows L0 to L11; the first that holds speaks. It is pure.
func matchCaller(f lookFacts) match {
	switch {
	case f.Own:
		return match{Rule: "L0", Level: levelOwn}
	case f.Withheld:
		return match{Rule: "L1", Level: levelWithheld}
	case f.Policy == "block":
		return match{Rule: "L2", Level: levelNone}
	}
	m := matchClaims(f)
	if f.IVRTicket { // the caller is as known as the number makes them; the ticket stands first
		m.Rule, m.Level = "L3", levelKnown
	}
	return m
}

// matchClaims is rows L4 to L11.
func matchClaims(f lookFacts) match {
	var exact, other, shared, maybe []claimRow
	for _, c := range f.Claims {
		switch {
		case c.Level == "maybe":
			if f.Now.Sub(c.SeenAt) <= maybeFor {
				maybe = append(maybe, c)
			}
		case c.Sharing == "shared" || f.Policy == "shared" || c.ContactID == 0:
			shared = append(shared, c)
		case c.Exact:
			exact = append(exact, c)
		default:
			other = append(other, c)
		}
	}
	switch personal := contactsOf(exact); {
	case len(personal) == 1:
		return match{Rule: "L4", Level: levelKnown, ContactID: personal[0]}
	case len(personal) == 0 && len(contactsOf(other)) == 1:
		return match{Rule: "L5", Level: levelKnown, ContactID: other[0].ContactID}
	case len(shared) > 0:
		return match{Rule: "L6", Level: levelShared, ContactIDs: contactsOf(shared), OrgIDs: orgsOf(shared)}
	case len(personal)+len(other) > 0:
		return match{Rule: "L7", Level: levelAmbiguous, ContactIDs: contactsOf(append(exact, other...))}
	}
	switch ids := contactsOf(maybe); {
	case len(ids) > maybeMost:
		return match{Rule: "L9", Level: levelNone}
	case len(ids) > 0:
		return match{Rule: "L8", Level: levelMaybe, ContactIDs: ids}
	case f.Name != "":
		return match{Rule: "L10", Level: levelNone}
	}
	return match{Rule: "L11", Level: levelNone}
}

func contactsOf(rows []claimRow) []int64 {
	ids := []int64{}
	for _, r := range rows {
		if r.ContactID != 0 && !slices.Contains(ids, r.ContactID) {
			ids = append(ids, r.ContactID)
		}
	}
	return ids
}

func orgsOf(rows []claimRow) []int64 {
	ids := []int64{}
	for _, r := range rows {
		if r.OrgID != 0 && !slices.Contains(ids, r.OrgID) {
			ids = append(ids, r.OrgID)
		}
	}
	return ids
}

// sharedPerson is somebody behind a shared number, with what orders the list (L6).
type sharedPerson struct {
	ListedContact
	lastCall time.Time // on this number; zero: never
	extMatch bool
}

// orderShared sorts people behind a shared number: last call on it first, then a matching extension, then the name.
func orderShared(people []sharedPerson) {
	slices.SortStableFunc(people, func(a, b sharedPerson) int {
		if c := b.lastCall.Compare(a.lastCall); c != 0 {
			return c
		}
		if a.extMatch != b.extMatch {
			if a.extMatch {
				return -1
			}
			return 1
		}
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID))
	})
}

// orderCandidates puts the ticket the caller keyed first (L3), then newest activity, and numbers at most six keys.
func orderCandidates(cs []Candidate, first int64) []Candidate {
	slices.SortStableFunc(cs, func(a, b Candidate) int {
		if (a.id == first) != (b.id == first) {
			if a.id == first {
				return -1
			}
			return 1
		}
		return cmp.Or(b.active.Compare(a.active), cmp.Compare(b.id, a.id))
	})
	if len(cs) > maxCandidates {
		cs = cs[:maxCandidates]
	}
	for i := range cs {
		cs[i].Key = i + 1
	}
	return cs
}

// maxCandidates is how many tickets a card offers: keys 1 to 6.
const maxCandidates = 6
