package sandbox

import (
	"testing"

	"cordon/policy"
)

// TestBuildKeyOfTenants: what one tenant has built no other is given, nor could tell by its
// time that it was built.
func TestBuildKeyOfTenants(t *testing.T) {
	key := func(tenant, source string) string {
		t.Helper()
		s := (&Spec{Job: &Job{Tenant: tenant, Build: []string{"cc", "a.c"}, Files: []File{{Path: "a.c", Data: []byte(source)}}}, Grant: &policy.Grant{}}).buildSpec()
		k, err := buildKey(s, &policy.Grant{})
		if err != nil || k == "" {
			t.Fatalf("%q, %v", k, err)
		}
		return k
	}
	if first, again := key("a", "x"), key("a", "x"); first != again {
		t.Error("control: the same tenant's same build has another key")
	}
	if key("a", "x") == key("b", "x") || key("a", "x") == key("", "x") || key("a", "x") == key("a", "y") {
		t.Error("two builds that are not the same have one key")
	}
}
