package asterisk

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
)

// trunk is one configured trunk. calls outlives a change of its settings.
type trunk struct {
	cfg   Trunk
	calls *atomic.Int32 // live legs
	// unknown says that Asterisk has no endpoint of that name. Calls of another technology come in all the same.
	unknown atomic.Bool
}

// trunkTable is immutable; the driver swaps it whole.
type trunkTable struct {
	byName  map[string]*trunk
	ordered []*trunk
}

// newTrunkTable checks trunks, reporting everything wrong at once, and takes over the counts of old.
func newTrunkTable(list []Trunk, old *trunkTable) (*trunkTable, error) {
	t := &trunkTable{byName: map[string]*trunk{}}
	var errs []error
	for _, c := range list {
		if c.Name == "" || strings.ContainsAny(c.Name, ":/@&,|() \t\r\n") {
			errs = append(errs, fmt.Errorf("trunk %q: the name must be that of an endpoint in Asterisk, without spaces and signs", c.Name))
		}
		if t.byName[c.Name] != nil {
			errs = append(errs, fmt.Errorf("trunk %q: the name is taken twice", c.Name))
			continue
		}
		if c.CallerID != "" && !dialable(c.CallerID) {
			errs = append(errs, fmt.Errorf("trunk %q: caller id must be a plain number", c.Name))
		}
		tr := &trunk{cfg: c, calls: new(atomic.Int32)}
		if o := old.byName[c.Name]; o != nil {
			tr.calls = o.calls
		}
		t.byName[c.Name] = tr
		t.ordered = append(t.ordered, tr)
	}
	return t, errors.Join(errs...)
}

// full reports whether the trunk's own bound is reached.
func (t *trunk) full() bool { return t.cfg.MaxCalls > 0 && int(t.calls.Load()) >= t.cfg.MaxCalls }

// SetTrunks replaces all trunks. Live calls go on. An error changes nothing.
func (d *Driver) SetTrunks(trunks []Trunk) error {
	d.trunkMu.Lock()
	defer d.trunkMu.Unlock()
	t, err := newTrunkTable(trunks, d.trunks.Load())
	if err != nil {
		return fmt.Errorf("set trunks: %w", err)
	}
	d.trunks.Store(t)
	if d.started.Load() {
		d.chore(d.examineTrunks)
	}
	return nil
}

// examineTrunks asks Asterisk whether it has the trunks' endpoints. Without an answer what was known stays.
func (d *Driver) examineTrunks(ctx context.Context) {
	for _, t := range d.trunks.Load().ordered {
		if !t.cfg.Enabled {
			continue
		}
		err := d.rest.ask(ctx, "GET", "/endpoints/PJSIP/"+url.PathEscape(t.cfg.Name), nil, nil, nil)
		switch {
		case err == nil:
			t.unknown.Store(false)
		case noEndpoint(err) && !t.unknown.Swap(true):
			d.log.Warn("a trunk is no endpoint of Asterisk: calls by it do not work; its name must be that of an endpoint in pjsip.conf", "trunk", t.cfg.Name)
		}
	}
}

// noEndpoint tells the missing endpoint from a missing module (res_ari_endpoints), for which ARI has no words.
func noEndpoint(err error) bool {
	s, ok := errors.AsType[*statusError](err)
	return ok && s.Code == http.StatusNotFound && strings.Contains(s.Message, "ndpoint")
}

// Trunks tells how each trunk is, in the order they were set.
func (d *Driver) Trunks() []TrunkState {
	var out []TrunkState
	for _, t := range d.trunks.Load().ordered {
		s := TrunkState{Trunk: t.cfg, Calls: int(t.calls.Load())}
		if t.unknown.Load() {
			s.Problem = "Asterisk has no endpoint PJSIP/" + t.cfg.Name + ": give the trunk the name of a section with type=endpoint in pjsip.conf"
		}
		out = append(out, s)
	}
	return out
}

// endpointOf is the endpoint's name in a channel's: "PJSIP/trunk-a-0000002f" belongs to trunk-a.
func endpointOf(channel string) string {
	_, name, ok := strings.Cut(channel, "/")
	if !ok {
		return ""
	}
	if i := strings.LastIndexByte(name, '-'); i >= 0 {
		name = name[:i]
	}
	return name
}

// dialable reports whether a number may stand in a dial string: nothing that Asterisk would read as more than a number.
func dialable(number string) bool {
	if number == "" || len(number) > 64 {
		return false
	}
	for i := range len(number) {
		c := number[i]
		if (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && !strings.ContainsRune("+*#._-", rune(c)) {
			return false
		}
	}
	return true
}
