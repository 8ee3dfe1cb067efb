package ivr

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/vm"
	"go.yaml.in/yaml/v3"
)

// Budgets of expressions: nodes when compiled, memory when run.
const (
	exprNodes  = 200
	exprMemory = 10_000
)

// callVars is `call` in expressions.
type callVars struct {
	From       string `expr:"from"`
	To         string `expr:"to"`
	DID        string `expr:"did"`
	Trunk      string `expr:"trunk"`
	Anonymous  bool   `expr:"anonymous"`
	Mobile     bool   `expr:"mobile"`
	KnownLang  string `expr:"known_lang"`
	Trust      string `expr:"trust"`
	CountToday int    `expr:"count_today"`
	LastTicket string `expr:"last_ticket"`
}

// customerVars is `customer` in expressions. All fields are empty for an unknown caller.
type customerVars struct {
	ID      string `expr:"id"`
	Name    string `expr:"name"`
	VIP     bool   `expr:"vip"`
	Blocked bool   `expr:"blocked"`
	Segment string `expr:"segment"`
}

// expression is one compiled EXPR.
type expression struct {
	src   string
	at    pos // of the first character of the text
	node  string
	what  string
	want  string // a variable type; "" means any of them
	value bool   // `value` is known here: the check of an input

	prog  *vm.Program
	reads []string // variables and roots it reads
	calls []literalCall
	konst *bool // the value when it is a constant truth
	tree  ast.Node
}

// literalCall is a call whose argument must be a literal: queue('support').
type literalCall struct {
	fn, arg string
	literal bool
}

// reservedNames cannot be variables.
var reservedNames = map[string]bool{"call": true, "customer": true, "ticket": true, "outage": true, "sys": true, "lang": true,
	"now": true, "queue": true, "open": true, "in_list": true, "luhn": true, "damm": true, "ab": true, "value": true,
	"true": true, "false": true, "nil": true, "not": true, "and": true, "or": true, "in": true, "let": true, "matches": true,
	"contains": true}

// absentNames are names of grammar 1 that this version cannot fill.
var absentNames = map[string]string{
	"ticket": "the step lookup, which fills ticket, is not available in this version",
	"outage": "the step lookup, which fills outage, is not available in this version",
	"ab":     "the step split, which ab asks about, is not available in this version",
}

// expr reads an EXPR; it is compiled later, when all variables are known. nil after an error.
func (r *flowReader) expr(n *yaml.Node, what, want string) *expression {
	s, ok := r.text(n, what)
	if !ok {
		return nil
	}
	e := &expression{src: s, at: r.pos(n), node: r.node, what: what, want: want}
	if n.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle) != 0 {
		e.at.col++
	}
	r.f.exprs = append(r.f.exprs, e)
	return e
}

// exprEnv is the typed environment of one flow's expressions: a Go struct type made from the fixed names and the flow's
// variables. Only its fields compile. (A map with typed entries would do, but the library loses the types of structs in
// it.)
type exprEnv struct {
	typ   reflect.Type
	index map[string]int // name -> field
}

// fixedNames are the names of every flow, with a value of their type.
var fixedNames = map[string]any{
	"call":     callVars{},
	"customer": customerVars{},
	"sys":      Sys{},
	"lang":     "",
	"now":      time.Time{},
	"queue":    func(string) QueueInfo { return QueueInfo{} },
	"open":     func(string) bool { return false },
	"in_list":  func(string, string) bool { return false },
	"luhn":     luhn,
	"damm":     damm,
	"value":    "",
}

// newExprEnv makes the environment; value adds the name `value`, which only the check of an input has.
func newExprEnv(f *flow, value bool) *exprEnv {
	samples := map[string]any{}
	for name, v := range fixedNames {
		if name != "value" || value {
			samples[name] = v
		}
	}
	for _, v := range f.vars {
		samples[v.name] = zeroOf[v.typ]
	}
	e := &exprEnv{index: map[string]int{}}
	var fields []reflect.StructField
	for i, name := range sortedKeys(samples) {
		e.index[name] = i
		fields = append(fields, reflect.StructField{Name: fmt.Sprintf("F%d", i), Type: reflect.TypeOf(samples[name]),
			Tag: reflect.StructTag(`expr:"` + name + `"`)})
	}
	e.typ = reflect.StructOf(fields)
	return e
}

// fill makes an environment of values; names it does not have are left out.
func (e *exprEnv) fill(values map[string]any) any {
	v := reflect.New(e.typ).Elem()
	for name, x := range values {
		if i, ok := e.index[name]; ok && x != nil {
			v.Field(i).Set(reflect.ValueOf(x))
		}
	}
	return v.Interface()
}

// compile type-checks the expression; it returns a message and where it points, or "".
func (e *expression) compile(f *flow) (string, pos) {
	opts := []expr.Option{expr.Env(f.env(e.value).fill(nil)), expr.MaxNodes(exprNodes), expr.DisableBuiltin("now")}
	switch e.want {
	case typeBool:
		opts = append(opts, expr.AsBool())
	case typeString, typeInt, typeNumber, typeTime, "":
	}
	prog, err := expr.Compile(e.src, opts...)
	if err != nil {
		at := e.at
		var fe *file.Error
		msg := err.Error()
		if errors.As(err, &fe) {
			msg = fe.Message
			if msg == "" {
				msg = err.Error()
			}
			if fe.Line <= 1 {
				at.col += fe.Column
			} else {
				at.line += fe.Line - 1
				at.col = fe.Column + 1
			}
		}
		msg, _, _ = strings.Cut(msg, "\n")
		return e.explain(msg, f), at
	}
	e.prog, e.tree = prog, prog.Node()
	if got := prog.Node().Type(); got != nil {
		if msg := e.typeMismatch(got.String()); msg != "" {
			return msg, e.at
		}
	}
	e.inspect()
	return "", e.at
}

