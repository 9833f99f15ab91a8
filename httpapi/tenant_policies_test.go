package httpapi

import (
	"encoding/json"
	"slices"
	"testing"

	"cordon/tenants"
)

// A tenant is shown the policies that its jobs may name, and nobody else's list is shorter for it.
func TestPoliciesOfATenant(t *testing.T) {
	s := startTenants(t, nil, "a", "b")
	shown := func(key string) (names []string) {
		t.Helper()
		r := s.as(t, key, "GET", "/v1/policies", "")
		var list PolicyList
		if err := json.Unmarshal(r.body, &list); err != nil || r.status != 200 {
			t.Fatalf("%d %v: %s", r.status, err, r.body)
		}
		for _, p := range list.Policies {
			names = append(names, p.Name)
		}
		return names
	}
	all := shown(canary)
	if len(all) < 3 || !slices.Equal(shown(s.keys["a"]), all) {
		t.Fatalf("control: the operator sees %v, a tenant without a restriction %v", all, shown(s.keys["a"]))
	}
	s.limit(t, "a", tenants.Limits{Policies: []string{"judge", "ci"}})
	if got := shown(s.keys["a"]); !slices.Equal(got, []string{"ci", "judge"}) {
		t.Errorf("restricted: %v", got)
	}
	for who, key := range map[string]string{"operator": canary, "another tenant": s.keys["b"]} {
		if got := shown(key); !slices.Equal(got, all) {
			t.Errorf("%s: %v, want %v", who, got, all)
		}
	}
}
