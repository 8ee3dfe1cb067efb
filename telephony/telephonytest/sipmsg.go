package telephonytest

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/textproto"
	"strconv"
	"strings"
)

// message is one SIP message as the phone reads and writes it: just enough of RFC 3261, and strict about it.
type message struct {
	start  string // request or status line
	header []field
	body   string
}

type field struct{ name, value string }

// compact forms of RFC 3261 7.3.3 that peers may use.
var compact = map[string]string{"i": "Call-Id", "m": "Contact", "l": "Content-Length", "c": "Content-Type", "f": "From", "t": "To", "v": "Via", "k": "Supported"}

func parseMessage(data string) (*message, error) {
	head, body, ok := strings.Cut(data, "\r\n\r\n")
	if !ok {
		return nil, errors.New("no end of header")
	}
	lines := strings.Split(head, "\r\n")
	m := &message{start: lines[0], body: body}
	for _, l := range lines[1:] {
		if l != "" && (l[0] == ' ' || l[0] == '\t') && len(m.header) > 0 {
			m.header[len(m.header)-1].value += " " + strings.TrimSpace(l)
			continue
		}
		n, v, ok := strings.Cut(l, ":")
		if !ok {
			return nil, fmt.Errorf("header line %q", l)
		}
		n = strings.TrimSpace(n)
		if long := compact[strings.ToLower(n)]; long != "" {
			n = long
		}
		m.header = append(m.header, field{textproto.CanonicalMIMEHeaderKey(n), strings.TrimSpace(v)})
	}
	if cl := m.get("Content-Length"); cl != "" {
		n, err := strconv.Atoi(cl)
		if err != nil || n < 0 || n > len(m.body) {
			return nil, fmt.Errorf("content length %q with %d bytes", cl, len(m.body))
		}
		m.body = m.body[:n]
	}
	return m, nil
}

// readMessage reads one message from a stream.
func readMessage(r *bufio.Reader) (*message, error) {
	var b strings.Builder
	length := 0
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return nil, err
		}
		if b.Len() == 0 && strings.TrimSpace(line) == "" {
			continue // keep-alive
		}
		b.WriteString(line)
		if n, v, ok := strings.Cut(line, ":"); ok && (strings.EqualFold(n, "Content-Length") || strings.EqualFold(strings.TrimSpace(n), "l")) {
			length, _ = strconv.Atoi(strings.TrimSpace(v))
		}
		if line == "\r\n" {
			break
		}
	}
	body := make([]byte, length)
	if _, err := io.ReadFull(r, body); err != nil {
		return nil, err
	}
	return parseMessage(b.String() + string(body))
}

func (m *message) get(name string) string {
	for _, f := range m.header {
		if strings.EqualFold(f.name, name) {
			return f.value
		}
	}
	return ""
}

func (m *message) all(name string) (out []string) {
	for _, f := range m.header {
		if strings.EqualFold(f.name, name) {
			out = append(out, f.value)
		}
	}
	return out
}

func (m *message) add(name, value string) { m.header = append(m.header, field{name, value}) }

// status gives the code and true for a response.
func (m *message) status() (int, bool) {
	rest, ok := strings.CutPrefix(m.start, "SIP/2.0 ")
	if !ok || len(rest) < 3 {
		return 0, false
	}
	code, err := strconv.Atoi(rest[:3])
	return code, err == nil
}

// method of a request.
func (m *message) method() string { s, _, _ := strings.Cut(m.start, " "); return s }

// cseq gives number and method.
func (m *message) cseq() (int, string) {
	n, meth, _ := strings.Cut(m.get("Cseq"), " ")
	i, _ := strconv.Atoi(n)
	return i, strings.TrimSpace(meth)
}

func (m *message) String() string {
	var b strings.Builder
	b.WriteString(m.start + "\r\n")
	for _, f := range m.header {
		fmt.Fprintf(&b, "%s: %s\r\n", f.name, f.value)
	}
	fmt.Fprintf(&b, "Content-Length: %d\r\n\r\n%s", len(m.body), m.body)
	return b.String()
}

// response begins an answer to a request with the headers that RFC 3261 8.2.6.2 wants copied.
func (m *message) response(code int, reason, toTag string) *message {
	r := &message{start: fmt.Sprintf("SIP/2.0 %d %s", code, reason)}
	for _, f := range m.header {
		switch f.name {
		case "Via", "From", "Call-Id", "Cseq", "Record-Route":
			r.header = append(r.header, f)
		case "To":
			if toTag != "" && !strings.Contains(f.value, ";tag=") {
				f.value += ";tag=" + toTag
			}
			r.header = append(r.header, f)
		}
	}
	return r
}

// tag of a From or To value.
func tag(v string) string {
	_, rest, ok := strings.Cut(v, ";tag=")
	if !ok {
		return ""
	}
	rest, _, _ = strings.Cut(rest, ";")
	return rest
}

// uri inside a name-addr, without parameters outside of it.
func uri(v string) string {
	if _, rest, ok := strings.Cut(v, "<"); ok {
		u, _, _ := strings.Cut(rest, ">")
		return u
	}
	u, _, _ := strings.Cut(v, ";")
	return strings.TrimSpace(u)
}

// params reads `k="v", k2=v2` of a challenge.
func params(v string) map[string]string {
	out := map[string]string{}
	for v = strings.TrimSpace(v); v != ""; {
		k, rest, ok := strings.Cut(v, "=")
		if !ok {
			break
		}
		k = strings.ToLower(strings.Trim(k, " ,\t"))
		if quoted, ok := strings.CutPrefix(rest, `"`); ok {
			val, after, _ := strings.Cut(quoted, `"`)
			out[k], v = val, strings.TrimLeft(after, ", ")
			continue
		}
		val, after, _ := strings.Cut(rest, ",")
		out[k], v = strings.TrimSpace(val), strings.TrimSpace(after)
	}
	return out
}
