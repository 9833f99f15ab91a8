package verify

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"cordon/test/victims"
)

// Options of a verification.
type Options struct {
	Binary string           // the cordon binary to run as service
	Serve  []string         // further arguments of cordon serve
	User   string           // name of the calling user
	Rows   []string         // only these; empty: all
	Loaded bool             // with every processor busy
	Note   func(o *Outcome) // called after each row; may be nil
}

// session is one service with all that watches it.
type session struct {
	o          Options
	dir        string
	victim     string // path of the compiled program
	program    string // the same as base64, for requests
	service    *service
	observer   *observer
	baseline   *state
	background []*os.Process
	shared     map[string]string // hashes of files that all jobs see
}

// corpusLimits are what a row has when it says nothing else.
var corpusLimits = map[string]any{
	"cpu_ms": 20000, "wall_ms": 60000, "memory_bytes": 64 << 20, "pids": 32, "output_bytes": 64 << 10,
	"disk_bytes": 16 << 20, "disk_files": 4096, "file_bytes": 16 << 20,
}

// Run runs the corpus once.
func Run(ctx context.Context, o Options) (report *Report, err error) {
	rows, err := victims.Load()
	if err != nil {
		return nil, err
	}
	if rows, err = chosen(rows, o.Rows); err != nil {
		return nil, err
	}
	s, err := newSession(ctx, o, rows)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	report = &Report{Kernel: kernel(), Loaded: o.Loaded}
	for i := range rows {
		outcome := s.row(ctx, &rows[i])
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		report.Rows = append(report.Rows, *outcome)
		if o.Note != nil {
			o.Note(outcome)
		}
	}
	report.Cgroup = s.cgroupVersion(ctx)
	return report, nil
}

func chosen(rows []victims.Row, ids []string) ([]victims.Row, error) {
	if len(ids) == 0 {
		return rows, nil
	}
	var out []victims.Row
	for _, id := range ids {
		i := slices.IndexFunc(rows, func(r victims.Row) bool { return strings.EqualFold(r.ID, id) })
		if i < 0 {
			return nil, fmt.Errorf("--row: there is no row %q; rows are such as %s", id, rows[0].ID)
		}
		out = append(out, rows[i])
	}
	return out, nil
}

func newSession(ctx context.Context, o Options, rows []victims.Row) (_ *session, err error) {
	s := &session{o: o}
	if s.dir, err = os.MkdirTemp("", "cordon-verify-"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	if s.victim, err = compile(ctx, s.dir); err != nil {
		return nil, err
	}
	text, err := os.ReadFile(s.victim)
	if err != nil {
		return nil, err
	}
	s.program = base64.StdEncoding.EncodeToString(text)
	guard := filepath.Join(s.dir, "guard")
	if err := os.MkdirAll(guard, 0o755); err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(guard, "marker"), []byte("untouched"), 0o600); err != nil {
		return nil, err
	}
	if s.service, err = startService(ctx, o.Binary, filepath.Join(s.dir, "state"), append([]string{"--parallel", "8"}, o.Serve...)); err != nil {
		return nil, err
	}
	s.observer = &observer{pid: s.service.pid, guard: guard, ids: subordinate("/etc/subuid", o.User, os.Getuid())}
	if s.shared, err = sample(); err != nil {
		return nil, err
	}
	if err := s.load(); err != nil {
		return nil, err
	}
	return s, s.warm(ctx, rows)
}

// warm runs one job of every policy, so that what a service keeps is there, and
// remembers how it looks then.
func (s *session) warm(ctx context.Context, rows []victims.Row) error {
	seen := map[string]bool{}
	for _, r := range rows {
		name := policyOf(&r)
		if seen[name] {
			continue
		}
		seen[name] = true
		a, err := s.service.post(ctx, map[string]any{"policy": name, "command": []string{"true"}})
		if err != nil {
			return err
		}
		if a.status != 200 || a.result.Verdict != "ok" {
			return fmt.Errorf("a first job under policy %s: %s", name, a.body)
		}
	}
	var err error
	s.baseline, err = s.observer.stable()
	return err
}

func policyOf(r *victims.Row) string {
	if r.Policy == "" {
		return "default"
	}
	return r.Policy
}

// load keeps every processor busy until the session ends.
func (s *session) load() error {
	if !s.o.Loaded {
		return nil
	}
	for range runtime.NumCPU() {
		p, err := os.StartProcess(s.victim, []string{victims.Program, "spin"}, &os.ProcAttr{})
		if err != nil {
			return err
		}
		s.background = append(s.background, p)
	}
	return nil
}

func (s *session) close() error {
	var errs []error
	for _, p := range s.background {
		errs = append(errs, p.Kill())
		_, _ = p.Wait()
	}
	if s.service != nil {
		errs = append(errs, s.service.stop())
		if strings.Contains(s.service.logged(), "leak") {
			errs = append(errs, fmt.Errorf("the service tells of a leak:\n%s", s.service.logged()))
		}
	}
	return errors.Join(append(errs, os.RemoveAll(s.dir))...)
}

// kernel is release and machine, as uname(2) has them.
func kernel() string {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return "unknown"
	}
	return unix.ByteSliceToString(u.Release[:]) + " " + unix.ByteSliceToString(u.Machine[:])
}

// cgroupVersion is what a result says of its memory limit.
func (s *session) cgroupVersion(ctx context.Context) string {
	a, err := s.service.post(ctx, map[string]any{"command": []string{"true"}})
	if err != nil || a.status != 200 {
		return ""
	}
	by, _, _ := strings.Cut(a.result.Limits["memory_bytes"].EnforcedBy, " ")
	return by
}
