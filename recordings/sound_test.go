package recordings_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"hotline/recordings"
	"hotline/telephony/media"
)

func TestToneInToneOut(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, c := range []struct {
		stored, customer, agent media.Law
	}{{media.PCMA, media.PCMA, media.PCMA}, {media.PCMU, media.PCMU, media.PCMU}, {media.PCMA, media.PCMU, media.PCMA}, {media.PCMU, media.PCMU, media.PCMA}} {
		t.Run(fmt.Sprint(c), func(t *testing.T) {
			rec := r.start(recordings.Start{Call: "tone" + fmt.Sprint(c), MuLaw: c.stored == media.PCMU})
			r.call("tone" + fmt.Sprint(c))
			talk(t, rec, 0, 135, newVoice(c.customer, 1000), newVoice(c.agent, 440)) // 2.7 s
			r.end(rec)
			w := r.waitRow(rec.ID())
			r.kept(w)
			info, _, ch := r.read(w.id)
			if w.state != "ready" || w.ms != 2700 || info.DurationMS != 2700 || len(ch) != 2 || info.Kind != recordings.KindCall {
				t.Fatalf("row %+v, info %+v", w, info)
			}
			for ms := 0; ms < 2700; ms += 100 {
				for i, hz := range []float64{1000, 440} {
					if a := amplitude(c.stored, ch[i], hz, ms, ms+100); a < 0.47 || a > 0.53 {
						t.Errorf("channel %d at %d ms: %v Hz with %.3f", i, ms, hz, a)
					}
					if a := amplitude(c.stored, ch[i], 1440-hz, ms, ms+100); a > 0.01 {
						t.Errorf("channel %d at %d ms hears the other with %.3f", i, ms, a)
					}
				}
			}
		})
	}
}

func TestVoicemailHasOneChannel(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	id := r.call("vm")
	rec := r.start(recordings.Start{Call: "vm", Kind: recordings.KindVoicemail})
	end := talk(t, rec, 0, 60, newVoice(media.PCMA, 700), newVoice(media.PCMA, 440))
	rec.Frame(0, 8, end, []byte{1, 2, 3}) // an odd length is padded in the WAV
	r.end(rec)
	w := r.waitRow(rec.ID())
	info, _, ch := r.read(w.id)
	if len(ch) != 1 || len(ch[0]) != 9603 || info.Channels != 1 || info.Kind != recordings.KindVoicemail {
		t.Fatalf("%d channels, %+v", len(ch), info)
	}
	if a, b := amplitude(media.PCMA, ch[0], 700, 0, 1200), amplitude(media.PCMA, ch[0], 440, 0, 1200); a < 0.47 || b > 0.01 {
		t.Errorf("700 Hz %.3f, 440 Hz %.3f", a, b)
	}
	list, err := r.ForCall(context.Background(), id)
	if err != nil || len(list) != 1 || list[0].ID != w.id || list[0].State != "ready" || list[0].CallID != id {
		t.Errorf("list of the call: %+v, %v", list, err)
	}
}

// TestEverySampleInItsPlace speaks by chance: channels apart, late, in odd pieces, with gaps, and compares with a model.
func TestEverySampleInItsPlace(t *testing.T) {
	t.Parallel()
	const behind = 4800 // a tap places sound half a second before the wall clock, or a tenth after it
	r := newRig(t)
	r.call("place")
	for seed := range uint64(20) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		rec := r.start(recordings.Start{Call: "place"})
		var want [2][]byte
		var pos [2]int64
		for pos[0]+pos[1] < 2*8000*8 {
			ch := 0
			if pos[1] < pos[0] {
				ch = 1
			}
			if rnd.IntN(3) == 0 && pos[1-ch]-pos[ch] < behind { // the one ahead may go on
				ch = 1 - ch
			}
			if pos[ch]-pos[1-ch] > behind {
				ch = 1 - ch
			}
			if rnd.IntN(40) == 0 { // nothing for a while
				pos[ch] += int64(rnd.IntN(3000))
			}
			sound := make([]byte, 1+rnd.IntN(400))
			for i := range sound {
				sound[i] = byte(rnd.Uint32())
			}
			end := int(pos[ch]) + len(sound)
			for len(want[ch]) < end {
				want[ch] = append(want[ch], media.PCMA.Silence())
			}
			copy(want[ch][pos[ch]:], sound)
			rec.Frame(ch, 8, pos[ch], sound)
			rec.Frame(2, 8, pos[ch], sound) // a supervisor is not in the file
			pos[ch] = int64(end)
			keepUp(t, rec)
		}
		r.end(rec)
		_, _, got := r.read(r.waitRow(rec.ID()).id)
		for ch := range want {
			for len(want[ch]) < max(len(want[0]), len(want[1])) {
				want[ch] = append(want[ch], media.PCMA.Silence())
			}
			if !bytes.Equal(got[ch], want[ch]) {
				t.Fatalf("seed %d, channel %d: %d samples, want %d; first difference at %d", seed, ch, len(got[ch]), len(want[ch]), difference(got[ch], want[ch]))
			}
		}
	}
}

