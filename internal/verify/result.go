package verify

import "encoding/base64"

// result is the part of the API's Result that rows look at.
type result struct {
	Verdict      string           `json:"verdict"`
	ExitCode     *int             `json:"exit_code"`
	Signal       *string          `json:"signal"`
	Message      string           `json:"message"`
	Stdout       string           `json:"stdout"`
	StdoutBase64 string           `json:"stdout_base64"`
	Stderr       string           `json:"stderr"`
	StderrBase64 string           `json:"stderr_base64"`
	Truncated    map[string]bool  `json:"truncated"`
	Usage        map[string]int64 `json:"usage"`
	Events       struct {
		OOMKill        int64 `json:"oom_kill"`
		PidsMaxHits    int64 `json:"pids_max_hits"`
		StrayKilled    int64 `json:"stray_killed"`
		DeniedSyscalls []struct {
			Name  string `json:"name"`
			Count int64  `json:"count"`
		} `json:"denied_syscalls"`
	} `json:"events"`
	Limits map[string]struct {
		Value      float64 `json:"value"`
		EnforcedBy string  `json:"enforced_by"`
	} `json:"limits"`
	Files []file `json:"files"`
}

type file struct {
	Path       string `json:"path"`
	PathBase64 string `json:"path_base64"`
	Size       int64  `json:"size"`
	Content    string `json:"content"`
	Base64     string `json:"base64"`
	Error      string `json:"error"`
}

// name is the path, whose bytes need not be text.
func (f file) name() string { return text(f.Path, f.PathBase64) }

func (r *result) stdout() string { return text(r.Stdout, r.StdoutBase64) }
func (r *result) stderr() string { return text(r.Stderr, r.StderrBase64) }

// text is what the API gives as one of two fields.
func text(plain, encoded string) string {
	if encoded == "" {
		return plain
	}
	data, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return "no base64: " + err.Error()
	}
	return string(data)
}
