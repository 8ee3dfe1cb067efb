package tickets

import (
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/nyaruka/phonenumbers"
)

// DialPlan is how numbers of one trunk (or of the people at their keyboards) are to be read.
type DialPlan struct {
	Region    string // ISO 3166; the default region is a property of the trunk, not of the code
	AreaCode  string // put before local numbers (N6)
	BareCodes bool   // country codes come without a plus (N5)
	// Extension reports whether the digits are one of our own extensions (N3). nil: only the length decides.
	Extension func(digits string) bool
}

// Number is a telephone number after normalising.
type Number struct {
	Rules    []string // rows that spoke, in order: N2 N4 N8
	Raw      string   // as it came, trimmed
	E164     string   // with '+'; empty unless N4, N5 or N6
	Ext      string   // extension behind E164, or the internal extension itself (N3)
	Alt      []string // other spellings of the same subscriber (N8)
	Withheld bool     // N1
	Internal bool     // N3
}

// Rule is the list of rows that spoke, as it is stored and shown: "N2 N4".
func (n Number) Rule() string { return strings.Join(n.Rules, " ") }

// Key is what missed calls and callbacks of one number are collected by: E.164, else the exact raw text (N7). Empty
// for withheld and internal numbers, which are no key.
func (n Number) Key() string {
	switch {
	case n.Withheld || n.Internal:
		return ""
	case n.E164 != "":
		return n.E164
	}
	return "raw:" + n.Raw
}

// withheldWords are the user parts that say "no number" (N1).
var withheldWords = []string{"", "anonymous", "unknown", "restricted", "private", "unavailable", "withheld", "asterisk"}

// maxRaw bounds what is kept of a number nobody can read; signalling may carry anything.
const maxRaw = 64

// ParseNumber normalises a number by rows N1 to N8. It never fails: what cannot be read is kept raw (N7).
func ParseNumber(raw string, plan DialPlan) Number {
	n := Number{Raw: clip(strings.TrimSpace(raw), maxRaw)}
	s := strings.TrimSpace(clip(raw, 256))
	if isWithheld(s) {
		return n.with("N1", func(n *Number) { n.Withheld = true })
	}
	if user, ext, ok := uriUser(s); ok { // N2, then go on
		n.Rules = append(n.Rules, "N2")
		n.Raw, n.Ext, s = clip(user, maxRaw), ext, user
		if isWithheld(s) {
			return n.with("N1", func(n *Number) { n.Withheld = true })
		}
	}
	digits, plain := plainDigits(s)
	if plain && (len(digits) >= 2 && len(digits) <= 6 || plan.Extension != nil && plan.Extension(digits)) {
		return n.with("N3", func(n *Number) { n.Internal, n.Ext = true, digits })
	}
	if e164, ext, ok := parseValid(s, plan.Region); ok {
		return n.asE164("N4", e164, ext)
	}
	if fixed, ok := oldSpelling(s, plan.Region); ok { // valid but for a digit that regulators moved: N4 and N8 together
		return n.asE164("N4", fixed, "")
	}
	if plan.BareCodes && plain {
		if e164, ext, ok := parseValid("+"+digits, ""); ok {
			return n.asE164("N5", e164, ext)
		}
	}
	if plan.AreaCode != "" && plain {
		if e164, ext, ok := parseValid(plan.AreaCode+digits, plan.Region); ok {
			return n.asE164("N6", e164, ext)
		}
	}
	return n.with("N7", func(n *Number) { n.Ext = "" })
}

func (n Number) with(rule string, set func(*Number)) Number {
	n.Rules = append(n.Rules, rule)
	set(&n)
	return n
}

func (n Number) asE164(rule, e164, ext string) Number {
	n.Rules = append(n.Rules, rule)
	n.E164 = e164
	if ext != "" {
		n.Ext = ext
	}
	if n.Alt = altSpellings(e164); len(n.Alt) > 0 {
		n.Rules = append(n.Rules, "N8")
	}
	return n
}

func isWithheld(s string) bool { return slices.Contains(withheldWords, strings.ToLower(s)) }

