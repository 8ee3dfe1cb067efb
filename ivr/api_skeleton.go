package ivr

import (
	"context"
	"io"
	"sync/atomic"
	"time"

	"hotline/telephony"
)

// Set is one checked, immutable version of the flow files. Safe for any number of goroutines.
type Set struct{}

// Load reads and checks a folder. The set is nil when a problem is an error.
func Load(dir string, opt Options) (*Set, []Problem) { return nil, nil }

// Hash names the version: 7 characters.
func (s *Set) Hash() string { return "" }

// Route says what to do with a called number.
func (s *Set) Route(called string) (Route, bool) { return Route{}, false }

// Routes lists all routes.
func (s *Set) Routes() []Route { return nil }

// Flows lists the flows by id.
func (s *Set) Flows() []FlowInfo { return nil }

// Label is the title of a node per language, the node's id where it has none.
func (s *Set) Label(flow, node string) map[string]string { return nil }

// Position announces a place in the queue.
func (s *Set) Position(lang string, n int) telephony.Prompt { return telephony.Prompt{} }

// Wait announces an expected wait.
func (s *Set) Wait(lang string, d time.Duration) telephony.Prompt { return telephony.Prompt{} }

// WaitOver announces a wait above the largest one that is told.
func (s *Set) WaitOver(lang string, d time.Duration) telephony.Prompt { return telephony.Prompt{} }

// Music is the looped music of that name.
func (s *Set) Music(id string) telephony.Prompt { return telephony.Prompt{} }

// Prompt is a catalogue prompt.
func (s *Set) Prompt(lang, id string) (telephony.Prompt, bool) { return telephony.Prompt{}, false }

// Start begins a run of a flow.
func (s *Set) Start(flow string, c Caller, env Env) *Run { return nil }

// StartRoute begins what the route names.
func (s *Set) StartRoute(r Route, c Caller, env Env) *Run { return nil }

// Restore goes on from a state.
func (s *Set) Restore(st State, c Caller, env Env) (*Run, error) { return nil, nil }

// Run carries one caller through a flow. One goroutine owns it.
type Run struct{}

// Next runs until there is work for others or the end.
func (r *Run) Next(ctx context.Context, leg telephony.Leg) Outcome { return Outcome{} }

// Resume goes on at an exit of the last outcome.
func (r *Run) Resume(ctx context.Context, leg telephony.Leg, exit string) Outcome { return Outcome{} }

// Hold plays music, announcements and offers to a waiting caller until ctx ends (an agent was reserved) or a key takes
// an offer, whose exit it returns.
func (r *Run) Hold(ctx context.Context, leg telephony.Leg, q *QueueReq, status func() WaitStatus) (exit string, err error) {
	return "", nil
}

// WaitStatus is what Hold asks before each announcement.
type WaitStatus struct {
	Position int           // from 1; 0: unknown
	Wait     time.Duration // expected wait; 0: unknown, nothing is said
	Worse    bool          // agents left since the last announcement: a longer wait may be told
}

// State is a run as plain data.
type State struct{}

// State returns the run as plain data.
func (r *Run) State() State { return State{} }

// Path is the way so far.
func (r *Run) Path() []PathStep { return nil }

// Vars are the declared variables; secret ones left out, personal ones masked.
func (r *Run) Vars() map[string]any { return nil }

// Lang is the caller's language now.
func (r *Run) Lang() string { return "" }

// LangChosen reports whether the caller chose it in a step with remember.
func (r *Run) LangChosen() bool { return false }

// Tags are what the action tag collected.
func (r *Run) Tags() []string { return nil }

// Attached is what the action attach collected.
func (r *Run) Attached() map[string]string { return nil }

// Store keeps the last good set of a folder.
type Store struct{ cur atomic.Pointer[Set] }

// NewStore makes a store over a folder. It is empty until Reload succeeds.
func NewStore(dir string, opt Options) *Store { return &Store{} }

// Current is the last good set, nil before the first.
func (s *Store) Current() *Set { return s.cur.Load() }

// Reload reads the folder again; on an error the old set stays.
func (s *Store) Reload() []Problem { return nil }

// CheckCommand is the body of `hotline flow check`.
func CheckCommand(dir, format string, opt Options, w io.Writer) int { return 0 }

// GraphCommand is the body of `hotline flow graph`.
func GraphCommand(dir, flow string, opt Options, w io.Writer) int { return 0 }

// RunArgs are the arguments of `hotline flow run`.
type RunArgs struct {
	Dir, Flow, Lang, From string
	DTMF                  string // keys, "." silence, "!" hang up; empty: ask on In
	At                    time.Time
	Options               Options
}

// RunCommand is the body of `hotline flow run`.
func RunCommand(a RunArgs, in io.Reader, w io.Writer) int { return 0 }

// TestArgs are the arguments of `hotline flow test`.
type TestArgs struct {
	Dir     string
	Random  int // so many random calls; 0: run the test files
	Seed    int64
	Cover   float64 // lowest share of exits reached, percent; 0: any
	Options Options
}

// TestCommand is the body of `hotline flow test`.
func TestCommand(a TestArgs, w io.Writer) int { return 0 }
