package cell

import (
	"fmt"
	"os"
)

// HangUp closes the daemon's side of the control socket, and nothing else.
func (c *Cell) HangUp() error { return c.control.Close() }

// Gcc is the tests' way to a compiled program.
var Gcc = gcc

// AskRaw sends the fork server a message of another kind or length and returns
// the failure that it answers with.
func (s *Server) AskRaw(kind uint32, version byte, extra int) error {
	h := head{kind: messageKind(kind)}
	b := append(h.encode(nil), make([]byte, extra)...)
	b[0] = version
	if err := send(pointSendOrder, s.conn, b); err != nil {
		return err
	}
	answer, files, err := receive(pointReceiveCellMade, s.conn)
	closeFDs(files)
	if err != nil {
		return err
	}
	if answer.kind != msgCellMade && answer.kind != msgLayerShown || answer.failure() == nil {
		return fmt.Errorf("answer %+v with %d descriptors", answer, len(files))
	}
	return answer.failure()
}

// RunRaw sends a warm cell a message of another kind, without descriptors.
func (c *Cell) RunRaw(kind uint32) error {
	h := head{kind: messageKind(kind)}
	return send(pointSendJob, c.control, h.encode(nil))
}

// RunBits sends a warm cell a job with these descriptors, whatever their numbers say.
func (c *Cell) RunBits(bits int64, files ...*os.File) error {
	h := head{kind: msgRun, a: bits, b: packHeadSize}
	return send(pointSendJob, c.control, h.encode(nil), files...)
}
