package e2e

import (
	"fmt"
	"strings"
	"testing"
)

func shell(script string) []string { return []string{"sh", "-c", script} }

// testEndings: every way in which a program ends by itself, and those in which
// it does not.
func testEndings(t *testing.T, s *service) {
	for code, verdict := range map[int]string{0: "ok", 1: "nonzero", 42: "nonzero", 126: "nonzero", 127: "nonzero", 137: "nonzero", 255: "nonzero"} {
		t.Run(fmt.Sprintf("exit_%d", code), func(t *testing.T) {
			parallel(t)
			r := s.run(t, object{"command": shell(fmt.Sprintf("exit %d", code))})
			r.want(t, verdict)
			if r.ExitCode == nil || *r.ExitCode != code || r.Signal != nil {
				t.Errorf("want exit code %d and no signal: %s", code, r)
			}
		})
	}
	// PIPE shows that the job does not inherit the daemon's ignored signals.
	for _, signal := range []string{"HUP", "INT", "QUIT", "ILL", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "PIPE", "ALRM", "TERM"} {
		t.Run("signal_"+signal, func(t *testing.T) {
			parallel(t)
			r := s.run(t, object{"command": shell("kill -s " + signal + " $$; sleep 5")})
			r.want(t, "signaled")
			if r.signal() != "SIG"+signal || r.ExitCode != nil {
				t.Errorf("want SIG%s and no exit code: %s", signal, r)
			}
		})
	}
	t.Run("sleep", func(t *testing.T) {
		parallel(t)
		r := s.run(t, object{"command": []string{"sleep", "30"}, "limits": object{"wall_ms": 300}})
		r.want(t, "wall_limit")
		if r.Usage.WallNanos < 300e6 || r.Usage.CPUNanos > 200e6 {
			t.Errorf("usage %+v", r.Usage)
		}
	})
	for name, tt := range map[string]struct {
		command []string
		errno   string
	}{
		"not_there":       {[]string{"./nothing-here"}, "ENOENT"},
		"not_in_PATH":     {[]string{"no-such-program"}, "ENOENT"},
		"not_a_program":   {[]string{"/work"}, "EACCES"},
		"no_such_loader":  {[]string{"./script"}, "ENOENT"},
		"not_for_machine": {[]string{"./text"}, "E"},
	} {
		t.Run("exec_"+name, func(t *testing.T) {
			parallel(t)
			r := s.run(t, object{"command": tt.command, "files": []object{
				{"path": "script", "content": "#!/no/such/interpreter\n", "mode": 0o755},
				{"path": "text", "content": "just text\n", "mode": 0o755},
			}})
			r.want(t, "exec_failed")
			if r.ExitCode != nil || r.Signal != nil || !strings.Contains(r.Message, tt.errno) {
				t.Errorf("want a message with %s: %s", tt.errno, r)
			}
		})
	}
	testStrays(t, s)
}

// testStrays: processes that outlive the main one. The wall limit is far: a
// verdict of ok says that the result did not wait for them.
func testStrays(t *testing.T, s *service) {
	for name, script := range map[string]string{
		"background":        "sleep 100 & echo done",
		"daemon":            "setsid sleep 100 < /dev/null > /dev/null 2>&1 & echo done",
		"ignores_signals":   "(trap '' TERM HUP INT; sleep 100; sleep 100) & echo done",
		"daemon_of_daemons": "setsid sh -c 'setsid sleep 100 & setsid sleep 100 & wait' < /dev/null > /dev/null 2>&1 & sleep 0.2; echo done",
	} {
		t.Run("stray_"+name, func(t *testing.T) {
			parallel(t)
			r := s.run(t, object{"command": shell(script)})
			r.want(t, "ok")
			if r.out(t) != "done\n" {
				t.Errorf("stdout %q", r.out(t))
			}
			if r.Events.StrayKilled < 1 {
				t.Errorf("stray_killed %d, want at least 1", r.Events.StrayKilled)
			}
		})
	}
}
