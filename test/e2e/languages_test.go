package e2e

import (
	"encoding/json"
	"maps"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"cordon/test/programs"
)

// policies are the ones that the table runs under.
var policies = []string{"judge", "default"}

func testLanguages(t *testing.T, s *service) {
	all, ids, err := programs.Load()
	if err != nil {
		t.Fatal(err)
	}
	if list := os.Getenv(programs.LanguagesVar); list != "" {
		t.Logf("NOT THE WHOLE TABLE: %s=%s chooses %s", programs.LanguagesVar, list, strings.Join(ids, ", "))
	}
	for _, id := range missing(t, s, ids) {
		t.Errorf("language %s: install it, or choose others by %s", id, programs.LanguagesVar)
		all = slices.DeleteFunc(all, func(p programs.Program) bool { return strings.HasPrefix(id, p.Language+":") })
	}
	for _, policy := range policies {
		for _, p := range all {
			t.Run(p.Language+"/"+p.Case+"/"+policy, func(t *testing.T) {
				parallel(t)
				runProgram(t, s, p, policy)
			})
		}
	}
}

// missing asks the service which of the languages it does not have: "id: why".
func missing(t *testing.T, s *service, ids []string) []string {
	t.Helper()
	status, _, answer := s.send(t, http.MethodGet, "/v1/languages", s.token, nil)
	if status != http.StatusOK {
		t.Fatalf("GET /v1/languages: %d %s", status, answer)
	}
	var list struct {
		Languages []struct {
			ID      string `json:"id"`
			Status  string `json:"status"`
			Version string `json:"version"`
			Missing string `json:"missing"`
		} `json:"languages"`
	}
	if err := json.Unmarshal(answer, &list); err != nil {
		t.Fatalf("%v in %s", err, answer)
	}
	found := map[string]string{}
	for _, l := range list.Languages {
		found[l.ID] = l.Missing
		if l.Status == "ok" {
			found[l.ID] = "ok"
			t.Logf("%s %s", l.ID, l.Version)
		}
	}
	var out []string
	for _, id := range ids {
		if found[id] != "ok" {
			out = append(out, id+": "+found[id])
		}
	}
	return out
}

func runProgram(t *testing.T, s *service, p programs.Program, policy string) {
	job := object{"policy": policy, "language": p.Language, "source": p.Source, "stdin": p.Stdin, "limits": patient(p)}
	var outputs []string
	for name := range p.Outputs {
		outputs = append(outputs, name)
	}
	if len(outputs) > 0 {
		job["outputs"] = outputs
	}
	r := s.run(t, job)
	e := p.Expect
	r.want(t, e.Verdict)
	if r.Policy != policy {
		t.Errorf("policy %q, want %q", r.Policy, policy)
	}
	if e.Verdict == "build_failed" {
		checkDiagnostic(t, r, e.Diagnostic)
		return
	}
	checkEnd(t, r.step, e)
	checkFigures(t, r.step, e)
	wantNoneDenied(t, "run", r.step)
	for name, want := range p.Outputs {
		i := slices.IndexFunc(r.Files, func(f outputFile) bool { return f.Path == name })
		if i < 0 || r.Files[i].Error != "" || r.Files[i].data(t) != want || r.Files[i].Size != int64(len(want)) {
			t.Errorf("file %s: %+v, want %q", name, r.Files, want)
		}
	}
}

// slowVar is set where a program takes many times as long as on a machine of its
// own, as in User-Mode Linux: a page fault costs a hundred times as much there.
const slowVar = "CORDON_TEST_SLOW"

// patient are the program's limits, with more time on a slow machine where time
// is not what the program is about.
func patient(p programs.Program) map[string]int64 {
	limits := map[string]int64{}
	maps.Copy(limits, p.Limits)
	_, cpu := p.Limits["cpu_ms"]
	_, wall := p.Limits["wall_ms"]
	switch slow := os.Getenv(slowVar) != ""; {
	case slow && !cpu && !wall:
		limits["cpu_ms"], limits["wall_ms"] = 15_000, 60_000
	case slow && wall && !cpu: // the wall is what it is about: the program must get as far as that
		limits["cpu_ms"], limits["wall_ms"] = 15_000, 4*limits["wall_ms"]
	}
	return limits
}

