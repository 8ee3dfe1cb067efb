package asterisk

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/CyCoreSystems/ari/v6"

	"hotline/telephony"
)

// kind is what an event says about a channel.
type kind uint8

const (
	evNone     kind = iota
	evEntered       // StasisStart: the channel is ours to control
	evShown         // nothing more than how the channel is
	evRinging       // the far side of a call of ours rings
	evKey           // a key was pressed
	evHold          // the far side holds us
	evUnhold        // and comes back
	evHungUp        // ChannelHangupRequest: the end has begun
	evLeft          // StasisEnd: no longer under our control
	evGone          // ChannelDestroyed
	evAbsent        // reconciliation did not find the channel
	evReplaced      // another socket took our application
)

// softHangupDevice is the bit of a soft ChannelHangupRequest's cause by which a channel driver ends its own channel
// (AST_SOFTHANGUP_DEV of Asterisk's channel.h); ARI and the console set another.
const softHangupDevice = 1

// event is one event of ARI, reduced to what we use, with none of the library's types.
type event struct {
	kind    kind
	channel string
	name    string // the channel's, such as PJSIP/trunk-00000001
	at      time.Time
	up      bool // the channel was answered when the event was made
	cause   int  // Q.850; 0: none given
	soft    bool // evHungUp: asked for by somebody on this side, and then cause is not one of Q.850
	dead    bool // evHungUp: asked for by the channel's own driver, since its line is silent (rtp_timeout)
	key     byte
	length  time.Duration // evKey: how long the key was down
	call    callInfo      // evEntered
}

// callInfo is what StasisStart and a list of channels say about a call.
type callInfo struct {
	number, display string
	exten           string
	protocolID      string // SIP Call-ID
}

// readEvent reads one message of the event socket. name is its type, for counting.
func readEvent(data []byte) (e event, name string, err error) {
	raw, err := ari.DecodeEvent(data)
	if err != nil {
		return event{}, "other", fmt.Errorf("read an event: %w", err)
	}
	base := func(k kind, d ari.EventData, c *ari.ChannelData) event {
		return event{kind: k, channel: c.ID, name: c.Name, at: time.Time(d.Timestamp), up: c.State == "Up"}
	}
	switch v := raw.(type) {
	case *ari.StasisStart:
		e = base(evEntered, v.EventData, &v.Channel)
		e.call = infoOf(&v.Channel)
	case *ari.StasisEnd:
		e = base(evLeft, v.EventData, &v.Channel)
	case *ari.ChannelDestroyed:
		e = base(evGone, v.EventData, &v.Channel)
		e.cause = v.Cause
	case *ari.ChannelHangupRequest:
		e = base(evHungUp, v.EventData, &v.Channel)
		e.soft = v.Soft
		if !v.Soft {
			e.cause = v.Cause
		}
		e.dead = v.Soft && v.Cause&softHangupDevice != 0
	case *ari.ChannelStateChange:
		e = base(evShown, v.EventData, &v.Channel)
		if v.Channel.State == "Ringing" {
			e.kind = evRinging
		}
	case *ari.Dial:
		e = base(evShown, v.EventData, &v.Peer)
		if v.Dialstatus == "RINGING" || v.Dialstatus == "PROGRESS" {
			e.kind = evRinging
		}
	case *ari.ChannelDtmfReceived:
		if len(v.Digit) != 1 || !telephony.ValidKey(v.Digit[0]) {
			return event{}, v.Type, nil
		}
		e = base(evKey, v.EventData, &v.Channel)
		e.key, e.length = v.Digit[0], time.Duration(v.DurationMs)*time.Millisecond
	case *ari.ChannelHold:
		e = base(evHold, v.EventData, &v.Channel)
	case *ari.ChannelUnhold:
		e = base(evUnhold, v.EventData, &v.Channel)
	case *ari.ApplicationReplaced:
		return event{kind: evReplaced, at: time.Time(v.Timestamp)}, v.Type, nil
	default:
		return event{}, raw.GetType(), nil
	}
	return e, raw.GetType(), nil
}

// infoOf copies what we use of a channel.
func infoOf(c *ari.ChannelData) callInfo {
	i := callInfo{protocolID: c.ProtocolId}
	if c.Caller != nil {
		i.number, i.display = c.Caller.Number, c.Caller.Name
	}
	if c.Dialplan != nil {
		i.exten = c.Dialplan.Exten
	}
	return i
}

