package policy

import (
	"fmt"
	"strings"
)

// Set sets one limit from text, as a command line gives it: Set("cpu_ms",
// "2000"). Any number is taken; Resolve judges it.
func (q *LimitRequest) Set(name, value string) error {
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.Name
		if f.Name != name {
			continue
		}
		if err := f.ask(q, value); err != nil {
			kind := "a whole number"
			if !f.Whole {
				kind = "a number"
			}
			return fmt.Errorf("%s: given %q, allowed: %s, unit %s; write the number alone", name, value, kind, unitOrCount(f.Unit))
		}
		return nil
	}
	return fmt.Errorf("%q is not a limit; the limits are %s", name, strings.Join(names, ", "))
}

func unitOrCount(unit string) string {
	if unit == "" {
		return "none"
	}
	return unit
}

// With is q with what more asks for instead.
func (q LimitRequest) With(more LimitRequest) LimitRequest {
	for _, f := range fields {
		f.over(&q, &more)
	}
	return q
}
