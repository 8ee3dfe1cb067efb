package asterisk

import (
	"bytes"
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"hotline/telephony"
	"hotline/telephony/media"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds every wait of the tests; nothing waits so long unless it is broken.
const patience = 15 * time.Second

// rig is a driver with all that it needs.
type rig struct {
	t       testing.TB
	d       *Driver
	reg     *prometheus.Registry
	serve   func(ctx context.Context, l *Leg)
	adopt   func(ctx context.Context, l *Leg) bool
	tune    func(d *Driver) // before the start
	calls   chan *Leg       // legs that were served while serve is nil; size 64
	found   chan *Leg       // legs offered for adoption while adopt is nil; size 64
	states  chan State
	history []State
	mu      sync.Mutex // guards history
	logged  *logBuffer
}

// logBuffer keeps the log for tests that look for what must not be in it.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}
func (l *logBuffer) String() string { l.mu.Lock(); defer l.mu.Unlock(); return l.b.String() }

// newRig makes a driver and starts it. Without set functions calls wait in rig.calls until their test is done with them.
func newRig(t testing.TB, cfg Config, set func(*rig)) *rig {
	t.Helper()
	r := &rig{t: t, reg: prometheus.NewRegistry(), calls: make(chan *Leg, 64), found: make(chan *Leg, 64), states: make(chan State, 256), logged: &logBuffer{}}
	if set != nil {
		set(r)
	}
	ports, err := media.NewPorts(media.PortsConfig{Any: true})
	if err != nil {
		t.Fatal(err)
	}
	pacer := media.NewPacer(media.PacerConfig{Log: slog.New(slog.DiscardHandler)})
	pacer.Start()
	cfg.Sockets, cfg.Pacer, cfg.Library = ports, pacer, media.NewLibrary(media.LibraryConfig{})
	cfg.Log = slog.New(slog.NewTextHandler(r.logged, &slog.HandlerOptions{Level: slog.LevelDebug}))
	cfg.Registerer = r.reg
	cfg.OnState = func(s State) {
		r.mu.Lock()
		r.history = append(r.history, s)
		r.mu.Unlock()
		select {
		case r.states <- s:
		default:
		}
	}
	r.d, err = New(cfg, func(ctx context.Context, l *Leg) {
		if r.serve != nil {
			r.serve(ctx, l)
			return
		}
		r.calls <- l
		<-ctx.Done()
	}, func(ctx context.Context, l *Leg) bool {
		if r.adopt != nil {
			return r.adopt(ctx, l)
		}
		r.found <- l
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
	if r.tune != nil {
		r.tune(r.d)
	}
	if err := r.d.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		now, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), time.Millisecond)
		defer cancel()
		_ = r.d.Stop(now)
		pacer.Close()
		_ = ports.Close()
		if t.Failed() {
			t.Logf("log of the driver:\n%s", r.logged)
		}
	})
	return r
}

// state waits for a state that fits.
func (r *rig) state(ctx context.Context, what string, fits func(State) bool) State {
	r.t.Helper()
	if s := r.d.State(); fits(s) {
		return s
	}
	for {
		select {
		case s := <-r.states:
			if fits(s) {
				return s
			}
		case <-ctx.Done():
			r.t.Fatalf("waiting for %s: the state is %+v", what, r.d.State())
		}
	}
}

func (r *rig) ready(ctx context.Context) State {
	r.t.Helper()
	return r.state(ctx, "readiness", func(s State) bool { return s.Ready })
}

// metric sums a metric over its labels.
func (r *rig) metric(name string) (sum float64) {
	r.t.Helper()
	all, err := r.reg.Gather()
	ok(r.t, err)
	for _, f := range all {
		if f.GetName() == name {
			for _, m := range f.GetMetric() {
				sum += m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
			return sum
		}
	}
	r.t.Fatalf("no metric %s", name)
	return 0
}

// mean of a histogram.
func (r *rig) mean(name string) float64 {
	r.t.Helper()
	all, err := r.reg.Gather()
	ok(r.t, err)
	for _, f := range all {
		if f.GetName() == name {
			h := f.GetMetric()[0].GetHistogram()
			return h.GetSampleSum() / float64(h.GetSampleCount())
		}
	}
	r.t.Fatalf("no metric %s", name)
	return 0
}

// call waits for the next leg served.
func (r *rig) call(ctx context.Context) *Leg { r.t.Helper(); return take(ctx, r.t, "a call", r.calls) }

func take[T any](ctx context.Context, t testing.TB, what string, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-ctx.Done():
		t.Fatalf("waiting for %s: %v", what, context.Cause(ctx))
		panic("unreachable")
	}
}

func over(ctx context.Context, t testing.TB, l *Leg) telephony.End {
	t.Helper()
	select {
	case <-l.Done():
		return l.End()
	case <-ctx.Done():
		t.Fatalf("the leg does not end")
		panic("unreachable")
	}
}

func within(t testing.TB, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), d)
	t.Cleanup(cancel)
	return ctx
}

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// toneOf is a steady tone.
func toneOf(hz float64) telephony.Prompt {
	return telephony.Prompt{Clips: []telephony.Clip{{Tone: &telephony.Tone{Hz: []float64{hz}, Gain: 0.5}}}}
}
