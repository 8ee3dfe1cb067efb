package media

import (
	"context"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"hotline/telephony"
	"hotline/telephony/media/tone"
)

func loaded(t testing.TB, l *Library, path string) []int16 {
	t.Helper()
	s, err := l.load(context.Background(), path)
	if err != nil {
		t.Fatal(err)
	}
	if len(s.mu) != len(s.a) {
		t.Fatalf("%d samples in mu-law, %d in A-law", len(s.mu), len(s.a))
	}
	pcm := make([]int16, len(s.a))
	PCMA.Decode(pcm, s.a)
	return pcm
}

// TestLibraryReads plays every kind of file we promise and listens.
func TestLibraryReads(t *testing.T) {
	l := NewLibrary(LibraryConfig{})
	for _, rate := range []int{8000, 11025, 16000, 22050, 32000, 44100, 48000} {
		for channels := 1; channels <= 2; channels++ {
			pcm := loaded(t, l, wavFile(t, "x.wav", wavPCM, channels, rate, sine(1000, rate, channels, 500*time.Millisecond)))
			if len(pcm) < 3990 || len(pcm) > 4000 {
				t.Errorf("%d Hz, %d channels: %d samples, want 4000", rate, channels, len(pcm))
			}
			if a := tone.Amplitude(pcm[400:3600], 1000, 8000); a < 0.49 || a > 0.51 {
				t.Errorf("%d Hz, %d channels: amplitude %.3f", rate, channels, a)
			}
		}
	}
	for _, law := range []struct {
		tag int
		law Law
	}{{wavALaw, PCMA}, {wavMuLaw, PCMU}} {
		g, pcm := tone.NewGenerator(8000, 0.5, 1000), make([]int16, 4000)
		g.Fill(pcm)
		data := make([]byte, len(pcm))
		law.law.Encode(data, pcm)
		got := loaded(t, l, wavFile(t, "x.wav", law.tag, 1, 8000, data))
		if a := tone.Amplitude(got, 1000, 8000); a < 0.49 || a > 0.51 {
			t.Errorf("%v: amplitude %.3f", law.law, a)
		}
	}
}

// TestResampleKeepsSpeechAndDropsTheRest sweeps tones through the low-pass.
func TestResampleKeepsSpeechAndDropsTheRest(t *testing.T) {
	for _, rate := range []int{16000, 22050, 48000} {
		for _, c := range []struct{ hz, at, min, max float64 }{
			{300, 300, 0.49, 0.51}, {3000, 3000, 0.49, 0.51}, {3400, 3400, 0.47, 0.51},
			{5000, 3000, 0, 0.001}, {7000, 1000, 0, 0.001}, // would fold back to at
		} {
			b := sine(c.hz, rate, 1, 500*time.Millisecond)
			in := wavFormat{tag: wavPCM, channels: 1}.mono(b)
			out := resample(in, rate)
			if a := tone.Amplitude(out[400:3600], c.at, 8000); a < c.min || a > c.max {
				t.Errorf("%d Hz: %v Hz came as %.4f at %v Hz", rate, c.hz, a, c.at)
			}
		}
	}
}

// TestLibraryNamesBadFiles wants the path and the fault in every error, and a second chance after a repair.
func TestLibraryNamesBadFiles(t *testing.T) {
	l := NewLibrary(LibraryConfig{})
	good := sine(1000, 8000, 1, 100*time.Millisecond)
	cut := wavFile(t, "cut.wav", wavPCM, 1, 8000, good)
	b, err := os.ReadFile(cut)
	must(t, err)
	must(t, os.WriteFile(cut, b[:30], 0o600))
	text := wavFile(t, "text.wav", wavPCM, 1, 8000, nil)
	must(t, os.WriteFile(text, []byte("no sound at all"), 0o600))
	for _, c := range []struct{ path, want string }{
		{"/no/such/file.wav", "no such file"},
		{t.TempDir(), "directory"},
		{text, "not a WAV file"},
		{cut, "fmt chunk is cut off"},
		{wavFile(t, "mp3.wav", 85, 1, 8000, good), "encoding 85"},
		{wavFile(t, "six.wav", wavPCM, 6, 8000, good), "6 channels"},
		{wavFile(t, "slow.wav", wavPCM, 1, 4000, good), "4000 Hz"},
		{wavFile(t, "fast.wav", wavPCM, 1, 96000, good), "96000 Hz"},
	} {
		err := l.Preload(context.Background(), telephony.Sound(c.path))
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), c.path) {
			t.Errorf("%s: %v, want %q", c.path, err, c.want)
		}
	}
	must(t, os.WriteFile(text, b, 0o600))
	must(t, l.Preload(context.Background(), telephony.Sound(text)))

	e := NewEndpoint(EndpointConfig{Name: "caller", Library: l, Pacer: NewPacer(PacerConfig{})})
	defer e.Close()
	if err := e.Play(context.Background(), telephony.Sound(cut)); err == nil || !strings.Contains(err.Error(), cut) {
		t.Errorf("played a broken file: %v", err)
	}
	for _, p := range []telephony.Prompt{
		{Loop: true},
		{Clips: []telephony.Clip{{Tone: &telephony.Tone{Hz: []float64{440}}}, {Silence: time.Second}}},
	} {
		if err := l.Preload(context.Background(), p); err == nil {
			t.Errorf("%+v was accepted", p)
		}
	}
}

// TestLibraryKeepsAndForgets counts reads: once while kept, by many at once, again after a change or for lack of room.
func TestLibraryKeepsAndForgets(t *testing.T) {
	reg := prometheus.NewRegistry()
	l := NewLibrary(LibraryConfig{MaxBytes: 3000, Registerer: reg})
	path := wavFile(t, "a.wav", wavPCM, 1, 8000, sine(1000, 8000, 1, 100*time.Millisecond)) // 1600 bytes kept
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if err := l.Preload(context.Background(), telephony.Sound(path)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	reads := func() float64 { return series(t, reg)["hotline_media_prompt_loads_total miss"] }
	if reads() != 1 {
		t.Errorf("20 at once read the file %v times", reads())
	}
	data, err := os.ReadFile(path)
	must(t, err)
	must(t, os.WriteFile(path, append(data, 0, 0), 0o600))
	loaded(t, l, path)
	loaded(t, l, path)
	if reads() != 2 {
		t.Errorf("a changed file: %v reads, want 2", reads())
	}
	loaded(t, l, wavFile(t, "b.wav", wavPCM, 1, 8000, sine(1000, 8000, 1, 100*time.Millisecond)))
	if l.bytes > 3000 {
		t.Errorf("%d bytes kept", l.bytes)
	}
	loaded(t, l, path)
	if reads() != 4 {
		t.Errorf("%v reads, want 4: the file had to leave", reads())
	}
}

// FuzzWAV parses any bytes.
func FuzzWAV(f *testing.F) {
	b, err := os.ReadFile(wavFile(f, "seed.wav", wavPCM, 2, 22050, sine(1000, 22050, 2, 5*time.Millisecond)))
	must(f, err)
	f.Add(b)
	f.Add(b[:40])
	f.Add([]byte("RIFF\xff\xff\xff\xffWAVEdata\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, b []byte) {
		pcm, rate, err := parseWAV(b)
		if err == nil && len(pcm) < 1<<16 {
			resample(pcm, rate)
		}
	})
}
