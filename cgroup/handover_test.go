package cgroup

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestPlanHandover(t *testing.T) {
	for name, c := range map[string]struct {
		mounts, groups, user string
		files                map[string]string
		version              int
		dirs                 []string
	}{
		"v2":                  {v2Mount, "0::/s\n", "cordon", v2Tree("s"), 2, []string{"/cg/s/cordon"}},
		"v2 for another user": {v2Mount, "0::/s\n", "alice", v2Tree("s"), 2, []string{"/cg/s/cordon-alice"}},
		"v2 from an earlier one": {v2Mount, "0::/s/cordon/start\n", "alice", v2Tree("s", "s/cordon", "s/cordon/start"), 2,
			[]string{"/cg/s/cordon-alice"}},
		"v2 that was emptied": {v2Mount, "0::/init\n", "cordon", also(v2Tree("init"), "cg/cgroup.procs", ""), 2, []string{"/cg/cordon"}},
		"v2 that was not":     {v2Mount, "0::/init\n", "cordon", also(v2Tree("init"), "cg/cgroup.procs", "7\n"), 2, []string{"/cg/init/cordon"}},
		"v2 in another start": {v2Mount, "0::/s/start\n", "cordon", v2Tree("s/start"), 2, []string{"/cg/s/start/cordon"}},
		"v1 split": {v1Split, v1SplitGroups, "cordon", nil, 1,
			[]string{"/memory/job/x/cordon", "/pids/cordon", "/cpu/cordon", "/cpuacct/cordon"}},
		"v1 in a unit": {v1Mounts, "3:pids:/u.service/.control\n2:cpu,cpuacct:/\n1:memory:/u.service\n0::/\n", "cordon", nil, 1,
			[]string{"/memory/u.service/cordon", "/pids/u.service/cordon", "/cpu/cordon"}},
		"v1 joined": {v1Mounts, v1Groups, "bob", nil, 1, []string{"/memory/cordon-bob", "/pids/a/cordon-bob", "/cpu/cordon-bob"}},
		"hybrid": {v2Mount + v1Mounts, v1Groups, "cordon", map[string]string{"cg/cgroup.controllers": "hugetlb\n"}, 1,
			[]string{"/memory/cordon", "/pids/a/cordon", "/cpu/cordon"}},
	} {
		t.Run(name, func(t *testing.T) {
			h, top := probeHost(t, c.mounts, c.groups, c.files)
			o, err := h.planHandover(c.user)
			if err != nil {
				t.Fatal(err)
			}
			for i := range c.dirs {
				c.dirs[i] = top + c.dirs[i]
			}
			if o.Version != c.version || !slices.Equal(o.Dirs, c.dirs) {
				t.Errorf("got %+v, want %v", o, c.dirs)
			}
			for _, d := range c.dirs {
				if _, err := os.Stat(d); err == nil && !strings.Contains(name, "earlier") {
					t.Errorf("%s was made", d)
				}
				if !strings.Contains(o.String(), d) {
					t.Errorf("%q does not name %s", o, d)
				}
			}
		})
	}
	h, top := probeHost(t, strings.Replace(v1Mounts, "rw,pids", "rw,freezer", 1), v1Groups, nil)
	if _, err := h.planHandover("cordon"); err == nil || !strings.Contains(err.Error(), "controller pids is not mounted") {
		t.Errorf("without pids: %v", err)
	}
	if _, err := (host{proc: top + "/none"}).planHandover("cordon"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("without /proc: %v", err)
	}
}

// also is a tree with one file more.
func also(tree map[string]string, name, text string) map[string]string {
	tree[name] = text
	return tree
}

