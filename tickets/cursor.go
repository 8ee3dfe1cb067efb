package tickets

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
)

// cursorMAC is how many bytes of the signature a cursor carries.
const cursorMAC = 12

// cursor makes an opaque, signed place in a list: sort keys and id of the last row shown. Signing keeps people from
// writing their own, so what is inside may change.
func (s *Service) cursor(list string, keys any) string {
	body, err := json.Marshal(keys)
	if err != nil {
		panic("tickets: cursor: " + err.Error()) // our own plain structs only
	}
	return base64.RawURLEncoding.EncodeToString(append(s.cursorSum(list, body), body...))
}

// readCursor reads a cursor of the same list into keys; empty is the beginning (false).
func (s *Service) readCursor(list, cursor string, keys any) (bool, error) {
	if cursor == "" {
		return false, nil
	}
	b, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil || len(b) <= cursorMAC || !hmac.Equal(b[:cursorMAC], s.cursorSum(list, b[cursorMAC:])) || json.Unmarshal(b[cursorMAC:], keys) != nil {
		return false, invalid("after", "this is not a cursor of this list; start again without it")
	}
	return true, nil
}

func (s *Service) cursorSum(list string, body []byte) []byte {
	h := hmac.New(sha256.New, s.secret)
	h.Write([]byte(list + "\x00"))
	h.Write(body)
	return h.Sum(nil)[:cursorMAC]
}

// pageLimit gives a limit inside bounds.
func pageLimit(limit, normal, most int) int {
	if limit <= 0 {
		return normal
	}
	return min(limit, most)
}

// page cuts the row that was read beyond the limit and makes the cursor of the next page.
func page[T any](s *Service, list string, rows []T, limit int, keys func(T) any) Page[T] {
	if rows == nil {
		rows = []T{}
	}
	p := Page[T]{Data: rows}
	if len(rows) > limit {
		p.Data = rows[:limit]
		p.Page = PageInfo{Next: s.cursor(list, keys(rows[limit-1])), HasMore: true}
	}
	return p
}
