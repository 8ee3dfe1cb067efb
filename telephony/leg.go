package telephony

import (
	"context"
	"time"
)

// Leg is one party of a call: a caller on a trunk, a desk phone, a browser, a channel in Asterisk. It is the one
// interface that everything above the drivers shares. One goroutine, the call's, owns a Leg; Done, End, ID, Party and
// Hangup may be used from any goroutine, Play and Answer from the owner or one it started and joins.
type Leg interface {
	// ID is unique for ever.
	ID() LegID
	// Party is what the signalling said. It does not change.
	Party() Party
	// Progress opens early media (183 with SDP): the caller hears what is played, unbilled. No-op once answered.
	Progress(ctx context.Context) error
	// Answer connects the leg and returns when the far side has confirmed it. Calling it again is a no-op.
	Answer(ctx context.Context) error
	// Answered reports whether Answer has succeeded (or, for a leg we dialled, the far side answered).
	Answered() bool
	// Play plays a prompt from its beginning, without gaps between clips, and returns when the last sample was sent
	// (nil), ctx ended (its cause) or the leg ended (ErrLegEnded). Playing again replaces what was playing. It never
	// blocks a bridge: connecting audio stops it.
	Play(ctx context.Context, p Prompt) error
	// Digits delivers each key once. Size 32; when it is full the oldest key is dropped and counted. Closed never:
	// select on Done as well.
	Digits() <-chan Digit
	// SendDigits sends keys to the far side as the driver can (RFC 4733 for SIP).
	SendDigits(ctx context.Context, keys string) error
	// Hangup ends the leg: refuses it before the answer, says goodbye after it. Idempotent, returns at once; Done
	// follows within the driver's own limits (35 s at worst, reliability I9).
	Hangup(c Cause)
	// Done is closed when the leg is over; End is final then.
	Done() <-chan struct{}
	// End tells how the leg ended; the zero End while it lives.
	End() End
}

// Prompt is what a party hears: a list of clips without gaps. Plain data, so that a driver may play it itself
// (native) or have it played (one Asterisk playback with several media).
type Prompt struct {
	Clips []Clip
	Loop  bool // start again at the end: music
	// Offset starts that far into the first pass: music that goes on where it was.
	Offset time.Duration
	// Music is the name of the music this is. A driver that has music of that name may play its own. Empty: not music.
	Music string
}

// Clip is one piece of sound. Exactly one of File, Tone and Silence is set.
type Clip struct {
	File    string        // absolute path of a WAV file, 8 to 48 kHz, PCM16 or G.711
	Tone    *Tone         // synthetic
	Silence time.Duration // nothing, for so long
	// Text is what the clip says, for simulator, tests and traces. Empty for tones.
	Text string
}

// Tone is a sum of sines, as ITU-T E.180 describes call progress tones.
type Tone struct {
	Hz   []float64     // one or two frequencies
	For  time.Duration // 0: for ever (only as the last clip)
	On   time.Duration // cadence; 0: steady
	Off  time.Duration
	Gain float64 // peak of the sum, 0..1; 0 means 0.2
}

// Sound makes a prompt of one file.
func Sound(path string) Prompt { return Prompt{Clips: []Clip{{File: path}}} }
