package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"strings"
	"time"

	"github.com/coder/websocket"
	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"
	"golang.org/x/term"

	"cordon/httpapi"
	"cordon/sandbox"
)

// detachKey is Ctrl-], as telnet has it: no shell and no editor wants it.
const detachKey = 0x1d

func newAttachCommand() *cobra.Command {
	var a attachment
	cmd := &cobra.Command{
		Use: "attach ID", Short: "Attach to a job of the queue that was submitted with interactive", Args: cobra.ExactArgs(1),
		Long: "Passes standard input to the job, and its output to standard output and error. At a terminal the keys go to\n" +
			"the job as they are typed, and the job's terminal has the size of this one; Ctrl-] detaches, and the job goes on.\n\n" +
			"The exit status is the job's, as with cordon run; 0 after detaching.",
		RunE: func(cmd *cobra.Command, args []string) error {
			token, err := httpapi.LoadToken(a.state)
			if err != nil {
				return fmt.Errorf("%w; name the service's state directory by --state, or set CORDON_TOKEN", err)
			}
			return a.run(cmd.Context(), token, args[0])
		},
	}
	cmd.Flags().StringVar(&a.url, "url", cmp.Or(os.Getenv("CORDON_URL"), "http://127.0.0.1:8080"), "`address` of the service")
	cmd.Flags().StringVar(&a.state, "state", cmp.Or(os.Getenv("CORDON_STATE"), defaultState()), "the service's state `directory`, in which the token is; CORDON_TOKEN wins")
	cmd.Flags().BoolVar(&a.watch, "watch", false, "only read along")
	return cmd
}

// attachment is this side of an attached job.
type attachment struct {
	url, state string
	watch      bool
	conn       *websocket.Conn
}

func (a *attachment) run(ctx context.Context, token httpapi.Token, id string) error {
	if err := a.dial(ctx, token, id); err != nil {
		return err
	}
	defer a.conn.CloseNow()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	left := make(chan struct{})
	if !a.watch {
		restore, err := a.keyboard(ctx, left)
		if err != nil {
			return err
		}
		defer restore()
	}
	ended := make(chan error, 1)
	go func() { ended <- a.show(ctx) }()
	select {
	case err := <-ended:
		return err
	case <-left:
		_ = a.conn.Close(websocket.StatusNormalClosure, "") // the job goes on whether or not this is answered
		return nil
	}
}

func (a *attachment) dial(ctx context.Context, token httpapi.Token, id string) error {
	query := ""
	if a.watch {
		query = "?watch=true"
	}
	to := strings.TrimRight(a.url, "/") + "/v1/jobs/" + url.PathEscape(id) + "/attach" + query
	conn, answer, err := websocket.Dial(ctx, to, &websocket.DialOptions{HTTPHeader: http.Header{"Authorization": {"Bearer " + token.Reveal()}},
		Subprotocols: []string{httpapi.AttachProtocol}})
	if err != nil {
		var p httpapi.Problem
		if answer != nil && answer.Body != nil && json.NewDecoder(io.LimitReader(answer.Body, 4096)).Decode(&p) == nil && p.Detail != "" {
			return fmt.Errorf("%s: %s", p.Code, p.Detail)
		}
		return fmt.Errorf("attach: %w", err)
	}
	conn.SetReadLimit(-1) // a result may be long
	a.conn = conn
	return nil
}

// keyboard passes standard input on, until the detach key is pressed. restore gives the
// terminal back.
func (a *attachment) keyboard(ctx context.Context, left chan<- struct{}) (restore func(), err error) {
	restore = func() {}
	terminal := term.IsTerminal(0)
	if terminal {
		before, err := term.MakeRaw(0)
		if err != nil {
			return nil, fmt.Errorf("terminal: %w", err)
		}
		restore = func() { _ = term.Restore(0, before) }
		a.follow(ctx)
	}
	go func() {
		buffer := make([]byte, 32<<10)
		for {
			n, err := os.Stdin.Read(buffer[1:])
			keys, detach := buffer[1:1+n], false
			if terminal {
				if at := strings.IndexByte(string(keys), detachKey); at >= 0 {
					keys, detach = keys[:at], true
				}
			}
			if len(keys) > 0 && a.conn.Write(ctx, websocket.MessageBinary, buffer[:1+len(keys)]) != nil {
				return // who reads knows why
			}
			if detach {
				close(left)
				return
			}
			if err != nil {
				_ = a.say(ctx, map[string]any{"type": "close_stdin"})
				return
			}
		}
	}()
	return restore, nil
}

