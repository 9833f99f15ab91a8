package image

import (
	"context"
	"crypto/x509"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// PullOptions say how a registry is talked to.
type PullOptions struct {
	Platform           v1.Platform // zero: this machine's
	Name               string      // the image's name in the store; "": as it was asked for
	Username, Password string      // both empty: as docker login has left them
	Roots              *x509.CertPool
	Plain              bool // speak HTTP, not HTTPS
	UserAgent          string
	Idle               time.Duration // how long nothing may come; 0: a minute
}

// registry are the blobs of a repository.
type registry struct {
	puller *remote.Puller
	repo   name.Repository
}

// Pull brings in an image of a registry.
func (s *Store) Pull(ctx context.Context, from string, o PullOptions) (*Added, error) {
	if o.Platform.OS == "" {
		var err error
		if o.Platform, err = ParsePlatform(""); err != nil {
			return nil, err
		}
	}
	var options []name.Option
	if o.Plain {
		options = append(options, name.Insecure)
	}
	ref, err := name.ParseReference(from, options...)
	if err != nil {
		return nil, fmt.Errorf("image %s: %w", quoted(from), err)
	}
	names, err := pulledNames(from, o.Name)
	if err != nil {
		return nil, err
	}
	r, err := newRegistry(ref, o)
	if err != nil {
		return nil, err
	}
	top, err := r.puller.Get(ctx, ref)
	if err != nil {
		return nil, fmt.Errorf("pull %s: %w", from, err)
	}
	if len(top.Manifest) > documentMax {
		return nil, rejected("manifest: longer than %d bytes", documentMax)
	}
	kind, _, _ := strings.Cut(string(top.MediaType), ";") // some add a charset
	d := descriptor{MediaType: types.MediaType(strings.TrimSpace(kind)), Digest: digestOf(top.Manifest), Size: int64(len(top.Manifest))}
	if want, ok := ref.(name.Digest); ok && want.DigestStr() != d.Digest {
		return nil, rejected("manifest: digest mismatch: its bytes have %s", d.Digest)
	}
	a, err := s.take(ctx, r, d, o.Platform, names, true)
	if err != nil {
		return nil, fmt.Errorf("pull %s: %w", from, err)
	}
	return a, nil
}

// pulledNames: what was asked for by its digest gets a name only when one is given.
func pulledNames(from, given string) ([]string, error) {
	if given != "" {
		return []string{given}, nil
	}
	r, err := ParseRef(from)
	if err != nil {
		return nil, fmt.Errorf("%w; or say with --name what it is to be called", err)
	}
	if r.Digest != "" || r.Name == "" {
		return nil, nil
	}
	return []string{r.Name}, nil
}

func newRegistry(ref name.Reference, o PullOptions) (*registry, error) {
	idle := o.Idle
	if idle == 0 {
		idle = time.Minute
	}
	transport := &guarded{transportOf(o, idle, &nearness{}), o.Plain, idle}
	auth := remote.WithAuthFromKeychain(authn.DefaultKeychain)
	if o.Username != "" || o.Password != "" {
		auth = remote.WithAuth(&authn.Basic{Username: o.Username, Password: o.Password})
	}
	puller, err := remote.NewPuller(auth, remote.WithTransport(transport), remote.WithUserAgent(o.UserAgent))
	if err != nil {
		return nil, err
	}
	return &registry{puller, ref.Context()}, nil
}

func (r *registry) document(ctx context.Context, d descriptor) ([]byte, error) {
	if d.MediaType.IsConfig() {
		b, err := r.blob(ctx, d)
		if err != nil {
			return nil, err
		}
		defer b.Close()
		return document(b, "configuration")
	}
	got, err := r.puller.Get(ctx, r.repo.Digest(d.Digest))
	if err != nil {
		return nil, err
	}
	return got.Manifest, nil
}

func (r *registry) blob(ctx context.Context, d descriptor) (io.ReadCloser, error) {
	l, err := r.puller.Layer(ctx, r.repo.Digest(d.Digest))
	if err != nil {
		return nil, err
	}
	return l.Compressed()
}