func (e *expression) explain(msg string, f *flow) string {
	for name, why := range absentNames {
		if strings.Contains(msg, "unknown name "+name) {
			return "unknown name " + name + ": " + why
		}
	}
	if _, name, ok := strings.Cut(msg, "unknown name "); ok {
		name, _, _ = strings.Cut(name, " ")
		if near := nearest(name, sortedKeys(f.env(e.value).index)); near != "" {
			return fmt.Sprintf("%s; did you mean %q?", msg, near)
		}
	}
	return msg
}

// typeMismatch compares the compiled type with the wanted one.
func (e *expression) typeMismatch(got string) string {
	valid := map[string][]string{
		typeString: {"string"}, typeInt: {"int"}, typeNumber: {"int", "float64"}, typeTime: {"time.Time"}, typeBool: {"bool"},
		"": {"string", "int", "float64", "bool", "time.Time"},
	}[e.want]
	if slices.Contains(valid, got) {
		return ""
	}
	if e.want == "" {
		return fmt.Sprintf("%s is of type %s, which cannot be kept", e.what, got)
	}
	return fmt.Sprintf("%s must be of type %s, but the expression is of type %s", e.what, e.want, got)
}

// inspect notes what the expression reads and whether it is a constant.
func (e *expression) inspect() {
	tree := e.tree
	ast.Walk(&tree, visitor(func(n ast.Node) {
		switch x := n.(type) {
		case *ast.IdentifierNode:
			if !slices.Contains(e.reads, x.Value) {
				e.reads = append(e.reads, x.Value)
			}
		case *ast.CallNode:
			id, ok := x.Callee.(*ast.IdentifierNode)
			if !ok || len(x.Arguments) == 0 {
				return
			}
			switch id.Value {
			case "queue", "open", "in_list":
				s, lit := x.Arguments[0].(*ast.StringNode)
				c := literalCall{fn: id.Value, literal: lit}
				if lit {
					c.arg = s.Value
				}
				e.calls = append(e.calls, c)
			}
		}
	}))
	if len(e.reads) == 0 && e.tree.Type() != nil && e.tree.Type().Kind() == reflect.Bool {
		if v, err := e.run(nil); err == nil {
			b, _ := v.(bool)
			e.konst = &b
		}
	}
}

type visitor func(ast.Node)

func (v visitor) Visit(n *ast.Node) { v(*n) }

// requiresVerified reports whether the expression can be true only for a verified caller: it is, or is a conjunction
// with, call.trust == 'verified'.
func (e *expression) requiresVerified() bool {
	var holds func(ast.Node) bool
	holds = func(n ast.Node) bool {
		b, ok := n.(*ast.BinaryNode)
		if !ok {
			return false
		}
		switch b.Operator {
		case "&&", "and":
			return holds(b.Left) || holds(b.Right)
		case "||", "or":
			return holds(b.Left) && holds(b.Right)
		case "==":
			return isTrust(b.Left) && isVerified(b.Right) || isTrust(b.Right) && isVerified(b.Left)
		}
		return false
	}
	return e != nil && e.tree != nil && holds(e.tree)
}

func isTrust(n ast.Node) bool {
	m, ok := n.(*ast.MemberNode)
	if !ok {
		return false
	}
	root, ok1 := m.Node.(*ast.IdentifierNode)
	prop, ok2 := m.Property.(*ast.StringNode)
	return ok1 && ok2 && root.Value == "call" && prop.Value == "trust"
}

func isVerified(n ast.Node) bool {
	s, ok := n.(*ast.StringNode)
	return ok && s.Value == "verified"
}

// run evaluates the expression and gives a string, int, float64, bool or time.Time.
func (e *expression) run(env any) (v any, err error) {
	machine := vm.VM{MemoryBudget: exprMemory}
	v, err = machine.Run(e.prog, env)
	if err != nil {
		// The cause may quote a value, and a value may be a secret: the place must do.
		return nil, fmt.Errorf("evaluate %s at %s:%d", e.what, e.at.file, e.at.line)
	}
	return v, nil
}

// luhn checks a card-like number.
func luhn(v string) bool {
	sum, n := 0, 0
	for i := len(v) - 1; i >= 0; i-- {
		if v[i] < '0' || v[i] > '9' {
			return false
		}
		d := int(v[i] - '0')
		if n%2 == 1 {
			d *= 2
			if d > 9 {
				d -= 9
			}
		}
		sum += d
		n++
	}
	return n > 1 && sum%10 == 0
}

// dammTable is the quasigroup of order 10 by H. M. Damm.
var dammTable = [10]string{"0317598642", "7092154863", "4206871359", "1750983426", "6123045978", "3674209581", "5869720134",
	"8945362017", "9438617205", "2581436790"}

// damm checks a number whose last digit is its Damm check digit.
func damm(v string) bool {
	d := byte('0')
	for i := 0; i < len(v); i++ {
		if v[i] < '0' || v[i] > '9' {
			return false
		}
		d = dammTable[d-'0'][v[i]-'0']
	}
	return len(v) > 1 && d == '0'
}
