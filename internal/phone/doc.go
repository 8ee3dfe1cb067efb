// Package phone is in charge of the agents' signalling sockets: it speaks phone.v1 with every open page of an agent or
// supervisor, and decides who is present and which tab owns the sound.
package phone
