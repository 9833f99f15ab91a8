package image

import (
	"context"
	"io"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// take brings in the image of a manifest.
func (s *Store) take(ctx context.Context, from blobs, top descriptor, p v1.Platform, names []string, move bool) (a *Added, err error) {
	d, m, err := resolve(ctx, from, top, p, indexDepth)
	if err != nil {
		return nil, err
	}
	text, err := fetch(ctx, from, *m.Config, "configuration")
	if err != nil {
		return nil, err
	}
	_, ids, err := config(text, len(m.Layers), p)
	if err != nil {
		return nil, err
	}
	layers := make([]coming, len(ids))
	for i, l := range m.Layers {
		layers[i] = coming{diffID: ids[i], digest: l.Digest, size: l.Size, want: layerTypes[l.MediaType],
			open: func(ctx context.Context) (io.ReadCloser, error) { return from.blob(ctx, l) }}
	}
	manifests := []string{d.Digest}
	if top.Digest != d.Digest {
		manifests = append(manifests, top.Digest)
	}
	return s.bring(ctx, layers, text, manifests, names, move)
}

// bring brings in layers, and makes an image of them.
func (s *Store) bring(ctx context.Context, layers []coming, config []byte, manifests, names []string, move bool) (a *Added, err error) {
	g, err := s.ingest()
	if err != nil {
		return nil, err
	}
	defer func() {
		if closed := g.close(); closed != nil && err == nil {
			a, err = nil, closed
		}
	}()
	for _, l := range layers {
		if _, err := g.layer(ctx, l); err != nil {
			return nil, err
		}
	}
	i := g.image(layers)
	i.Config, i.Manifests = config, manifests
	return g.commit(i, names, move)
}
