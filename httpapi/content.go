package httpapi

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"syscall"

	"cordon/queue"
	"cordon/sandbox"
	"cordon/store"
	"cordon/tenants"
)

// kept are the files that a job has named by their hashes: they stay until it has
// ended.
type kept struct {
	files Files
	held  []*store.File

	tenant   string            // whose job it is
	holdings *tenants.Holdings // nil: of nobody in particular, or holdings are no matter
	used     []func()          // the ends of what holdings count

	// Where the job runs elsewhere its files are only named.
	shared *SharedFiles
	ctx    context.Context
	names  []string
}

// heldFile is a kept file as the sandbox wants it.
type heldFile struct{ *store.File }

// Bytes is its size.
func (f heldFile) Bytes() int64 { return f.Size }

// SHA256 is its name: nobody writes to it, and jobs may be shown it as it is.
func (f heldFile) SHA256() string { return f.Sum }

func (k *kept) get(sum, at string) (sandbox.Kept, *Problem) {
	if k.files == nil {
		return nil, problem(CodeInvalidField, at, "this service keeps no files: it was started with --files-bytes 0; send the content itself")
	}
	if k.shared != nil {
		return k.name(sum, at)
	}
	f, err := k.use(sum)
	if err != nil {
		return nil, notKept(err, sum, at)
	}
	k.held = append(k.held, f)
	return heldFile{f}, nil
}

// notKept is the answer to a file that cannot be had.
func notKept(err error, sum, at string) *Problem {
	switch {
	case errors.Is(err, store.ErrBadSum):
		return problem(CodeInvalidField, at, fmt.Sprintf("%q given, 64 lower-case hexadecimal digits of a SHA-256 are wanted", clip(sum)))
	case errors.Is(err, store.ErrNotFound):
		return problem(CodeInvalidField, at, fmt.Sprintf("no file %s is kept; PUT it to /v1/files/%s first", sum, sum))
	case errors.Is(err, queue.ErrUnavailable):
		return problem(CodeQueueUnavailable, at, "the file cannot be reached now: "+err.Error())
	}
	return problem(CodeInternal, at, "the file could not be read: "+err.Error())
}

// use takes a file into use, in its tenant's name as well: that can be told to the tenant.
func (k *kept) use(sum string) (*store.File, error) {
	f, err := k.files.Get(sum)
	if err != nil || k.holdings == nil {
		return f, err
	}
	done, err := k.holdings.Use(k.tenant, sum)
	if err != nil { // given up just now
		return nil, errors.Join(store.NotFound(sum), f.Close())
	}
	k.used = append(k.used, done)
	return f, nil
}

// Keep keeps an output of the job. It stays at least until the result has been sent.
func (k *kept) Keep(ctx context.Context, size int64, r io.Reader) (string, error) {
	f, err := k.files.Add(ctx, size, r)
	switch {
	case errors.Is(err, store.ErrFull), errors.Is(err, tenants.ErrNoRoom), errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return "", fmt.Errorf("%w: %w", sandbox.ErrNoRoom, err)
	case errors.Is(err, store.ErrTooLarge):
		return "", fmt.Errorf("%w: %w", sandbox.ErrTooLong, err)
	case err != nil:
		return "", err
	}
	k.held = append(k.held, f)
	if k.holdings != nil {
		if done, err := k.holdings.Use(k.tenant, f.Sum); err == nil { // else it was given up just now
			k.used = append(k.used, done)
		}
	}
	return f.Sum, nil
}

// outputs are what the job gives back, and who keeps it.
func (k *kept) outputs(j *sandbox.Job, r *RunRequest) *Problem {
	for i, pattern := range r.Outputs {
		if err := sandbox.CheckPattern(pattern); err != nil {
			return problem(CodeInvalidField, fmt.Sprintf("outputs[%d]", i), err.Error())
		}
	}
	switch {
	case !r.KeepOutputs:
	case k.files == nil:
		return problem(CodeInvalidField, "keep_outputs", "this service keeps no files: it was started with --files-bytes 0; leave it out, and outputs are in the result")
	case len(r.Outputs) == 0:
		return problem(CodeInvalidField, "keep_outputs", "there is nothing to keep; give outputs, or leave it out")
	default:
		j.Keep = k
	}
	return nil
}

// release gives the files back.
func (k *kept) release() {
	for _, done := range k.used {
		done()
	}
	for _, f := range k.held {
		f.Close()
	}
}

// stdin is standard input, given in one of three ways. at is what stands before the
// names of the fields.
func (k *kept) stdin(text, encoded, sum, at string) (sandbox.Content, *Problem) {
	var c sandbox.Content
	var p *Problem
	switch {
	case sum != "" && (text != "" || encoded != ""):
		p = problem(CodeInvalidField, at+"stdin_sha256", "stdin is given too; give one of them")
	case sum != "":
		c.Kept, p = k.get(sum, at+"stdin_sha256")
	case encoded != "" && text != "":
		p = problem(CodeInvalidField, at+"stdin_base64", "stdin is given too; give one of them")
	case encoded != "":
		c.Data, p = decoded(encoded, at+"stdin_base64")
	default:
		c.Data = []byte(text)
	}
	return c, p
}

// expectation is an expected output; nil without one.
func (k *kept) expectation(text, encoded *string, sum, at string) (*sandbox.Expectation, *Problem) {
	e := &sandbox.Expectation{}
	var p *Problem
	switch {
	case sum != "" && (text != nil || encoded != nil):
		p = problem(CodeInvalidField, at+"expect_sha256", "expect is given too; give one of them")
	case sum != "":
		e.Output.Kept, p = k.get(sum, at+"expect_sha256")
	case text != nil && encoded != nil:
		p = problem(CodeInvalidField, at+"expect_base64", "expect is given too; give one of them")
	case encoded != nil:
		e.Output.Data, p = decoded(*encoded, at+"expect_base64")
	case text != nil:
		e.Output.Data = []byte(*text)
	default:
		return nil, nil
	}
	return e, p
}

func decoded(text, at string) ([]byte, *Problem) {
	data, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, problem(CodeInvalidField, at, "not base64 (RFC 4648 with padding): "+err.Error())
	}
	return data, nil
}
