package policies

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"cordon/policy"
)

// TestReference holds the tables of the manual against the tables of the code
// and the shipped default.
func TestReference(t *testing.T) {
	text, err := os.ReadFile("../docs/policies.md")
	if err != nil {
		t.Fatal(err)
	}
	p, err := load0(t).Get("default")
	if err != nil {
		t.Fatal(err)
	}
	rows, err := policy.Explain(p, policy.Request{})
	if err != nil {
		t.Fatal(err)
	}
	bare := func(s string) string { s, _, _ = strings.Cut(s, " "); return s }
	shipped := map[string]policy.Row{}
	for _, r := range rows {
		shipped[r.Field] = r
	}
	number := func(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }
	for _, f := range policy.Fields() {
		r := shipped["limits."+f.Name]
		want := fmt.Sprintf("| `%s` | %s | %s to %s | %s | %s | %s |", f.Name, unit(f.Unit), number(f.Floor), number(f.Ceiling),
			f.Meaning, bare(r.Value), bare(r.Max))
		if !strings.Contains(string(text), want+"\n") {
			t.Errorf("docs/policies.md lacks the row\n%s", want)
		}
	}
	for _, f := range policy.CapFields() {
		want := fmt.Sprintf("| `%s` | %s | %d | %s | %s |", f.Name, unit(f.Unit), f.Ceiling, f.Meaning, bare(shipped["caps."+f.Name].Value))
		if !strings.Contains(string(text), want+"\n") {
			t.Errorf("docs/policies.md lacks the row\n%s", want)
		}
	}
	for _, name := range load0(t).Names() {
		if !strings.Contains(string(text), "| `"+name+"` |") {
			t.Errorf("docs/policies.md does not list policy %s", name)
		}
	}
}

func unit(s string) string {
	if s == "" {
		return "–"
	}
	return s
}

// TestManualExamples: the policy of the manual can be used, and the error it
// shows is the one that comes.
func TestManualExamples(t *testing.T) {
	text, err := os.ReadFile("../docs/policies.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(text), "```yaml\n")
	example, _, closed := strings.Cut(rest, "```\n")
	if !found || !closed {
		t.Fatal("no example in docs/policies.md")
	}
	dir := operator(t, map[string]string{"exam.yaml": example})
	set, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	if p, err := set.Get("exam"); err != nil || *p.Limits.Pids.Max != 8 {
		t.Errorf("%+v, %v", p, err)
	}
	_, err = Decode("exam.yaml", []byte(strings.Replace(example, "default: 5000", "default: 5s", 1)))
	if err == nil || !strings.Contains(string(text), "```\n"+err.Error()+"\n```") {
		t.Errorf("docs/policies.md does not show this error:\n%v", err)
	}
	judge, err := set.Get("judge")
	if err != nil {
		t.Fatal(err)
	}
	var q policy.Request
	q.WritableRoot = true
	for name, v := range map[string]string{"cpu_ms": "90000", "pids": "0"} {
		if err := q.Limits.Set(name, v); err != nil {
			t.Fatal(err)
		}
	}
	_, err = policy.Resolve(q, judge)
	denied, ok := err.(*policy.DeniedError)
	if !ok {
		t.Fatalf("not denied: %v", err)
	}
	for _, d := range denied.Denials {
		if !strings.Contains(string(text), "denied: "+d.String()+"\n") {
			t.Errorf("docs/policies.md does not show: %s", d)
		}
	}
}
