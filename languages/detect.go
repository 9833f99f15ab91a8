package languages

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// probeTimeout allows for a JVM's first start from a cold disk.
const probeTimeout = 20 * time.Second

// finding is what Detect learnt of one language.
type finding struct {
	ok      bool
	version string
	missing string
	tools   map[string]string // name in the commands → name or path to run
	etc     []string
}

// command puts the tool that was found into argv[0].
func (f finding) command(argv []string) []string {
	argv = slices.Clone(argv)
	if found := f.tools[argv[0]]; found != "" {
		argv[0] = found
	}
	return argv
}

// Detect searches the machine for the tools of every language and asks their
// versions, a few at once. Answers are kept: a later call returns at once. A
// tool that does not answer within 20 s counts as missing. The error is that of
// ctx, and then nothing is kept.
func (s *Set) Detect(ctx context.Context) error {
	s.detect.Lock()
	defer s.detect.Unlock()
	if s.detected {
		return nil
	}
	finder := s.finder
	finder.asked = &answers{} // for this search alone: one that is cancelled has no answers
	findings := make([]finding, len(s.languages))
	slots := make(chan struct{}, runtime.NumCPU())
	var wg sync.WaitGroup
	for i, l := range s.languages {
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			findings[i] = finder.find(ctx, l)
		})
	}
	wg.Wait()
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("languages: detect: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, l := range s.languages {
		s.found[l.ID] = findings[i]
	}
	s.detected = true
	return nil
}

// EtcPaths are the files and directories below /etc and /var/lib that the
// languages found here read: a job's root has to show them read-only.
func (s *Set) EtcPaths() []string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var paths []string
	for _, f := range s.found {
		paths = append(paths, f.etc...)
	}
	slices.Sort(paths)
	return slices.Compact(paths)
}

func (f finder) find(ctx context.Context, l *language) finding {
	out := finding{tools: map[string]string{}}
	for _, t := range l.Tools {
		found, err := f.tool(t)
		if err != nil {
			out.missing = err.Error()
			return out
		}
		out.tools[t.Name] = found
	}
	if l.Version != nil {
		argv := out.command(l.Version.Command)
		version, err := f.asked.once(f.probeKey(l, argv), func() (string, error) { return f.probe(ctx, l, argv) })
		if why := l.fits(version); err == nil && why != "" {
			err = fmt.Errorf("%s says version %s; %s (Debian package: %s)", strings.Join(argv, " "), version, why, l.Tools[0].Package)
		}
		if err != nil {
			out.missing = err.Error()
			return out
		}
		out.version = version
	}
	for _, pattern := range l.Etc {
		// The pattern was checked when it was decoded: Glob cannot fail.
		matches, _ := filepath.Glob(pattern)
		out.etc = append(out.etc, matches...)
	}
	out.ok = true
	return out
}

// probeKey is the same for two probes that give the same answer: g++ is often a link
// to g++-12.
func (f finder) probeKey(l *language, argv []string) string {
	file, err := f.resolve(argv[0])
	if err == nil {
		file, err = filepath.EvalSymlinks(file)
	}
	if err != nil { // the probe will tell
		file = argv[0]
	}
	return fmt.Sprintf("%q %q %q %q", file, argv[1:], l.Version.Stdin, l.Version.Match)
}

// answers keeps what probes found: versions of a language often share their tool.
type answers struct {
	mu   sync.Mutex
	kept map[string]func() (string, error)
}

// once asks the first time that the key is given.
func (a *answers) once(key string, ask func() (string, error)) (string, error) {
	if a == nil {
		return ask()
	}
	a.mu.Lock()
	if a.kept == nil {
		a.kept = map[string]func() (string, error){}
	}
	answer, known := a.kept[key]
	if !known {
		answer = sync.OnceValues(ask)
		a.kept[key] = answer
	}
	a.mu.Unlock()
	return answer()
}

// probe runs the version command with the job's PATH.
func (f finder) probe(ctx context.Context, l *language, argv []string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	path, err := f.resolve(argv[0])
	if err != nil {
		return "", err
	}
	// A directory of its own: some tools write caches, and "." may not be readable.
	dir, err := os.MkdirTemp("", "cordon-version-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	if err := noTelemetry(dir); err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, path, argv[1:]...)
	cmd.Args[0] = argv[0]
	cmd.Dir = dir
	cmd.Env = []string{"PATH=" + strings.Join(f.path, ":"), "HOME=" + dir, "LANG=C.UTF-8", "GOTOOLCHAIN=local"}
	cmd.Stdin = strings.NewReader(l.Version.Stdin)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	// The whole group: java and tsc start through scripts and helpers.
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	out, err := cmd.CombinedOutput()
	if err != nil {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return "", fmt.Errorf("%s is there but does not work: %w: %s", strings.Join(argv, " "), err, firstLine(out))
	}
	m := l.version.FindSubmatch(out)
	if m == nil {
		return "", fmt.Errorf("%s: no version in %q", strings.Join(argv, " "), firstLine(out))
	}
	return string(m[1]), nil
}

func firstLine(out []byte) string {
	line, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
	return line[:min(len(line), 200)]
}

// noTelemetry: the go command would start a process that writes below HOME after
// it has ended itself, and after HOME was removed.
func noTelemetry(home string) error {
	dir := filepath.Join(home, ".config", "go", "telemetry")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "mode"), []byte("off\n"), 0o600)
}
