package httpapi

import (
	"encoding/base64"
	"unicode/utf8"

	"cordon/sandbox"
)

// RunResult is the account of a job as JSON. Times are nanoseconds.
type RunResult struct {
	ID        string `json:"id" doc:"UUID, version 7"`
	Policy    string `json:"policy"`
	Isolation string `json:"isolation" enum:"subuid,single-uid" doc:"subuid: the job had a subordinate id of its own; single-uid: this host has no range, the job had the service user's id"`
	StepResult
	Build   *StepResult   `json:"build,omitempty" doc:"Account of the build step"`
	Files   []FileResult  `json:"files,omitempty" doc:"What outputs asked for"`
	Timings TimingsResult `json:"timings"`
}

// StepResult is the account of one cell.
type StepResult struct {
	Verdict      string                 `json:"verdict" enum:"internal_error,interrupted,cancelled,build_failed,exec_failed,memory_limit,cpu_limit,wall_limit,output_limit,syscall_denied,signaled,nonzero,wrong_answer,ok"`
	ExitCode     *int                   `json:"exit_code" nullable:"true" doc:"null when a signal ended the program, or when it never started"`
	Signal       *string                `json:"signal" doc:"Name of the signal that ended the program, such as SIGSEGV"`
	Message      string                 `json:"message" doc:"The verdict in a sentence; empty when ok"`
	Stdout       string                 `json:"stdout" doc:"The first output_bytes bytes; empty when stdout_base64 is there"`
	StdoutBase64 string                 `json:"stdout_base64,omitempty" doc:"Instead of stdout when the bytes are not UTF-8, or for a large part control characters"`
	Stderr       string                 `json:"stderr"`
	StderrBase64 string                 `json:"stderr_base64,omitempty"`
	Truncated    TruncatedResult        `json:"truncated"`
	Usage        sandbox.Usage          `json:"usage"`
	Limits       map[string]LimitResult `json:"limits" doc:"Every limit in force and what enforces it"`
	Events       sandbox.Events         `json:"events"`
}

// TruncatedResult says which streams went past output_bytes.
type TruncatedResult struct {
	Stdout bool `json:"stdout"`
	Stderr bool `json:"stderr"`
}

// LimitResult is a limit in force.
type LimitResult struct {
	Value      float64 `json:"value"`
	EnforcedBy string  `json:"enforced_by"`
}

// FileResult is a collected file, or why it was not collected.
type FileResult struct {
	Path       string `json:"path" doc:"Empty when path_base64 is there"`
	PathBase64 string `json:"path_base64,omitempty" doc:"Instead of path when the name is not UTF-8: names are bytes"`
	Size       int64  `json:"size"`
	Content    string `json:"content,omitempty" doc:"When the bytes are text"`
	Base64     string `json:"base64,omitempty" doc:"When they are not, as for stdout_base64"`
	Error      string `json:"error,omitempty" enum:"not_found,not_regular,too_large,too_many"`
}

// TimingsResult is where the job's time went.
type TimingsResult struct {
	QueuedNanos   int64 `json:"queued_ns" doc:"Until there was a place among the running jobs"`
	SetupNanos    int64 `json:"setup_ns" doc:"From then on until the program was executed"`
	RunNanos      int64 `json:"run_ns" doc:"Until its main process ended"`
	TeardownNanos int64 `json:"teardown_ns" doc:"Until every process was gone and the account read; the cell is removed behind that"`
}

// NewResult writes a Result as the API shows it.
func NewResult(r *sandbox.Result) *RunResult {
	out := &RunResult{ID: r.ID, Policy: r.Policy, Isolation: r.Isolation, StepResult: newStep(&r.Step), Timings: TimingsResult(r.Timings)}
	if r.Build != nil {
		build := newStep(r.Build)
		out.Build = &build
	}
	for _, f := range r.Files {
		file := FileResult{Size: f.Size, Error: f.Error}
		file.Path, file.PathBase64 = text([]byte(f.Path))
		file.Content, file.Base64 = text(f.Data)
		out.Files = append(out.Files, file)
	}
	return out
}

func newStep(s *sandbox.Step) StepResult {
	out := StepResult{Verdict: string(s.Verdict), ExitCode: s.ExitCode, Message: s.Message,
		Truncated: TruncatedResult{s.StdoutTruncated, s.StderrTruncated}, Usage: s.Usage,
		Limits: make(map[string]LimitResult, len(s.Limits)), Events: s.Events}
	if out.Events.DeniedSyscalls == nil {
		out.Events.DeniedSyscalls = []sandbox.DeniedSyscall{}
	}
	if s.Signal != "" {
		out.Signal = &s.Signal
	}
	out.Stdout, out.StdoutBase64 = text(s.Stdout)
	out.Stderr, out.StderrBase64 = text(s.Stderr)
	for _, l := range s.Limits {
		out.Limits[l.Name] = LimitResult{l.Value, l.EnforcedBy}
	}
	return out
}

// text gives bytes as a string where that loses nothing and costs no more than
// base64 (but for a few KiB): JSON writes six bytes for most control characters.
func text(b []byte) (plain, encoded string) {
	if utf8.Valid(b) && 5*controls(b) <= max(len(b)/3, 4096) {
		return string(b), ""
	}
	return "", base64.StdEncoding.EncodeToString(b)
}

// controls counts the bytes that JSON writes as \u00xx.
func controls(b []byte) (n int) {
	for _, c := range b {
		if c < ' ' && c != '\n' && c != '\r' && c != '\t' {
			n++
		}
	}
	return n
}
