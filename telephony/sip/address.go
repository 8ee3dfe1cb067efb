package sip

import (
	"net/netip"
	"strings"

	gosip "github.com/emiago/sipgo/sip"
)

// uriKind is what we make of a URI.
type uriKind uint8

const (
	uriBad   uriKind = iota // not a URI, or one whose scheme we know with a wrong inside
	uriOther                // well-formed, of a scheme we do not serve
	uriSIP                  // sip or sips
	uriTel                  // tel
)

// checkURI judges a URI strictly (RFC 3261 19.1.1, 25.1; RFC 5118 for IPv6). It allocates nothing.
func checkURI(s string) uriKind {
	scheme, rest, ok := strings.Cut(s, ":")
	if !ok || scheme == "" || class[scheme[0]]&isToken == 0 || isDigitByte(scheme[0]) {
		return uriBad
	}
	for i := range len(scheme) {
		c := scheme[i]
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || isDigitByte(c) || c == '+' || c == '-' || c == '.') {
			return uriBad
		}
	}
	switch {
	case strings.EqualFold(scheme, "sip"), strings.EqualFold(scheme, "sips"):
		if checkSIPURI(rest) {
			return uriSIP
		}
		return uriBad
	case strings.EqualFold(scheme, "tel"):
		if checkTel(rest) {
			return uriTel
		}
		return uriBad
	}
	for i := range len(rest) {
		if c := rest[i]; c <= ' ' || c >= 0x7F || c == '<' || c == '>' || c == '"' {
			return uriBad
		}
	}
	if rest == "" {
		return uriBad
	}
	return uriOther
}

func isDigitByte(c byte) bool { return c >= '0' && c <= '9' }

// checkTel accepts what RFC 3966 calls telephone-subscriber, loosely.
func checkTel(s string) bool {
	num, rest, _ := strings.Cut(s, ";")
	if num == "" {
		return false
	}
	for i := range len(num) {
		c := num[i]
		if !isHex(c) && c != '*' && c != '#' && c != '-' && c != '.' && c != '(' && c != ')' && !(c == '+' && i == 0) {
			return false
		}
	}
	return escaped(strings.NewReplacer(";", "", "=", "").Replace(rest), isParam|isToken)
}

func checkSIPURI(s string) bool {
	if at := strings.IndexByte(s, '@'); at >= 0 {
		user, pass, _ := strings.Cut(s[:at], ":")
		if user == "" || !escaped(user, isUser) || !escaped(strings.ReplaceAll(pass, ":", ""), isUser) {
			return false
		}
		s = s[at+1:]
	}
	s, headers, hasHeaders := strings.Cut(s, "?")
	hostport, rest, hasParams := strings.Cut(s, ";")
	if !checkHostPort(hostport) {
		return false
	}
	if hasParams {
		for p := range strings.SplitSeq(rest, ";") {
			name, value, has := strings.Cut(p, "=")
			if name == "" || !escaped(name, isParam) || !escaped(value, isParam) || has && value == "" {
				return false
			}
		}
	}
	if hasHeaders {
		for h := range strings.SplitSeq(headers, "&") {
			name, value, has := strings.Cut(h, "=")
			if name == "" || !has || !escaped(name, isParam|isUser) || !escaped(value, isParam|isUser) {
				return false
			}
		}
	}
	return true
}

// checkHostPort judges host[:port], the host being a name, an IPv4 address or a bracketed IPv6 address.
func checkHostPort(s string) bool {
	var host, port string
	var hasPort bool
	if strings.HasPrefix(s, "[") {
		end := strings.IndexByte(s, ']')
		if end < 0 {
			return false
		}
		if _, ok := parseIPv6(s[1:end]); !ok {
			return false
		}
		if s = s[end+1:]; s != "" {
			if s[0] != ':' {
				return false
			}
			port, hasPort = s[1:], true
		}
	} else {
		host, port, hasPort = strings.Cut(s, ":")
		if !all(host, isHostChar) || len(host) > 255 {
			return false
		}
	}
	if !hasPort {
		return true
	}
	n, ok := number(port, 65535)
	return ok && n > 0
}

// parseIPv6 reads an IPv6 address without brackets. The grammar of RFC 3261 let three colons stand before an embedded
// IPv4 address; RFC 5118 4.10 wants that tolerated.
func parseIPv6(s string) (netip.Addr, bool) {
	if strings.Count(s, ":::") == 1 && strings.Contains(s, ".") {
		s = strings.Replace(s, ":::", "::", 1)
	}
	ip, err := netip.ParseAddr(s)
	return ip, err == nil && ip.Is6() && ip.Zone() == ""
}

// parseHost reads an IP address as it stands in a URI or Via. Names give false.
func parseHost(s string) (netip.Addr, bool) {
	if len(s) > 1 && s[0] == '[' && s[len(s)-1] == ']' {
		ip, ok := parseIPv6(s[1 : len(s)-1])
		return ip.Unmap(), ok
	}
	ip, err := netip.ParseAddr(s)
	return ip.Unmap(), err == nil
}

