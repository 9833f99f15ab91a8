package httpapi

import (
	"bufio"
	"context"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/coder/websocket"

	"cordon/audit"
	"cordon/sandbox"
)

const attachPath = "/v1/jobs/{id}/attach"

// Why an attached client is let go: codes of WebSocket, those from 4000 on by the status of HTTP that
// says nearly the same.
const (
	closeBadFrame       websocket.StatusCode = 4400
	closeUnauthorized   websocket.StatusCode = 4401
	closeReadOnly       websocket.StatusCode = 4403
	closeUnknownJob     websocket.StatusCode = 4404
	closeSlow           websocket.StatusCode = 4408
	closeTaken          websocket.StatusCode = 4409
	closeElsewhere      websocket.StatusCode = 4421
	closeNotInteractive websocket.StatusCode = 4422
	closeInternal       websocket.StatusCode = 4500
)

// closed is why a client is let go.
type closed struct {
	code   websocket.StatusCode
	reason string // 123 bytes at most
}

// Error is the reason.
func (c *closed) Error() string { return c.reason }

var (
	closedEnd       = &closed{websocket.StatusNormalClosure, ""}
	closedShutting  = &closed{websocket.StatusGoingAway, "shutting_down: the service is ending"}
	closedSlow      = &closed{closeSlow, "slow_reader: what was sent was not taken in time; attach again with stdout and stderr as far as you came"}
	closedKey       = &closed{closeUnauthorized, "unauthorized: the key that this was opened with is not good any more"}
	closedSilent    = &closed{closeSlow, "silent: no answer to pings"}
	closedUnknown   = &closed{closeUnknownJob, "unknown_job: its record is not kept any more"}
	closedTaken     = &closed{closeTaken, "input_taken: another client writes to this job; attach with watch=true to read along"}
	closedReadOnly  = &closed{closeReadOnly, "read_only: attached with watch=true; attach without it to write"}
	closedElsewhere = &closed{closeElsewhere, "elsewhere: another service runs this job; attach there to write, or here with watch=true to read"}
	closedNoInput   = &closed{closeNotInteractive, "not_interactive: the job was submitted without interactive; attach with watch=true to read"}
)

// attach is GET /v1/jobs/{id}/attach.
func (s *Server) attach(w http.ResponseWriter, r *http.Request) {
	a, p := s.attacher(r)
	if p != nil {
		turnAway(w, r, p)
		return
	}
	s.attached.Add(1) // net/http does not wait for what it has handed over
	defer s.attached.Done()
	if s.draining.Load() {
		turnAway(w, r, refusal(sandbox.ErrShuttingDown))
		return
	}
	leave, p := s.among(r.Context(), s.attachers, "clients are attached to jobs")
	if p != nil {
		turnAway(w, r, p)
		return
	}
	defer leave()
	record, err := s.own(r.Context(), a.id)
	if err != nil {
		turnAway(w, r, s.queueProblem(err))
		return
	}
	a.watch = a.watch || record.State.Final() // there is nothing to write to
	// From here on nobody looks at the form of what comes: on a connection on which this
	// fails there is no further request. Where it does not, the header is another one.
	upgrade(r.Context())
	a.keyEnds = s.keyEnds(r.Context())
	s.record(r.Context(), audit.Event{Event: audit.JobAttached, Job: a.id, State: string(record.State), Watch: a.watch})
	w.Header().Set("Connection", "close")
	// The origin has been looked at: see ours, whose names are those of this service.
	over := &handedOver{ResponseWriter: w}
	a.conn, err = websocket.Accept(over, r, &websocket.AcceptOptions{Subprotocols: []string{AttachProtocol}, InsecureSkipVerify: true,
		OnPongReceived: func(context.Context, []byte) { a.hear() }})
	if err != nil {
		return // it has answered
	}
	a.below = over.conn
	a.conn.SetReadLimit(attachMessage)
	a.run()
}

// handedOver notes the connection that net/http gives away.
type handedOver struct {
	http.ResponseWriter
	conn net.Conn
}

// Hijack is http.Hijacker's.
func (h *handedOver) Hijack() (c net.Conn, buffered *bufio.ReadWriter, err error) {
	h.conn, buffered, err = http.NewResponseController(h.ResponseWriter).Hijack()
	return h.conn, buffered, err
}

// attacher reads the request.
func (s *Server) attacher(r *http.Request) (*attacher, *Problem) {
	if p := checkUpgrade(r); p != nil {
		return nil, p
	}
	a := &attacher{server: s, id: r.PathValue("id"), from: r.RemoteAddr, at: cursor{state: untold}, life: make(chan *liveInput, 1), lost: make(chan struct{})}
	for name, values := range r.URL.Query() {
		value, i := values[0], slices.Index(streamNames[:], name)
		switch {
		case len(values) > 1:
			return nil, problem(CodeInvalidField, clip(name), "given more than once")
		case name == "usage_ms": // read below
		case name == "watch":
			watch, err := strconv.ParseBool(value)
			if err != nil {
				return nil, problem(CodeInvalidField, name, fmt.Sprintf("%q given, allowed are true and false", clip(value)))
			}
			a.watch = watch
		case i >= 0:
			offset, err := strconv.ParseUint(value, 10, 31)
			if err != nil {
				return nil, problem(CodeInvalidField, name, fmt.Sprintf("%q given, a number of bytes is wanted", clip(value)))
			}
			a.at.offset[i] = int(offset)
		default:
			return nil, problem(CodeUnknownField, clip(name), "allowed are watch, stdout, stderr and usage_ms")
		}
	}
	a.began = a.at.offset
	var p *Problem
	a.every, p = usageEvery(r.URL.Query())
	return a, p
}

// checkUpgrade wants what the handshake of RFC 6455 has, and our protocol.
func checkUpgrade(r *http.Request) *Problem {
	has := func(header, token string) bool {
		return slices.ContainsFunc(strings.Split(r.Header.Get(header), ","), func(s string) bool { return strings.EqualFold(strings.TrimSpace(s), token) })
	}
	key, err := base64.StdEncoding.DecodeString(r.Header.Get("Sec-WebSocket-Key"))
	if r.Method != http.MethodGet || len(r.Header.Values("Sec-WebSocket-Key")) != 1 || !has("Connection", "upgrade") || !has("Upgrade", "websocket") || r.Header.Get("Sec-WebSocket-Version") != "13" || err != nil || len(key) != 16 || !r.ProtoAtLeast(1, 1) {
		return problem(CodeUpgradeRequired, "", "this is for WebSocket, version 13; /v1/jobs/{id}/events tells of a job over plain HTTP")
	}
	if !slices.Contains(offered(r), AttachProtocol) {
		return problem(CodeUpgradeRequired, "Sec-WebSocket-Protocol", AttachProtocol+" is not among the protocols that were offered, and nothing else is spoken here")
	}
	return nil
}
