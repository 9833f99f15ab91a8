package queue

import (
	"context"
	"strconv"
	"strings"
	"time"
)

// Journal is where everything is kept. Its methods may be called at once.
type Journal interface {
	// Put adds a message and returns its number when it would survive the loss of power.
	// last is the number of the subject's message until now, 0 where there is none:
	// errConflict when it is another. After ErrUnavailable it may be there or not.
	Put(ctx context.Context, subject string, meta, data []byte, last uint64) (uint64, error)
	// Get reads the last message of a subject, or errNone.
	Get(ctx context.Context, subject string) (*Message, error)
	// Remove removes the last message of a subject, or with ".>" at its end of all below
	// it. What is not there is removed already.
	Remove(ctx context.Context, subject string) error
	// Watch tells, until ctx is done, of every message there is and comes, in their order
	// and without their data. caught is called when all are told that were there.
	Watch(ctx context.Context, tell func(*Message), caught func()) error
	// Room is an error where no more jobs may be taken, so that those there are can
	// still come to their ends.
	Room() error
	// Alone: nobody else writes into this journal.
	Alone() bool
	Close() error
}

// Message is one of a journal's.
type Message struct {
	Subject    string
	Number     uint64
	Time       time.Time
	Meta, Data []byte
}

const (
	subjects     = "cordon."
	submission   = "q"
	stateOf      = "j"
	requestPart  = "b"
	resultPart   = "r"
	keyOf        = "i"
	deliveryOf   = "w"
	partBytes    = 512 << 10 // of a message: outside servers take a MiB
	journalRetry = 100 * time.Millisecond
)

func subject(kind, id string) string { return subjects + kind + "." + id }

// parseSubject is the kind and the id of a subject of ours.
func parseSubject(s string) (kind, id string) {
	rest, ours := strings.CutPrefix(s, subjects)
	if !ours {
		return "", ""
	}
	kind, rest, _ = strings.Cut(rest, ".")
	id, _, _ = strings.Cut(rest, ".")
	return kind, id
}

// putParts writes what is too long for a message. What is short is given back, to stand
// in the message itself.
func putParts(ctx context.Context, j Journal, kind, id string, data []byte) (parts int, rest []byte, err error) {
	if len(data) <= partBytes {
		return 0, data, nil
	}
	for ; len(data) > 0; parts++ {
		n := min(len(data), partBytes)
		name := subject(kind, id) + "." + strconv.Itoa(parts)
		if err := put(ctx, j, name, data[:n]); err != nil {
			return 0, nil, err
		}
		data = data[n:]
	}
	return parts, nil, nil
}

// put writes over whatever is there, as an earlier try may have left it.
func put(ctx context.Context, j Journal, name string, data []byte) error {
	_, err := j.Put(ctx, name, nil, data, 0)
	if err != errConflict { //nolint:errorlint // Put gives it as it is
		return err
	}
	if err := j.Remove(ctx, name); err != nil {
		return err
	}
	_, err = j.Put(ctx, name, nil, data, 0)
	return err
}

// getParts puts together what putParts has written.
func getParts(ctx context.Context, j Journal, kind, id string, parts int, size int64, data []byte) ([]byte, error) {
	if parts == 0 {
		return data, nil
	}
	out := make([]byte, 0, size)
	for i := range parts {
		m, err := j.Get(ctx, subject(kind, id)+"."+strconv.Itoa(i))
		if err != nil {
			return nil, err
		}
		out = append(out, m.Data...)
	}
	return out, nil
}
