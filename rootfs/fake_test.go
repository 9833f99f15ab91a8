package rootfs

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"cordon/policy"
	"cordon/sandbox/cell"
)

// fakeFS is a host made of a map: directories end in "/", links hold "-> target",
// the rest are contents of files.
type fakeFS map[string]string

type fakeInfo struct {
	name string
	mode os.FileMode
}

func (i fakeInfo) Name() string       { return i.name }
func (i fakeInfo) Size() int64        { return 0 }
func (i fakeInfo) Mode() os.FileMode  { return i.mode }
func (i fakeInfo) ModTime() time.Time { return time.Time{} }
func (i fakeInfo) IsDir() bool        { return i.mode.IsDir() }
func (i fakeInfo) Sys() any           { return nil }

func (f fakeFS) entry(p string) (string, os.FileMode, bool) {
	if _, ok := f[strings.TrimSuffix(p, "/")+"/"]; ok || p == "/" {
		return "", os.ModeDir | 0o755, true
	}
	for name := range f { // the parents of what there is
		if strings.HasPrefix(name, p+"/") {
			return "", os.ModeDir | 0o755, true
		}
	}
	text, ok := f[p]
	if to, found := strings.CutPrefix(text, "-> "); found {
		return to, os.ModeSymlink | 0o777, true
	}
	if strings.HasPrefix(text, "private ") {
		return text, 0o600, ok
	}
	return text, 0o644, ok
}

// EvalSymlinks follows links in every part of a path.
func (f fakeFS) EvalSymlinks(p string) (string, error) {
	at := "/"
	rest := strings.Split(strings.Trim(p, "/"), "/")
	for hops := 0; len(rest) > 0; hops++ {
		if hops > 100 {
			return "", &os.PathError{Op: "lstat", Path: p, Err: unix.ELOOP}
		}
		part := rest[0]
		rest = rest[1:]
		next := path.Join(at, part)
		to, mode, ok := f.entry(next)
		switch {
		case !ok:
			return "", &os.PathError{Op: "lstat", Path: next, Err: fs.ErrNotExist}
		case mode&os.ModeSymlink == 0:
			at = next
		case path.IsAbs(to):
			at, rest = "/", append(strings.Split(strings.Trim(to, "/"), "/"), rest...)
		default:
			rest = append(strings.Split(to, "/"), rest...)
		}
	}
	return at, nil
}

// parent resolves all but the last part, as the kernel does for Lstat.
func (f fakeFS) parent(p string) (string, error) {
	dir, err := f.EvalSymlinks(path.Dir(p))
	return path.Join(dir, path.Base(p)), err
}

func (f fakeFS) Lstat(p string) (os.FileInfo, error) {
	real, err := f.parent(p)
	if err != nil {
		return nil, err
	}
	_, mode, ok := f.entry(real)
	if !ok {
		return nil, &os.PathError{Op: "lstat", Path: p, Err: fs.ErrNotExist}
	}
	return fakeInfo{path.Base(p), mode}, nil
}

func (f fakeFS) Stat(p string) (os.FileInfo, error) {
	real, err := f.EvalSymlinks(p)
	if err != nil {
		return nil, err
	}
	return f.Lstat(real)
}

func (f fakeFS) Readlink(p string) (string, error) {
	real, err := f.parent(p)
	if err != nil {
		return "", err
	}
	to, mode, ok := f.entry(real)
	if !ok || mode&os.ModeSymlink == 0 {
		return "", &os.PathError{Op: "readlink", Path: p, Err: unix.EINVAL}
	}
	return to, nil
}

func (f fakeFS) ReadFile(p string) ([]byte, error) {
	if p == mountsFile {
		return []byte(f[p]), nil
	}
	real, err := f.EvalSymlinks(p)
	if err != nil {
		return nil, err
	}
	text, mode, _ := f.entry(real)
	if mode.IsDir() {
		return nil, &os.PathError{Op: "read", Path: p, Err: unix.EISDIR}
	}
	return []byte(text), nil
}

// merged is a small host of today: /usr merged, with people and secrets.
func merged() fakeFS {
	return fakeFS{
		"/usr/": "", "/usr/bin/sh": "x", "/bin": "-> usr/bin", "/sbin": "-> usr/sbin", "/lib": "-> usr/lib", "/lib64": "-> usr/lib64",
		"/opt/": "", "/etc/alternatives/": "", "/etc/ssl/certs/": "", "/etc/ssl/private/key": "private key", "/etc/ld.so.cache": "cache",
		"/etc/passwd": "root:x:0:0\nalice:x:1000:1000\n", "/etc/shadow": "private secret", "/etc/os-release": "ID=test\n",
		"/etc/localtime": "-> /usr/share/zoneinfo/UTC", "/usr/share/zoneinfo/UTC": "TZif", "/etc/ld.so.conf": strings.Repeat("x", etcFileMax+1),
		"/home/alice/.ssh/id": "private key", "/root/.ssh/id": "private key", "/srv/tree/": "", "/srv/other/": "",
		"/var/lib/cordon/token": "private token", "/run/secret": "private x", "/tmp/": "", "/dev/null": "", "/proc/": "",
		"/proc/kallsyms": "x", "/proc/acpi/": "", "/proc/keys": "private x", "/proc/cpuinfo": "x",
	}
}

func host(f FS) Host {
	return Host{Base: "/base", FS: f, CPUs: 4, Private: []string{"/var/lib/cordon", ""}}
}

// mustMake is Make for a root that can be.
func mustMake(t *testing.T, root policy.Root, h Host) *Plan {
	t.Helper()
	p, err := Make(root, h, 1<<20, 64)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// attributes are the names of MOUNT_ATTR bits in golden files.
var attributes = []struct {
	bit  uint64
	name string
}{{readOnly, "ro"}, {noSuid, "nosuid"}, {noDev, "nodev"}, {noExec, "noexec"}}

// text writes operations as a reviewer reads them, one a line.
func text(ops []cell.Op) string {
	var b strings.Builder
	for _, o := range ops {
		fmt.Fprintf(&b, "%s", o)
		if o.Mode != 0 {
			fmt.Fprintf(&b, " mode=%#o", o.Mode)
		}
		for _, a := range attributes {
			if o.Flags&a.bit != 0 {
				b.WriteString(" " + a.name)
			}
		}
		if o.Data != "" {
			fmt.Fprintf(&b, " %.200q", o.Data)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// shown are the sources and targets of every bind, and lowers of every overlay.
func shown(ops []cell.Op) (paths []string) {
	for _, o := range ops {
		switch o.Kind {
		case cell.OpBind:
			paths = append(paths, o.Source)
		case cell.OpOverlay:
			for option := range strings.SplitSeq(o.Data, ",") {
				if lowers, ok := strings.CutPrefix(option, "lowerdir="); ok {
					paths = append(paths, strings.Split(lowers, ":")...)
				}
			}
		}
	}
	slices.Sort(paths)
	return paths
}

func (f fakeFS) Enter(p string) error {
	if f[p+"/"] == "locked" {
		return os.ErrPermission
	}
	return nil
}
