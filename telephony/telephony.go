// Package telephony is the vocabulary of a call: the words that the voice menu, the queue, the recorder and the
// drivers share. It is in charge of meaning only; it opens no socket and plays no sound. It imports nothing but the
// standard library and everybody may import it (design.md section 2, rule 1).
//
// Invariants every implementation of Leg keeps:
//
//   - A Leg ends exactly once. Done is closed after End has its final value, never before.
//   - Whoever takes a Leg hangs it up: Hangup is idempotent and safe after the end.
//   - Blocking methods take a context and return when it is done, or when the leg ends (ErrLegEnded).
package telephony

import (
	"crypto/rand"
	"encoding/base32"
	"encoding/binary"
	"errors"
	"strings"
	"time"
)

// CallID names one call over all its legs, transfers and restarts. Made by NewID; sorts by time. Empty is "no call".
type CallID string

// LegID names one leg. Made by NewID. Empty is "no leg".
type LegID string

// idAlphabet is Crockford's base 32: no I, L, O, U, so an id can be read aloud.
var idAlphabet = base32.NewEncoding("0123456789ABCDEFGHJKMNPQRSTVWXYZ").WithPadding(base32.NoPadding)

// NewID makes an identifier of 26 characters: 48 bits of milliseconds, 80 random bits (the layout of ULID). Two ids
// made in one millisecond sort by chance. It panics only if the system has no randomness.
func NewID(now time.Time) string {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], uint64(now.UnixMilli())<<16)
	if _, err := rand.Read(b[6:]); err != nil {
		panic("telephony: no randomness: " + err.Error())
	}
	return idAlphabet.EncodeToString(b[:])
}

// Errors that callers branch on.
var (
	// ErrLegEnded says that the leg was over, or ended meanwhile. Leg.End tells why.
	ErrLegEnded = errors.New("leg ended")
	// ErrNoCodec says that the two sides share no audio codec of ours (G.711 A-law, µ-law).
	ErrNoCodec = errors.New("no codec in common")
	// ErrBusy says that the called side is engaged (486, 600).
	ErrBusy = errors.New("busy")
	// ErrNoAnswer says that nobody answered in the time given (480, 408, our own time-out).
	ErrNoAnswer = errors.New("no answer")
	// ErrRefused says that the called side declined (603, 403 and other final refusals).
	ErrRefused = errors.New("refused")
	// ErrUnreachable says that no answer of any kind came, or the address cannot be reached or resolved.
	ErrUnreachable = errors.New("unreachable")
	// ErrElsewhere as the cause of the context given to a driver's Dial says that somebody else took the call: the far
	// side is told so (RFC 3326) and shows no missed call.
	ErrElsewhere = errors.New("call completed elsewhere")
)

// Trust says how far a caller's number may be relied on (design.md section 7). Order matters: see AtLeast.
type Trust string

// Levels of trust, from none to proof.
const (
	TrustWithheld Trust = "withheld" // no number, or the caller asked not to show it
	TrustClaimed  Trust = "claimed"  // a header anyone can write
	TrustAsserted Trust = "asserted" // by a trunk we trust for it, or STIR/SHAKEN attestation A for this number
	TrustVerified Trust = "verified" // PIN, one-time code, the agent's confirmation, or number + keyed ticket
)

var trustRank = map[Trust]int{TrustWithheld: 0, TrustClaimed: 1, TrustAsserted: 2, TrustVerified: 3}

// AtLeast reports whether t is as good as min. An unknown level is worth nothing.
func (t Trust) AtLeast(min Trust) bool { return trustRank[t] >= trustRank[min] }

// Identity is a claim about who calls, with its source. It is never a credential: nothing private is spoken, shown or
// attached on its strength alone (reliability.md section 2).
type Identity struct {
	Value       string `json:"value"`                  // as signalled, unnormalised; empty when withheld
	DisplayName string `json:"display_name,omitempty"` // the caller's own words: text, never markup
	Source      string `json:"source"`                 // from, p-asserted-identity, remote-party-id, registration, ari, none
	Trust       Trust  `json:"trust"`                  // zero value means claimed nothing: treat as withheld
	Attestation string `json:"attestation,omitempty"`  // STIR/SHAKEN A, B, C; empty: none
}

// Party is everything the signalling said about one inbound leg.
type Party struct {
	Caller    Identity `json:"caller"`
	Called    string   `json:"called"`              // user part of the dialled address, unescaped, without parameters
	Diversion []string `json:"diversion,omitempty"` // numbers that forwarded the call, newest first; text, not trusted
	Trunk     string   `json:"trunk"`               // name of our trunk; "desk" for a registered desk phone
	Region    string   `json:"region,omitempty"`    // the trunk's default region (ISO 3166), for normalising numbers
	AreaCode  string   `json:"area_code,omitempty"` // the trunk's area code for local numbers
	Remote    string   `json:"remote"`              // transport address the leg came from
	Protocol  string   `json:"protocol"`            // udp, tcp, wss
	UserAgent string   `json:"user_agent,omitempty"`
	SIPCallID string   `json:"sip_call_id,omitempty"`
}

// Withheld reports whether no number may be shown or looked up.
func (p Party) Withheld() bool {
	return p.Caller.Value == "" || p.Caller.Trust == TrustWithheld || p.Caller.Trust == ""
}

// Digit is one key the party pressed. The key itself never reaches a log.
type Digit struct {
	Key    byte // '0'..'9', '*', '#', 'A'..'D'
	At     time.Time
	Source string // rfc4733, inband, info, page
}

// Keys are the characters Digit.Key may have.
const Keys = "0123456789*#ABCD"

// ValidKey reports whether k is a key of the telephone keypad.
func ValidKey(k byte) bool { return strings.IndexByte(Keys, k) >= 0 }
