package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// engine is a program of this machine that runs another in a sandbox of its own,
// started once for each job.
type engine struct {
	name string
	// argv is its command line; dir is an empty directory for what it needs, and its
	// XDG_RUNTIME_DIR.
	argv func(s *session, path, dir string) ([]string, error)
	// done takes away what it leaves; may be nil.
	done func(path, dir string) error
}

var engines = []engine{
	{"bwrap", func(s *session, path, _ string) ([]string, error) {
		return []string{path, "--unshare-all", "--die-with-parent", "--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", s.o.Program}, nil
	}, nil},
	{"crun", bundled, nil},
	{"runc", bundled, nil},
	{"podman", func(s *session, path, dir string) ([]string, error) {
		root, mounts, err := bareRoot(dir)
		if err != nil {
			return nil, err
		}
		argv := []string{path, "--root", filepath.Join(dir, "storage"), "--runroot", filepath.Join(dir, "run"), "run", "--rm", "--network", "none", "--log-driver", "none"}
		for _, m := range mounts {
			argv = append(argv, "--volume", m+":"+m+":ro")
		}
		return append(argv, "--rootfs", root, s.o.Program), nil
	}, podmanDone},
}

// podmanDone removes its storage, where files belong to subordinate ids, and ends
// the process by which it keeps a user namespace.
func podmanDone(path, dir string) error {
	remove := exec.Command(path, "unshare", "rm", "-rf", filepath.Join(dir, "storage"), filepath.Join(dir, "run"))
	remove.Env = append(os.Environ(), "XDG_RUNTIME_DIR="+dir)
	if said, err := remove.CombinedOutput(); err != nil {
		return fmt.Errorf("podman's storage: %w: %s", err, said)
	}
	text, err := os.ReadFile(filepath.Join(dir, "libpod", "tmp", "pause.pid"))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || pid < 2 {
		return fmt.Errorf("podman's pause process: %q is no pid", text)
	}
	return unix.Kill(pid, unix.SIGKILL)
}

// peers measures those that are installed, one client, in turns with Cordon.
func (s *session) peers(ctx context.Context) (err error) {
	rounds := pick(s.o.Effort, 2, 3, 7)
	slice := pick(s.o.Effort, 200*time.Millisecond, time.Second, 3*time.Second)
	turns := []turn{{s.target(), 1, slice}}
	for _, e := range engines {
		path, absent := exec.LookPath(e.name)
		if absent != nil {
			s.report.Notes = append(s.report.Notes, e.name+" is not installed")
			continue
		}
		dir := filepath.Join(s.dir, e.name)
		if e.done != nil {
			defer func() { err = errors.Join(err, e.done(path, dir)) }()
		}
		t, failed := s.engine(e, path, dir)
		if failed == nil {
			_, failed = measure(ctx, t, 1, 0)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if failed != nil {
			s.report.Notes = append(s.report.Notes, fmt.Sprintf("%s is installed and cannot be measured: %v", e.name, failed))
			continue
		}
		turns = append(turns, turn{t, 1, slice})
	}
	if len(turns) == 1 {
		return nil
	}
	_, err = s.turns(ctx, Peers, rounds, turns)
	return err
}

// engine as a target. What it says when it fails is the error.
func (s *session) engine(e engine, path, dir string) (target, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return target{}, err
	}
	argv, err := e.argv(s, path, dir)
	if err != nil {
		return target{}, err
	}
	env := append(os.Environ(), "XDG_RUNTIME_DIR="+dir)
	first := exec.Command(argv[0], argv[1:]...)
	first.Env = env
	if said, err := first.CombinedOutput(); err != nil {
		return target{}, fmt.Errorf("%w: %s", err, strings.Join(strings.Fields(string(said)), " "))
	}
	run := func() (time.Duration, error) {
		ended, err := spawn(command{argv: argv, env: env, quiet: true, mute: true})
		return ended.total, err
	}
	return target{e.name, func() (loop, func(), error) { return repeated(run), func() {}, nil }}, nil
}

// bareRoot makes a root that has this machine's programs by the mounts that it
// names: what is a link here is one there.
func bareRoot(dir string) (root string, mounts []string, err error) {
	root = filepath.Join(dir, "rootfs")
	for _, name := range []string{"", "/proc", "/dev", "/sys", "/tmp", "/etc", "/run"} {
		if err := os.MkdirAll(root+name, 0o755); err != nil {
			return "", nil, err
		}
	}
	for _, name := range []string{"/usr", "/bin", "/sbin", "/lib", "/lib64"} {
		to, err := os.Readlink(name)
		switch {
		case err == nil:
			err = os.Symlink(to, root+name)
		case errors.Is(err, os.ErrNotExist):
			continue
		default:
			mounts = append(mounts, name)
			err = os.Mkdir(root+name, 0o755)
		}
		if err != nil {
			return "", nil, err
		}
	}
	return root, mounts, nil
}

// bundled makes an OCI bundle by the runtime's own "spec" command and changes what
// the job needs.
func bundled(s *session, path, dir string) ([]string, error) {
	root, mounts, err := bareRoot(dir)
	if err != nil {
		return nil, err
	}
	spec := exec.Command(path, "spec", "--rootless")
	spec.Dir = dir
	if said, err := spec.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("spec: %w: %s", err, said)
	}
	file := filepath.Join(dir, "config.json")
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var config map[string]any
	if err := json.Unmarshal(text, &config); err != nil {
		return nil, err
	}
	process, ok := config["process"].(map[string]any)
	listed, ok2 := config["mounts"].([]any)
	if !ok || !ok2 {
		return nil, errors.New("its spec has no process or no mounts")
	}
	process["terminal"] = false
	process["args"] = []string{s.o.Program}
	config["root"] = map[string]any{"path": root, "readonly": true}
	for _, m := range mounts {
		listed = append(listed, map[string]any{"destination": m, "source": m, "type": "bind", "options": []string{"rbind", "ro"}})
	}
	config["mounts"] = slices.DeleteFunc(listed, func(m any) bool { // needs rights that the user lacks
		entry, _ := m.(map[string]any)
		return entry["destination"] == "/sys/fs/cgroup"
	})
	if text, err = json.Marshal(config); err != nil {
		return nil, err
	}
	if err := os.WriteFile(file, text, 0o600); err != nil {
		return nil, err
	}
	return []string{path, "--root", filepath.Join(dir, "state"), "run", "--bundle", dir, fmt.Sprintf("cordon-bench-%d", os.Getpid())}, nil
}
