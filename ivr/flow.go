package ivr

import (
	"time"

	"hotline/ivr/say"
)

// pos is a place in a file.
type pos struct {
	file      string
	line, col int
}

// flow is one parsed flow file. It is immutable after the check.
type flow struct {
	id        string
	at        pos
	sub       bool
	title     map[string]string
	languages []string // a sub-flow's are those of its callers, filled by the checker
	zone      *time.Location
	entry     string
	entryAt   pos
	limits    limits
	input     collectDefaults
	vars      map[string]*varDecl // params included
	returns   []string
	keys      []keyTarget // globals.keys
	onError   string
	onErrorAt pos
	onHangup  []*action
	nodes     map[string]*node
	order     []string // node ids as written
	exprs     []*expression
	plainEnv  *exprEnv // of expressions; made by the checker, when all variables are read
	valueEnv  *exprEnv // of the check of an input
}

func (f *flow) env(value bool) *exprEnv {
	if value {
		return f.valueEnv
	}
	return f.plainEnv
}

type limits struct {
	maxSteps    int           // nodes entered in one call
	maxDuration time.Duration // time in the menu, hand-overs not counted
}

// collectDefaults are the settings of section 4; negative or nil means "not set here".
type collectDefaults struct {
	timeout    *time.Duration
	interDigit *time.Duration
	retries    *int
	bargeIn    *bool
	typeAhead  *bool
}

// varDecl declares a variable. Its value is a string, int, float64, bool or time.Time.
type varDecl struct {
	name    string
	typ     string
	at      pos
	def     any
	hasDef  bool
	pii     bool
	secret  bool
	param   bool
	read    bool // set by the checker
	written bool
}

type node struct {
	id      string
	at      pos
	title   map[string]string
	actions []*action
	step    step
}

// target is a node or a built-in: @repeat, @back, @end.
type target struct {
	name string
	at   pos
}

func (t target) builtin() bool { return t.name != "" && t.name[0] == '@' }

type keyTarget struct {
	key string
	to  target
	at  pos
}

// exit is one way out of a step.
type exit struct {
	name string
	to   target
	asks bool // taken only after the caller or other people took time: no endless loop goes through it
}

type step interface {
	kind() string
	exits() []exit
	waits() bool // waits for keys, records or queues: the leg is answered before
}

type (
	nextStep   struct{ to target }
	switchStep struct {
		cases []switchCase
		els   target
	}
	switchCase struct {
		when *expression
		to   target
		at   pos
	}
	menuStep struct {
		prompt, short    sayList
		invalid, noinput sayList
		keys             []keyTarget
		exhausted        target
		set              collectDefaults
	}
	inputStep struct {
		prompt           sayList
		into             string
		intoAt           pos
		min, max         int
		pattern          *pattern
		terminator       string
		check            *expression
		secret           bool
		confirm          *confirm
		invalid, noinput sayList
		ok, exhausted    target
		set              collectDefaults
		at               pos
	}
	confirm struct {
		prompt       sayList
		accept, redo string
	}
	languageStep struct {
		prompt   sayList
		keys     []keyTarget // to.name is the language
		def      string
		remember bool
		next     target
	}
	hoursStep struct {
		calendar              string
		at                    pos
		open, closed, holiday target
	}
	queueStep struct {
		name                    string
		nameAt, at              pos
		priority                *expression
		skills                  []varRef
		maxWait                 time.Duration
		moh                     string
		mohAt                   pos
		whisper                 sayList
		announce                Announce
		announceAt              pos
		offers                  []offerDecl
		timeout, full, noAgents target
		afterCall               target
	}
	varRef struct {
		name string
		at   pos
	}
	offerDecl struct {
		key    string
		after  time.Duration
		when   *expression
		prompt sayList
		to     target
		max    int
	}
	transferStep struct {
		number, callerID                  *expression
		ring                              time.Duration
		busy, noAnswer, failed, afterCall target
	}
	voicemailStep struct {
		prompt            sayList
		max, min, silence time.Duration
		terminator        string
		queue             string
		queueAt           pos
		done, empty       target
	}
	callStep struct {
		flow    string
		flowAt  pos
		with    []binding
		returns []returnTarget
	}
	returnTarget struct {
		name string
		at   pos
		to   target
	}
	returnStep struct {
		name string
		at   pos
	}
	endStep struct{ how string }
)

