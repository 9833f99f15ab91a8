package cgroup

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// handed begins the names of the directories that cordon setup makes below the
// group of its caller: this for the service user, with "-NAME" for others.
const handed = "cordon"

// handedName is the directory of one user.
func handedName(user string) string {
	if user == handed {
		return handed
	}
	return handed + "-" + user
}

// handedBelow finds the directory that was handed to this user; without one it is
// the service user's, for the message that says so.
func handedBelow(own string) string {
	first := filepath.Join(own, handed)
	if unix.Access(first, unix.W_OK) == nil {
		return first
	}
	entries, _ := os.ReadDir(own) // not Glob: systemd puts backslashes into names
	for _, e := range entries {
		if dir := filepath.Join(own, e.Name()); strings.HasPrefix(e.Name(), handed+"-") && unix.Access(dir, unix.W_OK) == nil {
			return dir
		}
	}
	return first
}

// startLeaf is where a process of a delegated v2 tree starts; the tree's own
// directory must stay free of processes.
const startLeaf = "start"

// supervisor is the leaf into which a service moves that was started in the
// delegated group itself, as by a systemd unit with Delegate=yes.
const supervisor = "supervisor"

// Options say where to look.
type Options struct {
	Path string // of the operator; "" looks in the usual places
	Name string // of this instance: leftovers of the same name are swept
	// Stale says of another instance's name that its process is gone for good: what
	// it has left is swept, too. nil: none is.
	Stale func(name string) bool
	// Swept is told how many groups of cells were left and are removed. nil: nobody is.
	Swept func(groups int)
}

// ErrNoDelegation means that no cgroup is this user's to divide.
var ErrNoDelegation = errors.New("no cgroup is delegated to this user")

// Two of the reasons that an ErrNoDelegation can have.
var (
	ErrController = errors.New("is not delegated")
	ErrNoScope    = errors.New("no scope of this user's systemd")
)

// UserDelegate lets the systemd of every user hand down what a job's limits need:
// user@.service does not name io, and in old versions not cpu. A user's systemd
// looks at its start alone.
const UserDelegate = `printf '[Service]\nDelegate=cpu memory pids io\n' | sudo install -D -m 644 /dev/stdin ` +
	"/etc/systemd/system/user@.service.d/cordon.conf && sudo systemctl daemon-reload   (then end this user's sessions and log in again, or boot)"

// base is the delegated place: one directory on v2, one per controller on v1.
type base struct {
	version int
	v2      string
	v1      map[string]string
	found   string // how, for messages
}

// Discover finds the delegated cgroup and makes this instance's driver there.
func Discover(o Options) (Driver, error) {
	if o.Name == "" || o.Name[0] == '.' || strings.ContainsAny(o.Name, "/\n") {
		return nil, fmt.Errorf("cgroup: instance name %q: one part of a path is wanted, not beginning with a dot", o.Name)
	}
	b, err := realHost.find(o.Path)
	if err != nil {
		return nil, err
	}
	groups, err := b.sweepLeft(o)
	if err != nil {
		return nil, err
	}
	if o.Swept != nil {
		o.Swept(groups)
	}
	if b.version == 2 {
		return newV2(b.v2, o.Name)
	}
	return newV1(b.v1, o.Name)
}

// sweepLeft removes what dead instances have left, and counts their groups: on v1 each
// has a directory in every hierarchy, and names tell nothing of which belong together.
func (b base) sweepLeft(o Options) (int, error) {
	dirs := slices.Collect(maps.Values(b.v1))
	if b.version == 2 {
		dirs = []string{b.v2}
	}
	most := 0
	for _, dir := range dirs {
		names, err := children(dir)
		if err != nil {
			return 0, fmt.Errorf("cgroup: %w", err)
		}
		found := 0
		for _, name := range names {
			left := filepath.Join(dir, name)
			if name != o.Name && (o.Stale == nil || !o.Stale(name)) {
				continue
			}
			cells, err := children(left)
			err = errors.Join(err, sweep(left))
			if err == nil && name != o.Name { // its own directory is made again at once
				err = removeGroup(unix.AT_FDCWD, left, left)
			}
			if err != nil {
				return 0, fmt.Errorf("leftover of an earlier run: %w", err)
			}
			found += len(cells)
		}
		most = max(most, found)
	}
	return most, nil
}

// find looks in the order of the documentation and tells each place it refused.
func (h host) find(path string) (base, error) {
	b, looked, err := h.search(path)
	if err == nil && b == nil {
		err = h.nothing(looked)
	}
	if err != nil {
		return base{}, err
	}
	return *b, nil
}

// search finds a place, or the reasons against every one, each an indented line.
func (h host) search(path string) (*base, []error, error) {
	all, err := h.hierarchies()
	if err != nil {
		return nil, nil, fmt.Errorf("cgroup: %w", err)
	}
	var looked []error
	if v2, ok := unified(all); ok {
		b, reasons := findV2(v2, path)
		if b != nil {
			return b, nil, nil
		}
		looked = append(looked, reasons...)
	}
	if hasV1(all) {
		b, reasons := findV1(all, path)
		if b != nil {
			return b, nil, nil
		}
		looked = append(looked, reasons...)
	}
	if len(looked) == 0 {
		looked = []error{errors.New("  no cgroup hierarchy with memory, pids and cpu is mounted")}
	}
	return nil, looked, nil
}