// facts is what the events of one channel add up to. Adding is commutative and idempotent, so that events in any order,
// twice or late give the same facts.
type facts struct {
	entered bool
	up      bool
	ringing bool
	hold    stamp // the latest word on hold
	held    bool  // what it says
	hung    stamp // the earliest request to hang up
	soft    bool
	cause   int // its cause
	dead    bool
	left    bool
	gone    bool
	final   int // cause of the end, when gone
	absent  bool
	keys    []keyStamp // by time; the last keysKept
}

// stamp is an event's time at Asterisk; zero: never.
type stamp = int64

// keyStamp tells one press of a key from another. Asterisk reports a key again, a few milliseconds later, when a re-INVITE
// comes between the packets of its end: what overlaps is one press.
type keyStamp struct {
	at    stamp // when it was let go
	since stamp // when it went down
	key   byte
}

func (k keyStamp) compare(o keyStamp) int {
	return cmp.Or(cmp.Compare(k.at, o.at), cmp.Compare(k.since, o.since), cmp.Compare(k.key, o.key))
}

func (k keyStamp) samePress(o keyStamp) bool {
	return k.key == o.key && k.since <= o.at && o.since <= k.at
}

// keysKept bounds the keys remembered to recognise a repeated event.
const keysKept = 64

// effect is what an event asks of the leg.
type effect uint8

const (
	doRinging  effect = 1 << iota // tell that the far side rings
	doAnswered                    // the far side of our call answered, and the channel is ours to control
	doKey                         // hand the key on
	doHold                        // hold changed
	doSettle                      // the end has begun: wait shortly for what else will be said about it
	doFinish                      // the end is known in full
)

// over reports whether the channel has ended or is about to.
func (f facts) over() bool { return f.hung != 0 || f.left || f.gone || f.absent }

// told reports whether nothing more will be said about the end. A channel that came to us gives no ChannelDestroyed:
// Asterisk ends our subscription with StasisEnd.
func (f facts) told() bool { return f.gone || (f.left && f.hung != 0) }

// add is the whole state machine of a channel.
func (f facts) add(e event) (facts, effect) {
	was := f
	var do effect
	f.up = f.up || e.up
	at := e.at.UnixMilli()
	switch e.kind {
	case evEntered:
		f.entered = true
	case evRinging:
		f.ringing = true
	case evKey:
		k := keyStamp{at, at - e.length.Milliseconds(), e.key}
		i, known := slices.BinarySearchFunc(f.keys, k, keyStamp.compare)
		if known || (len(f.keys) == keysKept && i == 0) {
			break // repeated, or older than all we remember
		}
		if !slices.ContainsFunc(f.keys, k.samePress) {
			do |= doKey
		}
		f.keys = slices.Insert(slices.Clone(f.keys), i, k)
		f.keys = f.keys[max(len(f.keys)-keysKept, 0):]
	case evHold, evUnhold:
		if held := e.kind == evHold; at > f.hold || (at == f.hold && held && !f.held) {
			f.hold, f.held = at, held
		}
	case evHungUp:
		sooner := f.hung == 0 || at < f.hung
		same := at == f.hung && ((f.soft && !e.soft) || (f.soft == e.soft && e.cause > f.cause))
		f.dead = f.dead || e.dead
		if sooner || same {
			f.hung, f.soft, f.cause = at, e.soft, e.cause
		}
	case evLeft:
		f.left = true
	case evGone:
		f.gone, f.final = true, max(f.final, e.cause)
	case evAbsent:
		f.absent = true
	}
	if f.ringing && !was.ringing {
		do |= doRinging
	}
	if f.entered && f.up && (!was.entered || !was.up) {
		do |= doAnswered
	}
	if f.held != was.held {
		do |= doHold
	}
	switch {
	case f.told() && !was.told():
		do |= doFinish
	case f.over() && !was.over():
		do |= doSettle
	}
	if was.over() {
		do &^= doRinging | doAnswered | doKey | doHold
	}
	return f, do
}

// endCause is the Q.850 cause the far side gave; 0: none. A cause with which the hang-up began says more than the one
// with which it ended.
func (f facts) endCause() int {
	if f.hung != 0 && !f.soft && f.cause != 0 {
		return f.cause
	}
	return f.final
}
