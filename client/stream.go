package client

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
)

// frame is one server-sent event.
type frame struct {
	id, event string
	data      []byte
}

// frameBytes is what one may have: a result is one.
const frameBytes = 1 << 30

var errFrameTooLarge = fmt.Errorf("an event has more than %d bytes", frameBytes)

// frames reads server-sent events. seen is called for each line, also for those that only
// show that somebody is there.
type frames struct {
	from *bufio.Reader
	seen func()
}

// next gives the next event that has data. One that the end of the stream cut off is none.
func (f *frames) next() (frame, error) {
	var one frame
	for {
		line, err := f.line()
		if err != nil {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return frame{}, err
		}
		f.seen()
		if len(line) == 0 {
			if one.data != nil {
				one.data = bytes.TrimSuffix(one.data, []byte("\n"))
				return one, nil
			}
			one = frame{id: one.id}
			continue
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimPrefix(value, []byte(" "))
		switch string(name) {
		case "id":
			if !strings.Contains(string(value), "\x00") {
				one.id = string(value)
			}
		case "event":
			one.event = string(value)
		case "data":
			if len(one.data)+len(value) > frameBytes {
				return frame{}, errFrameTooLarge
			}
			one.data = append(append(one.data, value...), '\n')
		}
	}
}

// line reads a line without its end.
func (f *frames) line() ([]byte, error) {
	var line []byte
	for {
		part, err := f.from.ReadSlice('\n')
		if len(line)+len(part) > frameBytes {
			return nil, errFrameTooLarge
		}
		line = append(line, part...)
		if err == nil {
			return bytes.TrimSuffix(line[:len(line)-1], []byte("\r")), nil
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return nil, err
		}
		f.seen() // a long line is also a sign of life
	}
}
