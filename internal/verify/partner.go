package verify

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"cordon/test/victims"
)

// partnerGone: who writes to a program that has ended is told by a signal, and if it
// does not mind that, by an error. The first has done nothing wrong, the second says so
// itself.
func (s *session) partnerGone(ctx context.Context, o *Outcome) {
	for _, c := range []struct{ script, verdict, signal, said string }{
		{"exec cat /dev/zero", "ok", "SIGPIPE", ""},
		{"trap '' PIPE; exec cat /dev/zero", "nonzero", "", "Broken pipe"},
	} {
		verdict, writer, err := s.writer(ctx, c.script)
		if err != nil {
			o.problem("%s: %v", c.script, err)
			continue
		}
		signal := ""
		if writer.Signal != nil {
			signal = *writer.Signal
		}
		if verdict != c.verdict || signal != c.signal || !strings.Contains(writer.stderr(), c.said) {
			o.problem("%s: the job is %s, the writer's signal %q, its stderr %q; want %s, %q and %q",
				c.script, verdict, signal, writer.stderr(), c.verdict, c.signal, c.said)
		}
		o.Verdict = verdict
	}
}

// writer runs a script whose output goes to a program that reads one byte of it, and
// gives the verdict of both and the result of the script.
func (s *session) writer(ctx context.Context, script string) (verdict string, r *result, err error) {
	job := s.request(&victims.Row{Command: []string{"head", "-c", "1"}})
	job["programs"] = []map[string]any{{"name": "writer", "command": []string{"sh", "-c", script}}}
	job["pipes"] = []map[string]string{{"from": "writer", "to": "main"}}
	a, err := s.service.post(ctx, job)
	if err != nil {
		return "", nil, err
	}
	var got struct {
		Programs []struct {
			Name string `json:"name"`
			result
		} `json:"programs"`
	}
	if err := json.Unmarshal(a.body, &got); err != nil {
		return "", nil, err
	}
	if a.status != http.StatusOK || len(got.Programs) != 2 || got.Programs[1].Name != "writer" {
		return "", nil, fmt.Errorf("answered %d: %.500s", a.status, a.body)
	}
	return a.result.Verdict, &got.Programs[1].result, nil
}
