package ivr

import (
	"maps"
	"math/rand/v2"
	"testing"
	"time"
)

// FuzzFlow: whatever stands in a flow file, reading, checking and, if it passes, calling it never panics, and the checker
// says why it refuses.
func FuzzFlow(f *testing.F) {
	f.Add([]byte(base[fHot]))
	f.Add([]byte(base[fBill]))
	for _, row := range checkRows {
		if row.file == fHot {
			f.Add([]byte(with(f, row.file, row.old, row.repl)[fHot].Data))
		}
	}
	for _, s := range []string{"", "a", "[]", "{}", "flow: {}", "nodes: {a: {menu: 1}}", "&a [*a]", "a: !!binary x", "? {a: b}\n: c", "\t", "nodes: {a: }"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		files := maps.Clone(base)
		files[fHot] = string(data)
		set, probs := load(mapFS(files), "", textOptions())
		if set == nil {
			if !HasErrors(probs) {
				t.Fatal("refused without an error")
			}
			return
		}
		_, _ = set.Graph("hotline")
		for i := range 20 { // it passed: then it must also run
			if _, err := randomWalkOne(set, uint64(i)); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func randomWalkOne(set *Set, i uint64) (randomReport, error) {
	rep := randomReport{Ends: map[string]int{}, Visited: map[string]bool{}}
	for _, r := range set.routes {
		if r.Flow != "" {
			return rep, randomCall(set, r, rand.New(rand.NewPCG(1, i)), &rep)
		}
	}
	return rep, nil
}

// FuzzOtherFiles: prompts, calendars, routes, nouns, lists and tests.
func FuzzOtherFiles(f *testing.F) {
	for _, s := range []string{base[fSay], base[fCal], base[fRout], base["say/nouns.yaml"], base["lists/blocked.txt"],
		"flow: hotline\ncases: [{steps: [{hear: a}, {press: \"1\"}, {expect: {node: a}}]}]", "[]", "a: [", "weekly: {mon: [\"99:99-00:00\"]}"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(_ *testing.T, data []byte) {
		var probs []Problem
		parsePrompts("p", data, &probs, map[string]*prompt{})
		parseNouns("n", data, &probs)
		parseRoutes("r", data, &probs)
		if c := parseCalendar("c", "c", data, testNow, &probs); c != nil {
			c.state(testNow.Add(time.Hour))
		}
		parseList(data).has("1")
		parseTests("t", data, &probs)
	})
}

// TestRandomCalls walks the base set: no panic, a known outcome, words in every prompt, no secret in a trace.
func TestRandomCalls(t *testing.T) {
	set := baseSet(t)
	rep, err := randomWalk(set, 4000, 1)
	if err != nil {
		t.Fatal(err)
	}
	all := allExits(set)
	missed := 0
	for _, x := range all {
		if !rep.Visited[x] {
			missed++
			t.Log("not reached:", x)
		}
	}
	if missed > len(all)/6 {
		t.Errorf("%d of %d exits were never reached", missed, len(all))
	}
	again, err := randomWalk(set, 200, 1)
	if err != nil {
		t.Fatal(err)
	}
	third, _ := randomWalk(set, 200, 1)
	if !maps.Equal(again.Ends, third.Ends) {
		t.Errorf("one seed, two results: %v %v", again.Ends, third.Ends)
	}
}
