package httpapi

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"cordon/sandbox"
)

func number(n int) *int { return &n }

// results are accounts of every shape, by the name of their golden file.
var results = map[string]*sandbox.Result{
	"ok": {ID: "0199c0de-0000-7000-8000-000000000001", Policy: "judge", Isolation: "subuid",
		Step: sandbox.Step{Verdict: sandbox.OK, ExitCode: number(0), Stdout: []byte("3\n"), Stderr: []byte("<é> & \"\\\x00\""),
			Usage: sandbox.Usage{WallNanos: 1, CPUNanos: 2, UserNanos: 3, SystemNanos: 4, MemoryPeakBytes: 5, PidsPeak: 6, ThrottledNanos: 7,
				IOReadBytes: 8, IOWriteBytes: 9, DiskBytes: 10},
			Limits: []sandbox.AppliedLimit{{Name: "memory_bytes", Value: 268435456, EnforcedBy: "cgroup-v2 memory.max"}, {Name: "cpus", Value: 1.5, EnforcedBy: "cgroup-v2 cpu.max"}},
			Events: sandbox.Events{OOMKill: 1, PidsMaxHits: 2, StrayKilled: 3, DeniedSyscalls: []sandbox.DeniedSyscall{{Name: "ptrace", Count: 4}}}},
		Files: []sandbox.OutputFile{{Path: "out.txt", Size: 2, Data: []byte("é")}, {Path: "a.bin", Size: 2, Data: []byte{0xff, 0}},
			{Path: "empty", Size: 0}, {Path: "none", Error: "not_found"}, {Path: "big", Size: 1 << 40, Error: "too_large"}},
		Timings: sandbox.Timings{QueuedNanos: 11, SetupNanos: 12, RunNanos: 13, TeardownNanos: 14}},
	"scaled": {ID: "0199c0de-0000-7000-8000-000000000005", Policy: "judge", Isolation: "subuid", CPUScale: 1.2,
		Step: sandbox.Step{Verdict: sandbox.CPULimit, Signal: "SIGKILL", Message: "used 2400 ms of CPU time, the limit is 2400 ms (cpu_ms)",
			Limits: []sandbox.AppliedLimit{{Name: "cpu_ms", Value: 2400, Asked: 2000, EnforcedBy: "timer"}, {Name: "pids", Value: 64, EnforcedBy: "cgroup-v2 pids.max"}}}},
	"unscaled": {ID: "0199c0de-0000-7000-8000-000000000006", Policy: "judge", Isolation: "subuid", CPUScale: 1,
		Step: sandbox.Step{Verdict: sandbox.OK, ExitCode: number(0), Limits: []sandbox.AppliedLimit{{Name: "cpu_ms", Value: 2000, EnforcedBy: "timer"}}}},
	"signaled": {ID: "0199c0de-0000-7000-8000-000000000002", Policy: "default", Isolation: "single-uid",
		Step: sandbox.Step{Verdict: sandbox.Signaled, Signal: "SIGSEGV", Message: "ended by SIGSEGV", Stdout: []byte("a\xff\xfe"), Stderr: []byte{0x80},
			StdoutTruncated: true, StderrTruncated: true, Usage: sandbox.Usage{PidsPeak: -1, IOReadBytes: -1, IOWriteBytes: -1}}},
	"build_failed": {ID: "0199c0de-0000-7000-8000-000000000003", Policy: "ci", Isolation: "subuid",
		Step:  sandbox.Step{Verdict: sandbox.BuildFailed, ExitCode: number(1), Message: "exit code 1", Stderr: []byte("error\n")},
		Build: &sandbox.Step{Verdict: sandbox.Nonzero, ExitCode: number(1), Message: "exit code 1", Stderr: []byte("error\n"), Events: sandbox.Events{DeniedSyscalls: []sandbox.DeniedSyscall{}}}},
	"cut": {ID: "0199c0de-0000-7000-8000-000000000004", Policy: "judge", Isolation: "subuid",
		// Output is cut at a byte: half a character is not UTF-8.
		Step: sandbox.Step{Verdict: sandbox.OutputLimit, Message: "wrote more than 3 bytes to one stream (output_bytes)", Stdout: []byte("aé")[:2], StdoutTruncated: true}},
}

