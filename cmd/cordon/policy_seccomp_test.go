package main

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cordon/policies"
)

var update = flag.Bool("update", false, "write the files in testdata anew")

// TestPolicySeccomp holds what the shipped policies let through, for review.
func TestPolicySeccomp(t *testing.T) {
	set, err := policies.Load("", policyOptions...)
	if err != nil {
		t.Fatal(err)
	}
	for _, info := range set.List() {
		for _, arch := range archNames() {
			out, err := policyCLI(t, "seccomp", info.Name, "--arch", arch)
			if err != nil {
				t.Fatal(err)
			}
			path := filepath.Join("testdata", "seccomp", info.Name+"-"+arch+".txt")
			if *update {
				if err := os.WriteFile(path, []byte(out), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if want, err := os.ReadFile(path); err != nil || out != string(want) {
				t.Errorf("%s: %v, differs; when the change is meant, run: go test ./cmd/cordon -run PolicySeccomp -update, and review the diff", path, err)
			}
		}
	}
}

func TestPolicySeccompOwn(t *testing.T) {
	file := policyFile(t, "own.yaml", "name: own\ndescription: d\nextends: judge\nseccomp:\n  profile: strict\n  reason: r\n"+
		"  allow:\n    - {syscalls: [ptrace], reason: r}\n  deny:\n    - {syscalls: [flock, memfd_create], reason: r}\n")
	out, err := policyCLI(t, "seccomp", "own", "--policies", filepath.Dir(file), "--arch", "amd64")
	if err != nil {
		t.Fatal(err)
	}
	wantAll(t, out, "policy own: profile strict, architecture amd64", "allowed besides, ptrace", "denied besides, flock, memfd_create")
	out, err = policyCLI(t, "seccomp", "own", "--policies", filepath.Dir(file), "--arch", "arm64", "--bpf")
	if err != nil {
		t.Fatal(err)
	}
	wantAll(t, out, "policy own: arm64, ", "   0  load architecture\n", "0xc00000b7 (arm64)", "(ptrace) go to ", "return allow")
	again, err := policyCLI(t, "seccomp", "own", "--policies", filepath.Dir(file), "--arch", "arm64", "--bpf")
	if err != nil || again != out {
		t.Errorf("another text the second time, %v", err)
	}
}

func TestPolicySeccompRefused(t *testing.T) {
	if _, err := policyCLI(t, "seccomp", "nobody"); !errors.Is(err, policies.ErrUnknown) || !strings.Contains(err.Error(), "judge") {
		t.Errorf("an unknown policy: %v", err)
	}
	_, err := policyCLI(t, "seccomp", "judge", "--arch", "i386")
	if err == nil || !strings.Contains(err.Error(), `given "i386", allowed: amd64, arm64`) {
		t.Errorf("an unknown architecture: %v", err)
	}
	if _, err := policyCLI(t, "seccomp"); err == nil {
		t.Error("no policy was asked for, and no error")
	}
}
