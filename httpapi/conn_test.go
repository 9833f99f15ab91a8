package httpapi

import (
	"io"
	"net"
	"time"
)

// readOnly is a connection that gives what a reader has.
type readOnly struct {
	r      io.Reader
	remote net.Addr
	closed bool
}

func (c *readOnly) Read(p []byte) (int, error)       { return c.r.Read(p) }
func (c *readOnly) Write(p []byte) (int, error)      { return len(p), nil }
func (c *readOnly) Close() error                     { c.closed = true; return nil }
func (c *readOnly) LocalAddr() net.Addr              { return c.remote }
func (c *readOnly) RemoteAddr() net.Addr             { return c.remote }
func (c *readOnly) SetDeadline(time.Time) error      { return nil }
func (c *readOnly) SetReadDeadline(time.Time) error  { return nil }
func (c *readOnly) SetWriteDeadline(time.Time) error { return nil }
