package e2e

import (
	"slices"
	"strings"
	"testing"
)

func testFiles(t *testing.T, s *service) {
	t.Run("kinds", func(t *testing.T) {
		parallel(t)
		r := s.run(t, object{
			"command": shell("echo hello > out.txt; mkdir d; echo deep > d/x.txt; ln -s /etc/passwd link; ln -s out.txt near; mkfifo fifo; printf '\\377' > raw; : > empty"),
			"outputs": []string{"out.txt", "d", "d/x.txt", "link", "near", "fifo", "raw", "empty", "absent"},
		})
		r.want(t, "ok")
		for path, want := range map[string]outputFile{
			"out.txt": {Content: "hello\n"},
			"d/x.txt": {Content: "deep\n"},
			"raw":     {Content: "\xff"},
			"empty":   {},
			// A link is not followed, wherever it leads: the file behind it is the
			// host's in one case and the job's own in the other.
			"link":   {Error: "not_regular"},
			"near":   {Error: "not_regular"},
			"fifo":   {Error: "not_regular"},
			"d":      {Error: "not_regular"},
			"absent": {Error: "not_found"},
		} {
			i := slices.IndexFunc(r.Files, func(f outputFile) bool { return f.Path == path })
			if i < 0 {
				t.Errorf("%s: not in the result: %+v", path, r.Files)
				continue
			}
			if got := r.Files[i]; got.data(t) != want.Content || got.Error != want.Error {
				t.Errorf("%s: %+v, want %+v", path, got, want)
			}
		}
	})
	t.Run("pattern", func(t *testing.T) {
		parallel(t)
		r := s.run(t, object{"command": shell("echo 1 > a.txt; echo 2 > b.txt; echo 3 > c.log"), "outputs": []string{"*.txt"}})
		r.want(t, "ok")
		var got []string
		for _, f := range r.Files {
			got = append(got, f.Path+"="+strings.TrimSpace(f.data(t)))
		}
		slices.Sort(got)
		if want := []string{"a.txt=1", "b.txt=2"}; !slices.Equal(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
	})
	t.Run("after_a_crash", func(t *testing.T) {
		parallel(t)
		r := s.run(t, object{"command": shell("echo kept > out.txt; kill -s SEGV $$; sleep 5"), "outputs": []string{"out.txt"}})
		r.want(t, "signaled")
		if len(r.Files) != 1 || r.Files[0].data(t) != "kept\n" {
			t.Errorf("files %+v", r.Files)
		}
	})
}
