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

// imageNames are those that other services of the queue know the images by that are here.
func (e *engine) imageNames() (names []string) {
	if e.images == nil {
		return nil
	}
	all, err := imageroots.Store{Images: e.images}.List()
	if err != nil { // what cannot be read no job runs on
		return nil
	}
	for _, i := range all {
		names = append(append(names, i.ID), i.Names...)
	}
	return names
}

// imagesElsewhere are the names of those that the services have which run jobs.
func (e *engine) imagesElsewhere() (names []string) {
	if e.queue == nil {
		return nil
	}
	for _, w := range e.queue.Living() {
		names = append(names, w.Abilities.Images...)
	}
	return names
}
