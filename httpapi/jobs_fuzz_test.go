package httpapi

import (
	"testing"
	"unicode/utf8"
)

// FuzzCursor: an id is read as what it is written, or refused.
func FuzzCursor(f *testing.F) {
	for _, id := range []string{"", "1-running-0-0", "2-end-17-4", "1-done-9223372036854775807-0", "-1-x-0-0", "1--0-0", "1-\xff-0-0"} {
		f.Add(id)
	}
	f.Fuzz(func(t *testing.T, id string) {
		c, p := parseCursor(id)
		switch {
		case p != nil && (p.Code != CodeInvalidField || !utf8.ValidString(p.Detail)):
			t.Fatalf("%q: %+v", id, p)
		case p == nil && id != "" && (c.String() != id || c.attempt < 0 || c.offset[0] < 0 || c.offset[1] < 0):
			t.Fatalf("%q became %+v", id, c)
		}
	})
}
