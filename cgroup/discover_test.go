package cgroup

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const (
	v1Split = "31 29 0:27 / @/memory rw - cgroup cgroup rw,memory\n32 29 0:28 / @/cpu rw - cgroup cgroup rw,cpu\n" +
		"33 29 0:29 / @/cpuacct rw - cgroup cgroup rw,cpuacct\n34 29 0:30 / @/pids rw - cgroup cgroup rw,pids\n"
	v1SplitGroups = "4:pids:/\n3:cpuacct:/\n2:cpu:/\n1:memory:/job/x\n0::/\n"
)

// readOnly takes the right to write from files and directories below top, until
// the test has ended.
func readOnly(t *testing.T, top string, names ...string) {
	t.Helper()
	if os.Geteuid() == 0 {
		t.Fatal("root may write everywhere: run the tests as an ordinary user, with go test -exec test/as-service-user")
	}
	for _, name := range names {
		path := filepath.Join(top, name)
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, info.Mode().Perm()&^0o222); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = os.Chmod(path, info.Mode().Perm()|0o200) })
	}
}

// v2Tree are the files of v2 groups; the first is the root with all controllers.
func v2Tree(groups ...string) map[string]string {
	files := groupFiles("cg", wholeFile)
	for _, g := range groups {
		maps.Copy(files, groupFiles("cg/"+g, "cpu io memory pids\n"))
	}
	return files
}

func v1Tree(dirs ...string) map[string]string {
	files := map[string]string{}
	for _, d := range dirs {
		files[d+"/cgroup.procs"] = ""
	}
	return files
}

func same(version int, dir string) base { return base{version: version, v2: dir} }

func TestFind(t *testing.T) {
	split := map[string]string{"memory": "/memory/job/x/cordon", "pids": "/pids/cordon", "cpu": "/cpu/cordon", "cpuacct": "/cpuacct/cordon"}
	joined := map[string]string{"memory": "/memory/cordon", "pids": "/pids/a/cordon", "cpu": "/cpu/cordon", "cpuacct": "/cpu/cordon"}
	given := map[string]string{"memory": "/memory/my/group", "pids": "/pids/my/group", "cpu": "/cpu/my/group", "cpuacct": "/cpuacct/my/group"}
	splitFiles := v1Tree("memory/job/x/cordon", "pids/cordon", "cpu/cordon", "cpuacct/cordon")
	joinedFiles := v1Tree("memory/cordon", "pids/a/cordon", "cpu/cordon")
	for name, c := range map[string]struct {
		mounts, groups string
		files          map[string]string
		readOnly       []string
		path           string // --cgroup; "@" is the top
		want           base
		found          string
	}{
		"v2 own group":           {v2Mount, "0::/s\n", v2Tree("s"), nil, "", same(2, "/cg/s"), "the own group"},
		"v2 root of a namespace": {v2Mount, "0::/\n", v2Tree(), nil, "", same(2, "/cg"), "the own group"},
		"v2 supervisor leaf":     {v2Mount, "0::/s/supervisor\n", v2Tree("s", "s/supervisor"), nil, "", same(2, "/cg/s"), "the parent of the own group"},
		"v2 start leaf":          {v2Mount, "0::/cordon/start\n", v2Tree("cordon", "cordon/start"), nil, "", same(2, "/cg/cordon"), "the parent of the own group"},
		"v2 handed directory": {v2Mount, "0::/s\n", v2Tree("s", "s/cordon"), []string{"cg/s"}, "",
			same(2, "/cg/s/cordon"), "made by cordon setup"},
		"v2 own group with a read-only subtree_control": {v2Mount, "0::/s\n", v2Tree("s", "s/cordon-u"),
			[]string{"cg/s/cgroup.subtree_control", "cg/s"}, "", same(2, "/cg/s/cordon-u"), "made by cordon setup"},
		"v2 given": {v2Mount, "0::/s\n", v2Tree("s", "other"), nil, "@/cg/other", same(2, "/cg/other"), "--cgroup"},
		"v2 part of a hierarchy": {strings.Replace(v2Mount, " / ", " /docker/1 ", 1), "0::/docker/1/s\n", v2Tree("s"), nil, "",
			same(2, "/cg/s"), "the own group"},
		"v1 split":  {v1Split, v1SplitGroups, splitFiles, nil, "", base{version: 1, v1: split}, "made by cordon setup"},
		"v1 joined": {v1Mounts, v1Groups, joinedFiles, nil, "", base{version: 1, v1: joined}, "made by cordon setup"},
		"v1 given": {v1Split, v1SplitGroups, v1Tree("memory/my/group", "pids/my/group", "cpu/my/group", "cpuacct/my/group"), nil, "/my/group",
			base{version: 1, v1: given}, "made by cordon setup"},
		"hybrid with an empty unified": {v2Mount + v1Split, v1SplitGroups, merged(splitFiles, map[string]string{"cg/cgroup.controllers": "hugetlb\n"}),
			nil, "", base{version: 1, v1: split}, "made by cordon setup"},
		"hybrid whose unified has only some": {v2Mount + v1Split, v1SplitGroups, merged(splitFiles, groupFiles("cg", "cpu pids\n")),
			nil, "", base{version: 1, v1: split}, "made by cordon setup"},
		"v1 private cgroup namespace": {strings.ReplaceAll(v1Split, " / ", " /docker/1 "),
			"4:pids:/docker/1\n3:cpuacct:/docker/1\n2:cpu:/docker/1\n1:memory:/docker/1/job/x\n", splitFiles,
			nil, "", base{version: 1, v1: split}, "made by cordon setup"},
	} {
		t.Run(name, func(t *testing.T) {
			h, top := probeHost(t, c.mounts, c.groups, c.files)
			readOnly(t, top, c.readOnly...)
			got, err := h.find(strings.Replace(c.path, "@", top, 1))
			if err != nil {
				t.Fatal(err)
			}
			if c.want.v2 != "" {
				c.want.v2 = top + c.want.v2
			}
			wanted := map[string]string{}
			for controller, dir := range c.want.v1 {
				wanted[controller] = top + dir
			}
			if got.version != c.want.version || got.v2 != c.want.v2 || !maps.Equal(got.v1, wanted) {
				t.Errorf("got %+v, want %+v %v", got, c.want, wanted)
			}
			if c.path == "" && got.found != c.found {
				t.Errorf("found %q, want %q", got.found, c.found)
			}
		})
	}
}

