package store

import "errors"

// What can be wrong. The errors that methods return wrap these with what was given and
// what is allowed; errors.Is tells which it is. A failure of the disk wraps its errno.
var (
	ErrNotFound = errors.New("no such file")
	ErrBadSum   = errors.New("not a SHA-256")
	ErrMismatch = errors.New("not the content of this SHA-256")
	ErrTooLarge = errors.New("too large")
	ErrFull     = errors.New("full") // nothing can be removed: everything is in use
	ErrInUse    = errors.New("in use")
	ErrUnread   = errors.New("the content did not come to its end") // wraps the reader's own error
)
