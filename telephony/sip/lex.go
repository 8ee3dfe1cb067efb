package sip

import "strings"

// Character classes of RFC 3261 25.1, as a table of bits.
const (
	isToken    = 1 << iota // token
	isUser                 // user part: unreserved and user-unreserved, '%' checked apart
	isParam                // uri parameter characters: unreserved and param-unreserved
	isHostChar             // hostname
	isWord                 // Call-ID
	isDigit
)

var class [256]uint8

func init() {
	set := func(s string, bits uint8) {
		for i := range len(s) {
			class[s[i]] |= bits
		}
	}
	const alnum = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	const mark = "-_.!~*'()"
	set(alnum, isToken|isUser|isParam|isHostChar|isWord)
	set("0123456789", isDigit)
	set("-.!%*_+`'~", isToken|isWord)
	set(mark+"&=+$,;?/", isUser)
	// '#' is not allowed there, yet real PBXs dial feature codes with it, unescaped.
	set("#", isUser)
	set(mark+"[]/:&+$", isParam)
	set("-._", isHostChar)
	set("()<>:\\\"/[]?{}@", isWord)
}

// all reports whether s is not empty and only has characters of the class.
func all(s string, bits uint8) bool {
	for i := range len(s) {
		if class[s[i]]&bits == 0 {
			return false
		}
	}
	return s != ""
}

// escaped reports whether s only has characters of the class or whole %HH escapes. May be empty.
func escaped(s string, bits uint8) bool {
	for i := 0; i < len(s); i++ {
		if s[i] == '%' {
			if i+2 >= len(s) || !isHex(s[i+1]) || !isHex(s[i+2]) {
				return false
			}
			i += 2
			continue
		}
		if class[s[i]]&bits == 0 {
			return false
		}
	}
	return true
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}

func trim(s string) string { return strings.Trim(s, " \t") }

// number reads 1*DIGIT not above limit. Leading zeros are fine, however many (RFC 4475 3.1.1.1).
func number(s string, limit uint64) (uint64, bool) {
	if !all(s, isDigit) {
		return 0, false
	}
	var n uint64
	for i := range len(s) {
		n = n*10 + uint64(s[i]-'0')
		if n > limit {
			return 0, false
		}
	}
	return n, true
}

// quoted reads a quoted-string at the start of s and gives its length in s, quotes included. Not one: 0.
// quoted-pair = "\" (%x00-09 / %x0B-0C / %x0E-7F).
func quoted(s string) int {
	if s == "" || s[0] != '"' {
		return 0
	}
	for i := 1; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			return i + 1
		case c == '\\':
			i++
			if i >= len(s) || s[i] == '\n' || s[i] == '\r' || s[i] >= 0x80 {
				return 0
			}
		case c < ' ' && c != '\t' || c == 0x7F:
			return 0
		}
	}
	return 0
}

// unquote takes the quotes and escapes off a quoted-string; anything else is returned as it is.
func unquote(s string) string {
	if quoted(s) != len(s) || s == "" {
		return s
	}
	s = s[1 : len(s)-1]
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' {
			i++
		}
		b = append(b, s[i])
	}
	return string(b)
}

// cut splits a field value at top-level separators, that is outside quoted strings and angle brackets. False: a quote
// or bracket stays open.
func cut(s string, sep byte) ([]string, bool) {
	var parts []string
	start, bracket := 0, false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"' && !bracket:
			n := quoted(s[i:])
			if n == 0 {
				return nil, false
			}
			i += n - 1
		case c == '<':
			if bracket {
				return nil, false
			}
			bracket = true
		case c == '>':
			if !bracket {
				return nil, false
			}
			bracket = false
		case c == sep && !bracket:
			parts = append(parts, trim(s[start:i]))
			start = i + 1
		}
	}
	return append(parts, trim(s[start:])), !bracket
}

// param is one ;name=value; value keeps its quotes. hasValue tells "name=" (refused) from "name".
type param struct{ name, value string }

type params []param

// get finds a parameter, whatever its case. The value comes without quotes.
func (p params) get(name string) (string, bool) {
	for i := range p {
		if strings.EqualFold(p[i].name, name) {
			return unquote(p[i].value), true
		}
	}
	return "", false
}

// readParams reads generic-params: ;a ;b=token ;c="text". An empty one is an error (RFC 4475 3.1.2.1). The values may
// hold any of the characters hosts need, so that received=2001:db8::1 is taken with or without brackets (RFC 5118 4.5).
func readParams(list []string) (params, bool) {
	var out params
	for _, s := range list {
		name, value, has := strings.Cut(s, "=")
		name, value = trim(name), trim(value)
		if !all(name, isToken) || has && value == "" {
			return nil, false
		}
		if has && quoted(value) != len(value) {
			for i := range len(value) {
				if c := value[i]; class[c]&isToken == 0 && c != '[' && c != ']' && c != ':' && c < 0x80 {
					return nil, false
				}
			}
		}
		if len(out) > 64 {
			return nil, false
		}
		out = append(out, param{name, value})
	}
	return out, true
}
