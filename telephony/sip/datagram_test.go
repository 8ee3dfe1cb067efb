package sip

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	gosip "github.com/emiago/sipgo/sip"
)

// seeds are the torture messages and one plain call.
func seeds(tb testing.TB) [][]byte {
	files, err := filepath.Glob("testdata/torture/*/*.dat")
	if err != nil || len(files) != 61 {
		tb.Fatalf("%d torture messages, %v", len(files), err)
	}
	var out [][]byte
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			tb.Fatal(err)
		}
		out = append(out, b)
	}
	return out
}

// FuzzDatagram reads anything without panic, bounded, and answers it in a form that is SIP/2.0 whatever came.
func FuzzDatagram(f *testing.F) {
	for _, b := range seeds(f) {
		f.Add(b)
	}
	from := netip.MustParseAddrPort("127.0.0.1:4000")
	f.Fuzz(func(t *testing.T, data []byte) {
		m, r := parse(data)
		if m == nil {
			if r == nil || r.code != 0 {
				t.Fatal("nothing read, yet something to answer")
			}
			return
		}
		if len(m.fields) > maxFields || len(m.body) > maxBody {
			t.Fatal("bounds")
		}
		if !m.request() {
			return
		}
		if r == nil {
			if len(m.vias) == 0 || m.callID == "" || m.cseqMethod != m.method {
				t.Fatalf("accepted without what everything depends on: %+v", m)
			}
			_, _ = identity(m, true), identity(m, false)
			_, _ = diversions(m), serverKey(m, m.method)
			_ = m.sdp()
		}
		b := encode(responseTo(m, from, 400, "", "tag"), "", nil)
		if !bytes.HasPrefix(b, []byte("SIP/2.0 400 Bad Request\r\n")) || bytes.Count(b, []byte("\r\n\r\n")) != 1 {
			t.Fatalf("answer %q", b)
		}
		var u gosip.Uri
		if r == nil && m.target.kind == uriSIP && gosip.ParseUri(m.uri, &u) != nil {
			t.Logf("accepted, but sipgo reads less: %q", m.uri)
		}
	})
}

// FuzzStream cuts anything into frames; how the bytes arrive must not matter.
func FuzzStream(f *testing.F) {
	for _, b := range seeds(f) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		size, r := frame(data)
		if r != nil && size != 0 || size < 0 {
			t.Fatalf("size %d with %+v", size, r)
		}
		if size > 0 && size <= len(data) {
			again, _ := frame(data[:size])
			if again != size {
				t.Fatalf("%d, then %d", size, again)
			}
		}
	})
}

// TestAllocationBound: what a datagram makes us allocate is bounded by its size (R4).
func TestAllocationBound(t *testing.T) {
	inputs := seeds(t)
	inputs = append(inputs,
		bytes.Repeat([]byte("a"), 60000),
		[]byte("INVITE sip:a SIP/2.0\r\n"+strings.Repeat("a:b\r\n", 6000)+"\r\n"),
		[]byte("INVITE sip:a SIP/2.0\r\nVia: "+strings.Repeat("SIP/2.0/UDP a,", 2000)+"\r\n\r\n"),
		[]byte("INVITE sip:a SIP/2.0\r\nContact: "+strings.Repeat("<sip:a>;a;b;c,", 2000)+"\r\n\r\n"),
		[]byte("INVITE sip:a SIP/2.0\r\n"+strings.Repeat("Accept: "+strings.Repeat("x/y,", 100)+"\r\n", 50)+"\r\n"),
		[]byte("INVITE sip:a SIP/2.0\r\nCSeq: 1 "+strings.Repeat("M", 1024)+"\r\n\r\n"),
		[]byte("INVITE sip:a SIP/2.0\r\nContent-Length: 4294967296\r\n\r\n"),
		[]byte("INVITE sip:a SIP/2.0\r\nX: a"+strings.Repeat("\r\n b", 8000)+"\r\n\r\n"))
	for _, data := range inputs {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, _ = parse(data)
		runtime.ReadMemStats(&after)
		if got, limit := after.TotalAlloc-before.TotalAlloc, uint64(32*len(data)+64<<10); got > limit {
			t.Errorf("%d bytes allocated for %d: %.60q", got, len(data), data)
		}
	}
}

