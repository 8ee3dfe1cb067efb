package tickets

import "fmt"

// Code is the class of an error that may be shown outside. The HTTP layer maps it to a status.
type Code string

// Codes. Anything that is not an *Error is an internal error.
const (
	CodeNotFound     Code = "not_found"    // absent, or not visible to the actor: 404
	CodeConflict     Code = "conflict"     // somebody else was faster or owns it: 409
	CodePrecondition Code = "precondition" // the version given was never issued: 412
	CodeInvalid      Code = "invalid"      // the input breaks a rule: 422
	CodeForbidden    Code = "forbidden"    // visible, but not to be changed by this actor: 403
)

// Error is an error that may cross the API: Code for programs, Message for people, Field for forms.
type Error struct {
	Code    Code   `json:"code"`
	Field   string `json:"field,omitempty"`  // input field at fault; empty: the whole request
	Message string `json:"message"`          // safe to show
	Detail  any    `json:"detail,omitempty"` // e.g. both values of a collision, the present owner of a number
}

// Error implements error.
func (e *Error) Error() string {
	if e.Field != "" {
		return fmt.Sprintf("%s: %s: %s", e.Code, e.Field, e.Message)
	}
	return fmt.Sprintf("%s: %s", e.Code, e.Message)
}

// Is makes errors.Is compare codes: errors.Is(err, ErrNotFound) is true for every not_found.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Code == e.Code && t.Field == "" && t.Detail == nil
}

// Errors that callers branch on, by code.
var (
	// ErrNotFound says that the object is absent or not visible to the actor; the two are not told apart.
	ErrNotFound = &Error{Code: CodeNotFound, Message: "there is no such object"}
	// ErrConflict says that the change collides with somebody else's.
	ErrConflict = &Error{Code: CodeConflict, Message: "the change collides with another one"}
	// ErrForbidden says that the actor sees the object but may not do this to it.
	ErrForbidden = &Error{Code: CodeForbidden, Message: "you may not do this"}
	// ErrInvalid says that the input breaks a rule.
	ErrInvalid = &Error{Code: CodeInvalid, Message: "the input is not valid"}
)

func invalid(field, format string, a ...any) error {
	return &Error{Code: CodeInvalid, Field: field, Message: fmt.Sprintf(format, a...)}
}

func conflict(field string, detail any, format string, a ...any) error {
	return &Error{Code: CodeConflict, Field: field, Detail: detail, Message: fmt.Sprintf(format, a...)}
}

func forbidden(format string, a ...any) error {
	return &Error{Code: CodeForbidden, Message: fmt.Sprintf(format, a...)}
}
