package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"cordon/internal/child"
)

// start runs a service as its users run it, but for what a caller adds. Variables
// that would set it up otherwise are kept from it.
func (s *session) start(ctx context.Context, args ...string) (*child.Service, error) {
	return s.startIn(ctx, s.state(), args...)
}

// state is a directory for a further service. Sockets are made below it, and their names
// have little room.
func (s *session) state() string {
	s.starts++
	return filepath.Join(s.dir, fmt.Sprint(s.starts))
}

// startIn is start with a state directory that may have been another service's before.
func (s *session) startIn(ctx context.Context, state string, args ...string) (*child.Service, error) {
	env := slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "CORDON_") })
	return child.Start(ctx, child.Options{Binary: s.o.Binary, State: state, Env: env,
		Args: slices.Concat([]string{"--go-cache", "off"}, s.o.Serve, args)})
}

// stop ends a service; what it says of leaks is an error.
func (s *session) stop(service *child.Service) error {
	err := service.Stop()
	if strings.Contains(service.Logged(), `"leak"`) {
		err = errors.Join(err, fmt.Errorf("the service tells of a leak:\n%s", service.Logged()))
	}
	return err
}

// job is a request that must end well.
func (s *session) job(service *child.Service, job map[string]any) (*request, error) {
	body, err := json.Marshal(job)
	if err != nil {
		return nil, err
	}
	return post(service.URL, "/v1/run", service.Token, body, []byte(`"verdict":"ok"`))
}

// account is what is read of a result.
type account struct {
	Verdict string
	Usage   struct {
		Wall int64 `json:"wall_ns"`
		CPU  int64 `json:"cpu_ns"`
	}
	Limits map[string]struct {
		EnforcedBy string `json:"enforced_by"`
	}
}

// once runs a job over a connection of its own.
func (s *session) once(r *request) (*account, error) {
	c, err := connect(r)
	if err != nil {
		return nil, err
	}
	defer c.close()
	text, err := c.exchange()
	if err != nil {
		return nil, err
	}
	var a account
	return &a, json.Unmarshal(text, &a)
}

// metrics asks a service for its numbers.
func (s *session) metrics(ctx context.Context, service *child.Service) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, service.URL+"/metrics", nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Authorization", "Bearer "+service.Token)
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("/metrics answered %s", answer.Status)
	}
	return text, err
}
