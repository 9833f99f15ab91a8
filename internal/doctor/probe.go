package doctor

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// ProbeCommand is the hidden command under which this program tries one ability
// of the kernel.
const ProbeCommand = "__doctor-probe"

// probeMark is set for a probe, so that a program that forgot to run probes does
// not look for more of them.
const probeMark = "CORDON_DOCTOR_PROBE"

// probeTime is enough for a busy machine; a probe that hangs is a finding.
const probeTime = 20 * time.Second

// outcome is what a probe found. Problem is empty when it worked.
type outcome struct {
	Found   string `json:"found,omitempty"`
	Problem string `json:"problem,omitempty"` // what was tried
	Errno   string `json:"errno,omitempty"`   // the kernel's answer, such as EPERM
}

func (o outcome) ok() bool { return o.Problem == "" }

func (o outcome) text() string {
	switch {
	case o.ok():
		return o.Found
	case o.Errno == "":
		return o.Problem
	}
	return o.Problem + ": " + o.Errno
}

// problem makes an outcome of an error.
func problem(what string, err error) outcome {
	o := outcome{Problem: what}
	var errno unix.Errno
	if errors.As(err, &errno) {
		o.Errno = unix.ErrnoName(errno)
	} else {
		o.Problem += ": " + err.Error()
	}
	return o
}

// RunProbe is the child side: it tries one ability and writes the outcome as
// JSON. It may leave the process crippled, which is why it has one for itself.
func RunProbe(name string, w io.Writer) error {
	p, ok := probes[name]
	if !ok {
		return fmt.Errorf("%s %q: unknown, allowed are %v", ProbeCommand, name, slices.Sorted(maps.Keys(probes)))
	}
	// Namespaces, no_new_privs and filters belong to a thread.
	runtime.LockOSThread()
	return json.NewEncoder(w).Encode(p.try())
}

// tryAll runs every probe, some at a time.
func tryAll(ctx context.Context) map[string]outcome {
	var mu sync.Mutex
	var wg sync.WaitGroup
	out := make(map[string]outcome, len(probes))
	slots := make(chan struct{}, runtime.NumCPU())
	for name := range probes {
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			o := try(ctx, name)
			mu.Lock()
			out[name] = o
			mu.Unlock()
		})
	}
	wg.Wait()
	return out
}

// try runs one probe in a process of this program.
func try(ctx context.Context, name string) outcome {
	ctx, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, "/proc/self/exe", ProbeCommand, name)
	cmd.Env = append(os.Environ(), probeMark+"=1")
	cmd.WaitDelay = time.Second
	var out, complaint bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaint
	if flags := probes[name].flags; flags != 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{
			Cloneflags:  flags,
			UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Geteuid(), Size: 1}},
			GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: 1}},
		}
	}
	if err := cmd.Start(); err != nil {
		return problem("new "+flagNames(probes[name].flags), err)
	}
	return readOutcome(cmd.Wait(), out.Bytes(), complaint.Bytes())
}

// readOutcome judges the end of a probe.
func readOutcome(ended error, out, complaint []byte) outcome {
	var exit *exec.ExitError
	if errors.As(ended, &exit) {
		if s, ok := exit.Sys().(syscall.WaitStatus); ok && s.Signaled() {
			return outcome{Problem: "the probe was ended by " + unix.SignalName(s.Signal())}
		}
	}
	if ended != nil {
		return outcome{Problem: fmt.Sprintf("the probe failed: %v %s", ended, bytes.TrimSpace(complaint))}
	}
	var o outcome
	if err := json.Unmarshal(out, &o); err != nil || (o == outcome{}) {
		return outcome{Problem: "the probe's answer cannot be read"}
	}
	return o
}

// flagNames are the namespaces in words.
func flagNames(flags uintptr) string {
	text := ""
	for _, n := range namespaces {
		if flags&n.flag != 0 {
			if text != "" {
				text += " and "
			}
			text += n.name
		}
	}
	if text == "" {
		return "process"
	}
	return text + " namespace"
}