// TestResultGolden holds the JSON of results: names, null, and bytes that are no
// text. It is a promise to clients.
func TestResultGolden(t *testing.T) {
	s := start(t, nil)
	for name, r := range results {
		text, err := json.MarshalIndent(NewResult(r), "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		text = append(text, '\n')
		file := filepath.Join("testdata", "result-"+name+".json")
		if *update {
			if err := os.WriteFile(file, text, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(text, want) {
			t.Errorf("%s: got\n%s\nwant\n%s", file, text, want)
		}
		// The service answers the same.
		body := serveResult(t, s, r)
		var got, wanted any
		if err := json.Unmarshal(body, &got); err != nil {
			t.Fatalf("%v: %s", err, body)
		}
		if err := json.Unmarshal(want, &wanted); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, wanted) {
			t.Errorf("%s: the service answers %s", name, body)
		}
	}
}

func serveResult(t *testing.T, s *service, r *sandbox.Result) []byte {
	t.Helper()
	s.runner.does(answerWith(r))
	got := s.run(t, `{"command":["true"]}`)
	if got.status != 200 {
		t.Fatalf("%d %s", got.status, got.body)
	}
	return got.body
}

// TestResultBytes: every byte of a program's output comes through, as text or as
// base64, never both and never changed.
func TestResultBytes(t *testing.T) {
	for _, b := range [][]byte{nil, {}, []byte("x"), []byte("é\n\x00\x7f"), []byte("\ufeff"), []byte("\ufffd"), {0xff}, []byte("\xed\xa0\x80"), []byte("a\xc3"), []byte("</script>&\u2028"), bytes.Repeat([]byte{0xf0, 0x9f}, 100)} {
		r := NewResult(&sandbox.Result{Step: sandbox.Step{Stdout: b, Stderr: b}, Files: []sandbox.OutputFile{{Data: b}}})
		text, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		var back RunResult
		if err := json.Unmarshal(text, &back); err != nil {
			t.Fatal(err)
		}
		for stream, got := range map[string][2]string{"stdout": {back.Stdout, back.StdoutBase64}, "stderr": {back.Stderr, back.StderrBase64}, "file": {back.Files[0].Content, back.Files[0].Base64}} {
			plain := []byte(got[0])
			if got[1] != "" {
				if plain, err = base64.StdEncoding.DecodeString(got[1]); err != nil {
					t.Fatal(err)
				}
			}
			if !bytes.Equal(plain, b) || got[0] != "" && got[1] != "" || (got[1] == "") != utf8.Valid(b) {
				t.Errorf("%s of %q: %q", stream, b, got)
			}
		}
	}
}

// TestResultNothing: what is not there is null or empty as described, not absent.
func TestResultNothing(t *testing.T) {
	text, err := json.Marshal(NewResult(&sandbox.Result{}))
	if err != nil {
		t.Fatal(err)
	}
	for _, word := range []string{`"exit_code":null`, `"signal":null`, `"stdout":""`, `"limits":{}`, `"denied_syscalls":[]`} {
		if !strings.Contains(string(text), word) {
			t.Errorf("%s is not in %s", word, text)
		}
	}
	for _, word := range []string{"build", "files", "base64"} {
		if strings.Contains(string(text), `"`+word) {
			t.Errorf("%s is in %s", word, text)
		}
	}
}

// TestVerdictsDescribed: openapi.yaml lists every verdict that there is.
func TestVerdictsDescribed(t *testing.T) {
	field, ok := typeOf[StepResult]().FieldByName("Verdict")
	if !ok {
		t.Fatal("no field Verdict")
	}
	var want []string
	for _, v := range sandbox.Verdicts() {
		want = append(want, string(v))
	}
	if got := field.Tag.Get("enum"); got != strings.Join(want, ",") {
		t.Errorf("described: %s\nthere are: %s", got, strings.Join(want, ","))
	}
}
