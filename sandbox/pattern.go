package sandbox

import (
	"fmt"
	"path"
	"strings"
)

// CheckPattern wants a pattern of files below /work, as path.Match has them: a
// relative path without "..", so that what is asked for is what can be meant.
func CheckPattern(p string) error {
	if p == "" || len(p) > maxPath || strings.HasPrefix(p, "/") || strings.ContainsRune(p, 0) {
		return fmt.Errorf("%w: output pattern %.80q: a relative path of 1 to 4095 bytes without NUL is wanted", ErrInvalidJob, p)
	}
	for part := range strings.SplitSeq(p, "/") {
		if part == ".." {
			return fmt.Errorf("%w: output pattern %.80q: outputs lie below /work, \"..\" is not allowed", ErrInvalidJob, p)
		}
	}
	if _, err := path.Match(p, ""); err != nil {
		return fmt.Errorf("%w: output pattern %.80q: a [ without its ], or a \\ at the end", ErrInvalidJob, p)
	}
	return nil
}
