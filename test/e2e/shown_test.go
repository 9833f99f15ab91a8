package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"cordon/internal/testkit"
)

// keep puts a file, and says under which name it is.
func (s *service) keep(t *testing.T, content []byte) (sum string) {
	t.Helper()
	path := filePath(content)
	if status, _, answer := s.send(t, "PUT", path, s.token, content); status != 200 && status != 201 {
		t.Fatalf("%d %s", status, answer)
	}
	return strings.TrimPrefix(path, "/v1/files/")
}

// TestShown: jobs see files that are named by their hash, can do nothing to them, and
// nothing to the place where they are kept; what jobs leave can be kept the same way.
func TestShown(t *testing.T) {
	flags := []string{"--languages", "sh", "--files-bytes", "64M"}
	d := testkit.StartDaemonIn(t, t.TempDir(), flags...)
	s := newService(d.URL, d.Token)
	t.Run("everywhere", func(t *testing.T) { testShownEverywhere(t, s) })
	t.Run("hostile", func(t *testing.T) { testShownHostile(t, s) })
	t.Run("kept_outputs", func(t *testing.T) { testKeptOutputs(t, s) })
	t.Run("killed", func(t *testing.T) { testShownKilled(t, d, flags) })
}

func testShownEverywhere(t *testing.T, s *service) {
	data := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	sum, tool := s.keep(t, data), s.keep(t, []byte("#!/bin/sh\nwc -c <in/data\n"))
	files := []object{{"path": "in/data", "sha256": sum}, {"path": "tool", "sha256": tool}, {"path": "own", "sha256": tool, "mode": 0o755}}
	script := `./tool; ./own; sha256sum <in/data | cut -d" " -f1; stat -c "%F %a" in/data own; (echo x >>own) && tail -1 own`
	want := fmt.Sprintf("1048576\n1048576\n%s\nregular file 555\nregular file 755\nx\n", sum)
	r := s.run(t, object{"command": shell(script), "files": files, "stdin_sha256": sum, "limits": object{"disk_bytes": 256 << 10}})
	if r.want(t, "ok"); r.Stdout != want || r.Usage.DiskBytes > 128<<10 {
		t.Errorf("%q %q, %d bytes of disk", r.Stdout, r.Stderr, r.Usage.DiskBytes)
	}
	build := object{"command": shell("./tool >built")}
	r = s.run(t, object{"command": shell("cat built; ./tool; rm own; (echo x >>in/data) 2>/dev/null && echo changed"), "files": files, "build": build})
	if r.Stdout != "1048576\n1048576\n" {
		t.Errorf("behind a build: %q %q", r.Stdout, r.Stderr)
	}
	a := suite(t, s, object{"policy": "judge", "command": shell("cat built; ./tool; cat; cat more/data | wc -c"), "files": files, "build": build,
		"tests":   []object{{"stdin": "in\n", "files": []object{{"path": "more/data", "sha256": sum}}, "expect": "1048576\n1048576\nin\n1048576\n"}, {"stdin_sha256": tool, "expect": "x"}},
		"checker": object{"command": []string{"sh", "check"}, "files": []object{{"path": "check", "content": "cmp $2 $3"}}}})
	if a.verdicts() != "ok wrong_answer" {
		t.Errorf("%s %+v", a.verdicts(), a.Tests)
	}
	if _, answer := s.file(t, "GET", "/v1/files/"+sum, nil, 200, ""); !bytes.Equal(answer, data) {
		t.Error("it has been changed")
	}
	for _, name := range []string{sum, tool} {
		s.file(t, "DELETE", "/v1/files/"+name, nil, 204, "") // nobody holds them any more
	}
}

// testShownHostile: every way by which a file of its own can be changed fails with one
// that is shown, and from there no way leads anywhere else.
func testShownHostile(t *testing.T, s *service) {
	data := []byte("text\n")
	sum := s.keep(t, data)
	other := s.keep(t, []byte("of another job"))
	const script = `: >g0; try() { what=$1; shift; "$@" 2>/dev/null && echo $what; }
try write sh -c 'echo x >f'; try descriptor sh -c 'exec 3<f; echo x >/proc/self/fd/3'; try truncate truncate -s 0 f; try chmod chmod 700 f
try link ln f g; try over mv g0 f; try rename mv f h; try remove rm -f f h; ls f/.. /proc/self/cwd/f/../.. 2>/dev/null; cat f 2>/dev/null`
	job := object{"command": shell(script), "files": []object{{"path": "f", "sha256": sum}}}
	r := s.run(t, job)
	if r.Stdout != "text\n" {
		t.Errorf("a job could do something: %q", r.Stdout)
	}
	job["files"] = []object{{"path": "f", "sha256": sum, "mode": 0o700}}
	if r := s.run(t, job); !strings.HasPrefix(r.Stdout, "write\ndescriptor\ntruncate\nchmod\nlink\nover\nrename\nremove\n") {
		t.Errorf("with a copy of its own: %q %q", r.Stdout, r.Stderr)
	}
	r = s.run(t, object{"command": shell("cat /work/" + other + " /work/*/" + other + "; find /work /layer /tmp /dev/shm -name " + other + " 2>/dev/null; grep -c " + other + " /proc/self/mountinfo"),
		"files": []object{{"path": "f", "sha256": sum}}})
	if r.Stdout != "0\n" {
		t.Errorf("it sees something of another file: %q", r.Stdout)
	}
	kept(t, s, data)
	for _, c := range []struct {
		files object
		path  string
	}{{object{"path": "f", "sha256": strings.Repeat("0", 64)}, "files[0].sha256"}, {object{"path": "f", "sha256": "../" + sum}, "files[0].sha256"},
		{object{"path": "../f", "sha256": sum}, "files[0].path"}, {object{"path": "f", "sha256": sum, "content": ""}, "files[0]"}} {
		body, err := json.Marshal(object{"command": []string{"true"}, "files": []object{c.files}})
		if err != nil {
			t.Fatal(err)
		}
		status, _, answer := s.send(t, http.MethodPost, "/v1/run", s.token, body)
		var p struct{ Path string }
		if err := json.Unmarshal(answer, &p); err != nil || status != 422 || p.Path != c.path {
			t.Errorf("%v: %d %s", c.files, status, answer)
		}
	}
}

