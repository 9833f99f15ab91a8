package sandbox

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"cordon/cgroup"
	"cordon/sandbox/cell"
	"cordon/seccomp"
)

// Inside is a cell as it was when its program was about to be executed, and all was set up:
// seen from outside, by the service, and from inside, by the job's process itself. Who does not
// believe one can compare it with the other, or run a program that looks.
type Inside struct {
	Host    View                  `json:"host" doc:"As the service saw the job's process, from outside"`
	Job     View                  `json:"job" doc:"As the process saw itself, with its own rights"`
	Seccomp seccomp.FilterSummary `json:"seccomp" doc:"The filter that the process is under"`
	Cgroup  []cgroup.Held         `json:"cgroup" doc:"Limits of its group, as they were read back from the kernel"`
}

// View is a process, by what the kernel tells of it.
type View struct {
	Namespaces   []Namespace         `json:"namespaces"`
	UIDMap       []IDRange           `json:"uid_map"`
	GIDMap       []IDRange           `json:"gid_map"`
	UIDs         []int64             `json:"uids" doc:"Real, effective, saved and that for files, in the user namespace of who looks"`
	GIDs         []int64             `json:"gids"`
	Groups       []int64             `json:"groups" doc:"Further ones"`
	Capabilities map[string][]string `json:"capabilities" doc:"By set: inheritable, permitted, effective, bounding, ambient"`
	NoNewPrivs   bool                `json:"no_new_privs"`
	Seccomp      string              `json:"seccomp" enum:"off,strict,filter" doc:"Its mode"`
	Filters      int64               `json:"seccomp_filters" doc:"How many filters; -1 where the kernel does not tell"`
	Mounts       []Mount             `json:"mounts"`
	Rlimits      []Rlimit            `json:"rlimits"`
	Interfaces   []string            `json:"interfaces" doc:"Of the network namespace"`
	Refused      map[string]string   `json:"refused,omitempty" doc:"What could not be looked at, and why"`
}

// Namespace is one that the process is in.
type Namespace struct {
	Kind   string `json:"kind" enum:"user,mnt,pid,net,ipc,uts,cgroup"`
	ID     uint64 `json:"id" doc:"Its inode number"`
	Shared *bool  `json:"shared,omitempty" doc:"It is that of the service, too; only in host"`
}

// IDRange is a line of an id map.
type IDRange struct {
	Inside  int64  `json:"inside"`
	Outside int64  `json:"outside" doc:"In the user namespace of who looks: of host that of the service, of job that around the cell's"`
	Host    *int64 `json:"host,omitempty" doc:"In the machine's own user namespace, where the range lies in one piece there; only in host"`
	Count   int64  `json:"count"`
}

// Mount is a line of mountinfo.
type Mount struct {
	Point   string   `json:"point"`
	Type    string   `json:"type"`
	Options []string `json:"options" doc:"Of this mount"`
	Super   []string `json:"super_options" doc:"Of the file system: as for rw, a mount that is read-only wins"`
}

// Rlimit is a limit of the process's own; -1: there is none.
type Rlimit struct {
	Name string `json:"name"`
	Soft int64  `json:"soft"`
	Hard int64  `json:"hard"`
}

// namespaceKinds are those that a cell has of its own.
var namespaceKinds = []string{"user", "mnt", "pid", "net", "ipc", "uts", "cgroup"}

// viewing waits for what the job's process tells, looks at it meanwhile, and lets it go on.
type viewing struct {
	ours   *os.File
	theirs *os.File // until it is sent
	begun  bool     // look was
	done   chan struct{}
	once   sync.Once
	inside *Inside // of a process that came there
	err    error
}

func newViewing() (*viewing, error) {
	v := &viewing{done: make(chan struct{})}
	err := do(stepView, func() (err error) {
		v.ours, v.theirs, err = cell.ViewSockets()
		return err
	})
	return v, err
}

// sent: the cell has its end now, or never will. A viewing that is nil is none.
func (v *viewing) sent() {
	if v != nil && v.theirs != nil {
		v.theirs.Close()
		v.theirs = nil
	}
}

