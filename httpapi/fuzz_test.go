package httpapi

import (
	"encoding/json"
	"reflect"
	"testing"
	"unicode/utf8"
)

// FuzzDecodeRun: every body is either a request or a problem with a code, and a
// request means the same after it was written and read again.
func FuzzDecodeRun(f *testing.F) {
	for _, c := range refusedBodies {
		if len(c.body) < 1000 {
			f.Add([]byte(c.body))
		}
	}
	f.Add([]byte(everything))
	f.Add([]byte(`{"source":"","files":[],"env":{},"limits":{"pids":-0,"cpus":-0.0}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		r, p := decodeRun(body)
		if (r == nil) == (p == nil) {
			t.Fatalf("request %v and problem %v", r, p)
		}
		if p != nil {
			if statusOf[p.Code] != 400 || p.Status != 400 || p.Detail == "" || !utf8.ValidString(p.Path) {
				t.Fatalf("%+v", p)
			}
			return
		}
		if !utf8.Valid(body) {
			t.Fatalf("taken, and not UTF-8: %q", body)
		}
		again, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		back, p := decodeRun(again)
		if p != nil {
			t.Fatalf("%s became %s: %v", body, again, p)
		}
		if !reflect.DeepEqual(plainRequest(r), plainRequest(back)) {
			t.Fatalf("%s became %s", body, again)
		}
	})
}

// plainRequest has no empty lists: to a job, none and an empty one are the same.
func plainRequest(r *RunRequest) RunRequest {
	p := *r
	for _, list := range []*[]string{&p.Command, &p.Outputs, &p.RootDirs} {
		if len(*list) == 0 {
			*list = nil
		}
	}
	if len(p.Files) == 0 {
		p.Files = nil
	}
	if len(p.Env) == 0 {
		p.Env = nil
	}
	if p.Build != nil && len(p.Build.Command) == 0 {
		p.Build = &BuildRequest{Limits: p.Build.Limits}
	}
	return p
}
