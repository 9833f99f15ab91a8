package httpapi

import (
	"context"
	"errors"
	"strings"
	"testing"

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
