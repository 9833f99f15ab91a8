package verify

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// canary stands in the service's environment and may be seen by no job.
const canary = "CORDON_VERIFY_CANARY=f3b1c0"

// startWithin and stopWithin end a service that hangs.
const (
	startWithin = 2 * time.Minute
	stopWithin  = time.Minute
)

// service is a running "cordon serve", and what it has logged.
type service struct {
	url, token string
	pid        int // of its first process
	client     *http.Client

	command *exec.Cmd
	ended   chan struct{}
	mu      sync.Mutex
	log     bytes.Buffer
}

// startService runs the binary with a state directory; further arguments are
// those of cordon serve.
func startService(ctx context.Context, binary, state string, args []string) (*service, error) {
	s := &service{ended: make(chan struct{}), client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}}
	s.command = exec.Command(binary, append([]string{"serve", "--log", "json", "--listen", "127.0.0.1:0", "--state", state, "--go-cache", "off",
		"--languages", "sh"}, args...)...)
	s.command.Env = append(os.Environ(), canary)
	read, write, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer write.Close()
	s.command.Stderr, s.command.Stdout = write, write
	if err := s.command.Start(); err != nil {
		return nil, errors.Join(err, read.Close())
	}
	s.pid = s.command.Process.Pid
	go func() { defer close(s.ended); _ = s.command.Wait() }()
	ready := make(chan string, 1)
	go s.follow(read, ready)
	select {
	case s.url = <-ready:
	case <-s.ended:
		return nil, fmt.Errorf("the service ended at its start:\n%s", s.logged())
	case <-ctx.Done():
		return nil, errors.Join(ctx.Err(), s.stop())
	case <-time.After(startWithin):
		return nil, errors.Join(fmt.Errorf("the service is not ready after %v:\n%s", startWithin, s.logged()), s.stop())
	}
	token, err := os.ReadFile(filepath.Join(state, "token"))
	if err != nil {
		return nil, errors.Join(err, s.stop())
	}
	s.token = strings.TrimSpace(string(token))
	return s, nil
}

// follow keeps the log and finds the line that says where the service listens.
func (s *service) follow(log *os.File, ready chan<- string) {
	defer log.Close()
	lines := bufio.NewScanner(log)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		s.mu.Lock()
		s.log.Write(append(lines.Bytes(), '\n'))
		s.mu.Unlock()
		var line struct{ Msg, Listen string }
		if json.Unmarshal(lines.Bytes(), &line) == nil && line.Msg == "ready" {
			select {
			case ready <- line.Listen:
			default:
			}
		}
	}
}

func (s *service) logged() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.String()
}

// stop ends the service as an operator would.
func (s *service) stop() error {
	s.client.CloseIdleConnections()
	_ = s.command.Process.Signal(unix.SIGTERM) // it may have ended already
	select {
	case <-s.ended:
	case <-time.After(stopWithin):
		_ = s.command.Process.Kill()
		<-s.ended
		return fmt.Errorf("the service does not end within %v of SIGTERM", stopWithin)
	}
	if code := s.command.ProcessState.ExitCode(); code != 0 {
		return fmt.Errorf("the service ended with status %d:\n%s", code, s.logged())
	}
	return nil
}

// port of the service's TCP listener.
func (s *service) port() string {
	u, err := url.Parse(s.url)
	if err != nil {
		return ""
	}
	return u.Port()
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

// send posts a body, with headers that the caller sets.
func (s *service) send(ctx context.Context, body []byte, set func(*http.Request)) (*answer, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url+"/v1/run", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/json")
	set(request)
	response, err := s.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	a := &answer{status: response.StatusCode}
	if a.body, err = io.ReadAll(response.Body); err != nil {
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
