package httpapi

import (
	"encoding/base64"
	"unicode/utf8"

	"cordon/judge"
	"cordon/sandbox"
)

// RunResult is the account of a job as JSON. Times are nanoseconds.
type RunResult struct {
	ID        string  `json:"id" doc:"UUID, version 7"`
	Policy    string  `json:"policy"`
	Image     string  `json:"image,omitempty" doc:"Id of the image that the job ran on: what its name stood for when the job began"`
	Isolation string  `json:"isolation" enum:"subuid,single-uid" doc:"subuid: the job had a subordinate id of its own, or with id_range those of images, which other such jobs have as well; single-uid: this host has no range, the job had the service user's id"`
	CPUScale  float64 `json:"cpu_scale,omitempty" doc:"Limits of time were multiplied by this, where it is not 1: this host takes so many times as long as another"`
	StepResult
	Difference *judge.Difference `json:"difference,omitempty" doc:"The first place where the output is not what was expected"`
	Build      *BuildResult      `json:"build,omitempty" doc:"Account of the build step"`
	Measured   *MeasuredResult   `json:"measured,omitempty" doc:"Where measure was asked for"`
	Tests      []TestResult      `json:"tests,omitempty" doc:"Account of each test, in the order of the request; those that were not run are skipped"`
	Summary    *SummaryResult    `json:"summary,omitempty" doc:"Of the tests"`
	Checker    *BuildResult      `json:"checker_build,omitempty" doc:"Account of the checker's build, where that ended badly"`
	Account    *StepResult       `json:"checker,omitempty" doc:"Account of the interactor of a single run"`
	Points     *float64          `json:"points,omitempty" doc:"As that gave them"`
	EnsembleResult
	Files   []FileResult  `json:"files,omitempty" doc:"What outputs asked for"`
	Timings TimingsResult `json:"timings"`

	Inside   *sandbox.Inside `json:"inside,omitempty" doc:"Where inspect asked for it, and the cell came so far: how it was when the program was about to be executed"`
	Timeline []OutputTime    `json:"timeline,omitempty" doc:"Where timeline asked for it: in the order in which it came, over both streams; what was written to the two within less time than the service took to look has no order that is known. Of what stands behind more than 4096 such parts it is not noted"`
}

// BuildResult is the account of a build.
type BuildResult struct {
	StepResult
	Cached bool `json:"cached" doc:"The same was built before: this is the account of that"`
}

// MeasuredResult is what measuring found. Of several runs the account is that of the
// median CPU time, or of the first that did not end well.
type MeasuredResult struct {
	Core   int            `json:"core" doc:"That the program was bound to; -1: to none"`
	Runs   int            `json:"runs"`
	CPU    sandbox.Spread `json:"cpu_ns"`
	Wall   sandbox.Spread `json:"wall_ns"`
	Memory sandbox.Spread `json:"memory_peak_bytes"`
	Noise  sandbox.Noise  `json:"noise" doc:"What the host did meanwhile; -1 where it does not tell"`
	Noisy  bool           `json:"noisy" doc:"Some of the noise is more than a twentieth of the wall time: do not compare these times"`
}

// TestResult is the account of one test.
type TestResult struct {
	Name string `json:"name"`
	StepResult
	Difference *judge.Difference `json:"difference,omitempty"`
	Measured   *MeasuredResult   `json:"measured,omitempty"`
	Points     *float64          `json:"points,omitempty" doc:"As the checker gave them"`
	Checker    *StepResult       `json:"checker,omitempty" doc:"Account of the run of the checker or interactor"`
	EnsembleResult
}

// EnsembleResult is what there is to tell of several programs.
type EnsembleResult struct {
	Programs   []ProgramResult   `json:"programs,omitempty" doc:"Account of each program of a job with several, main first; what stands beside is of all together"`
	Fault      []string          `json:"fault,omitempty" doc:"The names of those programs whose verdict it is, where there are several; for a timeout also of those that cannot be ruled out"`
	Transcript *TranscriptResult `json:"transcript,omitempty" doc:"Where transcript_bytes asked for it"`
}

// ProgramResult is the account of one of several programs.
type ProgramResult struct {
	Name string `json:"name"`
	StepResult
}

// TranscriptResult is who has said what to whom.
type TranscriptResult struct {
	Entries   []SaidResult `json:"entries" doc:"In the order in which it was said, over all pipes"`
	Truncated bool         `json:"truncated" doc:"There was more"`
}

// SaidResult is what was read at once from a pipe.
type SaidResult struct {
	From   string `json:"from" doc:"As in pipes, with the number of the descriptor"`
	To     string `json:"to"`
	At     int64  `json:"at_ns" doc:"Since the first program was started"`
	Text   string `json:"text" doc:"Empty when base64 is there"`
	Base64 string `json:"base64,omitempty" doc:"Instead of text when the bytes are not UTF-8, as for stdout_base64"`
}

