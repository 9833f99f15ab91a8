package rootfs

import (
	"errors"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"cordon/policy"
	"cordon/sandbox/cell"
)

// systems are hosts of different make.
var systems = map[string]struct {
	fs      fakeFS
	links   []string // made again as links
	mounted []string // bound
}{
	"merged usr": {fakeFS{"/usr/": "", "/bin": "-> usr/bin", "/lib64": "-> usr/lib64", "/etc/passwd": "x"}, []string{"usr/bin at /bin", "usr/lib64 at /lib64"}, []string{"/usr"}},
	"split usr":  {fakeFS{"/usr/": "", "/bin/sh": "x", "/sbin/": "", "/lib/": "", "/etc/passwd": "x"}, nil, []string{"/bin", "/lib", "/sbin", "/usr"}},
	"absolute":   {fakeFS{"/usr/": "", "/bin": "-> /usr/bin", "/etc/passwd": "x"}, []string{"/usr/bin at /bin"}, []string{"/usr"}},
	"nix":        {fakeFS{"/nix/store/": "", "/usr/": "", "/bin/": "", "/etc/passwd": "x"}, nil, []string{"/bin", "/nix/store", "/usr"}},
	"guix":       {fakeFS{"/gnu/store/": "", "/etc/passwd": "x"}, nil, []string{"/gnu/store"}},
	"nothing":    {fakeFS{}, nil, nil},
}

func TestHostSystems(t *testing.T) {
	for name, s := range systems {
		t.Run(name, func(t *testing.T) {
			p := mustMake(t, policy.Root{Kind: policy.RootHost}, host(s.fs))
			var links, mounted []string
			for _, o := range p.Template {
				target, below := strings.CutPrefix(o.Target, "/base")
				if !below {
					t.Errorf("%s is not below the base", o)
				}
				switch {
				case o.Kind == cell.OpSymlink && !strings.HasPrefix(target, "/dev/") && target != "/var/tmp":
					links = append(links, o.Source+" at "+target)
				case o.Kind == cell.OpBind && !strings.HasPrefix(o.Source, "/dev/") && o.Source != "/proc" && !strings.HasSuffix(o.Source, maskDir):
					mounted = append(mounted, o.Source)
					if o.Source != target || o.Flags&lowerAttr != lowerAttr {
						t.Errorf("%s with %#x: another place, or not read-only", o, o.Flags)
					}
				}
			}
			slices.Sort(links)
			slices.Sort(mounted)
			if !slices.Equal(links, s.links) || !slices.Equal(mounted, s.mounted) {
				t.Errorf("links %q, want %q; mounted %q, want %q", links, s.links, mounted, s.mounted)
			}
		})
	}
}

// A directory is made before anything is put into it, and nothing twice.
func TestOrder(t *testing.T) {
	extra := host(merged())
	extra.Extra = []Bind{{"/etc/java", "/etc/java"}, {"/srv/other", "/opt/go/cache"}, {"/etc/os-release", "/etc/os-release"}, {"/srv/tree", "/srv/tree"}}
	f := extra.FS.(fakeFS)
	f["/etc/java/"], f["/srv/tree/deep/"] = "", ""
	for name, root := range roots() {
		p := mustMake(t, root, extra)
		made := map[string]bool{}
		for _, o := range p.Template {
			switch o.Kind {
			case cell.OpMkdir, cell.OpFile, cell.OpSymlink:
				if made[o.Target] {
					t.Errorf("%s: %s: made twice", name, o)
				}
				made[o.Target] = true
				parent := o.Target[:strings.LastIndexByte(o.Target, '/')]
				if !made[parent] {
					t.Errorf("%s: %s: no parent", name, o)
				}
			case cell.OpTmpfs:
				made[o.Target] = true
			case cell.OpBind:
				// On an overlay the skeleton's directories shine through.
				if !made[o.Target] && !made[strings.Replace(o.Target, "/base/root/", "/base/skeleton/", 1)] {
					t.Errorf("%s: %s: nothing to mount on", name, o)
				}
			}
		}
		if last := p.Template[len(p.Template)-1]; last.Kind != cell.OpPivot {
			t.Errorf("%s: ends with %s: the host can still be named", name, last)
		}
		if i := slices.IndexFunc(p.Template, func(o cell.Op) bool { return o.Kind == cell.OpAttr && o.Flags&lowerAttr == lowerAttr }); i != len(p.Template)-2 {
			t.Errorf("%s: the root is not made read-only last", name)
		}
	}
}

