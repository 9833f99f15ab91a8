package image

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// descriptor says where something is, and what.
type descriptor struct {
	MediaType    types.MediaType   `json:"mediaType"`
	Digest       string            `json:"digest"`
	Size         int64             `json:"size"`
	URLs         []string          `json:"urls,omitempty"`
	Annotations  map[string]string `json:"annotations,omitempty"`
	Platform     *v1.Platform      `json:"platform,omitempty"`
	ArtifactType string            `json:"artifactType,omitempty"`
}

// manifest is an index or a manifest: which of both is to be said, not guessed.
type manifest struct {
	SchemaVersion int             `json:"schemaVersion"`
	MediaType     types.MediaType `json:"mediaType,omitempty"`
	Config        *descriptor     `json:"config,omitempty"`
	Layers        []descriptor    `json:"layers,omitempty"`
	Manifests     []descriptor    `json:"manifests,omitempty"`
	ArtifactType  string          `json:"artifactType,omitempty"`
}

// blobs is where documents and layers of an image come from. What they hold is checked by
// whoever asks.
type blobs interface {
	document(ctx context.Context, d descriptor) ([]byte, error)
	blob(ctx context.Context, d descriptor) (io.ReadCloser, error)
}

// layerTypes are the media types of layers, and how each is packed.
var layerTypes = map[types.MediaType]packing{
	types.OCILayer: gzips, types.DockerLayer: gzips, types.OCILayerZStd: zstds,
	"application/vnd.docker.image.rootfs.diff.tar.zstd": zstds,
	types.OCIUncompressedLayer:                          plain, types.DockerUncompressedLayer: plain,
}

// ParsePlatform reads OS/ARCHITECTURE[/VARIANT]; "" is this machine's.
func ParsePlatform(text string) (v1.Platform, error) {
	if text == "" {
		return v1.Platform{OS: "linux", Architecture: runtime.GOARCH}, nil
	}
	parts := strings.Split(text, "/")
	if len(parts) < 2 || len(parts) > 3 || slices.Contains(parts, "") {
		return v1.Platform{}, fmt.Errorf("platform %s: OS/ARCHITECTURE or OS/ARCHITECTURE/VARIANT is wanted, as in linux/amd64", quoted(text))
	}
	p := v1.Platform{OS: parts[0], Architecture: parts[1]}
	if len(parts) == 3 {
		p.Variant = parts[2]
	}
	return p, nil
}

// check is what holds for everything that is described.
func (d descriptor) check(what string) error {
	switch {
	case !digestForm.MatchString(d.Digest):
		return rejected("%s: the digest %s, sha256: and 64 hexadecimal digits are wanted", what, quoted(d.Digest))
	case d.Size < 0:
		return rejected("%s: a size of %d bytes", what, d.Size)
	case len(d.URLs) > 0:
		return rejected("%s: it is to be fetched from elsewhere (urls), which is not done", what)
	}
	return nil
}

// fetch gets a document and holds it against its descriptor.
func fetch(ctx context.Context, from blobs, d descriptor, what string) ([]byte, error) {
	if err := d.check(what); err != nil {
		return nil, err
	}
	if d.Size > documentMax {
		return nil, rejected("%s: %d bytes are announced, allowed are %d", what, d.Size, documentMax)
	}
	text, err := from.document(ctx, d)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", what, short(d.Digest), err)
	}
	if int64(len(text)) != d.Size {
		return nil, rejected("%s %s: %d bytes came of the %d that were announced", what, short(d.Digest), len(text), d.Size)
	}
	if got := digestOf(text); got != d.Digest {
		return nil, rejected("%s %s: digest mismatch: its bytes have %s", what, short(d.Digest), got)
	}
	return text, nil
}

// parseManifest reads an index or a manifest, as its descriptor says which.
func parseManifest(text []byte, mediaType types.MediaType) (*manifest, error) {
	m := &manifest{}
	decoder := json.NewDecoder(bytes.NewReader(text))
	if err := decoder.Decode(m); err != nil {
		return nil, rejected("manifest: not JSON of a manifest: %v", err)
	}
	if _, err := decoder.Token(); err != io.EOF {
		return nil, rejected("manifest: more than one document")
	}
	if m.SchemaVersion != 2 {
		return nil, rejected("manifest: schema version %d, 2 is wanted", m.SchemaVersion)
	}
	if m.MediaType != "" && m.MediaType != mediaType {
		return nil, rejected("manifest: it says %s, its descriptor %s", quoted(string(m.MediaType)), quoted(string(mediaType)))
	}
	index, image := m.Manifests != nil, m.Config != nil || m.Layers != nil
	switch {
	case index && image:
		return nil, rejected("manifest: it has manifests, and layers or a configuration: it is either an index or an image")
	case mediaType.IsIndex() && image, mediaType.IsImage() && index:
		return nil, rejected("manifest: it is not what its media type %s says", quoted(string(mediaType)))
	case mediaType.IsIndex():
		return m, nil
	case !mediaType.IsImage():
		return nil, rejected("manifest: the media type %s, that of an image or of an index is wanted", quoted(string(mediaType)))
	}
	return m, m.checkImage()
}

