package httpapi_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"mime"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// document is the OpenAPI document as a client reads it.
type document struct {
	Paths      map[string]map[string]json.RawMessage `json:"paths"`
	Components struct {
		Schemas map[string]*schema `json:"schemas"`
	} `json:"components"`
}

type operation struct {
	method, path string
	Responses    map[string]struct {
		Content map[string]struct{ Schema *schema } `json:"content"`
		Headers map[string]any                      `json:"headers"`
	} `json:"responses"`
	RequestBody *struct {
		Content map[string]struct{ Schema *schema } `json:"content"`
	} `json:"requestBody"`
	Parameters []struct {
		Name, In string
		Required bool
		Schema   *schema
	} `json:"parameters"`
	Security []map[string][]string `json:"security"`
	Summary  string                `json:"summary"`
}

// schema is the part of JSON Schema that our document uses. A word it does not know fails the reading.
type schema struct {
	Ref                  string             `json:"$ref"`
	Type                 any                `json:"type"` // a word or a list of words
	Format               string             `json:"format"`
	Properties           map[string]*schema `json:"properties"`
	Required             []string           `json:"required"`
	AdditionalProperties any                `json:"additionalProperties"` // false, or a schema
	Items                *schema            `json:"items"`
	Enum                 []any              `json:"enum"`
	AnyOf                []*schema          `json:"anyOf"`
	OneOf                []*schema          `json:"oneOf"`
	Description          string             `json:"description"`
	Pattern              string             `json:"pattern"`
	Minimum              *float64           `json:"minimum"`
	Maximum              *float64           `json:"maximum"`
	MinLength            *int               `json:"minLength"`
	MaxLength            *int               `json:"maxLength"`
	MinItems             *int               `json:"minItems"`
	MaxItems             *int               `json:"maxItems"`
}

func readDoc(t *testing.T, data []byte) *document {
	t.Helper()
	var d document
	if err := json.Unmarshal(data, &d); err != nil {
		t.Fatal(err)
	}
	var raw struct {
		Components struct {
			Schemas map[string]json.RawMessage `json:"schemas"`
		} `json:"components"`
	}
	if err := json.Unmarshal(data, &raw); err != nil {
		t.Fatal(err)
	}
	for name, s := range raw.Components.Schemas { // words that this reader would pass over in silence
		dec := json.NewDecoder(strings.NewReader(string(s)))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&schema{}); err != nil {
			t.Errorf("schema %s: %v", name, err)
		}
	}
	return &d
}

// operations lists all operations in a stable order.
func (d *document) operations() (out []operation) {
	for _, path := range slices.Sorted(maps.Keys(d.Paths)) {
		for _, method := range []string{"get", "post", "put", "patch", "delete"} {
			raw, ok := d.Paths[path][method]
			if !ok {
				continue
			}
			o := operation{method: strings.ToUpper(method), path: path}
			if err := json.Unmarshal(raw, &o); err != nil {
				panic(err)
			}
			out = append(out, o)
		}
	}
	return out
}

// check holds an answer against the document.
func (d *document) check(o operation, a *answer) error {
	r, ok := o.Responses[strconv.Itoa(a.status)]
	if !ok {
		return fmt.Errorf("status %d is not in the document", a.status)
	}
	for h := range r.Headers {
		if a.head.Get(h) == "" {
			return fmt.Errorf("header %s is promised", h)
		}
	}
	if len(r.Content) == 0 || len(a.body) == 0 {
		if len(r.Content) == 0 && len(a.body) > 0 {
			return fmt.Errorf("no body is promised")
		}
		if len(r.Content) > 0 {
			return fmt.Errorf("a body is promised")
		}
		return nil
	}
	ct, _, err := mime.ParseMediaType(a.head.Get("Content-Type"))
	if err != nil {
		return err
	}
	m, ok := r.Content[ct]
	if !ok {
		return fmt.Errorf("Content-Type %s is not in the document", ct)
	}
	if ct == "audio/wav" {
		return nil
	}
	var v any
	if err := json.Unmarshal(a.body, &v); err != nil {
		return err
	}
	return d.valid(m.Schema, v, "body")
}

// resolve follows references.
func (d *document) resolve(s *schema) *schema {
	for s.Ref != "" {
		s = d.Components.Schemas[strings.TrimPrefix(s.Ref, "#/components/schemas/")]
	}
	return s
}

func types(t any) (out []string) {
	switch t := t.(type) {
	case string:
		return []string{t}
	case []any:
		for _, x := range t {
			out = append(out, x.(string))
		}
	}
	return out
}

func typeOf(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case bool:
		return "boolean"
	case string:
		return "string"
	case float64:
		if v == float64(int64(v)) {
			return "integer"
		}
		return "number"
	case []any:
		return "array"
	}
	return "object"
}

// valid checks a value against a schema.
func (d *document) valid(s *schema, v any, at string) error {
	if s = d.resolve(s); s == nil {
		return fmt.Errorf("%s: no such schema", at)
	}
	if alt := append(append([]*schema{}, s.AnyOf...), s.OneOf...); len(alt) > 0 {
		var last error
		for _, x := range alt {
			if last = d.valid(x, v, at); last == nil {
				return nil
			}
		}
		return last
	}
	got := typeOf(v)
	if want := types(s.Type); len(want) > 0 && !slices.Contains(want, got) && !(got == "integer" && slices.Contains(want, "number")) {
		return fmt.Errorf("%s: %s, want %v", at, got, s.Type)
	}
	if len(s.Enum) > 0 && v != nil && !slices.ContainsFunc(s.Enum, func(e any) bool { return reflect.DeepEqual(e, v) }) {
		return fmt.Errorf("%s: %v is not one of %v", at, v, s.Enum)
	}
	if text, ok := v.(string); ok && s.Format == "date-time" {
		if _, err := time.Parse(time.RFC3339Nano, text); err != nil {
			return fmt.Errorf("%s: %w", at, err)
		}
	}
	switch v := v.(type) {
	case []any:
		for i, x := range v {
			if s.Items == nil {
				break
			}
			if err := d.valid(s.Items, x, fmt.Sprintf("%s[%d]", at, i)); err != nil {
				return err
			}
		}
	case map[string]any:
		return d.validObject(s, v, at)
	}
	return nil
}

func (d *document) validObject(s *schema, v map[string]any, at string) error {
	for _, k := range s.Required {
		if _, ok := v[k]; !ok {
			return fmt.Errorf("%s.%s is missing", at, k)
		}
	}
	for k, x := range v {
		if p, ok := s.Properties[k]; ok {
			if err := d.valid(p, x, at+"."+k); err != nil {
				return err
			}
			continue
		}
		if s.AdditionalProperties == false {
			return fmt.Errorf("%s.%s is not in the document", at, k)
		}
	}
	return nil
}
