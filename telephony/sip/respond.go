package sip

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"math/rand/v2"
	"net/netip"
	"strconv"
	"strings"

	gosip "github.com/emiago/sipgo/sip"
)

// reasons are our phrases for the statuses we send.
var reasons = map[int]string{
	100: "Trying", 180: "Ringing", 183: "Session Progress", 200: "OK",
	400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed",
	408: "Request Timeout", 415: "Unsupported Media Type", 420: "Bad Extension", 422: "Session Interval Too Small",
	423: "Interval Too Brief", 480: "Temporarily Unavailable", 481: "Call/Transaction Does Not Exist",
	482: "Loop Detected", 486: "Busy Here", 487: "Request Terminated", 488: "Not Acceptable Here",
	491: "Request Pending", 500: "Server Internal Error", 501: "Not Implemented", 503: "Service Unavailable",
	603: "Decline",
}

// answerVia is the top Via as it goes back: with received and rport (RFC 3261 18.2.1, RFC 3581 4).
func answerVia(v via, from netip.AddrPort) string {
	_, rport := v.params.get("rport")
	ip, isIP := parseHost(v.host)
	if !rport && isIP && ip == from.Addr() {
		return v.text
	}
	var b strings.Builder
	end := strings.IndexByte(v.text, ';')
	if end < 0 {
		end = len(v.text)
	}
	b.WriteString(v.text[:end])
	for _, p := range v.params {
		switch {
		case strings.EqualFold(p.name, "received"):
			continue
		case strings.EqualFold(p.name, "rport"):
			p.value = strconv.Itoa(int(from.Port()))
		}
		b.WriteByte(';')
		b.WriteString(p.name)
		if p.value != "" {
			b.WriteByte('=')
			b.WriteString(p.value)
		}
	}
	b.WriteString(";received=")
	b.WriteString(from.Addr().String())
	return b.String()
}

// responseTo starts a response with what every response repeats (RFC 3261 8.2.6). What could not be read is repeated
// as it came. toTag "" adds none.
func responseTo(m *message, from netip.AddrPort, code int, reason, toTag string) *gosip.Response {
	if reason == "" {
		reason = reasons[code]
	}
	res := gosip.NewResponse(code, reason)
	add := func(name, value string) { res.AppendHeader(gosip.NewHeader(name, value)) }
	read := len(m.vias) > 0
	if read {
		add("Via", answerVia(m.vias[0], from))
		for _, v := range m.vias[1:] {
			add("Via", v.text)
		}
	}
	for i := range m.fields {
		f := &m.fields[i]
		switch f.name {
		case "Via":
			if read {
				continue
			}
		case "To":
			value := f.value
			if toTag != "" && m.to.tag() == "" {
				value += ";tag=" + toTag
			}
			add("To", value)
			continue
		case "Timestamp":
			if code != 100 {
				continue
			}
		case "From", "Call-ID", "CSeq":
		case "Record-Route":
			if m.method != "INVITE" || code <= 100 || code >= 300 {
				continue
			}
		default:
			continue
		}
		add(f.name, f.value)
	}
	return res
}

// encode finishes a message; Content-Length is always there.
func encode(msg gosip.Message, contentType string, body []byte) []byte {
	if len(body) > 0 {
		msg.AppendHeader(gosip.NewHeader("Content-Type", contentType))
		msg.SetBody(body)
	} else {
		msg.SetBody(nil)
	}
	var b strings.Builder
	b.Grow(1024)
	msg.StringWrite(&b)
	return []byte(b.String())
}

// statelessTag makes the same To tag for every copy of a request (RFC 3261 8.2.7).
func (s *Server) statelessTag(m *message) string {
	h := hmac.New(sha256.New, s.tagKey)
	h.Write([]byte(m.callID + "\x00" + m.get("CSeq") + "\x00" + m.get("From")))
	return hex.EncodeToString(h.Sum(nil)[:3])
}

// back is where a response goes (RFC 3261 18.2.2, RFC 3581). A sender that names its own address is believed about its
// port; one that names another address sits behind something that translates, and gets the answer where it came from.
func back(m *message, from hop) hop {
	if from.reliable() || len(m.vias) == 0 {
		return from
	}
	v := m.vias[0]
	if _, rport := v.params.get("rport"); rport {
		return from
	}
	if ip, ok := parseHost(v.host); !ok || ip != from.addr.Addr() {
		return from
	}
	port := v.port
	if port == 0 {
		port = 5060
	}
	from.addr = netip.AddrPortFrom(from.addr.Addr(), uint16(port))
	return from
}

// reply answers a request without keeping anything of it: the same request again gets the same answer again. ACK is
// never answered. limit > 0 drops an answer that would be longer.
func (s *Server) reply(m *message, from hop, code int, reason string, limit int, extra ...field) {
	if m.method == "ACK" || !m.request() || !m.has("Via") {
		return
	}
	res := responseTo(m, from.addr, code, reason, s.statelessTag(m))
	for _, f := range extra {
		res.AppendHeader(gosip.NewHeader(f.name, f.value))
	}
	b := encode(res, "", nil)
	if limit > 0 && len(b) > limit {
		if b = compact(b, from.addr); len(b) > limit {
			return
		}
	}
	s.met.response("out", code)
	_ = back(m, from).send(b)
}

// compact strips an answer to a stranger to what it must have, so that it is no longer than the question: short field
// names (RFC 3261 7.3.3), no reason phrase, no length (a datagram has its own), and no received where rport says enough.
func compact(b []byte, from netip.AddrPort) []byte {
	text := compactNames.Replace(string(b))
	if line, rest, ok := strings.Cut(text, "\r\n"); ok && len(line) > 12 {
		text = line[:12] + "\r\n" + rest
	}
	if strings.Contains(text, ";rport=") {
		text = strings.Replace(text, ";received="+from.Addr().String(), "", 1)
	}
	return []byte(text)
}

var compactNames = strings.NewReplacer("\r\nVia: ", "\r\nv:", "\r\nFrom: ", "\r\nf:", "\r\nTo: ", "\r\nt:",
	"\r\nCall-ID: ", "\r\ni:", "\r\nCSeq: ", "\r\nCSeq:", "\r\nContent-Length: 0\r\n", "\r\n",
	"\r\nWWW-Authenticate: ", "\r\nWWW-Authenticate:")

// retryAfter is random, so that those we turn away do not come back in step.
func retryAfter() field { return field{"Retry-After", strconv.Itoa(5 + rand.IntN(11))} }