func (m *manifest) checkImage() error {
	if m.Config == nil {
		return rejected("manifest: no configuration")
	}
	if !m.Config.MediaType.IsConfig() {
		return rejected("manifest: a configuration of the media type %s: this is no image of a root", quoted(string(m.Config.MediaType)))
	}
	if len(m.Layers) > mostLayers {
		return rejected("manifest: %d layers, allowed are %d", len(m.Layers), mostLayers)
	}
	for n, l := range m.Layers {
		if _, ok := layerTypes[l.MediaType]; !ok {
			return rejected("manifest: layer %d: the media type %s, allowed are tar archives, plain or packed with gzip or zstd", n+1, quoted(string(l.MediaType)))
		}
		if err := l.check(fmt.Sprintf("layer %d", n+1)); err != nil {
			return err
		}
	}
	return nil
}

const indexDepth = 3 // indexes in each other

// resolve goes from a descriptor to the manifest of one image.
func resolve(ctx context.Context, from blobs, d descriptor, p v1.Platform, deeper int) (descriptor, *manifest, error) {
	text, err := fetch(ctx, from, d, "manifest")
	if err != nil {
		return d, nil, err
	}
	m, err := parseManifest(text, d.MediaType)
	if err != nil || m.Manifests == nil && d.MediaType.IsImage() {
		return d, m, err
	}
	if deeper == 0 {
		return d, nil, rejected("index: more than %d of them in each other", indexDepth)
	}
	chosen, err := choose(m.Manifests, p)
	if err != nil {
		return d, nil, err
	}
	return resolve(ctx, from, chosen, p, deeper-1)
}

// choose takes the first that fits, as everybody does.
func choose(all []descriptor, p v1.Platform) (descriptor, error) {
	var have []string
	for _, d := range all {
		if !d.isImage() {
			continue
		}
		if d.Platform == nil || fits(*d.Platform, p) {
			return d, nil
		}
		have = append(have, d.Platform.String())
	}
	return descriptor{}, fmt.Errorf("no image for %s; there are some for %s: name one of these (--platform)", p, quoted(strings.Join(have, ", ")))
}

// isImage: indexes also list what is about images, such as where they come from.
func (d *descriptor) isImage() bool {
	return (d.MediaType.IsImage() || d.MediaType.IsIndex()) && d.ArtifactType == "" && d.Annotations["vnd.docker.reference.type"] == "" &&
		(d.Platform == nil || d.Platform.OS != "unknown")
}

// fits: who names no variant takes any.
func fits(have, want v1.Platform) bool {
	return have.OS == want.OS && have.Architecture == want.Architecture && (want.Variant == "" || have.Variant == want.Variant)
}

// tellable: a configuration is one document, and stands in others when it is told, also in
// an answer's lists: what JSON may be nested is left for these.
func tellable(text []byte) error {
	const deeper = 100
	if !json.Valid(text) {
		return errors.New("there is something behind its end")
	}
	in := slices.Concat(bytes.Repeat([]byte{'['}, deeper), text, bytes.Repeat([]byte{']'}, deeper))
	if !json.Valid(in) {
		return errors.New("it is nested too deep")
	}
	return nil
}

// config reads the configuration of an image, and the digests of its layers.
func config(text []byte, layers int, p v1.Platform) (*v1.ConfigFile, []string, error) {
	f, err := v1.ParseConfigFile(bytes.NewReader(text))
	if err == nil {
		err = tellable(text)
	}
	if err != nil {
		return nil, nil, rejected("configuration: not JSON of one: %v", err)
	}
	if have := f.Platform(); have != nil && !fits(*have, p) {
		return nil, nil, fmt.Errorf("the image is for %s, %s is wanted; name its own with --platform if that is meant", quoted(have.String()), p)
	}
	if f.RootFS.Type != "layers" && layers > 0 {
		return nil, nil, rejected("configuration: a root of the type %s, layers are wanted", quoted(f.RootFS.Type))
	}
	if len(f.RootFS.DiffIDs) != layers {
		return nil, nil, rejected("configuration: the digests of %d layers, the image has %d", len(f.RootFS.DiffIDs), layers)
	}
	ids := make([]string, layers)
	for i, d := range f.RootFS.DiffIDs {
		if ids[i] = d.String(); !digestForm.MatchString(ids[i]) {
			return nil, nil, rejected("configuration: layer %d: the digest %s, sha256: and 64 hexadecimal digits are wanted", i+1, quoted(ids[i]))
		}
	}
	return f, ids, nil
}
