package policy

import "testing"

// TestInspect: allowed where nothing is written, and where it is.
func TestInspect(t *testing.T) {
	for name, c := range map[string]struct {
		rule    *InspectRule
		allowed bool
	}{"not written": {nil, true}, "allowed": {&InspectRule{true, "r"}, true}, "not allowed": {&InspectRule{false, "r"}, false}} {
		p := sound()
		p.Inspect = c.rule
		_, err := Resolve(Request{Inspect: true}, p)
		if (err == nil) != c.allowed {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := Resolve(Request{}, p); err != nil {
			t.Errorf("%s: a job that does not ask: %v", name, err)
		}
		rows, _ := Explain(p, Request{Inspect: true})
		found := false
		for _, r := range rows {
			found = found || r.Field == "inspect"
		}
		if found != (c.rule != nil) {
			t.Errorf("%s: explained: %t", name, found)
		}
	}
	p := sound()
	if p.Inspect = (&InspectRule{Allowed: true}); len(Check(p, nil)) == 0 {
		t.Error("a rule without a reason is taken")
	}
	child := &Policy{Name: "child", Description: "d", Extends: "parent", Inspect: &InspectRule{false, "none here"}}
	if m, _ := merge(p, child); m.Inspect.Allowed {
		t.Errorf("%+v", m.Inspect)
	}
}
