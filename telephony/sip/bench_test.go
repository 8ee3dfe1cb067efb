package sip

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	gosipua "github.com/emiago/sipgo"
	gosip "github.com/emiago/sipgo/sip"
)

// loadgen speaks a minimal SIP of its own, so that a fault of a shared library cannot hide on both sides.
type loadgen struct {
	c      *net.UDPConn
	server netip.AddrPort
	invite string // format: call number
	ack    string // format: call number, To tag
	bye    string

	mu   sync.Mutex
	sent map[int]time.Time
	took []time.Duration
	bad  int
	done chan int // numbers of finished calls; size 4096
}

func newLoadgen(b *testing.B, server netip.AddrPort) *loadgen {
	b.Helper()
	c, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		b.Fatal(err)
	}
	_ = c.SetReadBuffer(4 << 20)
	g := &loadgen{c: c, server: server, sent: map[int]time.Time{}, done: make(chan int, 4096)}
	local := c.LocalAddr().String()
	body := offer("127.0.0.1", 4000)
	head := func(method, to string) string {
		return method + " sip:100@" + server.String() + " SIP/2.0\r\nVia: SIP/2.0/UDP " + local + ";branch=z9hG4bK" + method + "%[1]d\r\nMax-Forwards: 70\r\n" +
			"From: <sip:+7495@" + local + ">;tag=c%[1]d\r\nTo: <sip:100@h>" + to + "\r\nCall-ID: call%[1]d\r\nContact: <sip:c@" + local + ">\r\n"
	}
	g.invite = head("INVITE", "") + "CSeq: 1 INVITE\r\nContent-Type: application/sdp\r\nContent-Length: " + fmt.Sprint(len(body)) + "\r\n\r\n" + body
	g.ack = head("ACK", ";tag=%[2]s") + "CSeq: 1 ACK\r\nContent-Length: 0\r\n\r\n"
	g.bye = head("BYE", ";tag=%[2]s") + "CSeq: 2 BYE\r\nContent-Length: 0\r\n\r\n"
	go g.read()
	b.Cleanup(func() { _ = c.Close() })
	return g
}

func (g *loadgen) send(s string) { _, _ = g.c.WriteToUDPAddrPort([]byte(s), g.server) }

func (g *loadgen) start(n int) {
	s := fmt.Sprintf(g.invite, n)
	g.mu.Lock()
	g.sent[n] = time.Now()
	g.mu.Unlock()
	g.send(s)
}

// read confirms each 200 and says BYE.
func (g *loadgen) read() {
	buf := make([]byte, 65536)
	for {
		k, err := g.c.Read(buf)
		if err != nil {
			return
		}
		at := time.Now()
		m := readText(buf[:k])
		var n int
		_, _ = fmt.Sscanf(m.h("Call-ID"), "call%d", &n)
		switch {
		case m.code() < 200:
		case strings.HasSuffix(m.h("CSeq"), "BYE"):
			g.done <- n
		case m.code() == 200:
			g.mu.Lock()
			if t, ok := g.sent[n]; ok {
				g.took = append(g.took, at.Sub(t))
				delete(g.sent, n)
			}
			g.mu.Unlock()
			g.send(fmt.Sprintf(g.ack, n, m.tag("To")))
			g.send(fmt.Sprintf(g.bye, n, m.tag("To")))
		default:
			g.mu.Lock()
			g.bad++
			g.mu.Unlock()
			g.done <- n
		}
	}
}

func (g *loadgen) report(b *testing.B) {
	g.mu.Lock()
	defer g.mu.Unlock()
	slices.Sort(g.took)
	at := func(q float64) float64 {
		if len(g.took) == 0 {
			return 0
		}
		return float64(g.took[int(q*float64(len(g.took)-1))].Microseconds()) / 1000
	}
	b.ReportMetric(at(0.5), "p50-ms")
	b.ReportMetric(at(0.99), "p99-ms")
	b.ReportMetric(float64(g.bad), "failed")
}