func roots() map[string]policy.Root {
	return map[string]policy.Root{
		"host": {Kind: policy.RootHost}, "host writable": {Kind: policy.RootHost, Writable: true},
		"host and more": {Kind: policy.RootHost, Dirs: []string{"/srv/tree", "/srv/tree/deep", "/srv/other"}},
		"dirs":          {Kind: policy.RootDirs, Dirs: []string{"/srv/tree"}}, "two dirs": {Kind: policy.RootDirs, Dirs: []string{"/srv/other", "/srv/tree"}},
		"dirs writable": {Kind: policy.RootDirs, Dirs: []string{"/srv/tree"}, Writable: true},
	}
}

// closed is what no job may see of the host, whatever the root.
var closed = []string{"/home", "/root", "/etc/shadow", "/etc/passwd", "/etc/ssl/private", "/var", "/run", "/tmp", "/boot", "/sys", "/etc"}

func TestNeverShown(t *testing.T) {
	f := merged()
	f["/srv/tree/deep/"] = ""
	for name, root := range roots() {
		p := mustMake(t, root, host(f))
		for _, s := range shown(p.Template) {
			if slices.Contains(closed, s) || s == "/" {
				t.Errorf("%s shows %s", name, s)
			}
			for _, c := range closed {
				if c != "/etc" && strings.HasPrefix(s, c+"/") {
					t.Errorf("%s shows %s", name, s)
				}
			}
		}
		for _, o := range slices.Concat(p.Template, p.Cell) {
			for _, word := range []string{"private", "alice", "token"} {
				if strings.Contains(o.Source+o.Data, word) {
					t.Errorf("%s: %s holds %q", name, o, word)
				}
			}
		}
	}
}

// attributesAt are those of the innermost mount on a path of the cell's root.
func attributesAt(p *Plan, path string) (flags uint64) {
	base, best := p.Template[len(p.Template)-1].Target, ""
	for _, o := range slices.Concat(p.Template, p.Cell) {
		target := strings.TrimPrefix(o.Target, base)
		if slices.Contains([]cell.OpKind{cell.OpTmpfs, cell.OpBind, cell.OpOverlay}, o.Kind) && within(path, target) && len(target) > len(best) {
			best, flags = target, o.Flags
		}
	}
	return flags
}

// Every mount of a cell is without set-id bits; only /dev has devices, and
// nothing that is the host's is ever writable.
func TestMountAttributes(t *testing.T) {
	f := merged()
	f["/srv/tree/deep/"] = ""
	for name, root := range roots() {
		p := mustMake(t, root, host(f))
		for i, o := range slices.Concat(p.Template, p.Cell) {
			inTemplate := i < len(p.Template)
			switch o.Kind {
			case cell.OpTmpfs, cell.OpOverlay, cell.OpProc:
			case cell.OpBind:
				if !inTemplate && o.Source == "/dev" {
					continue // bound with its own mounts, which keep what they have
				}
			default:
				continue
			}
			if o.Kind == cell.OpBind && o.Flags == 0 { // it has those of the mount that its source lies on
				o.Flags = attributesAt(p, o.Source)
			}
			if o.Flags&noSuid == 0 {
				t.Errorf("%s: %s: set-id", name, o)
			}
			if strings.HasPrefix(o.Source, maskDir+"/") && o.Flags&(readOnly|noExec) != readOnly|noExec {
				t.Errorf("%s: %s: a mask that is writable or can be executed", name, o)
			}
			if o.Flags&noDev == 0 && !strings.HasPrefix(o.Source, "/dev/") {
				t.Errorf("%s: %s: devices", name, o)
			}
			if inTemplate && o.Kind != cell.OpTmpfs && o.Flags&readOnly == 0 && o.Source != "/proc" {
				t.Errorf("%s: %s: writable", name, o)
			}
			if o.Kind == cell.OpOverlay && !slices.Contains(strings.Split(o.Data, ","), "userxattr") {
				t.Errorf("%s: %s: without userxattr deleted files come back", name, o)
			}
		}
	}
}

