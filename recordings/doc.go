// Package recordings is in charge of recorded talks and messages: a tap on the sound becomes a sealed file and a row,
// and later a WAV for those who may hear it.
//
//	media goroutines --Frame--> Recorder (window of a few seconds) --whole seconds--> writer goroutine --> file
//	Close, crash --> indexer goroutine --> row (as soon as the database has the call)
//
// # File
//
//	"HLREC1\n" | length uint32 | header (JSON) | frame | frame | ...
//
// A frame is one second of G.711, channels interleaved, sealed by itself (AES-256-GCM; nonce: the frame's number; bound
// to the header), so that a torn tail costs one frame and any second can be read alone. The key is the file's own,
// wrapped with age for the installation's key (key_file). Nothing of the sound is ever on disk in the clear.
//
// # States of a file, by its ending, and of the row
//
//	.part  being written           row: recording | paused
//	.done  closed, row not ready   row: recording, or none: the database was away
//	.hrec  closed and indexed      row: ready, or failed when nothing was stored
//
// Recover turns what a crash left as .part and .done into rows. Invariants: each row that is ready has a file with its
// hash; each file has at most one row (recording.key); a recording that fails never ends a call.
package recordings
