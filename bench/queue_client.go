package bench

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// submission is a job as a request that is answered when it is durable.
func (s *session) submission(base, token string, job map[string]any) (*request, error) {
	body, err := json.Marshal(job)
	if err != nil {
		return nil, err
	}
	return post(base, "/v1/jobs", token, body, []byte(`"created_at":`))
}

// jobsClient submits jobs and reads their events.
type jobsClient struct {
	base, token string
	http        *http.Client
}

func newJobsClient(base, token string) *jobsClient {
	return &jobsClient{base, token, &http.Client{Timeout: answerWithin, Transport: &http.Transport{}}}
}

func (c *jobsClient) close() { c.http.CloseIdleConnections() }

// ask sends a request and hands out the answer if that has the wanted status.
func (c *jobsClient) ask(ctx context.Context, method, path string, body any, status int) (io.ReadCloser, error) {
	text, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	q, err := http.NewRequestWithContext(ctx, method, c.base+path, bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	q.Header.Set("Authorization", "Bearer "+c.token)
	q.Header.Set("Content-Type", "application/json")
	answer, err := c.http.Do(q)
	if err != nil {
		return nil, err
	}
	if answer.StatusCode != status {
		defer answer.Body.Close()
		said, _ := io.ReadAll(io.LimitReader(answer.Body, 800))
		return nil, fmt.Errorf("%s %s answered %s: %s", method, path, answer.Status, said)
	}
	return answer.Body, nil
}

// submit gives the id of a job that is queued.
func (c *jobsClient) submit(ctx context.Context, job map[string]any) (id string, err error) {
	answer, err := c.ask(ctx, http.MethodPost, "/v1/jobs", job, http.StatusAccepted)
	if err != nil {
		return "", err
	}
	defer answer.Close()
	var status jobStatus
	err = json.NewDecoder(answer).Decode(&status)
	_, _ = io.Copy(io.Discard, answer) // so that the connection is used again
	return status.ID, err
}

// run is the direct path; the verdict must be ok.
func (c *jobsClient) run(ctx context.Context, job map[string]any) error {
	answer, err := c.ask(ctx, http.MethodPost, "/v1/run", job, http.StatusOK)
	if err != nil {
		return err
	}
	defer answer.Close()
	text, err := io.ReadAll(answer)
	if err == nil && !bytes.Contains(text, []byte(`"verdict":"ok"`)) {
		err = fmt.Errorf("answered: %.800s", text)
	}
	return err
}

// jobStatus is what is read of a job.
type jobStatus struct {
	ID, State string
	Created   time.Time `json:"created_at"`
	Started   time.Time `json:"started_at"`
	Finished  time.Time `json:"finished_at"`
	Result    struct{ Verdict string }
}

// follow reads the events of a job to the last, which has its result. It must end well.
func (c *jobsClient) follow(ctx context.Context, id string) (s jobStatus, err error) {
	stream, err := c.ask(ctx, http.MethodGet, "/v1/jobs/"+id+"/events", nil, http.StatusOK)
	if err != nil {
		return s, err
	}
	defer stream.Close()
	event := ""
	for lines := bufio.NewReader(stream); ; {
		line, err := lines.ReadString('\n')
		if err != nil {
			return s, fmt.Errorf("the events of job %s end before its result: %w", id, err)
		}
		if name, found := strings.CutPrefix(line, "event: "); found {
			event = strings.TrimSpace(name)
		}
		data, found := strings.CutPrefix(line, "data: ")
		switch {
		case !found:
		case event == "closing":
			return s, errors.New("the service stopped telling of a job: " + strings.TrimSpace(data))
		case event == "result":
			if err := json.Unmarshal([]byte(data), &s); err != nil {
				return s, err
			}
			if s.State != "done" || s.Result.Verdict != "ok" {
				return s, fmt.Errorf("job %s ended badly: %.800s", id, data)
			}
			_, err = io.Copy(io.Discard, lines)
			return s, err
		}
	}
}
