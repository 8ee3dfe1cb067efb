package ivr

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"hotline/telephony"
)

// testFile is tests/<flow>.test.yaml (ivr.md section 10).
type testFile struct {
	Flow     string       `yaml:"flow"`
	Defaults testDefaults `yaml:"defaults"`
	Cases    []testCase   `yaml:"cases"`
}

type testDefaults struct {
	At    time.Time `yaml:"at"`
	From  string    `yaml:"from"`
	Fakes testFakes `yaml:"fakes"`
}

type testFakes struct {
	Load  float64               `yaml:"load"`
	Queue map[string]QueueFakes `yaml:"queue"`
}

// QueueFakes is how a queue looks to a test call; what is not named is staffed and empty.
type QueueFakes struct {
	Waiting  int `yaml:"waiting"`
	EWT      int `yaml:"ewt"`
	Ready    int `yaml:"ready"`
	LoggedIn int `yaml:"logged_in"`
	Longest  int `yaml:"longest"`
}

type testCase struct {
	Name  string           `yaml:"name"`
	At    time.Time        `yaml:"at"`
	From  string           `yaml:"from"`
	Fakes testFakes        `yaml:"fakes"`
	Steps []map[string]any `yaml:"steps"`
	End   string           `yaml:"end"`
}

// runTestFile runs one file and gives the number of failed cases.
func (s *Set) runTestFile(path string, cover *coverage, w io.Writer) (failed int) {
	data, err := os.ReadFile(path)
	if err != nil {
		fmt.Fprintf(w, "FAIL %s: %v\n", path, err)
		return 1
	}
	var tf testFile
	dec := yaml.NewDecoder(bytes.NewReader(data))
	dec.KnownFields(true)
	if err := dec.Decode(&tf); err != nil {
		fmt.Fprintf(w, "FAIL %s: %v\n", path, err)
		return 1
	}
	if s.flowOf(tf.Flow, w) == nil {
		return 1
	}
	for _, c := range tf.Cases {
		if err := s.runCase(tf, c, cover); err != nil {
			failed++
			fmt.Fprintf(w, "FAIL %s: %s: %v\n", tf.Flow, c.Name, err)
		} else {
			fmt.Fprintf(w, "ok   %s: %s\n", tf.Flow, c.Name)
		}
	}
	return failed
}

func (f testFakes) world(def testFakes) fakes {
	out := fakes{load: f.Load, queue: map[string]QueueInfo{}}
	if out.load == 0 {
		out.load = def.Load
	}
	for _, m := range []map[string]QueueFakes{def.Queue, f.Queue} {
		for k, q := range m {
			out.queue[k] = QueueInfo{Waiting: q.Waiting, EWT: q.EWT, Ready: q.Ready, LoggedIn: q.LoggedIn, Longest: q.Longest}
		}
	}
	return out
}

func (s *Set) runCase(tf testFile, c testCase, cover *coverage) error {
	at, from := c.At, c.From
	if at.IsZero() {
		at = tf.Defaults.At
	}
	if from == "" {
		from = tf.Defaults.From
	}
	sim := newSim(s, Route{Number: "test", Flow: tf.Flow}, Caller{From: from, Called: "test", Trust: telephony.TrustAsserted, Anonymous: from == ""}, at, c.Fakes.world(tf.Defaults.Fakes))
	sim.start()
	defer func() { cover.add(sim.steps) }()
	for i, step := range c.Steps {
		for _, verb := range slices.Sorted(maps.Keys(step)) {
			if err := sim.verb(verb, step[verb]); err != nil {
				return fmt.Errorf("step %d, %s: %w; heard so far: %q", i+1, verb, err, sim.text(0))
			}
		}
	}
	sim.settle()
	if c.End != "" && (!sim.ended() || sim.out.End != c.End) {
		got := "no end"
		if sim.ended() {
			got = sim.out.End
		}
		return fmt.Errorf("ended by %s, want %s", got, c.End)
	}
	return nil
}

