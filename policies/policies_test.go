package policies

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/google/jsonschema-go/jsonschema"

	"cordon/policy"
)

var update = flag.Bool("update", false, "write the golden files and the schema")

func load0(t *testing.T) *Set {
	t.Helper()
	s, err := Load("")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestShippedNames(t *testing.T) {
	if got, want := strings.Join(load0(t).Names(), " "), "ci default dev judge playground"; got != want {
		t.Errorf("names %s, want %s", got, want)
	}
	for _, i := range load0(t).List() {
		if i.Source != "shipped" || i.Description == "" {
			t.Errorf("%+v", i)
		}
	}
}

// golden compares with a file, or writes it.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(name, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs; run go test ./policies -update and review the difference\n%s", name, got)
	}
}

// TestGrants holds what a job gets that asks for nothing, and the ceilings, so
// that a change of any number shows in review.
func TestGrants(t *testing.T) {
	set := load0(t)
	for _, name := range set.Names() {
		p, err := set.Get(name)
		if err != nil {
			t.Fatal(err)
		}
		grant, err := policy.Resolve(policy.Request{}, p)
		if err != nil {
			t.Fatal(err)
		}
		rows, err := policy.Explain(p, policy.Request{HasBuild: true})
		if err != nil {
			t.Fatal(err)
		}
		ceilings := map[string]string{}
		for _, r := range rows {
			if r.Max != "" {
				ceilings[r.Field] = r.Max
			}
		}
		text, err := json.MarshalIndent(map[string]any{"grant": grant, "ceilings": ceilings,
			"job_may_choose_dirs": p.Root.JobMayChooseDirs.Allowed}, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		golden(t, filepath.Join("testdata", name+".golden.json"), append(text, '\n'))
	}
}

// TestScratchFitsMemory: the scratch is charged to the memory, so a ceiling
// above that of the memory, or a default above its default, would promise what
// cannot be had.
func TestScratchFitsMemory(t *testing.T) {
	set := load0(t)
	for _, name := range set.Names() {
		p, _ := set.Get(name)
		for step, l := range map[string]policy.LimitRules{"limits": p.Limits, "build_limits": p.BuildLimits} {
			if *l.DiskBytes.Max > *l.MemoryBytes.Max || *l.DiskBytes.Default > *l.MemoryBytes.Default {
				t.Errorf("%s %s: disk %d of %d, memory %d of %d", name, step, *l.DiskBytes.Default, *l.DiskBytes.Max,
					*l.MemoryBytes.Default, *l.MemoryBytes.Max)
			}
			if *l.WallMillis.Default < *l.CPUMillis.Default {
				t.Errorf("%s %s: the default wall time ends a job before its CPU time on one core", name, step)
			}
		}
	}
}

func TestSchema(t *testing.T) {
	made, err := makeSchema()
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "policy.schema.json", made)
	if !*update && !bytes.Equal(Schema(), made) {
		t.Error("Schema() is not the file")
	}
}

// resolved is the committed schema, ready to validate.
func resolved(t testing.TB) *jsonschema.Resolved {
	t.Helper()
	var s jsonschema.Schema
	if err := json.Unmarshal(Schema(), &s); err != nil {
		t.Fatal(err)
	}
	r, err := s.Resolve(nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestShippedMatchSchema also holds the line that tells editors of the schema.
func TestShippedMatchSchema(t *testing.T) {
	r := resolved(t)
	entries, err := shippedFiles.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		text, err := shippedFiles.ReadFile(e.Name())
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.HasPrefix(text, []byte("# yaml-language-server: $schema=policy.schema.json\n")) {
			t.Errorf("%s: the first line does not name the schema", e.Name())
		}
		var v any
		if err := yaml.Unmarshal(text, &v); err != nil {
			t.Fatal(err)
		}
		if err := r.Validate(asJSON(t, v)); err != nil {
			t.Errorf("%s: %v", e.Name(), err)
		}
	}
}

// asJSON turns what the YAML library gives (uint64, …) into what encoding/json
// would, which is what the validator expects.
func asJSON(t testing.TB, v any) any {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var out any
	if err := json.Unmarshal(b, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// TestSchemaRefuses: what the decoder refuses for its shape, the schema does.
func TestSchemaRefuses(t *testing.T) {
	r := resolved(t)
	for _, text := range []string{
		"name: x\ndescription: d\n",
		"name: X\ndescription: d\nextends: default\n",
		"name: x\ndescription: d\nextends: default\nlimitz: {}\n",
		"name: x\ndescription: d\nextends: default\nlimits: {pids: {max: 5}}\n",
		"name: x\ndescription: d\nextends: default\nlimits: {pids: {reason: r}}\n",
		"name: x\ndescription: d\nextends: default\nlimits: {pids: {max: 0, reason: r}}\n",
		"name: x\ndescription: d\nextends: default\nlimits: {pids: {max: null, reason: r}}\n",
		"name: x\ndescription: d\nextends: default\nlimits: {pids: {max: 1.5, reason: r}}\n",
		"name: x\ndescription: d\nextends: default\nroot: {kind: image, reason: r}\n",
		"name: x\ndescription: d\nextends: default\nseccomp: {profile: none, reason: r}\n",
		"name: x\ndescription: d\nextends: default\nrequire_subuid: {reason: r}\n",
	} {
		var v any
		if err := yaml.Unmarshal([]byte(text), &v); err != nil {
			t.Fatal(err)
		}
		if err := r.Validate(asJSON(t, v)); err == nil {
			t.Errorf("the schema takes %q", text)
		}
		if _, err := Decode("x.yaml", []byte(text)); err == nil {
			t.Errorf("the decoder takes %q", text)
		}
	}
}
