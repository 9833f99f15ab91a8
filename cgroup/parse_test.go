package cgroup

import (
	"maps"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

func TestParseGroups(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want map[string]string
		bad  bool
	}{
		"v2":                 {"0::/user.slice\n", map[string]string{"": "/user.slice"}, false},
		"v1":                 {"4:memory:/a/b\n1:cpu,cpuacct:/\n", map[string]string{"memory": "/a/b", "cpu,cpuacct": "/"}, false},
		"named":              {"9:name=systemd:/\n0::/\n", map[string]string{"name=systemd": "/", "": "/"}, false},
		"a colon in a path":  {"0::/a:b:c\n", map[string]string{"": "/a:b:c"}, false},
		"a space in a path":  {"0::/a b (deleted)\n", map[string]string{"": "/a b (deleted)"}, false},
		"no newline":         {"0::/a", map[string]string{"": "/a"}, false},
		"nothing":            {"", map[string]string{}, false},
		"too few fields":     {"0:/a\n", nil, true},
		"path not absolute":  {"0::a\n", nil, true},
		"path missing":       {"0::\n", nil, true},
		"an empty line":      {"0::/a\n\n", nil, true},
		"good, then garbage": {"0::/a\nx\n", nil, true},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := parseGroups(c.text)
			if (err != nil) != c.bad || !c.bad && !maps.Equal(got, c.want) {
				t.Errorf("got %v, %v; want %v, error %v", got, err, c.want, c.bad)
			}
			if c.bad && !strings.Contains(err.Error(), "id:controllers:path") {
				t.Errorf("%v does not say what is wanted", err)
			}
		})
	}
}