// verb carries out one step of a test call.
func (s *sim) verb(verb string, arg any) error {
	text := fmt.Sprint(arg)
	switch verb {
	case "hear":
		return s.mustHear(text)
	case "not_hear":
		s.settle()
		if s.find(text) >= 0 {
			return fmt.Errorf("heard %s", text)
		}
		return nil
	case "press":
		return s.press(text)
	case "silence":
		s.silence()
		return nil
	case "wait":
		d, err := time.ParseDuration(text)
		if err != nil {
			return err
		}
		s.advance(s.now.Add(d))
		return nil
	case "hangup":
		s.hangup()
		return nil
	case "answer":
		s.settle()
		if !s.away() || s.out.Queue == nil && s.out.Transfer == nil {
			return fmt.Errorf("nobody is asked to answer")
		}
		s.talk = true
		return nil
	case "agent_hangup":
		if !s.talk {
			return fmt.Errorf("no talk")
		}
		if s.out.Exit(ExitAfterCall) {
			s.resume(ExitAfterCall)
		} else {
			s.hangup()
		}
		return nil
	case "expect":
		s.settle()
		m, ok := arg.(map[string]any)
		if !ok {
			return fmt.Errorf("wants a map")
		}
		return s.expect(m)
	}
	return fmt.Errorf("unknown step; there are hear, not_hear, press, silence, wait, hangup, answer, agent_hangup, expect")
}

// mustHear lets time pass until the words come, and marks them as matched.
func (s *sim) mustHear(what string) error {
	for {
		if i := s.find(what); i >= 0 {
			s.mark = i + 1
			return nil
		}
		n := s.next()
		if n.IsZero() || s.ended() || s.away() || s.epoch == 0 {
			return fmt.Errorf("not heard")
		}
		s.pass(n)
	}
}

// find gives the place of a prompt id, or of /pattern/, among what came after the last match; -1: nowhere.
func (s *sim) find(what string) int {
	if len(what) > 1 && what[0] == '/' && strings.HasSuffix(what, "/") {
		re, err := regexp.Compile(what[1 : len(what)-1])
		if err != nil || !re.MatchString(s.text(s.mark)) {
			return -1
		}
		for i := s.mark; i < len(s.heard); i++ { // up to the piece that completes the match
			if re.MatchString((&sim{heard: s.heard[s.mark : i+1]}).text(0)) {
				return i
			}
		}
		return -1
	}
	for i := s.mark; i < len(s.heard); i++ {
		if s.heard[i].prompt == what {
			return i
		}
	}
	return -1
}

func (s *sim) expect(want map[string]any) error {
	for _, k := range slices.Sorted(maps.Keys(want)) {
		var got any
		switch {
		case k == "node":
			got = s.m.st.frame().Node
		case k == "tags":
			got = s.m.st.Tags
		case k == "attached":
			all := map[string]any{}
			for name := range want[k].(map[string]any) {
				all[name] = s.m.st.Attached[name]
			}
			got = all
		case strings.HasPrefix(k, "var."):
			got = s.m.st.frame().Vars[k[len("var."):]]
		default:
			return fmt.Errorf("expect has no %q; there are node, var.NAME, tags, attached", k)
		}
		if fmt.Sprint(got) != fmt.Sprint(want[k]) {
			return fmt.Errorf("%s is %v, want %v", k, got, want[k])
		}
	}
	return nil
}

// coverage counts which exits of which nodes were taken.
type coverage struct {
	set   *Set
	taken map[string]bool // flow/node/exit
}

func newCoverage(s *Set) *coverage { return &coverage{set: s, taken: map[string]bool{}} }

func (c *coverage) add(steps []Step) {
	for _, s := range steps {
		if s.Kind == StepLeft {
			c.taken[s.Flow+"/"+s.Node+"/"+s.Exit] = true
		}
	}
}