func difference(a, b []byte) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return i
		}
	}
	return min(len(a), len(b))
}

func TestOneChannelOnly(t *testing.T) { // the other side sends nothing at all
	t.Parallel()
	r := newRig(t)
	r.call("one")
	for ch := range 2 {
		rec := r.start(recordings.Start{Call: "one"})
		voices := make([]*voice, 2)
		voices[ch] = newVoice(media.PCMA, 500)
		talk(t, rec, 0, 150, voices...)
		r.end(rec)
		_, _, got := r.read(r.waitRow(rec.ID()).id)
		if a := amplitude(media.PCMA, got[ch], 500, 0, 3000); a < 0.47 || len(got[ch]) != 24000 {
			t.Errorf("channel %d: %.3f, %d samples", ch, a, len(got[ch]))
		}
		if !bytes.Equal(got[1-ch], bytes.Repeat([]byte{media.PCMA.Silence()}, 24000)) {
			t.Errorf("channel %d is not silent", 1-ch)
		}
	}
}

func TestLongSilenceAndClockThatWasSet(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.call("gap")
	rec := r.start(recordings.Start{Call: "gap"})
	v := newVoice(media.PCMA, 500)
	step := func(pos int64) { talk(t, rec, pos, 50, v) }
	step(0)
	step(8000 * 301)   // five minutes of silence are as long in the file
	step(8000 * 90000) // a day ahead: the clock was set, the file goes on
	step(8000 * 90001)
	step(8000 * 5) // and back
	step(8000 * 6)
	rec.Frame(0, 8, 8000*6+4000, []byte{1, 2, 3, 4}) // late within what a tap may do
	r.end(rec)
	w := r.waitRow(rec.ID())
	_, _, got := r.read(w.id)
	if w.ms != 306_000 {
		t.Fatalf("%d ms", w.ms)
	}
	for _, s := range []struct {
		from, to int
		loud     bool
	}{{0, 1000, true}, {1000, 301_000, false}, {301_000, 305_400, true}, {305_600, 306_000, true}} {
		if a := amplitude(media.PCMA, got[0], 500, s.from, s.to); (a > 0.4) != s.loud {
			t.Errorf("%d to %d ms: %.3f", s.from, s.to, a)
		}
	}
	if a := got[0][305_500*8 : 305_500*8+4]; !bytes.Equal(a, []byte{1, 2, 3, 4}) {
		t.Errorf("late sound: % x", a)
	}
}

func TestTooLateIsDropped(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.call("late")
	rec := r.start(recordings.Start{Call: "late"})
	talk(t, rec, 0, 100, newVoice(media.PCMA, 500))
	rec.Frame(1, 8, 100, bytes.Repeat([]byte{0x12}, 160))  // its frame is written
	rec.Frame(1, 8, -5, bytes.Repeat([]byte{0x12}, 160))   // nowhere
	rec.Frame(0, 8, 16000, make([]byte, 8000))             // no tap has so much at once
	rec.Frame(-1, 8, 16000, make([]byte, 160))             // no channel
	rec.Frame(1, 8, 7950, bytes.Repeat([]byte{0x34}, 160)) // half of it is in time
	r.end(rec)
	rec.Frame(0, 8, 16000, make([]byte, 160)) // after the end
	rec.Pause("too late")
	rec.Resume()
	w := r.waitRow(rec.ID())
	_, _, got := r.read(w.id)
	if w.ms != 2000 || bytes.IndexByte(got[1], 0x12) >= 0 || bytes.Count(got[1], []byte{0x34}) != 110 || w.paused != "[]" {
		t.Errorf("%+v: early sound at %d, %d samples in time", w, bytes.IndexByte(got[1], 0x12), bytes.Count(got[1], []byte{0x34}))
	}
}