// binding gives a value to a variable, parameter or name.
type binding struct {
	name string
	at   pos
	val  *expression
}

// action is one entry of `do`. kind names which fields count.
type action struct {
	kind     string // say, set, attach, tag, lang, priority, moh, record, wait, log
	at       pos
	say      sayList
	binds    []binding // set, attach
	tags     []string
	expr     *expression // lang, priority
	text     string      // moh, record, log
	wait     time.Duration
	required bool
}

// sayList is one say: it is played without gaps.
type sayList []*sayItem

// sayItem is one piece of speech.
type sayItem struct {
	kind     string // prompt, text, pause, number, ordinal, digits, phone, ticket, date, time, duration, money
	at       pos
	when     *expression
	prompt   string
	text     map[string]string
	pause    time.Duration
	val      *expression
	noun     string
	gender   say.Gender
	gcase    say.Case
	caseSet  bool
	group    int
	style    string
	round    time.Duration
	currency string
}

func one(name string, to target) exit { return exit{name: name, to: to} }

func (s *nextStep) kind() string  { return "next" }
func (s *nextStep) exits() []exit { return []exit{one("next", s.to)} }
func (s *nextStep) waits() bool   { return false }

func (s *switchStep) kind() string { return "switch" }
func (s *switchStep) waits() bool  { return false }
func (s *switchStep) exits() []exit {
	var out []exit
	for i, c := range s.cases {
		out = append(out, one(caseName(i), c.to))
	}
	if s.els.name != "" {
		out = append(out, one("else", s.els))
	}
	return out
}

func (s *menuStep) kind() string { return "menu" }
func (s *menuStep) waits() bool  { return true }
func (s *menuStep) exits() []exit {
	var out []exit
	for _, k := range s.keys {
		out = append(out, exit{"key " + k.key, k.to, true})
	}
	return append(out, exit{"exhausted", s.exhausted, true})
}

func (s *inputStep) kind() string { return "input" }
func (s *inputStep) waits() bool  { return true }
func (s *inputStep) exits() []exit {
	return []exit{{"ok", s.ok, true}, {"exhausted", s.exhausted, true}}
}

func (s *languageStep) kind() string  { return "language" }
func (s *languageStep) waits() bool   { return true }
func (s *languageStep) exits() []exit { return []exit{{"next", s.next, true}} }

func (s *hoursStep) kind() string { return "hours" }
func (s *hoursStep) waits() bool  { return false }
func (s *hoursStep) exits() []exit {
	out := []exit{one("open", s.open), one("closed", s.closed)}
	if s.holiday.name != "" {
		out = append(out, one("holiday", s.holiday))
	}
	return out
}

func (s *queueStep) kind() string { return "queue" }
func (s *queueStep) waits() bool  { return true }
func (s *queueStep) exits() []exit {
	out := []exit{{ExitTimeout, s.timeout, true}, one(ExitFull, s.full), one(ExitNoAgents, s.noAgents)}
	if s.afterCall.name != "" {
		out = append(out, exit{ExitAfterCall, s.afterCall, true})
	}
	for i, o := range s.offers {
		out = append(out, exit{offerName(i), o.to, true})
	}
	return out
}

func (s *transferStep) kind() string { return "transfer" }
func (s *transferStep) waits() bool  { return true }
func (s *transferStep) exits() []exit {
	out := []exit{one(ExitBusy, s.busy), one(ExitNoAnswer, s.noAnswer), one(ExitFailed, s.failed)}
	if s.afterCall.name != "" {
		out = append(out, exit{ExitAfterCall, s.afterCall, true})
	}
	return out
}

func (s *voicemailStep) kind() string { return "voicemail" }
func (s *voicemailStep) waits() bool  { return true }
func (s *voicemailStep) exits() []exit {
	return []exit{{ExitDone, s.done, true}, {ExitEmpty, s.empty, true}}
}

func (s *callStep) kind() string { return "call" }
func (s *callStep) waits() bool  { return false }
func (s *callStep) exits() []exit {
	var out []exit
	for _, r := range s.returns {
		out = append(out, one(r.name, r.to))
	}
	return out
}

func (s *returnStep) kind() string  { return "return" }
func (s *returnStep) exits() []exit { return nil }
func (s *returnStep) waits() bool   { return false }

func (s *endStep) kind() string  { return "end" }
func (s *endStep) exits() []exit { return nil }
func (s *endStep) waits() bool   { return false }
