package httpapi_test

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	"hotline/internal/httpapi"
	"hotline/tickets"
)

func TestSoundIsServedInPartsAndEachHearingIsLoggedFirst(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	path := "/recordings/" + itoa(w.recording(anna).ID) + "/audio"
	a := w.do(anna, "GET", path, nil).want(200)
	if string(a.body) != string(wav) || a.head.Get("Content-Type") != "audio/wav" || a.head.Get("Accept-Ranges") != "bytes" || !strings.Contains(a.head.Get("Cache-Control"), "no-store") || a.head.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("%d bytes, %v", len(a.body), a.head)
	}
	if i := slices.Index(w.sounds.order, "log play"); i != 0 {
		t.Errorf("read before it was logged: %v", w.sounds.order)
	}
	for header, part := range map[string]string{"bytes=4-7": string(wav[4:8]), "bytes=400-": string(wav[400:]), "bytes=-5": string(wav[len(wav)-5:])} {
		a := w.do(anna, "GET", path, nil, "Range", header).want(206)
		if string(a.body) != part || a.head.Get("Content-Range") == "" {
			t.Errorf("%s: %q %v", header, a.body, a.head)
		}
	}
	if a := w.do(anna, "GET", path, nil, "Range", "bytes=99999-").want(416); a.head.Get("Content-Range") == "" {
		t.Errorf("%v", a.head)
	}
	if n := len(w.sounds.heard); n != 1 || w.sounds.heard[0].IP != "192.0.2.1" {
		t.Errorf("%d lines for one playback: %+v", n, w.sounds.heard)
	}
	a = w.do(anna, "GET", path+"?download=true", nil).want(200)
	if !strings.HasPrefix(a.head.Get("Content-Disposition"), "attachment") || w.sounds.heard[1].Action != "download" {
		t.Errorf("%v %+v", a.head, w.sounds.heard)
	}
	w.do(lead, "GET", path, nil, "Range", "bytes=100-").want(206) // not from the beginning, and logged all the same
	if n := len(w.sounds.heard); n != 3 {
		t.Errorf("%d lines", n)
	}
	w.do(anna, "HEAD", path, nil).want(200)
	if n := len(w.sounds.heard); n != 3 {
		t.Errorf("%d lines; HEAD is no hearing", n)
	}
	if w.sounds.open != 0 {
		t.Errorf("%d readers are left open", w.sounds.open)
	}
}

func TestWhatCannotBeLoggedIsNotHeard(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	path := "/recordings/" + itoa(w.recording(anna).ID) + "/audio"
	w.sounds.deny = errors.New("the database is away")
	a := w.do(anna, "GET", path, nil).problem(500, "internal")
	if strings.Contains(string(a.body), "RIFF") || strings.Contains(string(a.body), "away") || slices.Contains(w.sounds.order, "read") || w.sounds.open != 0 {
		t.Errorf("%s %v, %d open", a.body, w.sounds.order, w.sounds.open)
	}
	w.sounds.deny = nil
	w.do(anna, "GET", path, nil, "Range", "bytes=4-").want(206)
	if len(w.sounds.heard) != 1 {
		t.Errorf("%+v", w.sounds.heard)
	}
}

// A recording follows its call: when the call moves to a ticket of another team, who hears it moves too. Refusals leave
// no line.
func TestWhoSeesTheCallHearsIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	rec := w.recording(boris)
	path := "/recordings/" + itoa(rec.ID)
	for _, sub := range []string{"/audio", "/peaks"} {
		w.do(anna, "GET", path+sub, nil).problem(404, "not_found")
		w.do(boris, "GET", path+sub, nil).want(200)
	}
	w.do(lead, "POST", "/calls/"+itoa(rec.CallID)+"/move", map[string]any{"ticket": w.ticket(anna).Number}).want(200)
	w.do(anna, "GET", path+"/peaks", nil).want(200)
	list := into[struct{ Data []httpapi.Recording }](w.do(anna, "GET", "/calls/"+itoa(rec.CallID)+"/recordings", nil).want(200))
	if len(list.Data) != 1 || list.Data[0].ID != rec.ID {
		t.Errorf("%+v", list)
	}
	if len(w.sounds.heard) != 1 {
		t.Errorf("%+v", w.sounds.heard)
	}
	// An external agent sees the call, and hears it only when their role says so.
	call := w.call(pat, "", tickets.TrustAsserted)
	w.sounds.of[5] = httpapi.Recording{ID: 5, CallID: call.ID, Kind: "call", State: "ready"}
	w.do(pat, "GET", "/calls/"+call.Key, nil).want(200)
	w.do(pat, "GET", "/recordings/5/audio", nil).problem(404, "not_found")
	w.exec(`UPDATE role SET permissions = permissions || '{recording.read_all}' WHERE key = 'agent'`)
	w.do(pat, "GET", "/recordings/5/audio", nil).want(200)
	w.do(pat, "GET", path+"/audio", nil).problem(404, "not_found")
}

func TestWithoutRecordings(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *httpapi.Config) { c.Recordings = nil })
	call := w.linkedCall(anna)
	if a := w.do(anna, "GET", "/calls/"+call.Key+"/recordings", nil).want(http.StatusOK); !strings.Contains(string(a.body), `"data":[]`) {
		t.Errorf("%s", a.body)
	}
	w.do(anna, "GET", "/recordings/1/audio", nil).problem(404, "not_found")
}