func merged(a, b map[string]string) map[string]string {
	out := maps.Clone(a)
	maps.Copy(out, b)
	return out
}

// Every place that was refused is named, and so is the way out.
func TestFindNothing(t *testing.T) {
	for name, c := range map[string]struct {
		mounts, groups string
		files          map[string]string
		readOnly       []string
		path           string
		say            []string
	}{
		"v2 not ours": {v2Mount, "0::/s\n", v2Tree("s"), []string{"cg/s"}, "",
			[]string{"@/cg/s (the own group): not writable", "@/cg/s/cordon (made by cordon setup): not writable"}},
		"v2 start leaf of another": {v2Mount, "0::/cordon/start\n", v2Tree("cordon", "cordon/start"), []string{"cg/cordon/cgroup.procs"}, "",
			[]string{"@/cg/cordon (the parent of the own group): not writable: cgroup.procs"}},
		"v2 a controller is not delegated": {v2Mount, "0::/s\n", merged(v2Tree(), groupFiles("cg/s", "cpu pids\n")), nil, "",
			[]string{"@/cg/s (the own group): the controller memory is not delegated, only: cpu pids"}},
		"v2 given, not there": {v2Mount, "0::/s\n", v2Tree("s"), nil, "@/cg/none", []string{"@/cg/none (--cgroup): not writable"}},
		"v1": {v1Split, v1SplitGroups, nil, nil, "", []string{"@/memory/job/x/cordon (v1 memory)", "@/pids/cordon (v1 pids)",
			"@/cpu/cordon (v1 cpu)", "@/cpuacct/cordon (v1 cpuacct)"}},
		"v1 one of four": {v1Split, v1SplitGroups, v1Tree("memory/job/x/cordon", "cpu/cordon", "cpuacct/cordon", "pids/cordon"),
			[]string{"pids/cordon"}, "", []string{"@/pids/cordon (v1 pids): permission denied"}},
		"v1 given, not there": {v1Split, v1SplitGroups, nil, nil, "/my", []string{"@/memory/my (v1 memory)"}},
		"v1 without pids":     {strings.Replace(v1Split, "rw,pids", "rw,freezer", 1), v1SplitGroups, nil, nil, "", []string{"the v1 controller pids is not mounted"}},
		"outside of the mounts": {strings.ReplaceAll(v1Split, " / ", " /docker/1 "), v1SplitGroups, nil, nil, "",
			[]string{"the v1 controller memory is not mounted"}},
		"no hierarchy": {"22 29 0:21 / /proc rw - proc proc rw\n", "0::/\n", nil, nil, "", []string{"no cgroup hierarchy with memory, pids and cpu is mounted"}},
	} {
		t.Run(name, func(t *testing.T) {
			h, top := probeHost(t, c.mounts, c.groups, c.files)
			readOnly(t, top, c.readOnly...)
			_, err := h.find(strings.Replace(c.path, "@", top, 1))
			if !errors.Is(err, ErrNoDelegation) {
				t.Fatalf("got %v", err)
			}
			for _, s := range append(c.say, `run "cordon setup" once as root`, "Delegate=yes") {
				if s = strings.ReplaceAll(s, "@", top); !strings.Contains(err.Error(), s) {
					t.Errorf("%q is missing in: %v", s, err)
				}
			}
		})
	}
}

