// Package e2e talks HTTP to a running daemon: real programs in real cells.
package e2e

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"
)

// result is the part of the Result that the suite looks at.
type result struct {
	step
	ID        string       `json:"id"`
	Policy    string       `json:"policy"`
	Isolation string       `json:"isolation"`
	CPUScale  float64      `json:"cpu_scale"`
	Build     *step        `json:"build"`
	Files     []outputFile `json:"files"`
	Timings   struct {
		SetupNanos    int64 `json:"setup_ns"`
		RunNanos      int64 `json:"run_ns"`
		TeardownNanos int64 `json:"teardown_ns"`
	} `json:"timings"`
}

type step struct {
	Verdict      string  `json:"verdict"`
	ExitCode     *int    `json:"exit_code"`
	Signal       *string `json:"signal"`
	Message      string  `json:"message"`
	Stdout       string  `json:"stdout"`
	Stderr       string  `json:"stderr"`
	StdoutBase64 string  `json:"stdout_base64"`
	StderrBase64 string  `json:"stderr_base64"`
	Truncated    struct {
		Stdout bool `json:"stdout"`
		Stderr bool `json:"stderr"`
	} `json:"truncated"`
	Usage struct {
		WallNanos       int64 `json:"wall_ns"`
		CPUNanos        int64 `json:"cpu_ns"`
		UserNanos       int64 `json:"user_ns"`
		SystemNanos     int64 `json:"system_ns"`
		MemoryPeakBytes int64 `json:"memory_peak_bytes"`
		PidsPeak        int64 `json:"pids_peak"`
		DiskBytes       int64 `json:"disk_bytes"`
	} `json:"usage"`
	Limits map[string]struct {
		Value      float64 `json:"value"`
		Asked      float64 `json:"asked"`
		EnforcedBy string  `json:"enforced_by"`
	} `json:"limits"`
	Events struct {
		OOMKill        int64           `json:"oom_kill"`
		PidsMaxHits    int64           `json:"pids_max_hits"`
		StrayKilled    int64           `json:"stray_killed"`
		DeniedSyscalls []deniedSyscall `json:"denied_syscalls"`
	} `json:"events"`
}

type deniedSyscall struct {
	Name  string `json:"name"`
	Count int64  `json:"count"`
}

type outputFile struct {
	Path    string `json:"path"`
	Size    int64  `json:"size"`
	Content string `json:"content"`
	Base64  string `json:"base64"`
	Error   string `json:"error"`
	SHA256  string `json:"sha256"`
}

func (f outputFile) data(t *testing.T) string {
	t.Helper()
	return decoded(t, f.Content, f.Base64)
}

func (s step) out(t *testing.T) string { t.Helper(); return decoded(t, s.Stdout, s.StdoutBase64) }
func (s step) err(t *testing.T) string { t.Helper(); return decoded(t, s.Stderr, s.StderrBase64) }

func decoded(t *testing.T, text, encoded string) string {
	t.Helper()
	if encoded == "" {
		return text
	}
	data, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		t.Fatalf("base64: %v", err)
	}
	return string(data)
}

// String is what a failed test prints: everything that explains a verdict.
func (s step) String() string {
	s.Stdout, s.Stderr = clip(s.Stdout), clip(s.Stderr)
	s.StdoutBase64, s.StderrBase64 = clip(s.StdoutBase64), clip(s.StderrBase64)
	text, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err.Error()
	}
	return string(text)
}

func clip(s string) string {
	if len(s) <= 1000 {
		return s
	}
	return fmt.Sprintf("%s… (%d bytes)", s[:1000], len(s))
}

// object is a JSON object of a request.
type object map[string]any

// service is the daemon under test.
type service struct {
	url, token string
	image      string // of the jobs of run; "": none
	client     *http.Client
}

func newService(url, token string) *service {
	// The timeout only ends a test whose daemon never answers: no job of the
	// suite may run for a minute.
	return &service{url: strings.TrimRight(url, "/"), token: token, client: &http.Client{Timeout: 3 * time.Minute}}
}

// send posts body as it is and returns status, header and answer.
func (s *service) send(t *testing.T, method, path, token string, body []byte) (int, http.Header, []byte) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, s.url+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	if len(body) > 0 {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := s.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, resp.Header, answer
}

// run posts a job that must be taken, and returns its Result. The rules of
// accounting that hold for every job are checked here.
func (s *service) run(t *testing.T, job object) *result {
	t.Helper()
	if s.image != "" {
		job["image"] = s.image
	}
	body, err := json.Marshal(job)
	if err != nil {
		t.Fatal(err)
	}
	status, _, answer := s.send(t, http.MethodPost, "/v1/run", s.token, body)
	if status != http.StatusOK {
		t.Fatalf("status %d: %s", status, answer)
	}
	var r result
	if err := json.Unmarshal(answer, &r); err != nil {
		t.Fatalf("%v in %s", err, clip(string(answer)))
	}
	if r.ID == "" || r.Verdict == "" {
		t.Fatalf("id or verdict missing: %s", clip(string(answer)))
	}
	if r.Verdict != "build_failed" && r.Verdict != "exec_failed" {
		checkUsage(t, r.step)
	}
	if r.Build != nil && r.Build.Verdict != "exec_failed" {
		checkUsage(t, *r.Build)
	}
	return &r
}

// checkUsage holds what is true of every program that ran.
func checkUsage(t *testing.T, s step) {
	t.Helper()
	u := s.Usage
	// The clock of an emulated kernel may be too coarse to see a program run.
	seen := u.CPUNanos > 0 || os.Getenv(slowVar) != ""
	if !seen || u.CPUNanos < 0 || u.WallNanos <= 0 || u.MemoryPeakBytes <= 0 {
		t.Errorf("no usage: %+v", u)
	}
	if u.PidsPeak == 0 || u.PidsPeak < -1 {
		t.Errorf("pids_peak %d, want -1 or at least 1", u.PidsPeak)
	}
	for _, name := range []string{"memory_bytes", "pids", "cpu_ms", "wall_ms", "output_bytes", "disk_bytes", "disk_files", "open_files", "cpus"} {
		if l, ok := s.Limits[name]; !ok || l.Value <= 0 || l.EnforcedBy == "" {
			t.Errorf("limits.%s: %+v, %v; want a value and what enforces it", name, l, ok)
		}
	}
	// A process that is being killed may still be charged a few pages past the limit.
	if limit := s.Limits["memory_bytes"].Value; float64(u.MemoryPeakBytes) > limit+float64(256<<10) {
		t.Errorf("memory_peak_bytes %d is above the limit %.0f", u.MemoryPeakBytes, limit)
	}
	// The group's own init is not the job's: it may come on top.
	if limit := s.Limits["pids"].Value; float64(u.PidsPeak) > limit+1 {
		t.Errorf("pids_peak %d is above the limit %.0f", u.PidsPeak, limit)
	}
	if limit := s.Limits["output_bytes"].Value; float64(len(s.out(t))) > limit || float64(len(s.err(t))) > limit {
		t.Errorf("%d and %d bytes of output, limit %.0f", len(s.out(t)), len(s.err(t)), limit)
	}
}

func (s step) signal() string {
	if s.Signal == nil {
		return ""
	}
	return *s.Signal
}

// want checks the verdict and stops the test when it is another one.
func (s step) want(t *testing.T, verdict string) {
	t.Helper()
	if s.Verdict != verdict {
		t.Fatalf("verdict %s, want %s: %s", s.Verdict, verdict, s)
	}
}
