package sip

import (
	"strings"
)

// methods we know. The value says whether we serve it.
var methods = map[string]bool{
	"INVITE": true, "ACK": true, "BYE": true, "CANCEL": true, "OPTIONS": true, "REGISTER": true, "INFO": true,
	"UPDATE": true, "MESSAGE": false, "SUBSCRIBE": false, "NOTIFY": false, "PUBLISH": false, "REFER": false,
	"PRACK": false,
}

// allow is the value of our Allow field.
const allow = "INVITE, ACK, BYE, CANCEL, OPTIONS, INFO, UPDATE"

// maxCSeq is the largest sequence number (RFC 3261 8.1.1.5).
const maxCSeq = 1<<31 - 1

// check reads the fields everything depends on and judges them strictly. It goes on after the first objection, so that
// an answer can carry what was readable, and returns that first one.
func (m *message) check() (r *refusal) {
	for i := range m.fields {
		f := &m.fields[i]
		var ok bool
		switch f.name {
		case "Via":
			ok = m.addVias(f.value)
		case "From":
			m.from, ok = readAddress(f.value)
			ok = ok && tagOK(m.from)
		case "To":
			m.to, ok = readAddress(f.value)
			ok = ok && tagOK(m.to)
		case "Call-ID":
			m.callID, ok = f.value, all(f.value, isWord) && len(f.value) <= 512
		case "CSeq":
			ok = m.readCSeq(f.value)
		case "Max-Forwards":
			_, ok = number(f.value, 255)
		case "Contact":
			ok = m.addContacts(f.value)
		case "Record-Route", "Route":
			var list []address
			list, ok = readAddresses(f.value)
			for _, a := range list {
				ok = ok && a.bracket && a.kind == uriSIP
			}
		case "Content-Type":
			ok = mediaTypeOK(f.value)
		case "Require", "Supported", "Proxy-Require", "Allow", "Content-Encoding":
			ok = tokensOK(f.value)
		default:
			ok = true
		}
		if !ok {
			r = first(r, bad("Bad "+f.name))
		}
	}
	for _, name := range [...]string{"Via", "From", "To", "Call-ID", "CSeq"} {
		if !m.has(name) {
			r = first(r, bad("Missing "+name))
		}
	}
	if r != nil {
		return r
	}
	if !m.request() {
		m.method = m.cseqMethod
		if len(m.vias) != 1 {
			return bad("Not For Us") // RFC 3261 8.1.3.3
		}
		return nil
	}
	return m.checkRequest()
}

func (m *message) addVias(value string) bool {
	parts, ok := cut(value, ',')
	if !ok || len(m.vias)+len(parts) > 70 {
		return false
	}
	for _, p := range parts {
		v, ok := readVia(p)
		if !ok {
			return false
		}
		m.vias = append(m.vias, v)
	}
	return true
}

func (m *message) addContacts(value string) bool {
	if value == "*" {
		m.star = true
		return true
	}
	list, ok := readAddresses(value)
	m.contacts = append(m.contacts, list...)
	return ok && len(m.contacts) <= 16
}

// tagOK wants a tag, if there is one, to be a token (the value may have no quotes).
func tagOK(a address) bool {
	for _, p := range a.params {
		if strings.EqualFold(p.name, "tag") {
			return all(p.value, isToken) && len(p.value) <= 512
		}
	}
	return true
}

func (m *message) readCSeq(value string) bool {
	i := strings.IndexAny(value, " \t")
	if i < 0 {
		return false
	}
	n, ok := number(value[:i], maxCSeq)
	m.cseq, m.cseqMethod = uint32(n), trim(value[i:])
	return ok && all(m.cseqMethod, isToken) && len(m.cseqMethod) <= 64
}

func mediaTypeOK(s string) bool {
	parts, ok := cut(s, ';')
	if !ok {
		return false
	}
	typ, sub, ok := strings.Cut(parts[0], "/")
	if !ok || !all(trim(typ), isToken) || !all(trim(sub), isToken) {
		return false
	}
	for _, p := range parts[1:] {
		name, value, _ := strings.Cut(p, "=")
		if !all(trim(name), isToken) || value == "" {
			return false
		}
	}
	return true
}

