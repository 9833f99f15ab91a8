package client

import (
	"context"
	"crypto/rand"
	"iter"
	"net/http"
	"net/url"
	"strconv"
)

// Run runs a job and waits for its result. It is not sent again when the connection breaks:
// nobody knows then whether it ran. Its end ends with ctx, and so does the job.
func (c *Client) Run(ctx context.Context, job RunRequest) (*RunResult, error) {
	body, err := jsonBody(job)
	if err != nil {
		return nil, err
	}
	return answer[RunResult](ctx, c, call{method: http.MethodPost, path: "/v1/run", body: body, header: asJSON(), want: []int{http.StatusOK}})
}

func asJSON() http.Header { return http.Header{"Content-Type": {"application/json"}} }

// NewKey makes an Idempotency-Key that no other submission has.
func NewKey() string { return rand.Text() }

// Submit queues a job, once, whatever becomes of the connection meanwhile: it has a new
// Idempotency-Key, with which it is sent again.
func (c *Client) Submit(ctx context.Context, job JobRequest) (*JobStatus, error) {
	return c.SubmitAs(ctx, NewKey(), job)
}

// SubmitAs is Submit with an Idempotency-Key of yours. The same key with the same job is
// the same job also for another process, on another day.
func (c *Client) SubmitAs(ctx context.Context, key string, job JobRequest) (*JobStatus, error) {
	body, err := jsonBody(job)
	if err != nil {
		return nil, err
	}
	header := asJSON()
	if key != "" {
		header.Set("Idempotency-Key", key)
	}
	return answer[JobStatus](ctx, c, call{method: http.MethodPost, path: "/v1/jobs", body: body, header: header, repeatable: key != "",
		want: []int{http.StatusAccepted}})
}

// Job is what is known of a job, with its result when it has ended.
func (c *Client) Job(ctx context.Context, id string) (*JobStatus, error) {
	return answer[JobStatus](ctx, c, call{method: http.MethodGet, path: jobPath(id), repeatable: true, want: []int{http.StatusOK}})
}

func jobPath(id string) string { return "/v1/jobs/" + url.PathEscape(id) }

// Cancel ends a job, and returns when that has happened. For one that has ended it changes
// nothing.
func (c *Client) Cancel(ctx context.Context, id string) (*JobStatus, error) {
	return answer[JobStatus](ctx, c, call{method: http.MethodDelete, path: jobPath(id), repeatable: true, want: []int{http.StatusOK}})
}

// JobsQuery says which jobs are wanted.
type JobsQuery struct {
	State State  // "": in any
	After string // only those behind the job with this id
	Page  int    // how many are asked for at once; 0: as many as the service likes
}

// Jobs are the jobs in the order in which they came, without results. Further pages are
// asked for as they are needed. An error is the last that is given.
func (c *Client) Jobs(ctx context.Context, which JobsQuery) iter.Seq2[*JobStatus, error] {
	return func(yield func(*JobStatus, error) bool) {
		after := which.After
		for {
			q := url.Values{}
			for name, value := range map[string]string{"state": string(which.State), "after": after} {
				if value != "" {
					q.Set(name, value)
				}
			}
			if which.Page != 0 {
				q.Set("limit", strconv.Itoa(which.Page))
			}
			page, err := answer[JobList](ctx, c, call{method: http.MethodGet, path: "/v1/jobs", query: q, repeatable: true, want: []int{http.StatusOK}})
			if err != nil {
				yield(nil, err)
				return
			}
			for i := range page.Jobs {
				if !yield(&page.Jobs[i], nil) {
					return
				}
			}
			if page.Next == "" {
				return
			}
			after = page.Next
		}
	}
}

// Final: no other state follows.
func (s State) Final() bool { return s != StateQueued && s != StateRunning }
