package recordings_test

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"testing"

	"hotline/recordings"
	"hotline/telephony/media"
)

// secret is what is said in a pause. Nothing else sounds like it.
const secret = 0x2A

func TestPauseLeavesNothing(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.call("pause")
	rec := r.start(recordings.Start{Call: "pause"})
	v := newVoice(media.PCMA, 1000)
	pos := talk(t, rec, 0, 100, v, v) // 2 s
	rec.Pause("card data")
	rec.Pause("again")
	r.waitRow(rec.ID(), "paused")
	card := bytes.Repeat([]byte{secret}, 160)
	for range 150 { // 3 s
		rec.Frame(0, 8, pos, card)
		rec.Frame(1, 0, pos, card)
		pos += 160
		keepUp(t, rec)
	}
	rec.Resume()
	rec.Resume()
	rec.Frame(0, 8, pos-300, card)                        // came late
	rec.Frame(1, 8, pos-recordings.Slack+4000, card)      // the latest that a tap gives
	rec.Frame(0, 8, pos, bytes.Repeat([]byte{0x3B}, 160)) // was under way when the pause ended
	r.waitRow(rec.ID(), "recording")
	talk(t, rec, pos+160, 149, v, v) // 3 s
	r.end(rec)
	w := r.waitRow(rec.ID())
	if w.paused != "[[2000, 5750]]" || w.ms != 8000 {
		t.Errorf("%+v", w)
	}
	_, _, got := r.read(w.id)
	for ch := range got {
		quiet := bytes.Repeat([]byte{media.PCMA.Silence()}, 3750*8)
		if !bytes.Equal(got[ch][2000*8:5750*8], quiet) {
			t.Errorf("channel %d: the pause is not silent", ch)
		}
		if a, b := amplitude(media.PCMA, got[ch], 1000, 0, 2000), amplitude(media.PCMA, got[ch], 1000, 5800, 8000); a < 0.4 || b < 0.4 {
			t.Errorf("channel %d: %.3f before and %.3f after the pause", ch, a, b)
		}
	}
}

func TestPauseUntilTheEnd(t *testing.T) { // resume was lost
	t.Parallel()
	r := newRig(t)
	r.call("lost")
	rec := r.start(recordings.Start{Call: "lost"})
	rec.Pause("from the beginning")
	v := newVoice(media.PCMA, 1000)
	talk(t, rec, 0, 100, v, v)
	r.end(rec)
	w := r.waitRow(rec.ID())
	_, _, got := r.read(w.id)
	if w.paused != "[[0, 2000]]" || !bytes.Equal(got[0], bytes.Repeat([]byte{media.PCMA.Silence()}, 16000)) {
		t.Errorf("%+v, %d samples", w, len(got[0]))
	}
}

// TestNoSampleOfAPause lets people speak in real time's order: each sample is said at an instant, comes later by a
// network's whim and is placed as a tap places it. What was said in a pause is secret, on both channels.
func TestNoSampleOfAPause(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.call("chance")
	for seed := range uint64(30) {
		rnd := rand.New(rand.NewPCG(seed, 9))
		rec := r.start(recordings.Start{Call: "chance"})
		const frames = 1000 // 20 s
		inPause, on := make([]bool, frames+50), false
		var lag, off [2]int // frames under way; samples that the tap places before the wall clock
		var turns [][2]int
		for now := range frames {
			if rnd.IntN(60) == 0 {
				if on = !on; on {
					rec.Pause("chance")
					turns = append(turns, [2]int{now, frames})
				} else {
					rec.Resume()
					turns[len(turns)-1][1] = now
				}
			}
			inPause[now] = on
			for ch := range 2 {
				if rnd.IntN(100) == 0 {
					lag[ch] = rnd.IntN(10) // 200 ms
				}
				if rnd.IntN(100) == 0 {
					off[ch] = rnd.IntN(4800) - 800
				}
				said := now - lag[ch]
				if said < 0 || rnd.IntN(50) == 0 { // lost
					continue
				}
				b := byte(0x3B)
				if inPause[said] {
					b = secret
				}
				if pos := int64(now*160 - off[ch]); pos >= 0 {
					rec.Frame(ch, 8, pos, bytes.Repeat([]byte{b}, 160))
				}
			}
			keepUp(t, rec)
		}
		r.end(rec)
		w := r.waitRow(rec.ID())
		_, _, got := r.read(w.id)
		for ch := range got {
			if at := bytes.IndexByte(got[ch], secret); at >= 0 {
				t.Fatalf("seed %d: channel %d has a sample of a pause at %d ms; pauses (frames) %v, row %s", seed, ch, at/8, turns, w.paused)
			}
			if n := bytes.Count(got[ch], []byte{0x3B}); n == 0 && len(turns) > 0 && turns[0][0] > 60 {
				t.Errorf("seed %d: channel %d has nothing at all", seed, ch)
			}
		}
		var list [][2]int
		if err := json.Unmarshal([]byte(w.paused), &list); err != nil {
			t.Fatal(err)
		}
		for i, p := range list {
			if p[0] > p[1] || p[1] > w.ms || i > 0 && p[0] <= list[i-1][1] {
				t.Errorf("seed %d: pauses %v of %d ms", seed, list, w.ms)
			}
		}
	}
}
