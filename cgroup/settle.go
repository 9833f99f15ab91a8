package cgroup

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Settle puts this process where a delegated v2 group allows it to stay: a group
// with processes of its own cannot hand controllers to its children. Without a
// delegated group it asks the user's systemd for one. It is called before the
// daemon's user namespace exists, by the first process of a service. Nothing is
// done on v1, or when the operator names the place.
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
	if delegatedV2(v2.own) != nil {
		if err := scope(); err != nil {
			return nil // Discover tells what is missing; a scope is only one of the ways
		}
		if all, err = h.hierarchies(); err != nil {
			return fmt.Errorf("cgroup: %w", err)
		}
		v2, _ = unified(all)
	}
	return enterLeaf(v2.own)
}

// enterLeaf moves this process into a leaf of a delegated group.
func enterLeaf(own string) error {
	leaf := filepath.Join(own, supervisor)
	if err := os.Mkdir(leaf, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
		return fmt.Errorf("cgroup: %w", err)
	}
	if err := os.WriteFile(filepath.Join(leaf, "cgroup.procs"), []byte("0"), 0); err != nil {
		return fmt.Errorf("cgroup: move into %s: %w", leaf, err)
	}
	return nil
}
