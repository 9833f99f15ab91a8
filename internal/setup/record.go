package setup

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// record is what setup has made on this machine, by user: --undo takes back
// nothing else.
type record struct {
	Made map[string]map[string]string `json:"made"` // user → step → what exactly
}

func (h Host) recordFile() string { return h.path("/etc/cordon/setup.json") }

func (h Host) readRecord() (*record, error) {
	r := &record{Made: map[string]map[string]string{}}
	text, err := os.ReadFile(h.recordFile())
	if errors.Is(err, fs.ErrNotExist) {
		return r, nil
	}
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(text, r); err != nil {
		return nil, fmt.Errorf("%s: %w; it lists what setup has made; mend or remove it", h.recordFile(), err)
	}
	if r.Made == nil {
		r.Made = map[string]map[string]string{}
	}
	return r, nil
}

func (r *record) has(user, step string) bool {
	_, ok := r.Made[user][step]
	return ok
}

func (r *record) with(user, step, detail string) *record {
	if r.Made[user] == nil {
		r.Made[user] = map[string]string{}
	}
	r.Made[user][step] = detail
	return r
}

func (r *record) without(user, step string) *record {
	delete(r.Made[user], step)
	if len(r.Made[user]) == 0 {
		delete(r.Made, user)
	}
	return r
}

// lock keeps two setups from changing the machine at once. The lock goes with
// the process.
func (h Host) lock() (*os.File, error) {
	f, err := os.OpenFile(h.path("/run/cordon-setup.lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
		f.Close()
		return nil, os.NewSyscallError("flock", err)
	}
	return f, nil
}

// writeRecord replaces the file; an empty record is no file.
func (h Host) writeRecord(r *record) error {
	name := h.recordFile()
	if len(r.Made) == 0 {
		if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		_ = os.Remove(filepath.Dir(name)) // stays when the operator keeps files there
		return nil
	}
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(name+".new", append(text, '\n'), 0o644); err != nil {
		return err
	}
	return os.Rename(name+".new", name)
}
