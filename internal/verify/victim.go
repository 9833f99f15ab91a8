package verify

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"cordon/test/victims"
)

// controlWithin ends a control that hangs.
const controlWithin = time.Minute

// compile makes the victims' binary in dir, with the machine's C compiler.
func compile(ctx context.Context, dir string) (string, error) {
	source, err := fs.Sub(victims.Source, "src")
	if err != nil {
		return "", err
	}
	names, err := fs.Glob(source, "*")
	if err != nil {
		return "", err
	}
	binary := filepath.Join(dir, victims.Program)
	args := []string{"-std=gnu17", "-O2", "-Wall", "-Wextra", "-Werror", "-static", "-pthread", "-o", binary}
	for _, name := range names {
		text, err := fs.ReadFile(source, name)
		if err != nil {
			return "", err
		}
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			return "", err
		}
		if strings.HasSuffix(name, ".c") {
			args = append(args, name)
		}
	}
	cmd := exec.CommandContext(ctx, "cc", args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if errors.Is(err, exec.ErrNotFound) {
		return "", errors.New("verify compiles its victims: a C compiler is missing; apt-get install gcc libc6-dev")
	}
	if err != nil {
		return "", fmt.Errorf("compile the victims: %w\n%s", err, out)
	}
	return binary, nil
}

// outside runs a victim where no cell is and returns its standard output. as is
// "user" or "userns", as in victims.Control. How it ends is not looked at: some
// controls are killed.
func (s *session) outside(ctx context.Context, as string, command []string) (string, error) {
	dir, err := os.MkdirTemp(s.dir, "control-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	ctx, cancel := context.WithTimeout(ctx, controlWithin)
	defer cancel()
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	if command[0] == victims.Program {
		cmd.Path, cmd.Err = s.victim, nil
	}
	cmd.Dir = dir
	cmd.WaitDelay = time.Second
	if as == "userns" {
		cmd.SysProcAttr = &syscall.SysProcAttr{
			Cloneflags: syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWNET |
				syscall.CLONE_NEWIPC | syscall.CLONE_NEWUTS,
			UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
			GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
		}
	}
	out, err := cmd.Output()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return "", fmt.Errorf("control: %w", err)
	}
	return string(out), nil
}
