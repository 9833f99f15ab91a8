package client

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"net/http"
	"net/url"
)

// Sum is the name of a file: the SHA-256 of what is behind, in hexadecimal digits.
func Sum(content io.Reader) (string, error) {
	h := sha256.New()
	if _, err := io.Copy(h, content); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// PutFile keeps a file under its SHA-256. It is sent as it is read; where content is an
// [io.Seeker] it is sent again from where it is now, when it may be.
func (c *Client) PutFile(ctx context.Context, sum string, content io.Reader) (*KeptFile, error) {
	one := call{method: http.MethodPut, path: filePath(sum), repeatable: true, want: []int{http.StatusOK, http.StatusCreated},
		header: http.Header{"Content-Type": {"application/octet-stream"}}}
	seeker, ok := content.(io.Seeker)
	if !ok {
		one.once = true
		one.body = func() (io.Reader, int64, error) { return io.NopCloser(content), -1, nil }
		return answer[KeptFile](ctx, c, one)
	}
	from, err := seeker.Seek(0, io.SeekCurrent)
	if err != nil {
		return nil, err
	}
	to, err := seeker.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, err
	}
	one.body = func() (io.Reader, int64, error) {
		_, err := seeker.Seek(from, io.SeekStart)
		return io.NopCloser(io.LimitReader(content, to-from)), to - from, err // the caller closes what is the caller's
	}
	return answer[KeptFile](ctx, c, one)
}

func filePath(sum string) string { return "/v1/files/" + url.PathEscape(sum) }

// GetFile reads a file. The reader gives an error at the end when what came does not have
// the SHA-256, or is not all; close it.
func (c *Client) GetFile(ctx context.Context, sum string) (io.ReadCloser, error) {
	r, err := c.send(ctx, call{method: http.MethodGet, path: filePath(sum), repeatable: true, want: []int{http.StatusOK}})
	if err != nil {
		return nil, err
	}
	return &checked{body: r.Body, hash: sha256.New(), want: sum}, nil
}

// FileSize is the size of a file. Asking does not count as use of it.
func (c *Client) FileSize(ctx context.Context, sum string) (int64, error) {
	r, err := c.send(ctx, call{method: http.MethodHead, path: filePath(sum), repeatable: true, want: []int{http.StatusOK}})
	if err != nil {
		return 0, err
	}
	r.Body.Close()
	return r.ContentLength, nil
}

// DeleteFile deletes a file that is not in use.
func (c *Client) DeleteFile(ctx context.Context, sum string) error {
	r, err := c.send(ctx, call{method: http.MethodDelete, path: filePath(sum), want: []int{http.StatusNoContent}})
	if err != nil {
		return err
	}
	drain(r)
	return nil
}

// checked reads a file and holds it against its name.
type checked struct {
	body io.ReadCloser
	hash hash.Hash
	want string
}

// Read reads on.
func (f *checked) Read(b []byte) (int, error) {
	n, err := f.body.Read(b)
	f.hash.Write(b[:n])
	if err == io.EOF {
		if got := hex.EncodeToString(f.hash.Sum(nil)); got != f.want {
			return n, fmt.Errorf("file %s: what came has the SHA-256 %s", f.want, got)
		}
	}
	return n, err
}

// Close gives the connection back.
func (f *checked) Close() error { return f.body.Close() }
