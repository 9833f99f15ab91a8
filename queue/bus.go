package queue

import (
	"context"
	"errors"
	"time"
)

// Bus is what services that share a journal tell each other beside it: what need not be
// on a disk. Its methods may be called at once.
type Bus interface {
	// Beat keeps a note of a service, in place of its last one. It returns
	// when those who hold the notes have it.
	Beat(ctx context.Context, name string, data []byte) error
	// LastBeat is the note of a service there is now, as those who hold them say; nil
	// where there is none.
	LastBeat(ctx context.Context, name string) (*Beat, error)
	// Beats tells of the notes there are and of all that come, until ctx is done. Some
	// may be left out where others follow.
	Beats(ctx context.Context, tell func(*Beat)) error
	// Clock is what time it is where the journal is kept.
	Clock(ctx context.Context) (time.Time, error)
	// Ask brings a question to who answers under a name; errNobody where nobody does.
	Ask(ctx context.Context, name string, question []byte) ([]byte, error)
	// Answer answers questions to a name, each in a goroutine of its own, until stop is
	// called.
	Answer(name string, answer func(context.Context, []byte) []byte) (stop func(), err error)
}

// Beat is a service's note.
type Beat struct {
	Name   string
	Number uint64 // of two notes of a service the later one has another
	Data   []byte
}

var errNobody = errors.New("nobody answers")

// busOf is the bus of a journal that has others beside this service; else nil.
func busOf(j Journal) Bus {
	if shared, ok := j.(interface{ Bus() Bus }); ok {
		return shared.Bus()
	}
	return nil
}

// tokenOf makes a name into a part of a subject: whatever is in a name, it means nothing
// there.
func tokenOf(name string) string { return sum([]byte(name))[:32] }
