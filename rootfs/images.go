package rootfs

import (
	"errors"
	"fmt"
	"io/fs"
	"time"

	"cordon/policy"
)

// ErrUnknownImage means that there is no image of this name.
var ErrUnknownImage = errors.New("unknown image")

// UnknownImageError is ErrUnknownImage about a name that could be an image's.
type UnknownImageError struct {
	Image policy.Image // by that name alone
}

// Error tells which.
func (e *UnknownImageError) Error() string {
	return fmt.Sprintf("%v: %.200q", ErrUnknownImage, e.Image.Asked)
}

// Is makes it ErrUnknownImage.
func (e *UnknownImageError) Is(target error) bool { return target == ErrUnknownImage }

// ImageInfo is an image as it can be named, with what its configuration says.
type ImageInfo struct {
	policy.Image
	Tags            []string // NAME:TAG alone
	Env             []string
	Entrypoint, Cmd []string
	User, Dir       string
	Platform        string
	Layers          int
	Elsewhere       bool // it is on other machines, and nothing more is known of it here
	Bytes           int64
	Added           time.Time
}

// Images are those that jobs can have as their root.
type Images interface {
	// Find finds an image by what a person calls it. The error is ErrUnknownImage, or
	// tells what is damaged.
	Find(name string) (*ImageInfo, error)
	List() ([]*ImageInfo, error)
	// Look looks names up in an image, by its id.
	Look(id string, do func(Files) error) error
	// Hold finds an image by its id, and keeps it from being removed.
	Hold(id string) (HeldImage, error)
}

// Files looks names up in an image, through its links and no others.
type Files interface {
	Stat(name string) (fs.FileMode, error) // fs.ErrNotExist where it leads to nothing
	Names(dir string) ([]string, error)
}

// HeldImage is an image that a root stands on.
type HeldImage interface {
	Root() (*Image, error)
	Close() error
}
