package httpapi

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/go-json-experiment/json"

	"cordon/sandbox"
)

// AttachProtocol is the name of what is spoken over the WebSocket, as docs/api.md has it.
const AttachProtocol = "cordon.attach.v1"

// The channels of a binary message: its first byte.
const (
	channelStdin  = 0
	channelStdout = 1 // and stderr is the next
	channelStderr = 2
)

// attachMessage is how long a client's message may be. One that has more to say sends more.
const attachMessage = 64<<10 + 1

// attachFrame is what a client has said.
type attachFrame struct {
	stdin   []byte      // not nil: bytes for the program
	resize  *attachSize // of the terminal
	signal  string      // for the job
	closing bool        // of the program's input
}

type attachSize struct{ rows, cols uint16 }

// control is the JSON of a client's text message.
type control struct {
	Type   string  `json:"type"`
	Rows   *int64  `json:"rows"`
	Cols   *int64  `json:"cols"`
	Signal *string `json:"signal"`
}

// maxSide is more characters than any terminal has on a side.
const maxSide = 4096

// decodeFrame reads a message strictly. The error is a sentence for the client.
func decodeFrame(binary bool, message []byte) (attachFrame, error) {
	if binary {
		if len(message) == 0 || message[0] != channelStdin {
			return attachFrame{}, fmt.Errorf("a binary message begins with the byte 0, for stdin")
		}
		return attachFrame{stdin: message[1:]}, nil
	}
	var c control
	if len(message) > 1024 || json.UnmarshalRead(bytes.NewReader(message), &c, json.RejectUnknownMembers(true), json.WithUnmarshalers(noNull)) != nil {
		return attachFrame{}, fmt.Errorf("a text message is JSON with type and no unknown or repeated field")
	}
	if c.Type != "resize" && (c.Rows != nil || c.Cols != nil) || c.Type != "signal" && c.Signal != nil {
		return attachFrame{}, fmt.Errorf("rows and cols are for resize, signal is for signal")
	}
	switch c.Type {
	case "resize":
		if c.Rows == nil || c.Cols == nil || *c.Rows < 1 || *c.Rows > maxSide || *c.Cols < 1 || *c.Cols > maxSide {
			return attachFrame{}, fmt.Errorf("resize wants rows and cols, 1 to %d", maxSide)
		}
		return attachFrame{resize: &attachSize{uint16(*c.Rows), uint16(*c.Cols)}}, nil
	case "signal":
		if c.Signal == nil || !slices.Contains(sandbox.Sendable(), *c.Signal) {
			return attachFrame{}, fmt.Errorf("signal is one of %v", sandbox.Sendable())
		}
		return attachFrame{signal: *c.Signal}, nil
	case "close_stdin":
		return attachFrame{closing: true}, nil
	}
	return attachFrame{}, fmt.Errorf("type is resize, signal or close_stdin")
}
