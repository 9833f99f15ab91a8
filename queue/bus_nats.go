package queue

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// natsBus is the bus of a journal that is a stream of JetStream: notes are in a stream of
// their own, in memory, questions are not kept at all.
type natsBus struct{ s *stream }

const (
	beatStream = "CORDON_BEATS"
	beatPrefix = "cordonbeat."
	askPrefix  = "cordonask."
	nameHeader = "Cordon-Name"
	beatsFor   = time.Hour // that a note is kept at most
)

// open makes the stream of the notes. That of one server is in memory, and gone when it is
// started anew. Of several, copies in memory do not survive that one server after the other
// is: what is left of them can no longer agree, and then nobody could have a lease.
func (b natsBus) open(ctx context.Context) (jetstream.Stream, error) {
	storage := jetstream.MemoryStorage
	if b.s.replicas > 1 {
		storage = jetstream.FileStorage
	}
	return b.s.js.CreateOrUpdateStream(ctx, jetstream.StreamConfig{Name: beatStream, Subjects: []string{beatPrefix + ">"}, MaxAge: beatsFor,
		Description: "Services of Cordon that live", Storage: storage, Replicas: b.s.replicas, MaxMsgsPerSubject: 1, MaxConsumers: -1})
}

// Beat is the bus's.
func (b natsBus) Beat(ctx context.Context, name string, data []byte) error {
	m := nats.NewMsg(beatPrefix + tokenOf(name))
	m.Data = data
	m.Header.Set(nameHeader, name)
	_, err := b.s.js.PublishMsg(ctx, m, jetstream.WithExpectStream(beatStream))
	if errors.Is(err, jetstream.ErrNoStreamResponse) || errors.Is(err, nats.ErrNoResponders) {
		if _, err := b.open(ctx); err != nil {
			return known(err)
		}
		_, err = b.s.js.PublishMsg(ctx, m, jetstream.WithExpectStream(beatStream))
	}
	return known(err)
}

// LastBeat is the bus's. The leader answers: the stream has no direct reads.
func (b natsBus) LastBeat(ctx context.Context, name string) (*Beat, error) {
	all, err := b.s.js.Stream(ctx, beatStream)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, known(err)
	}
	m, err := all.GetLastMsgForSubject(ctx, beatPrefix+tokenOf(name))
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, known(err)
	}
	return &Beat{name, uint64(m.Time.UnixNano()), m.Data}, nil
}

// Beats is the bus's.
func (b natsBus) Beats(ctx context.Context, tell func(*Beat)) error {
	for {
		err := b.follow(ctx, tell)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		b.s.log.Debug("the services of the queue cannot be followed; trying again", "error", err)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(5 * journalRetry):
		}
	}
}

func (b natsBus) follow(ctx context.Context, tell func(*Beat)) error {
	all, err := b.open(ctx)
	if err != nil {
		return err
	}
	consumer, err := all.OrderedConsumer(ctx, jetstream.OrderedConsumerConfig{FilterSubjects: []string{beatPrefix + ">"}})
	if err != nil {
		return err
	}
	return each(ctx, consumer, func(m jetstream.Msg, about *jetstream.MsgMetadata) {
		tell(&Beat{m.Headers().Get(nameHeader), uint64(about.Timestamp.UnixNano()), m.Data()})
	})
}

// Clock is the bus's.
func (b natsBus) Clock(ctx context.Context) (time.Time, error) {
	info, err := b.s.stream.Info(ctx)
	if err != nil {
		return time.Time{}, known(err)
	}
	return info.TimeStamp, nil
}

// Ask is the bus's.
func (b natsBus) Ask(ctx context.Context, name string, question []byte) ([]byte, error) {
	m, err := b.s.conn.RequestWithContext(ctx, askPrefix+tokenOf(name), question)
	switch {
	case errors.Is(err, nats.ErrNoResponders):
		return nil, errNobody
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return m.Data, nil
}

// Answer is the bus's.
func (b natsBus) Answer(name string, answer func(context.Context, []byte) []byte) (func(), error) {
	ctx, stop := context.WithCancel(context.Background())
	s, err := b.s.conn.Subscribe(askPrefix+tokenOf(name), func(m *nats.Msg) {
		go func() { _ = m.Respond(answer(ctx, m.Data)) }() // who has gone cannot be told
	})
	if err != nil {
		stop()
		return nil, known(err)
	}
	return func() { _ = s.Unsubscribe(); stop() }, nil
}
