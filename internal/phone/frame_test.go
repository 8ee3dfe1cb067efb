package phone

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestParseFrame(t *testing.T) {
	for in, want := range map[string]string{
		`{"t":"ping"}`:                          "ping//",
		`{"t":"a","id":"1","d":{"x":1},"z":[]}`: `a/1/{"x":1}`,
		`{"t":"a","d":null}`:                    "a//",
	} {
		f, err := parseFrame([]byte(in))
		if got := f.T + "/" + f.ID + "/" + string(f.D); err != nil || got != want {
			t.Errorf("%s: %s, %v", in, got, err)
		}
	}
	for _, in := range []string{``, `[]`, `"x"`, `null`, `{}`, `{"t":1}`, `{"t":""}`, `{"t":"a","id":1}`, `{"t":"a","d":[1]}`,
		`{"t":"a","d":"x"}`, `{"t":"a"} x`, `{"t":"` + strings.Repeat("x", maxType+1) + `"}`,
		`{"t":"a","id":"` + strings.Repeat("x", maxID+1) + `"}`} {
		if f, err := parseFrame([]byte(in)); err == nil {
			t.Errorf("%s: taken as %+v", in, f)
		}
	}
}

func FuzzParseFrame(f *testing.F) {
	for _, s := range []string{`{"t":"hello","id":"1","d":{"tab_id":"x","last_seq":5}}`, `{"t":"media.cand","d":{"epoch":1,"cand":null}}`,
		`{"T":"x","t":"y","d":{}}`, `{"t":"\u0000","id":"\ud800"}`, strings.Repeat(`{"d":`, 100)} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		fr, err := parseFrame(data)
		if err != nil {
			return
		}
		if fr.T == "" || len(fr.T) > maxType || len(fr.ID) > maxID || (fr.D != nil && fr.D[0] != '{') {
			t.Fatalf("taken: %+v", fr)
		}
		var hi hello
		_ = fr.data(&hi)
		_, _ = candidate(fr.D)
		for _, out := range [][]byte{replyFrame(fr.ID, fr.D, nil), replyFrame(fr.ID, nil, refuse(codeForbidden))} {
			if !json.Valid(out) {
				t.Fatalf("answer is no JSON: %s", out)
			}
		}
		if fr.D != nil {
			if out := eventFrame("call.state", 7, true, fr.D); !json.Valid(out) {
				t.Fatalf("event is no JSON: %s", out)
			}
		}
	})
}
