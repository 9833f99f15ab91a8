package deploy

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// needed are calls of the service itself and of what sets up a cell.
var needed = []string{"capset", "chroot", "clone", "clone3", "close_range", "execve", "execveat", "fsconfig", "fsmount", "fsopen", "fspick",
	"memfd_create", "mount", "mount_setattr", "move_mount", "open_tree", "openat2", "pidfd_open", "pidfd_send_signal", "pivot_root", "prctl",
	"prlimit64", "seccomp", "setdomainname", "setgroups", "sethostname", "setns", "setresgid", "setresuid", "umount2", "unshare"}

// TestSeccompProfile: it denies what exists, and nothing that a cell or a job needs.
func TestSeccompProfile(t *testing.T) {
	var profile struct {
		DefaultAction string
		ArchMap       []struct{ Architecture string }
		Syscalls      []struct {
			Names    []string
			Action   string
			ErrnoRet int
			Comment  string
		}
	}
	if err := json.Unmarshal([]byte(read(t, "seccomp/cordon.json")), &profile); err != nil {
		t.Fatal(err)
	}
	if profile.DefaultAction != "SCMP_ACT_ALLOW" || len(profile.ArchMap) != 2 {
		t.Errorf("%+v", profile)
	}
	var denied []string
	for _, s := range profile.Syscalls {
		if s.Action != "SCMP_ACT_ERRNO" || s.ErrnoRet != 1 && s.ErrnoRet != 38 || s.Comment == "" {
			t.Errorf("%+v", s)
		}
		denied = append(denied, s.Names...)
	}
	if slices.Sort(denied); len(denied) < 30 || len(slices.Compact(slices.Clone(denied))) != len(denied) {
		t.Errorf("%d calls, or one twice: %v", len(denied), denied)
	}
	known := map[string]bool{}
	for line := range strings.Lines(read(t, "../seccomp/testdata/numbers-amd64.txt")) {
		known[strings.Fields(line)[1]] = true
	}
	for _, name := range denied {
		if !known[name] {
			t.Errorf("%s is no system call", name)
		}
	}
	for _, name := range needed {
		if !known[name] || slices.Contains(denied, name) {
			t.Errorf("%s is needed, and denied or unknown", name)
		}
	}
	rules, err := filepath.Glob("../seccomp/testdata/rules-*-*.txt")
	if err != nil || len(rules) < 6 {
		t.Fatalf("%v, %v", rules, err)
	}
	for _, file := range rules {
		for line := range strings.Lines(read(t, file)) {
			if f := strings.Fields(line); len(f) > 2 && f[2] == "allow" && slices.Contains(denied, f[1]) {
				t.Errorf("%s allows jobs %s", file, f[1])
			}
		}
	}
}
