package sandbox

import (
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"cordon/policy"
)

// TestInside: what the service saw of a cell is what the job's process saw, and what its
// program sees, and what is promised.
func TestInside(t *testing.T) {
	l := newLab(t)
	job := shell("cat /proc/self/uid_map; grep -E 'Cap|Seccomp:|NoNew' /proc/self/status; readlink /proc/self/ns/net; cut -d' ' -f5 /proc/self/mountinfo | sort; ls /proc/self/fd | wc -l; ulimit -n")
	job.Inspect = true
	job.Limits = policy.LimitRequest{OpenFiles: ptr[int64](20), MemoryBytes: ptr[int64](64 << 20)}
	r := l.run(t, job)
	in := r.Inside
	if r.Verdict != OK || in == nil {
		t.Fatalf("%s %s", r.Verdict, r.Message)
	}
	if in.Host.Refused != nil || in.Job.Refused != nil {
		t.Errorf("refused: %v, %v", in.Host.Refused, in.Job.Refused)
	}
	out := string(r.Stdout)
	for name, v := range map[string]View{"host": in.Host, "job": in.Job} {
		sets := slices.Sorted(maps.Keys(v.Capabilities))
		if strings.Join(sets, " ") != "ambient bounding effective inheritable permitted" {
			t.Errorf("%s: %v", name, v.Capabilities)
		}
		for set, has := range v.Capabilities {
			if len(has) != 0 {
				t.Errorf("%s: %s: %v", name, set, has)
			}
		}
		if !v.NoNewPrivs || v.Seccomp != "filter" || !slices.Equal(v.Interfaces, []string{"lo"}) || len(v.Namespaces) != len(namespaceKinds) || len(v.Groups) != 0 {
			t.Errorf("%s: %+v", name, v)
		}
		if !slices.Contains(v.Rlimits, Rlimit{"RLIMIT_NOFILE", 20, 20}) {
			t.Errorf("%s: %+v", name, v.Rlimits)
		}
		points := ""
		for _, m := range v.Mounts {
			points += m.Point + "\n"
		}
		if sorted := slices.Sorted(strings.Lines(points)); !strings.Contains(out, strings.Join(sorted, "")) || len(sorted) < 4 {
			t.Errorf("%s: mounts %q, and the program sees\n%s", name, sorted, out)
		}
	}
	for i, n := range in.Host.Namespaces {
		if n.ID != in.Job.Namespaces[i].ID || n.Shared == nil || *n.Shared || in.Job.Namespaces[i].Shared != nil {
			t.Errorf("%+v and %+v", n, in.Job.Namespaces[i])
		}
		if own, _ := os.Readlink("/proc/self/ns/" + n.Kind); namespaceID(own) == n.ID {
			t.Errorf("control: %s is that of this process", n.Kind)
		}
	}
	// The same lines of status, and the same mounts, from both sides.
	if !reflect.DeepEqual(in.Host.Mounts, in.Job.Mounts) || !reflect.DeepEqual(in.Host.Rlimits, in.Job.Rlimits) || !reflect.DeepEqual(in.Host.Capabilities, in.Job.Capabilities) {
		t.Errorf("%+v\n%+v", in.Host, in.Job)
	}
	m := in.Host.UIDMap
	if l.config.Ranges != nil && (len(m) == 0 || m[0].Host == nil || *m[0].Host == 0 || m[0].Inside != in.Job.UIDMap[0].Inside) {
		t.Errorf("%+v, %+v", m, in.Job.UIDMap)
	}
	if in.Job.UIDs[0] != 1000 || in.Host.UIDs[0] == 1000 || in.Host.UIDs[0] == int64(os.Getuid()) {
		t.Errorf("uids %v inside, %v outside", in.Job.UIDs, in.Host.UIDs)
	}
	if s := in.Seccomp; s.Allowed < 100 || s.Denied < 50 || s.Conditional < 5 || s.Digest == "" || s.Instructions == 0 {
		t.Errorf("%+v", s)
	}
	found := false
	for _, h := range in.Cgroup {
		found = found || strings.Contains(h.File, "memory") && h.Value == "67108864"
	}
	if !found {
		t.Errorf("%+v", in.Cgroup)
	}
	// Nothing of it is left to the program: 0, 1, 2 and that of the directory.
	if !strings.Contains(out, "\n4\n20\n") {
		t.Errorf("descriptors: %s", out)
	}
	if other := l.run(t, shell("true")); other.Inside != nil {
		t.Error("a job that did not ask is inspected")
	}
}

