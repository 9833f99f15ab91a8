package e2e

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

// alternate writes 60 KiB to each of stdout and stderr, in pieces of 1 to 97
// bytes that take turns.
const alternate = `
#include <unistd.h>

int main(void)
{
	char buffer[128];
	unsigned done = 0, total = 60 * 1024;
	for (unsigned i = 0; done < total; i++) {
		unsigned n = i % 97 + 1;
		if (n > total - done)
			n = total - done;
		for (int fd = 1; fd <= 2; fd++) {
			for (unsigned k = 0; k < n; k++)
				buffer[k] = (done + k) % 251 + fd;
			if (write(fd, buffer, n) != (ssize_t)n)
				return 1;
		}
		done += n;
	}
	return 0;
}
`

func testOutput(t *testing.T, s *service) {
	t.Run("alternating_streams", func(t *testing.T) {
		parallel(t)
		r := s.run(t, object{"language": "c", "source": alternate, "limits": object{"output_bytes": 61440}})
		r.want(t, "ok")
		for fd, got := range map[byte]string{1: r.out(t), 2: r.err(t)} {
			want := make([]byte, 60*1024)
			for i := range want {
				want[i] = byte(i%251) + fd
			}
			if !bytes.Equal([]byte(got), want) {
				t.Errorf("fd %d: %d bytes, first difference at %d", fd, len(got), difference(got, string(want)))
			}
		}
	})
	for _, fd := range []int{1, 2} {
		for _, tt := range []struct {
			bytes   int
			verdict string
		}{{4096, "ok"}, {4097, "output_limit"}} {
			t.Run(fmt.Sprintf("fd_%d_%d_of_4096", fd, tt.bytes), func(t *testing.T) {
				parallel(t)
				r := s.run(t, object{
					"command": shell(fmt.Sprintf("printf %%0%dd 0 >&%d", tt.bytes, fd)),
					"limits":  object{"output_bytes": 4096},
				})
				r.want(t, tt.verdict)
				got, truncated := r.out(t), r.Truncated.Stdout
				if fd == 2 {
					got, truncated = r.err(t), r.Truncated.Stderr
				}
				if got != strings.Repeat("0", 4096) || truncated != (tt.verdict != "ok") {
					t.Errorf("%d bytes, truncated %v", len(got), truncated)
				}
			})
		}
	}
	t.Run("last_words", func(t *testing.T) {
		parallel(t)
		r := s.run(t, object{"command": shell("printf first; printf last; kill -s KILL $$")})
		r.want(t, "signaled")
		if r.out(t) != "firstlast" {
			t.Errorf("stdout %q", r.out(t))
		}
	})
	t.Run("not_UTF-8", func(t *testing.T) {
		parallel(t)
		r := s.run(t, object{"command": shell(`printf '\377\000\376'`)})
		r.want(t, "ok")
		if r.StdoutBase64 == "" || r.out(t) != "\xff\x00\xfe" {
			t.Errorf("stdout %q", r.out(t))
		}
	})
}

func difference(a, b string) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return i
		}
	}
	return min(len(a), len(b))
}
