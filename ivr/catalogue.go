package ivr

import (
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"hotline/ivr/say"
)

// allLangs is the pseudo language of a prompt that is spoken before the language is known.
const allLangs = "all"

// prompt is one entry of prompts.yaml.
type prompt struct {
	id        string
	at        pos
	text      map[string]string   // language, or allLangs, -> text
	file      map[string]string   // language -> file below prompts/audio; empty: the default place
	tts       map[string]bool     // language -> synthesis is meant: no recording is missed
	hash      map[string]string   // language -> hash of the text that was recorded
	fragments map[string][]string // language -> recorded fragments that say it
	voice     string              // of the speech program; empty: the language's
	used      bool                // by the checker
	builtin   bool
}

// textIn gives the text and the language key it stands under.
func (p *prompt) textIn(lang string) (text, key string, ok bool) {
	if t, ok := p.text[lang]; ok {
		return t, lang, true
	}
	if t, ok := p.text[allLangs]; ok {
		return t, allLangs, true
	}
	return "", lang, false
}

// builtinPrompts are what queue announcements begin with. prompts.yaml may replace them.
func builtinPrompts() map[string]*prompt {
	mk := func(id, ru, en, frag string) *prompt {
		p := &prompt{id: id, text: map[string]string{"ru": ru, "en": en}, builtin: true, used: true}
		if frag != "" {
			p.fragments = map[string][]string{"ru": {frag}, "en": {frag}}
		}
		return p
	}
	return map[string]*prompt{
		promptPosition: mk(promptPosition, "Ваш номер в очереди", "You are currently caller number", "queue-thereare"),
		promptWait:     mk(promptWait, "Примерное время ожидания", "The estimated hold time is currently", "queue-holdtime"),
		promptWaitOver: mk(promptWaitOver, "Время ожидания более", "The hold time is more than", ""),
	}
}

// Ids of the prompts that announcements begin with.
const (
	promptPosition = "queue_position"
	promptWait     = "queue_wait"
	promptWaitOver = "queue_wait_over"
)

// parsePrompts reads prompts.yaml into cat.
func parsePrompts(file string, data []byte, probs *[]Problem, cat map[string]*prompt) {
	r := &reader{file: file, probs: probs}
	root := r.parse(data)
	for _, e := range r.entries(root, "prompts") {
		if !idRe.MatchString(e.key) {
			r.err(e.k, "L002", "small letters, digits and _, a letter first", "prompt %q is not an id", e.key)
			continue
		}
		cat[e.key] = r.prompt(e)
	}
}

func (r *reader) prompt(e entry) *prompt {
	p := &prompt{id: e.key, at: r.pos(e.k), text: map[string]string{}, file: map[string]string{}, tts: map[string]bool{},
		hash: map[string]string{}, fragments: map[string][]string{}}
	for _, x := range r.entries(e.v, "prompt "+e.key) {
		switch x.key {
		case "audio":
			r.promptAudio(p, x.v)
		case "fragments":
			for _, y := range r.entries(x.v, "fragments") {
				for _, n := range r.list(y.v, "fragments") {
					s, ok := r.text(n, "fragment")
					if ok && (strings.Contains(s, "..") || strings.HasPrefix(s, "/") || s == "") {
						r.err(n, "L003", "like queue-thankyou or digits/1", "fragment %q is not a name below the folder of sounds", s)
						continue
					}
					p.fragments[y.key] = append(p.fragments[y.key], s)
				}
			}
		case "voice":
			p.voice, _ = r.text(x.v, "voice")
		case "note":
			if x.v.Kind == yaml.MappingNode {
				r.ltext(x.v, "note")
			} else {
				r.text(x.v, "note")
			}
		default:
			if x.key != allLangs && !langRe.MatchString(x.key) {
				r.unknown(x.k, "L003", "field", x.key, "prompt "+e.key, []string{"all", "audio", "fragments", "voice", "note"})
				continue
			}
			if t, ok := r.text(x.v, "text"); ok {
				p.text[x.key] = strings.TrimSpace(t)
			}
		}
	}
	return p
}

