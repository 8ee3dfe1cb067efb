// Package phone is in charge of the agents' signalling sockets: it speaks phone.v1 with every open page of an agent or
// supervisor, and decides who is present and which tab owns the sound.
//
// It carries requests to the Desk and the Media interfaces and events back; it knows nothing of calls, queues or WebRTC.
//
// # State and who changes it
//
// A session is one login with all its tabs: the event numbers, the events kept for replay, the owner of the sound, and
// per tab the replies kept for repeated requests. It outlives sockets by a minute. A small mutex per session guards it
// (session.mu), not an owner goroutine: every step is a few map operations, nothing blocks under the lock, and Send must
// be callable from anywhere, a Desk in the middle of Command included, without a mailbox that could be full. What must
// happen in order and outside the lock, Desk.Presence, is level-triggered: a change marks the session, and one goroutine
// tells the latest state (presence.go). Locks are taken in the order Hub.mu, session.mu; Desk and Media are never called
// under one.
//
// # Goroutines
//
//	per socket  reader   the HTTP handler itself; ends when the socket does
//	            writer   sends frames, does the closing handshake; ends with the socket
//	            worker   serves the tab's requests one after the other; ends with the socket, after the running request
//	per hub     beat     judges heartbeats, forgets what is old
//	            presence tells Desk.Presence
//	            figures  sends live figures, at most one a second and topic
//
// Shutdown joins all of them.
//
// # Queues and what happens when they are full
//
//	socket.out   256 frames: the reader is too slow and is cut; the page comes back and gets a snapshot
//	socket.jobs   64 requests: refused with "busy", nothing stored
//	events kept  500 or 60 s: older ones are gone, the page gets a snapshot instead
//	figures are left out while more than half of socket.out is taken: the next second brings newer ones
//
// # A page that comes back
//
// Hello registers the tab first and asks the Desk for the snapshot afterwards, holding back events meanwhile: nothing
// falls between the two. If hello.last_seq can be replayed, the missed events go first, marked "replay", and the welcome
// with the whole state follows; so a page may use them (a missed call, an alert) and needs not trust them. Event numbers
// start at the clock's milliseconds when a session begins, so a number of an earlier process never looks like one of ours.
package phone
