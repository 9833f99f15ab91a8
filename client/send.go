package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"time"
)

// call is a request that may be sent more than once.
type call struct {
	method, path string
	query        url.Values
	header       http.Header
	body         func() (io.Reader, int64, error) // anew for each time; -1: of unknown length
	once         bool                             // the body cannot be read again
	repeatable   bool                             // twice is as good as once
	want         []int                            // statuses
	read         func(io.Reader) error            // the body, in whole; nil: that is the caller's
}

// jsonBody is a body that can be sent again.
func jsonBody(v any) (func() (io.Reader, int64, error), error) {
	text, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	return func() (io.Reader, int64, error) { return bytes.NewReader(text), int64(len(text)), nil }, nil
}

// answer sends a call and decodes what comes.
func answer[T any](ctx context.Context, c *Client, one call) (*T, error) {
	var v *T
	one.read = func(body io.Reader) error {
		v = new(T)
		return json.NewDecoder(body).Decode(v)
	}
	if _, err := c.send(ctx, one); err != nil {
		return nil, err
	}
	return v, nil
}

// isNonsense: what came is whole, and it is not what was wanted. To ask again does not help.
func isNonsense(err error) bool {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	return errors.As(err, &syntax) || errors.As(err, &kind)
}

// drain lets the connection be used again, where little is left.
func drain(r *http.Response) {
	_, _ = io.CopyN(io.Discard, r.Body, 64<<10)
	r.Body.Close()
}

// send sends a call, again where it may be, and gives an answer that is wanted.
func (c *Client) send(ctx context.Context, one call) (*http.Response, error) {
	for attempt := 0; ; attempt++ {
		r, err := c.try(ctx, one)
		wanted := err == nil && slices.Contains(one.want, r.StatusCode)
		if wanted && one.read != nil {
			err = one.read(r.Body)
			drain(r)
		}
		if wanted && err == nil {
			return r, nil
		}
		wait, again := time.Duration(0), false
		if err != nil {
			err = fmt.Errorf("%s %s: %w", one.method, one.path, err)
			again = one.repeatable && !isNonsense(err)
		} else {
			p := problemOf(r)
			r.Body.Close()
			wait, again, err = p.RetryAfter, one.mayComeAgain(r), p
		}
		wait = max(wait, c.pause(attempt))
		if !again || one.once || attempt >= c.retries || wait > c.most || ctx.Err() != nil {
			return nil, err
		}
		if late := sleep(ctx, wait); late != nil {
			return nil, errors.Join(err, late)
		}
	}
}

// mayComeAgain: nothing was begun, and the service says when there is hope; or something
// between here and there failed, and twice is as good as once.
func (one *call) mayComeAgain(r *http.Response) bool {
	switch r.StatusCode {
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		return r.Header.Get("Retry-After") != "" || one.repeatable
	case http.StatusBadGateway, http.StatusGatewayTimeout:
		return one.repeatable
	}
	return false
}

// try sends a call once.
func (c *Client) try(ctx context.Context, one call) (*http.Response, error) {
	var body io.Reader
	length := int64(0)
	if one.body != nil {
		var err error
		if body, length, err = one.body(); err != nil {
			return nil, err
		}
	}
	at := c.base + one.path
	if len(one.query) > 0 {
		at += "?" + one.query.Encode()
	}
	r, err := http.NewRequestWithContext(ctx, one.method, at, body)
	if err != nil {
		return nil, err
	}
	if r.ContentLength = length; length == 0 {
		r.Body = nil // or it would be sent in chunks
	}
	for name, values := range one.header {
		r.Header[name] = values
	}
	r.Header.Set("User-Agent", c.userAgent)
	if c.token != "" {
		r.Header.Set("Authorization", "Bearer "+c.token)
	}
	return c.http.Do(r)
}

// pause grows with each attempt; half of it is left to chance, so that clients that were
// turned away together do not come again together.
func (c *Client) pause(attempt int) time.Duration {
	d := min(c.wait<<min(attempt, 20), c.most)
	return d/2 + rand.N(d/2+1)
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
