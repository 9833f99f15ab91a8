package image

import (
	"encoding/json"
	"errors"
	"fmt"
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
	for name, n := range all {
		if !digestForm.MatchString(n.ID) {
			err = errors.Join(err, fmt.Errorf("%w: %s: %s stands for %s, which is no image's id", ErrDamaged, namesName, quoted(name), quoted(n.ID)))
			break
		}
	}
	if errors.Is(err, ErrDamaged) {
		err = fmt.Errorf("%w; remove the file %s/%s: the images stay, without names until they are brought in again; a prune before that takes them away", err, s.dir, namesName)
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

// callable: an archive that gives an image ever so many names fills the list of names.
func callable(names []string) error {
	if len(names) > callsMost {
		return rejected("%d names for one image, allowed are %d; say with --name what it is to be called", len(names), callsMost)
	}
	return nil
}

// stored is a document as the store keeps it: one that could not be read again is not
// written.
func stored(v any) ([]byte, error) {
	text, err := json.MarshalIndent(v, "", "  ")
	if err == nil && len(text) >= storedMax {
		err = fmt.Errorf("it would have %d bytes, allowed are %d; remove images and names that are not needed", len(text), storedMax)
	}
	return append(text, '\n'), err
}
