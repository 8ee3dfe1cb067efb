package ivr

import (
	"regexp"
	"slices"
	"strings"
	"time"
)

// checkStep checks one step apart from the graph.
func (c *checker) checkStep(s step) {
	switch s := s.(type) {
	case *switchStep:
		for i, k := range s.cases {
			if k.when != nil && k.when.konst != nil {
				fix := "the cases after it can never match"
				if !*k.when.konst {
					fix = "remove it"
				}
				c.warn(k.when.at, "L045", fix, "the condition of case %d is always %v", i+1, *k.when.konst)
			}
		}
	case *menuStep:
		c.checkMenu(s)
	case *inputStep:
		c.checkInput(s)
	case *languageStep:
		c.checkSay(s.prompt)
		for _, k := range append([]keyTarget{{to: target{s.def, c.node.at}}}, s.keys...) {
			if k.to.name != "" && !c.flow.sub && !slices.Contains(c.flow.languages, k.to.name) {
				c.err(k.to.at, "L021", "add it to languages", "the flow does not speak %q", k.to.name)
			}
		}
		c.keysInText(s.prompt, s.keys, nil)
	case *hoursStep:
		if s.calendar != "" && c.cals[s.calendar] == nil {
			c.err(s.at, "L030", suggest(s.calendar, sortedKeys(c.cals)), "the calendar %q does not exist", s.calendar)
		}
	case *queueStep:
		c.checkQueue(s)
	case *voicemailStep:
		c.checkSay(s.prompt)
		c.queueExists(s.queue, s.queueAt)
	case *callStep:
		c.checkCall(s)
	case *returnStep:
		c.checkReturn(s)
	}
}

func (c *checker) checkMenu(s *menuStep) {
	for _, l := range []sayList{s.prompt, s.short, s.invalid, s.noinput} {
		c.checkSay(l)
	}
	if len(s.keys) > 5 {
		c.warn(s.keys[5].at, "L024", "split the menu", "the menu has %d keys; people remember five", len(s.keys))
	}
	c.keysInText(s.prompt, s.keys, c.flow.keys)
}

func (c *checker) checkInput(s *inputStep) {
	for _, l := range []sayList{s.prompt, s.invalid, s.noinput} {
		c.checkSay(l)
	}
	if s.confirm != nil {
		c.checkSay(s.confirm.prompt)
	}
	if s.max > s.min && s.terminator == "" {
		c.warn(s.at, "L028", `add terminator: "#"`, "an input of open length without a terminator waits after the last digit")
	}
	if s.into == "" {
		return
	}
	v := c.flow.vars[s.into]
	switch {
	case v == nil:
		c.err(s.intoAt, "L041", suggest(s.into, sortedKeys(c.flow.vars)), "the variable %q is not declared", s.into)
		return
	case v.typ != typeString:
		c.err(s.intoAt, "L041", "declare it as string", "the variable %q is a %s, but an input gives a string", s.into, v.typ)
	case s.secret && !v.secret:
		c.err(s.intoAt, "L044", "declare it with secret: true", "a secret input goes into %q, which is not secret", s.into)
	case !s.secret && v.secret:
		c.err(s.intoAt, "L044", "add secret: true to the input", "%q is secret, but its input is not", s.into)
	}
	v.written = true
	if !s.secret && secretName.MatchString(s.into) {
		c.warn(s.at, "L058", "add secret: true to the input and the variable", "the input %q looks like a PIN or a card number", s.into)
	}
}

var secretName = regexp.MustCompile(`(^|_)(pin|cvv|cvc|card|password|passcode)(_|$)`)

func (c *checker) checkQueue(s *queueStep) {
	c.queueExists(s.name, s.nameAt)
	c.checkSay(s.whisper)
	c.musicExists(s.moh, s.mohAt)
	for _, r := range s.skills {
		if v := c.flow.vars[r.name]; r.name != "lang" && (v == nil || v.typ != typeString) {
			c.err(r.at, "L041", "lang, or a variable of type string", "the skill %q is no variable of type string", r.name)
		} else if v != nil {
			v.read = true
			if v.secret || v.pii {
				c.err(r.at, "L044", "remove it", "the secret or personal variable %q would become a skill", r.name)
			}
		}
	}
	if s.maxWait == 0 {
		c.warn(s.at, "L029", "add max_wait: 20m", "the queue step has no max_wait")
	}
	if s.announce.Every > 0 && s.announce.Every < 20*time.Second {
		c.warn(s.announceAt, "L061", "every: 60s", "announced every %v; more often than every 20 s annoys", s.announce.Every)
	}
	for _, o := range s.offers {
		c.checkSay(o.prompt)
	}
	for name, t := range map[string]target{ExitTimeout: s.timeout, ExitNoAgents: s.noAgents} {
		if n := c.flow.nodes[t.name]; n != nil {
			if q, ok := n.step.(*queueStep); ok && q.name == s.name {
				c.warn(t.at, "L056", "lead to voicemail", "%s of the queue %q leads back to the same queue", name, s.name)
			}
		}
	}
}

