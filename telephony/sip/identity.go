package sip

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"hotline/telephony"
)

// Bounds on text taken from a caller.
const (
	maxNumber  = 64
	maxDisplay = 128
)

// unescape resolves %HH. Escapes that would give a control character or broken UTF-8 stay as they are.
func unescape(s string) string {
	if strings.IndexByte(s, '%') < 0 {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) && isHex(s[i+1]) && isHex(s[i+2]) {
			if c := unhex(s[i+1])<<4 | unhex(s[i+2]); c >= ' ' && c != 0x7F {
				b = append(b, c)
				i += 2
				continue
			}
		}
		b = append(b, s[i])
	}
	if !utf8.Valid(b) {
		return s
	}
	return string(b)
}

func unhex(c byte) byte {
	switch {
	case c <= '9':
		return c - '0'
	case c <= 'F':
		return c - 'A' + 10
	}
	return c - 'a' + 10
}

// userPart gives the number or name an address stands for: the user of a sip: URI without its parameters, the number
// of a tel: URI; unescaped. False: it has none.
func userPart(a address) (string, bool) {
	_, rest, _ := strings.Cut(a.uri, ":")
	switch a.kind {
	case uriSIP:
		at := strings.IndexByte(rest, '@')
		if at < 0 {
			return "", false
		}
		rest = rest[:at]
		if i := strings.IndexByte(rest, ':'); i >= 0 {
			rest = rest[:i]
		}
	case uriTel:
	default:
		return "", false
	}
	if i := strings.IndexByte(rest, ';'); i >= 0 {
		rest = rest[:i]
	}
	user := clean(unescape(rest), maxNumber)
	return user, user != ""
}

// hostPart gives the host of a sip: URI in lower case, without port.
func hostPart(a address) string {
	u, err := a.parsed()
	if err != nil {
		return ""
	}
	return strings.ToLower(u.Host)
}

// clean keeps printable text and cuts it to limit bytes, never inside a character.
func clean(s string, limit int) string {
	s = strings.ToValidUTF8(s, "")
	s = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return -1
	}, s)
	for len(s) > limit {
		_, n := utf8.DecodeLastRuneInString(s)
		s = s[:len(s)-n]
	}
	return strings.TrimSpace(s)
}

// anonymousUsers are the spellings by which networks say that a number is withheld.
var anonymousUsers = map[string]bool{
	"anonymous": true, "unavailable": true, "restricted": true, "private": true, "withheld": true, "unknown": true,
	"anonymus": true, "invalid": true, "blocked": true,
}

// identity reads who calls. Only a trunk we trust for it makes the number asserted, and then P-Asserted-Identity
// (RFC 3325) goes before Remote-Party-ID, and that before From. A caller who asks for privacy gets it from everybody.
func identity(m *message, asserts bool) telephony.Identity {
	from := claim(m.from, "from", telephony.TrustClaimed)
	private := anonymous(m.from) || privacy(m)
	if !asserts {
		if private {
			return withheld()
		}
		return from
	}
	id, source := m.from, "from"
	if m.has("P-Asserted-Identity") {
		a, ok := firstNumber(m.list("P-Asserted-Identity"))
		if !ok { // unreadable: then nothing is asserted
			return identity(m, false)
		}
		id, source = a, "p-asserted-identity"
	} else if m.has("Remote-Party-ID") {
		a, ok := firstNumber(m.list("Remote-Party-ID"))
		if !ok || !ofCaller(a) {
			return identity(m, false)
		}
		id, source = a, "remote-party-id"
		if p, ok := a.params.get("privacy"); ok && !strings.EqualFold(p, "off") && !strings.EqualFold(p, "none") {
			private = true
		}
	}
	if private || anonymous(id) {
		return withheld()
	}
	out := claim(id, source, telephony.TrustAsserted)
	if out.DisplayName == "" {
		out.DisplayName = from.DisplayName
	}
	return out
}

func withheld() telephony.Identity {
	return telephony.Identity{Source: "none", Trust: telephony.TrustWithheld}
}

func claim(a address, source string, trust telephony.Trust) telephony.Identity {
	user, ok := userPart(a)
	if !ok {
		return withheld()
	}
	return telephony.Identity{Value: user, DisplayName: clean(a.display, maxDisplay), Source: source, Trust: trust}
}

// firstNumber takes the first sip: or tel: address with a user; sip goes first as it came.
func firstNumber(values []string) (address, bool) {
	for _, v := range values {
		a, ok := readAddress(v)
		if !ok {
			return address{}, false // a field we cannot read is not believed at all
		}
		if _, ok := userPart(a); ok {
			return a, true
		}
	}
	return address{}, false
}

// ofCaller reports whether a Remote-Party-ID speaks of the caller.
func ofCaller(a address) bool {
	p, ok := a.params.get("party")
	return !ok || strings.EqualFold(p, "calling")
}

func anonymous(a address) bool {
	user, ok := userPart(a)
	return !ok || anonymousUsers[strings.ToLower(user)] || hostPart(a) == "anonymous.invalid"
}

// privacy reports whether the caller asked not to show the number (RFC 3323, RFC 3325 9.3).
func privacy(m *message) bool {
	for _, v := range m.list("Privacy") {
		for p := range strings.SplitSeq(v, ";") {
			switch strings.ToLower(trim(p)) {
			case "id", "user", "header":
				return true
			}
		}
	}
	return false
}

// diversions lists the numbers that forwarded the call, newest first (RFC 5806). At most 8; text, not trusted.
func diversions(m *message) []string {
	var out []string
	for _, v := range m.list("Diversion") {
		if a, ok := readAddress(v); ok && len(out) < 8 {
			if user, ok := userPart(a); ok {
				out = append(out, user)
			}
		}
	}
	return out
}
