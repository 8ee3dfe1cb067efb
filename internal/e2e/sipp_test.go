package e2e

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"hotline/internal/e2e/program"
)

// caller is SIPp's part: it dials, listens for two seconds and hangs up, and wants the answers that RFC 3261 foresees.
const caller = `<?xml version="1.0" encoding="UTF-8"?>
<scenario name="caller">
  <send retrans="500"><![CDATA[
INVITE sip:[service]@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:+7903556[call_number]@[local_ip]>;tag=[pid]t[call_number]
To: <sip:[service]@[remote_ip]:[remote_port]>
Call-ID: [call_id]
CSeq: 1 INVITE
Contact: <sip:sipp@[local_ip]:[local_port]>
Max-Forwards: 70
Content-Type: application/sdp
Content-Length: [len]

v=0
o=sipp 1 1 IN IP4 [local_ip]
s=-
c=IN IP4 [media_ip]
t=0 0
m=audio [media_port] RTP/AVP 8
a=rtpmap:8 PCMA/8000
]]></send>
  <recv response="100" optional="true"/>
  <recv response="180" optional="true"/>
  <recv response="183" optional="true"/>
  <recv response="200"/>
  <send><![CDATA[
ACK sip:[service]@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:+7903556[call_number]@[local_ip]>;tag=[pid]t[call_number]
[last_To:]
Call-ID: [call_id]
CSeq: 1 ACK
Max-Forwards: 70
Content-Length: 0

]]></send>
  <pause milliseconds="2000"/>
  <send retrans="500"><![CDATA[
BYE sip:[service]@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:+7903556[call_number]@[local_ip]>;tag=[pid]t[call_number]
[last_To:]
Call-ID: [call_id]
CSeq: 2 BYE
Max-Forwards: 70
Content-Length: 0

]]></send>
  <recv response="200"/>
</scenario>
`

// SIPp dials the menu, twenty callers at five a second, over UDP and TCP: every one is answered and told.
func TestSIPpCallsTheMenu(t *testing.T) {
	bin := program.Tool(t, "sipp")
	for i, transport := range []string{"u1", "t1"} {
		t.Run(transport, func(t *testing.T) {
			p, ctx := shared(t)
			dir := t.TempDir()
			scenario := filepath.Join(dir, "caller.xml")
			prefix := fmt.Sprintf("+7903556%d", i) // ours only
			ok(t, os.WriteFile(scenario, []byte(strings.ReplaceAll(caller, "+7903556[", prefix+"0[")), 0o644))
			cmd := exec.CommandContext(ctx, bin, p.Edge(), "-sf", scenario, "-s", "100", "-m", "20", "-r", "5", "-t", transport,
				"-i", "127.0.0.1", "-p", fmt.Sprint(freePort(ctx, t)), "-nostdin", "-timeout", "60s", "-timeout_error", "-trace_err", "-error_file", filepath.Join(dir, "errors"))
			cmd.Dir = dir
			if out, err := cmd.CombinedOutput(); err != nil {
				why, _ := os.ReadFile(filepath.Join(dir, "errors"))
				t.Fatalf("sipp: %v\n%s\n%s", err, why, out[max(0, len(out)-2000):])
			}
			p.Until(ctx, "twenty calls, each told once", "20 20 20", `SELECT concat(count(*), ' ', count(*) FILTER (WHERE c.state = 'ended' AND c.disposition = 'abandoned_ivr'), ' ', count(*) FILTER (WHERE l.rule = 'A10'))
				FROM call c LEFT JOIN call_link l ON l.call_id = c.id WHERE c.caller_raw LIKE $1 || '%'`, prefix)
			if program.Driver() != "native" { // Asterisk does not tell
				return
			}
			protocols := strings.Fields(p.SQL(ctx, `SELECT string_agg(DISTINCT e.data->'party'->>'protocol', ' ') FROM call c JOIN call_event e ON e.call_id = c.id AND e.type = 'begin' WHERE c.caller_raw LIKE $1 || '%'`, prefix))
			if want := map[string]string{"u1": "udp", "t1": "tcp"}[transport]; !slices.Equal(protocols, []string{want}) {
				t.Errorf("they came over %q", protocols)
			}
		})
	}
}

// freePort is a port that nobody has just now. SIPp cannot take any free one and say which.
func freePort(ctx context.Context, t *testing.T) int {
	t.Helper()
	var l net.ListenConfig
	c, err := l.ListenPacket(ctx, "udp", "127.0.0.1:0")
	ok(t, err)
	defer c.Close()
	return c.LocalAddr().(*net.UDPAddr).Port
}
