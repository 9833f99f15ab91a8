package cgroup

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// dir is a group's directory. All files are named relative to an open directory:
// its own, or that of its parent.
type dir struct {
	fd   int
	in   string // path from there with a slash behind it, or ""
	path string
}

func openDir(path string) (dir, error) {
	fd, err := unix.Open(path, unix.O_DIRECTORY|unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return dir{}, &os.PathError{Op: "open", Path: path, Err: err}
	}
	return dir{fd: fd, path: path}, nil
}

// child makes a directory, which is reached by this one's descriptor: it is valid
// as long as that, and is not closed.
func (d dir) child(name string) (dir, error) {
	if err := unix.Mkdirat(d.fd, d.in+name, 0o755); err != nil {
		return dir{}, &os.PathError{Op: "mkdir", Path: d.path + "/" + name, Err: err}
	}
	return dir{fd: d.fd, in: d.in + name + "/", path: d.path + "/" + name}, nil
}

// name is that of a child.
func (d dir) name() string { return strings.TrimSuffix(d.in, "/") }

func (d dir) close() { unix.Close(d.fd) }

func (d dir) has(name string) bool {
	return unix.Faccessat(d.fd, d.in+name, unix.F_OK, 0) == nil
}

func (d dir) fail(op, name string, err error) error {
	return &os.PathError{Op: op, Path: d.path + "/" + name, Err: err}
}

// open opens one file of the group.
func (d dir) open(name string, flags int) (int, error) {
	fd, err := unix.Openat(d.fd, d.in+name, flags|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, d.fail("open", name, err)
	}
	return fd, nil
}

func (d dir) write(name, value string) error {
	fd, err := d.open(name, unix.O_WRONLY)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return d.writeTo(fd, name, value)
}

func (d dir) writeTo(fd int, name, value string) error {
	for {
		_, err := unix.Pwrite(fd, []byte(value), 0)
		switch err {
		case nil:
			return nil
		case unix.EINTR:
		default:
			return d.fail("write "+value+" to", name, err)
		}
	}
}

// read reads a whole small file into buffer.
func (d dir) read(name string, buffer []byte) ([]byte, error) {
	fd, err := d.open(name, unix.O_RDONLY)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	n, err := readAt(fd, buffer)
	if err != nil {
		return nil, d.fail("read", name, err)
	}
	return buffer[:n], nil
}

// readAll reads a file whose size has no bound, such as one with a line for each
// block device.
func (d dir) readAll(name string) ([]byte, error) {
	fd, err := d.open(name, unix.O_RDONLY)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	text, err := readWhole(fd)
	if err != nil {
		return nil, d.fail("read", name, err)
	}
	return text, nil
}

// readWhole reads an open file of the kernel's from its beginning, in one call, however
// long: the kernel writes such a file anew for each call.
func readWhole(fd int) ([]byte, error) {
	for size := 4096; ; size *= 2 {
		buffer := make([]byte, size)
		n, err := readAt(fd, buffer)
		if err != nil || n < size {
			return buffer[:max(n, 0)], err
		}
	}
}

func readAt(fd int, buffer []byte) (int, error) {
	for {
		n, err := unix.Pread(fd, buffer, 0)
		if err != unix.EINTR {
			return n, err
		}
	}
}

func (d dir) readInt(name string) (int64, error) {
	var buffer [64]byte
	b, err := d.read(name, buffer[:])
	if err != nil {
		return 0, err
	}
	return d.parse(name, b)
}

// parse is the number that a file holds.
func (d dir) parse(name string, text []byte) (int64, error) {
	n, ok := number(text)
	if !ok {
		return 0, d.fail("read", name, fmt.Errorf("%q is not a number", text))
	}
	return n, nil
}

// optional reads a number that not every kernel or delegation has: -1 then.
func (d dir) optional(name string) (int64, error) {
	n, err := d.readInt(name)
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.EOPNOTSUPP) {
		return -1, nil
	}
	return n, err
}

// limit writes a value and reads it back: a kernel that took another one has not
// taken the limit.
func (d dir) limit(name, value string) error {
	fd, err := d.open(name, unix.O_RDWR)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return d.limitBy(fd, name, value)
}

