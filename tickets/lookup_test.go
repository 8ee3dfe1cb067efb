package tickets

import (
	"slices"
	"testing"
	"time"
)

var t0 = time.Date(2026, 3, 12, 10, 0, 0, 0, time.UTC)

// Each row of the look-up table by its id, with the row that would speak if it did not.
func TestMatchCaller(t *testing.T) {
	personal := func(c int64) claimRow {
		return claimRow{ContactID: c, Sharing: "personal", Level: "known", Exact: true}
	}
	other := func(c int64) claimRow { return claimRow{ContactID: c, Sharing: "personal", Level: "known"} }
	shared := func(c, o int64) claimRow {
		return claimRow{ContactID: c, OrgID: o, Sharing: "shared", Level: "known", Exact: true}
	}
	maybe := func(c int64, ago time.Duration) claimRow {
		return claimRow{ContactID: c, Sharing: "personal", Level: "maybe", Exact: true, SeenAt: t0.Add(-ago)}
	}
	day := 24 * time.Hour
	cases := []struct {
		rule, name, level string
		f                 lookFacts
		contact           int64
		list, orgs        []int64
	}{
		{"L0", "own number beats everything", levelOwn, lookFacts{Own: true, Withheld: true, Claims: []claimRow{personal(1)}}, 0, nil, nil},
		{"L1", "withheld", levelWithheld, lookFacts{Withheld: true, Policy: "block", Claims: []claimRow{personal(1)}}, 0, nil, nil},
		{"L2", "blocked", levelNone, lookFacts{Policy: "block", Claims: []claimRow{personal(1)}}, 0, nil, nil},
		{"L3", "keyed ticket with access", levelKnown, lookFacts{IVRTicket: true, Claims: []claimRow{personal(1)}}, 1, nil, nil},
		{"L3", "keyed ticket of the organisation", levelKnown, lookFacts{IVRTicket: true, Claims: []claimRow{shared(0, 7)}}, 0, nil, []int64{7}},
		{"L4", "one owner", levelKnown, lookFacts{Claims: []claimRow{personal(1), shared(2, 7), maybe(3, day)}}, 1, nil, nil},
		{"L4", "one owner beats another spelling", levelKnown, lookFacts{Claims: []claimRow{personal(1), other(2)}}, 1, nil, nil},
		{"L4", "vip stays known", levelKnown, lookFacts{Policy: "vip", Claims: []claimRow{personal(1)}}, 1, nil, nil},
		{"L5", "other spelling", levelKnown, lookFacts{Claims: []claimRow{other(1), other(1)}}, 1, nil, nil},
		{"L6", "several people", levelShared, lookFacts{Claims: []claimRow{shared(1, 0), shared(2, 0)}}, 0, []int64{1, 2}, nil},
		{"L6", "switchboard", levelShared, lookFacts{Claims: []claimRow{shared(0, 7), maybe(3, day)}}, 0, nil, []int64{7}},
		{"L6", "a personal point of an organisation is a switchboard", levelShared, lookFacts{Claims: []claimRow{{OrgID: 7, Sharing: "personal", Level: "known", Exact: true}}}, 0, nil, []int64{7}},
		{"L6", "policy says shared", levelShared, lookFacts{Policy: "shared", Claims: []claimRow{personal(1)}}, 0, []int64{1}, nil},
		{"L7", "two owners by other spellings", levelAmbiguous, lookFacts{Claims: []claimRow{other(1), other(2)}}, 0, []int64{1, 2}, nil},
		{"L8", "three maybe", levelMaybe, lookFacts{Claims: []claimRow{maybe(1, day), maybe(2, 179*day), maybe(3, day)}}, 0, []int64{1, 2, 3}, nil},
		{"L9", "four maybe", levelNone, lookFacts{Claims: []claimRow{maybe(1, day), maybe(2, day), maybe(3, day), maybe(4, day)}}, 0, nil, nil},
		{"L10", "only a name", levelNone, lookFacts{Name: "Bob", Claims: []claimRow{maybe(1, 181*day)}}, 0, nil, nil},
		{"L11", "nothing", levelNone, lookFacts{}, 0, nil, nil},
		{"L11", "a maybe of half a year ago", levelNone, lookFacts{Claims: []claimRow{maybe(1, 181*day)}}, 0, nil, nil},
	}
	for _, c := range cases {
		t.Run(c.rule+" "+c.name, func(t *testing.T) {
			c.f.Now = t0
			m := matchCaller(c.f)
			if m.Rule != c.rule || m.Level != c.level || m.ContactID != c.contact || !slices.Equal(m.ContactIDs, c.list) || !slices.Equal(m.OrgIDs, c.orgs) {
				t.Errorf("got %+v, want rule %s level %s contact %d list %v orgs %v", m, c.rule, c.level, c.contact, c.list, c.orgs)
			}
		})
	}
}

func TestOrderShared(t *testing.T) {
	p := func(id int64, name string, last time.Time, ext bool) sharedPerson {
		return sharedPerson{ListedContact: ListedContact{ID: id, Name: name}, lastCall: last, extMatch: ext}
	}
	people := []sharedPerson{p(1, "b", time.Time{}, false), p(2, "a", time.Time{}, false), p(3, "z", time.Time{}, true), p(4, "y", t0, false), p(5, "x", t0.Add(time.Hour), false)}
	orderShared(people)
	var ids []int64
	for _, x := range people {
		ids = append(ids, x.ID)
	}
	if want := []int64{5, 4, 3, 2, 1}; !slices.Equal(ids, want) {
		t.Errorf("order %v, want %v", ids, want)
	}
}

func TestOrderCandidates(t *testing.T) {
	var cs []Candidate
	for i := range int64(8) {
		cs = append(cs, Candidate{id: i + 1, active: t0.Add(time.Duration(i) * time.Hour)})
	}
	cs = orderCandidates(cs, 2)
	var ids []int64
	for i, c := range cs {
		ids = append(ids, c.id)
		if c.Key != i+1 {
			t.Errorf("key %d at place %d", c.Key, i)
		}
	}
	if want := []int64{2, 8, 7, 6, 5, 4}; !slices.Equal(ids, want) {
		t.Errorf("order %v, want %v", ids, want)
	}
}
