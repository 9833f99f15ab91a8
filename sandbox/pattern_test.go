package sandbox

import (
	"errors"
	"strings"
	"testing"
)

func TestCheckPattern(t *testing.T) {
	for _, good := range []string{"a", "./a", "*.png", "a/b/[a-z]", "..a", "a..", "\xff\xfe", "a\nb"} {
		if err := CheckPattern(good); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	for _, bad := range []string{"", "/etc/passwd", "..", "../a", "a/../b", "a/..", "a\x00b", "[", "a\\", strings.Repeat("a", 4096)} {
		if err := CheckPattern(bad); !errors.Is(err, ErrInvalidJob) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}