func (r *reader) promptAudio(p *prompt, n *yaml.Node) {
	for _, y := range r.entries(n, "audio") {
		if y.v.Kind == yaml.ScalarNode {
			if s, ok := r.text(y.v, "audio"); ok && s != "tts" {
				r.err(y.v, "L003", "tts or {file: ru/x.wav}", "audio %q is neither tts nor a file", s)
			}
			p.tts[y.key] = true
			continue
		}
		m := r.fields(y.v, "audio", "file", "text_hash")
		if f, ok := m["file"]; ok {
			s, _ := r.text(f.v, "file")
			if strings.Contains(s, "..") || strings.HasPrefix(s, "/") {
				r.err(f.v, "L003", "a path below prompts/audio", "file %q leaves prompts/audio", s)
				continue
			}
			p.file[y.key] = s
		}
		if h, ok := m["text_hash"]; ok {
			p.hash[y.key], _ = r.text(h.v, "text_hash")
		}
	}
}

// parseNouns reads say/nouns.yaml: countable nouns beside the built-in ones.
//
//	ticket: {ru: {gender: f, one: заявка, few: заявки, many: заявок, acc: заявку}, en: {one: ticket, other: tickets}}
func parseNouns(file string, data []byte, probs *[]Problem) say.Nouns {
	r := &reader{file: file, probs: probs}
	out := say.Nouns{}
	for _, e := range r.entries(r.parse(data), "nouns") {
		if !idRe.MatchString(e.key) {
			r.err(e.k, "L002", "", "noun %q is not an id", e.key)
			continue
		}
		var n say.Noun
		m := r.fields(e.v, "noun "+e.key, "ru", "en")
		str := func(f map[string]entry, name, what string, must bool) string {
			x, ok := f[name]
			if !ok {
				if must {
					r.err(e.v, "L003", "add "+name+":", "noun %s: no form %q", what, name)
				}
				return ""
			}
			s, _ := r.text(x.v, what)
			return s
		}
		if x, ok := m["ru"]; ok {
			f := r.fields(x.v, "ru", "gender", "one", "few", "many", "acc")
			g, err := say.ParseGender(str(f, "gender", e.key, true))
			if err != nil {
				r.err(x.v, "L003", "", "%v", err)
			}
			n.Gender = g
			n.NomSg, n.GenSg, n.GenPl = str(f, "one", e.key, true), str(f, "few", e.key, true), str(f, "many", e.key, true)
			n.AccSg = str(f, "acc", e.key, false)
		}
		if x, ok := m["en"]; ok {
			f := r.fields(x.v, "en", "one", "other")
			n.Sg, n.Pl = str(f, "one", e.key, true), str(f, "other", e.key, true)
		}
		out[e.key] = n
	}
	return out
}

// parseRoutes reads routes.yaml. Its positions come back beside the routes for later checks.
func parseRoutes(file string, data []byte, probs *[]Problem) ([]Route, []pos) {
	r := &reader{file: file, probs: probs}
	var out []Route
	var at []pos
	seen := map[string]bool{}
	for _, n := range r.list(r.parse(data), "routes") {
		m := r.fields(n, "a route", "number", "flow", "queue", "fallback_queue", "max_calls", "lang", "canary")
		var rt Route
		str := func(name string, read func(*yaml.Node, string) (string, bool)) string {
			e, ok := m[name]
			if !ok {
				return ""
			}
			s, _ := read(e.v, name)
			return s
		}
		rt.Number, rt.Flow, rt.Queue = str("number", r.text), str("flow", r.id), str("queue", r.id)
		rt.FallbackQueue, rt.Lang = str("fallback_queue", r.id), str("lang", r.language)
		if e, ok := m["max_calls"]; ok {
			rt.MaxCalls, _ = r.number(e.v, "max_calls", 1, 100_000)
		}
		if e, ok := m["canary"]; ok {
			r.err(e.k, "L014", "remove it", "canary is not available in this version")
		}
		switch {
		case rt.Number == "":
			r.err(n, "L003", `add number: "100"`, "a route has no number")
			continue
		case seen[rt.Number]:
			r.err(n, "L004", "remove one", "the number %s is routed twice", rt.Number)
			continue
		case (rt.Flow == "") == (rt.Queue == ""):
			if m["flow"].v == nil || m["queue"].v == nil {
				r.err(n, "L003", "flow: id for a menu, queue: id for none", "the route of %s has neither flow nor queue", rt.Number)
			}
			if rt.Flow != "" {
				r.err(n, "L003", "keep one", "the route of %s has both flow and queue", rt.Number)
			}
			continue
		}
		seen[rt.Number] = true
		out = append(out, rt)
		at = append(at, r.pos(n))
	}
	return out, at
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
