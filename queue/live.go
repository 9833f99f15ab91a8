package queue

import "context"

// AnswerLive answers questions about jobs that run here, of other services of the same
// program, until stop is called. Where nobody shares the journal nobody asks.
func (q *Queue) AnswerLive(answer func(context.Context, []byte) []byte) (stop func(), err error) {
	if q.bus == nil {
		return func() {}, nil
	}
	return q.bus.Answer(liveName(q.config.Worker, q.config.Boot), answer)
}

// AskLive asks the service that runs a job.
func (q *Queue) AskLive(ctx context.Context, r *Record, question []byte) ([]byte, error) {
	if q.bus == nil {
		return nil, errNobody
	}
	return q.bus.Ask(ctx, liveName(r.Worker, r.Boot), question)
}

// Here says whether a job runs in this service, or did.
func (q *Queue) Here(r *Record) bool {
	return r.Worker == q.config.Worker && r.Boot == q.config.Boot
}

func liveName(worker, boot string) string { return worker + " " + boot }

// Forget removes a job that has ended, before its time.
func (q *Queue) Forget(ctx context.Context, id string) error {
	q.mu.Lock()
	e := q.index.jobs[id]
	ended := e != nil && e.State.Final()
	q.mu.Unlock()
	if !ended {
		return ErrNotFound
	}
	return q.forget(ctx, e)
}
