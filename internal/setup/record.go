package setup

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// record is what setup has made on this machine, by user: --undo takes back
// nothing else.
type record struct {
	Made map[string][]string `json:"made"`
}

func (h Host) recordFile() string { return h.path("/etc/cordon/setup.json") }

func (h Host) readRecord() (*record, error) {
	r := &record{Made: map[string][]string{}}
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
		r.Made = map[string][]string{}
	}
	return r, nil
}

func (r *record) has(user, step string) bool { return slices.Contains(r.Made[user], step) }

func (r *record) with(user, step string) *record {
	if !r.has(user, step) {
		r.Made[user] = append(r.Made[user], step)
	}
	return r
}

func (r *record) without(user, step string) *record {
	r.Made[user] = slices.DeleteFunc(r.Made[user], func(s string) bool { return s == step })
	if len(r.Made[user]) == 0 {
		delete(r.Made, user)
	}
	return r
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
