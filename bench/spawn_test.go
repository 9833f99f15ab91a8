package bench

import (
	"errors"
	"syscall"
	"testing"
	"time"
)

func TestBare(t *testing.T) {
	s, err := measure(t.Context(), bare("/bin/true"), 1, 0)
	if err != nil || s.runs() != leastRuns || s.p50() <= 0 {
		t.Errorf("true: %v, %v", s, err)
	}
	if _, err := measure(t.Context(), bare("/bin/false"), 1, 0); !errors.Is(err, syscall.ECHILD) {
		t.Errorf("false: %v", err)
	}
	if _, err := measure(t.Context(), bare("/does/not/exist"), 1, 0); !errors.Is(err, syscall.ENOENT) {
		t.Errorf("a missing program: %v", err)
	}
}

func TestBareEndsWhenStopped(t *testing.T) {
	run, done, err := bare("/bin/true").client()
	if err != nil {
		t.Fatal(err)
	}
	defer done()
	setStop(true)
	defer setStop(false)
	if times, err := run(time.Hour, 2); err != nil || len(times) != 2 {
		t.Errorf("%d runs, %v", len(times), err)
	}
}

func TestSpawn(t *testing.T) {
	sh := func(script string) command {
		return command{argv: []string{"/bin/sh", "-c", script}, env: []string{"A=b"}, dir: "/usr", quiet: true, mute: true}
	}
	e, err := spawn(sh(`test "$A" = b && test "$PWD" = /usr && echo out && echo err >&2`))
	if err != nil || e.run <= 0 || e.total < e.run || e.cpu <= 0 {
		t.Errorf("%+v, %v", e, err)
	}
	if _, err := spawn(sh("exit 7")); err == nil || err.Error() != "/bin/sh: exit status 7" {
		t.Errorf("exit 7: %v", err)
	}
	if _, err := spawn(sh("kill -9 $$")); err == nil || err.Error() != "/bin/sh: ended by signal 9" {
		t.Errorf("kill -9: %v", err)
	}
	if _, err := spawn(command{argv: []string{"/does/not/exist"}}); !errors.Is(err, syscall.ENOENT) {
		t.Errorf("a missing program: %v", err)
	}
}
