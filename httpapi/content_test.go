package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"

	"cordon/sandbox"
	"cordon/store"
)

// A file by its hash is one that the job is shown, unless a mode asks for one that it may
// write to.
func TestModesOfKeptFiles(t *testing.T) {
	s := startWithFiles(t, nil)
	sum := strings.TrimPrefix(s.put(t, "content"), "/v1/files/")
	for mode, want := range map[string]os.FileMode{"": 0o555, `,"mode":365`: 0o555, `,"mode":292`: 0o444, `,"mode":420`: 0o644, `,"mode":493`: 0o755} {
		if r := s.run(t, fmt.Sprintf(`{"command":["a"],"files":[{"path":"f","sha256":%q%s},{"path":"g","content":""}]}`, sum, mode)); r.status != 200 {
			t.Fatalf("%d %s", r.status, r.body)
		}
		files := s.runner.last(t).Files
		shared, ok := files[0].Kept.(sandbox.Shared)
		if !ok || shared.SHA256() != sum || files[0].Mode != want || files[1].Mode != 0o644 || files[1].Kept != nil {
			t.Errorf("%q: %+v", mode, files)
		}
	}
}

// What is shown takes nothing of disk_bytes, what is copied does.
func TestKeptFilesAndDisk(t *testing.T) {
	s := startWithFiles(t, nil)
	sum := strings.TrimPrefix(s.put(t, strings.Repeat("x", 2<<20)), "/v1/files/")
	const job = `{"command":["a"],"limits":{"disk_bytes":1048576},"files":[{"path":"f","sha256":%q%s}]}`
	if r := s.run(t, fmt.Sprintf(job, sum, "")); r.status != 200 {
		t.Errorf("%d %s", r.status, r.body)
	}
	s.run(t, fmt.Sprintf(job, sum, `,"mode":420`)).wants(t, CodePolicyDenied, "files")
}

// Outputs that a job has asked to be kept are kept, and in use until it is answered.
func TestKeepOutputs(t *testing.T) {
	s := startWithFiles(t, nil)
	s.runner.run = func(ctx context.Context, j *sandbox.Job) (*sandbox.Result, error) {
		r := ended(j, sandbox.OK)
		sum, err := j.Keep.Keep(ctx, 4, strings.NewReader("text"))
		if err != nil {
			t.Error(err)
		}
		if in := s.config.Files.Stats(); in.PinnedFiles != 1 {
			t.Errorf("it may go before it has been told: %+v", in)
		}
		r.Files = []sandbox.OutputFile{{Path: "a", Size: 4, SHA256: sum}}
		for i, n := range []int64{4<<20 + 1, 8 << 20} { // more than a file, and more than there is
			_, err := j.Keep.Keep(ctx, n, io.LimitReader(strings.NewReader(""), n))
			if !errors.Is(err, sandbox.ErrTooLong) {
				t.Errorf("%d: %v", i, err)
			}
		}
		return r, nil
	}
	r := s.run(t, `{"command":["a"],"outputs":["a"],"keep_outputs":true}`)
	var result RunResult
	if err := json.Unmarshal(r.body, &result); err != nil || len(result.Files) != 1 {
		t.Fatalf("%v: %s", err, r.body)
	}
	if f := result.Files[0]; f.SHA256 != strings.TrimPrefix(pathOf("text"), "/v1/files/") || f.Size != 4 || f.Content != "" || f.Error != "" {
		t.Errorf("%+v", f)
	}
	if got := s.send(t, "GET", pathOf("text"), nil); string(got.body) != "text" {
		t.Errorf("%d %s", got.status, got.body)
	}
	s.runner.run = succeed
	s.run(t, `{"command":["a"],"keep_outputs":true}`).wants(t, CodeInvalidField, "keep_outputs")
	s.run(t, `{"command":["a"],"keep_outputs":true,"tests":[{}]}`).wants(t, CodeInvalidField, "keep_outputs")
	if r := s.run(t, `{"command":["a"],"outputs":["a"]}`); r.status != 200 || s.runner.last(t).Keep != nil {
		t.Errorf("%d: outputs are kept that nobody has asked to keep", r.status)
	}
}

// refusing is a store that refuses.
type refusing struct {
	Files
	err error
}

func (r refusing) Add(context.Context, int64, io.Reader) (*store.File, error) {
	return nil, fmt.Errorf("no: %w", r.err)
}

// What is against a file is the file's; all else is ours.
func TestKeepRefused(t *testing.T) {
	for _, c := range []struct{ err, want error }{{store.ErrFull, sandbox.ErrNoRoom}, {syscall.ENOSPC, sandbox.ErrNoRoom}, {syscall.EDQUOT, sandbox.ErrNoRoom},
		{store.ErrTooLarge, sandbox.ErrTooLong}, {syscall.EIO, syscall.EIO}, {os.ErrClosed, os.ErrClosed}} {
		k := &kept{files: refusing{err: c.err}}
		_, err := k.Keep(t.Context(), 1, strings.NewReader("x"))
		if !errors.Is(err, c.want) || errors.Is(c.want, syscall.EIO) && (errors.Is(err, sandbox.ErrNoRoom) || errors.Is(err, sandbox.ErrTooLong)) {
			t.Errorf("%v: %v", c.err, err)
		}
	}
}
