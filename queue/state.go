package queue

// offer is one reservation.
type offer struct{}

// state is everything the engine knows. Only step changes it.
type state struct{}

// step applies one event at one moment.
func (s *state) step(ev *event, now instant) result { return result{} }
