package sip

import (
	"bytes"
	"io"
	"mime"
	"mime/multipart"
	"strings"
)

// sdp returns the session description a message carries, alone or as a part of a multipart body (as gateways to the
// telephone network send it, beside ISUP). nil: none.
func (m *message) sdp() []byte {
	if len(m.body) == 0 {
		return nil
	}
	typ, _, _ := strings.Cut(m.get("Content-Type"), ";")
	switch typ = strings.ToLower(strings.Map(dropSpace, typ)); {
	case typ == "application/sdp":
		return m.body
	case strings.HasPrefix(typ, "multipart/"):
		return multipartSDP(m.get("Content-Type"), m.body)
	}
	return nil
}

// multipartSDP finds the first application/sdp among at most 8 parts.
func multipartSDP(contentType string, body []byte) []byte {
	_, p, err := mime.ParseMediaType(contentType)
	if err != nil || p["boundary"] == "" {
		return nil
	}
	r := multipart.NewReader(bytes.NewReader(body), p["boundary"])
	for range 8 {
		part, err := r.NextRawPart()
		if err != nil {
			return nil
		}
		typ, _, _ := strings.Cut(part.Header.Get("Content-Type"), ";")
		if strings.EqualFold(strings.TrimSpace(typ), "application/sdp") {
			text, err := io.ReadAll(io.LimitReader(part, maxBody))
			if err != nil || len(text) == 0 {
				return nil
			}
			return text
		}
	}
	return nil
}
