package sip

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hotline/telephony"
)

// torture says what each message must get from an element like ours. codes: the answers allowed; none: silence.
// call: it may reach the application. stream: what differs over TCP, where a wrong length cannot be survived.
type torture struct {
	codes  []int
	call   bool
	stream []int // nil: as codes
	also   int   // over TCP: may come as well
	closed bool  // over TCP the connection ends
	header string
	why    string
}

// RFC 4475, section by section.
var rfc4475 = map[string]torture{
	"wsinv":      {codes: []int{481}, why: "3.1.1.1 well-formed; To has a tag, and the dialog is not ours"},
	"intmeth":    {codes: []int{501, 405}, why: "3.1.1.2 well-formed; an unknown method"},
	"esc01":      {codes: []int{480}, call: true, why: "3.1.1.3 valid"},
	"escnull":    {codes: []int{401}, why: "3.1.1.4 well-formed; our registrar wants a password"},
	"esc02":      {codes: []int{501, 405}, why: "3.1.1.5 RE%47IST%45R is not REGISTER"},
	"lwsdisp":    {codes: []int{200}, why: "3.1.1.6 valid"},
	"longreq":    {codes: []int{480}, call: true, why: "3.1.1.7 valid"},
	"dblreq":     {codes: []int{401}, stream: []int{400}, also: 401, closed: true, why: "3.1.1.8 the rest of a datagram is discarded; of a stream it is the next message, an INVITE without Contact, and what follows that is none: then the password question may come too late"},
	"semiuri":    {codes: []int{200}, why: "3.1.1.9 valid"},
	"transports": {codes: []int{200}, why: "3.1.1.10 valid"},
	"mpart01":    {codes: []int{405}, why: "3.1.1.11 well-formed; we do not serve MESSAGE"},
	"unreason":   {why: "3.1.1.12 a valid response, to nothing"},
	"noreason":   {why: "3.1.1.13 likewise"},
	"badinv01":   {codes: []int{400}, why: "3.1.2.1"},
	"clerr":      {codes: []int{400}, stream: []int{}, closed: true, why: "3.1.2.2 over a stream: wait, then close"},
	"ncl":        {codes: []int{400}, closed: true, why: "3.1.2.3"},
	"scalar02":   {codes: []int{400}, why: "3.1.2.4"},
	"scalarlg":   {why: "3.1.2.5 a response to nothing"},
	"quotbal":    {codes: []int{400}, why: "3.1.2.6"},
	"ltgtruri":   {codes: []int{400}, why: "3.1.2.7"},
	"lwsruri":    {codes: []int{400}, why: "3.1.2.8"},
	"lwsstart":   {codes: []int{400}, why: "3.1.2.9"},
	"trws":       {codes: []int{400}, why: "3.1.2.10"},
	"escruri":    {codes: []int{400}, why: "3.1.2.11"},
	"baddate":    {codes: []int{480, 400}, call: true, why: "3.1.2.12 Date may be ignored by who needs it not"},
	"regbadct":   {codes: []int{400}, why: "3.1.2.13"},
	"badaspec":   {codes: []int{400}, why: "3.1.2.14"},
	"baddn":      {codes: []int{400}, why: "3.1.2.15"},
	"badvers":    {codes: []int{505}, why: "3.1.2.16"},
	"mismatch01": {codes: []int{400}, why: "3.1.2.17"},
	"mismatch02": {codes: []int{400, 501}, why: "3.1.2.18"},
	"bigcode":    {closed: true, why: "3.1.2.19 a response that is none"},
	"badbranch":  {codes: []int{200, 400}, why: "3.2.1 as RFC 2543, or refused"},
	"insuf":      {codes: []int{400}, why: "3.3.1"},
	"unkscm":     {codes: []int{416}, why: "3.3.2"},
	"novelsc":    {codes: []int{416}, why: "3.3.3"},
	"unksm2":     {codes: []int{400}, why: "3.3.4 the address of record must be a SIP URI"},
	"bext01":     {codes: []int{420}, header: "Unsupported: nothingSupportsThis, nothingSupportsThisEither", why: "3.3.5"},
	"invut":      {codes: []int{415}, header: "Accept: application/sdp", why: "3.3.6"},
	"regaut01":   {codes: []int{401}, why: "3.3.7"},
	"multi01":    {codes: []int{400}, why: "3.3.8"},
	"mcl01":      {codes: []int{400}, closed: true, why: "3.3.9"},
	"bcast":      {why: "3.3.10 a response for somebody else"},
	"zeromf":     {codes: []int{200}, why: "3.3.11 it has arrived: hops do not matter any more"},
	"cparam01":   {codes: []int{401}, why: "3.3.12 well-formed"},
	"cparam02":   {codes: []int{401}, why: "3.3.13 well-formed"},
	"regescrt":   {codes: []int{401}, why: "3.3.14 well-formed"},
	"sdp01":      {codes: []int{406}, header: "Accept: application/sdp", why: "3.3.15"},
	"inv2543":    {codes: []int{480}, call: true, stream: []int{400}, closed: true, why: "3.4.1; over a stream Content-Length is a must"},
}

