package media

import "time"

// Stats are an endpoint's counters since it was made. They only rise, but for Jitter.
type Stats struct {
	ReceivedPackets, ReceivedBytes uint64        // accepted RTP, headers included
	SentPackets, SentBytes         uint64        // handed to the transport
	Lost                           uint64        // gaps in the sequence that nothing filled
	Reordered                      uint64        // came after a later one, and were used
	Late                           uint64        // came too late to be used: over 64 packets, or past the mixer's clock
	Duplicates                     uint64        // came twice, dropped
	Invalid                        uint64        // not RTP
	RTCP                           uint64        // control packets on the media port, dropped
	Unknown                        uint64        // payload types nobody agreed on, dropped
	ForeignSSRC                    uint64        // from a stream other than the one we are locked on, dropped
	Refused                        uint64        // came while the signalling said that we do not listen
	Events                         uint64        // telephone-event packets accepted
	Digits                         uint64        // keys reported
	SendErrors                     uint64        // the transport failed
	Unsent                         uint64        // had an audio to send but might not: hold, no transport
	Jitter                         time.Duration // interarrival jitter, RFC 3550 6.4.1
}

// add sums counters; Jitter is left alone.
func (s *Stats) add(o *Stats) {
	s.ReceivedPackets += o.ReceivedPackets
	s.ReceivedBytes += o.ReceivedBytes
	s.SentPackets += o.SentPackets
	s.SentBytes += o.SentBytes
	s.Lost += o.Lost
	s.Reordered += o.Reordered
	s.Late += o.Late
	s.Duplicates += o.Duplicates
	s.Invalid += o.Invalid
	s.RTCP += o.RTCP
	s.Unknown += o.Unknown
	s.ForeignSSRC += o.ForeignSSRC
	s.Refused += o.Refused
	s.Events += o.Events
	s.Digits += o.Digits
	s.SendErrors += o.SendErrors
	s.Unsent += o.Unsent
}
