// Package tickets is in charge of customers (contacts, organisations, their numbers), of tickets with everything said
// in them, and of the decision which ticket a call belongs to.
//
// Rules that hold everywhere in it:
//
//   - A call reaches the package as plain values (CallParty, CallFacts). Who carried it is not known here.
//   - Functions that write take a transaction and an Actor; they neither begin nor commit, and do no network work.
//   - Functions that read for an actor pass through one predicate (visible.go). What the actor may not see does not
//     exist: the answer is ErrNotFound, as for something absent.
//   - Every automatic step names its rule: rows N (numbers), L (look-up) and A (attach or create). ReasonText says the
//     rule in words.
//   - Rows of call, call_leg, call_event and recording belong to those who carry and record calls. This package reads
//     them and writes only its own decision: call_link, call_link_event, call_ticket.
//   - Telling a call twice, late or out of order leaves the same rows (apply.go).
package tickets
