package bench

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"
)

// PrototypeCommand is the hidden command that runs the bare prototype in the
// daemon's user namespace.
const PrototypeCommand = "__bench-prototype"

// prototypeName is the name under which the binary becomes one of its loops:
// prototype.c takes over before Go does.
const prototypeName = "cordon-prototype"

// Prototype is what the bare prototype is run with.
type Prototype struct {
	Program string
	For     time.Duration
	Loops   int      // processes at once
	Single  bool     // there is one id in this namespace
	Version int      // of the control groups
	Groups  []string // directories to make groups in: memory, pids and cpu of v1, or one of v2
	Root    string   // a directory to make mount points in
}

// Made is what it came to.
type Made struct {
	Cells     int     `json:"cells"`
	Loops     int     `json:"loops"`
	PerSecond float64 `json:"per_second"`
}

// maker is one process of the prototype.
type maker struct {
	command *exec.Cmd
	start   io.WriteCloser
	out     *bufio.Reader
	errors  bytes.Buffer
}

// Run runs it. It must be called in the daemon's user namespace.
func (p Prototype) Run(ctx context.Context) (made Made, err error) {
	made.Loops = p.Loops
	var loops []*maker
	defer func() {
		for _, l := range loops {
			if err != nil {
				_ = l.command.Process.Kill() // the loop itself may be what failed
			}
			if ended := l.command.Wait(); err == nil && ended != nil {
				err = l.problem(ended)
			}
			err = errors.Join(err, os.Remove(l.command.Args[5]))
		}
	}()
	for i := range p.Loops {
		l, err := p.maker(ctx, i)
		if err != nil {
			return made, err
		}
		loops = append(loops, l)
	}
	for _, l := range loops {
		if line, err := l.out.ReadString('\n'); err != nil || line != "ready\n" {
			return made, l.problem(fmt.Errorf("it is not ready: %q, %w", line, err))
		}
	}
	for _, l := range loops {
		if _, err := l.start.Write([]byte("g")); err != nil {
			return made, l.problem(err)
		}
	}
	for _, l := range loops {
		var cells int
		var took int64
		if _, err := fmt.Fscan(l.out, &cells, &took); err != nil || took == 0 {
			return made, l.problem(fmt.Errorf("its account: %w", err))
		}
		made.Cells += cells
		made.PerSecond += float64(cells) / (float64(took) / float64(time.Second))
	}
	return made, nil
}

// maker starts one process, which builds its root and waits.
func (p Prototype) maker(ctx context.Context, number int) (*maker, error) {
	root := filepath.Join(p.Root, fmt.Sprintf("bare-%d", number))
	if err := os.Mkdir(root, 0o755); err != nil {
		return nil, err
	}
	ids := "1000 1 1\n" // the first subordinate id
	if p.Single {
		ids = "1000 0 1\n"
	}
	l := &maker{}
	l.command = exec.CommandContext(ctx, "/proc/self/exe")
	l.command.Args = append([]string{prototypeName, strconv.FormatInt(int64(p.For), 10), p.Program, ids, strconv.Itoa(p.Version), root}, p.Groups...)
	l.command.Stderr = &l.errors
	var err error
	if l.start, err = l.command.StdinPipe(); err != nil {
		return nil, errors.Join(err, os.Remove(root))
	}
	out, err := l.command.StdoutPipe()
	if err != nil {
		return nil, errors.Join(err, os.Remove(root))
	}
	l.out = bufio.NewReader(out)
	if err := l.command.Start(); err != nil {
		return nil, errors.Join(err, os.Remove(root))
	}
	return l, nil
}

// problem adds what the loop has said.
func (l *maker) problem(err error) error {
	if said := bytes.TrimSpace(l.errors.Bytes()); len(said) > 0 {
		return fmt.Errorf("%w: %s", err, said)
	}
	return fmt.Errorf("prototype: %w", err)
}
