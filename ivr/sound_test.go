package ivr

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hotline/ivr/say"
	"hotline/telephony"
)

// writeSet puts a set on the disk, with files changed or added; "" removes one.
func writeSet(t testing.TB, change map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, f := range mapFS(base) {
		text := string(f.Data)
		if c, ok := change[name]; ok {
			text = c
		}
		writeFile(t, filepath.Join(dir, name), text)
	}
	for name, text := range change {
		if _, ok := base[name]; !ok {
			writeFile(t, filepath.Join(dir, name), text)
		}
	}
	return dir
}

func writeFile(t testing.TB, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// wavText is a playable recording of n samples.
func wavText(n int) string {
	return string(wavHeader(8000, uint32(2*n))) + strings.Repeat("\x00\x01", n)
}

// speech is a speech program made of a shell script: a WAV whose length is that of the text.
func speech(t testing.TB, script string) *TTSCommand {
	t.Helper()
	path := filepath.Join(t.TempDir(), "speak")
	wav := filepath.Join(t.TempDir(), "out.wav")
	writeFile(t, wav, wavText(800))
	text := "#!/bin/sh\ncat > /dev/null\n" + strings.ReplaceAll(script, "WAV", wav) + "\n"
	if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	return &TTSCommand{Path: path, Args: []string{"{lang}", "{voice}"}, Voices: map[string]string{"ru": "anna"}}
}

func soundOptions(t testing.TB, tts *TTSCommand) Options {
	return Options{Now: now, TTS: tts, CacheDir: t.TempDir()}
}

// fragments makes a folder of recordings with the given names.
func fragments(t testing.TB, names ...string) string {
	dir := t.TempDir()
	for _, n := range names {
		writeFile(t, filepath.Join(dir, n+".wav"), wavText(400))
	}
	return dir
}

func fileNames(p telephony.Prompt) string {
	var out []string
	for _, c := range p.Clips {
		out = append(out, stem(filepath.ToSlash(c.File)))
	}
	return strings.Join(out, " ")
}

// The order of sources: own recording, fragments, speech; what has none is an error with a place.
func TestPromptSources(t *testing.T) {
	prompts := strings.Replace(base[fSay], "welcome: {ru: Здравствуйте., en: Hello.}",
		"welcome: {ru: Здравствуйте., en: Hello., fragments: {ru: [hello-ru], en: [hello-en]}}", 1)
	dir := writeSet(t, map[string]string{fSay: prompts, "prompts/audio/en/welcome.wav": wavText(800), "music/default.wav": wavText(8000)})
	frags := fragments(t, "hello-ru", "hello-en", "digits/3", "queue-thereare")
	opt := soundOptions(t, speech(t, "cat WAV"))
	opt.Sounds = map[string]string{"ru": frags, "en": frags}
	set, probs := Load(dir, opt)
	if set == nil {
		t.Fatal(probs)
	}
	ru, _ := set.Prompt("ru", "welcome")
	en, _ := set.Prompt("en", "welcome")
	if fileNames(ru) != "hello-ru" || fileNames(en) != "welcome" || en.Clips[0].Text != "Hello." {
		t.Errorf("%v %v", ru, en)
	}
	if bye, ok := set.Prompt("ru", "bye"); !ok || !strings.HasPrefix(bye.Clips[0].File, opt.CacheDir) {
		t.Errorf("not spoken: %v", bye)
	}
	if both, _ := set.Prompt("ru", "choose"); len(both.Clips) != 2 || both.Clips[0].Text != "По-русски — нажмите один." {
		t.Errorf("two languages in one prompt: %+v", both)
	}
	if m := set.Music("unknown"); fileNames(m) != "default" || !m.Loop {
		t.Errorf("%v", m)
	}
	if p := set.Position("en", 3); fileNames(p) != "queue-thereare 3" || p.Clips[1].Text != "three" {
		t.Errorf("%v", p)
	}
	if p := set.Wait("ru", 21*time.Minute); p.Clips[len(p.Clips)-1].Text != "двадцать одна минута" {
		t.Errorf("%+v", p)
	}
	if p := set.WaitOver("ru", 30*time.Minute); p.Clips[len(p.Clips)-1].Text != "тридцати минут" {
		t.Errorf("%+v", p)
	}

	none := soundOptions(t, nil)
	set, probs = Load(dir, none)
	if set != nil || !hasProblem(probs, "L033", `the prompt "bye" cannot be heard in ru`) {
		t.Errorf("silence is no error: %v", probs)
	}
}

func TestRecordingsAreChecked(t *testing.T) {
	prompts := strings.Replace(base[fSay], "bye: {ru: До свидания., en: Goodbye.}",
		`bye: {ru: До свидания., en: Goodbye., audio: {ru: {file: ru/bye.wav, text_hash: "ffff"}, en: {file: en/gone.wav}}}`, 1)
	stereo := []byte(wavText(100))
	stereo[22] = 2
	dir := writeSet(t, map[string]string{fSay: prompts, "prompts/audio/ru/bye.wav": wavText(100), "prompts/audio/ru/fault.wav": string(stereo),
		"prompts/audio/en/fault.wav": "RIFF no", "music/sad.wav": "no"})
	_, probs := Load(dir, soundOptions(t, speech(t, "cat WAV")))
	text := ""
	for _, p := range probs {
		text += p.String() + "\n"
	}
	for _, want := range []string{"changed since it was recorded", "en/gone.wav of \"bye\" is missing", `"fault" in ru: 2 channels`, `"fault" in en: not a WAV`, "sad.wav"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if HasErrors(probs) {
		t.Error("speech stands in, so these are warnings")
	}
}

// Values at call time: all words recorded, else one voice for the phrase, else plain digits; never longer than the limit.
func TestValueSound(t *testing.T) {
	ru, _ := say.New("ru", nil)
	plan, _ := ru.Count(21, say.Options{Noun: "minute"})
	number, _ := ru.Count(21, say.Options{})
	frags := fragments(t, "digits/20", "digits/1", "digits/2")
	s := &sounds{frags: map[string]string{"ru": frags}, fixed: map[string][]telephony.Clip{}}
	clips := func(p say.Plan) string {
		cs, err := s.clips(context.Background(), utterance{"ru", []piece{{plan: p}}})
		if err != nil {
			return err.Error()
		}
		return fileNames(telephony.Prompt{Clips: cs})
	}
	if got := clips(number); got != "20 1" {
		t.Errorf("recorded: %s", got)
	}
	if got := clips(plan); got != "2 1" {
		t.Errorf("without speech the digits stand in: %s", got)
	}
	slow := speech(t, "sleep 30")
	slow.Limit = 200 * time.Millisecond
	var err error
	if s.tts, err = newSpeaker(slow, t.TempDir()); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if got := clips(plan); got != "2 1" || time.Since(began) > 5*time.Second {
		t.Errorf("slow speech: %s after %v", got, time.Since(began))
	}
	if s.tts, err = newSpeaker(speech(t, "cat WAV"), t.TempDir()); err != nil {
		t.Fatal(err)
	}
	cs, err := s.clips(context.Background(), utterance{"ru", []piece{{plan: plan}}})
	if err != nil || len(cs) != 1 || cs[0].Text != "двадцать одна минута" {
		t.Errorf("%v %v", cs, err)
	}
}

func TestSpeakerCachesAndRefuses(t *testing.T) {
	count := filepath.Join(t.TempDir(), "count")
	s, err := newSpeaker(speech(t, "echo x >> "+count+"; echo $1 $2 >> "+count+"; cat WAV"), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan string, 4)
	for range 4 { // at the same time: one rendering
		go func() {
			p, err := s.render(context.Background(), speechOf{lang: "ru", text: "раз"}, time.Minute)
			if err != nil {
				p = err.Error()
			}
			done <- p
		}()
	}
	first := <-done
	for range 3 {
		if p := <-done; p != first {
			t.Errorf("%s and %s", p, first)
		}
	}
	if p, err := s.render(context.Background(), speechOf{lang: "ru", text: "раз"}, time.Nanosecond); err != nil || p != first {
		t.Errorf("not cached: %v", err)
	}
	data, _ := os.ReadFile(count)
	if string(data) != "x\nru anna\n" {
		t.Errorf("the program ran: %q", data)
	}
	if info, err := statWAV(first); err != nil || info.check() != nil || info.duration() != 100*time.Millisecond {
		t.Errorf("%+v %v", info, err)
	}
	if _, err := s.render(context.Background(), speechOf{"ru", "boris", "раз"}, time.Minute); err != nil {
		t.Error(err)
	}
	if data, _ := os.ReadFile(count); !strings.HasSuffix(string(data), "ru boris\n") {
		t.Errorf("the voice of the prompt is not used: %q", data)
	}
	for _, script := range []string{"exit 3", "echo no wav", "head -c 40000000 /dev/zero"} {
		s, err := newSpeaker(speech(t, script), t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.render(context.Background(), speechOf{lang: "en", text: "one"}, time.Minute); err == nil {
			t.Errorf("%q gave speech", script)
		}
		if files, _ := filepath.Glob(filepath.Join(s.dir, "*")); len(files) > 0 {
			t.Errorf("%q left %v", script, files)
		}
	}
	if _, err := newSpeaker(&TTSCommand{Path: "no-such-program-here"}, t.TempDir()); err == nil {
		t.Error("a missing program is no error")
	}
}

// Streaming programs leave the lengths open; the cache has true ones.
func TestTidyWAV(t *testing.T) {
	raw := []byte(wavText(100))
	for i := 40; i < 44; i++ {
		raw[i] = 0xff
	}
	got, err := tidyWAV(raw)
	if err != nil || len(got) != 244 || string(got[40:44]) != "\xc8\x00\x00\x00" {
		t.Errorf("%v %d", err, len(got))
	}
}

func TestHoldMusicHasNoClick(t *testing.T) {
	data := holdMusic()[44:]
	sample := func(i int) int { return int(int16(uint16(data[2*i]) | uint16(data[2*i+1])<<8)) }
	n := len(data) / 2
	if n != 32*8000 {
		t.Fatalf("%d samples", n)
	}
	peak := 0
	for i := range n {
		peak = max(peak, sample(i), -sample(i))
	}
	if peak < 3000 || peak > 32000 {
		t.Errorf("peak %d", peak)
	}
	if d := sample(0) - sample(n-1); d > 2000 || d < -2000 {
		t.Errorf("the seam jumps by %d", d)
	}
}

// cannot says loudly that a test does not run, and why; in CI it fails.
func cannot(t *testing.T, why string, args ...any) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatalf(why, args...)
	}
	t.Skipf("TEST DOES NOT RUN: "+why, args...)
}

// The real thing: Debian's recordings and espeak-ng.
func TestRealVoices(t *testing.T) {
	for _, d := range DebianSounds() {
		if _, err := os.Stat(d); err != nil {
			cannot(t, "install asterisk-core-sounds-ru-wav and -en-wav: %v", err)
		}
	}
	if _, err := exec.LookPath("espeak-ng"); err != nil {
		cannot(t, "install espeak-ng: %v", err)
	}
	opt := Options{Now: now, Sounds: DebianSounds(), TTS: Espeak(), CacheDir: t.TempDir()}
	set, probs := Load(writeSet(t, nil), opt)
	if set == nil {
		t.Fatal(probs)
	}
	all := []telephony.Prompt{set.Position("ru", 25), set.Position("en", 25), set.Wait("ru", 2*time.Minute), set.Wait("en", 2*time.Minute), set.Music("")}
	for id := range set.prompts {
		for _, l := range []string{"ru", "en"} {
			p, ok := set.Prompt(l, id)
			if !ok {
				t.Errorf("%s in %s has no sound", id, l)
			}
			all = append(all, p)
		}
	}
	for _, p := range all {
		for _, c := range p.Clips {
			info, err := statWAV(c.File)
			if err == nil {
				err = info.check()
			}
			if err != nil || info.duration() < 100*time.Millisecond {
				t.Errorf("%s %q: %v, %v", c.File, c.Text, err, info.duration())
			}
		}
	}
	// Every fragment that a plan may name is really there.
	for _, lang := range say.Languages() {
		sayer, _ := say.New(lang, nil)
		for n := range 100 {
			for _, noun := range []string{"", "minute", "second"} {
				plan, err := sayer.Count(float64(n), say.Options{Noun: noun})
				if err != nil {
					t.Fatal(err)
				}
				if plan.Recorded() {
					if _, ok := set.sounds.recorded(lang, plan.Words); !ok {
						t.Errorf("%s %q: a fragment is missing: %v", lang, plan.Text(), plan.Fragments())
					}
				}
			}
		}
	}
}

func TestStoreKeepsTheLastGood(t *testing.T) {
	dir := writeSet(t, nil)
	opt := textOptions()
	opt.Text = true
	st := NewStore(dir, opt)
	if st.Current() != nil {
		t.Fatal("a set before the first load")
	}
	if ps := st.Reload(); HasErrors(ps) || st.Current() == nil {
		t.Fatal(ps)
	}
	good := st.Current()
	run := good.StartRoute(good.routes[0], Caller{}, Env{})
	writeFile(t, filepath.Join(dir, fHot), strings.Replace(base[fHot], "say: welcome", "say: wellcome", 1))
	ps := st.Reload()
	if !HasErrors(ps) || st.Current() != good || !HasErrors(st.Problems()) {
		t.Errorf("a broken file replaced the good set: %v", ps)
	}
	writeFile(t, filepath.Join(dir, fHot), strings.Replace(base[fHot], "retries: 2", "retries: 1", 1))
	if ps := st.Reload(); HasErrors(ps) || st.Current() == good || st.Current().Hash() == good.Hash() {
		t.Errorf("the change was not taken: %v", ps)
	}
	if run.set != good || run.State().Bundle != good.Hash() {
		t.Error("a running call changed its set")
	}
	writeFile(t, filepath.Join(dir, fCal), strings.Replace(base[fCal], "22:00", "23:00", 1))
	before := st.Current().Hash()
	st.Reload()
	if st.Current().Hash() != before {
		t.Error("opening hours are not part of the version")
	}
	if _, ps := Load(filepath.Join(dir, "nothing"), opt); !HasErrors(ps) {
		t.Error("a missing folder is no error")
	}
}
