// Package webrtc is in charge of the sound between an agent's browser and the server: one UDP and TCP port for all
// browsers, and per agent a long-lived phone whose media endpoint stays while connections come and go.
//
// # Phone, epoch, connection
//
//	Server -- port (udp and tcp mux)
//	  '- Phone "agent1"  endpoint (rooms know it), epoch 3
//	       '- conn       PeerConnection of epoch 3: track out, readers in
//
// Attach makes a connection, gives it the next epoch and only then replaces the old one; a refused offer costs nothing.
// Requests that name another epoch get ErrStaleEpoch, and packets of another epoch are dropped under Phone.in: once
// Attach has switched, nothing of the old page can reach the room. The endpoint's outgoing stream goes on, so the other
// party never sees a break in its numbers.
//
// A connection has one phase: connecting, connected, disconnected, failed, closed. pion reports changes from new
// goroutines that may overtake each other, so conn.refresh reads the state instead of taking it from the call. A failed
// path may be mended by Offer (ICE restart); a failed key exchange closes the connection at once.
//
// # Choices
//
// The server is DTLS client, never dials TCP and asks no name servers: a page cannot make it connect anywhere but by
// UDP connectivity checks. G.711 alone is offered, in the order of the trunk's law, since browsers send the first codec
// of the answer. There are no pion interceptors: G.711 needs no feedback, and each costs every packet. The outgoing
// track is our own: see track.go.
//
// # Goroutines
//
// The notifier tells states in order (Server.Stop joins it). Each connection has pion's goroutines and a reader per
// track; the goroutine that closes it joins them, and Stop joins that. Locks: Phone.op, Phone.in, then conn.mu or
// Phone.mu, then the notifier's; nothing is called back under Phone.mu or conn.mu.
package webrtc