// uriUser takes the user part out of a SIP or tel URI (N2), with or without angle brackets. Parameters are cut; the
// extension of a tel URI (RFC 3966, ;ext=) is kept.
func uriUser(s string) (user, ext string, ok bool) {
	if i, j := strings.IndexByte(s, '<'), strings.LastIndexByte(s, '>'); i >= 0 && j > i {
		s = s[i+1 : j]
	}
	scheme, rest, found := strings.Cut(s, ":")
	if !found || !slices.Contains([]string{"sip", "sips", "tel"}, strings.ToLower(scheme)) {
		return "", "", false
	}
	if at := strings.LastIndexByte(rest, '@'); at >= 0 {
		rest = rest[:at]
	} else if !strings.EqualFold(scheme, "tel") {
		return "", "", true // a SIP URI without a user part names a host: nobody
	}
	rest, params, _ := strings.Cut(rest, ";")
	rest, _, _ = strings.Cut(rest, ":") // user:password
	for p := range strings.SplitSeq(params, ";") {
		if k, v, _ := strings.Cut(p, "="); strings.EqualFold(k, "ext") {
			ext, _ = plainDigits(v)
		}
	}
	if u, err := url.PathUnescape(rest); err == nil {
		rest = u
	}
	return strings.TrimSpace(strings.ToValidUTF8(rest, "")), ext, true
}

// plainDigits reads a number without a plus and without letters; ok is false when anything but digits and the usual
// separators stands in it.
func plainDigits(s string) (digits string, ok bool) {
	var b strings.Builder
	for _, r := range s {
		if d, is := digitValue(r); is {
			b.WriteByte(d)
		} else if !unicode.IsSpace(r) && !unicode.Is(unicode.Pd, r) && !strings.ContainsRune("()./", r) {
			return b.String(), false
		}
	}
	return b.String(), b.Len() > 0
}

// parseValid asks the library and believes only valid numbers: it happily parses extensions and emergency numbers.
func parseValid(s, region string) (e164, ext string, ok bool) {
	p, err := phonenumbers.Parse(plainBlanks(s), region)
	if err != nil || !phonenumbers.IsValidNumber(p) {
		return "", "", false
	}
	e164 = phonenumbers.Format(p, phonenumbers.E164)
	if len(e164) < 8 || len(e164) > 16 { // what the column takes
		return "", "", false
	}
	return e164, p.GetExtension(), true
}

// plainBlanks writes every blank and hyphen as the ASCII one: the library knows only some of them.
func plainBlanks(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case unicode.Is(unicode.Pd, r) && r != '~' && r != '〜' && r != '～':
			return '-'
		}
		return r
	}, s)
}

// oldSpelling reads numbers that were valid before a regulator added or took a digit: Brazilian mobiles without the
// ninth digit, Mexican mobiles with the 1 that went away in 2019.
func oldSpelling(s, region string) (string, bool) {
	p, err := phonenumbers.Parse(plainBlanks(s), region)
	if err != nil {
		return "", false
	}
	e164 := phonenumbers.Format(p, phonenumbers.E164)
	var fixed string
	switch {
	case strings.HasPrefix(e164, "+55") && len(e164) == 13 && e164[5] >= '6':
		fixed = e164[:5] + "9" + e164[5:]
	case strings.HasPrefix(e164, "+521") && len(e164) == 14:
		fixed = "+52" + e164[4:]
	default:
		return "", false
	}
	v, _, ok := parseValid(fixed, "")
	return v, ok
}

// altSpellings are other spellings of the same subscriber (N8): ninth digit of Brazilian mobiles, the 9 and the 1 that
// Argentinian and Mexican mobiles carry or lose on the way.
func altSpellings(e164 string) []string {
	switch {
	case strings.HasPrefix(e164, "+55") && len(e164) == 14 && e164[5] == '9' && e164[6] >= '6':
		return []string{e164[:5] + e164[6:]}
	case strings.HasPrefix(e164, "+549") && len(e164) == 14:
		return []string{"+54" + e164[4:]}
	case strings.HasPrefix(e164, "+52") && len(e164) == 13:
		return []string{"+521" + e164[3:]}
	}
	return nil
}

// clip cuts s to at most n bytes at a character boundary, and drops what is no UTF-8 or NUL: PostgreSQL refuses both.
func clip(s string, n int) string {
	s = strings.ReplaceAll(strings.ToValidUTF8(s, ""), "\x00", "")
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// partyNumber normalises the caller of a call. Signalling has already judged Privacy and assertions (N1); a diverted
// call (N9) keeps the original caller, the diverting numbers stay with the call.
func partyNumber(p CallParty, plan DialPlan) Number {
	if p.Withheld || p.Trust == "" || p.Trust == TrustWithheld {
		return Number{Rules: []string{"N1"}, Withheld: true}
	}
	n := ParseNumber(p.Raw, plan)
	if len(p.Diversion) > 0 {
		n.Rules = append([]string{"N9"}, n.Rules...)
	}
	return n
}

// cutRaw gives the number inside a key, and whether it was kept raw (N7).
func cutRaw(key string) (string, bool) { return strings.CutPrefix(key, "raw:") }
