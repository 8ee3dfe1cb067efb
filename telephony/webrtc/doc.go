// Package webrtc is in charge of the sound between an agent's browser and the server: one UDP and TCP port for all
// browsers, and per agent a long-lived phone whose media endpoint stays while connections come and go.
package webrtc
