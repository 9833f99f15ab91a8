package cgroup

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Place is where the groups of jobs would be made.
type Place struct {
	Version int               // 1 or 2
	How     string            // why it is taken for ours, for messages
	Dirs    map[string]string // directory of each controller; one and the same on v2
}

// Look finds the delegated place as Discover does, and creates nothing. path is
// the operator's; "" looks in the usual places. The error is ErrNoDelegation with
// every place that was refused and why.
func Look(path string) (Place, error) { return realHost.look(path) }

func (h host) look(path string) (Place, error) {
	b, err := h.find(path)
	if err != nil {
		return Place{}, err
	}
	p := Place{Version: b.version, How: b.found, Dirs: b.v1}
	if b.version != 2 {
		return p, nil
	}
	have, err := v2Words(b.v2)
	if err != nil {
		return Place{}, err
	}
	p.Dirs = map[string]string{}
	for _, c := range slices.Concat(v2Controllers, v2Wanted) {
		if slices.Contains(have, c) {
			p.Dirs[c] = b.v2
		}
	}
	return p, nil
}

// Offer is what the host mounts, whether or not any of it is delegated.
type Offer struct {
	Version     int      // 2: one hierarchy that limits memory, pids and CPU; 1: v1 or hybrid; 0: neither
	Controllers []string // sorted
}

// Needed are the controllers without which a job cannot have every limit.
func (o Offer) Needed() []string {
	if o.Version == 1 {
		return slices.Clone(v1Controllers)
	}
	return slices.Clone(v2Controllers)
}

// Offered reads what is mounted. The version is the one that Discover would use.
func Offered() (Offer, error) { return realHost.offered() }

func (h host) offered() (Offer, error) {
	all, err := h.hierarchies()
	if err != nil {
		return Offer{}, fmt.Errorf("cgroup: %w", err)
	}
	if v2, ok := unified(all); ok {
		have, err := v2Words(v2.mount)
		slices.Sort(have)
		return Offer{Version: 2, Controllers: have}, err
	}
	if hasV1(all) {
		o := Offer{Version: 1}
		for _, one := range all {
			if one.version == 1 {
				o.Controllers = append(o.Controllers, one.controllers...)
			}
		}
		slices.Sort(o.Controllers)
		return o, nil
	}
	return partly(all)
}

// partly is a host where no version carries memory: what a v2 mount does carry
// tells which one the kernel was started without.
func partly(all []hierarchy) (Offer, error) {
	for _, one := range all {
		if one.version != 2 {
			continue
		}
		have, err := v2Words(one.mount)
		slices.Sort(have)
		return Offer{Controllers: have}, err
	}
	return Offer{}, nil
}

func v2Words(path string) ([]string, error) {
	text, err := os.ReadFile(filepath.Join(path, "cgroup.controllers"))
	if err != nil {
		return nil, fmt.Errorf("cgroup: %w", err)
	}
	return strings.Fields(string(text)), nil
}
