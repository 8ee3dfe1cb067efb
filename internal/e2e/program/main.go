package program

import (
	"context"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"
)

// keep is what outlives single tests; Main makes and removes it.
var keep struct {
	sync.Mutex
	dir    string // of the binary; empty: there is no Main
	shared *Program
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
	if keep.shared != nil {
		if err := keep.shared.stop(); err != nil {
			fmt.Fprintln(os.Stderr, err, keep.shared.Log())
			return 1
		}
	}
	return code
}

// Shared is the one server of all tests of a package that do not restart it; the first one starts it. Main has to run
// the tests.
func Shared(t testing.TB) *Program {
	t.Helper()
	bin := build(t)
	keep.Lock()
	defer keep.Unlock()
	if keep.shared == nil {
		data, err := os.MkdirTemp(keep.dir, "shared-")
		if err != nil {
			t.Fatal(err)
		}
		p := &Program{process: &process{bin: bin, data: data}, t: t}
		p.open()
		ctx, stop := context.WithTimeout(context.Background(), time.Minute)
		defer stop()
		p.Start(ctx)
		keep.shared = p
	}
	p := keep.shared.For(t)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("end of the server's log:\n%s", p.Log())
		}
	})
	return p
}
