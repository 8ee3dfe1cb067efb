package e2e

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"hotline/internal/e2e/program"
	"hotline/telephony/telephonytest"
)

// refused dials and gives the answer's code and reason.
func refused(ctx context.Context, t *testing.T, p *program.Program, from, to string) (*telephonytest.PhoneCall, int, string) {
	t.Helper()
	c := p.Call(ctx, from, to, customerHz)
	select {
	case <-c.Done():
	case <-ctx.Done():
		t.Fatalf("no answer to %s", to)
	}
	code, why := c.Why()
	return c, code, why
}

// A number that nobody serves: a spoken notice before the 404, or the 404 alone, by the trunk's setting. It is a call with
// its row all the same.
func TestUnknownNumber(t *testing.T) {
	p, ctx := shared(t)
	from := number()
	c, code, why := refused(ctx, t, p, from, "999")
	if code != http.StatusNotFound {
		t.Errorf("unknown number: %d %s", code, why)
	}
	if n := c.Packets(); n < 50 {
		t.Errorf("the notice has %d packets", n)
	}
	row := told(ctx, t, p, keyOf(ctx, t, p, from))
	if row.Disposition != "rejected" || row.EndReason != "not_found" || row.Link.Ticket != nil {
		t.Errorf("the call: %+v", row)
	}
	p.Set(ctx, "/trunks/"+program.Trunk(), map[string]any{"unknown_number": "reject"})
	t.Cleanup(func() {
		p.Set(context.Background(), "/trunks/"+program.Trunk(), map[string]any{"unknown_number": "notice"})
	})
	eventually(ctx, t, "404 without a notice", func() bool {
		from = number()
		c, code, _ := refused(ctx, t, p, from, "999")
		return code == http.StatusNotFound && c.Packets() == 0
	})
	if row := told(ctx, t, p, keyOf(ctx, t, p, from)); row.EndReason != "not_found" {
		t.Errorf("the call: %+v", row)
	}
}

// A source that is on no trunk gets at most one answer to its INVITE, however long it waits for more, and makes no call
// (R7). What cannot be parsed gets none.
func TestUnlistedSource(t *testing.T) {
	nativeOnly(t)
	p, ctx := shared(t)
	p.Set(ctx, "/trunks/"+program.Trunk(), map[string]any{"cidrs": []string{"192.0.2.0/24"}})
	restored := func() {
		p.Set(context.Background(), "/trunks/"+program.Trunk(), map[string]any{"cidrs": []string{"127.0.0.0/8"}})
		back := limit(t, 20*time.Second)
		eventually(back, t, "the trunk is back", func() bool {
			c := p.Call(back, number(), "100", customerHz)
			defer c.Hangup()
			return c.Connected(back) == nil
		})
	}
	defer restored()
	eventually(ctx, t, "this machine is on no trunk", func() bool {
		c := p.Call(ctx, number(), "999", customerHz)
		<-c.Done()
		code, _ := c.Why()
		return code != 0 && code != http.StatusNotFound
	})
	calls := p.SQL(ctx, `SELECT count(*)::text FROM call`)
	s, err := net.Dial("udp", p.Run.SIP)
	ok(t, err)
	defer s.Close()
	invite := strings.ReplaceAll(fmt.Sprintf(`INVITE sip:100@%s SIP/2.0
Via: SIP/2.0/UDP %s;rport;branch=z9hG4bKunlisted1
Max-Forwards: 70
From: <sip:+79161234567@example.org>;tag=1
To: <sip:100@%s>
Call-ID: unlisted1@example.org
CSeq: 1 INVITE
Contact: <sip:x@%s>
Content-Length: 0

`, p.Run.SIP, s.LocalAddr(), p.Run.SIP, s.LocalAddr()), "\n", "\r\n")
	_, err = s.Write([]byte(invite))
	ok(t, err)
	_, err = s.Write([]byte("INVITE nonsense\r\n\r\n"))
	ok(t, err)
	var answers []string
	sent := len(invite)
	buf := make([]byte, 65536)
	ok(t, s.SetReadDeadline(time.Now().Add(4*time.Second))) // a transaction would repeat its answer after 0.5, 1.5 and 3.5 s
	for {
		n, err := s.Read(buf)
		if err != nil {
			break
		}
		if answers = append(answers, strings.SplitN(string(buf[:n]), "\r\n", 2)[0]); n > sent {
			t.Errorf("an answer of %d bytes to %d", n, sent)
		}
	}
	if len(answers) > 1 {
		t.Errorf("answers to one INVITE: %q", answers)
	}
	if n := p.SQL(ctx, `SELECT count(*)::text FROM call`); n != calls {
		t.Errorf("%s calls before, %s after", calls, n)
	}
}

// Above the limit a caller gets 503 with Retry-After; the calls that are up do not notice, and the next one after a
// hang-up is taken.
func TestTooManyCalls(t *testing.T) {
	nativeOnly(t)
	p, ctx := strict(t)
	queue(ctx, t, p, "crowd", "351", nil)
	var up []*telephonytest.PhoneCall
	for range 3 {
		up = append(up, p.Dial(ctx, number(), "351"))
	}
	over := number()
	_, code, why := refused(ctx, t, p, over, "351")
	if code != http.StatusServiceUnavailable || !strings.Contains(why, "retry after") {
		t.Errorf("the fourth call: %d %s", code, why)
	}
	if n := p.SQL(ctx, `SELECT count(*)::text FROM call WHERE caller_e164 = $1`, over); n != "0" {
		t.Errorf("%s rows of a call that was refused before anything was made", n)
	}
	for _, c := range up {
		ok(t, c.Hears(ctx, hz(holdHz), nil))
	}
	up[0].Hangup()
	eventually(ctx, t, "room for another one", func() bool {
		c := p.Call(ctx, number(), "351", customerHz)
		defer c.Hangup()
		return c.Connected(ctx) == nil
	})
}