func TestNoSoundAtAll(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.call("mute")
	rec := r.start(recordings.Start{Call: "mute"})
	r.end(rec)
	r.end(rec)
	w := r.waitRow(rec.ID())
	if w.state != "failed" || w.failed != "no sound came" || w.ms != 0 {
		t.Errorf("%+v", w)
	}
	info, all, _ := r.read(w.id)
	if info.DurationMS != 0 || len(all) != 58 {
		t.Errorf("%d bytes, %+v", len(all), info)
	}
}

func TestRangesEqualTheWhole(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.call("range")
	rec := r.start(recordings.Start{Call: "range"})
	talk(t, rec, 0, 133, newVoice(media.PCMA, 500), newVoice(media.PCMU, 900))
	r.end(rec)
	w := r.waitRow(rec.ID())
	_, all, _ := r.read(w.id)
	f, info, err := r.Open(context.Background(), w.id)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 500 {
		from := rnd.IntN(len(all) + 1)
		to := from + rnd.IntN(len(all)-from+1)
		offset, whence := int64(from), io.SeekStart
		switch rnd.IntN(3) {
		case 1:
			offset, whence = int64(from-len(all)), io.SeekEnd
		case 2:
			at, _ := f.Seek(0, io.SeekCurrent)
			offset, whence = int64(from)-at, io.SeekCurrent
		}
		if at, err := f.Seek(offset, whence); err != nil || at != int64(from) {
			t.Fatalf("seek to %d: %d, %v", from, at, err)
		}
		got := make([]byte, to-from)
		if _, err := io.ReadFull(f, got); err != nil || !bytes.Equal(got, all[from:to]) {
			t.Fatalf("%d to %d: %v", from, to, err)
		}
	}
	if _, err := f.Seek(-1, io.SeekStart); err == nil {
		t.Error("seek before the beginning")
	}
	if _, err := f.Seek(0, 7); err == nil {
		t.Error("seek from nowhere")
	}
	req := httptest.NewRequest("GET", "/", nil)
	req.Header.Set("Range", "bytes=10000-20000")
	answer := httptest.NewRecorder()
	http.ServeContent(answer, req, "a.wav", info.ModTime, f)
	if answer.Code != 206 || !bytes.Equal(answer.Body.Bytes(), all[10000:20001]) || info.ModTime.IsZero() || time.Since(info.ModTime) > time.Hour {
		t.Errorf("range by HTTP: %d, %d bytes, %v", answer.Code, answer.Body.Len(), info.ModTime)
	}
}

// TestHeardWhileItGrows opens the recording again and again while it is made; what was there stays as it was.
func TestHeardWhileItGrows(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	id := r.call("grow")
	rec := r.start(recordings.Start{Call: "grow"})
	w := r.waitRow(rec.ID(), "recording")
	stop, spoken := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(spoken)
		v, u := newVoice(media.PCMA, 500), newVoice(media.PCMA, 800)
		for pos := int64(0); pos < 60*8000; {
			select {
			case <-stop:
				return
			default:
				pos = talk(t, rec, pos, 5, v, u)
			}
		}
	}()
	var before [][]byte
	for range 20 {
		_, _, got := r.read(w.id)
		if before != nil && (!bytes.HasPrefix(got[0], before[0]) || !bytes.HasPrefix(got[1], before[1])) {
			t.Error("what was heard has changed")
		}
		before = got
	}
	close(stop)
	<-spoken
	r.end(rec)
	r.waitRow(rec.ID())
	_, _, got := r.read(w.id)
	if !bytes.HasPrefix(got[0], before[0]) || len(before[0]) == 0 {
		t.Errorf("%d samples while it grew, %d in the end", len(before[0]), len(got[0]))
	}
	if list, err := r.ForCall(context.Background(), id); err != nil || len(list) != 1 {
		t.Errorf("%+v, %v", list, err)
	}
}

func TestLawTables(t *testing.T) {
	t.Parallel()
	for _, law := range []media.Law{media.PCMA, media.PCMU} {
		for code := range 256 {
			var want, other [1]int16
			law.Decode(want[:], []byte{byte(code)})
			if got := recordings.Linear(byte(law), byte(code)); got != want[0] {
				t.Fatalf("%v %#x is %d, not %d", law, code, got, want[0])
			}
			(8 - law).Decode(other[:], []byte{recordings.Convert(byte(law), byte(code))})
			if d := int(other[0]) - int(want[0]); max(d, -d) > max(16, int(max(want[0], -want[0]))/32) {
				t.Errorf("%v %#x (%d) becomes %d", law, code, want[0], other[0])
			}
		}
	}
}
