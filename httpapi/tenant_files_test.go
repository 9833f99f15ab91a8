package httpapi

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http/httptest"
	"strings"
	"testing"

	"cordon/sandbox"
	"cordon/tenants"
)

// TestFilesOfWaitingJobs: what a tenant's jobs name that an earlier start has left is in use
// in the tenant's name, and what is not its own is not there for them.
func TestFilesOfWaitingJobs(t *testing.T) {
	s := startTenants(t, nil, "a")
	path := pathOf("x")
	s.as(t, s.keys["a"], "PUT", path, "x")
	job := s.as(t, s.keys["a"], "POST", jobsPath, `{"command":["cat"],"stdin_sha256":"`+strings.TrimPrefix(path, "/v1/files/")+`"}`).job(t)
	s.pins.release(job.ID) // as at the end of a start
	if err := s.pinAll(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.as(t, s.keys["a"], "DELETE", path, "").wants(t, CodeFileInUse, "")
	if r := s.as(t, s.keys["a"], "DELETE", jobsPath+"/"+job.ID, ""); r.status != 200 {
		t.Fatalf("%d %s", r.status, r.body)
	}
	if r := s.as(t, s.keys["a"], "DELETE", path, ""); r.status != 204 {
		t.Errorf("when the job has ended: %d %s", r.status, r.body)
	}
}

// TestFilesOfOthers: who knows the hash of another's file can neither read it nor learn
// that it is there, on no route and in no field.
func TestFilesOfOthers(t *testing.T) {
	s := startTenants(t, nil, "a", "b")
	const content, other = "the secret of a", "what nobody has"
	path, none := pathOf(content), pathOf(other)
	if r := s.as(t, s.keys["a"], "PUT", path, content); r.status != 201 {
		t.Fatalf("%d %s", r.status, r.body)
	}
	operators := s.put(t, "the operator's")
	for _, target := range []string{path, operators} {
		sum := strings.TrimPrefix(target, "/v1/files/")
		absent := strings.TrimPrefix(none, "/v1/files/")
		for _, method := range []string{"GET", "HEAD", "DELETE"} {
			like(t, method, s.as(t, s.keys["b"], method, target, ""), s.as(t, s.keys["b"], method, none, ""), sum, absent)
		}
		for _, wrong := range []string{"", "x", strings.Repeat("x", len(content)), strings.Repeat("x", 100)} {
			like(t, "PUT of something else", s.as(t, s.keys["b"], "PUT", target, wrong), s.as(t, s.keys["b"], "PUT", none, wrong), sum, absent)
		}
		for _, field := range []string{`"files":[{"path":"x","sha256":"%s"}]`, `"stdin_sha256":"%s"`, `"expect_sha256":"%s"`, `"tests":[{"stdin_sha256":"%s"}]`} {
			for _, route := range []string{runPath, jobsPath} {
				job := func(sum string) string { return `{"command":["cat"],` + fmt.Sprintf(field, sum) + `}` }
				like(t, route+" "+field, s.as(t, s.keys["b"], "POST", route, job(sum)), s.as(t, s.keys["b"], "POST", route, job(absent)), sum, absent)
				if r := s.as(t, s.keys["a"], "POST", route, job(sum)); (target == path) != (r.status < 300) {
					t.Errorf("control: %d %s", r.status, r.body)
				}
			}
		}
	}
	// Both have what both have put; it is new for each, there once, and counted for each.
	if r := s.as(t, s.keys["b"], "PUT", path, content); r.status != 201 {
		t.Errorf("%d %s", r.status, r.body)
	}
	if r := s.as(t, s.keys["b"], "PUT", path, content); r.status != 200 {
		t.Errorf("what it has itself: %d %s", r.status, r.body)
	}
	if n := s.files.Stats().Files; n != 2 {
		t.Errorf("%d files in the store, want a's and the operator's", n)
	}
	for _, who := range []string{"a", "b"} {
		if n := s.config.Tenancy.Holdings.Bytes(who); n != int64(len(content)) {
			t.Errorf("%s has %d bytes", who, n)
		}
		if r := s.as(t, s.keys[who], "GET", path, ""); string(r.body) != content {
			t.Errorf("%s reads %d %s", who, r.status, r.body)
		}
	}
	// Jobs of a that wait use it: a is told so, b is not, and has it no longer.
	s.as(t, s.keys["a"], "DELETE", path, "").wants(t, CodeFileInUse, "")
	if r := s.as(t, s.keys["b"], "DELETE", path, ""); r.status != 204 {
		t.Errorf("%d %s", r.status, r.body)
	}
	s.as(t, s.keys["b"], "GET", path, "").wants(t, CodeUnknownFile, "")
	if r := s.as(t, s.keys["a"], "GET", path, ""); string(r.body) != content {
		t.Errorf("with b's it is gone for a: %d %s", r.status, r.body)
	}
	for _, j := range strings.Split(string(s.as(t, s.keys["a"], "GET", jobsPath, "").body), `"id":"`)[1:] {
		s.as(t, s.keys["a"], "DELETE", jobsPath+"/"+j[:36], "")
	}
	if r := s.as(t, s.keys["a"], "DELETE", path, ""); r.status != 204 || s.files.Stats().Files != 1 {
		t.Errorf("%d %s, %d files are left", r.status, r.body, s.files.Stats().Files)
	}
}

// TestFilesWantOwners: a service that could not tell whose files are does not start.
func TestFilesWantOwners(t *testing.T) {
	c := Config{Tenancy: &Tenancy{Keys: tenants.NewRegistry(), Meter: tenants.NewMeter()}, Files: refusing{}}
	if _, err := New(c); err == nil || !strings.Contains(err.Error(), "Holdings") {
		t.Errorf("%v", err)
	}
}

// TestOperatorsFiles: what tenants put stays the operator's where it was, and what the
// operator deletes is gone for all.
func TestOperatorsFiles(t *testing.T) {
	s := startTenants(t, nil, "a")
	path := s.put(t, "x")
	later := pathOf("y")
	for _, one := range []struct{ path, content string }{{path, "x"}, {later, "y"}} {
		if r := s.as(t, s.keys["a"], "PUT", one.path, one.content); r.status != 201 {
			t.Fatalf("%d %s", r.status, r.body)
		}
	}
	s.put(t, "y")
	for _, p := range []string{path, later} {
		if r := s.as(t, s.keys["a"], "DELETE", p, ""); r.status != 204 {
			t.Errorf("%d %s", r.status, r.body)
		}
		if r := s.send(t, "GET", p, nil); r.status != 200 {
			t.Errorf("the operator's went with the tenant's: %d %s", r.status, r.body)
		}
	}
	if r := s.as(t, s.keys["a"], "PUT", path, "x"); r.status != 201 {
		t.Fatalf("%d %s", r.status, r.body)
	}
	if r := s.send(t, "DELETE", path, nil); r.status != 204 || s.config.Tenancy.Holdings.Bytes("a") != 0 {
		t.Errorf("%d %s", r.status, r.body)
	}
	s.as(t, s.keys["a"], "GET", path, "").wants(t, CodeUnknownFile, "")
}

// keptOutputs has a job keep what it is given as standard input.
func keptOutputs(ctx context.Context, j *sandbox.Job) (*sandbox.Result, error) {
	r := ended(j, sandbox.OK)
	if j.Keep != nil {
		sum, err := j.Keep.Keep(ctx, int64(len(j.Stdin.Data)), bytes.NewReader(j.Stdin.Data))
		one := sandbox.OutputFile{Path: "o", Size: int64(len(j.Stdin.Data)), SHA256: sum}
		if errors.Is(err, sandbox.ErrNoRoom) {
			one.Error = "store_full"
		} else if err != nil {
			return nil, err
		}
		r.Files = append(r.Files, one)
	}
	return r, nil
}

// TestStoredBytes: a limit that is just met, one that is passed, before the body is read
// where its length is told, and outputs that jobs keep.
func TestStoredBytes(t *testing.T) {
	s := startTenants(t, nil, "a", "b")
	s.limit(t, "a", tenants.Limits{StoredBytes: 10})
	put := func(who string, body io.Reader, content string) *reply {
		return s.send(t, "PUT", pathOf(content), body, "Authorization", "Bearer "+s.keys[who])
	}
	if r := put("a", strings.NewReader("123456"), "123456"); r.status != 201 {
		t.Fatalf("%d %s", r.status, r.body)
	}
	full := put("a", strings.NewReader("12345"), "12345")
	full.wants(t, CodeTenantStoreFull, "")
	full.retryAfter(t)
	put("a", withoutLength("12345"), "12345").wants(t, CodeTenantStoreFull, "")
	if r := put("b", strings.NewReader("12345"), "12345"); r.status != 201 {
		t.Errorf("another tenant: %d %s", r.status, r.body)
	}
	put("a", strings.NewReader("12345"), "12345").wants(t, CodeTenantStoreFull, "") // though it is there
	if r := put("a", strings.NewReader("123456"), "123456"); r.status != 200 {
		t.Errorf("what it has again: %d %s", r.status, r.body)
	}
	request := httptest.NewRequestWithContext(t.Context(), "PUT", pathOf("large"), unreadable{t})
	request.Header.Set("Authorization", "Bearer "+s.keys["a"])
	request.ContentLength = 5
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, request)
	(&reply{w.Code, w.Result().Header, w.Body.Bytes()}).wants(t, CodeTenantStoreFull, "")
	s.runner.does(keptOutputs)
	job := `{"command":["a"],"outputs":["o"],"keep_outputs":true,"stdin":"`
	if r := s.as(t, s.keys["a"], "POST", runPath, job+`12345"}`); r.status != 200 || !strings.Contains(string(r.body), "store_full") {
		t.Errorf("%d %s", r.status, r.body)
	}
	if r := s.as(t, s.keys["a"], "POST", runPath, job+`1234"}`); r.status != 200 || !strings.Contains(string(r.body), strings.TrimPrefix(pathOf("1234"), "/v1/files/")) {
		t.Errorf("%d %s", r.status, r.body)
	}
	if r := s.as(t, s.keys["a"], "GET", pathOf("1234"), ""); string(r.body) != "1234" || s.config.Tenancy.Holdings.Bytes("a") != 10 {
		t.Errorf("a kept output: %d %s, %d bytes are counted", r.status, r.body, s.config.Tenancy.Holdings.Bytes("a"))
	}
	s.as(t, s.keys["b"], "GET", pathOf("1234"), "").wants(t, CodeUnknownFile, "")
	put("a", strings.NewReader("1"), "1").wants(t, CodeTenantStoreFull, "")
}
