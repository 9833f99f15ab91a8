package queue

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const (
	streamName = "CORDON_JOBS"
	metaHeader = "Cordon-Record"
	// reply bounds how long an answer of a server is waited for: one that was asked too
	// early, as while a cluster elects, never answers.
	reply = 5 * time.Second
	// storeFailed is a server's answer when its disk does not take a message.
	storeFailed jetstream.ErrorCode = 10077
)

// stream is a journal that is a stream of JetStream, whoever runs the server.
type stream struct {
	conn   *nats.Conn
	js     jetstream.JetStream
	stream jetstream.Stream
	log    *slog.Logger

	name, prefix string // of the stream, and of its subjects
	replicas     int
}

// openStream finds the stream, or makes it.
func openStream(ctx context.Context, conn *nats.Conn, replicas int, log *slog.Logger) (*stream, error) {
	return openStreamAs(ctx, conn, &stream{name: streamName, prefix: subjects, replicas: replicas, log: log}, "Jobs of Cordon")
}

func openStreamAs(ctx context.Context, conn *nats.Conn, s *stream, description string) (_ *stream, err error) {
	s.conn = conn
	if s.js, err = jetstream.New(conn, jetstream.WithDefaultTimeout(reply)); err != nil {
		return nil, err
	}
	// Of several servers only the leader knows for sure what was written last.
	s.stream, err = s.js.CreateOrUpdateStream(ctx, jetstream.StreamConfig{Name: s.name, Subjects: []string{s.prefix + ">"},
		Description: description, Storage: jetstream.FileStorage, Replicas: s.replicas, MaxMsgsPerSubject: 1, AllowDirect: s.replicas == 1,
		MaxConsumers: -1})
	if err != nil {
		return nil, fmt.Errorf("stream %s: %w", s.name, err)
	}
	return s, nil
}

// Put is the journal's.
func (s *stream) Put(ctx context.Context, subject string, meta, data []byte, last uint64) (uint64, error) {
	m := nats.NewMsg(subject)
	m.Data = data
	if meta != nil {
		m.Header.Set(metaHeader, string(meta))
	}
	ack, err := s.js.PublishMsg(ctx, m, jetstream.WithExpectStream(s.name), jetstream.WithExpectLastSequencePerSubject(last))
	if err != nil {
		return 0, known(err)
	}
	return ack.Sequence, nil
}

// Get is the journal's.
func (s *stream) Get(ctx context.Context, subject string) (*Message, error) {
	m, err := s.stream.GetLastMsgForSubject(ctx, subject)
	if err != nil {
		return nil, known(err)
	}
	return &Message{m.Subject, m.Sequence, m.Time, []byte(m.Header.Get(metaHeader)), m.Data}, nil
}

// Last is the number of the newest message.
func (s *stream) Last(ctx context.Context) (uint64, error) {
	info, err := s.stream.Info(ctx)
	if err != nil {
		return 0, known(err)
	}
	return info.State.LastSeq, nil
}

// Remove is the journal's.
func (s *stream) Remove(ctx context.Context, subject string) error {
	return known(s.stream.Purge(ctx, jetstream.WithPurgeSubject(subject)))
}

// RemoveUntil removes the messages of a subject up to a number.
func (s *stream) RemoveUntil(ctx context.Context, subject string, number uint64) error {
	return known(s.stream.Purge(ctx, jetstream.WithPurgeSubject(subject), jetstream.WithPurgeSequence(number+1)))
}

// known says in the words of this room what a server has answered.
func known(err error) error {
	var answer *jetstream.APIError
	switch {
	case err == nil:
		return nil
	case errors.Is(err, jetstream.ErrMsgNotFound):
		return errNone
	case errors.As(err, &answer) && (answer.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence ||
		answer.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequenceConstant):
		return errConflict
	case strings.Contains(err.Error(), "no space left"), strings.Contains(err.Error(), "insufficient storage"),
		errors.As(err, &answer) && answer.ErrorCode == storeFailed:
		return fmt.Errorf("%w: %w", ErrNoSpace, err)
	}
	return fmt.Errorf("%w: %w", ErrUnavailable, err)
}

// Watch is the journal's. A server that goes and comes back is followed from where it
// was left.
func (s *stream) Watch(ctx context.Context, tell func(*Message), caught func()) error {
	var seen uint64
	for {
		err := s.follow(ctx, &seen, tell, &caught)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		s.log.Warn("the queue's journal cannot be followed; trying again", "error", err)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(journalRetry):
		}
	}
}

func (s *stream) follow(ctx context.Context, seen *uint64, tell func(*Message), caught *func()) error {
	info, err := s.stream.Info(ctx)
	if err != nil {
		return err
	}
	told := func() {
		if *caught != nil {
			(*caught)()
			*caught = nil
		}
	}
	if info.State.Msgs == 0 {
		told()
	}
	from := jetstream.OrderedConsumerConfig{FilterSubjects: []string{s.prefix + ">"}, HeadersOnly: true}
	if *seen > 0 {
		from.DeliverPolicy, from.OptStartSeq = jetstream.DeliverByStartSequencePolicy, *seen+1
	}
	consumer, err := s.stream.OrderedConsumer(ctx, from)
	if err != nil {
		return err
	}
	return each(ctx, consumer, func(m jetstream.Msg, about *jetstream.MsgMetadata) {
		*seen = about.Sequence.Stream
		tell(&Message{m.Subject(), *seen, about.Timestamp, []byte(m.Headers().Get(metaHeader)), nil})
		if about.NumPending == 0 {
			told()
		}
	}, jetstream.PullMaxMessages(500))
}

// each tells of a consumer's messages as they come, until ctx is done or the servers are
// gone.
func each(ctx context.Context, from jetstream.Consumer, tell func(jetstream.Msg, *jetstream.MsgMetadata), options ...jetstream.PullMessagesOpt) error {
	messages, err := from.Messages(options...)
	if err != nil {
		return err
	}
	defer messages.Stop()
	stop := context.AfterFunc(ctx, messages.Stop)
	defer stop()
	for {
		m, err := messages.Next()
		if err != nil {
			return err
		}
		about, err := m.Metadata()
		if err != nil {
			return err
		}
		tell(m, about)
	}
}