// nothing is the error with every reason and with what helps on this machine.
func (h host) nothing(looked []error) error {
	reasons := errors.Join(looked...)
	help := `run "cordon setup" once as root, or start the service as a systemd unit with Delegate=yes`
	switch offer, err := h.offered(); {
	case errors.Is(reasons, ErrNoScope):
		help = "ask root once for: loginctl enable-linger NAME   (it starts NAME's own systemd, which delegates), " +
			"or start the service as a systemd unit with Delegate=yes"
	case h.booted() && errors.Is(reasons, ErrController):
		help = "run once: " + UserDelegate + "\nor start the service as a systemd unit with Delegate=yes"
	case h.booted() && err == nil && offer.Version == 1: // where systemd delegates to root alone
		help = `run "cordon setup --user NAME" as root in this session (sudo stays in it), or "cordon setup" and start cordon.service`
	}
	return fmt.Errorf("%w; looked at:\n%w\n%s", ErrNoDelegation, reasons, help)
}

// unified is the v2 hierarchy when it carries the controllers, which on hybrid
// hosts it does not.
func unified(all []hierarchy) (hierarchy, bool) {
	for _, h := range all {
		if h.version != 2 || h.own == "" {
			continue
		}
		text, err := os.ReadFile(filepath.Join(h.mount, "cgroup.controllers"))
		if err != nil {
			continue
		}
		have := strings.Fields(string(text))
		if !slices.ContainsFunc(v2Controllers, func(c string) bool { return !slices.Contains(have, c) }) {
			return h, true
		}
	}
	return hierarchy{}, false
}

func hasV1(all []hierarchy) bool {
	return slices.ContainsFunc(all, func(h hierarchy) bool { return slices.Contains(h.controllers, "memory") })
}

func findV2(h hierarchy, path string) (*base, []error) {
	type place struct{ path, how string }
	places := []place{{path, "--cgroup"}}
	if path == "" {
		parent := filepath.Dir(h.own)
		places = []place{{parent, "the parent of the own group"}, {h.own, "the own group"}, {handedBelow(h.own), bySetup}}
		if filepath.Base(h.own) == supervisor || filepath.Base(h.own) == startLeaf {
			places = places[:1]
		} else {
			places = places[1:]
		}
	}
	var looked []error
	for _, p := range places {
		err := delegatedV2(p.path)
		if err == nil && p.how == bySetup {
			err = enterable(h.own)
		}
		if err != nil {
			looked = append(looked, fmt.Errorf("  %s (%s): %w", p.path, p.how, err))
			continue
		}
		return &base{version: 2, v2: p.path, found: p.how}, nil
	}
	return nil, looked
}

// bySetup is how a handed directory came about.
const bySetup = "made by cordon setup"

// enterable: a process moves between two groups only where it may write to their
// common ancestor (cgroup-v2.rst, "Delegation Containment"). Outside of the handed
// directory that is root's.
func enterable(own string) error {
	if err := unix.Access(filepath.Join(own, "cgroup.procs"), unix.W_OK); err != nil {
		return errors.New("it cannot be entered from here; start by: cordon setup -- cordon serve")
	}
	return nil
}

// delegatedV2: this user may make groups there, move processes and hand down.
func delegatedV2(path string) error {
	for _, name := range []string{"", "cgroup.procs", "cgroup.subtree_control"} {
		if err := unix.Access(filepath.Join(path, name), unix.W_OK); err != nil {
			return fmt.Errorf("not writable: %s%w", strings.TrimPrefix(name+": ", ": "), err)
		}
	}
	text, err := os.ReadFile(filepath.Join(path, "cgroup.controllers"))
	if err != nil {
		return err
	}
	have := strings.Fields(string(text))
	for _, c := range v2Controllers {
		if !slices.Contains(have, c) {
			return fmt.Errorf("the controller %s %w, only: %s", c, ErrController, strings.Join(have, " "))
		}
	}
	return nil
}

func findV1(all []hierarchy, path string) (*base, []error) {
	b := &base{version: 1, v1: map[string]string{}, found: bySetup}
	var looked []error
	for _, c := range v1Controllers {
		h, ok := withController(all, c)
		if !ok {
			looked = append(looked, fmt.Errorf("  the v1 controller %s is not mounted", c))
			continue
		}
		place := handedBelow(h.own)
		if path != "" { // a path below every hierarchy, such as /cordon
			place = filepath.Join(h.mount, path)
		}
		if err := unix.Access(place, unix.W_OK); err != nil {
			looked = append(looked, fmt.Errorf("  %s (v1 %s): %w", place, c, err))
			continue
		}
		b.v1[c] = place
	}
	if len(b.v1) == len(v1Controllers) {
		return b, nil
	}
	return nil, looked
}

func withController(all []hierarchy, controller string) (hierarchy, bool) {
	for _, h := range all {
		if h.version == 1 && h.own != "" && slices.Contains(h.controllers, controller) {
			return h, true
		}
	}
	return hierarchy{}, false
}
