package image

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
)

// savedImage is an image in what docker save writes.
type savedImage struct {
	Config   string
	RepoTags []string
	Layers   []string
}

func (s *Store) importSaved(ctx context.Context, src source, o ImportOptions) ([]*Added, error) {
	text, err := read(src, "manifest.json")
	if err != nil {
		return nil, err
	}
	var images []savedImage
	if err := json.NewDecoder(bytes.NewReader(text)).Decode(&images); err != nil {
		return nil, rejected("manifest.json: not JSON of a list of images: %v", err)
	}
	if o.Only != "" {
		images = slices.DeleteFunc(images, func(i savedImage) bool { return !slices.Contains(i.RepoTags, o.Only) })
	}
	switch {
	case len(images) == 0:
		return nil, fmt.Errorf("no image called %s in it", quoted(o.Only))
	case len(images) > mostImages:
		return nil, rejected("%d images at once, allowed are %d", len(images), mostImages)
	case len(images) > 1 && o.Name != "":
		return nil, fmt.Errorf("%d images, and one name for them: say which with --only", len(images))
	}
	var all []*Added
	for _, i := range images {
		a, err := s.importOneSaved(ctx, src, i, o)
		if err != nil {
			return all, err
		}
		all = append(all, a)
	}
	return all, nil
}

func (s *Store) importOneSaved(ctx context.Context, src source, i savedImage, o ImportOptions) (*Added, error) {
	text, err := read(src, i.Config)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, rejected("its configuration %s is not in the archive", quoted(i.Config))
	}
	if err != nil {
		return nil, err
	}
	// Who names the file by its digest means it.
	if hex := strings.TrimSuffix(i.Config[strings.LastIndexByte(i.Config, '/')+1:], ".json"); digestForm.MatchString("sha256:"+hex) && digestOf(text) != "sha256:"+hex {
		return nil, rejected("configuration %s: digest mismatch: its bytes have %s", quoted(i.Config), digestOf(text))
	}
	if len(i.Layers) > mostLayers {
		return nil, rejected("%d layers, allowed are %d", len(i.Layers), mostLayers)
	}
	_, ids, err := config(text, len(i.Layers), o.Platform)
	if err != nil {
		return nil, err
	}
	layers := make([]coming, len(ids))
	for n, name := range i.Layers {
		r, size, err := src.open(name)
		if err != nil {
			return nil, rejected("layer %d: %v", n+1, err)
		}
		r.Close()
		layers[n] = coming{diffID: ids[n], size: size, want: anyhow, open: func(context.Context) (io.ReadCloser, error) {
			r, _, err := src.open(name)
			return r, err
		}}
	}
	names := []string{o.Name}
	if o.Name == "" {
		names = nil
		for _, t := range i.RepoTags {
			if name, err := ParseName(t); err == nil {
				names = append(names, name)
			}
		}
	}
	if err := callable(names); err != nil {
		return nil, err
	}
	return s.bring(ctx, layers, text, nil, names, o.Name != "")
}