func tokensOK(s string) bool {
	if s == "" {
		return true
	}
	for p := range strings.SplitSeq(s, ",") {
		if p = trim(p); p != "" && !all(p, isToken) {
			return false
		}
	}
	return true
}

// checkRequest judges a request whose fields are well-formed (RFC 3261 8.2.1, 8.2.2).
func (m *message) checkRequest() *refusal {
	switch m.target = (address{uri: m.uri, kind: checkURI(m.uri), bracket: true}); m.target.kind {
	case uriBad:
		return bad("Bad Request-URI")
	case uriOther:
		return &refusal{code: 416, reason: "Unsupported URI Scheme", why: "scheme"}
	case uriSIP:
		// Fields smuggled into a request URI (RFC 4475 3.1.2.11): a '?' behind the user part.
		if i := strings.LastIndexByte(m.uri, '@'); strings.IndexByte(m.uri[i+1:], '?') >= 0 {
			return bad("Bad Request-URI")
		}
	}
	if m.cseqMethod != m.method {
		return bad("CSeq Method Mismatch")
	}
	serve, known := methods[m.method]
	switch {
	case !known:
		return &refusal{code: 501, reason: "Not Implemented", why: "method", extra: []field{{"Allow", allow}}}
	case !serve:
		return &refusal{code: 405, reason: "Method Not Allowed", why: "method", extra: []field{{"Allow", allow}}}
	case m.method == "REGISTER" && (m.to.kind != uriSIP || m.from.kind == uriOther):
		return bad("Bad To") // RFC 3261 10.3: the address of record is a SIP URI
	case m.method == "ACK", m.method == "CANCEL":
		return nil // RFC 3261 8.2.2.3: Require is not looked at
	}
	if un := m.unsupported(); un != "" {
		return &refusal{code: 420, reason: "Bad Extension", why: "extension", extra: []field{{"Unsupported", un}}}
	}
	if m.method == "INVITE" && len(m.contacts) == 0 && strings.HasPrefix(m.vias[0].branch(), magic) {
		return bad("Missing Contact") // RFC 3261 8.1.1.8; RFC 2543 did without
	}
	return m.checkBody()
}

// unsupported lists what Require asks that we cannot do.
func (m *message) unsupported() string {
	var un []string
	for _, t := range m.list("Require") {
		if !strings.EqualFold(t, "timer") {
			un = append(un, t)
		}
	}
	return strings.Join(un, ", ")
}

// checkBody wants a body that we read to be one we can read (RFC 3261 8.2.3).
func (m *message) checkBody() *refusal {
	if m.method != "INVITE" && m.method != "UPDATE" {
		return nil
	}
	sdpOnly := []field{{"Accept", "application/sdp"}}
	if m.has("Accept") && !m.accepts("application", "sdp") {
		return &refusal{code: 406, reason: "Not Acceptable", why: "body", extra: sdpOnly}
	}
	if len(m.body) == 0 {
		return nil
	}
	for _, enc := range m.list("Content-Encoding") {
		if !strings.EqualFold(enc, "identity") {
			return &refusal{code: 415, reason: "Unsupported Media Type", why: "body",
				extra: []field{{"Accept-Encoding", "identity"}}}
		}
	}
	if m.sdp() == nil && !strings.Contains(strings.ToLower(m.get("Content-Disposition")), "handling=optional") {
		return &refusal{code: 415, reason: "Unsupported Media Type", why: "body", extra: sdpOnly}
	}
	return nil
}

// accepts reports whether Accept admits a type.
func (m *message) accepts(typ, sub string) bool {
	for _, v := range m.list("Accept") {
		v, _, _ = strings.Cut(v, ";")
		t, s, _ := strings.Cut(trim(v), "/")
		if (t == "*" || strings.EqualFold(trim(t), typ)) && (s == "*" || strings.EqualFold(trim(s), sub)) {
			return true
		}
	}
	return false
}
