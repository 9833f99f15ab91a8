package verify

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"

	"cordon/test/victims"
)

// ignored are the signals that do nothing by default (signal(7)); the terminal's
// stop signals do nothing to a process group that nobody controls.
var (
	ignored  = []unix.Signal{unix.SIGCHLD, unix.SIGCONT, unix.SIGURG, unix.SIGWINCH}
	terminal = []unix.Signal{unix.SIGTSTP, unix.SIGTTIN, unix.SIGTTOU}
)

// signals: a program raises each one with its default action.
func (s *session) signals(ctx context.Context, o *Outcome) {
	for n := unix.Signal(1); n <= 64; n++ {
		want := []string{"signaled"}
		switch {
		case slices.Contains(ignored, n):
			want = []string{"ok"}
		case slices.Contains(terminal, n):
			want = []string{"ok", "wall_limit"}
		case n == unix.SIGSTOP:
			want = []string{"wall_limit"}
		}
		row := victims.Row{Command: victim("raise", strconv.Itoa(int(n))), Limits: map[string]any{"wall_ms": 1000}}
		a, err := s.service.post(ctx, s.request(&row))
		if err != nil {
			o.problem("%v", err)
			return
		}
		name := ""
		if a.result.Signal != nil {
			name = *a.result.Signal
		}
		known := unix.SignalName(n)
		if known == "" {
			known = fmt.Sprintf("SIG%d", n)
		}
		switch {
		case a.status != 200 || !slices.Contains(want, a.result.Verdict):
			o.problem("%s: answered %d, %s, want %v", known, a.status, a.result.Verdict, want)
		case a.result.Verdict == "signaled" && (name != known):
			o.problem("%s: the result names %q", known, name)
		}
	}
	o.Verdict = "signaled"
}

// manyInARow: the service looks afterwards as it did before.
func (s *session) manyInARow(ctx context.Context, o *Outcome) {
	for range 100 {
		if s.job(ctx, o, "ok", victims.Row{Command: []string{"true"}}) == nil {
			return
		}
	}
}
