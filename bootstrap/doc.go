// Package bootstrap makes the root of a Debian system by Debian's own tools and hands it
// to the store of images as one layer.
//
// Packages bring scripts that are run as root while they are installed. That root is the
// one of images: a user namespace of its own, to which neither the service user's id nor
// any job's is mapped, so that it comes to nothing of theirs.
package bootstrap
