package sip

import (
	"bytes"
	"strings"
)

// Bounds on what we read. The longest message of RFC 4475 has 3 515 bytes.
const (
	maxMessage = 65535
	maxHeader  = 32 << 10
	maxFields  = 256
	maxURI     = 2048
	maxBody    = 16 << 10
)

// field is one header field: the long name in its usual spelling, the value unfolded and trimmed.
type field struct{ name, value string }

// message is one SIP message as it came, read by our own rules. Only what has passed check is shown to the application.
type message struct {
	method  string // request: the method; response: the method of CSeq
	uri     string // request only
	status  int    // 0 for a request
	reason  string
	version string
	fields  []field
	body    []byte

	// Filled by check.
	vias       []via
	from, to   address
	callID     string
	cseq       uint32
	cseqMethod string
	target     address   // request: the request URI
	contacts   []address // parsed Contact; nil: none or "*"
	star       bool      // Contact: *

	lengths int // how many Content-Length fields there were
}

func (m *message) request() bool { return m.status == 0 }

// get returns the first value of a field by its usual long name.
func (m *message) get(name string) string {
	for i := range m.fields {
		if m.fields[i].name == name {
			return m.fields[i].value
		}
	}
	return ""
}

func (m *message) has(name string) bool {
	for i := range m.fields {
		if m.fields[i].name == name {
			return true
		}
	}
	return false
}

// list returns all values of a comma-separated field, in order.
func (m *message) list(name string) []string {
	var out []string
	for i := range m.fields {
		if m.fields[i].name != name {
			continue
		}
		parts, ok := cut(m.fields[i].value, ',')
		if !ok {
			continue
		}
		for _, p := range parts {
			if p != "" {
				out = append(out, p)
			}
		}
	}
	return out
}

// lists reports whether a comma-separated field of tokens names the token, whatever its case.
func (m *message) lists(name, token string) bool {
	for _, v := range m.list(name) {
		if strings.EqualFold(v, token) {
			return true
		}
	}
	return false
}

// longNames maps lower-case names, compact forms included, to the spelling used inside.
var longNames = map[string]string{
	"i": "Call-ID", "m": "Contact", "e": "Content-Encoding", "l": "Content-Length", "c": "Content-Type", "f": "From",
	"s": "Subject", "k": "Supported", "t": "To", "v": "Via", "x": "Session-Expires", "r": "Refer-To", "b": "Referred-By",
	"o": "Event", "u": "Allow-Events", "a": "Accept-Contact", "j": "Reject-Contact", "d": "Request-Disposition",
	"y": "Identity", "n": "Identity-Info",
}

func init() {
	for _, n := range []string{
		"Accept", "Allow", "Authorization", "Call-ID", "Contact", "Content-Disposition", "Content-Encoding",
		"Content-Length", "Content-Type", "CSeq", "Date", "Diversion", "Expires", "From", "Max-Forwards", "Min-SE",
		"P-Asserted-Identity", "P-Preferred-Identity", "Privacy", "Proxy-Authenticate", "Proxy-Authorization",
		"Proxy-Require", "Reason", "Record-Route", "Remote-Party-ID", "Require", "Retry-After", "Route",
		"Session-Expires", "Supported", "To", "Unsupported", "User-Agent", "Server", "Via", "WWW-Authenticate",
	} {
		longNames[strings.ToLower(n)] = n
	}
}

// once are fields that may stand only once in a message (RFC 3261 7.3.1; RFC 4475 3.3.8).
var once = map[string]bool{
	"From": true, "To": true, "Call-ID": true, "CSeq": true, "Max-Forwards": true, "Content-Length": true,
	"Content-Type": true, "Expires": true, "Session-Expires": true, "Min-SE": true, "Content-Disposition": true,
}

// refusal says what is wrong with a message. code 0: nothing can or may be answered; it is dropped.
type refusal struct {
	code   int
	reason string  // reason phrase
	why    string  // metric label, from the list in metrics.go
	extra  []field // fields of the answer that say how to do better
}

func bad(reason string) *refusal { return &refusal{code: 400, reason: reason, why: "malformed"} }

var junk = &refusal{why: "junk"}

// splitHeader finds the end of the header section: the index of the body, or -1.
func splitHeader(data []byte) int {
	if i := bytes.Index(data, []byte("\r\n\r\n")); i >= 0 {
		return i + 4
	}
	return -1
}

// scan reads start line and fields, and no meaning. m is never nil unless the refusal is junk: what could be read is
// there, so that an answer can name the request. bodyAt is where the body starts.
func scan(data []byte) (m *message, bodyAt int, r *refusal) {
	end := splitHeader(data)
	head := data
	if end >= 0 {
		head = data[:end-2]
	}
	if len(head) > maxHeader {
		head, r = head[:maxHeader], &refusal{code: 513, reason: "Message Too Large", why: "too_large"}
	}
	lineEnd := bytes.Index(head, []byte("\r\n"))
	if lineEnd < 0 {
		return nil, 0, junk
	}
	m, lr := startLine(string(head[:lineEnd]))
	if m == nil {
		return nil, 0, junk
	}
	r = first(r, lr)
	if end < 0 {
		r, end = first(r, bad("No End Of Header")), len(data)
	}
	return m, end, first(r, m.scanFields(string(head[lineEnd+2:])))
}

