package policy

import (
	"errors"
	"fmt"
	"strings"
)

// ErrDenied is what errors.Is finds in a *DeniedError.
var ErrDenied = errors.New("denied by policy")

// Denial is one thing a request asks for and does not get.
type Denial struct {
	Field   string `json:"field"`   // path in the API request: "build.limits.cpu_ms"
	Asked   string `json:"asked"`   // what the request asks for
	Allowed string `json:"allowed"` // what the policy allows
	Hint    string `json:"hint"`    // what to do
}

// String is the denial in one line.
func (d Denial) String() string {
	return fmt.Sprintf("%s: asked for %s, allowed: %s; %s", d.Field, d.Asked, d.Allowed, d.Hint)
}

// DeniedError lists everything a policy refuses of one request.
type DeniedError struct {
	Policy  string
	Denials []Denial
}

// Error names the policy and every denial.
func (e *DeniedError) Error() string {
	lines := make([]string, len(e.Denials))
	for i, d := range e.Denials {
		lines[i] = d.String()
	}
	return fmt.Sprintf("policy %q denies the job: %s", e.Policy, strings.Join(lines, "; "))
}

// Unwrap lets errors.Is find ErrDenied.
func (e *DeniedError) Unwrap() error { return ErrDenied }

// Within names the fields of a denial below another one: tests[3].limits.cpu_ms. Any
// other error stays what it is.
func Within(err error, field string) error {
	var denied *DeniedError
	if !errors.As(err, &denied) {
		return err
	}
	out := &DeniedError{denied.Policy, nil}
	for _, d := range denied.Denials {
		d.Field = field + "." + d.Field
		out.Denials = append(out.Denials, d)
	}
	return out
}
