package calllog

import (
	"encoding/json"
	"time"

	"hotline/telephony"
)

// Summary is a call folded from its records: where it is, and the clocks of metrics.md section 2. Folding the same
// records twice gives the same summary; records are folded in order of N.
type Summary struct {
	Call     telephony.CallID
	Begin    Begin
	First    uint64 // sequence number of the begin record
	N        int    // last record folded
	State    State
	Since    time.Time // when State was entered
	Started  time.Time
	Dialled  time.Time // a call out: the customer's number was called; zero: it never came to that
	Answered time.Time // 200 OK sent, or for a call out received; zero: never
	Queued   time.Time // first queue entry; zero: never
	Talked   time.Time // first Connected; zero: never
	Ended    time.Time
	Wait     time.Duration // sum over all queue entries, until connected or left
	Talk     time.Duration // without hold
	Hold     time.Duration
	Queue    string
	Agent    string
	Lang     string
	Path     []PathStep // nodes of the menu, at most 200
	Who      Identified
	Note     string          // the agent's words, the last ones
	Message  time.Duration   // length of the voicemail left
	Run      json.RawMessage // the menu's run as last journalled; nil: never
	Paused   bool            // the recording of the talk is paused, over an adoption too
	Speaks   bool            // the caller is leaving a message
	Side     telephony.LegID // the agent's leg that has not ended; empty: none
	Finish   *Finish

	waitSince, talkSince, holdSince time.Time
}

// PathStep is one node of the menu on the caller's way.
type PathStep struct {
	Node string    `json:"node"`
	Exit string    `json:"exit,omitempty"`
	At   time.Time `json:"at"`
	// Label is the node's title per language; nil: it has none.
	Label map[string]string `json:"label,omitempty"`
}

func (s *Summary) foldMenu(m MenuStep, at time.Time) {
	if m.Exit == "" {
		if m.Node != "" && len(s.Path) < 200 {
			s.Path = append(s.Path, PathStep{Node: m.Node, At: at, Label: m.Label})
		}
		return
	}
	for i := len(s.Path) - 1; i >= 0; i-- {
		if s.Path[i].Node == m.Node {
			s.Path[i].Exit = m.Exit
			return
		}
	}
}

// Fold adds one record. Unknown types and moves that the table does not allow change no state.
func (s *Summary) Fold(r Record) {
	if s.State == StateEnded || r.N <= s.N && s.N > 0 {
		return
	}
	s.N = r.N
	switch r.Type {
	case TypeBegin:
		if json.Unmarshal(r.Data, &s.Begin) == nil {
			s.Call, s.First, s.Started, s.State, s.Since = r.Call, r.Seq, r.At, StateNew, r.At
		}
		return
	case TypeIdentified:
		var who Identified
		if json.Unmarshal(r.Data, &who) == nil {
			s.Who = who
			if who.Lang != "" {
				s.Lang = who.Lang
			}
		}
	case TypeDialled:
		if s.Dialled.IsZero() {
			s.Dialled = r.At
		}
	case TypeAnswered:
		if s.Answered.IsZero() {
			s.Answered = r.At
		}
	case TypeMenu:
		var m MenuStep
		if json.Unmarshal(r.Data, &m) == nil {
			s.Speaks = false
			s.foldMenu(m, r.At)
		}
	case TypeMenuState:
		var m MenuState
		if json.Unmarshal(r.Data, &m) == nil {
			s.Run = m.Run
		}
	case TypeRecording:
		var n RecordingNote
		if json.Unmarshal(r.Data, &n) == nil && (n.What == "paused" || n.What == "resumed") {
			s.Paused = n.What == "paused"
		}
	case TypeLegBegin:
		var l LegBegin
		if json.Unmarshal(r.Data, &l) == nil && l.Role == "agent" {
			s.Side = l.Leg
		}
	case TypeLegEnd:
		var l LegEnd
		if json.Unmarshal(r.Data, &l) == nil && l.Leg == s.Side {
			s.Side = ""
		}
	case TypeNote:
		var n NoteText
		if json.Unmarshal(r.Data, &n) == nil {
			s.Note = n.Text
		}
	case TypeVoicemail:
		var v VoicemailNote
		if json.Unmarshal(r.Data, &v) == nil {
			s.Message, s.Speaks = max(s.Message, v.Length), v.Length == 0 || v.More
		}
	case TypeQueued:
		s.foldQueued(r)
	case TypeConnected:
		s.foldConnected(r)
	case TypeLeftQueue:
		s.stopWait(r.At)
	case TypeHold:
		s.stopTalk(r.At)
		if s.holdSince.IsZero() {
			s.holdSince = r.At
		}
	case TypeResumed:
		s.stopHold(r.At)
		if s.talkSince.IsZero() {
			s.talkSince = r.At
		}
	case TypeTalkEnded:
		s.Paused = false
		s.stopTalk(r.At)
		s.stopHold(r.At)
	case TypeEnd:
		s.stopWait(r.At)
		s.stopTalk(r.At)
		s.stopHold(r.At)
		s.Ended = r.At
		var f Finish
		if json.Unmarshal(r.Data, &f) == nil {
			s.Finish = &f
		}
	}
	if n, ok := s.State.Next(r.Type); ok {
		if n != s.State {
			s.Since = r.At
		}
		s.State = n
	}
}

