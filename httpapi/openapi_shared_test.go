package httpapi

import (
	"testing"

	"github.com/danielgtaylor/huma/v2"
)

// What has the same set has the same type, and nothing else has.
func TestShareEnums(t *testing.T) {
	set := func(all ...any) *huma.Schema {
		return &huma.Schema{Type: huma.TypeString, Enum: all, Description: "why"}
	}
	one := func(property string, s *huma.Schema) *huma.Schema {
		return &huma.Schema{Type: huma.TypeObject, Properties: map[string]*huma.Schema{property: s}}
	}
	schemas := map[string]*huma.Schema{"RunResult": one("verdict", set("ok", "nonzero")), "RunRequest": one("compare", set("exact")),
		"JobStatus": one("state", set("queued", "done")), "Another": one("state", set("sent", "lost")), "TestResult": one("verdict", set("ok", "nonzero")),
		"Text": one("verdict", &huma.Schema{Type: huma.TypeString})}
	schemas["RunRequest"].Properties["cores"], schemas["JobStatus"].Properties["priority"] = set("apart"), set("high")
	shareEnums(schemas)
	for name, want := range map[string]string{"RunResult": "Verdict", "TestResult": "Verdict", "JobStatus": "State", "Another": "", "Text": ""} {
		for property, p := range schemas[name].Properties {
			if property == "priority" {
				want = "Priority"
			} else if name == "JobStatus" {
				want = "State"
			}
			if want != "" && (p.Ref != "#/components/schemas/"+want || p.Enum != nil || p.Description != "why") || want == "" && p.Ref != "" {
				t.Errorf("%s.%s: %q %v, want %q", name, property, p.Ref, p.Enum, want)
			}
		}
	}
	if s := schemas["State"]; len(s.Enum) != 2 || s.Enum[0] != "queued" || s.Type != huma.TypeString {
		t.Errorf("%+v", s)
	}
}
