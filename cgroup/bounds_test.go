package cgroup

import (
	"maps"
	"strings"
	"testing"
)

func TestBounded(t *testing.T) {
	const none = "9223372036854771712\n" // as v1 says that there is no limit
	v1 := func(memory, quota map[string]string) map[string]string {
		files := v1Tree("memory/job/x/cordon", "pids/cordon", "cpu/cordon", "cpuacct/cordon")
		for dir, text := range memory {
			files["memory/"+dir+"memory.limit_in_bytes"] = text
		}
		for dir, text := range quota {
			files["cpu/"+dir+"cpu.cfs_quota_us"], files["cpu/"+dir+"cpu.cfs_period_us"] = text, "100000\n"
		}
		return files
	}
	v2 := func(more map[string]string) map[string]string {
		files := v2Tree("s", "s/supervisor", "other", "other/deep")
		maps.Copy(files, more)
		return files
	}
	for name, c := range map[string]struct {
		mounts, groups, path string
		files                map[string]string
		memory               int64
		cpus                 float64
		memoryBy, cpusBy     string
	}{
		"v2 none":      {v2Mount, "0::/s\n", "", v2(map[string]string{"cg/s/memory.max": "max\n", "cg/s/cpu.max": "max 100000\n"}), 0, 0, "", ""},
		"v2 no files":  {v2Mount, "0::/s\n", "", v2(nil), 0, 0, "", ""},
		"v2 own group": {v2Mount, "0::/s\n", "", v2(map[string]string{"cg/s/memory.max": "1048576\n", "cg/s/cpu.max": "150000 100000\n"}), 1 << 20, 1.5, "@/cg/s/memory.max", "@/cg/s/cpu.max"},
		"v2 the top of a namespace": {v2Mount, "0::/s\n", "", v2(map[string]string{"cg/memory.max": "4096\n", "cg/s/memory.max": "8192\n", "cg/cpu.max": "50000 100000\n"}),
			4096, 0.5, "@/cg/memory.max", "@/cg/cpu.max"},
		"v2 a leaf of its own": {v2Mount, "0::/s/supervisor\n", "", v2(map[string]string{"cg/s/supervisor/memory.max": "4096\n", "cg/s/memory.max": "8192\n"}), 4096, 0, "@/cg/s/supervisor/memory.max", ""},
		"v2 where jobs are": {v2Mount, "0::/s\n", "@/cg/other/deep", v2(map[string]string{"cg/other/memory.max": "4096\n", "cg/s/memory.max": "8192\n", "cg/other/deep/cpu.max": "200000 100000"}),
			4096, 2, "@/cg/other/memory.max", "@/cg/other/deep/cpu.max"},
		"v1 none": {v1Split, v1SplitGroups, "", v1(map[string]string{"": none, "job/": none, "job/x/": none}, map[string]string{"": "-1\n"}), 0, 0, "", ""},
		"v1 above": {v1Split, v1SplitGroups, "", v1(map[string]string{"": none, "job/": "4096\n", "job/x/": "8192\n", "job/x/cordon/": none}, map[string]string{"": "-1\n", "cordon/": "50000\n"}),
			4096, 0.5, "@/memory/job/memory.limit_in_bytes", "@/cpu/cordon/cpu.cfs_quota_us"},
	} {
		t.Run(name, func(t *testing.T) {
			h, top := probeHost(t, c.mounts, c.groups, c.files)
			got, err := h.bounded(strings.Replace(c.path, "@", top, 1))
			want := Bounds{c.memory, strings.Replace(c.memoryBy, "@", top, 1), c.cpus, strings.Replace(c.cpusBy, "@", top, 1)}
			if err != nil || got != want {
				t.Errorf("%+v, %v; want %+v", got, err, want)
			}
		})
	}
	for name, files := range map[string]map[string]string{
		"no number": {"cg/s/memory.max": "much\n"}, "below": {"cg/s/memory.max": "-1\n"},
		"one word": {"cg/s/cpu.max": "100000\n"}, "no period": {"cg/s/cpu.max": "100000 0\n"}, "nothing": {"cg/s/cpu.max": "\n"},
	} {
		h, top := probeHost(t, v2Mount, "0::/s\n", v2(files))
		if got, err := h.bounded(""); err == nil || !strings.Contains(err.Error(), top+"/cg/s/") {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

// The real kernel's files can be read, whichever version it has.
func TestBoundedHere(t *testing.T) {
	b, err := Bounded("")
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%+v", b)
	if (b.MemoryBy == "") != (b.Memory == 0) || (b.CPUsBy == "") != (b.CPUs == 0) {
		t.Errorf("%+v", b)
	}
}
