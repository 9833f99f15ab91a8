package httpapi

import "cordon/policy"

// RunRequest is the body of POST /v1/run. The handlers decode it strictly: see
// decodeRun.
type RunRequest struct {
	Policy       string            `json:"policy,omitempty" doc:"Name of the policy, the ceiling of what the job may have; \"default\" when absent"`
	Language     string            `json:"language,omitempty" doc:"Id or alias of a language of GET /v1/languages; fills in file name, build and command"`
	Source       *string           `json:"source,omitempty" doc:"Program text, placed under the language's file name"`
	Files        []FileRequest     `json:"files,omitempty" doc:"Files placed below /work before the start"`
	Command      []string          `json:"command,omitempty" doc:"Program and arguments; a name without a slash is looked up in the job's PATH"`
	Build        *BuildRequest     `json:"build,omitempty" doc:"A step before the run, in a cell of its own"`
	Stdin        string            `json:"stdin,omitempty" doc:"Standard input as text"`
	StdinBase64  string            `json:"stdin_base64,omitempty" doc:"Standard input as base64, instead of stdin"`
	Env          map[string]string `json:"env,omitempty" doc:"Environment variables on top of the fixed ones"`
	Limits       LimitsRequest     `json:"limits,omitzero" doc:"Limits of the run; a job may only tighten its policy"`
	Outputs      []string          `json:"outputs,omitempty" doc:"Patterns of files below /work to return"`
	WritableRoot bool              `json:"writable_root,omitempty" doc:"A writable layer over the root, gone with the cell"`
	RootDirs     []string          `json:"root_dirs,omitempty" doc:"Directory trees of the host as the root, topmost first; only where the policy allows it"`
}

// FileRequest is one file: exactly one of Content and Base64.
type FileRequest struct {
	Path    string  `json:"path" doc:"Relative path below /work"`
	Content *string `json:"content,omitempty" doc:"Text"`
	Base64  *string `json:"base64,omitempty" doc:"Bytes"`
	Mode    *uint32 `json:"mode,omitempty" doc:"Permission bits, 0 to 511; 420 (0644) when absent" minimum:"0" maximum:"511"`
}

// BuildRequest is the build step.
type BuildRequest struct {
	Command []string      `json:"command,omitempty" doc:"Program and arguments; the language's own when absent"`
	Limits  LimitsRequest `json:"limits,omitzero" doc:"Limits of the build"`
}

// LimitsRequest are the limits asked for; absent ones are the policy's defaults.
type LimitsRequest = policy.LimitRequest
