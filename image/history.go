package image

import (
	"slices"
	"time"
)

// Step is how one layer, or nothing but the configuration, came about.
type Step struct {
	DiffID    string    `json:"diff_id,omitempty"` // "": the step made no layer
	Created   time.Time `json:"created"`
	CreatedBy string    `json:"created_by"`
	Comment   string    `json:"comment,omitempty"`
	Bytes     int64     `json:"bytes"`
}

// History is how the image says that it was made, the latest step first. Layers of which
// it says nothing stand there, too.
func (i *Image) History() ([]Step, error) {
	f, err := i.File()
	if err != nil {
		return nil, err
	}
	steps := []Step{}
	next := 0
	for _, h := range f.History {
		s := Step{Created: h.Created.Time, CreatedBy: h.CreatedBy, Comment: h.Comment}
		if !h.EmptyLayer && next < len(i.Layers) {
			s.DiffID, s.Bytes = i.Layers[next].DiffID, i.Layers[next].Bytes
			next++
		}
		steps = append(steps, s)
	}
	for ; next < len(i.Layers); next++ {
		steps = append(steps, Step{DiffID: i.Layers[next].DiffID, Bytes: i.Layers[next].Bytes})
	}
	slices.Reverse(steps)
	return steps, nil
}
