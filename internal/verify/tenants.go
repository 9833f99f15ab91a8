package verify

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"cordon/test/victims"
)

// floodJobs are what one tenant queues before another sends one.
const floodJobs = 500

// flooded: a tenant with many jobs does not keep another waiting, and neither sees what
// the other has.
func (s *session) flooded(ctx context.Context, o *Outcome) {
	state := filepath.Join(s.dir, "tenants")
	keys := map[string]string{}
	for _, name := range []string{"one", "two"} {
		key, err := s.newTenant(ctx, state, name)
		if err != nil {
			o.problem("%v", err)
			return
		}
		keys[name] = key
	}
	second, err := startService(ctx, s.o.Binary, state, append([]string{"--parallel", "2"}, s.o.Serve...))
	if err != nil {
		o.problem("%v", err)
		return
	}
	if err := s.floodOf(ctx, second, keys["one"], keys["two"]); err != nil {
		o.problem("%v", err)
	}
	if err := second.stop(); err != nil {
		o.problem("%v", err)
	}
	o.Verdict = "ok"
}

// newTenant makes a tenant with a key.
func (s *session) newTenant(ctx context.Context, state, name string) (key string, err error) {
	for _, args := range [][]string{{"tenant", "set", name}, {"key", "add", "--tenant", name}} {
		c := exec.CommandContext(ctx, s.o.Binary, append(args, "--state", state)...)
		var complaint strings.Builder
		c.Stderr = &complaint
		out, err := c.Output()
		if err != nil {
			return "", fmt.Errorf("cordon %s: %w: %s", strings.Join(args, " "), err, complaint.String())
		}
		key = strings.TrimSpace(string(out))
	}
	return key, os.Chmod(state, 0o700)
}

// floodOf queues the jobs of one tenant and then one of another, and looks at how many of
// the first wait still when that has ended.
func (s *session) floodOf(ctx context.Context, service *service, one, two string) error {
	as := func(key string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+key) }
	}
	job := s.request(&victims.Row{Command: []string{"sleep", "0.1"}})
	var first, last string
	for range floodJobs {
		q, err := service.submit(ctx, job, as(one))
		if err != nil {
			return err
		}
		if first == "" {
			first = q.ID
		}
		last = q.ID
	}
	q, err := service.submit(ctx, job, as(two))
	if err != nil {
		return err
	}
	if _, err := service.until(ctx, q.ID, "done"); err != nil {
		return err
	}
	if w, err := service.ask(ctx, http.MethodGet, "/v1/jobs/"+last, nil, as(one)); err != nil || w.State != "queued" {
		return fmt.Errorf("the last of %d jobs that came before another tenant's was begun before that one had ended: %+v, %v", floodJobs, w, err)
	}
	for _, method := range []string{http.MethodGet, http.MethodDelete} {
		if w, err := service.ask(ctx, method, "/v1/jobs/"+first, nil, as(two)); err != nil || w.status != http.StatusNotFound || w.Code != "unknown_job" {
			return fmt.Errorf("%s of another tenant's job: %+v, %v; want 404 unknown_job", method, w, err)
		}
	}
	if w, err := service.ask(ctx, http.MethodGet, "/v1/jobs/"+first, nil, as(one)); err != nil || w.status != http.StatusOK { // the control
		return fmt.Errorf("GET of one's own job: %+v, %v", w, err)
	}
	return nil
}
