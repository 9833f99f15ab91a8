package httpapi

import "cordon/policy"

// RunRequest is the body of POST /v1/run. The handlers decode it strictly: see
// decodeRun.
type RunRequest struct {
	Policy       string                  `json:"policy,omitempty" doc:"Name of the policy, the ceiling of what the job may have; \"default\" when absent"`
	Language     string                  `json:"language,omitempty" doc:"Id or alias of a language of GET /v1/languages; fills in file name, build and command"`
	Source       *string                 `json:"source,omitempty" doc:"Program text, placed under the language's file name"`
	Files        Bounded[FileRequest]    `json:"files,omitempty" doc:"Files placed below /work before the start"`
	Command      []string                `json:"command,omitempty" doc:"Program and arguments; a name without a slash is looked up in the job's PATH"`
	Build        *BuildRequest           `json:"build,omitempty" doc:"A step before the run, in a cell of its own"`
	Stdin        string                  `json:"stdin,omitempty" doc:"Standard input as text"`
	StdinBase64  string                  `json:"stdin_base64,omitempty" doc:"Standard input as base64, instead of stdin"`
	StdinSHA256  string                  `json:"stdin_sha256,omitempty" doc:"The hash of a kept file, instead of stdin"`
	Env          map[string]string       `json:"env,omitempty" doc:"Environment variables on top of the fixed ones"`
	Limits       LimitsRequest           `json:"limits,omitzero" doc:"Limits of the run; a job may only tighten its policy"`
	Outputs      []string                `json:"outputs,omitempty" doc:"Patterns of files below /work to return"`
	KeepOutputs  bool                    `json:"keep_outputs,omitempty" doc:"Keep the outputs as files by their content, and name each by its sha256 in the result, instead of returning them"`
	Expect       *string                 `json:"expect,omitempty" doc:"What the program has to print; wrong_answer when it prints something else"`
	ExpectBase64 *string                 `json:"expect_base64,omitempty" doc:"The same as base64, instead of expect"`
	ExpectSHA256 string                  `json:"expect_sha256,omitempty" doc:"The hash of a kept file, instead of expect"`
	Compare      string                  `json:"compare,omitempty" enum:"exact,trim,tokens,float,unordered_lines" doc:"How outputs are compared; exact when absent"`
	Tolerance    *ToleranceRequest       `json:"tolerance,omitempty" doc:"For compare float: how far numbers may be off"`
	Tests        Bounded[TestRequest]    `json:"tests,omitempty" doc:"Runs of the program that was built once, instead of one run, each in a cell of its own: what the build left is there read-only, as links below /work"`
	Checker      *CheckerRequest         `json:"checker,omitempty" doc:"A program that judges the outputs of the tests, instead of compare"`
	Interactor   *CheckerRequest         `json:"interactor,omitempty" doc:"A program that talks with the program of the run, or of each test: each reads what the other writes, by pipes of the kernel. It ends as a checker does"`
	Programs     Bounded[ProgramRequest] `json:"programs,omitempty" doc:"Further programs that run at the same time as the job's own, which is called main, each in a cell of its own, joined by pipes; 7 at most"`
	Pipes        Bounded[PipeRequest]    `json:"pipes,omitempty" doc:"Who reads what who writes, by pipes of the kernel; between main and an interactor there are two when absent"`
	Cores        string                  `json:"cores,omitempty" enum:"together,apart" doc:"Where programs that are joined by pipes run: all on one core, or each on a core of its own, which no other such program has meanwhile; left to the kernel when absent"`
	Transcript   int64                   `json:"transcript_bytes,omitempty" doc:"Of what goes through the pipes, up to so much is in the result, with who said it to whom and when; the service carries it then. Each entry counts 64 bytes more" minimum:"0" maximum:"1048576"`
	Parallel     int64                   `json:"parallel_tests,omitempty" doc:"Tests that run at once, at most; granted as far as the service runs so many jobs" minimum:"0"`
	Measure      *MeasureRequest         `json:"measure,omitempty" doc:"Measure the run, or each test, so that times can be compared"`
	StopOnFirst  bool                    `json:"stop_on_first_failure,omitempty" doc:"Begin no further test when one is not ok"`
	KeepOutput   *int64                  `json:"keep_output_bytes,omitempty" doc:"Of stdout and stderr of each test, so much is in the result; 4096 when absent" minimum:"0"`
	WritableRoot bool                    `json:"writable_root,omitempty" doc:"A writable layer over the root, gone with the cell"`
	RootDirs     []string                `json:"root_dirs,omitempty" doc:"Directory trees of the host as the root, topmost first; only where the policy allows it"`
	Timeline     bool                    `json:"timeline,omitempty" doc:"When which part of stdout and stderr came, and in which order, is in the result; of a single program that runs once"`
	Inspect      bool                    `json:"inspect,omitempty" doc:"The cell is looked at when the program is about to be executed, from outside and from inside, and that is in the result; of a single program that runs once"`
}

