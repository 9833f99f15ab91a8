package main

import (
	"bytes"
	"strings"
	"testing"
)

func TestReport(t *testing.T) {
	for _, tt := range []struct {
		name, in, last string
		ok             bool
		says           string
	}{
		{"passes", `{"Action":"pass","Package":"cordon/a","Test":"TestX"}`, "1 passed, 0 failed, 0 skipped", true, ""},
		{"fails", `{"Action":"output","Package":"cordon/a","Test":"TestX","Output":"the reason\n"}
{"Action":"fail","Package":"cordon/a","Test":"TestX"}`, "0 passed, 2 failed, 0 skipped", false, "the reason"},
		{"nothing ran", ``, "0 passed, 1 failed, 0 skipped", false, "nothing was run"},
		{"unexpected skip", `{"Action":"pass","Package":"cordon/a","Test":"TestX"}
{"Action":"skip","Package":"cordon/a","Test":"TestY"}`, "1 passed, 1 failed, 1 skipped", false, "a/TestY (skipped"},
		{"allowed skip", `{"Action":"pass","Package":"cordon/a","Test":"TestX"}
{"Action":"skip","Package":"cordon/a","Test":"TestZ"}`, "1 passed, 0 failed, 1 skipped", true, ""},
		{"build", `{"Action":"pass","Package":"cordon/a","Test":"TestX"}
{"ImportPath":"cordon/b","Action":"build-output","Output":"b.go:1: no\n"}
{"ImportPath":"cordon/b","Action":"build-fail"}`, "1 passed, 1 failed, 0 skipped", false, "b.go:1: no"},
		{"phase", `{"Action":"pass","Package":"cordon/a","Test":"TestX"}
PHASE FAILED uml`, "1 passed, 1 failed, 0 skipped", false, "PHASE FAILED uml"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var out bytes.Buffer
			r := &report{out: &out, allowed: allowed("# none\na/TestZ because\na/TestY\n"), output: map[string][]string{}}
			if err := r.read(strings.NewReader(tt.in)); err != nil {
				t.Fatal(err)
			}
			ok := r.close()
			lines := strings.Split(strings.TrimSpace(out.String()), "\n")
			if ok != tt.ok || !strings.HasPrefix(lines[len(lines)-1], tt.last) || !strings.Contains(out.String(), tt.says) {
				t.Errorf("ok %v, printed:\n%s", ok, out.String())
			}
		})
	}
}