func TestRefused(t *testing.T) {
	f := merged()
	f["/srv/link"] = "-> /var/lib/cordon"
	f["/srv/up"] = "-> ../var"
	f["/srv/deep"] = "-> link/jobs"
	f["/srv/file"] = "x"
	f["/srv/dangling"] = "-> /nowhere"
	f["/srv/loop"] = "-> loop"
	f["/srv/safe"] = "-> /srv/tree"
	f["/srv/a:b/"], f["/srv/a,b/"], f[`/srv/a\b/`] = "", "", ""
	f["/var/lib/cordon/jobs/"] = ""
	f["/var/lib/cordon2/"] = ""
	for _, kind := range []string{policy.RootHost, policy.RootDirs} {
		for dir, why := range map[string]string{
			"":                      "absolute",
			"relative":              "absolute",
			"/srv/../srv/tree":      "clean",
			"/srv/tree/":            "clean",
			"/srv/absent":           "not exist",
			"/srv/dangling":         "not exist",
			"/srv/loop":             "symbolic links",
			"/":                     "own",
			"/var":                  "own",
			"/var/lib":              "own",
			"/var/lib/cordon":       "own",
			"/var/lib/cordon/jobs":  "own",
			"/srv/link":             "own",
			"/srv/up":               "own",
			"/srv/deep":             "own",
			"/srv/link/jobs":        "own",
			"/srv/up/lib/cordon":    "own",
			"/var/lib/cordon/token": "own",
		} {
			_, err := Make(policy.Root{Kind: kind, Dirs: []string{"/srv/tree", dir}}, host(f), 1, 1)
			if err == nil || !strings.Contains(err.Error(), why) || !strings.Contains(err.Error(), dir) {
				t.Errorf("%s %q: %v; want an error with %q", kind, dir, err, why)
			}
		}
		for _, dir := range []string{"/srv/tree", "/var/lib/cordon2"} { // a name that only begins the same
			if _, err := Make(policy.Root{Kind: kind, Dirs: []string{dir}}, host(f), 1, 1); err != nil {
				t.Errorf("%s %s: %v", kind, dir, err)
			}
		}
	}
	f["/srv/locked/"] = "locked"
	for _, kind := range []string{policy.RootHost, policy.RootDirs} {
		if _, err := Make(policy.Root{Kind: kind, Dirs: []string{"/srv/locked"}}, host(f), 1, 1); err == nil || !strings.Contains(err.Error(), "list and enter") {
			t.Errorf("%s: a directory that the service may not enter: %v", kind, err)
		}
	}
	// What a cell's own mounts would cover.
	f["/var/tmp/tree/"] = ""
	if _, err := Make(policy.Root{Kind: policy.RootHost, Dirs: []string{"/var/tmp/tree"}}, host(f), 1, 1); err == nil || !strings.Contains(err.Error(), "lies in /var/tmp") {
		t.Errorf("a directory that no job would see: %v", err)
	}
	// What cannot be written into an overlay's options, and what is no tree.
	for dir, why := range map[string]string{"/srv/a:b": "overlay", "/srv/a,b": "overlay", `/srv/a\b`: "overlay", "/srv/file": "not a directory", "/srv/safe": "not a directory"} {
		_, err := Make(policy.Root{Kind: policy.RootDirs, Dirs: []string{dir}}, host(f), 1, 1)
		if err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%s: %v; want an error with %q", dir, err, why)
		}
	}
	if _, err := Make(policy.Root{Kind: policy.RootDirs}, host(f), 1, 1); err == nil || !strings.Contains(err.Error(), "root.dirs") {
		t.Errorf("no directory: %v", err)
	}
	for _, kind := range []string{"", "images", "HOST"} {
		if _, err := Make(policy.Root{Kind: kind}, host(f), 1, 1); err == nil || !strings.Contains(err.Error(), "host, dirs and image") {
			t.Errorf("kind %q: %v", kind, err)
		}
	}
}

// The state directory in a directory that every job sees: no root at all.
func TestPrivateInASystemDirectory(t *testing.T) {
	f := merged()
	f["/opt/cordon/state/token"] = "private token"
	h := host(f)
	h.Private = []string{"/opt/cordon/state"}
	if _, err := Make(policy.Root{Kind: policy.RootHost}, h, 1, 1); err == nil || !strings.Contains(err.Error(), "--state") {
		t.Errorf("%v, want an error that names --state", err)
	}
}

// A private directory that is reached by a link itself is the same directory.
func TestPrivateIsALink(t *testing.T) {
	f := merged()
	f["/state"] = "-> /var/lib/cordon"
	h := host(f)
	h.Private = []string{"/state"}
	for _, dir := range []string{"/var/lib/cordon", "/var/lib", "/state"} {
		if _, err := Make(policy.Root{Kind: policy.RootDirs, Dirs: []string{dir}}, h, 1, 1); err == nil {
			t.Errorf("%s is shown, and /state, which is private, leads there", dir)
		}
	}
	h.Private = []string{"/not/made/yet"}
	if _, err := Make(policy.Root{Kind: policy.RootDirs, Dirs: []string{"/srv/tree"}}, h, 1, 1); err != nil {
		t.Errorf("a private directory that is not made yet: %v", err)
	}
}