func (c *checker) checkCall(s *callStep) {
	if s.flow == "" {
		return
	}
	sub := c.flows[s.flow]
	if sub == nil {
		c.err(s.flowAt, "L013", suggest(s.flow, sortedKeys(c.flows)), "the flow %q does not exist", s.flow)
		return
	}
	if !sub.sub {
		c.err(s.flowAt, "L019", "add kind: subflow to it", "%q is not a sub-flow", s.flow)
		return
	}
	given := map[string]bool{}
	for _, b := range s.with {
		given[b.name] = true
		v := sub.vars[b.name]
		if v == nil || !v.param {
			c.err(b.at, "L041", "declare it in params", "the sub-flow %q has no parameter %q", s.flow, b.name)
			continue
		}
		if !v.secret && c.readsSecret(b.val) != "" {
			c.err(b.at, "L044", "declare the parameter with secret: true", "the secret %q would reach %q, which is not secret", c.readsSecret(b.val), b.name)
		}
	}
	for _, name := range sortedKeys(sub.vars) {
		if v := sub.vars[name]; v.param && !v.hasDef && !given[name] {
			c.err(s.flowAt, "L041", "add it to with", "the parameter %q of %q is not given", name, s.flow)
		}
	}
	wired := map[string]bool{}
	for _, r := range s.returns {
		wired[r.name] = true
		if !slices.Contains(sub.returns, r.name) {
			c.err(r.at, "L011", suggest(r.name, sub.returns), "the sub-flow %q never returns %q", s.flow, r.name)
		}
	}
	for _, name := range sub.returns {
		if !wired[name] {
			c.err(s.flowAt, "L011", "add "+name+": node to returns", "the exit %q of %q is not wired", name, s.flow)
		}
	}
}

func (c *checker) checkReturn(s *returnStep) {
	if !c.flow.sub {
		c.err(s.at, "L019", "use end:", "return belongs to sub-flows")
		return
	}
	if s.name != "" && !slices.Contains(c.flow.returns, s.name) {
		c.err(s.at, "L011", suggest(s.name, c.flow.returns), "returns does not list %q", s.name)
	}
}

// Words for keys as prompts say them. Several forms mean one key.
var keyWords = map[string]string{
	"ноль": "0", "один": "1", "единицу": "1", "единица": "1", "два": "2", "двойку": "2", "три": "3", "четыре": "4", "пять": "5", "шесть": "6",
	"семь": "7", "восемь": "8", "девять": "9", "звёздочку": "*", "звездочку": "*", "звёздочка": "*", "звездочка": "*",
	"решётку": "#", "решетку": "#", "решётка": "#", "решетка": "#",
	"zero": "0", "one": "1", "two": "2", "three": "3", "four": "4", "five": "5", "six": "6", "seven": "7", "eight": "8", "nine": "9",
	"star": "*", "asterisk": "*", "pound": "#", "hash": "#",
}

var (
	wordRe  = regexp.MustCompile(`[\p{L}]+|[0-9]+|[*#]`)
	pressRe = regexp.MustCompile(`(?i)(?:нажмите|наберите|press|dial)\s+(?:цифру\s+)?([\p{L}]+|[0-9]+|[*#])`)
)

func keyOf(word string) string {
	w := strings.ToLower(word)
	if k, ok := keyWords[w]; ok {
		return k
	}
	if len(w) == 1 && strings.Contains("0123456789*#", w) {
		return w
	}
	return ""
}

// keysInText compares the keys of a menu with the keys its text names, per language.
func (c *checker) keysInText(list sayList, keys, global []keyTarget) {
	for _, lang := range c.flow.languages {
		text := c.spoken(list, lang)
		if text == "" {
			continue
		}
		named := map[string]bool{}
		for _, w := range wordRe.FindAllString(text, -1) {
			named[keyOf(w)] = true
		}
		works := map[string]bool{}
		for _, k := range append(slices.Clone(keys), global...) {
			works[k.key] = true
		}
		for _, k := range keys {
			if !named[k.key] {
				c.warn(k.at, "L026", "say it in the prompt", "the key %s works, but the %s text does not name it", k.key, lang)
			}
		}
		for _, m := range pressRe.FindAllStringSubmatch(text, -1) {
			if k := keyOf(m[1]); k != "" && !works[k] {
				c.warn(list[0].at, "L027", "wire the key, or change the text", "the %s text says to press %s, which does nothing", lang, k)
			}
		}
	}
}

// spoken is the fixed text of a say in one language.
func (c *checker) spoken(list sayList, lang string) string {
	var b strings.Builder
	for _, it := range list {
		t := it.text[lang]
		if p := c.prompts[it.prompt]; p != nil {
			t, _, _ = p.textIn(lang)
		}
		if t != "" {
			b.WriteString(t + " ")
		}
	}
	return b.String()
}
