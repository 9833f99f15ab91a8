package main

import (
	"errors"
	"fmt"

	"cordon/image"
	"cordon/imageroots"
	"cordon/policy"
	"cordon/sandbox"
)

// askedImage is all that is known of an image where its store is not at hand: its name.
func askedImage(text string) *policy.Image {
	i := &policy.Image{Asked: text, Names: []string{text}}
	if ref, err := image.ParseRef(text); err == nil {
		switch {
		case ref.Name != "" && ref.Digest != "":
			i.Names = []string{ref.Name + "@" + ref.Digest, ref.Digest}
		case ref.Name != "":
			i.Names = []string{ref.Name}
		default:
			i.ID, i.Names = "sha256:"+ref.Prefix, nil
		}
	}
	return i
}

// onImage gives the job of cordon run its image.
func (f *runFlags) onImage(j *sandbox.Job, e *engine) error {
	j.Image = nil
	q := sandbox.ImageRequest{Name: f.image, User: f.user, Dir: f.dir, Range: f.idRange, Placed: len(j.Files) > 0}
	if e.images == nil {
		return j.UseImage(nil, q)
	}
	err := j.UseImage(imageroots.Store{Images: e.images}, q)
	if errors.Is(err, sandbox.ErrUnknownImage) {
		return fmt.Errorf("%w; cordon image list shows those that there are", err)
	}
	return err
}