// What helps on a machine that systemd runs.
func TestFindNothingSystemd(t *testing.T) {
	for name, c := range map[string]struct {
		mounts, groups string
		files          map[string]string
		path, say      string
	}{
		"v2 a controller is not delegated": {v2Mount, "0::/s\n", merged(v2Tree(), groupFiles("cg/s", "memory pids\n")), "", "user@.service.d/cordon.conf"},
		"v2 given, not there":              {v2Mount, "0::/s\n", v2Tree("s"), "@/cg/none", `run "cordon setup" once as root`},
		"v1":                               {v1Split, v1SplitGroups, nil, "", `run "cordon setup --user NAME" as root in this session`},
	} {
		t.Run(name, func(t *testing.T) {
			h, top := probeHost(t, c.mounts, c.groups, c.files)
			h.systemd = top
			_, err := h.find(strings.Replace(c.path, "@", top, 1))
			if !errors.Is(err, ErrNoDelegation) || !strings.Contains(err.Error(), c.say) {
				t.Errorf("got %v, want %q", err, c.say)
			}
			if errors.Is(err, ErrController) != (c.say == "user@.service.d/cordon.conf") {
				t.Errorf("a controller: %v", err)
			}
		})
	}
}

func TestFindBadProc(t *testing.T) {
	h, top := probeHost(t, v2Mount, "nonsense\n", nil)
	if _, err := h.find(""); err == nil || errors.Is(err, ErrNoDelegation) || !strings.Contains(err.Error(), "nonsense") {
		t.Errorf("a bad cgroup file: %v", err)
	}
	if err := os.Remove(filepath.Join(top, "proc/cgroup")); err != nil {
		t.Fatal(err)
	}
	if _, err := h.find(""); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("without the cgroup file: %v", err)
	}
}

