package program

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"
)

// keep is what outlives single tests; Main makes and removes it.
var keep struct {
	sync.Mutex
	dir    string // of the binary; empty: there is no Main
	shared map[string]*Program
}

// Main runs a package's tests: the program is built once, the shared server is started once and stopped at the end. Call
// it in TestMain.
func Main(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) (code int) {
	dir, err := os.MkdirTemp("", "hotline-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, "make a directory for the tests:", err)
		return 1
	}
	defer os.RemoveAll(dir)
	keep.dir = dir
	code = m.Run()
	for name, p := range keep.shared {
		if err := p.stop(); err != nil {
			fmt.Fprintln(os.Stderr, name, err, p.Log())
			code = 1
		}
	}
	return code
}

// Shared is the server of that name for all tests of a package that do not restart it; the first one starts it, with its
// options. Main has to run the tests.
func Shared(t testing.TB, name string, options ...Option) *Program {
	t.Helper()
	bin := build(t)
	keep.Lock()
	defer keep.Unlock()
	p := keep.shared[name]
	if p == nil {
		data, err := os.MkdirTemp(keep.dir, name+"-")
		if err != nil {
			t.Fatal(err)
		}
		p = &Program{process: &process{bin: bin, data: data, driver: Driver()}, t: t}
		p.open()
		for _, o := range options {
			o(p)
		}
		ctx, stop := context.WithTimeout(context.Background(), time.Minute)
		defer stop()
		p.Start(ctx)
		if keep.shared == nil {
			keep.shared = map[string]*Program{}
		}
		keep.shared[name] = p
	}
	p = p.For(t)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("end of the server's log:\n%s", p.Log())
		}
	})
	return p
}

// Tool finds a program; without it the test says so loudly, and fails in CI.
func Tool(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("%s is not installed: make setup-test", name)
		}
		t.Skipf("TEST DOES NOT RUN: %s is not installed (make setup-test)", name)
	}
	return path
}
