package ivr

import "time"

// TTSCommand names an external program for speech: text on stdin, WAV on stdout. In Args, "{lang}" and "{voice}" are
// replaced.
type TTSCommand struct {
	Path   string
	Args   []string
	Voices map[string]string // language -> voice; a language not listed is its own voice
	Limit  time.Duration     // at call time; 0: 1.5 s
}

// Espeak is the command for espeak-ng, found on PATH.
func Espeak() *TTSCommand {
	return &TTSCommand{
		Path:   "espeak-ng",
		Args:   []string{"-v", "{voice}", "-s", "150", "--stdin", "--stdout"},
		Voices: map[string]string{"ru": "ru", "en": "en-us"},
	}
}
