package sandbox

import (
	"os"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"cordon/internal/testkit"
)

func TestZZ(t *testing.T) {
	l := newLab(t, func(c *Config) { c.Warm = 1 })
	free := l.config.Ranges.Free()
	l.output(t, shell("echo 1"))
	l.settled(t, free, 1)
	before := testkit.Descendants(t, os.Getpid())
	unix.Kill(l.servers()[0], unix.SIGKILL)
	go func() {
		time.Sleep(time.Second)
		for _, p := range testkit.Living(before) {
			w, _ := os.ReadFile("/proc/" + strconv.Itoa(p.Pid) + "/wchan")
			s, _ := os.ReadFile("/proc/" + strconv.Itoa(p.Pid) + "/status")
			k, _ := os.ReadFile("/proc/" + strconv.Itoa(p.Pid) + "/syscall")
			if len(s) > 300 {
				s = s[:300]
			}
			t.Logf("%v %s\n%s\n%s", p, w, s, k)
		}
	}()
	start := time.Now()
	l.output(t, shell("echo 2"))
	t.Log(time.Since(start))
}
