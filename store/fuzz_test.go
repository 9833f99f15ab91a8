package store

import (
	"errors"
	"path"
	"regexp"
	"strings"
	"testing"
)

// FuzzSum: what is taken for a sum has exactly that form, and its place is two names
// below the directory, nowhere else.
func FuzzSum(f *testing.F) {
	good := sumOf("x")
	for _, text := range []string{good, emptySum, "", good[1:], good + "0", strings.ToUpper(good), "../" + good[3:], good[:62] + "/.", good[:63] + "\x00", good[:63] + "\n",
		strings.Repeat("é", 32), strings.Repeat("٣", 32), strings.Repeat("0", 64), strings.Repeat("g", 64)} {
		f.Add(text)
	}
	form := regexp.MustCompile(`\A[0-9a-f]{64}\z`)
	f.Fuzz(func(t *testing.T, text string) {
		err := CheckSum(text)
		if form.MatchString(text) != (err == nil) {
			t.Fatalf("%q: %v", text, err)
		}
		if err != nil {
			if !errors.Is(err, ErrBadSum) {
				t.Errorf("%q: %v", text, err)
			}
			return
		}
		if name := nameOf(text); path.Clean(name) != name || strings.Count(name, "/") != 1 || path.Base(name) != text || len(path.Dir(name)) != 2 || path.IsAbs(name) {
			t.Errorf("%q leads to %q", text, name)
		}
	})
}