// address is a name-addr or addr-spec with its header parameters: From, To, Contact, Route and their like.
type address struct {
	display string // without quotes and escapes
	uri     string // as it stood, checked by checkURI
	kind    uriKind
	bracket bool // the URI stood in <>
	params  params
}

func (a address) tag() string { t, _ := a.params.get("tag"); return t }

// parsed gives the URI as sipgo's type. The URI was checked before, so an error only says that sipgo reads less than we.
func (a address) parsed() (gosip.Uri, error) {
	var u gosip.Uri
	err := gosip.ParseUri(a.uri, &u)
	return u, err
}

// readAddress reads one element strictly. False: it is malformed.
func readAddress(s string) (address, bool) {
	var a address
	s = trim(s)
	var open int
	rest := s
	if n := quoted(s); n > 0 {
		a.display = unquote(s[:n])
		rest = trim(s[n:])
		if !strings.HasPrefix(rest, "<") {
			return a, false
		}
		open = 0
	} else if strings.HasPrefix(s, `"`) {
		return a, false
	} else if open = strings.IndexByte(s, '<'); open >= 0 {
		name := trim(s[:open])
		for w := range strings.FieldsSeq(name) {
			if !displayToken(w) {
				return a, false
			}
		}
		a.display = name
		rest = s[open:]
	}
	var list []string
	if open >= 0 {
		end := strings.IndexByte(rest, '>')
		if end < 0 {
			return a, false
		}
		a.uri, a.bracket = rest[1:end], true
		rest = trim(rest[end+1:])
		if rest != "" {
			if rest[0] != ';' {
				return a, false
			}
			var ok bool
			if list, ok = cut(rest[1:], ';'); !ok {
				return a, false
			}
		}
	} else {
		parts, ok := cut(s, ';')
		if !ok {
			return a, false
		}
		a.uri, list = parts[0], parts[1:]
		// RFC 3261 20: a URI with comma, question mark or semicolon must stand in brackets.
		if strings.ContainsAny(a.uri, ",?") {
			return a, false
		}
	}
	if a.kind = checkURI(a.uri); a.kind == uriBad {
		return a, false
	}
	var ok bool
	a.params, ok = readParams(list)
	return a, ok
}

// displayToken accepts tokens and, since many devices send names unquoted, UTF-8.
func displayToken(w string) bool {
	for i := range len(w) {
		if c := w[i]; class[c]&isToken == 0 && c < 0x80 {
			return false
		}
	}
	return true
}

// readAddresses reads a list, as in Contact or Record-Route.
func readAddresses(value string) ([]address, bool) {
	parts, ok := cut(value, ',')
	if !ok {
		return nil, false
	}
	out := make([]address, 0, len(parts))
	for _, p := range parts {
		a, ok := readAddress(p)
		if !ok {
			return nil, false
		}
		out = append(out, a)
	}
	return out, true
}

// via is one Via value.
type via struct {
	text      string // canonical: SIP/2.0/UDP host:port;params
	transport string // upper case
	host      string
	port      int // 0: none given
	params    params
}

func (v via) branch() string { b, _ := v.params.get("branch"); return b }

// readVia reads one element: SIP / 2.0 / UDP host [: port] *(; param), with white space around every separator.
func readVia(s string) (via, bool) {
	var v via
	parts, ok := cut(s, ';')
	if !ok {
		return v, false
	}
	name, rest, ok1 := strings.Cut(parts[0], "/")
	version, rest, ok2 := strings.Cut(rest, "/")
	if !ok1 || !ok2 || !strings.EqualFold(trim(name), "SIP") || trim(version) != "2.0" {
		return v, false
	}
	rest = trim(rest)
	end := strings.IndexAny(rest, " \t")
	if end <= 0 || !all(rest[:end], isToken) {
		return v, false
	}
	v.transport = strings.ToUpper(rest[:end])
	sentBy := strings.Map(dropSpace, rest[end:])
	// White space may only stand around the colon of the port.
	for i, w := range strings.Fields(rest[end:]) {
		if i > 0 && !strings.HasPrefix(w, ":") && !strings.HasSuffix(strings.Fields(rest[end:])[i-1], ":") {
			return v, false
		}
	}
	if !checkHostPort(sentBy) {
		return v, false
	}
	v.host = sentBy
	if i := strings.LastIndexByte(sentBy, ':'); i >= 0 && !strings.HasSuffix(sentBy, "]") {
		n, _ := number(sentBy[i+1:], 65535)
		v.host, v.port = sentBy[:i], int(n)
	}
	if v.params, ok = readParams(parts[1:]); !ok {
		return v, false
	}
	var b strings.Builder
	b.WriteString("SIP/2.0/")
	b.WriteString(v.transport)
	b.WriteByte(' ')
	b.WriteString(sentBy)
	for _, p := range v.params {
		b.WriteByte(';')
		b.WriteString(p.name)
		if p.value != "" {
			b.WriteByte('=')
			b.WriteString(p.value)
		}
	}
	v.text = b.String()
	return v, true
}

func dropSpace(r rune) rune {
	if r == ' ' || r == '\t' {
		return -1
	}
	return r
}