// kernelFiles makes what a kernel makes by itself in a new group.
func kernelFiles(t *testing.T, dirs ...string) {
	t.Helper()
	for _, d := range dirs {
		for _, f := range []string{"cgroup.procs", "cgroup.subtree_control", "cgroup.threads"} {
			if err := os.MkdirAll(d, 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(d, f), nil, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestHandoverV1(t *testing.T) {
	h, top := probeHost(t, v1Mounts, v1Groups, v1Tree("memory", "pids/a", "cpu"))
	o, err := h.planHandover("cordon")
	if err != nil {
		t.Fatal(err)
	}
	uid := os.Getuid()
	if o.Done(uid) || o.Managed() {
		t.Errorf("done before it was begun, or managed: %+v", o)
	}
	for range 2 { // a second time changes nothing
		if err := o.Do(uid, os.Getgid()); err != nil {
			t.Fatal(err)
		}
	}
	if !o.Done(uid) || o.Done(uid+1) {
		t.Error("done for the wrong user")
	}
	if err := o.Enter(uid, os.Getgid()); err != nil {
		t.Error(err)
	}
	if err := os.MkdirAll(filepath.Join(top, "memory/cordon/old/cell"), 0o755); err != nil { // of a killed service
		t.Fatal(err)
	}
	kernelless(t, o.Undo)
	if err := os.Remove(filepath.Join(top, "cpu/cordon")); err != nil {
		t.Fatal(err)
	}
	if o.Done(uid) {
		t.Error("done, and one directory is missing")
	}
	if !o.Left(uid) || o.Left(uid+1) {
		t.Error("the other directories are left, and are this user's")
	}
}

// kernelless: a plain directory has no cgroup.procs, and a sweep must not take
// that for an empty group.
func kernelless(t *testing.T, undo func() error) {
	t.Helper()
	if err := undo(); err == nil || !strings.Contains(err.Error(), "cgroup.procs") {
		t.Errorf("swept what is no group: %v", err)
	}
}

func TestHandoverUndo(t *testing.T) {
	h, top := probeHost(t, v1Mounts, v1Groups, v1Tree("memory", "pids/a", "cpu"))
	o, err := h.planHandover("cordon")
	if err != nil {
		t.Fatal(err)
	}
	if err := o.Undo(); err != nil {
		t.Errorf("nothing there: %v", err)
	}
	if err := o.Do(os.Getuid(), os.Getgid()); err != nil {
		t.Fatal(err)
	}
	procs := filepath.Join(top, "pids/a/cordon/one/cgroup.procs")
	kernelFiles(t, filepath.Dir(procs))
	if err := os.WriteFile(procs, []byte("4194399\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := o.Undo(); err == nil || !strings.Contains(err.Error(), "still has processes: [4194399]") {
		t.Errorf("a service is running: %v", err)
	}
	if err := os.RemoveAll(filepath.Dir(procs)); err != nil {
		t.Fatal(err)
	}
	if err := o.Undo(); err != nil {
		t.Error(err)
	}
	for _, d := range o.Dirs {
		if _, err := os.Stat(d); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is left: %v", d, err)
		}
	}
}

func TestHandoverV2(t *testing.T) {
	h, top := probeHost(t, v2Mount, "0::/s\n", v2Tree("s"))
	o, err := h.planHandover("cordon")
	if err != nil {
		t.Fatal(err)
	}
	dir, uid := top+"/cg/s/cordon", os.Getuid()
	for _, f := range []string{"", "start", "cgroup.procs", "start/cgroup.procs", "cgroup.subtree_control", "cgroup.threads"} {
		if !slices.Contains(o.given(), f) {
			t.Errorf("%q is not given: %v", f, o.given())
		}
	}
	if err := o.Do(uid, os.Getgid()); err == nil || !strings.Contains(err.Error(), "cgroup.procs") {
		t.Errorf("without the kernel's files: %v", err)
	}
	kernelFiles(t, dir, dir+"/start")
	if err := o.Do(uid, os.Getgid()); err != nil {
		t.Fatal(err)
	}
	if !o.Done(uid) || o.Done(uid+1) {
		t.Error("done for the wrong user")
	}
	if err := o.Enter(uid, os.Getgid()); err != nil {
		t.Error(err)
	}
	if text, err := os.ReadFile(dir + "/start/cgroup.procs"); err != nil || string(text) != "0" {
		t.Errorf("entered by %q, %v", text, err)
	}
	if err := os.RemoveAll(dir + "/start"); err != nil {
		t.Fatal(err)
	}
	if o.Done(uid) {
		t.Error("done without the start leaf")
	}
	if err := o.Enter(uid, os.Getgid()); err == nil || !strings.Contains(err.Error(), dir+"/start") {
		t.Errorf("entered a leaf that is not there: %v", err)
	}
}

func TestDivide(t *testing.T) {
	for name, c := range map[string]struct{ before, after string }{
		"all there":      {"cpu io memory pids\n", "cpu io memory pids\n"},
		"one is missing": {"cpu io memory\n", "+pids"},
		"only io":        {"cpu memory pids", "+io"},
	} {
		top := t.TempDir()
		file := filepath.Join(top, "cgroup.subtree_control")
		if err := os.WriteFile(file, []byte(c.before), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := divide(top); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if got, err := os.ReadFile(file); err != nil || string(got) != c.after {
			t.Errorf("%s: got %q, %v", name, got, err)
		}
		if c.before == c.after {
			continue
		}
		if err := os.WriteFile(file, []byte(c.before), 0o644); err != nil {
			t.Fatal(err)
		}
		readOnly(t, top, "cgroup.subtree_control")
		err := divide(top)
		if wanted := name == "only io"; (err == nil) != wanted { // its counters are -1 then
			t.Errorf("%s, read-only: %v", name, err)
		}
	}
	if err := divide(t.TempDir()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no group: %v", err)
	}
}