func (c *coverage) share() (reached, all int, missing []string) {
	for _, id := range slices.Sorted(maps.Keys(c.set.flows)) {
		f := c.set.flows[id]
		for _, name := range f.order {
			for _, x := range f.nodes[name].step.exits() {
				if x.to.name == "" {
					continue
				}
				all++
				if key := id + "/" + name + "/" + x.name; c.taken[key] {
					reached++
				} else {
					missing = append(missing, key)
				}
			}
		}
	}
	return reached, all, missing
}

// maxRandomActs bounds one random call; the flow's own limits end it before.
const maxRandomActs = 400

// randomCalls lets callers with a seed press, wait, hang up and meet every result. It gives the number of faults: a panic,
// a call that does not end, an end nobody knows, speech without text, a secret in the trace.
func randomCalls(set *Set, n int, seed int64, cover *coverage, w io.Writer) (faults int) {
	var routes []Route
	for _, r := range set.Routes() {
		if r.Flow != "" {
			routes = append(routes, r)
		}
	}
	if len(routes) == 0 {
		fmt.Fprintln(w, "no route leads to a flow")
		return 1
	}
	ends := map[string]int{}
	for i := range n {
		rnd := rand.New(rand.NewPCG(uint64(seed), uint64(i)))
		end, err := randomCall(set, routes[i%len(routes)], rnd, cover)
		ends[end]++
		if err != nil {
			faults++
			fmt.Fprintf(w, "FAIL call %d of seed %d: %v\n", i, seed, err)
		}
	}
	for _, e := range slices.Sorted(maps.Keys(ends)) {
		fmt.Fprintf(w, "%7d  %s\n", ends[e], e)
	}
	return faults
}

var knownEnds = []string{EndCompleted, EndSelfService, EndDeflected, EndCallback, EndVoicemail, EndOverload, EndRejected, EndError, EndAbandoned, EndStopped}

func randomCall(set *Set, r Route, rnd *rand.Rand, cover *coverage) (end string, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	f := fakes{load: rnd.Float64() * 1.2, queue: map[string]QueueInfo{}}
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(rnd.Int64N(int64(365 * 24 * time.Hour))))
	s := newSim(set, r, Caller{From: "+79161234567", Called: r.Number, Trust: telephony.TrustAsserted}, at, f)
	s.start()
	defer func() { cover.add(s.steps) }()
	for range maxRandomActs {
		if s.ended() {
			break
		}
		s.randomAct(rnd)
	}
	for range maxRandomActs { // a caller who falls silent comes to an end as well
		if s.ended() {
			break
		}
		if s.away() {
			s.hangup()
			continue
		}
		s.silence()
	}
	if !s.ended() {
		return "none", fmt.Errorf("no end after %d actions, at node %s", 2*maxRandomActs, s.m.st.frame().Node)
	}
	if !slices.Contains(knownEnds, s.out.End) {
		return s.out.End, fmt.Errorf("unknown end %q", s.out.End)
	}
	for _, h := range s.heard {
		if strings.TrimSpace(h.words) == "" {
			return s.out.End, fmt.Errorf("prompt %q says nothing", h.prompt)
		}
	}
	return s.out.End, nil
}

// randomAct is one whim of a random caller, or of the world.
func (s *sim) randomAct(rnd *rand.Rand) {
	if s.away() {
		exits := s.out.Exits
		if len(exits) == 0 || rnd.IntN(10) == 0 {
			s.hangup()
			return
		}
		s.resume(exits[rnd.IntN(len(exits))])
		return
	}
	switch n := rnd.IntN(100); {
	case n < 60:
		_ = s.press(string(telephony.Keys[rnd.IntN(12)]))
	case n < 80:
		s.silence()
	case n < 97:
		s.advance(s.now.Add(time.Duration(rnd.Int64N(int64(8 * time.Second)))))
	default:
		s.hangup()
	}
}