func answerAll(ctx context.Context, l *Leg) {
	if l.Answer(ctx) == nil {
		<-l.Done()
	}
}

// BenchmarkS1InviteTo200 is the set-up time at 50 calls a second, open loop, without application work (S1).
func BenchmarkS1InviteTo200(b *testing.B) {
	r := newRig(b, nil, answerAll, loopTrunk())
	g := newLoadgen(b, r.addr)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	b.ResetTimer()
	for i := range b.N {
		<-tick.C
		g.start(i)
	}
	for range b.N {
		<-g.done
	}
	b.StopTimer()
	g.report(b)
}

// inFlight bounds the calls under way in the throughput benchmarks.
const inFlight = 32

func throughput(b *testing.B, g *loadgen) {
	b.Helper()
	cpu := cpuTime()
	b.ResetTimer()
	for i := range b.N {
		if i >= inFlight {
			<-g.done
		}
		g.start(i)
	}
	for range min(b.N, inFlight) {
		<-g.done
	}
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "calls/s")
	b.ReportMetric(float64((cpuTime()-cpu).Microseconds())/float64(b.N), "cpu-us/call")
	g.report(b)
}

// BenchmarkH5 is INVITE-200-ACK-BYE-200 through the whole server, RTP port included, beside sipecho: bare sipgo that
// only answers. Generator and server share the process, so ratios count, not absolutes.
func BenchmarkH5(b *testing.B) {
	b.Run("hotline", func(b *testing.B) {
		r := newRig(b, func(c *Config) { c.MaxCalls = 10000 }, answerAll, loopTrunk())
		throughput(b, newLoadgen(b, r.addr))
	})
	b.Run("sipecho", func(b *testing.B) {
		throughput(b, newLoadgen(b, sipecho(b)))
	})
}

// sipecho answers every INVITE and BYE with 200 and knows nothing else.
func sipecho(b *testing.B) netip.AddrPort {
	b.Helper()
	ua, err := gosipua.NewUA()
	if err != nil {
		b.Fatal(err)
	}
	srv, err := gosipua.NewServer(ua)
	if err != nil {
		b.Fatal(err)
	}
	srv.OnInvite(func(req *gosip.Request, tx gosip.ServerTransaction) {
		res := gosip.NewSDPResponseFromRequest(req, []byte(offer("127.0.0.1", 4000)))
		res.AppendHeader(gosip.NewHeader("Contact", "<sip:echo@127.0.0.1>"))
		_ = tx.Respond(res)
	})
	srv.OnAck(func(*gosip.Request, gosip.ServerTransaction) {})
	srv.OnBye(func(req *gosip.Request, tx gosip.ServerTransaction) {
		_ = tx.Respond(gosip.NewResponseFromRequest(req, 200, "OK", nil))
	})
	c, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		b.Fatal(err)
	}
	_ = c.SetReadBuffer(4 << 20)
	done := make(chan struct{})
	go func() { defer close(done); _ = srv.ServeUDP(c) }()
	b.Cleanup(func() { _ = c.Close(); <-done; _ = ua.Close() })
	return c.LocalAddr().(*net.UDPAddr).AddrPort()
}

// BenchmarkParse reads and judges a plain INVITE.
func BenchmarkParse(b *testing.B) {
	data := []byte("INVITE sip:100@hotline SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1:5060;rport;branch=z9hG4bK1234567\r\nMax-Forwards: 70\r\nFrom: \"A\" <sip:+74951234567@peer>;tag=1\r\n" +
		"To: <sip:100@hotline>\r\nCall-ID: 1234567890@192.0.2.1\r\nCSeq: 1 INVITE\r\nContact: <sip:a@192.0.2.1>\r\nAllow: INVITE, ACK, BYE, CANCEL\r\nSupported: timer\r\nUser-Agent: x\r\n" +
		"Content-Type: application/sdp\r\nContent-Length: 0\r\n\r\n")
	b.ReportAllocs()
	for b.Loop() {
		if _, r := parse(data); r != nil {
			b.Fatal(r)
		}
	}
	runtime.KeepAlive(data)
}
