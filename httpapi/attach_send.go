package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"syscall"
	"time"

	"github.com/coder/websocket"

	"cordon/sandbox"
)

// output sends of a stream what comes behind the cursor.
func (a *attacher) output(stream int, all []byte) *closed {
	for a.at.offset[stream] < len(all) {
		if revoked(a.keyEnds) {
			return closedKey
		}
		part := all[a.at.offset[stream]:]
		part = part[:min(len(part), eventBytes)]
		if why := a.send(websocket.MessageBinary, append([]byte{byte(channelStdout + stream)}, part...)); why != nil {
			return why
		}
		a.at.offset[stream] += len(part)
	}
	return nil
}

// say sends a text message.
func (a *attacher) say(what object) *closed {
	text, err := json.Marshal(what)
	if err != nil {
		return a.failed(err)
	}
	return a.send(websocket.MessageText, text)
}

// send gives up on a client that takes nothing for long. It waits as long again, to be
// able to say why: behind half a message nothing can be said.
func (a *attacher) send(kind websocket.MessageType, message []byte) *closed {
	patience := a.server.patience.reader
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	defer cancel()
	began := time.Now()
	err := a.conn.Write(ctx, kind, message)
	switch {
	case time.Since(began) > patience, errors.Is(err, context.DeadlineExceeded):
		return closedSlow
	case err != nil:
		return closedGone
	}
	return nil
}

// read takes what the client says, until it is gone. While the program does not read, its
// client's next message is not read either: what is held is what the kernel holds for both,
// and one message.
func (a *attacher) read(ctx context.Context) *closed {
	var to *liveInput
	for {
		kind, message, err := a.conn.Read(context.Background()) // until the connection is closed
		if err != nil {
			return closedGone
		}
		a.hear()
		if revoked(a.keyEnds) { // whoever serves may have a message on its way
			return closedKey
		}
		frame, err := decodeFrame(kind == websocket.MessageBinary, message)
		if err != nil {
			return &closed{closeBadFrame, "bad_frame: " + err.Error()}
		}
		if a.watch {
			return closedReadOnly
		}
		a.waiting.Store(true)
		if to == nil {
			select {
			case to = <-a.life:
			case <-ctx.Done():
				return nil
			}
		}
		why := a.apply(ctx, to, &frame)
		a.waiting.Store(false)
		a.hear()
		if why != nil {
			return why
		}
	}
}

// apply does what a client has said. What comes too late for the program is nobody's fault;
// what it cannot do is told.
func (a *attacher) apply(ctx context.Context, to *liveInput, frame *attachFrame) *closed {
	program, err := to.wait(ctx)
	if err != nil {
		return nil // it is over
	}
	switch {
	case frame.stdin != nil:
		err = to.write(ctx, program, frame.stdin)
	case frame.resize != nil:
		err = program.Resize(sandbox.WindowSize{Rows: frame.resize.rows, Cols: frame.resize.cols})
	case frame.signal != "":
		err = program.Signal(frame.signal)
	case frame.closing:
		err = to.closeInput(program)
	}
	switch {
	case err == nil, errors.Is(err, os.ErrDeadlineExceeded):
		return nil
	case errors.Is(err, os.ErrClosed), errors.Is(err, syscall.EPIPE), errors.Is(err, syscall.EIO), errors.Is(err, syscall.ESRCH):
		if frame.stdin == nil {
			return nil
		}
		return a.say(object{"type": "stdin_closed"})
	}
	return a.say(object{"type": "error", "detail": err.Error()})
}
