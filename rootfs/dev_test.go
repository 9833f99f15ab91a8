package rootfs

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"testing"
	"time"

	"cordon/policy"
	"cordon/sandbox/cell"
)

func TestDev(t *testing.T) {
	base := t.TempDir()
	filter, _ := os.CreateTemp("", "")
	filter.Write([]byte{6, 0, 0, 0, 0, 0, 0xff, 0x7f})
	for _, w := range []bool{false, true} {
		p, err := Make(policy.Root{Kind: "host", Writable: w}, Host{Base: base, FS: HostFS{}, CPUs: 2}, 1<<24, 4096)
		if err != nil {
			t.Fatal(err)
		}
		s, err := cell.Start(cell.Template{Name: "x", Root: p.Template, Cell: p.Cell})
		if err != nil {
			t.Fatal(err)
		}
		run := func(args ...string) {
			t0 := time.Now()
			c, err := s.Cell(cell.Order{FirstID: 100000, Filter: filter})
			if err != nil {
				t.Fatal(err)
			}
			if err := c.Ready(); err != nil {
				t.Fatal(err)
			}
			t1 := time.Now()
			r, wr, _ := os.Pipe()
			in, _ := cell.Input([]byte("hello\n"))
			wr2 := wr
			err = c.Run(&cell.Program{Args: args, Env: []string{"PATH=/usr/local/bin:/usr/bin:/bin"}, Entries: []cell.Entry{{Path: "a/b.txt", Mode: 0644, Data: []byte("data")}}}, cell.Stdio{In: in, Out: wr, Err: wr2})
			wr.Close()
			out, _ := io.ReadAll(r)
			end, err2 := c.Await(func() {})
			<-c.Dead()
			t2 := time.Now()
			fmt.Println(args, err, err2, end.Failure, end, t1.Sub(t0), t2.Sub(t1))
			fmt.Println(string(out))
			c.Close()
		}
		run("/bin/true")
		run("/bin/true")
		run("sh", "-c", "id; cat; cat /work/a/b.txt; ls -la / /work /dev /proc/1/exe; grep -E 'Cap|NoNew|Secc|Groups' /proc/self/status; cat /proc/self/cgroup; touch /x /usr/local/bin/y /opt/z; cat /proc/self/mountinfo; echo hi > /tmp/x; ls -l /proc/self/fd; hostname; df /tmp; unshare -U true; cat /proc/self/oom_score_adj; sleep 100 & exit 3")
		run("nonexist")
		s.Close()
	}
	_ = exec.Command
}