func TestParseMounts(t *testing.T) {
	type mount struct {
		version     int
		mount, root string
		controllers string
	}
	for name, c := range map[string]struct {
		text string
		want []mount
	}{
		"v2":                    {"30 29 0:26 / /cg rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n", []mount{{2, "/cg", "/", ""}}},
		"v1":                    {"31 29 0:27 / /cg/memory rw - cgroup cgroup rw,memory\n", []mount{{1, "/cg/memory", "/", "memory"}}},
		"v1 joined":             {"31 29 0:27 / /cg/cpu rw - cgroup cgroup rw,cpu,cpuacct\n", []mount{{1, "/cg/cpu", "/", "cpu cpuacct"}}},
		"v1 read-only":          {"31 29 0:27 / /cg/pids ro - cgroup cgroup ro,pids\n", []mount{{1, "/cg/pids", "/", "pids"}}},
		"named":                 {"31 29 0:27 / /cg/systemd rw - cgroup cgroup rw,name=systemd\n", []mount{{1, "/cg/systemd", "/", "name=systemd"}}},
		"part of a hierarchy":   {"31 29 0:27 /docker/1 /cg/memory rw - cgroup cgroup rw,memory\n", []mount{{1, "/cg/memory", "/docker/1", "memory"}}},
		"many optional fields":  {"30 29 0:26 / /cg rw shared:9 master:1 propagate_from:2 unbindable - cgroup2 none rw\n", []mount{{2, "/cg", "/", ""}}},
		"escapes":               {`30 29 0:26 /a\040b /c\011g\134 rw - cgroup2 none rw` + "\n", []mount{{2, "/c\tg\\", "/a b", ""}}},
		"another kind":          {"22 29 0:21 / /proc rw - proc proc rw\n", nil},
		"a name like a cgroup":  {"22 29 0:21 / /cgroup2 rw - tmpfs cgroup rw\n", nil},
		"no separator":          {"30 29 0:26 / /cg rw cgroup2 cgroup2 rw\n", nil},
		"too short before":      {"30 29 / /cg - cgroup2 cgroup2 rw\n", nil},
		"too short after":       {"30 29 0:26 / /cg rw - cgroup2 cgroup2\n", nil},
		"nothing":               {"", nil},
		"garbage, then a mount": {"\n - - \n30 29 0:26 / /cg rw - cgroup2 cgroup2 rw", []mount{{2, "/cg", "/", ""}}},
	} {
		t.Run(name, func(t *testing.T) {
			var got []mount
			for _, m := range parseMounts(c.text) {
				got = append(got, mount{m.version, m.mount, m.root, strings.Join(m.controllers, " ")})
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
		})
	}
}

func TestBelow(t *testing.T) {
	for _, c := range []struct{ mount, root, path, want string }{
		{"/cg", "/", "/", "/cg"},
		{"/cg", "/", "/a/b", "/cg/a/b"},
		{"/cg", "/a", "/a", "/cg"},
		{"/cg", "/a", "/a/b", "/cg/b"},
		{"/cg", "/a", "/ab", ""},   // a sibling whose name begins alike
		{"/cg", "/a", "/b", ""},    // not shown
		{"/cg", "/a/b", "/a", ""},  // above what is shown
		{"/cg", "/..", "/", ""},    // mounted outside of this cgroup namespace
		{"/cg", "/a", "/../x", ""}, // outside of this cgroup namespace
		{"/cg", "/", "/../x", ""},
		{"/cg", "/", "/..", ""},
		{"/cg", "/..", "/../x", "/cg/x"}, // a mount from outside shows it
		{"/cg", "/..", "/../../x", ""},
		{"/cg", "/", "/..x", "/cg/..x"}, // a name like any other
	} {
		if got := below(c.mount, c.root, c.path); got != c.want {
			t.Errorf("below(%q, %q, %q) = %q, want %q", c.mount, c.root, c.path, got, c.want)
		}
	}
}

func TestUnescape(t *testing.T) {
	for text, want := range map[string]string{
		"": "", "/plain": "/plain", `a\040b`: "a b", `a\011b`: "a\tb", `a\012b`: "a\nb", `a\134b`: `a\b`,
		`\134040`: `\040`, // an escaped backslash before digits, not an escaped space
		`\13`:     `\13`, `\`: `\`,
	} {
		if got := unescape(text); got != want {
			t.Errorf("unescape(%q) = %q, want %q", text, got, want)
		}
	}
}

func TestNumber(t *testing.T) {
	for text, want := range map[string]int64{
		"0": 0, "0\n": 0, "42 \n\n": 42, "-1\n": -1, "max\n": math.MaxInt64, "9223372036854775807": math.MaxInt64,
	} {
		if got, ok := number([]byte(text)); !ok || got != want {
			t.Errorf("number(%q) = %d, %v, want %d", text, got, ok, want)
		}
	}
	for _, text := range []string{"", "\n", "x", "1x", "1 2", " 1", "0x1", "maximum", "9223372036854775808", "1\n2"} {
		if got, ok := number([]byte(text)); ok {
			t.Errorf("number(%q) = %d, want none", text, got)
		}
	}
}

func TestField(t *testing.T) {
	const text = "low 0\noom 7\noom_kill 3\nmax 12\nword x\nempty \noom_group_kill 1"
	for key, want := range map[string]int64{"low": 0, "oom": 7, "oom_kill": 3, "max": 12, "oom_group_kill": 1} {
		if got, ok := field([]byte(text), key); !ok || got != want {
			t.Errorf("field(%q) = %d, %v, want %d", key, got, ok, want)
		}
	}
	for _, key := range []string{"", "o", "kill", "word", "empty", "nothing", "max 12", "group_kill"} {
		if got, ok := field([]byte(text), key); ok {
			t.Errorf("field(%q) = %d, want none", key, got)
		}
	}
}

func TestIOStat(t *testing.T) {
	for text, want := range map[string][2]int64{
		"": {},
		"8:0 rbytes=10 wbytes=20 rios=1 wios=2 dbytes=0 dios=0\n":               {10, 20},
		"8:0 rbytes=10 wbytes=20\n253:1 rbytes=5 wbytes=7 rios=1\n":             {15, 27},
		"8:0 \n253:1 rbytes=5\n":                                                {5, 0},
		"8:0 rbytes=x wbytes=\n":                                                {},
		"8:0 rbytes=3 cost.vrate=100.0 debt=1 rbytes_total=9 wbytes=4 rbytes\n": {3, 4},
	} {
		if r, w := ioStat(text); r != want[0] || w != want[1] {
			t.Errorf("ioStat(%q) = %d, %d, want %v", text, r, w, want)
		}
	}
}

func TestCPUStat(t *testing.T) {
	g := &v2Group{dir: dir{fd: -1, path: "/cg/job"}}
	const base = "usage_usec 30\nuser_usec 20\nsystem_usec 10\n"
	for name, c := range map[string]struct {
		text      string
		throttled int64
	}{
		"all":                        {base + "nr_periods 4\nnr_throttled 2\nthrottled_usec 7\n", 7000},
		"without the cpu controller": {base, -1},
	} {
		got, throttled, err := g.cpuStat([]byte(c.text))
		if err != nil || got != (CPU{30_000, 20_000, 10_000}) || throttled != c.throttled {
			t.Errorf("%s: got %+v, %d, %v", name, got, throttled, err)
		}
	}
	for _, missing := range []string{"usage_usec", "user_usec", "system_usec"} {
		text := strings.ReplaceAll(base, missing, "other")
		if _, _, err := g.cpuStat([]byte(text)); err == nil || !strings.Contains(err.Error(), "/cg/job/cpu.stat") {
			t.Errorf("without %s: %v", missing, err)
		}
	}
}

func FuzzParseGroups(f *testing.F) {
	f.Add("0::/a\n4:memory:/b\n")
	f.Add("0::/a:b")
	f.Add(":::\n")
	f.Fuzz(func(t *testing.T, text string) {
		paths, err := parseGroups(text)
		if err != nil && paths != nil {
			t.Errorf("an answer and an error: %v, %v", paths, err)
		}
		for key, path := range paths {
			if !strings.HasPrefix(path, "/") || strings.ContainsAny(key, ":\n") || !strings.Contains(text, path) {
				t.Errorf("%q: %q", key, path)
			}
		}
	})
}

func FuzzParseMounts(f *testing.F) {
	f.Add(v2Mount + v1Mounts)
	f.Add(`1 2 3 / /\040 - cgroup x rw,`)
	f.Fuzz(func(t *testing.T, text string) {
		for _, m := range parseMounts(text) {
			if m.version != 1 && m.version != 2 || m.version == 2 && m.controllers != nil || m.root == "" || m.mount == "" {
				t.Errorf("got %+v", m)
			}
		}
	})
}

func FuzzBelow(f *testing.F) {
	f.Add("/cg", "/a", "/a/b")
	f.Add("/cg", "/..", "/../../x")
	f.Fuzz(func(t *testing.T, mount, root, path string) {
		if !strings.HasPrefix(mount, "/") || !strings.HasPrefix(root, "/") || !strings.HasPrefix(path, "/") {
			return
		}
		got, top := below(mount, root, path), strings.TrimSuffix(filepath.Clean(mount), "/")
		if got != "" && got != top && !strings.HasPrefix(got, top+"/") {
			t.Errorf("below(%q, %q, %q) = %q", mount, root, path, got)
		}
	})
}

func FuzzUnescape(f *testing.F) {
	f.Add(`a\040\134b`)
	f.Fuzz(func(t *testing.T, text string) {
		// What the kernel escapes comes back as it was.
		escaped := strings.NewReplacer(" ", `\040`, "\t", `\011`, "\n", `\012`, `\`, `\134`).Replace(text)
		if got := unescape(escaped); got != text {
			t.Errorf("unescape(%q) = %q, want %q", escaped, got, text)
		}
		_ = unescape(text)
	})
}

func FuzzNumber(f *testing.F) {
	f.Add([]byte("max\n"))
	f.Add([]byte("-9223372036854775808 "))
	f.Fuzz(func(t *testing.T, text []byte) {
		n, ok := number(text)
		if !ok || n == math.MaxInt64 {
			return
		}
		again, ok := number(strconv.AppendInt(nil, n, 10))
		if !ok || again != n {
			t.Errorf("%q: %d, again %d, %v", text, n, again, ok)
		}
	})
}

func FuzzField(f *testing.F) {
	f.Add([]byte("oom 1\noom_kill 2\n"), "oom_kill")
	f.Add([]byte("a"), "")
	f.Fuzz(func(t *testing.T, text []byte, key string) {
		if _, ok := field(text, key); ok && !strings.Contains(string(text), key+" ") {
			t.Errorf("field(%q, %q) found what is not there", text, key)
		}
	})
}

func FuzzIOStat(f *testing.F) {
	f.Add("8:0 rbytes=1 wbytes=2\n")
	f.Fuzz(func(t *testing.T, text string) {
		if r, w := ioStat(text); !strings.Contains(text, "=") && (r != 0 || w != 0) {
			t.Errorf("ioStat(%q) = %d, %d", text, r, w)
		}
	})
}

func FuzzCPUStat(f *testing.F) {
	f.Add([]byte("usage_usec 30\nuser_usec 20\nsystem_usec 10\nthrottled_usec 1\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		g := &v2Group{dir: dir{fd: -1, path: "/cg"}}
		c, throttled, err := g.cpuStat(text)
		usage, ok := field(text, "usage_usec")
		if err == nil && (!ok || c.Total != usage*1000) || err != nil && (c.Total > usage || throttled != 0) {
			t.Errorf("%q: %+v, %d, %v", text, c, throttled, err)
		}
	})
}
