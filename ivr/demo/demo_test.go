package demo_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hotline/ivr"
	"hotline/ivr/demo"
)

func written(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "ivr")
	if err := demo.WriteDemo(dir); err != nil {
		t.Fatal(err)
	}
	return dir
}

// The demo company's queues.
var queues = map[string]bool{"support": true, "billing": true}

func options() ivr.Options {
	return ivr.Options{Queues: queues, Text: true, Now: func() time.Time { return time.Date(2026, 11, 20, 11, 5, 0, 0, time.UTC) }}
}

func TestDemoIsClean(t *testing.T) {
	var out bytes.Buffer
	if code := ivr.CheckCommand(written(t), "text", options(), &out); code != 0 || !strings.HasPrefix(out.String(), "0 errors, 0 warnings, 0 notes") {
		t.Errorf("%d:\n%s", code, out.String())
	}
}

func TestDemoCalls(t *testing.T) {
	var out bytes.Buffer
	args := ivr.TestArgs{Dir: written(t), Cover: 90, Options: options()}
	if code := ivr.TestCommand(args, &out); code != 0 {
		t.Errorf("test calls:\n%s", out.String())
	}
	out.Reset()
	args.Random, args.Seed = 3000, 7
	if code := ivr.TestCommand(args, &out); code != 0 {
		t.Errorf("random calls:\n%s", out.String())
	}
}

// A newcomer always gets through: 100 and 200 are routed, and the calendar is open at any hour of an ordinary week.
func TestNewcomerGetsThrough(t *testing.T) {
	set, probs := ivr.Load(written(t), options())
	if set == nil {
		t.Fatal(probs)
	}
	if r, ok := set.Route("100"); !ok || r.Flow != "hotline" || r.FallbackQueue != "support" {
		t.Errorf("%+v %v", r, ok)
	}
	if r, ok := set.Route("200"); !ok || r.Queue != "support" {
		t.Errorf("%+v %v", r, ok)
	}
	for h := range 7 * 24 {
		if at := options().Now().Add(time.Duration(h) * time.Hour); !set.Open("support", at) {
			t.Errorf("closed at %v", at)
		}
	}
}

// What an operator has changed is left alone.
func TestWriteDemoKeepsFiles(t *testing.T) {
	dir := written(t)
	routes := filepath.Join(dir, "routes.yaml")
	if err := os.WriteFile(routes, []byte("- {number: \"300\", queue: support}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := demo.WriteDemo(dir); err != nil {
		t.Fatal(err)
	}
	if data, _ := os.ReadFile(routes); !strings.Contains(string(data), "300") {
		t.Error("a changed file was overwritten")
	}
}
