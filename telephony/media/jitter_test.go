package media

import (
	"fmt"
	"strings"
	"testing"
)

// TestJitterBuffer runs scripts: a letter is a packet of 20 ms with that letter's number times 160 as timestamp, "." is
// the mixer taking a frame. What the mixer hears: the letter, "_" for nothing, lower case for a concealed frame.
func TestJitterBuffer(t *testing.T) {
	for _, c := range []struct{ name, script, heard string }{
		{"even", "A.B.C.D.E.", "__ABC"},
		{"two late, made up by the reserve", "A.B.C...DEF...", "__ABCDEF"},
		{"swapped", "A.C.B.D.E.", "__ABC"},
		{"lost: the frame before, fainter, then on", "A.B.D.E.F.G.", "__ABbD"},
		{"straggler whose place is gone", "A.B.D.E.F.C.G.", "__ABbDE"},
		{"runs dry, goes on late, gets a new reserve", "A......C.D.E.F.", "__Aaaa__CD"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := playScript(c.script); got != c.heard {
				t.Errorf("heard %q, want %q", got, c.heard)
			}
		})
	}
}

func playScript(script string) string {
	j := newJitter()
	var heard strings.Builder
	var pcm, last [frameSamples]int16
	payload := make([]byte, frameSamples)
	names := map[int16]byte{}
	for _, r := range []byte(script) {
		if r != '.' {
			for i := range payload {
				payload[i] = 0x80 + r - 'A' // loud, and different for each letter
			}
			names[expandU[payload[0]]] = r
			j.put(PCMU, 7, uint32(r-'A')*frameSamples+90000, payload)
			continue
		}
		switch ok := j.take(&pcm); {
		case !ok:
			heard.WriteByte('_')
		case names[pcm[0]] != 0:
			heard.WriteByte(names[pcm[0]])
			last = pcm
		case pcm[0] != 0 && pcm[0] < last[0]:
			heard.WriteByte(names[last[0]] + 'a' - 'A')
		default:
			fmt.Fprintf(&heard, "?%d?", pcm[0])
		}
	}
	return heard.String()
}

// TestJitterKeepsDelayDown fills the buffer with a burst and wants the delay back at 60 ms within seconds.
func TestJitterKeepsDelayDown(t *testing.T) {
	j := newJitter()
	ts, payload := uint32(0), make([]byte, frameSamples)
	put := func() {
		j.put(PCMA, 7, ts, payload)
		ts += frameSamples
	}
	for range 12 {
		put()
	}
	var pcm [frameSamples]int16
	for range 20 * depthWindow {
		put()
		j.take(&pcm)
	}
	if depth := int32(j.end - j.next); depth > depthHigh+frameSamples {
		t.Errorf("%d ms are still waiting", depth/8)
	}
}

// TestJitterSurvivesJumps throws timestamps about: no panic, and it finds back.
func TestJitterSurvivesJumps(t *testing.T) {
	j := newJitter()
	var pcm [frameSamples]int16
	payload := make([]byte, 1400)
	for i, ts := range []uint32{0, 1 << 31, 5, 0xffffffff, 0xfffffff0, 100000, 99999, 4000, 1 << 30} {
		for _, n := range []int{1, 80, 160, 480, 1024, 1400} {
			j.put(Law(i%2*8), uint32(i%3), ts, payload[:n])
			j.take(&pcm)
		}
	}
	for i := range uint32(10) {
		for k := range payload {
			payload[k] = 0x80
		}
		j.put(PCMU, 9, i*frameSamples, payload[:frameSamples])
		j.take(&pcm)
	}
	if pcm[0] != expandU[0x80] {
		t.Errorf("hears %d", pcm[0])
	}
}
