package webhook

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// Reason says why an attempt has failed. It is a closed set: more would tell who asks for
// a webhook about the network that the service stands in.
type Reason string

// The reasons.
const (
	ReasonNone    Reason = ""
	ReasonHost    Reason = "host_not_allowed"    // the operator's list has it no more
	ReasonAddress Reason = "address_not_allowed" // what the name means is not public
	ReasonName    Reason = "name_unknown"
	ReasonConnect Reason = "cannot_connect"
	ReasonTLS     Reason = "tls"
	ReasonTimeout Reason = "timeout"
	ReasonAnswer  Reason = "bad_answer" // that is no HTTP, or too large
	ReasonStatus  Reason = "status"     // that is not 2xx
	ReasonGone    Reason = "gone"       // status 410: there will be no other attempt
	ReasonStopped Reason = "interrupted"
	ReasonTenant  Reason = "tenant_removed" // whose job it was is no tenant any more: nothing is sent
)

// Outcome is what came of an attempt.
type Outcome struct {
	Status int // 0: there was no answer
	Reason Reason
	After  time.Duration // that the receiver asks to be left alone for
}

// judge says what a status means.
func judge(answer *http.Response, now time.Time) Outcome {
	o := Outcome{Status: answer.StatusCode, Reason: ReasonStatus}
	switch {
	case o.Status >= 200 && o.Status <= 299:
		o.Reason = ReasonNone
	case o.Status == http.StatusGone:
		o.Reason = ReasonGone
	case o.Status == http.StatusTooManyRequests, o.Status == http.StatusServiceUnavailable:
		o.After = retryAfter(answer.Header.Get("Retry-After"), now)
	}
	return o
}

// retryAfter is how long to wait; 0 where nothing is said that can be understood.
func retryAfter(text string, now time.Time) time.Duration {
	if n, err := strconv.ParseUint(text, 10, 31); err == nil {
		return min(time.Duration(n)*time.Second, waitMost)
	}
	if at, err := http.ParseTime(text); err == nil {
		return min(max(0, at.Sub(now)), waitMost)
	}
	return 0
}

// reasonOf says why there is no answer.
func reasonOf(ctx context.Context, err error) Reason {
	var name *net.DNSError
	var record tls.RecordHeaderError
	var certificate *tls.CertificateVerificationError
	var op *net.OpError
	var timeout net.Error
	switch {
	case errors.Is(err, ErrAddress):
		return ReasonAddress
	case errors.Is(ctx.Err(), context.Canceled):
		return ReasonStopped
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return ReasonTimeout
	case errors.As(err, &name):
		return ReasonName
	case errors.As(err, &record), errors.As(err, &certificate), errors.As(err, &op) && (op.Op == "remote error" || op.Op == "local error"):
		return ReasonTLS
	case op != nil && op.Op == "dial":
		return ReasonConnect
	}
	return ReasonAnswer
}

// inner is an error without the URL, whose path and query may be a secret of the
// receiver's.
func inner(err error) string {
	var about *url.Error
	if errors.As(err, &about) {
		return about.Err.Error()
	}
	return err.Error()
}
