package policies

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"cordon/policy"
)

const head = "name: x\ndescription: d\nextends: default\n"

// TestDecodeRefuses wants the place and the field of every problem, as
// "line:column field", and a word of the message.
func TestDecodeRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want []string
		word string
	}{
		"empty":           {"", []string{"1:1 file"}, "nothing"},
		"only a comment":  {"# x\n", []string{"1:1 file"}, "nothing"},
		"a list":          {"- a\n", []string{"1:1 file"}, "a list"},
		"a text":          {"hello\n", []string{"1:1 file"}, "hello"},
		"not YAML":        {"name: [x\n", []string{"1:7 file"}, "not YAML"},
		"tab":             {"name:\n\tx: 1\n", []string{"2:1 file"}, "not YAML"},
		"duplicate key":   {head + "name: y\n", []string{"4:1 file"}, "already defined"},
		"deep duplicate":  {head + "limits:\n  pids:\n    max: 5\n    max: 6\n    reason: r\n", []string{"7:5 file"}, "already defined"},
		"two documents":   {head + "---\nname: y\n", []string{"5:5 file"}, "second document"},
		"anchor":          {head + "limits: &a {}\n", []string{"4:9 file"}, "anchor"},
		"alias":           {head + "limits: *a\n", []string{"4:9 file"}, "alias"},
		"merge key":       {head + "<<: {limits: {}}\n", []string{"4:1 file"}, "merge key"},
		"tag":             {head + "limits: !!map {}\n", []string{"4:9 file"}, "tag"},
		"directive":       {"%YAML 1.1\n---\n" + head, []string{"1:1 file"}, "directive"},
		"complex key":     {head + "? limits\n: {}\n", []string{"4:1 file"}, "complex key"},
		"brackets":        {head + "limits: " + strings.Repeat("[", 60000), []string{"4:17 file"}, "nested"},
		"too large":       {head + "# " + strings.Repeat("x", maxSize), []string{"1:1 file"}, "bytes"},
		"not UTF-8":       {head + "# \xff\n", []string{"1:1 file"}, "UTF-8"},
		"unknown field":   {head + "limitz: {}\n", []string{"4:1 limitz"}, "build_limits"},
		"unknown limit":   {head + "limits:\n  memory: {max: 5, reason: r}\n", []string{"5:3 limits.memory"}, "memory_bytes"},
		"unknown in rule": {head + "limits:\n  pids: {max: 5, reason: r, min: 1}\n", []string{"5:29 limits.pids.min"}, "default, max, reason"},
		"number for text": {strings.Replace(head, "d\n", "7\n", 1), []string{"2:14 description"}, "quotes"},
		"text for number": {head + "limits:\n  pids: {max: many, reason: r}\n", []string{"5:15 limits.pids.max"}, "many"},
		"quoted number":   {head + "limits:\n  pids: {max: \"5\", reason: r}\n", []string{"5:15 limits.pids.max"}, "plain digits"},
		"with unit":       {head + "limits:\n  memory_bytes: {max: 1GiB, reason: r}\n", []string{"5:23 limits.memory_bytes.max"}, "1GiB"},
		"fraction":        {head + "limits:\n  pids: {max: 1.9, reason: r}\n", []string{"5:15 limits.pids.max"}, "1.9"},
		"octal":           {head + "limits:\n  pids: {max: 010, reason: r}\n", []string{"5:15 limits.pids.max"}, "010"},
		"hexadecimal":     {head + "limits:\n  pids: {max: 0x10, reason: r}\n", []string{"5:15 limits.pids.max"}, "0x10"},
		"underscores":     {head + "limits:\n  pids: {max: 1_0, reason: r}\n", []string{"5:15 limits.pids.max"}, "1_0"},
		"exponent":        {head + "limits:\n  pids: {max: 1e3, reason: r}\n", []string{"5:15 limits.pids.max"}, "1e3"},
		"beyond int64":    {head + "limits:\n  pids: {max: 9223372036854775808, reason: r}\n", []string{"5:15 limits.pids.max"}, "9223372036854775808"},
		"infinite cpus":   {head + "limits:\n  cpus: {max: .inf, reason: r}\n", []string{"5:15 limits.cpus.max"}, ".inf"},
		"no value":        {head + "limits:\n", []string{"4:8 limits"}, "nothing"},
		"null":            {head + "limits:\n  pids: {max: null, reason: r}\n", []string{"5:15 limits.pids.max"}, "nothing"},
		"empty text":      {head + "seccomp:\n  profile: \"\"\n", []string{"5:12 seccomp.profile"}, "a text"},
		"yes for true":    {head + "require_subuid: {required: yes, reason: r}\n", []string{"4:28 require_subuid.required"}, "true or false"},
		"missing bool":    {head + "require_subuid: {reason: r}\n", []string{"4:1 require_subuid.required"}, "must be there"},
		"list for fields": {head + "limits: []\n", []string{"4:9 limits"}, "cpu_ms"},
		"text for list":   {head + "root:\n  dirs: /opt\n", []string{"5:9 root.dirs"}, "dash"},
		"text for entry":  {head + "root:\n  dirs:\n    - /opt\n", []string{"6:7 root.dirs[0]"}, "path, reason"},
		"no reason":       {head + "limits:\n  pids:\n    max: 5\n", []string{"5:3 limits.pids.reason"}, "must be there"},
		"blank reason":    {head + "limits:\n  pids:\n    max: 5\n    reason: \" \"\n", []string{"7:13 limits.pids.reason"}, "why"},
		"out of range":    {head + "limits:\n  pids:\n    max: 0\n    reason: r\n", []string{"6:10 limits.pids.max"}, "4194304"},
		"syscall":         {head + "seccomp:\n  allow:\n    - syscalls: [tee, frob]\n      reason: r\n", []string{"6:23 seccomp.allow[0].syscalls[1]"}, "frob"},
		"all at once": {"name: X\ndescription: d\nextends: default\nlimitz: {}\nlimits: {pids: {max: x, reason: r}, cpu_ms: {max: 0, reason: r}}\n",
			[]string{"4:1 limitz", "5:22 limits.pids.max", "1:7 name", "5:51 limits.cpu_ms.max"}, "X"},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := Decode("x.yaml", []byte(c.text), WithSyscalls(func(s string) bool { return s == "tee" }))
			var file *FileError
			if p != nil || !errors.As(err, &file) || !errors.Is(err, policy.ErrInvalid) {
				t.Fatalf("policy %v, error %v", p, err)
			}
			var got []string
			for _, fp := range file.Problems {
				got = append(got, fmt.Sprintf("%d:%d %s", fp.Line, fp.Column, fp.Field))
				if fp.Given == "" || fp.Allowed == "" || fp.Fix == "" {
					t.Errorf("a part is missing: %+v", fp)
				}
			}
			if strings.Join(got, ", ") != strings.Join(c.want, ", ") {
				t.Errorf("problems %q, want %q\n%v", got, c.want, err)
			}
			if !strings.Contains(err.Error(), c.word) {
				t.Errorf("%q is not in: %v", c.word, err)
			}
		})
	}
}

