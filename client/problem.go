package client

import (
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Code is the code of a problem, and an error that errors.Is finds in one:
// errors.Is(err, client.Code("unknown_job")).
type Code string

// Error is the code.
func (c Code) Error() string { return string(c) }

// Those that programs ask for most. docs/api.md lists all.
const (
	ErrUnauthorized     Code = "unauthorized"
	ErrTooManyAttempts  Code = "too_many_attempts"
	ErrNotFound         Code = "not_found"
	ErrUnknownJob       Code = "unknown_job"
	ErrUnknownFile      Code = "unknown_file"
	ErrUnknownPolicy    Code = "unknown_policy"
	ErrUnknownLanguage  Code = "unknown_language"
	ErrMissingLanguage  Code = "language_not_installed"
	ErrPolicyDenied     Code = "policy_denied"
	ErrInvalidField     Code = "invalid_field"
	ErrTooLarge         Code = "too_large"
	ErrKeyReused        Code = "idempotency_key_reused"
	ErrContentMismatch  Code = "content_mismatch"
	ErrFileInUse        Code = "file_in_use"
	ErrStoreFull        Code = "store_full"
	ErrDiskFull         Code = "disk_full"
	ErrQueueFull        Code = "queue_full"
	ErrQueueUnavailable Code = "queue_unavailable"
	ErrShuttingDown     Code = "shutting_down"
	ErrInternal         Code = "internal_error"
	// ErrNoProblemDocument is of this package: something else than the service has answered.
	ErrNoProblemDocument Code = "no_problem_document"
)

const (
	problemBytes    = 1 << 20 // of a problem, at most
	strangerBytes   = 200     // of an answer that is none, in its detail
	retryAfterLimit = 24 * time.Hour
)

// Error is the problem in a sentence, with the field at fault and where there is one the job.
func (p *Problem) Error() string {
	text := p.Code + ": "
	if p.Path != "" {
		text += p.Path + ": "
	}
	return text + p.Detail
}

// Is finds a code.
func (p *Problem) Is(target error) bool {
	code, ok := target.(Code)
	return ok && string(code) == p.Code
}

// headCodes are those of answers to HEAD, which have no body to tell it.
var headCodes = map[int]Code{http.StatusUnauthorized: ErrUnauthorized, http.StatusNotFound: ErrUnknownFile,
	http.StatusTooManyRequests: ErrTooManyAttempts, http.StatusServiceUnavailable: ErrQueueFull}

// problemOf reads an answer that is none of those that were wanted.
func problemOf(r *http.Response) *Problem {
	text, err := io.ReadAll(io.LimitReader(r.Body, problemBytes))
	p := &Problem{}
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	switch {
	case r.Request != nil && r.Request.Method == http.MethodHead && headCodes[r.StatusCode] != "":
		p = &Problem{Type: "about:blank", Title: http.StatusText(r.StatusCode), Code: string(headCodes[r.StatusCode]), Detail: http.StatusText(r.StatusCode)}
	case err != nil || kind != "application/problem+json" || json.Unmarshal(text, p) != nil || p.Code == "":
		p = &Problem{Type: "about:blank", Title: http.StatusText(r.StatusCode), Code: string(ErrNoProblemDocument),
			Detail: fmt.Sprintf("status %d, and no problem as the service tells it: %q; does the URL lead to the service?", r.StatusCode,
				strings.TrimSpace(string(text[:min(len(text), strangerBytes)])))}
	}
	p.Status = int64(r.StatusCode)
	p.RetryAfter = retryAfter(r.Header, time.Now())
	return p
}

// retryAfter reads the header: seconds, or a date. 0: there is none.
func retryAfter(h http.Header, now time.Time) time.Duration {
	text := strings.TrimSpace(h.Get("Retry-After"))
	if n, err := strconv.ParseUint(text, 10, 31); err == nil {
		return min(time.Duration(n)*time.Second, retryAfterLimit)
	}
	if at, err := http.ParseTime(text); err == nil {
		return min(max(0, at.Sub(now)), retryAfterLimit)
	}
	return 0
}
