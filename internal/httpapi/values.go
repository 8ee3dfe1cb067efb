package httpapi

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// body is an answer with a JSON body.
type body[T any] struct{ Body T }

// versioned is the answer about an object that has versions.
type versioned[T any] struct {
	ETag string `header:"ETag" doc:"Version, for If-Match"`
	Body T
}

// created is the answer to the creation of an object.
type created[T any] struct {
	Location string `header:"Location"`
	ETag     string `header:"ETag" doc:"Version, for If-Match"`
	Body     T
}

// nothing is an answer without a body.
type nothing struct{}

// none is a request without parameters.
type none struct{}

// list is one page of a list.
type list[T any] struct {
	Data []T      `json:"data"`
	Page pageInfo `json:"page"`
}

type pageInfo struct {
	Next    string `json:"next" doc:"Cursor of the following page; empty on the last"`
	HasMore bool   `json:"has_more"`
}

// Paging are the parameters of a list. Like every type that requests embed it is exported: huma passes by those that are
// not, and their fields would stay empty.
type Paging struct {
	Limit int    `query:"limit" minimum:"1" maximum:"500" doc:"Objects on a page"`
	After string `query:"after" maxLength:"500" doc:"Cursor: page.next of the page before"`
}

func etag[N int | int64](version N) string { return `"` + strconv.FormatInt(int64(version), 10) + `"` }

// Match is the precondition of a change.
type Match struct {
	IfMatch string `header:"If-Match" doc:"Version that the change starts from, as in ETag; * for any"`
}

// version reads If-Match: 0 means any. Without the header it is an error where must is set, else any.
func (m Match) version(must bool) (int, error) {
	v := strings.TrimSpace(m.IfMatch)
	switch {
	case v == "" && must:
		return 0, &Problem{Status: http.StatusPreconditionRequired, Detail: "name the version you start from in If-Match"}
	case v == "" || v == "*":
		return 0, nil
	}
	n, err := strconv.Atoi(strings.Trim(strings.TrimPrefix(v, "W/"), `"`))
	if err != nil || n < 1 {
		return 0, &Problem{Status: http.StatusPreconditionFailed, Field: "If-Match", Detail: "no such version was ever issued"}
	}
	return n, nil
}

// cursor signs the place where a page ended, for lists of this package. The domain packages sign their own.
func (a *API) cursor(kind, key string) string {
	mac := hmac.New(sha256.New, a.cfg.Secret)
	mac.Write([]byte(kind + "\x00" + key))
	return base64.RawURLEncoding.EncodeToString(append(mac.Sum(nil)[:8], key...))
}

// place reads a cursor: empty for the first page.
func (a *API) place(kind, cursor string) (string, error) {
	if cursor == "" {
		return "", nil
	}
	b, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil || len(b) < 8 || a.cursor(kind, string(b[8:])) != cursor {
		return "", invalid("after", "is not a cursor of this list")
	}
	return string(b[8:]), nil
}

// placeID is place for lists sorted by a number: 0 for the first page.
func (a *API) placeID(kind, cursor string) (int64, error) {
	key, err := a.place(kind, cursor)
	if err != nil || key == "" {
		return 0, err
	}
	n, err := strconv.ParseInt(key, 10, 64)
	if err != nil {
		return 0, invalid("after", "is not a cursor of this list")
	}
	return n, nil
}

// page cuts a list that was asked for with one object too many, and names the next page by the key of its last object.
func page[T any](a *API, kind string, items []T, limit int, key func(T) string) list[T] {
	l := list[T]{Data: items}
	if items == nil {
		l.Data = []T{}
	}
	if len(items) > limit {
		l.Data = items[:limit]
		l.Page = pageInfo{Next: a.cursor(kind, key(items[limit-1])), HasMore: true}
	}
	return l
}

// whole is a list that always comes in one piece.
func whole[T any](items []T) list[T] {
	if items == nil {
		items = []T{}
	}
	return list[T]{Data: items}
}

// overlay writes the fields that are set in a patch of pointers over a value with the same JSON names.
func overlay[T any](patch any, onto *T) error {
	b, err := json.Marshal(patch)
	if err != nil {
		return fmt.Errorf("read the patch: %w", err)
	}
	if err := json.Unmarshal(b, onto); err != nil {
		return fmt.Errorf("apply the patch: %w", err)
	}
	return nil
}

// names lists the JSON names of the fields set in a patch of pointers, for the audit log.
func names(patch any) []string {
	b, err := json.Marshal(patch)
	if err != nil {
		return nil
	}
	var m map[string]any
	if json.Unmarshal(b, &m) != nil {
		return nil
	}
	return slices.Sorted(maps.Keys(m))
}

// opt is a field of a merge patch: absent leaves alone, null clears, a value sets.
type opt[T any] struct {
	set   bool
	value T // zero after null
}

// UnmarshalJSON implements json.Unmarshaler; it is only called when the field is there.
func (o *opt[T]) UnmarshalJSON(b []byte) error {
	o.set = true
	if string(b) == "null" {
		return nil
	}
	return json.Unmarshal(b, &o.value)
}

// ptr is nil when the field was absent.
func (o opt[T]) ptr() *T {
	if !o.set {
		return nil
	}
	return &o.value
}

// Schema implements huma.SchemaProvider.
func (o opt[T]) Schema(r huma.Registry) *huma.Schema {
	s := *huma.SchemaFromType(r, reflect.TypeFor[T]())
	s.Nullable = true
	return &s
}

// nameOrID is a reference that may be given as a name or as a number.
type nameOrID string

// UnmarshalJSON implements json.Unmarshaler.
func (n *nameOrID) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '"' {
		var s string
		if err := json.Unmarshal(b, &s); err != nil {
			return err
		}
		*n = nameOrID(s)
		return nil
	}
	var id int64
	if err := json.Unmarshal(b, &id); err != nil {
		return err
	}
	*n = nameOrID(strconv.FormatInt(id, 10))
	return nil
}

// Schema implements huma.SchemaProvider.
func (n nameOrID) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{OneOf: []*huma.Schema{{Type: huma.TypeString}, {Type: huma.TypeInteger}}}
}

func (n *nameOrID) str() *string {
	if n == nil {
		return nil
	}
	s := string(*n)
	return &s
}
