package httpapi

import (
	"context"
	"errors"
	"strings"
	"testing"

	"cordon/languages"
	"cordon/policy"
)

// TestDoctor: the report is served as it is, and a failure is ours.
func TestDoctor(t *testing.T) {
	var fail error
	s := start(t, func(c *Config) {
		c.Doctor = func(context.Context) (any, error) { return map[string]any{"rows": []string{"cgroup"}}, fail }
	})
	if r := s.send(t, "GET", "/v1/doctor", nil); r.status != 200 || strings.TrimSpace(string(r.body)) != `{"rows":["cgroup"]}` {
		t.Errorf("%d %s", r.status, r.body)
	}
	fail = errors.New("no host")
	s.send(t, "GET", "/v1/doctor", nil).wants(t, CodeInternal, "")
}

// brokenPolicies has a policy in its list that it cannot give.
type brokenPolicies struct{ Policies }

func (brokenPolicies) Get(string) (*policy.Policy, error) { return nil, errors.New("gone") }

// halfPolicies has one that is not whole.
type halfPolicies struct{ Policies }

func (halfPolicies) Get(string) (*policy.Policy, error) { return &policy.Policy{Name: "half"}, nil }

func TestPolicyList(t *testing.T) {
	s := start(t, nil)
	r := s.send(t, "GET", "/v1/policies", nil)
	for _, word := range []string{`"judge"`, `"shipped"`, `"limits.memory_bytes"`, `"build.limits.pids"`, `"reason"`} {
		if !strings.Contains(string(r.body), word) {
			t.Errorf("%s is not in the list", word)
		}
	}
	start(t, func(c *Config) { c.Policies = brokenPolicies{c.Policies} }).send(t, "GET", "/v1/policies", nil).wants(t, CodeInternal, "")
	start(t, func(c *Config) { c.Policies = halfPolicies{c.Policies} }).send(t, "GET", "/v1/policies", nil).wants(t, CodeInternal, "")
}

// tabledLanguages has a list of its own.
type tabledLanguages struct {
	Languages
	list []languages.Info
}

func (l tabledLanguages) List() []languages.Info { return l.list }

// TestLanguageList: a version tells its family, and least limits come in bytes.
func TestLanguageList(t *testing.T) {
	s := start(t, func(c *Config) {
		c.Languages = tabledLanguages{c.Languages, []languages.Info{
			{ID: "x", Name: "X", Family: "x", Default: "x-2", Status: languages.StatusOK, SourceFile: "main.x", Build: []string{"xc"}, Run: []string{"./main"},
				BuildMinimum: &languages.Need{MemoryMiB: 3, Pids: 4}, RunMinimum: &languages.Need{MemoryMiB: 1, Pids: 2}},
			{ID: "y", Name: "Y", Status: languages.StatusMissing, Missing: "yc", SourceFile: "main.y", Run: []string{"yc"}, RunMinimum: &languages.Need{MemoryMiB: 1, Pids: 1}},
			{ID: "z", Name: "Z", Status: languages.StatusMissing, Missing: "zc", SourceFile: "main.z", Run: []string{"zc"}},
		}}
	})
	want := `{"languages":[` +
		`{"id":"x","name":"X","family":"x","default":"x-2","status":"ok","source_file":"main.x","build":["xc"],"run":["./main"],"minimum":{"build":{"memory_bytes":3145728,"pids":4},"run":{"memory_bytes":1048576,"pids":2}}},` +
		`{"id":"y","name":"Y","status":"missing","missing":"yc","source_file":"main.y","run":["yc"],"minimum":{"run":{"memory_bytes":1048576,"pids":1}}},` +
		`{"id":"z","name":"Z","status":"missing","missing":"zc","source_file":"main.z","run":["zc"]}]}`
	if r := s.send(t, "GET", "/v1/languages", nil); strings.TrimSpace(string(r.body)) != want {
		t.Errorf("%s\nwant %s", r.body, want)
	}
}