// ProgramRequest is a further program: of its own, as a job's is, or another copy of one.
type ProgramRequest struct {
	Name        string               `json:"name" doc:"A lower-case letter, then lower-case letters, digits, - and _, 32 at most; not main, not interactor" pattern:"^[a-z][a-z0-9_-]{0,31}$"`
	SameAs      string               `json:"same_as,omitempty" doc:"The name of a program that this one is a copy of, with the same build, files and limits; main is the job's own"`
	Args        []string             `json:"args,omitempty" doc:"Arguments behind those of the command"`
	Language    string               `json:"language,omitempty"`
	Source      *string              `json:"source,omitempty"`
	Files       Bounded[FileRequest] `json:"files,omitempty"`
	Command     []string             `json:"command,omitempty" doc:"Program and arguments; for a copy its own instead of the other's"`
	Build       *BuildRequest        `json:"build,omitempty"`
	Stdin       string               `json:"stdin,omitempty" doc:"Standard input, where that is no pipe"`
	StdinBase64 string               `json:"stdin_base64,omitempty"`
	StdinSHA256 string               `json:"stdin_sha256,omitempty"`
	Limits      LimitsRequest        `json:"limits,omitzero" doc:"Limits of its run; of a copy those that are not the other's"`
}

// PipeRequest leads from one program to another.
type PipeRequest struct {
	From string `json:"from" doc:"Who writes: the name of a program, for its standard output, or with the number of a descriptor from 3 to 18, as in main:3"`
	To   string `json:"to" doc:"Who reads: the name of a program, for its standard input, or with the number of a descriptor"`
}

// FileRequest is one file: exactly one of Content, Base64 and SHA256.
type FileRequest struct {
	Path    string  `json:"path" doc:"Relative path below /work"`
	Content *string `json:"content,omitempty" doc:"Text"`
	Base64  *string `json:"base64,omitempty" doc:"Bytes"`
	SHA256  *string `json:"sha256,omitempty" doc:"The hash of a kept file: the job sees it as it is, read-only, with mode 0555, and nothing is copied. With a mode that has a right to write it gets a copy of its own"`
	Mode    *uint32 `json:"mode,omitempty" doc:"Permission bits, 0 to 511; 420 (0644) when absent, 365 (0555) with sha256" minimum:"0" maximum:"511"`
}

// BuildRequest is the build step.
type BuildRequest struct {
	Command []string      `json:"command,omitempty" doc:"Program and arguments; the language's own when absent"`
	Limits  LimitsRequest `json:"limits,omitzero" doc:"Limits of the build"`
	Fresh   bool          `json:"fresh,omitempty" doc:"Build anew, even where the same was built before"`
}

// TestRequest is one run of the program.
type TestRequest struct {
	Name         string               `json:"name,omitempty" doc:"Repeated in the result"`
	Args         []string             `json:"args,omitempty" doc:"Arguments behind those of the command"`
	Stdin        string               `json:"stdin,omitempty"`
	StdinBase64  string               `json:"stdin_base64,omitempty"`
	StdinSHA256  string               `json:"stdin_sha256,omitempty"`
	Files        Bounded[FileRequest] `json:"files,omitempty" doc:"Files placed below /work beside what the build left; one of the same name wins"`
	Expect       *string              `json:"expect,omitempty" doc:"What the program has to print, or the answer for the checker"`
	ExpectBase64 *string              `json:"expect_base64,omitempty"`
	ExpectSHA256 string               `json:"expect_sha256,omitempty"`
	Limits       LimitsRequest        `json:"limits,omitzero" doc:"Limits of this test, instead of the job's"`
}

// MeasureRequest says how to measure.
type MeasureRequest struct {
	Pin    bool  `json:"pin,omitempty" doc:"Bind the program to a core that no other such program has meanwhile"`
	Repeat int64 `json:"repeat,omitempty" doc:"Run it so often, each time in a fresh cell; 1 when absent" minimum:"0" maximum:"100"`
	WarmUp bool  `json:"warm_up,omitempty" doc:"Run it once before, uncounted, so that what it reads is in memory"`
}

// ToleranceRequest says how far numbers may be off; one of the two is enough.
type ToleranceRequest struct {
	Abs float64 `json:"abs,omitempty" doc:"Absolute" minimum:"0"`
	Rel float64 `json:"rel,omitempty" doc:"Relative to the expected number" minimum:"0"`
}

// CheckerRequest is a program that judges outputs. It has a language and its source,
// or files and a command, as a job has.
type CheckerRequest struct {
	Style    string               `json:"style,omitempty" enum:"testlib,kattis" doc:"testlib: called with input.txt output.txt answer.txt, ends with 0, 1, 2, 3 or 7; kattis: with input, answer and a directory, reads the output, ends with 42 or 43. testlib when absent"`
	Language string               `json:"language,omitempty"`
	Source   *string              `json:"source,omitempty"`
	Files    Bounded[FileRequest] `json:"files,omitempty"`
	Command  []string             `json:"command,omitempty" doc:"What is called with the names of the files behind it"`
	Build    *BuildRequest        `json:"build,omitempty"`
	Limits   LimitsRequest        `json:"limits,omitzero" doc:"Limits of each of its runs"`
}

// LimitsRequest are the limits asked for; absent ones are the policy's defaults.
type LimitsRequest = policy.LimitRequest
