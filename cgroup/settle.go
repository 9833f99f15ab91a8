package cgroup

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
)

// Settle puts this process where a delegated v2 group allows it to stay: a group
// with processes of its own cannot hand controllers to its children. Without a
// delegated group, or with others in it, it asks the user's systemd for one. It is
// called before the daemon's user namespace exists, by the first process of a
// service. Nothing is done on v1, or when the operator names the place.
func Settle(path string) error { return realHost.settle(path, ownScope) }

func (h host) settle(path string, scope func() error) error {
	all, err := h.hierarchies()
	if err != nil {
		return fmt.Errorf("cgroup: %w", err)
	}
	v2, ok := unified(all)
	if !ok || path != "" {
		return nil
	}
	// A leaf of a delegated group may look delegated itself: it has controllers as
	// soon as its parent hands them down.
	if b, _ := findV2(v2, ""); b != nil && b.v2 != v2.own {
		return nil
	}
	ours := delegatedV2(v2.own) == nil
	if ours && alone(v2.own) {
		return enterLeaf(v2.own)
	}
	// The group of a terminal, with its shell, may look delegated, too: the user's
	// systemd owns it.
	switch err := scope(); {
	case err != nil && ours: // Discover tells what is in the way, if anything is
		return enterLeaf(v2.own)
	case err != nil:
		return h.unscoped(err)
	}
	if all, err = h.hierarchies(); err != nil {
		return fmt.Errorf("cgroup: %w", err)
	}
	v2, _ = unified(all)
	return enterLeaf(v2.own)
}

// unscoped tells why there is no scope, unless another place is delegated.
func (h host) unscoped(scope error) error {
	_, looked, err := h.search("")
	if err != nil || len(looked) == 0 {
		return err
	}
	if !errors.Is(scope, errNoSystemd) {
		looked = append(looked, fmt.Errorf("  %w: %w", ErrNoScope, scope))
	}
	return h.nothing(looked)
}

// alone: the group has no process besides this one.
func alone(own string) bool {
	pids, err := dir{path: own}.processes("cgroup.procs")
	return err == nil && !slices.ContainsFunc(pids, func(pid int) bool { return pid != os.Getpid() })
}

// enterLeaf moves this process into a leaf of a delegated group.
func enterLeaf(own string) error {
	leaf := filepath.Join(own, supervisor)
	if err := os.Mkdir(leaf, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
		return fmt.Errorf("cgroup: %w", err)
	}
	return enter(leaf)
}
