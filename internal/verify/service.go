package verify

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"time"

	"cordon/internal/child"
)

// canary stands in the service's environment and may be seen by no job.
const canary = "CORDON_VERIFY_CANARY=f3b1c0"

// startWithin ends the wait for jobs that do not start.
const startWithin = 2 * time.Minute

// service is a running "cordon serve", and the client that sends it jobs.
type service struct {
	*child.Service
	url, token string
	pid        int // of its first process
	ended      chan struct{}
	client     *http.Client
}

// startService runs the binary with a state directory; further arguments are
// those of cordon serve.
func startService(ctx context.Context, binary, state string, args []string) (*service, error) {
	s, err := child.Start(ctx, child.Options{Binary: binary, State: state, Env: append(os.Environ(), canary),
		Args: append([]string{"--go-cache", "off", "--languages", "sh", "--warm-most", "2", "--cpu-scale", "1"}, args...)})
	if err != nil {
		return nil, err
	}
	return &service{Service: s, url: s.URL, token: s.Token, pid: s.Pid, ended: s.Ended,
		client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}}, nil
}

func (s *service) logged() string { return s.Logged() }

func (s *service) port() string { return s.Port() }

// stop ends the service as an operator would.
func (s *service) stop() error {
	s.client.CloseIdleConnections()
	return s.Stop()
}

// answer is what POST /v1/run said.
type answer struct {
	status int
	body   []byte
	result result
	code   string // of a problem
}

// post sends a job.
func (s *service) post(ctx context.Context, job map[string]any) (*answer, error) {
	body, err := json.Marshal(job)
	if err != nil {
		return nil, err
	}
	return s.send(ctx, body, func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+s.token) })
}

// send posts a job's body, with headers that the caller sets.
func (s *service) send(ctx context.Context, body []byte, set func(*http.Request)) (*answer, error) {
	a := &answer{}
	var err error
	if a.status, a.body, err = s.exchange(ctx, http.MethodPost, "/v1/run", body, set); err != nil {
		return nil, err
	}
	if a.status == http.StatusOK {
		return a, json.Unmarshal(a.body, &a.result)
	}
	var problem struct{ Code string }
	err = json.Unmarshal(a.body, &problem)
	a.code = problem.Code
	return a, err
}

// exchange sends a request and reads the answer.
func (s *service) exchange(ctx context.Context, method, path string, body []byte, set func(*http.Request)) (status int, answer []byte, err error) {
	request, err := http.NewRequestWithContext(ctx, method, s.url+path, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	if len(body) > 0 {
		request.Header.Set("Content-Type", "application/json")
	}
	set(request)
	response, err := s.client.Do(request)
	if err != nil {
		return 0, nil, err
	}
	defer response.Body.Close()
	answer, err = io.ReadAll(response.Body)
	return response.StatusCode, answer, err
}