// follow gives the job's terminal the size of ours, now and each time that it changes.
func (a *attachment) follow(ctx context.Context) {
	resized := make(chan os.Signal, 1)
	signal.Notify(resized, unix.SIGWINCH)
	go func() {
		defer signal.Stop(resized)
		for {
			if cols, rows, err := term.GetSize(0); err == nil && rows > 0 && cols > 0 {
				_ = a.say(ctx, map[string]any{"type": "resize", "rows": rows, "cols": cols})
			}
			select {
			case <-resized:
			case <-ctx.Done():
				return
			}
		}
	}()
}

func (a *attachment) say(ctx context.Context, what map[string]any) error {
	text, err := json.Marshal(what)
	if err != nil {
		return err
	}
	return a.conn.Write(ctx, websocket.MessageText, text)
}

// show prints what the job does, to its end.
func (a *attachment) show(ctx context.Context) error {
	out := []io.Writer{nil, os.Stdout, os.Stderr}
	for {
		kind, message, err := a.conn.Read(ctx)
		var closed websocket.CloseError
		switch {
		case errors.As(err, &closed):
			return fmt.Errorf("the service has let go: %s (%d)", closed.Reason, closed.Code)
		case err != nil:
			return fmt.Errorf("attach: %w", err)
		case kind == websocket.MessageBinary && len(message) > 0 && int(message[0]) < len(out) && out[message[0]] != nil:
			if _, err := out[message[0]].Write(message[1:]); err != nil {
				return err
			}
		case kind == websocket.MessageText:
			if over, err := a.told(message); over {
				return err
			}
		}
	}
}

// told looks for what there is to be said to who is attached, and for the end.
func (a *attachment) told(message []byte) (over bool, err error) {
	var m struct {
		Type, Detail string
		Left         int64 `json:"left_ms"`
		Job          struct {
			State   string
			Result  *httpapi.RunResult
			Problem *httpapi.Problem
		}
	}
	if err := json.Unmarshal(message, &m); err != nil {
		return true, fmt.Errorf("attach: %w", err)
	}
	switch {
	case m.Type == "error" && !strings.Contains(m.Detail, sandbox.ErrNoTerminal.Error()) && !strings.Contains(m.Detail, sandbox.ErrTerminalInput.Error()):
		fmt.Fprintf(os.Stderr, "cordon: %s\r\n", m.Detail)
	case m.Type == "shutting_down":
		fmt.Fprintf(os.Stderr, "\r\ncordon: the service is ending; the job has %v left\r\n", (time.Duration(m.Left) * time.Millisecond).Round(time.Second))
	case m.Type != "result":
	case m.Job.Problem != nil:
		return true, fmt.Errorf("%s: %s", m.Job.Problem.Code, m.Job.Problem.Detail)
	case m.Job.Result == nil:
		return true, fmt.Errorf("the job is %s", m.Job.State)
	default:
		if status := exitOfResult(m.Job.Result); status != 0 {
			return true, statusError(status)
		}
		return true, nil
	}
	return false, nil
}

// exitOfResult is exitOf for what the API tells.
func exitOfResult(r *httpapi.RunResult) int {
	as := sandbox.Result{Step: sandbox.Step{Verdict: sandbox.Verdict(r.Verdict), ExitCode: r.ExitCode, ExecErrno: unix.EACCES}}
	if r.Signal != nil {
		as.Signal = *r.Signal
	}
	if strings.HasSuffix(r.Message, "(ENOENT)") { // of exec_failed
		as.ExecErrno = unix.ENOENT
	}
	return exitOf(&as)
}
