package cgroup

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// probeHost makes /proc files and group directories below a fresh directory; "@"
// in the texts stands for it.
func probeHost(t *testing.T, mounts, groups string, files map[string]string) (host, string) {
	t.Helper()
	top := t.TempDir()
	put := func(name, text string) {
		path := filepath.Join(top, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	put("proc/mountinfo", strings.ReplaceAll(mounts, "@", top))
	put("proc/cgroup", groups)
	for name, text := range files {
		put(name, text)
	}
	return host{proc: filepath.Join(top, "proc")}, top
}

const (
	v2Mount   = "30 29 0:26 / @/cg rw shared:9 - cgroup2 cgroup2 rw\n"
	v1Mounts  = "31 29 0:27 / @/memory rw - cgroup cgroup rw,memory\n32 29 0:28 / @/cpu rw - cgroup cgroup rw,cpu,cpuacct\n33 29 0:29 / @/pids rw - cgroup cgroup rw,pids\n"
	v1Groups  = "3:pids:/a\n2:cpu,cpuacct:/\n1:memory:/\n0::/\n"
	wholeFile = "cpuset cpu io memory pids\n"
)

func groupFiles(dir, controllers string) map[string]string {
	return map[string]string{dir + "/cgroup.controllers": controllers, dir + "/cgroup.procs": "", dir + "/cgroup.subtree_control": ""}
}

func TestLookFindsV2(t *testing.T) {
	files := groupFiles("cg/user", "cpu memory pids\n")
	maps.Copy(files, groupFiles("cg", wholeFile))
	h, top := probeHost(t, v2Mount, "0::/user\n", files)
	p, err := h.look("")
	if err != nil {
		t.Fatal(err)
	}
	dir := top + "/cg/user"
	want := map[string]string{"memory": dir, "pids": dir, "cpu": dir}
	if p.Version != 2 || !maps.Equal(p.Dirs, want) || p.How != "the own group" {
		t.Errorf("got %+v, want %v", p, want)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 3 {
		t.Errorf("Look made something: %v, %v", entries, err)
	}
	if p, err = h.look(top + "/cg"); err != nil || p.Dirs["io"] != top+"/cg" {
		t.Errorf("with a path: %+v, %v", p, err)
	}
}

func TestLookFindsV1(t *testing.T) {
	h, top := probeHost(t, v1Mounts, v1Groups, map[string]string{
		"memory/cordon/tasks": "", "cpu/cordon/tasks": "", "pids/a/cordon/tasks": ""})
	p, err := h.look("")
	want := map[string]string{"memory": top + "/memory/cordon", "cpu": top + "/cpu/cordon", "cpuacct": top + "/cpu/cordon", "pids": top + "/pids/a/cordon"}
	if err != nil || p.Version != 1 || !maps.Equal(p.Dirs, want) {
		t.Errorf("got %+v, %v", p, err)
	}
}

func TestLookTellsWhatItRefused(t *testing.T) {
	h, top := probeHost(t, v1Mounts, v1Groups, nil)
	_, err := h.look("")
	if !errors.Is(err, ErrNoDelegation) || !strings.Contains(err.Error(), top+"/pids/a/cordon") {
		t.Errorf("got %v", err)
	}
	if _, err := (host{proc: top + "/none"}).look(""); err == nil || errors.Is(err, ErrNoDelegation) {
		t.Errorf("without /proc: %v", err)
	}
}

func TestOffered(t *testing.T) {
	for name, c := range map[string]struct {
		mounts, groups, controllers string
		want                        Offer
	}{
		"v2":                {v2Mount, "0::/\n", wholeFile, Offer{2, []string{"cpu", "cpuset", "io", "memory", "pids"}}},
		"v1":                {v1Mounts, v1Groups, "", Offer{1, []string{"cpu", "cpuacct", "memory", "pids"}}},
		"hybrid":            {v2Mount + v1Mounts, v1Groups, "", Offer{1, []string{"cpu", "cpuacct", "memory", "pids"}}},
		"v2 without memory": {v2Mount, "0::/\n", "cpu pids\n", Offer{0, []string{"cpu", "pids"}}},
		"nothing":           {"", "0::/\n", "", Offer{}},
	} {
		t.Run(name, func(t *testing.T) {
			h, _ := probeHost(t, c.mounts, c.groups, map[string]string{"cg/cgroup.controllers": c.controllers})
			got, err := h.offered()
			if err != nil || got.Version != c.want.Version || !slices.Equal(got.Controllers, c.want.Controllers) {
				t.Errorf("got %+v, %v; want %+v", got, err, c.want)
			}
			if len(got.Needed()) < 3 {
				t.Errorf("needed: %v", got.Needed())
			}
		})
	}
}

// The real files of this host can be read.
func TestOfferedHere(t *testing.T) {
	o, err := Offered()
	if err != nil || o.Version == 0 {
		t.Errorf("got %+v, %v: this host must offer cgroups for the tests", o, err)
	}
}
