package recordings_test

import (
	"path/filepath"
	"runtime"
	"testing"

	"hotline/recordings"
	"hotline/telephony/media"
)

// BenchmarkRecorderFrame is one 20 ms frame of one side of a talk, the writer's share included as far as it takes the
// processor away.
func BenchmarkRecorderFrame(b *testing.B) {
	for _, c := range []struct {
		name string
		law  uint8
	}{{"same law", 8}, {"other law", 0}} {
		b.Run(c.name, func(b *testing.B) {
			base := b.TempDir()
			s, err := recordings.New(recordings.Config{Dir: filepath.Join(base, "r"), KeyFile: filepath.Join(base, "key"), Pool: noDatabase(b)})
			if err != nil {
				b.Fatal(err)
			}
			r := &rig{t: b, Service: s, log: &logBook{}}
			rec := r.start(recordings.Start{Call: "bench"})
			sound := newVoice(media.PCMA, 1000).frame()
			b.ReportAllocs()
			pos, ch := int64(0), 0
			for b.Loop() {
				rec.Frame(ch, c.law, pos, sound)
				if ch = 1 - ch; ch == 0 {
					pos += 160
				}
				if pos%recordings.FrameSamples == 0 && ch == 0 && recordings.Pending(rec) > recordings.MaxPending/2 {
					b.StopTimer()
					for recordings.Pending(rec) > 0 {
						runtime.Gosched()
					}
					b.StartTimer()
				}
			}
			if rec.Failed() {
				b.Error("the writer did not keep up")
			}
			r.end(rec)
			r.close(s)
		})
	}
}

// BenchmarkStartAndClose is what a recording costs beside its sound: key, file, sync, renames.
func BenchmarkStartAndClose(b *testing.B) {
	base := b.TempDir()
	s, err := recordings.New(recordings.Config{Dir: filepath.Join(base, "r"), KeyFile: filepath.Join(base, "key"), Pool: noDatabase(b)})
	if err != nil {
		b.Fatal(err)
	}
	r := &rig{t: b, Service: s, log: &logBook{}}
	sound := newVoice(media.PCMA, 1000).frame()
	for b.Loop() {
		rec := r.start(recordings.Start{Call: "bench"})
		rec.Frame(0, 8, 0, sound)
		r.end(rec)
	}
	r.close(s)
}

// BenchmarkSealSecond seals and writes one second of a talk to the disk.
func BenchmarkSealSecond(b *testing.B) {
	base := b.TempDir()
	s, err := recordings.New(recordings.Config{Dir: filepath.Join(base, "r"), KeyFile: filepath.Join(base, "key"), Pool: noDatabase(b)})
	if err != nil {
		b.Fatal(err)
	}
	r := &rig{t: b, Service: s, log: &logBook{}}
	seal, done := recordings.Sealer(r.start(recordings.Start{Call: "bench"}))
	b.SetBytes(16000)
	b.ReportAllocs()
	for b.Loop() {
		seal()
	}
	done()
	r.close(s)
}