// TestAnomalies sends thousands of broken INVITEs over UDP and TCP, pings in between, and wants the goroutines back
// (R3).
func TestAnomalies(t *testing.T) {
	r := newRig(t, nil, nil, loopTrunk())
	u, ping := r.ua(), r.ua()
	base := u.request("INVITE", "sip:100@hotline", "<sip:100@hotline>", "anomaly1", 1, "z9hG4bKa", "", offer("127.0.0.1", 4000))
	lines := strings.Split(base, "\r\n")
	bad := []string{"", "\x00", strings.Repeat("A", 3000), "%00%n%s", "<>\"", ";;,,", "\xff\xfe", "-1", "4294967296", "SIP/7.0 "}
	ping.ping()
	before := runtime.NumGoroutine()
	sent := 0
	for i := range lines[:9] {
		for _, b := range bad {
			for _, at := range []int{0, len(lines[i]) / 3, len(lines[i]) / 2, len(lines[i])} {
				l := append([]string(nil), lines...)
				l[i] = l[i][:at] + b + l[i][at:]
				l[5] = "Call-ID: " + fmt.Sprint("anomaly", sent) // each its own call, except where it is the broken line
				if i == 5 {
					l[5] = lines[5][:min(at, len(lines[5]))] + b
				}
				u.send(strings.Join(l, "\r\n"))
				if sent++; sent%50 == 0 {
					began := time.Now()
					ping.ping()
					if d := time.Since(began); d > 2*time.Second {
						t.Errorf("ping took %v", d)
					}
				}
			}
		}
	}
	for {
		m := u.recv(50 * time.Millisecond)
		if m == nil {
			break
		}
		if !strings.HasPrefix(m.start, "SIP/2.0 ") && m.method() != "BYE" {
			t.Fatalf("answered %q", m.start)
		}
	}
	for drained := false; !drained; { // harmless ones did call: hang up
		select {
		case l := <-r.calls:
			l.Hangup("busy")
			<-l.Done()
		default:
			drained = true
		}
	}
	ping.ping()
	waitFor(t, func() bool { return runtime.NumGoroutine() <= before+2 })
}

// TestSlowPeers: who stalls inside a message, idles as a stranger or announces gigabytes is cut off; others notice
// nothing (R6).
func TestSlowPeers(t *testing.T) {
	r := newRig(t, func(c *Config) { c.stall, c.idle = 100*time.Millisecond, 150*time.Millisecond }, nil,
		Trunk{Name: "far", CIDRs: []netip.Prefix{netip.MustParsePrefix("127.0.0.2/32")}, Enabled: true})
	gone := func(u *ua, what string) {
		t.Helper()
		u.closed(what)
	}
	idle := r.tcpUA()
	half := r.tcpUA()
	half.send("OPTIONS sip:a SIP/2.0\r\nVia: SIP")
	drip := r.tcpUA()
	stop := make(chan struct{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-stop:
				return
			case <-time.After(20 * time.Millisecond):
				if _, err := drip.tcp.Write([]byte("O")); err != nil {
					return
				}
			}
		}
	}()
	huge := r.tcpUA()
	huge.send("OPTIONS sip:a SIP/2.0\r\nVia: SIP/2.0/TCP a;branch=z9hG4bK1\r\nContent-Length: 4294967295\r\n\r\n")
	endless := r.tcpUA()
	go func() { _, _ = endless.tcp.Write(bytes.Repeat([]byte("X-A: b\r\n"), 8000)) }()
	for what, u := range map[string]*ua{"idle": idle, "half": half, "drip": drip, "huge": huge, "endless": endless} {
		gone(u, what)
	}
	close(stop)
	<-done
	var all []*ua
	for range maxConnsSource {
		all = append(all, r.tcpUA())
	}
	gone(r.tcpUA(), "one too many")
	if r.uaFrom("127.0.0.2").ping().code() != 200 {
		t.Error("UDP suffers")
	}
	for _, u := range all {
		_ = u.tcp.Close()
	}
	waitFor(t, func() bool { return r.metric("hotline_sip_tcp_connections") == 0 })
}

// closed wants the server to have closed the connection, without another word.
func (u *ua) closed(what string) {
	u.t.Helper()
	_ = u.tcp.SetReadDeadline(time.Now().Add(patience))
	b := make([]byte, 100)
	n, err := u.tcp.Read(b)
	if n > 0 || err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		u.t.Errorf("%s: still open: %q, %v", what, b[:n], err)
	}
}

func TestStreamPing(t *testing.T) {
	r := newRig(t, nil, nil, loopTrunk())
	u := r.tcpUA()
	u.send("\r\n\r\n")
	b := make([]byte, 2)
	_ = u.tcp.SetReadDeadline(time.Now().Add(patience))
	if _, err := u.tcp.Read(b); err != nil || string(b) != "\r\n" {
		t.Fatalf("pong %q, %v", b, err)
	}
	u.ping()
}
