package rootfs

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"cordon/sandbox/cell"
)

// rootDir is a directory of ours in a root.
type rootDir struct {
	path string
	mode uint32
}

// rootDirs are those that every root has, whatever is below.
var rootDirs = []rootDir{{"/proc", 0o555}, {"/sys", 0o555}, {"/dev", 0o755}, {"/dev/shm", 0o755}, {"/work", 0o755}, {"/tmp", 0o755},
	{scratch, 0o700}, {cell.LayerPath, 0o555}, {lowerDir, 0o555}, {maskDir, 0o555}, {maskDir + "/dir", 0o555}}

// skeleton makes the part of the root that is always ours: mount points, /dev,
// /etc and a stub of /sys, on a tmpfs of our own. Foreign trees are only ever
// bound or stacked below it, so no path of theirs is ever walked while writing
// (CVE-2025-31133, CVE-2026-41579 and their kin).
func (b *builder) skeleton() {
	for _, d := range slices.Concat(rootDirs, []rootDir{{"/etc", 0o755}, {"/run", 0o755}, {"/var", 0o755}, {"/home", 0o755}, {"/root", 0o700}}) {
		b.mkdir(d.path, d.mode)
	}
	b.file(maskDir+"/file", "")
	b.symlink("../tmp", "/var/tmp")
	b.etc()
	b.sys()
	b.devFiles()
}

var devices = []string{"null", "zero", "full", "random", "urandom"}

func (b *builder) devFiles() {
	for _, d := range devices {
		b.file("/dev/"+d, "")
	}
	b.symlink("/proc/self/fd", "/dev/fd")
	for i, name := range []string{"stdin", "stdout", "stderr"} {
		b.symlink("/proc/self/fd/"+strconv.Itoa(i), "/dev/"+name)
	}
}

// devMounts binds the host's nodes: a user namespace cannot make its own.
func (b *builder) devMounts() {
	for _, d := range devices {
		b.bind("/dev/"+d, "/dev/"+d, readOnly|noSuid|noExec)
	}
}

// procMount leaves the host's /proc below the cell's own: the kernel gives a
// user namespace a fresh one only where a whole one is mounted already
// (mount_too_revealing in fs/namespace.c). The cell's mount covers it.
func (b *builder) procMount() {
	b.bind("/proc", "/proc", noSuid|noDev|noExec)
}

func (b *builder) etc() {
	b.file("/etc/passwd", fmt.Sprintf("root:x:0:0:root:/root:/usr/sbin/nologin\njob:x:%d:%d:job:/work:/bin/sh\n"+
		"nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n", JobID, JobID))
	b.file("/etc/group", fmt.Sprintf("root:x:0:\njob:x:%d:\nnogroup:x:65534:\n", JobID))
	b.names()
	b.file("/etc/nsswitch.conf", "passwd: files\ngroup: files\nshadow: files\nhosts: files\nservices: files\nprotocols: files\n")
	b.file("/etc/host.conf", "multi on\n")
}

// names are those of the cell, and of nobody else.
func (b *builder) names() {
	b.file("/etc/hosts", "127.0.0.1\tlocalhost cordon\n::1\tlocalhost\n")
	b.file("/etc/hostname", "cordon\n")
	b.file("/etc/resolv.conf", "")
}

// sys is a read-only stub with what C libraries ask for: the processors.
func (b *builder) sys() {
	for _, d := range []string{"/sys/devices", "/sys/devices/system", "/sys/devices/system/cpu"} {
		b.mkdir(d, 0o755)
	}
	online := "0\n"
	if b.host.CPUs > 1 {
		online = fmt.Sprintf("0-%d\n", b.host.CPUs-1)
	}
	b.file("/sys/devices/system/cpu/online", online)
	b.file("/sys/devices/system/cpu/possible", online)
}

// parents makes the directories above a bind's target.
func (b *builder) parents(target string, made map[string]bool) {
	for i, c := range target {
		if c == '/' && i > 0 && !made[target[:i]] {
			made[target[:i]] = true
			b.mkdir(target[:i], 0o755)
		}
	}
}

// private refuses a directory that would show a job what is the daemon's.
func (h Host) private(dir string) error {
	if !path.IsAbs(dir) || path.Clean(dir) != dir {
		return fmt.Errorf("root directory %q: an absolute, clean path is wanted", dir)
	}
	real, err := h.FS.EvalSymlinks(dir)
	if err != nil {
		return fmt.Errorf("root directory %s: %w", dir, err)
	}
	for _, p := range h.Private {
		if to, err := h.FS.EvalSymlinks(p); p != "" && err == nil {
			p = to // as given it may be a link; not yet made, it is what it is called
		}
		if p != "" && (within(p, real) || within(real, p)) {
			return fmt.Errorf("root directory %s: holds or lies in %s, which is the service's own; choose another directory", dir, p)
		}
	}
	return nil
}

// named is private, and that the service may show a directory that was asked for.
func (h Host) named(dir string) error {
	if err := h.private(dir); err != nil {
		return err
	}
	if info, err := h.FS.Stat(dir); err == nil && info.IsDir() {
		if err := h.FS.Enter(dir); err != nil {
			return fmt.Errorf("root directory %s: %w for the service's user; choose one that it may list and enter", dir, err)
		}
	}
	return nil
}

func within(path, dir string) bool {
	return path == dir || dir == "/" || strings.HasPrefix(path, dir+"/")
}