// RFC 5118, section by section.
var rfc5118 = map[string]torture{
	"ipv6-good":                     {codes: []int{401}, why: "4.1"},
	"ipv6-bad":                      {codes: []int{400}, why: "4.2"},
	"port-ambiguous":                {codes: []int{401}, why: "4.3"},
	"port-unambiguous":              {codes: []int{401}, why: "4.4"},
	"via-received-param-with-delim": {codes: []int{481}, why: "4.5"},
	"via-received-param-no-delim":   {codes: []int{200}, why: "4.5"},
	"ipv6-in-sdp":                   {codes: []int{488}, why: "4.6 well-formed; G.726 is not ours"},
	"mult-ip-in-header":             {codes: []int{481}, why: "4.7"},
	"mult-ip-in-sdp":                {codes: []int{480, 488}, call: true, why: "4.8 488 when we have no IPv4 for media"},
	"ipv4-mapped-ipv6":              {codes: []int{488}, why: "4.9 well-formed; G.726 is not ours"},
	"ipv6-bug-abnf-3-colons":        {codes: []int{200}, why: "4.10 tolerated"},
	"ipv6-correct-abnf-2-colons":    {codes: []int{200}, why: "4.10"},
}

func TestTortureRFC4475(t *testing.T) { testTorture(t, "rfc4475", rfc4475, "127.0.0.1", 49) }

func TestTortureRFC5118(t *testing.T) {
	testTorture(t, "rfc5118", rfc5118, "127.0.0.1", 12)
	testTorture(t, "rfc5118", rfc5118, "::1", 12)
}

// testTorture sends each message over UDP and TCP from a listed peer, checks the answer, that only SIP/2.0 is spoken,
// that a refused message reached nobody, and that SIP still works.
func testTorture(t *testing.T, dir string, table map[string]torture, host string, count int) {
	files, err := filepath.Glob(filepath.Join("testdata", "torture", dir, "*.dat"))
	if err != nil || len(files) != count || len(table) != count {
		t.Fatalf("%d files, %d rows, want %d each (%v)", len(files), len(table), count, err)
	}
	for _, proto := range []string{"udp", "tcp"} {
		r := newRig(t, func(c *Config) { c.Addr, c.stall = bracket(host)+":0", 300*time.Millisecond }, nil, loopTrunk())
		go func() { // the application refuses every call, and counts it
			for {
				select {
				case l := <-r.calls:
					r.t.Logf("call to %q from %+v", l.Party().Called, l.Party().Caller)
					l.Hangup(telephony.CauseUnavailable)
				case <-r.s.stopped:
					return
				}
			}
		}()
		for _, f := range files {
			name := strings.TrimSuffix(filepath.Base(f), ".dat")
			data, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			row, ok := table[name]
			if !ok {
				t.Fatalf("%s is in no table", name)
			}
			t.Run(dir+"/"+host+"/"+proto+"/"+name, func(t *testing.T) { sendTorture(t, r, proto, host, data, row) })
		}
	}
}

