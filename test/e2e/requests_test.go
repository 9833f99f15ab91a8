package e2e

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
)

// problem is an answer of RFC 9457.
type problem struct {
	Status int    `json:"status"`
	Code   string `json:"code"`
	Detail string `json:"detail"`
	Title  string `json:"title"`
}

// testRequests has a few of the strict checks, through the real server: each
// has its own table in the unit tests of the HTTP layer.
func testRequests(t *testing.T, s *service) {
	for _, tt := range []struct {
		name, body string
		min, max   int    // allowed status
		names      string // must stand somewhere in the answer
	}{
		{"not JSON", `{"command": [`, 400, 422, ""},
		{"unknown field", `{"policy":"judge","comand":["true"]}`, 400, 422, "comand"},
		{"unknown field below", `{"policy":"judge","command":["true"],"limits":{"cpu":1}}`, 400, 422, "cpu"},
		{"wrong type", `{"policy":"judge","command":"true"}`, 400, 422, "command"},
		{"duplicate key", `{"policy":"judge","policy":"dev","command":["true"]}`, 400, 422, "policy"},
		{"trailing data", `{"policy":"judge","command":["true"]} {}`, 400, 422, ""},
		{"too deep", strings.Repeat(`{"limits":`, 5000) + "1" + strings.Repeat("}", 5000), 400, 422, ""},
		{"nothing to run", `{"policy":"judge"}`, 400, 422, "command"},
		{"path that climbs", `{"policy":"judge","command":["true"],"files":[{"path":"../x","content":""}]}`, 400, 422, "path"},
		{"absolute path", `{"policy":"judge","command":["true"],"files":[{"path":"/etc/x","content":""}]}`, 400, 422, "path"},
		{"bad base64", `{"policy":"judge","command":["true"],"files":[{"path":"x","base64":"%"}]}`, 400, 422, "base64"},
		{"unknown policy", `{"policy":"none-such","command":["true"]}`, 400, 422, "none-such"},
		{"unknown language", `{"policy":"judge","language":"cobol-74","source":""}`, 422, 422, "cobol-74"},
		{"more memory than allowed", `{"policy":"judge","command":["true"],"limits":{"memory_bytes":1125899906842624}}`, 422, 422, "memory_bytes"},
		{"negative limit", `{"policy":"judge","command":["true"],"limits":{"wall_ms":-5}}`, 400, 422, "wall_ms"},
	} {
		t.Run(strings.ReplaceAll(tt.name, " ", "_"), func(t *testing.T) {
			status, header, answer := s.send(t, http.MethodPost, "/v1/run", s.token, []byte(tt.body))
			p := checkProblem(t, status, header, answer)
			if status < tt.min || status > tt.max {
				t.Errorf("status %d, want %d to %d", status, tt.min, tt.max)
			}
			if !strings.Contains(string(answer), tt.names) {
				t.Errorf("the answer does not name %q: %s", tt.names, answer)
			}
			if p.Detail == "" && p.Title == "" {
				t.Errorf("nothing for a person to read: %s", answer)
			}
		})
	}
	for name, token := range map[string]string{"no_token": "", "wrong_token": "wrong"} {
		t.Run(name, func(t *testing.T) {
			status, header, answer := s.send(t, http.MethodPost, "/v1/run", token, []byte(`{"policy":"judge","command":["true"]}`))
			checkProblem(t, status, header, answer)
			if status != http.StatusUnauthorized {
				t.Errorf("status %d, want 401", status)
			}
		})
	}
}

func checkProblem(t *testing.T, status int, header http.Header, answer []byte) problem {
	t.Helper()
	if ct := header.Get("Content-Type"); !strings.HasPrefix(ct, "application/problem+json") {
		t.Errorf("content type %q: %s", ct, answer)
	}
	var p problem
	if err := json.Unmarshal(answer, &p); err != nil {
		t.Fatalf("%v in %s", err, answer)
	}
	if p.Code == "" || p.Status != status {
		t.Errorf("code %q, status %d in an answer of status %d: %s", p.Code, p.Status, status, answer)
	}
	return p
}