// close ends it: a process that waits there does not go on.
func (v *viewing) close() {
	if v == nil {
		return
	}
	v.sent()
	v.shut()
	if v.begun { // it reads what is the cell's
		<-v.done
	}
}

func (v *viewing) shut() { v.once.Do(func() { v.ours.Close() }) }

// begin has it looked at beside the watching.
func (v *viewing) begin(r *running) {
	v.sent()
	v.begun = true
	go v.look(r)
}

func (v *viewing) look(r *running) {
	defer close(v.done)
	defer v.shut()
	v.err = do(stepSeeView, func() error {
		told, err := cell.ReadView(v.ours)
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, os.ErrClosed) {
			return nil // the cell has ended before, and tells why itself
		}
		if err != nil {
			return err
		}
		in := &Inside{Job: newView(told.Texts), Seccomp: r.warm.kind.program.Summary()}
		for name, errno := range told.Refused {
			in.Job.refuse(name, errno)
		}
		if in.Host, err = hostView(told.Pid); err != nil {
			return err
		}
		if in.Cgroup, err = r.warm.group.Held(); err != nil {
			return err
		}
		err = cell.LetPass(v.ours)
		if errors.Is(err, syscall.EPIPE) || errors.Is(err, os.ErrClosed) {
			return nil // it was ended meanwhile: what was seen may have been another process of its number
		}
		if err == nil {
			v.inside = in
		}
		return err
	})
}

// hostView looks at a process that waits.
func hostView(pid int) (View, error) {
	if pid <= 0 {
		return View{}, errors.New("nobody told whose process it is")
	}
	at := filepath.Join("/proc", strconv.Itoa(pid))
	texts, refused := map[string][]byte{}, map[string]error{}
	for _, name := range []string{"status", "mountinfo", "uid_map", "gid_map", "limits", "net/dev"} {
		text, err := os.ReadFile(filepath.Join(at, name))
		if err != nil {
			refused[name] = err
		}
		texts[name] = text
	}
	for _, kind := range namespaceKinds {
		text, err := os.Readlink(filepath.Join(at, "ns", kind))
		if err != nil {
			refused["ns/"+kind] = err
		}
		texts["ns/"+kind] = []byte(text)
	}
	v := newView(texts)
	for name, err := range refused {
		v.refuse(name, err)
	}
	for i := range v.Namespaces {
		own, err := os.Readlink("/proc/self/ns/" + v.Namespaces[i].Kind)
		if err != nil {
			return v, err
		}
		shared := namespaceID(own) == v.Namespaces[i].ID
		v.Namespaces[i].Shared = &shared
	}
	for name, ranges := range map[string][]IDRange{"uid_map": v.UIDMap, "gid_map": v.GIDMap} {
		text, err := os.ReadFile("/proc/self/" + name)
		if err != nil {
			return v, err
		}
		onHost(ranges, idRanges(text))
	}
	return v, nil
}

// onHost finds where ranges lie outside of the service's own user namespace.
func onHost(ranges, own []IDRange) {
	for i := range ranges {
		r := &ranges[i]
		for _, o := range own {
			if r.Outside >= o.Inside && r.Outside+r.Count <= o.Inside+o.Count {
				host := o.Outside + r.Outside - o.Inside
				r.Host = &host
			}
		}
	}
}

// refuse notes what could not be looked at.
func (v *View) refuse(name string, err error) {
	if v.Refused == nil {
		v.Refused = map[string]string{}
	}
	var errno syscall.Errno
	if errors.As(err, &errno) {
		v.Refused[name] = errno.Error()
	} else {
		v.Refused[name] = fmt.Sprint(err)
	}
}

// namespaceID is the number in net:[4026531840]; 0 where there is none.
func namespaceID(link string) uint64 {
	_, number, _ := strings.Cut(link, ":[")
	id, _ := strconv.ParseUint(strings.TrimSuffix(number, "]"), 10, 64)
	return id
}
