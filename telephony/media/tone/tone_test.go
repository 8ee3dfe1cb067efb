package tone

import (
	"math"
	"testing"
)

func TestAmplitudeFindsWhatGeneratorMakes(t *testing.T) {
	pcm := make([]int16, 3200)
	g := NewGenerator(8000, 0.8, 440, 1000)
	for i := 0; i < len(pcm); i += 160 { // in pieces: no break between them
		g.Fill(pcm[i : i+160])
	}
	for _, c := range []struct{ hz, want float64 }{{440, 0.4}, {1000, 0.4}, {700, 0}, {1500, 0}, {350, 0}} {
		if a := Amplitude(pcm, c.hz, 8000); math.Abs(a-c.want) > 0.005 {
			t.Errorf("%v Hz: %.4f, want %v", c.hz, a, c.want)
		}
	}
}

func TestAmplitudeOfNothing(t *testing.T) {
	if a := Amplitude(nil, 440, 8000); a != 0 {
		t.Errorf("no samples: %v", a)
	}
	if a := Amplitude(make([]int16, 100), 440, 8000); a != 0 {
		t.Errorf("silence: %v", a)
	}
	pcm := []int16{1, 2, 3}
	new(Generator).Fill(pcm)
	if pcm[0] != 0 || pcm[2] != 0 {
		t.Errorf("the zero generator made %v", pcm)
	}
}

func TestCloneGoesItsOwnWay(t *testing.T) {
	g := NewGenerator(8000, 0.5, 440)
	g.Fill(make([]int16, 77))
	c := g.Clone()
	a, b := make([]int16, 50), make([]int16, 50)
	g.Fill(a)
	c.Fill(b)
	for i := range a {
		if a[i] != b[i] {
			t.Fatalf("sample %d: %d and %d", i, a[i], b[i])
		}
	}
}
