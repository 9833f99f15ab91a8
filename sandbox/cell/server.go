package cell

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Template is the root of a fork server and what each of its cells adds.
type Template struct {
	Name string // for messages
	Root []Op   // done once, by the server
	Cell []Op   // done by each init
	Dir  string // the working directory in which Root begins; "": /
}

// Server is a running fork server. Its methods may be called concurrently.
type Server struct {
	template Template
	process  *exec.Cmd

	mu   sync.Mutex // one request at a time: answers carry no number
	conn *os.File
}

// Start runs the fork server of a template: this binary under the name
// "cordon-cell" in a mount namespace of its own. It returns when the root is
// built. The caller must hold CAP_SYS_ADMIN in its user namespace.
func Start(t Template) (*Server, error) {
	message := encodeOps(nil, t.Root)
	start := head{kind: msgTemplate, a: int64(len(message)), c: templateFault()}
	message = append(start.encode(nil), message...)
	message = encodeOps(message, t.Cell)
	if len(message) > messageMax {
		return nil, errOpsTooLong
	}
	conn, theirs, err := socketPair("cordon-cell")
	if err != nil {
		return nil, err
	}
	program, err := program()
	if err != nil {
		theirs.Close()
		conn.Close()
		return nil, fmt.Errorf("start fork server: %w", err)
	}
	defer program.Close()
	s := &Server{template: t, conn: conn}
	// The program is handed over like the socket: the child that executes it has only
	// the descriptors that it is given for sure, others it may put something else in the
	// place of. The server closes it first of all.
	s.process = &exec.Cmd{
		Path: "/proc/self/fd/4", Args: []string{"cordon-cell"}, Env: []string{}, Dir: cmp.Or(t.Dir, "/"),
		Stderr: os.Stderr, ExtraFiles: []*os.File{theirs, program}, // 3 and 4
		SysProcAttr: &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWIPC | unix.CLONE_NEWUTS, Setsid: true},
	}
	if err = failing(pointStartServer); err == nil {
		err = s.process.Start()
	}
	theirs.Close()
	if err != nil {
		conn.Close()
		return nil, fmt.Errorf("start fork server: %w", err)
	}
	err = s.built(message)
	if err == nil {
		err = sealed(program)
	}
	if err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

func sealed(program *os.File) error {
	err := failing(pointSealProgram)
	if err == nil {
		err = seal(program)
	}
	if err != nil {
		return fmt.Errorf("keep the fork server's program from jobs: %w", err)
	}
	return nil
}

func (s *Server) built(message []byte) error {
	if err := s.conn.SetDeadline(time.Now().Add(buildWithin)); err != nil {
		return err
	}
	if err := send(pointSendTemplate, s.conn, message); err != nil {
		return fmt.Errorf("send template %s: %w", s.template.Name, err)
	}
	h, fds, err := receive(pointReceiveTemplateDone, s.conn)
	closeFDs(fds)
	if err != nil {
		return fmt.Errorf("template %s: fork server: %w", s.template.Name, err)
	}
	if f := h.failure(); f != nil {
		f.Detail = detail(s.template.Root, f.Index)
		return fmt.Errorf("template %s: %w", s.template.Name, f)
	}
	return nil
}

// Pid is the server's process.
func (s *Server) Pid() int { return s.process.Process.Pid }

// ErrGone means that the fork server, or the cell, has ended before it got what
// was sent: nothing of it has been done.
var ErrGone = errors.New("gone")

// gone marks the errors by which a socket tells that nobody is at its other end.
func gone(err error) error {
	if errors.Is(err, unix.EPIPE) || errors.Is(err, unix.ECONNRESET) || errors.Is(err, io.EOF) ||
		errors.Is(err, os.ErrClosed) || errors.Is(err, os.ErrDeadlineExceeded) {
		return fmt.Errorf("%w: %w", ErrGone, err)
	}
	return err
}

// How long the child side may take. It does nothing that waits for others: one
// that is not ready by then is stuck, and is given up.
const (
	buildWithin  = 60 * time.Second // mounts of roots on slow disks
	answerWithin = 20 * time.Second
)

