package telephonytest_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"hotline/internal/phone"
	"hotline/telephony/media"
	. "hotline/telephony/telephonytest"
	"hotline/telephony/webrtc"
)

// office is the hub and the media server behind one HTTP server, with one customer in a talk with agent1.
type office struct {
	hub   *phone.Hub
	sound *webrtc.Server
	url   string
}

// officeDesk answers every command with the command's own data; a call.hold holds.
type officeDesk struct{ room *media.Room }

func (d *officeDesk) Snapshot(_ context.Context, who phone.Who) (any, error) {
	return map[string]any{"agent": map[string]any{"login": who.Login}, "calls": []any{}}, nil
}

func (d *officeDesk) Command(_ context.Context, _ phone.Who, t string, data json.RawMessage) (any, error) {
	var c struct{ On bool }
	switch _ = json.Unmarshal(data, &c); t {
	case "call.hold":
		return nil, d.room.SetHold(c.On)
	case "call.reject":
		return nil, &phone.Error{Code: "wrong_state", State: "talking", Text: map[string]string{"ru": "нет", "en": "no"}}
	}
	return data, nil
}

func (d *officeDesk) Presence(string, bool, int, bool) {}

func newOffice(t *testing.T, lost time.Duration) (*office, *Audio) {
	t.Helper()
	pacer := media.NewPacer(media.PacerConfig{})
	pacer.Start()
	t.Cleanup(pacer.Close)
	sound, err := webrtc.New(webrtc.Config{Addr: "127.0.0.1:0", Pacer: pacer})
	if err == nil {
		err = sound.Start(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	room := media.NewRoom(media.RoomConfig{Pacer: pacer})
	hub := phone.NewHub(phone.Config{Media: sound, Desk: &officeDesk{room}, Lost: lost, Authenticate: func(r *http.Request) (phone.Who, error) {
		c, err := r.Cookie("session")
		if err != nil {
			return phone.Who{}, errors.New("no cookie")
		}
		return phone.Who{Login: c.Value, Roles: []string{"agent"}}, nil
	}})
	srv := httptest.NewServer(hub)
	ports, err := media.NewPorts(media.PortsConfig{IP: netip.MustParseAddr("127.0.0.1"), Any: true})
	if err != nil {
		t.Fatal(err)
	}
	sock, err := ports.Open()
	if err != nil {
		t.Fatal(err)
	}
	ep := media.NewEndpoint(media.EndpointConfig{Name: "customer", Transport: sock, Law: media.PCMA, EventPT: 101, Pacer: pacer})
	sock.Bind(ep)
	customer, remote := NewTestAudio(t)
	if err := sock.SetRemote(remote); err != nil {
		t.Fatal(err)
	}
	customer.SetTestRemote(sock.LocalAddr())
	for e, role := range map[*media.Endpoint]media.Role{ep: media.Customer, sound.Phone("agent1").Endpoint(): media.Agent} {
		if err := room.Join(e, role); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		room.Close()
		if err := errors.Join(hub.Shutdown(ctx, 0), sound.Stop(ctx)); err != nil {
			t.Error(err)
		}
		srv.Close()
		ep.Close()
		sock.Close()
		ports.Close()
	})
	return &office{hub, sound, srv.URL}, customer
}

func (o *office) agent(t *testing.T, ctx context.Context, tab string, hz float64) *Agent {
	t.Helper()
	a, err := NewAgent(ctx, AgentConfig{URL: o.url, Cookies: []*http.Cookie{{Name: "session", Value: "agent1"}}, Tab: tab, Tone: hz,
		Ping: 50 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.Close)
	return a
}

// TestAgentReloadsInATalk is acceptance test 1 of agent-desk without an application around it.
func TestAgentReloadsInATalk(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	o, customer := newOffice(t, 0)
	customer.Tone(1000)
	a := o.agent(t, ctx, "tab1", 440)
	if err := a.StartShift(ctx); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(customer.Hears(ctx, []float64{440}, nil), a.Hears(ctx, []float64{1000}, []float64{440})); err != nil {
		t.Fatal(err)
	}
	customer.ResetGap()
	for range 3 {
		if err := a.Reload(ctx); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(customer.Hears(ctx, []float64{440}, nil), a.Hears(ctx, []float64{1000}, nil)); err != nil {
			t.Fatal(err)
		}
	}
	if gap := customer.Gap(); gap > 1500*time.Millisecond {
		t.Errorf("a reload cost the customer %v", gap)
	} else {
		t.Logf("longest gap of three reloads: %v", gap)
	}
	if a.Epoch() != 4 || o.sound.Phone("agent1").Epoch() != 4 {
		t.Errorf("epoch %d, want 4", a.Epoch())
	}
	customer.ResetGap()
	if err := a.ReconnectSocket(ctx); err != nil {
		t.Fatal(err)
	}
	if err := customer.Hears(ctx, []float64{440}, nil); err != nil {
		t.Error(err)
	}
	if gap := customer.Gap(); gap > 200*time.Millisecond {
		t.Errorf("a lost socket cost %v of sound", gap)
	}
	if err := a.RestartICE(ctx); err != nil {
		t.Error(err)
	}
	if err := errors.Join(a.Hold(ctx, "c", true), customer.Hears(ctx, nil, []float64{440}),
		a.Hold(ctx, "c", false), customer.Hears(ctx, []float64{440}, nil)); err != nil {
		t.Error("hold and back:", err)
	}
	var refused *AgentError
	if err := a.Reject(ctx, "c"); !errors.As(err, &refused) || refused.Code != "wrong_state" || refused.Text["ru"] == "" {
		t.Errorf("refusal: %v", err)
	}
}

func TestTakeOverByAnotherTab(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	o, customer := newOffice(t, 0)
	one := o.agent(t, ctx, "tab1", 440)
	if err := one.Attach(ctx); err != nil {
		t.Fatal(err)
	}
	two := o.agent(t, ctx, "tab2", 700)
	var refused *AgentError
	if err := two.Attach(ctx); !errors.As(err, &refused) || refused.Code != "not_owner" {
		t.Errorf("second tab attached: %v", err)
	}
	if _, err := two.Request(ctx, "tab.claim", map[string]any{"steal": true}); err != nil {
		t.Fatal(err)
	}
	if err := two.Attach(ctx); err != nil {
		t.Fatal(err)
	}
	if e, err := one.WaitEvent(ctx, "media.superseded", nil); err != nil || !strings.Contains(string(e.Data), "tab2") {
		t.Errorf("old tab: %v %s", err, e.Data)
	}
	if err := customer.Hears(ctx, []float64{700}, []float64{440}); err != nil {
		t.Error(err)
	}
	if err := one.Sound().Down(ctx); err != nil {
		t.Error(err)
	}
	o.hub.Send("agent1", "call.offer", map[string]any{"call": "c9"})
	if call, _, err := two.WaitOffer(ctx); err != nil || call != "c9" {
		t.Errorf("offer: %q %v", call, err)
	}
	o.hub.Send("agent1", "call.state", map[string]any{"call": "c9", "state": "talking"})
	if _, err := two.WaitCall(ctx, "c9", "talking"); err != nil {
		t.Error(err)
	}
}

func TestFrozenPageIsLost(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	o, _ := newOffice(t, 400*time.Millisecond)
	a := o.agent(t, ctx, "tab1", 440)
	if err := a.Attach(ctx); err != nil {
		t.Fatal(err)
	}
	a.Freeze(true)
	if code, err := a.Closed(ctx); err != nil || code != 4408 {
		t.Errorf("closed with %d, %v", code, err)
	}
	if _, err := a.Request(ctx, "call.mute", nil); err == nil {
		t.Error("a request went through a closed socket")
	}
}
