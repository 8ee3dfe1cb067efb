// Package arch holds the test of who may know whom (docs/architecture.md, section 2). The linter has the same rules; this
// test runs on any machine and gives the reason of each.
package arch

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

type rule struct {
	from   string   // package, or folder with /...
	never  []string // package, or folder with /...
	except []string // packages of from that may
	why    string
}

var rules = []rule{
	{"hotline/telephony", []string{"hotline/...", "github.com/..."}, nil, "the vocabulary imports only the standard library, so that everybody can share it"},
	{"hotline/tickets/...", []string{"hotline/telephony/...", "hotline/queue/...", "hotline/ivr/...", "hotline/recordings/..."}, nil, "a call reaches the ticket engine as a value, like mail and chat"},
	{"hotline/queue/...", []string{"hotline/tickets/...", "hotline/ivr/...", "hotline/recordings/...", "hotline/telephony/..."}, []string{"=hotline/telephony"}, "domain packages meet in internal/app, which passes values"},
	{"hotline/ivr/...", []string{"hotline/tickets/...", "hotline/queue/...", "hotline/recordings/...", "hotline/telephony/..."}, []string{"=hotline/telephony"}, "domain packages meet in internal/app, which passes values"},
	{"hotline/recordings/...", []string{"hotline/tickets/...", "hotline/queue/...", "hotline/ivr/...", "hotline/telephony/..."}, []string{"=hotline/telephony"}, "domain packages meet in internal/app, which passes values"},
	{"hotline/telephony/sip", []string{"hotline/telephony/webrtc/...", "hotline/telephony/asterisk/...", "hotline/tickets/...", "hotline/queue/...", "hotline/ivr/..."}, nil, "adapters know neither a domain package nor one another"},
	{"hotline/telephony/webrtc", []string{"hotline/telephony/sip/...", "hotline/telephony/asterisk/...", "hotline/tickets/...", "hotline/queue/...", "hotline/ivr/..."}, nil, "adapters know neither a domain package nor one another"},
	{"hotline/telephony/asterisk/...", []string{"hotline/telephony/sip/...", "hotline/telephony/webrtc/...", "hotline/tickets/...", "hotline/queue/...", "hotline/ivr/...", "hotline/recordings/..."}, nil, "adapters know neither a domain package nor one another"},
	{"hotline/telephony/media/...", []string{"hotline/telephony/sip/...", "hotline/telephony/webrtc/...", "hotline/tickets/...", "hotline/queue/..."}, nil, "the audio path knows no signalling"},
	{"hotline/internal/httpapi/...", []string{"hotline/telephony/sip/...", "hotline/telephony/webrtc/...", "hotline/telephony/media/...", "hotline/internal/app/..."}, nil, "handlers never reach an adapter"},
	{"hotline/internal/phone/...", []string{"hotline/telephony/...", "hotline/queue/...", "hotline/tickets/...", "hotline/internal/app/..."}, []string{"=hotline/telephony"}, "the hub of sockets knows neither adapters nor domains: internal/app wires them"},
}

// only says that a library may be imported nowhere but in these packages.
var only = map[string][]string{
	"github.com/emiago/sipgo":         {"hotline/telephony/sip"},
	"github.com/CyCoreSystems/ari/v6": {"hotline/telephony/asterisk"},
	"github.com/pion/webrtc/v4":       {"hotline/telephony/webrtc", "hotline/telephony/telephonytest"},
	"hotline/internal/app":            {"hotline/cmd/hotline", "hotline/internal/e2e"},
}

type pkg struct {
	ImportPath   string
	Imports      []string
	TestImports  []string
	XTestImports []string
}

func list(t *testing.T) []pkg {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Imports,TestImports,XTestImports", "hotline/...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []pkg
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

func matches(path, pattern string) bool {
	if folder, ok := strings.CutSuffix(pattern, "/..."); ok {
		return path == folder || strings.HasPrefix(path, folder+"/")
	}
	return path == pattern
}

func TestWhoMayKnowWhom(t *testing.T) {
	all := list(t)
	for _, r := range rules {
		found := false
		for _, p := range all {
			if !matches(p.ImportPath, r.from) {
				continue
			}
			found = true
			for _, imp := range p.Imports {
				if slices.Contains(r.except, "="+imp) || matches(imp, r.from) {
					continue
				}
				for _, n := range r.never {
					if matches(imp, n) {
						t.Errorf("%s imports %s: %s", p.ImportPath, imp, r.why)
					}
				}
			}
		}
		if !found {
			t.Errorf("rule about %s matches no package: was it renamed?", r.from)
		}
	}
}

func TestLibrariesStayInTheirAdapters(t *testing.T) {
	for _, p := range list(t) {
		for _, imp := range slices.Concat(p.Imports, p.TestImports, p.XTestImports) {
			for lib, where := range only {
				if matches(imp, lib+"/...") && !slices.ContainsFunc(where, func(w string) bool { return matches(p.ImportPath, w+"/...") }) && !matches(p.ImportPath, lib+"/...") {
					t.Errorf("%s imports %s, which belongs to %s", p.ImportPath, imp, strings.Join(where, ", "))
				}
			}
		}
	}
}
