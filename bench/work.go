package bench

import (
	"context"
	"embed"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"cordon/test/victims"
)

//go:embed programs
var programs embed.FS

// workEnv is what the programs have outside: nothing of the caller's shell.
var workEnv = []string{"PATH=/usr/local/bin:/usr/bin:/bin", "HOME=/tmp", "LANG=C.UTF-8"}

// workload is a program that is run inside and outside.
type workload struct {
	figure string
	argv   []string
	files  map[string][]byte // beside it
	limits map[string]any
	of     func(inside, outside ended) (a, b time.Duration) // what is compared
}

func wall(inside, outside ended) (a, b time.Duration) { return inside.run, outside.run }
func cpu(inside, outside ended) (a, b time.Duration)  { return inside.cpu, outside.cpu }

// noCompiler is why figures are missing.
const noCompiler = "there is no C compiler: apt-get install gcc libc6-dev"

// compiled is the small program of programs/work.c.
func (s *session) compiled(ctx context.Context) ([]byte, error) {
	source, err := programs.ReadFile("programs/work.c")
	if err != nil {
		return nil, err
	}
	file := filepath.Join(s.dir, "work")
	if text, err := os.ReadFile(file); err == nil {
		return text, nil
	}
	if err := os.WriteFile(file+".c", source, 0o600); err != nil {
		return nil, err
	}
	if said, err := exec.CommandContext(ctx, "cc", "-std=gnu17", "-O2", "-o", file, file+".c").CombinedOutput(); err != nil {
		return nil, fmt.Errorf("compile: %w: %s", err, said)
	}
	return os.ReadFile(file)
}

// workloads of this machine; the others are told as missing.
func (s *session) workloads(ctx context.Context) ([]workload, error) {
	var all []workload
	switch program, err := s.compiled(ctx); {
	case errors.Is(err, exec.ErrNotFound):
		s.report.missing(noCompiler, "work_cpu", "work_getpid", "work_stat", "work_gcc")
	case err != nil:
		return nil, err
	default:
		files := map[string][]byte{"work": program}
		all = append(all,
			workload{figure: "work_cpu", argv: []string{"./work", "compute", pick(s.o.Effort, "100000000", "250000000", "500000000")}, files: files, of: cpu},
			workload{figure: "work_getpid", argv: []string{"./work", "getpid", "1000000"}, files: files, of: wall},
			workload{figure: "work_stat", argv: []string{"./work", "stat", "300000"}, files: files, of: wall})
		gcc, err := gccWork()
		if err != nil {
			return nil, err
		}
		all = append(all, gcc)
	}
	const python = "/usr/bin/python3"
	if _, err := os.Stat(python); err != nil {
		s.report.missing("there is no "+python+": apt-get install python3", "work_python")
		return all, nil
	}
	script, err := programs.ReadFile("programs/imports.py")
	if err != nil {
		return nil, err
	}
	return append(all, workload{figure: "work_python", argv: []string{python, "imports.py"}, files: map[string][]byte{"imports.py": script}, of: wall}), nil
}

// gccWork compiles the programs that cordon verify attacks with.
func gccWork() (workload, error) {
	w := workload{figure: "work_gcc", argv: []string{"/usr/bin/gcc", "-std=gnu17", "-O2", "-pthread", "-o", "victim"}, files: map[string][]byte{}, of: wall,
		limits: map[string]any{"cpu_ms": 60000}}
	source, err := fs.Sub(victims.Source, "src")
	if err != nil {
		return w, err
	}
	names, err := fs.Glob(source, "*")
	if err != nil {
		return w, err
	}
	for _, name := range names {
		if w.files[name], err = fs.ReadFile(source, name); err != nil {
			return w, err
		}
		if strings.HasSuffix(name, ".c") {
			w.argv = append(w.argv, name)
		}
	}
	return w, nil
}

// work compares what programs take inside and outside.
func (s *session) work(ctx context.Context) error {
	rounds := pick(s.o.Effort, 3, 5, 15)
	all, err := s.workloads(ctx)
	if err != nil {
		return err
	}
	for _, w := range all {
		s.note(Work + ": " + strings.Join(w.argv[:min(2, len(w.argv))], " "))
		inside, outside, err := s.bothSides(w)
		if err != nil {
			return err
		}
		var over, in, out []float64
		for i := range rounds + 1 {
			if err := ctx.Err(); err != nil {
				return err
			}
			one, err := inside()
			if err != nil {
				return fmt.Errorf("%s inside: %w", w.figure, err)
			}
			other, err := outside()
			if err != nil {
				return fmt.Errorf("%s outside: %w", w.figure, err)
			}
			if i == 0 { // fills caches
				continue
			}
			a, b := w.of(one, other)
			over, in, out = append(over, float64(a)/float64(b)), append(in, milliseconds(a)), append(out, milliseconds(b))
		}
		note := "from the exec to the end"
		if w.figure == "work_cpu" {
			note = "user and system: the kernel counts their sum exactly, and where it is divided by ticks"
		}
		s.report.set(w.figure, statOf(over), note)
		s.amount(Work, w.figure+" inside", "ms", statOf(in))
		s.amount(Work, w.figure+" outside", "ms", statOf(out))
	}
	return nil
}

// bothSides are one run in a cell and one as the calling user, in a directory of
// its own with the same files.
func (s *session) bothSides(w workload) (inside, outside func() (ended, error), err error) {
	dir := filepath.Join(s.dir, w.figure)
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, nil, err
	}
	var files []any
	for _, name := range slices.Sorted(maps.Keys(w.files)) {
		if err := os.WriteFile(filepath.Join(dir, name), w.files[name], 0o700); err != nil {
			return nil, nil, err
		}
		files = append(files, file(name, w.files[name]))
	}
	job := map[string]any{"command": w.argv, "files": files}
	if w.limits != nil {
		job["limits"] = w.limits
	}
	r, err := s.job(s.service, job)
	if err != nil {
		return nil, nil, err
	}
	inside = func() (ended, error) {
		a, err := s.once(r)
		if err != nil {
			return ended{}, err
		}
		s.jobs++
		return ended{run: time.Duration(a.Usage.Wall), cpu: time.Duration(a.Usage.CPU)}, nil
	}
	outside = func() (ended, error) { return spawn(command{argv: w.argv, env: workEnv, dir: dir, quiet: true}) }
	return inside, outside, nil
}

// file of a job, as the API takes it.
func file(name string, content []byte) map[string]any {
	return map[string]any{"path": name, "base64": base64.StdEncoding.EncodeToString(content), "mode": 0o755}
}