// TestInsideOfTroubledJobs: programs that cannot be started, and jobs that end at once, are
// what they are without being looked at.
func TestInsideOfTroubledJobs(t *testing.T) {
	l := newLab(t)
	for want, job := range map[Verdict]*Job{ExecFailed: {Policy: "default", Command: []string{"/none"}}, OK: shell(""), Nonzero: shell("exit 3")} {
		job.ID, job.Inspect = "inside", true
		job.Limits.OpenFiles = ptr[int64](8)
		if r := l.run(t, job); r.Verdict != want || r.Inside == nil || len(r.Events.DeniedSyscalls) != 0 {
			t.Errorf("%s %s, want %s; %v %v", r.Verdict, r.Message, want, r.Inside != nil, r.Events.DeniedSyscalls)
		}
	}
}

// TestMountsTellNothingOfTheHost: paths and servers of the host are in what the kernel writes of a
// file system, in more options than one.
func TestMountsTellNothingOfTheHost(t *testing.T) {
	for text, want := range map[string]string{
		"43 1 0:5 / / ro - overlay none rw,lowerdir=/home/u/a:/b,upperdir=/home/u/c,workdir=/home/u/d,userxattr,index=off":                      "rw userxattr",
		"43 1 0:5 / / ro - overlay none ro,lowerdir+=/home/u/a,datadir+=/home/u/b,uuid=on":                                                      "ro",
		"43 1 0:5 / /usr ro - btrfs /dev/sda2 rw,ssd,space_cache=v2,subvolid=257,subvol=/@home/u":                                               "rw ssd",
		"43 1 0:5 / /opt ro - nfs4 10.0.0.5:/srv rw,vers=4.2,hard,clientaddr=10.0.0.7,addr=10.0.0.5":                                            "rw hard",
		"43 1 0:5 / /mnt ro - cifs //files/u rw,username=u,domain=d,soft,unc=\\\\files\\u":                                                      "rw soft",
		"43 1 0:5 / /tmp rw,nosuid - tmpfs tmpfs rw,size=8192k,nr_inodes=10,mode=711,uid=5,gid=6\n44 1 0:6 / /proc rw - proc proc rw,hidepid=2": "rw size=8192k nr_inodes=10 mode=711 uid=5 gid=6",
	} {
		if got := mounts([]byte(text)); len(got) == 0 || strings.Join(got[0].Super, " ") != want {
			t.Errorf("%s: %+v, want %s", text, got, want)
		}
	}
}

func FuzzView(f *testing.F) {
	f.Add([]byte("Uid:\t1 2 3 4\nCapEff:\tffffffffffffffff\nSeccomp:\t9\n"), []byte("36 35 98:0 / /mnt\\040x rw,noatime master:1 - ext3 /dev/root rw,errors=continue,lowerdir=/x\n"))
	f.Add([]byte("Limit                     Soft Limit           Hard Limit           Units\nMax cpu time              unlimited            unlimited            seconds\n"), []byte(" - "))
	f.Fuzz(func(t *testing.T, a, b []byte) {
		for _, texts := range []map[string][]byte{{"status": a, "mountinfo": b, "limits": a, "uid_map": b, "net/dev": a, "ns/user": b}} {
			v := newView(texts)
			for _, m := range v.Mounts {
				for _, o := range m.Super {
					if name, _, valued := strings.Cut(o, "="); valued && !superShown[name] {
						t.Errorf("%+v", m)
					}
				}
			}
		}
	})
}
