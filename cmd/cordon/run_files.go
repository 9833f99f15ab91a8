package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"cordon/sandbox"
)

// size is a number of bytes written with K, M or G (powers of 1024).
type size int64

var units = []struct {
	suffix string
	factor int64
}{{"K", 1 << 10}, {"M", 1 << 20}, {"G", 1 << 30}, {"T", 1 << 40}}

// Set reads a size; an "iB" or "B" behind the unit is allowed.
func (s *size) Set(text string) error {
	number, factor := strings.TrimSuffix(strings.TrimSuffix(strings.ToUpper(text), "B"), "I"), int64(1)
	for _, u := range units {
		if rest, ok := strings.CutSuffix(number, u.suffix); ok {
			number, factor = rest, u.factor
		}
	}
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || n < 0 || n > (1<<62)/factor {
		return fmt.Errorf("%q given, a size such as 512K, 64M or 2G is wanted", text)
	}
	*s = size(n * factor)
	return nil
}

// String writes a size with one digit after the point at most.
func (s size) String() string {
	for i := len(units) - 1; i >= 0; i-- {
		if u := units[i]; int64(s) >= u.factor {
			return strings.TrimSuffix(fmt.Sprintf("%.1f", float64(s)/float64(u.factor)), ".0") + u.suffix
		}
	}
	return strconv.FormatInt(int64(s), 10)
}

// Type is shown in the help.
func (s *size) Type() string { return "size" }

// readFile reads "path" or "path:name".
func readFile(spec string) (sandbox.File, error) {
	path, name, ok := strings.Cut(spec, ":")
	if !ok {
		name = filepath.Base(path)
	}
	info, err := os.Stat(path)
	if err != nil {
		return sandbox.File{}, fmt.Errorf("--file: %w", err)
	}
	if !info.Mode().IsRegular() {
		return sandbox.File{}, fmt.Errorf("--file: %s is not a regular file", path)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return sandbox.File{}, fmt.Errorf("--file: %w", err)
	}
	return sandbox.File{Path: name, Mode: info.Mode().Perm(), Data: data}, nil
}

// saveOutputs writes collected files below the current directory. Names are the
// job's: they are opened beneath this directory, through no link, and never over
// a file that is there.
func saveOutputs(files []sandbox.OutputFile) error {
	root, err := os.OpenRoot(".")
	if err != nil {
		return err
	}
	defer root.Close()
	for _, f := range files {
		if f.Error != "" {
			fmt.Fprintf(os.Stderr, "cordon: output %q: %s\n", f.Path, f.Error)
			continue
		}
		if dir := filepath.Dir(f.Path); dir != "." {
			if err := root.MkdirAll(dir, 0o755); err != nil {
				return fmt.Errorf("output %q: %w", f.Path, err)
			}
		}
		out, err := root.OpenFile(f.Path, os.O_WRONLY|os.O_CREATE|os.O_EXCL|unix.O_NOFOLLOW, 0o644)
		if err != nil {
			return fmt.Errorf("output %q: %w", f.Path, err)
		}
		if _, err := out.Write(f.Data); err != nil {
			out.Close()
			return fmt.Errorf("output %q: %w", f.Path, err)
		}
		if err := out.Close(); err != nil {
			return fmt.Errorf("output %q: %w", f.Path, err)
		}
	}
	return nil
}

// pump feeds a pipe from our own standard input. The job never gets the file
// itself: it may be a terminal, and a terminal is a way out (CVE-2017-5226).
func pump(from *os.File) (*os.File, error) {
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC); err != nil {
		return nil, os.NewSyscallError("pipe2", err)
	}
	r, w := os.NewFile(uintptr(fds[0]), "stdin"), os.NewFile(uintptr(fds[1]), "stdin")
	go func() {
		defer w.Close()
		_, _ = io.Copy(w, from) // ends when the job no longer reads: EPIPE
	}()
	return r, nil
}
