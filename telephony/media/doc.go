// Package media is in charge of audio: RTP in and out, prompts, relaying and mixing the parties of a talk, and handing
// what was said to recorders. It knows no signalling.
//
// An Endpoint is one party's audio and has one outgoing RTP stream, whoever feeds it: its own prompts and keys, or the
// Room it is in. The stream keeps one SSRC; sequence and timestamps go on without a break when the feed changes.
//
//	far side --> Socket --> Endpoint.Receive --> route --> out of another Endpoint --> Socket --> far side
//	                              |                |---> jitter buffer --> mixer (Pacer) --> out
//	                              '--> OnDigit     '---> taps (recorders)
//
// Invariants:
//
//   - The packet path takes no lock of a Room: it reads an atomic pointer to an immutable route. It allocates nothing.
//   - A packet goes out only while its feed is the one granted to that out; so a packet in flight when a party leaves
//     a room is never heard in the next one.
//   - A party that has exactly one voice to hear gets it relayed, without decoding when both sides speak one law and
//     by a table of 256 bytes when not. Only a party with several voices to hear, or none, is served by the mixer.
//
// Goroutines: one reader per Socket, joined by Socket.Close; one Pacer for all prompts, keys and mixers, joined by
// Pacer.Close. A media time-out runs in a timer's goroutine. Nothing else starts any.
package media
