package sip

import (
	"context"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"hotline/telephony/media"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds every wait of the tests; nothing waits so long unless it is broken.
const patience = 10 * time.Second

// rig is a real server on loopback.
type rig struct {
	t     testing.TB
	s     *Server
	reg   *prometheus.Registry
	users *fakeUsers
	calls chan *Leg // legs given to onCall when no handler was set; size 64
	addr  netip.AddrPort
	tcp   netip.AddrPort
}

type fakeUsers struct {
	mu    sync.Mutex
	ha1   map[string]string
	asked int
}

func (f *fakeUsers) Credential(_ context.Context, user string) (string, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked++
	h, ok := f.ha1[user]
	return h, ok
}

// loopTrunk admits everything from loopback.
func loopTrunk() Trunk {
	return Trunk{Name: "loop", CIDRs: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")},
		AssertsIdentity: true, Region: "RU", AreaCode: "495", Enabled: true}
}

// newRig starts a server. set may change the configuration; onCall nil hands legs to rig.calls.
func newRig(t testing.TB, set func(*Config), onCall func(context.Context, *Leg), trunks ...Trunk) *rig {
	t.Helper()
	r := &rig{t: t, reg: prometheus.NewRegistry(), calls: make(chan *Leg, 64),
		users: &fakeUsers{ha1: map[string]string{"desk1": md5hex("desk1:hotline:secret"), "desk2": md5hex("desk2:hotline:other")}}}
	if onCall == nil {
		onCall = func(ctx context.Context, l *Leg) {
			r.calls <- l
			<-l.Done()
		}
	}
	cfg := Config{Addr: "127.0.0.1:0", Registerer: r.reg, T1: 250 * time.Millisecond}
	if testing.Verbose() && os.Getenv("SIPLOG") != "" {
		cfg.Log = slog.New(slog.NewTextHandler(os.Stderr, nil))
	}
	if set != nil {
		set(&cfg)
	}
	host, _, _ := net.SplitHostPort(cfg.Addr)
	ports, err := media.NewPorts(media.PortsConfig{IP: netip.MustParseAddr(host), Any: true, Rest: time.Nanosecond})
	if err != nil {
		t.Fatal(err)
	}
	if cfg.Sockets == nil {
		cfg.Sockets = ports
	}
	cfg.Pacer = media.NewPacer(media.PacerConfig{})
	cfg.Pacer.Start()
	cfg.Library = media.NewLibrary(media.LibraryConfig{})
	s, err := New(cfg, r.users, onCall)
	if err != nil {
		t.Fatal(err)
	}
	r.s = s
	if err := s.SetTrunks(trunks); err != nil {
		t.Fatal(err)
	}
	if err := s.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	r.addr, r.tcp = s.Addr()
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel() // no patience: what still lives is cut
		_ = s.Stop(ctx)
		cfg.Pacer.Close()
		if n := r.metric("hotline_sip_panics_total"); n != 0 {
			t.Errorf("%v panics", n)
		}
		if n := s.Calls(); n != 0 {
			t.Errorf("%d calls left", n)
		}
	})
	return r
}

// metric sums a counter or gauge over the label values given.
func (r *rig) metric(name string, labels ...string) float64 {
	all, err := r.reg.Gather()
	if err != nil {
		r.t.Fatal(err)
	}
	sum := 0.0
	for _, mf := range all {
		if mf.GetName() != name {
			continue
		}
		for _, m := range mf.GetMetric() {
			ok := true
			for _, want := range labels {
				found := false
				for _, l := range m.GetLabel() {
					found = found || l.GetValue() == want
				}
				ok = ok && found
			}
			if ok {
				sum += m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
			}
		}
	}
	return sum
}

func (r *rig) leg() *Leg {
	r.t.Helper()
	select {
	case l := <-r.calls:
		return l
	case <-time.After(patience):
		r.t.Fatal("no call came")
		return nil
	}
}

// noLeg checks that no call reached the application. The OPTIONS before it have passed the same goroutine.
func (r *rig) noLeg() {
	r.t.Helper()
	select {
	case l := <-r.calls:
		r.t.Fatalf("a call reached the application: %+v", l.Party())
	default:
	}
}
