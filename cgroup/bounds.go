package cgroup

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Bounds are what the groups leave in which the service and its jobs live: the least of
// them, up to the top of what can be seen of their hierarchy. 0: no group bounds it.
type Bounds struct {
	Memory   int64
	MemoryBy string // the file that says so
	CPUs     float64
	CPUsBy   string
}

// Bounded reads the bounds of the place that Look finds, and of the caller's own groups.
// Which processors these may use is not in them: sched_getaffinity(2) tells that.
func Bounded(path string) (Bounds, error) { return realHost.bounded(path) }

func (h host) bounded(path string) (Bounds, error) {
	var out Bounds
	b, err := h.find(path)
	if err != nil {
		return out, err
	}
	all, err := h.hierarchies()
	if err != nil {
		return out, fmt.Errorf("cgroup: %w", err)
	}
	for _, one := range all {
		if one.version == 2 {
			err = errors.Join(out.take(one, b.v2, "memory.max", readMemory), out.take(one, b.v2, "cpu.max", readRate))
		} else {
			err = nil
			if slices.Contains(one.controllers, "memory") {
				err = out.take(one, b.v1["memory"], "memory.limit_in_bytes", readMemory)
			}
			if slices.Contains(one.controllers, "cpu") {
				err = errors.Join(err, out.take(one, b.v1["cpu"], "cpu.cfs_quota_us", readRateV1))
			}
		}
		if err != nil {
			return out, fmt.Errorf("cgroup: %w", err)
		}
	}
	return out, nil
}

// take looks at a file of a group, of the caller's own, and of all that are above them.
func (b *Bounds) take(h hierarchy, dir, name string, read func(*Bounds, string, string) error) error {
	for _, dir := range []string{h.own, dir} {
		for ; dir == h.mount || strings.HasPrefix(dir, h.mount+"/"); dir = filepath.Dir(dir) {
			file := filepath.Join(dir, name)
			text, err := os.ReadFile(file)
			if errors.Is(err, fs.ErrNotExist) { // the root has none, and groups without the controller
				continue
			}
			if err == nil {
				err = read(b, file, strings.TrimSpace(string(text)))
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// readMemory: where v1 has no limit it has one that no host reaches.
func readMemory(b *Bounds, file, text string) error {
	if text == "max" {
		return nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 {
		return fmt.Errorf("%s: %q found, a number of bytes is wanted", file, text)
	}
	if n < 1<<60 && (b.MemoryBy == "" || n < b.Memory) {
		b.Memory, b.MemoryBy = n, file
	}
	return nil
}

// readRate reads "QUOTA PERIOD".
func readRate(b *Bounds, file, text string) error {
	quota, period, ok := strings.Cut(text, " ")
	if ok && quota == "max" {
		return nil
	}
	return b.rate(file, quota, period)
}

// readRateV1: the period stands beside the quota.
func readRateV1(b *Bounds, file, quota string) error {
	if quota == "-1" {
		return nil
	}
	period, err := os.ReadFile(filepath.Join(filepath.Dir(file), "cpu.cfs_period_us"))
	if err != nil {
		return err
	}
	return b.rate(file, quota, strings.TrimSpace(string(period)))
}

func (b *Bounds) rate(file, quota, period string) error {
	q, err := strconv.ParseInt(quota, 10, 64)
	p, failed := strconv.ParseInt(period, 10, 64)
	if err != nil || failed != nil || q <= 0 || p <= 0 {
		return fmt.Errorf("%s: quota %q and period %q found, two numbers above 0 are wanted", file, quota, period)
	}
	if rate := float64(q) / float64(p); b.CPUsBy == "" || rate < b.CPUs {
		b.CPUs, b.CPUsBy = rate, file
	}
	return nil
}