func TestHandedBelow(t *testing.T) {
	for name, c := range map[string]struct {
		dirs, readOnly []string
		want           string
	}{
		"the service user's":          {[]string{"cordon", "cordon-alice"}, nil, "cordon"},
		"another user's":              {[]string{"cordon", "cordon-alice", "cordon-bob"}, []string{"cordon", "cordon-alice"}, "cordon-bob"},
		"only another user's":         {[]string{"cordon-bob"}, nil, "cordon-bob"},
		"nobody's":                    {[]string{"cordon", "cordon-bob"}, []string{"cordon", "cordon-bob"}, "cordon"},
		"a name that begins alike":    {[]string{"cordonette", "xcordon-a"}, nil, "cordon"},
		"nothing":                     {nil, nil, "cordon"},
		"below a name with wildcards": {[]string{`cordon-bob`}, nil, "cordon-bob"},
	} {
		t.Run(name, func(t *testing.T) {
			own := filepath.Join(t.TempDir(), "own")
			if strings.Contains(name, "wildcards") { // systemd writes a dash in a unit's name so
				own += `app\x2d[1]`
			}
			for _, d := range c.dirs {
				if err := os.MkdirAll(filepath.Join(own, d), 0o755); err != nil {
					t.Fatal(err)
				}
			}
			readOnly(t, own, c.readOnly...)
			if got := handedBelow(own); got != filepath.Join(own, c.want) {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func TestHandedName(t *testing.T) {
	for user, want := range map[string]string{"cordon": "cordon", "alice": "cordon-alice"} {
		if got := handedName(user); got != want {
			t.Errorf("handedName(%q) = %q, want %q", user, got, want)
		}
	}
}

// replaceHost puts other /proc files in the place of this process's.
func replaceHost(t *testing.T, h host) {
	t.Helper()
	before := realHost
	realHost = h
	t.Cleanup(func() { realHost = before })
}

func TestDiscoverMakesTheDriver(t *testing.T) {
	t.Run("v2", func(t *testing.T) {
		h, top := probeHost(t, v2Mount, "0::/s\n", v2Tree("s", "s/one"))
		replaceHost(t, h)
		d, err := Discover(Options{Name: "one"})
		if err != nil {
			t.Fatal(err)
		}
		defer d.(*v2Driver).base.close()
		if d.Name() != "cgroup-v2" {
			t.Errorf("got %s", d.Name())
		}
		// The words overwrite each other in a plain file; the last is the longest that is wanted.
		for _, dir := range []string{"s", "s/one"} {
			text, err := os.ReadFile(filepath.Join(top, "cg", dir, "cgroup.subtree_control"))
			if err != nil || !strings.HasPrefix(string(text), "+io") {
				t.Errorf("%s: %q, %v", dir, text, err)
			}
		}
	})
	t.Run("v1", func(t *testing.T) {
		h, top := probeHost(t, v1Mounts, v1Groups, v1Tree("memory/cordon", "pids/a/cordon", "cpu/cordon"))
		replaceHost(t, h)
		d, err := Discover(Options{Name: "one"})
		if err != nil {
			t.Fatal(err)
		}
		if d.Name() != "cgroup-v1" || len(d.(*v1Driver).bases) != 3 {
			t.Errorf("got %s with %d directories, want 3: cpu and cpuacct are one", d.Name(), len(d.(*v1Driver).bases))
		}
		for _, dir := range []string{"memory/cordon/one", "pids/a/cordon/one", "cpu/cordon/one"} {
			if info, err := os.Stat(filepath.Join(top, dir)); err != nil || !info.IsDir() {
				t.Errorf("%s: %v", dir, err)
			}
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(filepath.Join(top, "memory/cordon/one")); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("Close left its directory: %v", err)
		}
	})
	t.Run("nothing", func(t *testing.T) {
		h, _ := probeHost(t, v2Mount, "0::/none\n", v2Tree())
		replaceHost(t, h)
		if d, err := Discover(Options{Name: "one"}); !errors.Is(err, ErrNoDelegation) {
			t.Errorf("got %v, %v", d, err)
		}
	})
}

// A controller that cannot be handed down stops the start and names itself.
func TestHandDownFails(t *testing.T) {
	h, top := probeHost(t, v2Mount, "0::/s\n", v2Tree("s", "s/one"))
	replaceHost(t, h)
	readOnly(t, top, "cg/s/one/cgroup.subtree_control")
	_, err := Discover(Options{Name: "one"})
	if err == nil || !strings.Contains(err.Error(), "hand the memory controller down") || !strings.Contains(err.Error(), top+"/cg/s/one/cgroup.subtree_control") {
		t.Errorf("got %v", err)
	}
}

func TestNewV1NamesTheMissingController(t *testing.T) {
	if _, err := newV1(map[string]string{"memory": t.TempDir()}, "one"); err == nil || !strings.Contains(err.Error(), "pids") {
		t.Errorf("got %v", err)
	}
}

func TestSwapOff(t *testing.T) {
	const head = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"
	for name, c := range map[string]struct {
		text string
		want error
	}{
		"no swap": {head, nil}, "empty": {"", nil},
		"swap": {head + "/dev/sda2 partition 1000 0 -2\n", errSwap},
	} {
		t.Run(name, func(t *testing.T) {
			h, _ := probeHost(t, "", "", map[string]string{"swaps": c.text})
			if err := h.swapOff(); !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
	h, top := probeHost(t, "", "", nil)
	if err := h.swapOff(); err != nil {
		t.Errorf("without the file, as on a kernel without swap: %v", err)
	}
	if err := os.Mkdir(filepath.Join(top, "swaps"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := h.swapOff(); err == nil || errors.Is(err, errSwap) {
		t.Errorf("an unreadable file: %v", err)
	}
}
