package policies

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"testing"

	"github.com/goccy/go-yaml"

	"cordon/policy"
)

// FuzzLoad: what the decoder refuses has a field, and a place inside the file; what
// it takes, the library's own strict decoder reads the same way, it means the same
// when it was written and read again, the checks find it sound, and a job under it
// has a bound in every dimension.
func FuzzLoad(f *testing.F) {
	entries, err := shippedFiles.ReadDir(".")
	if err != nil {
		f.Fatal(err)
	}
	for _, e := range entries {
		text, err := shippedFiles.ReadFile(e.Name())
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	for _, s := range []string{head, head + fewPids, head + "root: {dirs: [{path: /opt, reason: r}]}\n", head + "extends: judge\n", head + "extends: none\n",
		head + "extends: dev\nlimits: {cpus: {default: .inf, max: .nan, reason: r}}\n", "a: &x [*x]\n", "? a\n", "- - -\n", "\x00", "{", "name: |\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		d := read("x.yaml", text, nil)
		if d.err != nil {
			lines := bytes.Count(text, []byte("\n")) + 1
			for _, p := range d.err.Problems {
				if p.Line < 1 || p.Line > lines || p.Column < 1 {
					t.Fatalf("place %d:%d in a file of %d lines", p.Line, p.Column, lines)
				}
				if p.Field == "" || p.Given == "" || p.Allowed == "" || p.Fix == "" {
					t.Fatalf("a problem that does not say everything: %+v", p)
				}
			}
			_ = d.err.Error()
			return
		}
		if problems := policy.Check(d.policy, nil); len(problems) > 0 {
			t.Fatalf("taken with problems: %v", problems)
		}
		var other policy.Policy
		if err := yaml.NewDecoder(bytes.NewReader(text), yaml.Strict(), yaml.DisallowUnknownField()).Decode(&other); err != nil {
			t.Fatalf("taken, but the library refuses: %v", err)
		}
		if !reflect.DeepEqual(*d.policy, other) {
			t.Fatalf("read as\n%+v\nthe library reads\n%+v", *d.policy, other)
		}
		again, err := json.Marshal(d.policy)
		if err != nil {
			t.Fatal(err)
		}
		if back := read("x.yaml", again, nil); back.err != nil || !reflect.DeepEqual(back.policy, d.policy) {
			t.Fatalf("%s became %s, which is read as %+v: %v", text, again, back.policy, back.err)
		}
		checkBounds(t, d.policy)
	})
}

// shippedParents are what a fuzzed policy may extend.
var shippedParents = func() map[string]*policy.Policy {
	documents, err := shipped(nil)
	if err != nil {
		panic(err)
	}
	all := map[string]*policy.Policy{}
	for _, d := range documents {
		all[d.policy.Name] = d.policy
	}
	return all
}()

// checkBounds: with what it extends, the policy is whole, and then a job that asks
// for nothing gets a limit in every dimension; or it is not, and grants nothing.
func checkBounds(t *testing.T, p *policy.Policy) {
	whole, err := policy.Flatten(p, func(_ *policy.Policy, name string) *policy.Policy { return shippedParents[name] })
	var grant *policy.Grant
	if err == nil {
		grant, err = policy.Resolve(policy.Request{HasBuild: true}, whole)
	}
	if err != nil {
		var invalid *policy.InvalidError
		if grant != nil || !errors.As(err, &invalid) || len(invalid.Problems) == 0 {
			t.Fatalf("granted %+v, with the error %v", grant, err)
		}
		return
	}
	for _, l := range []policy.Limits{grant.Limits, grant.BuildLimits} {
		v := reflect.ValueOf(l)
		for i := range v.NumField() {
			value, bounded := v.Field(i), false
			switch value.Kind() {
			case reflect.Int64:
				bounded = value.Int() > 0 && value.Int() <= 1<<53
			case reflect.Float64:
				bounded = value.Float() > 0 && !math.IsInf(value.Float(), 0)
			}
			if !bounded {
				t.Fatalf("%s is %v under %+v", v.Type().Field(i).Name, value, whole)
			}
		}
	}
}
