package policies

import (
	"encoding/json"
	"fmt"
	"math"

	"github.com/google/jsonschema-go/jsonschema"

	"cordon/policy"
)

// makeSchema derives the schema from the types and tables of package policy.
// TestSchema holds policy.schema.json against it; -update writes the file. It
// is test code so that the program carries the outcome alone.
func makeSchema() ([]byte, error) {
	s, err := jsonschema.For[policy.Policy](nil)
	if err != nil {
		return nil, fmt.Errorf("schema of policy.Policy: %w", err)
	}
	s.Schema = "https://json-schema.org/draft/2020-12/schema"
	s.Title = "Cordon policy"
	refuseNull(s)
	for _, step := range []string{"limits", "build_limits"} {
		for _, f := range policy.Fields() {
			describeLimit(s.Properties[step].Properties[f.Name], f)
		}
	}
	for _, f := range policy.CapFields() {
		c := s.Properties["caps"].Properties[f.Name]
		c.Description = described(f.Meaning, f.Unit)
		c.Properties["max"].Minimum, c.Properties["max"].Maximum = number(0), number(float64(f.Ceiling))
	}
	const name = "^[a-z][a-z0-9-]{0,31}$"
	s.Properties["name"].Pattern, s.Properties["extends"].Pattern = name, name
	s.Properties["root"].Properties["kind"].Enum = []any{policy.RootHost, policy.RootDirs}
	s.Properties["root"].Properties["dirs"].Items.Properties["path"].Pattern = "^/."
	for _, p := range policy.Profiles() {
		profile := s.Properties["seccomp"].Properties["profile"]
		profile.Enum = append(profile.Enum, p)
	}
	for _, list := range []string{"allow", "deny"} {
		names := s.Properties["seccomp"].Properties[list].Items.Properties["syscalls"]
		names.MinItems, names.Items.Pattern = jsonschema.Ptr(1), "^[a-z_][a-z0-9_]*$"
	}
	// A policy takes the rest over from a parent, or has all of it.
	s.AnyOf = []*jsonschema.Schema{{Required: []string{"extends"}},
		{Required: []string{"limits", "build_limits", "root", "seccomp", "caps", "require_subuid"}}}
	text, err := json.MarshalIndent(s, "", "  ")
	return append(text, '\n'), err
}

func describeLimit(s *jsonschema.Schema, f policy.Field) {
	s.Description = described(f.Meaning, f.Unit)
	for _, bound := range []string{"default", "max"} {
		p := s.Properties[bound]
		p.Minimum, p.Maximum = number(f.Floor), number(f.Ceiling)
	}
	s.AnyOf = []*jsonschema.Schema{{Required: []string{"default"}}, {Required: []string{"max"}}}
}

func described(meaning, unit string) string {
	if unit == "" {
		return meaning
	}
	return meaning + "; in " + unit
}

func number(v float64) *float64 { return &v }

// refuseNull takes null from every type: pointers in Go are fields that may be
// left out, not fields that may be empty. It also asks for text wherever a
// reason or a name is due, and drops the bounds that say only what int64 is.
func refuseNull(s *jsonschema.Schema) {
	if s == nil {
		return
	}
	if len(s.Types) == 2 && s.Types[0] == "null" {
		s.Type, s.Types = s.Types[1], nil
	}
	if s.Type == "string" {
		s.MinLength = jsonschema.Ptr(1)
	}
	if s.Minimum != nil && *s.Minimum == math.MinInt64 {
		s.Minimum, s.Maximum = nil, nil
	}
	for _, p := range s.Properties {
		refuseNull(p)
	}
	refuseNull(s.Items)
}
