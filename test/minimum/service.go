package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
)

// service is the one that is measured.
type service struct{ url, token string }

// language is a row of GET /v1/languages.
type language struct {
	ID      string   `json:"id"`
	Family  string   `json:"family"`
	Version string   `json:"version"`
	Status  string   `json:"status"`
	Build   []string `json:"build"`
}

type limits struct{ memoryMiB, pids int64 }

// Node waits for ever when it is refused a thread: the wall ends that.
func (l limits) body() map[string]int64 {
	return map[string]int64{"memory_bytes": l.memoryMiB << 20, "pids": l.pids, "cpu_ms": 10000, "wall_ms": 15000}
}

type step struct {
	Verdict string `json:"verdict"`
	Stdout  string `json:"stdout"`
	Stderr  string `json:"stderr"`
	Usage   struct {
		CPUNanos   int64 `json:"cpu_ns"`
		MemoryPeak int64 `json:"memory_peak_bytes"`
		PidsPeak   int64 `json:"pids_peak"`
	} `json:"usage"`
	Events struct {
		PidsMaxHits int64 `json:"pids_max_hits"`
	} `json:"events"`
}

type result struct {
	step
	Build *step `json:"build"`
}

func (s *service) languages() ([]language, error) {
	var list struct {
		Languages []language `json:"languages"`
	}
	return list.Languages, s.call(http.MethodGet, "/v1/languages", nil, &list)
}

// run runs the program; build is left out where there is none.
func (s *service) run(id, source string, build, run limits, compiled bool) (*result, error) {
	job := map[string]any{"policy": "judge", "language": id, "source": source, "limits": run.body()}
	if compiled {
		job["build"] = map[string]any{"limits": build.body()}
	}
	r := &result{}
	return r, s.call(http.MethodPost, "/v1/run", job, r)
}

func (s *service) call(method, path string, in, out any) error {
	var body bytes.Buffer
	if in != nil {
		if err := json.NewEncoder(&body).Encode(in); err != nil {
			return err
		}
	}
	req, err := http.NewRequest(method, s.url+path, &body)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+s.token)
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s %s: %s: %s", method, path, resp.Status, text)
	}
	return json.Unmarshal(text, out)
}

// works runs the program once, well or not.
func (s *service) works(l language, source string, build, run limits) (bool, error) {
	r, err := s.run(l.ID, source, build, run, len(l.Build) > 0)
	return err == nil && r.well(), err
}

// well: it greets, complains of nothing, and was refused no process or thread. A
// runtime may do without the one that it was refused, or wait for it for ever.
func (r *result) well() bool {
	return r.Verdict == "ok" && r.Stdout == greeting && r.Stderr == "" && r.Events.PidsMaxHits == 0 &&
		(r.Build == nil || r.Build.Events.PidsMaxHits == 0)
}

// usage runs the program a few times with ample limits.
func (s *service) usage(l language, source string, ample limits) (build, run need, err error) {
	var builds, runs []int64
	for range rounds {
		r, err := s.run(l.ID, source, ample, ample, len(l.Build) > 0)
		if err != nil {
			return build, run, err
		}
		if !r.well() {
			return build, run, fmt.Errorf("with ample limits: verdict %s, stdout %q, stderr %q", r.Verdict, r.Stdout, r.Stderr)
		}
		runs = append(runs, r.Usage.CPUNanos)
		run = run.raised(r.step)
		if r.Build != nil {
			builds = append(builds, r.Build.Usage.CPUNanos)
			build = build.raised(*r.Build)
		}
	}
	run.cpuNanos = median(runs)
	if len(builds) > 0 {
		build.cpuNanos = median(builds)
	}
	return build, run, nil
}

// raised is the need as far as one step shows it.
func (n need) raised(s step) need {
	n.memoryMiB = max(n.memoryMiB, s.Usage.MemoryPeak>>20+1)
	n.pids = max(n.pids, s.Usage.PidsPeak)
	return n
}

func median(values []int64) int64 {
	slices.Sort(values)
	return values[len(values)/2]
}
