package queue

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"golang.org/x/sys/unix"
)

// embedded is a journal of a server in this process, which nobody else can reach. Every
// message is on the disk before it is acknowledged.
type embedded struct {
	*stream
	dir    string
	listen *Listen // nil: nobody else reaches the server
	log    *slog.Logger

	mu      sync.Mutex
	server  *server.Server
	mending bool // the server is being started anew
	done    context.CancelFunc
	ctx     context.Context
	mended  sync.WaitGroup
}

const startWithin = 30 * time.Second // a hang; recovering reads every message once

// Embedded opens the journal in a directory, and makes it if it is not there.
func Embedded(ctx context.Context, dir string, log *slog.Logger) (Journal, error) {
	return EmbeddedFor(ctx, dir, nil, log)
}

// EmbeddedFor opens it likewise, for other services as well where listen says how they
// reach it.
func EmbeddedFor(ctx context.Context, dir string, listen *Listen, log *slog.Logger) (Journal, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	e := &embedded{dir: dir, listen: listen, log: log}
	e.ctx, e.done = context.WithCancel(context.Background())
	if err := e.start(); err != nil {
		return nil, err
	}
	options := []nats.Option{nats.InProcessServer(e), nats.MaxReconnects(-1), nats.ReconnectWait(journalRetry), nats.ReconnectJitter(0, 0), nats.Name("cordon")}
	if listen != nil {
		options = append(options, nats.Token(listen.Secret))
	}
	conn, err := nats.Connect("", options...)
	if err == nil {
		if e.stream, err = openStream(ctx, conn, 1, log); err != nil {
			conn.Close()
		}
	}
	if err == nil {
		err = syncDirs(dir)
	}
	if err != nil {
		e.stop()
		return nil, err
	}
	return e, nil
}

func (e *embedded) start() error {
	o := &server.Options{ServerName: "cordon", DontListen: true, JetStream: true, StoreDir: e.dir, SyncAlways: true,
		NoSigs: true, JetStreamMaxStore: 1 << 50, JetStreamMaxMemory: 64 << 20}
	if err := e.listen.apply(o); err != nil {
		return err
	}
	s, err := server.NewServer(o)
	if err != nil {
		return err
	}
	s.SetLoggerV2(serverLog{e.log}, false, false, false)
	s.Start()
	if !s.ReadyForConnections(startWithin) || !s.JetStreamEnabled() {
		s.Shutdown()
		s.WaitForShutdown()
		return fmt.Errorf("the queue's journal in %s could not be opened; the log says more", e.dir)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.server = s
	return nil
}

// InProcessConn is how the client reaches the server there is now.
func (e *embedded) InProcessConn() (net.Conn, error) {
	e.mu.Lock()
	s := e.server
	e.mu.Unlock()
	if s == nil {
		return nil, errors.New("the queue's server is being started anew")
	}
	return s.InProcessConn()
}

// Put is the journal's.
func (e *embedded) Put(ctx context.Context, subject string, meta, data []byte, last uint64) (uint64, error) {
	return e.putInto(ctx, e.stream, subject, meta, data, last)
}

func (e *embedded) putInto(ctx context.Context, to *stream, subject string, meta, data []byte, last uint64) (uint64, error) {
	e.mu.Lock()
	mending := e.mending
	e.mu.Unlock()
	if mending { // there would be no answer
		return 0, fmt.Errorf("%w: its journal could not be written and is being opened anew, when the disk has room", ErrUnavailable)
	}
	number, err := to.Put(ctx, subject, meta, data, last)
	if errors.Is(err, ErrNoSpace) || errors.Is(err, ErrUnavailable) && ctx.Err() == nil {
		e.mend()
	}
	return number, err
}

// mend starts the server anew, once there is room: after a write that failed it takes no
// other, whatever the disk has by then, and does not even answer.
func (e *embedded) mend() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.mending || e.server == nil || e.ctx.Err() != nil {
		return
	}
	e.mending = true
	e.mended.Go(func() {
		for told := false; ; told = true {
			if e.room(2) == nil { // half of what is kept free for the ends of jobs
				e.stop()
				err := e.start()
				if err == nil {
					e.log.Info("the queue's journal was opened anew")
					break
				}
				e.log.Error("the queue's journal cannot be opened", "error", err)
			} else if !told {
				e.log.Error("the queue's journal cannot be written; waiting until the disk has room", "directory", e.dir)
			}
			select {
			case <-e.ctx.Done():
				return
			case <-time.After(journalRetry):
			}
		}
		e.mu.Lock()
		defer e.mu.Unlock()
		e.mending = false
	})
}

// stop ends the server, and gives up what it holds.
func (e *embedded) stop() {
	e.mu.Lock()
	s := e.server
	e.server = nil
	e.mu.Unlock()
	if s != nil {
		s.Shutdown()
		s.WaitForShutdown()
	}
}

// Alone is the journal's: the state directory is locked.
func (e *embedded) Alone() bool { return e.listen == nil }

// Bus is what the services tell each other, where there are others.
func (e *embedded) Bus() Bus {
	if e.listen == nil {
		return nil
	}
	return natsBus{e.stream}
}

// Close is the journal's.
func (e *embedded) Close() error {
	e.done()
	e.mended.Wait()
	e.conn.Close()
	e.stop()
	return nil
}

// mostReserve is what is left on a large disk when no more jobs are taken; on a small one
// it is an eighth.
const mostReserve = 256 << 20

// Room is the journal's.
func (e *embedded) Room() error { return e.room(1) }

// room is an error where less than such a part of the reserve is free.
func (e *embedded) room(part int64) error {
	var fs unix.Statfs_t
	if err := unix.Statfs(e.dir, &fs); err != nil {
		return fmt.Errorf("%w: %s: %w", ErrUnavailable, e.dir, err)
	}
	free, all := int64(fs.Bavail)*fs.Bsize, int64(fs.Blocks)*fs.Bsize
	if reserve := min(mostReserve, all/8) / part; free < reserve {
		return fmt.Errorf("%w: %d bytes are free in the state directory, and the last %d are kept for jobs that are there already", ErrNoSpace, free, reserve)
	}
	return nil
}

// syncDirs forces the names of new files to the disk: the server does that only for
// what is in them.
func syncDirs(dir string) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		return errors.Join(f.Sync(), f.Close())
	})
}

// serverLog brings what the server says into the service's log.
type serverLog struct{ to *slog.Logger }

func (l serverLog) tell(level slog.Level, format string, v []any) {
	l.to.Log(context.Background(), level, "queue: "+fmt.Sprintf(format, v...))
}

// Noticef is what happens at every start.
func (l serverLog) Noticef(format string, v ...any) { l.tell(slog.LevelDebug, format, v) }

// Warnf is a warning.
func (l serverLog) Warnf(format string, v ...any) { l.tell(slog.LevelWarn, format, v) }

// Fatalf is an error: nothing here ends the program.
func (l serverLog) Fatalf(format string, v ...any) { l.tell(slog.LevelError, format, v) }

// Errorf is an error.
func (l serverLog) Errorf(format string, v ...any) { l.tell(slog.LevelError, format, v) }

// Debugf is for those who look for faults.
func (l serverLog) Debugf(format string, v ...any) { l.tell(slog.LevelDebug, format, v) }

// Tracef likewise.
func (l serverLog) Tracef(format string, v ...any) { l.tell(slog.LevelDebug, format, v) }
