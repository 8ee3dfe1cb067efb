// Package recordings is in charge of recorded talks and messages: a tap on the sound becomes a sealed file and a row,
// and later a WAV for those who may hear it.
//
//	media goroutines --Frame--> Recorder (a window of a second) --frames--> writer goroutine --> file
//	Close --> a goroutine per ending file: sync, rename --> indexer goroutine --> row (once the database has the call)
//
// # File
//
//	"HLREC1\n" | length uint32 | header (JSON) | frame | frame | ...
//
// A frame is half a second of G.711, channels interleaved, sealed by itself (AES-256-GCM; nonce: the frame's number;
// bound to the header), so that a torn tail costs one frame and any piece can be read alone. The last frame may be
// shorter. The key is the file's own, wrapped with age for the installation's key (key.go). Nothing of the sound is ever
// on disk in the clear. A frame is written 0.75 s after its end at the latest, so a kill costs under 2 s.
//
// # States of a file, by its name, and of the row
//
//	open/ID.part          being written                    row: recording | paused
//	open/ID.done          closed, row not ready            row: recording | paused, or none
//	open/ID.cut           the same, shorter than the talk
//	2026/11/24/ID.hrec    closed and indexed               row: ready; failed when nothing was stored; deleted: no file
//
// A file moves forward only, by renames, which need no space. Recover takes over what a crash left in open. Invariants:
// each row that is ready has a file with its hash; each file has at most one row (recording.key); a recording that fails
// never ends a call, never stops the sound, and tells so within a second.
//
// # Channels
//
// A talk has two channels, customer left and agent right; a message has one. What a supervisor says (third channel of a
// tap, barge only) is not stored: the file may be handed to the customer, who has a right to his own talk.
//
// # Who may do what
//
// Recorder.Frame: the media path; it never waits for disk or database. Service and the other methods of Recorder: any
// goroutine. The writer owns a file until it is closed, the indexer the rows; both end with Service.Close, and so does
// every goroutine that they start.
package recordings