func checkDiagnostic(t *testing.T, r *result, pattern string) {
	t.Helper()
	if r.Build == nil {
		t.Fatalf("build_failed without a build in the result: %s", r.step)
	}
	// Compilers differ in which stream they use.
	if text := r.Build.out(t) + r.Build.err(t); !regexp.MustCompile(pattern).MatchString(text) {
		t.Errorf("no match for %q in the build's output: %s", pattern, r.Build)
	}
	if r.Build.Verdict == "ok" {
		t.Errorf("the build's own verdict is ok: %s", r.Build)
	}
}

func checkEnd(t *testing.T, s step, e programs.Expect) {
	t.Helper()
	if e.ExitCode != nil && (s.ExitCode == nil || *s.ExitCode != *e.ExitCode) {
		t.Errorf("exit_code, want %d: %s", *e.ExitCode, s)
	}
	if e.Verdict == "nonzero" && (s.ExitCode == nil || *s.ExitCode == 0) {
		t.Errorf("nonzero without an exit code: %s", s)
	}
	if s.signal() != e.Signal && e.Verdict == "signaled" {
		t.Errorf("signal %q, want %q: %s", s.signal(), e.Signal, s)
	}
	if !regexp.MustCompile(e.Stdout).MatchString(s.out(t)) {
		t.Errorf("stdout does not match %q: %s", e.Stdout, s)
	}
	if !regexp.MustCompile(e.Stderr).MatchString(s.err(t)) {
		t.Errorf("stderr does not match %q: %s", e.Stderr, s)
	}
	if s.Truncated.Stdout != e.StdoutTruncated {
		t.Errorf("truncated.stdout %v, want %v", s.Truncated.Stdout, e.StdoutTruncated)
	}
	if limit := s.Limits["output_bytes"].Value; e.StdoutTruncated && float64(len(s.out(t))) != limit {
		t.Errorf("%d bytes of truncated stdout, want the limit, %.0f", len(s.out(t)), limit)
	}
	if e.Verdict != "ok" && s.Message == "" {
		t.Errorf("verdict %s without a message", e.Verdict)
	}
}

func checkFigures(t *testing.T, s step, e programs.Expect) {
	t.Helper()
	u := s.Usage
	if u.CPUNanos < e.CPUMinMillis*1e6 {
		t.Errorf("cpu_ns %d, want at least %d ms", u.CPUNanos, e.CPUMinMillis)
	}
	// Work takes time. The CPU rate holds over the scheduler's periods of 100 ms:
	// a short program may use up the shares of the two periods it lies in at once.
	// A tenth is for the difference of the two clocks.
	if cpus := max(1, s.Limits["cpus"].Value); float64(u.CPUNanos) > cpus*(1.1*float64(u.WallNanos)+200e6) {
		t.Errorf("wall_ns %d, cpu_ns %d at %.1f CPUs", u.WallNanos, u.CPUNanos, cpus)
	}
	if u.MemoryPeakBytes < e.MemoryMinMiB<<20 {
		t.Errorf("memory_peak_bytes %d, want at least %d MiB", u.MemoryPeakBytes, e.MemoryMinMiB)
	}
	if e.MemoryMaxMiB > 0 && u.MemoryPeakBytes > e.MemoryMaxMiB<<20 {
		t.Errorf("memory_peak_bytes %d, want at most %d MiB", u.MemoryPeakBytes, e.MemoryMaxMiB)
	}
	if hit := s.Events.PidsMaxHits > 0; hit != e.PidsHit {
		t.Errorf("pids_max_hits %d, want a hit: %v", s.Events.PidsMaxHits, e.PidsHit)
	}
	if oom := s.Events.OOMKill > 0; oom != (e.Verdict == "memory_limit") {
		t.Errorf("oom_kill %d under verdict %s", s.Events.OOMKill, e.Verdict)
	}
}