func bracket(host string) string {
	if strings.Contains(host, ":") {
		return "[" + host + "]"
	}
	return host
}

func sendTorture(t *testing.T, r *rig, proto, host string, data []byte, row torture) {
	pinger := r.uaFrom(host)
	pinger.t = t
	u := pinger
	codes := row.codes
	if proto == "tcp" {
		u = r.tcpUA()
		u.t = t
		defer u.tcp.Close()
		if row.stream != nil {
			codes = row.stream
		}
	}
	before := r.metric("hotline_sip_calls", "in") + r.metric("hotline_sip_invite_seconds")
	u.raw(data)
	want := len(codes)
	if want > 1 && row.stream == nil { // alternatives
		want = 1
	}
	if proto == "tcp" && row.stream != nil {
		for range row.stream {
			m := final(u)
			if m != nil && m.code() == row.also {
				m = final(u)
			}
			if m == nil || !contains(codes, m.code()) {
				t.Fatalf("answered %+v, want %v; %s", m, codes, row.why)
			}
			checkTorture(t, m, row)
		}
	} else if want == 1 {
		m := final(u)
		if m == nil {
			t.Fatalf("no answer; %s", row.why)
		}
		checkTorture(t, m, row)
		t.Log(m.start)
		if !contains(codes, m.code()) {
			t.Fatalf("answered %q, want %v; %s", m.start, codes, row.why)
		}
		if m.size > len(data)+200 {
			t.Errorf("answer has %d bytes, question %d", m.size, len(data))
		}
	}
	if proto == "tcp" && row.closed {
		if row.also == 0 {
			u.closed(row.why)
		} else if m := u.recv(patience); m != nil && m.code() != row.also {
			t.Fatalf("%q on a connection that cannot be followed", m.start)
		}
	}
	if m := pinger.ping(); m.code() != 200 {
		t.Fatalf("OPTIONS after it: %q", m.start)
	}
	if len(codes) == 0 && proto == "udp" { // the ping came after it: nothing else may have come before
		pinger.noMore(t)
	}
	if !row.call && r.metric("hotline_sip_calls", "in")+r.metric("hotline_sip_invite_seconds") > before {
		t.Error("a refused message made a call")
	}
}

func (u *ua) noMore(t *testing.T) {
	t.Helper()
	if m := u.recv(20 * time.Millisecond); m != nil {
		t.Fatalf("unexpected %q", m.start)
	}
}

// final reads the first final response.
func final(u *ua) *msg {
	for {
		m := u.recv(patience)
		if m == nil || m.code() >= 200 {
			return m
		}
	}
}

func contains(codes []int, c int) bool {
	for _, x := range codes {
		if x == c {
			return true
		}
	}
	return false
}

func checkTorture(t *testing.T, m *msg, row torture) {
	t.Helper()
	if !strings.HasPrefix(m.start, "SIP/2.0 ") {
		t.Errorf("start line %q", m.start)
	}
	if row.header != "" {
		name, value, _ := strings.Cut(row.header, ": ")
		if m.h(name) != value {
			t.Errorf("%s is %q, want %q", name, m.h(name), value)
		}
	}
}

// TestStreamCut sends every RFC 4475 message over TCP byte by byte in odd pieces: framing must not depend on how the
// network cuts.
func TestStreamCut(t *testing.T) {
	r := newRig(t, nil, func(ctx context.Context, l *Leg) {}, loopTrunk())
	for _, name := range []string{"lwsdisp", "semiuri", "zeromf", "longreq", "esc01"} {
		data, err := os.ReadFile("testdata/torture/rfc4475/" + name + ".dat")
		if err != nil {
			t.Fatal(err)
		}
		u := r.tcpUA()
		for step := 1; len(data) > 0; step = step%7 + 1 {
			n := min(step, len(data))
			u.raw(data[:n])
			data = data[n:]
		}
		if m := final(u); m == nil || !contains(rfc4475[name].codes, m.code()) {
			t.Errorf("%s: %+v", name, m)
		}
	}
}