// What is shown already is not mounted again: in a read-only tree there is no
// place for it.
func TestShownAlready(t *testing.T) {
	f := merged()
	f["/usr/share/x"], f["/usr/lib/y/"], f["/srv/tree/deep/"], f["/srv/lib"] = "x", "", "", "-> /usr/lib"
	f["/usr/share/out"], f["/usr/share/in"] = "-> /srv/other", "-> ../lib/y"
	for _, test := range []struct {
		dirs []string
		want []string
	}{
		{[]string{"/usr"}, nil},
		{[]string{"/usr/share", "/usr/share/x", "/usr/lib/y"}, nil},
		{[]string{"/bin", "/lib/y"}, nil}, // by the name of a link that is made
		{[]string{"/usr/share/in"}, nil},
		{[]string{"/srv/tree", "/srv/tree/deep"}, []string{"/srv/tree"}},
		{[]string{"/srv/tree/deep", "/srv/tree"}, []string{"/srv/tree"}},
		{[]string{"/srv/tree", "/srv/tree"}, []string{"/srv/tree"}},
		{[]string{"/srv/lib"}, []string{"/srv/lib"}}, // a name of its own
	} {
		var got []string
		for _, o := range mustMake(t, policy.Root{Kind: policy.RootHost, Dirs: test.dirs}, host(f)).Template {
			if o.Kind == cell.OpBind && strings.HasPrefix(o.Source, "/srv/") || o.Kind == cell.OpBind && strings.HasPrefix(o.Source, "/usr/") {
				got = append(got, o.Source)
			}
		}
		slices.Sort(got)
		if !slices.Equal(got, test.want) {
			t.Errorf("%q: mounted %q, want %q", test.dirs, got, test.want)
		}
	}
	covers := host(f)
	covers.Extra = []Bind{{"/srv/other", "/var/cache/go"}}
	if _, err := Make(policy.Root{Kind: policy.RootHost, Dirs: []string{"/srv", "/var/cache2"}}, covers, 1, 1); err == nil || !strings.Contains(err.Error(), "/var/cache2") {
		t.Errorf("a directory that is not there: %v", err)
	}
	f["/var/cache/"] = ""
	if _, err := Make(policy.Root{Kind: policy.RootHost, Dirs: []string{"/var/cache"}}, covers, 1, 1); err == nil || !strings.Contains(err.Error(), "cover /var/cache/go") {
		t.Errorf("a directory over what every root has: %v", err)
	}
	_, err := Make(policy.Root{Kind: policy.RootHost, Dirs: []string{"/usr/share/out"}}, host(f), 1, 1)
	if err == nil || !strings.Contains(err.Error(), "name /srv/other instead") {
		t.Errorf("a link out of a tree: %v", err)
	}
}

// A host that cannot be looked at makes no root with a hole in it.
func TestLinkThatCannotBeRead(t *testing.T) {
	if _, err := Make(policy.Root{Kind: policy.RootHost}, host(noReadlink{merged()}), 1, 1); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("%v, want a permission error", err)
	}
}

type noReadlink struct{ fakeFS }

// Readlink is refused.
func (noReadlink) Readlink(string) (string, error) { return "", fs.ErrPermission }

func TestKey(t *testing.T) {
	f := merged()
	f["/srv/tree/deep/"] = ""
	seen := map[string]string{}
	for name, root := range roots() {
		first := mustMake(t, root, host(f))
		for range 20 { // nothing in a plan depends on the order of a map
			again := mustMake(t, root, host(f))
			if again.Key != first.Key || text(again.Template) != text(first.Template) || text(again.Cell) != text(first.Cell) {
				t.Fatalf("%s: two plans of one root differ", name)
			}
		}
		if other, ok := seen[first.Key]; ok {
			t.Errorf("%s and %s have the same key", name, other)
		}
		seen[first.Key] = name
	}
	// The order of the trees matters, and what the host has, and the sizes.
	one := policy.Root{Kind: policy.RootDirs, Dirs: []string{"/srv/tree", "/srv/other"}}
	two := policy.Root{Kind: policy.RootDirs, Dirs: []string{"/srv/other", "/srv/tree"}}
	if mustMake(t, one, host(f)).Key == mustMake(t, two, host(f)).Key {
		t.Error("the order of the trees is not in the key")
	}
	more := host(f)
	more.CPUs = 1
	if mustMake(t, one, host(f)).Key == mustMake(t, one, more).Key {
		t.Error("the processors are not in the key")
	}
	small, err := Make(one, host(f), 1<<20, 65)
	if err != nil || small.Key == mustMake(t, one, host(f)).Key {
		t.Errorf("the size of the scratch is not in the key: %v", err)
	}
}

