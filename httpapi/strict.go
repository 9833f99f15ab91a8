package httpapi

import (
	"bytes"
	"errors"
	"net"
	"strconv"
	"sync/atomic"
)

// strictConn lets only those bytes through that every HTTP program reads alike.
// net/http is more lenient: it takes lines that end in LF alone, folded headers,
// and a length besides a chunked body. What stands behind a proxy that reads such
// a request otherwise would find the end of it elsewhere, and take a part of its
// body for another request. Such a request is answered with 400.
type strictConn struct {
	net.Conn
	head     headScanner
	broken   error
	upgraded atomic.Bool // HTTP is over on it
}

// strict makes every connection of a listener one.
func strict(l net.Listener) net.Listener { return strictListener{l} }

type strictListener struct{ net.Listener }

// Accept wraps a connection.
func (l strictListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &strictConn{Conn: c}, nil
}

// Read never gives the byte that breaks a rule, nor what follows: no request is
// complete then.
func (c *strictConn) Read(p []byte) (int, error) {
	if c.broken != nil {
		return 0, c.broken
	}
	n, err := c.Conn.Read(p)
	if c.upgraded.Load() {
		return n, err
	}
	good, broken := c.head.take(p[:n])
	if broken == nil {
		return n, err
	}
	c.broken = broken
	if good > 0 {
		return good, nil
	}
	return 0, broken
}

// CloseWrite is that of the connection below.
func (c *strictConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// What breaks a rule.
var (
	errLineEnd  = errors.New("a line of the request does not end in CR LF")
	errFolded   = errors.New("a header goes on in a further line")
	errNoColon  = errors.New("a line of the headers is none")
	errVersion  = errors.New("the request line does not end in HTTP/1.1 or HTTP/1.0")
	errLength   = errors.New("Content-Length is no number, or stands more than once")
	errEncoding = errors.New("Transfer-Encoding is not chunked, stands more than once, or stands in HTTP/1.0")
	errBoth     = errors.New("both Content-Length and Transfer-Encoding")
)

// headScanner follows the bytes of a connection through heads and bodies. Of a
// chunked body it does not look for the end: the connection is closed after it
// (see observe), and no further request is read.
type headScanner struct {
	body    int64 // bytes of the body that are still to come
	blind   bool  // within or behind a chunked body
	inHead  bool  // past the request line
	old     bool  // HTTP/1.0
	cr      bool  // the last byte was CR
	length  int64 // Content-Length; valid with hasLength
	chunked bool
	counted bool   // Content-Length was there
	start   []byte // of the line, up to lineKept bytes
	end     [9]byte
	long    bool // the line is longer than start
}

// lineKept is more than a header has whose meaning matters here.
const lineKept = 80

// take looks at the next bytes, and says how many of them may be read.
func (s *headScanner) take(p []byte) (int, error) {
	for i := 0; i < len(p); {
		if s.blind {
			return len(p), nil
		}
		if s.body > 0 {
			skip := min(s.body, int64(len(p)-i))
			s.body -= skip
			i += int(skip)
			continue
		}
		if err := s.next(p[i]); err != nil {
			return i, err
		}
		i++
	}
	return len(p), nil
}

// next takes one byte of a head.
func (s *headScanner) next(b byte) error {
	if s.cr != (b == '\n') {
		return errLineEnd // LF without CR before it, or CR without LF behind it
	}
	switch {
	case b == '\r':
		s.cr = true
		return nil
	case b == '\n':
		s.cr = false
		return s.line()
	}
	if s.inHead && len(s.start) == 0 && (b == ' ' || b == '\t') {
		return errFolded
	}
	if len(s.start) < lineKept {
		s.start = append(s.start, b)
	} else {
		s.long = true
	}
	if !s.inHead { // only its end matters
		copy(s.end[:], s.end[1:])
		s.end[len(s.end)-1] = b
	}
	return nil
}

// line judges a line that has ended.
func (s *headScanner) line() error {
	defer func() { s.start, s.long = s.start[:0], false }()
	switch {
	case !s.inHead:
		s.inHead, s.old = true, string(s.end[:]) == " HTTP/1.0"
		if !s.old && string(s.end[:]) != " HTTP/1.1" {
			return errVersion
		}
		return nil
	case len(s.start) == 0:
		return s.headEnd()
	}
	return s.header()
}

func (s *headScanner) header() error {
	name, value, found := bytes.Cut(s.start, []byte(":"))
	if !found {
		if s.long { // a name that nothing here has
			return nil
		}
		return errNoColon
	}
	value = bytes.Trim(value, " \t")
	switch {
	case bytes.EqualFold(name, []byte("Content-Length")):
		n, err := strconv.ParseUint(string(value), 10, 63)
		if err != nil || s.counted || s.long {
			return errLength
		}
		s.length, s.counted = int64(n), true
	case bytes.EqualFold(name, []byte("Transfer-Encoding")):
		if s.chunked || s.old || s.long || !bytes.EqualFold(value, []byte("chunked")) {
			return errEncoding
		}
		s.chunked = true
	}
	if s.chunked && s.counted {
		return errBoth
	}
	return nil
}

// headEnd: a body may follow, or the next request.
func (s *headScanner) headEnd() error {
	*s = headScanner{body: s.length, blind: s.chunked, start: s.start}
	return nil
}
