package ivr

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"
)

// Phase says what a run is doing.
type Phase string

// Phases of a run; doc.go draws the transitions.
const (
	PhaseNew    Phase = ""       // not started
	PhaseActing Phase = "acting" // plays a say of `do`, or waits
	PhaseAsking Phase = "asking" // collects keys
	PhaseAway   Phase = "away"   // handed over: waits for Resume
	PhaseEnded  Phase = "ended"
)

// State is a run as plain data: what is journalled at each node. Keys typed ahead and secret variables are left out, so
// a restored run asks for them again.
type State struct {
	Bundle     string               `json:"bundle"` // Set.Hash
	Route      Route                `json:"route"`
	Phase      Phase                `json:"phase"`
	Frames     []Frame              `json:"frames"` // sub-flow stack; the last one runs
	Lang       string               `json:"lang"`
	LangChosen bool                 `json:"lang_chosen,omitempty"` // by the caller, in a step with remember
	Priority   int                  `json:"priority,omitempty"`
	MOH        string               `json:"moh,omitempty"`
	Recording  string               `json:"recording,omitempty"` // start, stop, pause, resume: the last `record`
	Tags       []string             `json:"tags,omitempty"`
	Attached   map[string]string    `json:"attached,omitempty"`
	Answered   bool                 `json:"answered,omitempty"`
	Steps      int                  `json:"steps"`
	Spent      time.Duration        `json:"spent"`             // in the menu, hand-overs not counted
	Entered    time.Time            `json:"entered,omitzero"`  // the current node
	Repeats    int                  `json:"repeats,omitempty"` // @repeat of the current node
	Faults     int                  `json:"faults,omitempty"`
	QueueSince map[string]time.Time `json:"queue_since,omitempty"`
	Offered    map[string]int       `json:"offered,omitempty"` // offers heard, by "flow/node/offer 1"
	Path       []PathStep           `json:"path,omitempty"`
	End        string               `json:"end,omitempty"`
}

// Frame is one flow on the stack.
type Frame struct {
	Flow    string         `json:"flow"`
	Node    string         `json:"node"`
	Vars    map[string]any `json:"vars,omitempty"`    // without secret ones
	History []string       `json:"history,omitempty"` // nodes that waited for the caller, for @back
}

// Bounds of what a state keeps.
const (
	maxPath    = 500 // steps of the path; the oldest go
	maxHistory = 50
	maxFrames  = 20
)

func (s *State) frame() *Frame { return &s.Frames[len(s.Frames)-1] }

// copy gives an independent state without the secret variables of the set's flows.
func (s State) copy(set *Set) State {
	s.Frames = slices.Clone(s.Frames)
	for i := range s.Frames {
		f := &s.Frames[i]
		f.History = slices.Clone(f.History)
		f.Vars = maps.Clone(f.Vars)
		if fl := set.flows[f.Flow]; fl != nil {
			for name, v := range fl.vars {
				if v.secret {
					delete(f.Vars, name)
				}
			}
		}
	}
	s.Tags = slices.Clone(s.Tags)
	s.Attached = maps.Clone(s.Attached)
	s.QueueSince = maps.Clone(s.QueueSince)
	s.Offered = maps.Clone(s.Offered)
	s.Path = slices.Clone(s.Path)
	return s
}

// retype gives variables back the types that JSON lost, and secret or missing ones their defaults.
func (f *Frame) retype(fl *flow) error {
	vars := map[string]any{}
	for name, d := range fl.vars {
		v, ok := f.Vars[name]
		if !ok {
			vars[name] = d.def
			continue
		}
		x, err := typed(v, d.typ)
		if err != nil {
			return fmt.Errorf("restore variable %s: %w", name, err)
		}
		vars[name] = x
	}
	f.Vars = vars
	return nil
}

func typed(v any, typ string) (any, error) {
	if n, ok := v.(json.Number); ok {
		f, err := n.Float64()
		if err != nil {
			return nil, err
		}
		v = f
	}
	switch x := v.(type) {
	case string:
		if typ == typeString {
			return x, nil
		}
		if typ == typeTime {
			return time.Parse(time.RFC3339Nano, x)
		}
	case bool:
		if typ == typeBool {
			return x, nil
		}
	case float64:
		if typ == typeInt {
			return int(x), nil
		}
		if typ == typeNumber {
			return x, nil
		}
	case int:
		if typ == typeNumber {
			return float64(x), nil
		}
		if typ == typeInt {
			return x, nil
		}
	case time.Time:
		if typ == typeTime {
			return x, nil
		}
	}
	return nil, fmt.Errorf("%T is not a %s", v, typ)
}