func TestProcessors(t *testing.T) {
	for cpus, want := range map[int]string{0: "0\n", 1: "0\n", 2: "0-1\n", 64: "0-63\n"} {
		h := host(merged())
		h.CPUs = cpus
		found := 0
		for _, o := range mustMake(t, policy.Root{Kind: policy.RootHost}, h).Template {
			if strings.HasPrefix(o.Target, "/base/sys/devices/system/cpu/") {
				found++
				if o.Data != want {
					t.Errorf("%d processors: %q, want %q", cpus, o.Data, want)
				}
			}
		}
		if found != 2 {
			t.Errorf("%d files of processors, want 2", found)
		}
	}
}

// Each writable layer has a work directory of its own beside its upper, and lies
// in the scratch, so that it is bounded and gone with the cell.
func TestWritableLayers(t *testing.T) {
	p := mustMake(t, policy.Root{Kind: policy.RootHost, Writable: true}, host(merged()))
	uppers := map[string]bool{}
	for _, o := range p.Cell {
		if o.Kind != cell.OpOverlay {
			continue
		}
		options := map[string]string{}
		for option := range strings.SplitSeq(o.Data, ",") {
			name, value, _ := strings.Cut(option, "=")
			options[name] = value
		}
		up, work := options["upperdir"], options["workdir"]
		if uppers[up] || !strings.HasPrefix(up, scratch+"/") || work != strings.TrimSuffix(up, "/up")+"/work" || o.Flags&readOnly != 0 {
			t.Errorf("%s %q", o, o.Data)
		}
		uppers[up] = true
	}
	if len(uppers) < 2 || p.Cell[len(p.Cell)-1].Kind != cell.OpPivot {
		t.Errorf("%d layers, ends with %s", len(uppers), p.Cell[len(p.Cell)-1])
	}
	for _, o := range mustMake(t, policy.Root{Kind: policy.RootHost}, host(merged())).Cell {
		if o.Kind == cell.OpOverlay || o.Kind == cell.OpPivot {
			t.Errorf("a root that is not writable has %s", o)
		}
	}
}

func TestScratchLimits(t *testing.T) {
	if l := ScratchLimits(4096, 20); l["size"] != "4096" || l["nr_inodes"] != "20" || len(l) != 2 {
		t.Errorf("%v", l)
	}
	if s := scratchOptions(4096, 20); s != "size=4096,nr_inodes=20" {
		t.Errorf("%q", s)
	}
}

// This machine's own files make a plan, too.
func TestRealHost(t *testing.T) {
	h := Host{Base: t.TempDir(), FS: HostFS{}, CPUs: 2}
	p := mustMake(t, policy.Root{Kind: policy.RootHost}, h)
	if !slices.Contains(shown(p.Template), "/usr") {
		t.Error("no /usr")
	}
	for _, s := range shown(p.Template) {
		if slices.Contains(closed, s) {
			t.Errorf("%s is shown", s)
		}
	}
}

// Whatever directory is named, the service's own is not shown.
func FuzzPrivate(f *testing.F) {
	for _, d := range []string{"/var", "/srv/link", "/srv/up/lib", "//var", "/var/./lib", "/srv/link/../x"} {
		f.Add(d)
	}
	tree := merged()
	tree["/srv/link"], tree["/srv/up"] = "-> /var/lib/cordon", "-> ../var"
	f.Fuzz(func(t *testing.T, dir string) {
		if _, err := Make(policy.Root{Kind: policy.RootDirs, Dirs: []string{dir}}, host(tree), 1, 1); err != nil {
			return
		}
		real, err := tree.EvalSymlinks(dir)
		if err != nil || within("/var/lib/cordon", real) || within(real, "/var/lib/cordon") {
			t.Fatalf("%q, that is %q, is shown (%v)", dir, real, err)
		}
	})
}
