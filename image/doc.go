// Package image keeps images of the OCI and docker world as directories that an
// overlay can have as lower layers: read from layouts, archives and registries,
// unpacked once, by digest, and shared by all images that have the layer.
//
// What comes from outside is hostile. A layer is unpacked into a directory that nobody
// else reaches, through descriptors that cannot leave it, within limits, and gets its
// place only when all of it has the digest that was promised. Beside each tree lies a
// record of what the layer's archive had besides the files' content: with it the same
// bytes can be told again, to see that nothing has changed and to hand the layer on.
package image
