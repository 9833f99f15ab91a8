package tenants

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// OpenHoldings reads who holds what. size tells how large a file of the store is, and
// whether it is there: what has gone is held by nobody.
func OpenHoldings(dir string, size func(sum string) (int64, bool)) (*Holdings, error) {
	h := &Holdings{dir: dir, files: map[string]*held{}, tenants: map[string]*amount{}}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("holdings: %w", err)
	}
	names, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("holdings: %w", err)
	}
	for _, t := range names {
		if t.Name() != operator && CheckName(t.Name()) != nil || !t.IsDir() {
			return nil, fmt.Errorf("holdings: %s: not a directory with the name of a tenant; remove it", filepath.Join(dir, t.Name()))
		}
		files, err := os.ReadDir(filepath.Join(dir, t.Name()))
		if err != nil {
			return nil, fmt.Errorf("holdings: %w", err)
		}
		for _, f := range files {
			n, there := int64(0), false
			if isSum(f.Name()) {
				n, there = size(f.Name())
			}
			if there {
				h.add(t.Name(), f.Name(), n)
			} else if err := os.Remove(h.marker(t.Name(), f.Name())); err != nil {
				return nil, fmt.Errorf("holdings: %w", err)
			}
		}
	}
	for sum, f := range h.files { // only the operator's: nothing has to be known of these
		if _, own := f.holders[operator]; own && len(f.holders) == 1 {
			h.forget(sum)
		}
	}
	return h, nil
}

func (h *Holdings) marker(tenant, sum string) string { return filepath.Join(h.dir, tenant, sum) }

// mark writes a holding down. The file is not forced to the disk: who has lost it puts the
// file again.
func (h *Holdings) mark(tenant, sum string) error {
	for _, made := range []bool{false, true} {
		f, err := os.OpenFile(h.marker(tenant, sum), os.O_CREATE|os.O_WRONLY, 0o600)
		if err == nil {
			return f.Close()
		}
		if !errors.Is(err, fs.ErrNotExist) || made {
			return err
		}
		if err := os.Mkdir(filepath.Join(h.dir, tenant), 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	return nil
}

func (h *Holdings) unmark(tenant, sum string) error {
	if err := os.Remove(h.marker(tenant, sum)); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