func TestDecodeTakes(t *testing.T) {
	text := head + `"limits":
  pids: {max: 5, reason: 'few: five'}
  cpus:
    max: 1.5
    reason: |
      one
      and a half
root:
  dirs: []
seccomp:
  deny:
    - syscalls: [tee, "splice"]
      reason: >-
        folded
        text
require_subuid: {required: true, reason: r}
`
	p, err := Decode("x.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if *p.Limits.Pids.Max != 5 || p.Limits.Pids.Reason != "few: five" || p.Limits.Pids.Default != nil ||
		*p.Limits.CPUs.Max != 1.5 || p.Limits.CPUs.Reason != "one\nand a half\n" || p.Root.Dirs == nil ||
		p.Seccomp.Deny[0].Syscalls[1] != "splice" || p.Seccomp.Deny[0].Reason != "folded text" || !p.RequireSubuid.Required {
		t.Errorf("%+v", p)
	}
}

// TestErrorText shows the line and points at the column, and lets nothing
// through that a terminal obeys.
func TestErrorText(t *testing.T) {
	_, err := Decode("dir/x.yaml", []byte(head+"limits:\n  pids:\n    max: 2s\n    reason: r\n"))
	want := `dir/x.yaml:6:10: limits.pids.max: given the text "2s", allowed: a whole number in plain digits; write the number alone, in the unit of the field's name
     6 |     max: 2s
       |          ^`
	if err == nil || err.Error() != want {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
	for _, more := range []string{"\"\x1b[31m\u202e\": 1\n", "\x1b\u202e: 1\n\x1b\u202e: 1\n", "limits: \x1b\u202e\n", "seccomp: {profile: \"\x1b\u202e\", reason: r}\n",
		"\"\\e\\u202E\": 1\n\"\\e\\u202E\": 1\n", "limits: [\x1b\u202e\n"} {
		if _, err = Decode("x.yaml", []byte(head+more)); err == nil || strings.ContainsAny(err.Error(), "\x1b\u202e") {
			t.Errorf("%q: control characters in %q", more, err)
		}
	}
}