// first keeps the objection found first.
func first(a, b *refusal) *refusal {
	if a != nil {
		return a
	}
	return b
}

// startLine reads a request or status line. nil: this is not SIP at all.
func startLine(line string) (*message, *refusal) {
	if len(line) >= 4 && strings.EqualFold(line[:4], "SIP/") {
		version, rest, _ := strings.Cut(line, " ")
		code, reason, _ := strings.Cut(rest, " ")
		n, ok := number(code, 699)
		if !ok || len(code) != 3 || n < 100 || !strings.EqualFold(version, "SIP/2.0") {
			return nil, junk
		}
		return &message{status: int(n), reason: reason, version: version}, nil
	}
	trimmed := strings.TrimRight(line, " \t")
	i := strings.LastIndexByte(trimmed, ' ')
	if i < 0 || !isVersion(trimmed[i+1:]) {
		return nil, junk
	}
	method, _, _ := strings.Cut(line, " ")
	if !all(method, isToken) || len(method) > 64 {
		return nil, junk
	}
	m := &message{method: method, version: trimmed[i+1:]}
	if len(method)+1 > i {
		return m, bad("Bad Request-Line")
	}
	m.uri = line[len(method)+1 : i]
	switch {
	case !strings.EqualFold(m.version, "SIP/2.0"):
		return m, &refusal{code: 505, reason: "Version Not Supported", why: "version"}
	case trimmed != line, m.uri == "", strings.ContainsAny(m.uri, " \t<>\""):
		return m, bad("Bad Request-Line")
	case len(m.uri) > maxURI:
		return m, &refusal{code: 414, reason: "Request-URI Too Long", why: "too_large"}
	}
	return m, nil
}

func isVersion(s string) bool {
	if len(s) < 5 || !strings.EqualFold(s[:4], "SIP/") {
		return false
	}
	major, minor, ok := strings.Cut(s[4:], ".")
	return ok && all(major, isDigit) && all(minor, isDigit)
}

// scanFields splits the header section into fields, unfolding lines.
func (m *message) scanFields(s string) (r *refusal) {
	seen := map[string]bool{}
	for s != "" {
		line, rest, _ := strings.Cut(s, "\r\n")
		if rest != "" && (rest[0] == ' ' || rest[0] == '\t') {
			line, rest = unfold(line, rest)
		}
		s = rest
		name, value, ok := strings.Cut(line, ":")
		name = strings.TrimRight(name, " \t")
		if !ok || !all(name, isToken) || strings.ContainsAny(value, "\r\n") {
			r = first(r, bad("Bad Header Field"))
			continue
		}
		if len(m.fields) >= maxFields {
			return first(r, &refusal{code: 513, reason: "Message Too Large", why: "too_large"})
		}
		if long, ok := longNames[strings.ToLower(name)]; ok {
			name = long
		}
		if name == "Content-Length" {
			m.lengths++
		}
		if once[name] {
			if seen[name] {
				r = first(r, bad("Multiple "+name))
				continue
			}
			seen[name] = true
		}
		m.fields = append(m.fields, field{name, trim(value)})
	}
	return r
}

// unfold joins a line with the ones that continue it, one space each (RFC 3261 7.3.1).
func unfold(line, rest string) (whole, after string) {
	var b strings.Builder
	b.WriteString(strings.TrimRight(line, " \t"))
	for rest != "" && (rest[0] == ' ' || rest[0] == '\t') {
		var more string
		more, rest, _ = strings.Cut(rest, "\r\n")
		b.WriteByte(' ')
		b.WriteString(strings.Trim(more, " \t"))
	}
	return b.String(), rest
}

// parse reads one whole message: a datagram, or what the stream's framing cut out. It never panics and never keeps
// data. m is nil only when nothing can be said about the bytes.
func parse(data []byte) (*message, *refusal) {
	m, at, r := scan(data)
	if m == nil {
		return nil, r
	}
	body := data[at:]
	if v, ok := m.length(); !ok {
		r = first(r, bad("Bad Content-Length"))
	} else if v > uint64(len(body)) {
		r = first(r, bad("Body Shorter Than Content-Length"))
	} else if m.has("Content-Length") {
		body = body[:v] // RFC 3261 18.3: what follows is discarded
	}
	if len(body) > maxBody {
		body, r = nil, first(r, &refusal{code: 413, reason: "Request Entity Too Large", why: "too_large"})
	}
	m.body = bytes.Clone(body)
	return m, first(r, m.check())
}

// length reads Content-Length. Absent counts as right and zero.
func (m *message) length() (uint64, bool) {
	v := m.get("Content-Length")
	if v == "" && !m.has("Content-Length") {
		return 0, true
	}
	return number(v, 1<<32-1)
}
