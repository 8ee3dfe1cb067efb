// Package sip is in charge of telephone signalling by ourselves: it listens for SIP on UDP and TCP, decides who may talk
// to us, turns an INVITE into a telephony.Leg, and calls trunks and desk phones.
package sip
