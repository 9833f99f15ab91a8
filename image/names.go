package image

import (
	"errors"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"time"
)

// named is what a name stands for.
type named struct {
	ID    string    `json:"id"`
	Added time.Time `json:"added"`
}

// names reads which image has which name.
func (s *Store) names() (map[string]named, error) {
	all := map[string]named{}
	err := readJSON(s.root, namesName, &all)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return all, err
}

// rename changes names; the caller holds the lock.
func (s *Store) rename(change func(map[string]named)) error {
	all, err := s.names()
	if err != nil {
		return err
	}
	before := maps.Clone(all)
	change(all)
	if maps.Equal(before, all) {
		return nil
	}
	return s.writeJSON(namesName, all)
}

func namesOf(all map[string]named, id string) []string {
	names := []string{}
	for name, n := range all {
		if n.ID == id {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func imageName(id string) string {
	return imagesDir + "/" + strings.TrimPrefix(id, "sha256:") + ".json"
}