// testKeptOutputs: what one job has left is what the next one starts from, and never
// comes by here.
func testKeptOutputs(t *testing.T, s *service) {
	const size = 20 << 20 // more than a result may hold of outputs
	r := s.run(t, object{"command": shell(fmt.Sprintf("head -c %d /dev/zero | tr '\\0' x >big; echo small >b; ln -s b link; truncate -s 100M holes", size)),
		"outputs": []string{"big", "b", "link", "absent", "holes"}, "keep_outputs": true, "limits": object{"disk_bytes": 64 << 20, "memory_bytes": 256 << 20, "file_bytes": 128 << 20}})
	r.want(t, "ok")
	big := bytes.Repeat([]byte("x"), size)
	var got []string
	for _, f := range r.Files {
		got = append(got, fmt.Sprint(f.Path, " ", f.Size, " ", f.SHA256, " ", f.Error, f.Content))
	}
	want := []string{fmt.Sprint("big ", size, " ", filePath(big)[10:], " "), "b 6 " + filePath([]byte("small\n"))[10:] + " ", "link 0  not_regular", "absent 0  not_found", fmt.Sprint("holes ", 100<<20, "  too_large")}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Fatalf("%q\nwant %q", got, want)
	}
	kept(t, s, big, []byte("small\n"))
	next := s.run(t, object{"command": shell("wc -c <big; wc -c"), "files": []object{{"path": "big", "sha256": r.Files[0].SHA256}}, "stdin_sha256": r.Files[1].SHA256})
	if next.Stdout != fmt.Sprintf("%d\n6\n", size) {
		t.Errorf("%q %q", next.Stdout, next.Stderr)
	}
	// While a job has 20 MiB of the 64 there is no room for 50 more.
	r = s.run(t, object{"command": shell("head -c 50000000 /dev/urandom >more; cp small too"), "outputs": []string{"more", "too"}, "keep_outputs": true,
		"files":  []object{{"path": "big", "sha256": filePath(big)[10:]}, {"path": "small", "sha256": filePath([]byte("small\n"))[10:]}},
		"limits": object{"disk_bytes": 64 << 20, "memory_bytes": 256 << 20}})
	if len(r.Files) != 2 || r.Files[0].Error != "store_full" || r.Files[0].SHA256 != "" || r.Files[1].Size != 6 || r.Files[1].Error != "" {
		t.Errorf("%+v", r.Files)
	}
	kept(t, s, big)
}

// testShownKilled: a file that a running job sees is in use, and a service that is killed
// meanwhile leaves neither a mount nor a name more than before.
func testShownKilled(t *testing.T, d *testkit.Daemon, flags []string) {
	s := newService(d.URL, d.Token)
	data := bytes.Repeat([]byte("data"), 1<<18)
	path := filePath(data)
	sum := s.keep(t, data)
	before := len(entries(t, filepath.Join(d.State, "files", sum[:2])))
	body, err := json.Marshal(object{"command": shell("sleep 1000"), "files": []object{{"path": "f", "sha256": sum}}, "stdin_sha256": sum, "limits": object{"wall_ms": 60000}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	go func() {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url+"/v1/run", bytes.NewReader(body))
		if err != nil {
			return
		}
		req.Header.Set("Authorization", "Bearer "+s.token)
		req.Header.Set("Content-Type", "application/json")
		if resp, err := s.client.Do(req); err == nil {
			resp.Body.Close()
		}
	}()
	for began := time.Now(); metrics(t, s)["cordon_jobs_running"] != 1; time.Sleep(5 * time.Millisecond) {
		if time.Since(began) > time.Minute {
			t.Fatal("the job does not begin")
		}
	}
	s.file(t, "DELETE", path, nil, 409, "file_in_use")
	traces := d.Traces(t)
	d.Kill(t, victims(t, traces.Processes(), false, 2)...)
	untilGone(t, traces, time.Now(), time.Minute)

	d = testkit.StartDaemonIn(t, d.State, flags...)
	s = newService(d.URL, d.Token)
	kept(t, s, data)
	if after := len(entries(t, filepath.Join(d.State, "files", sum[:2]))); after != before {
		t.Errorf("%d names beside it, before %d", after, before)
	}
	s.file(t, "DELETE", path, nil, 204, "")
	d.Signal(t, syscall.SIGTERM)
	d.Wait(t)
}