func (s *Summary) foldQueued(r Record) {
	var q Queued
	if json.Unmarshal(r.Data, &q) != nil {
		return
	}
	s.stopWait(r.At) // told twice when a call is adopted
	s.stopTalk(r.At)
	s.stopHold(r.At)
	s.Paused, s.Speaks = false, false
	if s.Queued.IsZero() {
		s.Queued = r.At
	}
	if q.Lang != "" {
		s.Lang = q.Lang
	}
	s.Queue, s.waitSince = q.Queue, r.At
}

func (s *Summary) foldConnected(r Record) {
	var c Connected
	if json.Unmarshal(r.Data, &c) != nil {
		return
	}
	s.stopWait(r.At)
	s.Speaks = false
	if s.Talked.IsZero() {
		s.Talked = r.At
	}
	s.Agent, s.talkSince = c.Agent, r.At
	if s.Queue == "" { // a call out was in none, but a queue's rules hold for it
		s.Queue = c.Queue
	}
}

func (s *Summary) stopWait(at time.Time) { s.Wait += stop(&s.waitSince, at) }
func (s *Summary) stopTalk(at time.Time) { s.Talk += stop(&s.talkSince, at) }
func (s *Summary) stopHold(at time.Time) { s.Hold += stop(&s.holdSince, at) }

// stop ends a running clock and gives what it measured, never negative: the wall clock may have jumped in a replay.
func stop(since *time.Time, at time.Time) time.Duration {
	if since.IsZero() {
		return 0
	}
	d := at.Sub(*since)
	*since = time.Time{}
	return max(d, 0)
}

// Waited is Wait with the wait that still runs.
func (s *Summary) Waited(now time.Time) time.Duration {
	c := *s
	c.stopWait(now)
	return c.Wait
}

// Disposition names the call's outcome in the words of call.disposition, from the facts alone.
func (s *Summary) Disposition(e telephony.End) string {
	switch {
	case e.Reason == telephony.ReasonVoicemail:
		return "voicemail"
	case e.Reason == telephony.ReasonCallback:
		return "callback"
	case !s.Talked.IsZero():
		return "answered"
	case e.Reason == telephony.ReasonTransferred:
		return "answered"
	case s.Begin.Direction == Out:
		return dispositionOut(e)
	case e.Reason == telephony.ReasonCrash, e.Reason == telephony.ReasonPanic, e.Reason == telephony.ReasonDraining && s.State != StateNew,
		e.Reason == telephony.ReasonUnreachable && e.Result == telephony.ResultUpstream:
		return "no_answer" // cut by us or by the PBX, wherever the caller was: never counted as the caller's own leaving
	case e.Reason == telephony.ReasonBusy:
		return "busy"
	case e.Reason == telephony.ReasonRejected, e.Reason == telephony.ReasonNotFound, e.Reason == telephony.ReasonNoCodec,
		e.Reason == telephony.ReasonOverload, e.Reason == telephony.ReasonDraining:
		return "rejected"
	case !s.Queued.IsZero() && (e.Reason == telephony.ReasonAbandonedWait ||
		e.Reason == telephony.ReasonMediaTimeout || e.Reason == telephony.ReasonHangup):
		return "abandoned_queue"
	case !s.Queued.IsZero() || e.Reason == telephony.ReasonNoAnswer:
		return "no_answer"
	case e.Result == telephony.ResultServer || e.Result == telephony.ResultUpstream:
		return "failed"
	default:
		return "abandoned_ivr"
	}
}

// dispositionOut names the outcome of a call out that nobody talked on.
func dispositionOut(e telephony.End) string {
	switch e.Reason {
	case telephony.ReasonBusy:
		return "busy"
	case telephony.ReasonRejected:
		return "rejected"
	case telephony.ReasonNoAnswer, telephony.ReasonCancelled, telephony.ReasonCrash, telephony.ReasonPanic, telephony.ReasonDraining:
		return "no_answer" // given up while it rang, by them or by us
	}
	return "failed"
}