func (d dir) limitBy(fd int, name, value string) error {
	if err := d.writeTo(fd, name, value); err != nil {
		return err
	}
	return d.holds(fd, name, value)
}

func (d dir) holds(fd int, name, value string) error {
	var buffer [64]byte
	n, err := readAt(fd, buffer[:])
	if err != nil {
		return d.fail("read", name, err)
	}
	if s := trim(buffer[:n]); s != value {
		return d.fail("read back", name, fmt.Errorf("wrote %s, the kernel holds %s", value, s))
	}
	return nil
}

func trim(b []byte) string {
	for len(b) > 0 && (b[len(b)-1] == '\n' || b[len(b)-1] == ' ') {
		b = b[:len(b)-1]
	}
	return string(b)
}

// number reads a decimal number up to the end or a newline. "max" is the
// largest number there is.
func number(b []byte) (int64, bool) {
	s := trim(b)
	if s == "max" {
		return 1<<63 - 1, true
	}
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil
}

// field finds "key value" in the lines of a flat keyed file such as cpu.stat.
func field(b []byte, key string) (int64, bool) {
	for len(b) > 0 {
		line := b
		if i := index(b, '\n'); i >= 0 {
			line, b = b[:i], b[i+1:]
		} else {
			b = nil
		}
		if len(line) > len(key) && line[len(key)] == ' ' && string(line[:len(key)]) == key {
			return number(line[len(key)+1:])
		}
	}
	return 0, false
}

// counter is a field that not every kernel has: -1 then.
func counter(b []byte, key string) int64 {
	if n, ok := field(b, key); ok {
		return n
	}
	return -1
}

func index(b []byte, c byte) int {
	for i, x := range b {
		if x == c {
			return i
		}
	}
	return -1
}

// pages rounds down to whole pages, as the memory controller does.
func pages(bytes int64) int64 {
	page := int64(os.Getpagesize())
	return bytes / page * page
}

// processes reads the pids of a group.
func (d dir) processes(name string) ([]int, error) {
	text, err := os.ReadFile(d.path + "/" + name)
	if err != nil {
		return nil, err
	}
	var out []int
	for len(text) > 0 {
		i := index(text, '\n')
		if i < 0 {
			break
		}
		if n, ok := number(text[:i]); ok && n > 0 && n <= math.MaxInt32 {
			out = append(out, int(n))
		}
		text = text[i+1:]
	}
	return out, nil
}

const killRounds = 100

// killEach sends SIGKILL to each process of the group until there is none. It is
// the second lock: the pid namespace has been killed before.
//
// A killed process stays in its group until it has given its memory back, so the
// rounds need pauses: two seconds in all.
func (d dir) killEach() error {
	pause := 100 * time.Microsecond
	for range killRounds {
		pids, err := d.processes("cgroup.procs")
		if err != nil || len(pids) == 0 {
			return err
		}
		for _, pid := range pids {
			// EPERM: one that is dying has given its ids up already.
			if err := unix.Kill(pid, unix.SIGKILL); err != nil && err != unix.ESRCH && err != unix.EPERM {
				return fmt.Errorf("kill %d of %s: %w", pid, d.path, err)
			}
		}
		time.Sleep(pause)
		pause = min(2*pause, 20*time.Millisecond)
	}
	return fmt.Errorf("%s still has processes after %d rounds of SIGKILL", d.path, killRounds)
}

// errSwap: the limit of a group could be exceeded in swap.
var errSwap = errors.New("swap is on and the kernel does not count it for groups; run: swapoff -a, or boot with swapaccount=1")

// swapOff holds where a group has no file to forbid swap: a kernel that does not
// count it. /proc/swaps lists nothing then, or is not there (no CONFIG_SWAP).
func (h host) swapOff() error {
	text, err := os.ReadFile(filepath.Join(filepath.Dir(h.proc), "swaps"))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("swap: %w", err)
	}
	if i := index(text, '\n'); i >= 0 && i+1 < len(text) {
		return errSwap
	}
	return nil
}
