// Package child runs "cordon serve" as a child process, as the commands do that
// look at a service from outside: verify and bench.
package child

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// startWithin and stopWithin end a service that hangs.
const (
	startWithin = 2 * time.Minute
	stopWithin  = time.Minute
)

// Options of a service.
type Options struct {
	Binary string   // the cordon binary
	State  string   // directory of the token and the runtime files
	Args   []string // further arguments of cordon serve
	Env    []string // nil: that of this process
}

// Service is a running "cordon serve". It logs into a file: whoever measures a
// service has no time to read along.
type Service struct {
	URL, Token string
	Pid        int           // of its first process
	Ended      chan struct{} // closed when that is gone

	command *exec.Cmd
	log     string
}

// Start runs a service on a free port of this machine and returns when it is ready.
func Start(ctx context.Context, o Options) (*Service, error) {
	s := &Service{Ended: make(chan struct{}), log: o.State + ".log"}
	s.command = exec.Command(o.Binary, append([]string{"serve", "--log", "json", "--listen", "127.0.0.1:0", "--state", o.State}, o.Args...)...)
	s.command.Env = o.Env
	log, err := os.OpenFile(s.log, os.O_WRONLY|os.O_CREATE|os.O_TRUNC|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	s.command.Stderr, s.command.Stdout = log, log
	if err := s.command.Start(); err != nil {
		return nil, err
	}
	s.Pid = s.command.Process.Pid
	go func() { defer close(s.Ended); _ = s.command.Wait() }()
	if err := s.wait(ctx); err != nil {
		return nil, err
	}
	if s.Token, err = token(&o); err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	return s, nil
}

// wait returns when the log tells where the service listens.
func (s *Service) wait(ctx context.Context) error {
	late := time.After(startWithin)
	look := time.NewTicker(10 * time.Millisecond)
	defer look.Stop()
	for {
		select {
		case <-s.Ended:
			return fmt.Errorf("the service ended at its start:\n%s", s.Logged())
		case <-ctx.Done():
			return errors.Join(ctx.Err(), s.Stop())
		case <-late:
			return errors.Join(fmt.Errorf("the service is not ready after %v:\n%s", startWithin, s.Logged()), s.Stop())
		case <-look.C:
		}
		for text := range strings.Lines(s.Logged()) {
			var line struct{ Msg, Listen string }
			if json.Unmarshal([]byte(text), &line) == nil && line.Msg == "ready" {
				s.URL = line.Listen
				return nil
			}
		}
	}
}

// token is the one that the service takes: CORDON_TOKEN wins over its own.
func token(o *Options) (string, error) {
	env := o.Env
	if env == nil {
		env = os.Environ()
	}
	for _, pair := range env {
		if value, found := strings.CutPrefix(pair, "CORDON_TOKEN="); found && value != "" {
			return value, nil
		}
	}
	text, err := os.ReadFile(filepath.Join(o.State, "token"))
	return strings.TrimSpace(string(text)), err
}

// Logged is the log so far, or why it cannot be read.
func (s *Service) Logged() string {
	text, err := os.ReadFile(s.log)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// Stop ends the service as an operator would.
func (s *Service) Stop() error {
	_ = s.command.Process.Signal(unix.SIGTERM) // it may have ended already
	select {
	case <-s.Ended:
	case <-time.After(stopWithin):
		_ = s.command.Process.Kill()
		<-s.Ended
		return fmt.Errorf("the service does not end within %v of SIGTERM", stopWithin)
	}
	if code := s.command.ProcessState.ExitCode(); code != 0 {
		return fmt.Errorf("the service ended with status %d:\n%s", code, s.Logged())
	}
	return nil
}

// Port of the service's TCP listener.
func (s *Service) Port() string {
	u, err := url.Parse(s.URL)
	if err != nil {
		return ""
	}
	return u.Port()
}
