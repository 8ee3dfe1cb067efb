package phone

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
)

const (
	maxFrame = 64 << 10
	maxType  = 40
	maxID    = 80
)

// frame is one message of a page.
type frame struct {
	T  string          `json:"t"`
	ID string          `json:"id"` // empty: no answer is wanted
	D  json.RawMessage `json:"d"`  // a JSON object; nil: none
}

var errFrame = errors.New("malformed frame")

// parseFrame reads a frame. An error means that the far side does not speak the protocol: the socket is closed.
func parseFrame(data []byte) (frame, error) {
	var f frame
	if err := json.Unmarshal(data, &f); err != nil {
		return frame{}, fmt.Errorf("%w: %w", errFrame, err)
	}
	switch {
	case f.T == "" || len(f.T) > maxType:
		return frame{}, fmt.Errorf("%w: t must have 1 to %d bytes", errFrame, maxType)
	case len(f.ID) > maxID:
		return frame{}, fmt.Errorf("%w: id is longer than %d bytes", errFrame, maxID)
	case string(f.D) == "null":
		f.D = nil
	case len(f.D) > 0 && f.D[0] != '{':
		return frame{}, fmt.Errorf("%w: d is no object", errFrame)
	}
	return f, nil
}

// data reads the frame's data into v; missing fields stay, unknown ones are ignored.
func (f frame) data(v any) error {
	if f.D == nil {
		return nil
	}
	if err := json.Unmarshal(f.D, v); err != nil {
		return refuse(codeBadRequest)
	}
	return nil
}

// eventFrame encodes an event; seq 0 means unnumbered. d is JSON already.
func eventFrame(t string, seq int64, replay bool, d []byte) []byte {
	b := make([]byte, 0, len(t)+len(d)+48)
	b = append(b, `{"t":`...)
	b = strconv.AppendQuote(b, t)
	if seq != 0 {
		b = append(b, `,"seq":`...)
		b = strconv.AppendInt(b, seq, 10)
	}
	if replay {
		b = append(b, `,"replay":true`...)
	}
	b = append(b, `,"d":`...)
	b = append(b, d...)
	return append(b, '}')
}

// reply is the answer to a request.
type reply struct {
	Re  string `json:"re"`
	OK  bool   `json:"ok"`
	D   any    `json:"d,omitempty"`
	Err *Error `json:"err,omitempty"`
}

// replyFrame encodes an answer. Data that cannot be encoded is our fault and becomes an internal error.
func replyFrame(id string, d any, e *Error) []byte {
	r := reply{Re: id, OK: e == nil, D: d, Err: e}
	if e == nil && d == nil {
		r.D = struct{}{}
	}
	b, err := json.Marshal(r)
	if err != nil {
		b, _ = json.Marshal(reply{Re: id, Err: refuse(codeInternal)})
	}
	return b
}