// SummaryResult is what the tests say together.
type SummaryResult struct {
	Verdict         string   `json:"verdict" enum:"internal_error,interrupted,cancelled,checker_failed,build_failed,exec_failed,memory_limit,cpu_limit,wall_limit,output_limit,syscall_denied,signaled,nonzero,wrong_answer,skipped,ok" doc:"The worst of all"`
	Total           int      `json:"total"`
	Run             int      `json:"run" doc:"Those that were run to their end"`
	Passed          int      `json:"passed"`
	Parallel        int      `json:"parallel" doc:"How many could run at once"`
	CPUNanos        int64    `json:"max_cpu_ns"`
	WallNanos       int64    `json:"max_wall_ns"`
	MemoryPeakBytes int64    `json:"max_memory_peak_bytes"`
	Points          *float64 `json:"points,omitempty" doc:"All together, where the checker gives any"`
}

// StepResult is the account of one cell.
type StepResult struct {
	Verdict      string                 `json:"verdict" enum:"internal_error,interrupted,cancelled,checker_failed,build_failed,exec_failed,memory_limit,cpu_limit,wall_limit,output_limit,syscall_denied,signaled,nonzero,wrong_answer,skipped,ok"`
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
	Value      float64 `json:"value" doc:"As it is enforced"`
	Asked      float64 `json:"asked,omitempty" doc:"As it was granted, where cpu_scale makes value something else"`
	EnforcedBy string  `json:"enforced_by"`
}

// FileResult is a collected file, or why it was not collected.
type FileResult struct {
	Path       string `json:"path" doc:"Empty when path_base64 is there"`
	PathBase64 string `json:"path_base64,omitempty" doc:"Instead of path when the name is not UTF-8: names are bytes"`
	Size       int64  `json:"size"`
	Content    string `json:"content,omitempty" doc:"When the bytes are text"`
	Base64     string `json:"base64,omitempty" doc:"When they are not, as for stdout_base64"`
	SHA256     string `json:"sha256,omitempty" doc:"With keep_outputs: it is at /v1/files/ and this"`
	Error      string `json:"error,omitempty" enum:"not_found,not_regular,too_large,too_many,store_full"`
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
	out := &RunResult{ID: r.ID, Policy: r.Policy, Image: r.Image, Isolation: r.Isolation, StepResult: newStep(&r.Step), Timings: TimingsResult(r.Timings)}
	if r.CPUScale != 1 {
		out.CPUScale = r.CPUScale
	}
	if r.Build != nil {
		out.Build = &BuildResult{newStep(r.Build), r.BuildCached}
	}
	if r.CheckerBuild != nil {
		out.Checker = &BuildResult{newStep(r.CheckerBuild), false}
	}
	out.Difference, out.Measured = r.Difference, newMeasured(r.Measured)
	for i := range r.Tests {
		out.Tests = append(out.Tests, newTest(&r.Tests[i]))
	}
	if r.Summary != nil {
		s := *r.Summary
		out.Summary = &SummaryResult{string(s.Verdict), s.Total, s.Run, s.Passed, s.Parallel, s.CPUNanos, s.WallNanos, s.MemoryPeakBytes, s.Points}
	}
	out.Timeline, out.Inside = newTimeline(r.Timeline), r.Inside
	out.Points, out.EnsembleResult = r.Points, newEnsemble(r.Programs, r.Fault, r.Transcript)
	if r.Checker != nil {
		account := newStep(r.Checker)
		out.Account = &account
	}
	for _, f := range r.Files {
		file := FileResult{Size: f.Size, SHA256: f.SHA256, Error: f.Error}
		file.Path, file.PathBase64 = text([]byte(f.Path))
		file.Content, file.Base64 = text(f.Data)
		out.Files = append(out.Files, file)
	}
	return out
}

func newMeasured(m *sandbox.Measured) *MeasuredResult {
	if m == nil {
		return nil
	}
	return &MeasuredResult{m.Core, m.Runs, m.CPU, m.Wall, m.Memory, m.Noise, m.Noisy()}
}

func newTest(t *sandbox.TestResult) TestResult {
	out := TestResult{Name: t.Name, StepResult: newStep(&t.Step), Difference: t.Difference, Measured: newMeasured(t.Measured), Points: t.Points}
	if t.Checker != nil {
		checker := newStep(t.Checker)
		out.Checker = &checker
	}
	out.EnsembleResult = newEnsemble(t.Programs, t.Fault, t.Transcript)
	return out
}

func newEnsemble(programs []sandbox.ProgramResult, fault []string, t *sandbox.Transcript) EnsembleResult {
	out := EnsembleResult{Fault: fault}
	for i := range programs {
		out.Programs = append(out.Programs, ProgramResult{programs[i].Name, newStep(&programs[i].Step)})
	}
	if t == nil {
		return out
	}
	out.Transcript = &TranscriptResult{Entries: make([]SaidResult, len(t.Entries)), Truncated: t.Truncated}
	for i, e := range t.Entries {
		said := SaidResult{From: e.From.String(), To: e.To.String(), At: e.At}
		said.Text, said.Base64 = text(e.Data)
		out.Transcript.Entries[i] = said
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
		out.Limits[l.Name] = LimitResult{l.Value, l.Asked, l.EnforcedBy}
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
