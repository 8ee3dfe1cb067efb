// Package ivr is in charge of the voice menu: it reads flow files, checks them, and carries a caller through one until
// there is work for another package or the call is over.
//
// # From files to a call
//
// Load reads a folder into a Set: flows, prompts, calendars, lists and routes are decoded by hand from YAML nodes, so
// that every finding is a Problem with file, line and column; expressions are compiled against typed structs; the graph
// is checked for dead ends; every fixed text gets its sound (recording, recorded fragments, or speech made now). A set
// with an error is no set. A Store keeps the last good one; a call keeps the set it began with.
//
// Set.StartRoute gives a Run. Its Next plays and listens on a telephony.Leg until an Outcome: a queue, a voicemail box or
// a transfer that internal/app carries out and reports by Resume with the name of the exit that came true, or the end.
//
// # The interpreter
//
// The interpreter (machine) is pure: events in (start, key, sound ended, sound failed, tick, resume, hang-up), effects
// out (early media, answer, play, stop, record, log, trace, hand over). It reads no clock and starts no goroutine. Run
// drives it for live calls, sim for tests, random calls and the console: they differ in what the effects become, never in
// what is decided. Its state is plain data (State): which bundle, which node, variables, stack, counters.
//
//	           start                       `do` finished, step asks
//	(new) ───────────────► acting ───────────────────────────────► asking ──┐ key, silence:
//	                        │ ▲ ▲                                   │  ▲     │ wrong, asks again
//	     say, wait: until   │ │ └───────────────────────────────────┘  └─────┘
//	     sound ended, key   └─┘    key, value complete, exhausted:
//	     or time                   the exit's node is entered
//
//	acting ── step hands over (queue, voicemail, transfer) ──► away ── resume(exit) ──► acting
//	acting ── end, @end ─────────────────────────────────────► ended
//	any ───── hang-up ── on_hangup ──────────────────────────► ended (abandoned, at the node)
//	acting, asking ── fault ──► first:  acting at globals.on_error
//	                            second: away in the route's fallback queue; without one ended (error)
//
// A fault is missing sound, a panic, a limit (max_steps, max_duration), a failed action with `required`, or an exit that
// is not there. Events that do not belong to the phase change nothing; an ended sound is known by its epoch, so a late
// one is ignored.
//
// Invariants:
//
//   - Every run ends in exactly one final Outcome; Next after it gives the same again.
//   - Within max_steps nodes (and 50 more for the error branch) a run waits, hands over or ends.
//   - A key that stops a prompt is used in the same event: nothing is waited for between key and effect.
//   - What is typed into an input is in no log, trace or path. Secret variables are in no State.
//   - When Next or Resume returns, nothing plays and no goroutine of the run is left.
//
// # Answering
//
// The leg is answered when a node is entered whose step waits for keys, records or queues, before that node's `do`: a key
// pressed during its announcement must count. Before, speech is early media.
//
// # Digit collection
//
// One definition for menu, input, language and confirm (collect.go): keys wait in one type-ahead buffer (32 keys, 10 s)
// that is open from the first sample; invalid and noinput share one counter; a terminator typed right after the last
// possible digit belongs to that input.
//
// # This version
//
// Steps next, switch, menu, input, language, hours, queue, transfer (to a number), voicemail, call, return, end. The
// checker refuses the others of grammar 1 by name.
package ivr