// Order is what a cell needs before its job is known.
type Order struct {
	FirstID  int        // the two ids FirstID and FirstID+1 of the daemon's namespace are the cell's
	SingleID bool       // no subordinate range: the job shares the service user's id
	Image    IDs        // what files of the root's image have, which the cell then knows; none: it has no image
	Range    bool       // the job may have any of the image's ids, and be root among them
	Filter   *os.File   // compiled seccomp program
	Network  *os.File   // a network namespace that nobody has used, of an earlier Cell; nil: a new one is made
	Group    *os.File   // cgroup v2: directory to be born into
	Tasks    []*os.File // cgroup v1: tasks files, by which init enters
}

// IDs are ids of the daemon's namespace. First is a file's that is root's in an image.
type IDs struct{ First, Count int }

// Cell makes a cell and returns at once; Ready waits for it to be warm. The cell
// has the order's Network from then on; where it fails, the caller still has it.
func (s *Server) Cell(o Order) (*Cell, error) {
	conn, theirs, err := socketPair("cordon-init")
	if err != nil {
		return nil, err
	}
	defer theirs.Close()
	h := head{kind: msgCell, a: int64(o.FirstID), b: int64(len(o.Tasks))}
	files := append([]*os.File{theirs, o.Filter}, o.Tasks...)
	if o.Group != nil {
		h.b, h.c = 1, flagCgroupV2
		files = []*os.File{theirs, o.Filter, o.Group}
	}
	if o.SingleID {
		h.c |= flagSingleID
	}
	if o.Image.Count > 0 && !o.SingleID {
		h.index, h.pid = uint32(o.Image.First), uint32(o.Image.Count)
		h.c |= flagImage
		if o.Range {
			h.c |= flagRange
		}
	}
	want := 2 // pidfd, network
	if o.Network != nil {
		h.c |= flagNetwork
		files = append(files, o.Network)
		want = 1
	}
	h.c |= cellFault()
	made, got, err := s.ask(h, nil, fdsOf(files), pointSendOrder, pointReceiveCellMade)
	if err != nil {
		conn.Close()
		return nil, err
	}
	if f := made.failure(); f != nil || len(got) != want {
		closeFDs(got)
		theirs.Close()
		defer conn.Close()
		if f == nil {
			return nil, fmt.Errorf("fork server: %d descriptors with a new cell, want %d", len(got), want)
		}
		return nil, firstFailure(conn, f)
	}
	c, err := newCell(s, conn, got[0], int(made.pid))
	if err != nil {
		closeFDs(got[1:])
		return nil, err
	}
	if c.Network = o.Network; o.Network == nil {
		c.Network = os.NewFile(uintptr(got[1]), "network")
	}
	return c, nil
}

// firstFailure waits for the end of an init whose making has failed. One that
// failed by itself has told of it: what the server met with is only what followed.
func firstFailure(conn *os.File, f *Failure) *Failure {
	if conn.SetReadDeadline(time.Now().Add(answerWithin)) != nil {
		return f
	}
	h, fds, err := receive(pointReceiveReady, conn)
	closeFDs(fds)
	if err == nil && h.failure() != nil {
		return h.failure()
	}
	return f
}

// ask sends an order, with what comes behind its head, and waits for its answer.
func (s *Server) ask(h head, payload []byte, fds []int, sending, receiving point) (head, []int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.conn.SetDeadline(time.Now().Add(answerWithin)); err != nil { // it is closed
		return head{}, nil, fmt.Errorf("fork server: %w: %w", ErrGone, err)
	}
	if err := sendFDs(sending, s.conn, append(h.encode(make([]byte, 0, headSize+len(payload))), payload...), fds); err != nil {
		return head{}, nil, fmt.Errorf("fork server: %w", gone(err))
	}
	made, got, err := receive(receiving, s.conn)
	if err != nil {
		// An answer that comes after all would be taken for the next one.
		_ = s.process.Process.Kill()
		s.conn.Close()
		err = fmt.Errorf("fork server: %w", gone(err))
	}
	return made, got, err
}

// Close ends the server. Cells that still run go on: each has its own tie to the daemon.
func (s *Server) Close() {
	s.conn.Close()
	// The server exits on end of file; a stuck one is killed by its handle.
	_ = s.process.Process.Kill()
	_ = s.process.Wait()
}
