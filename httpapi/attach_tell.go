package httpapi

import (
	"context"
	"errors"

	"cordon/queue"
)

// tell sends all there is. news is closed when there is more of a job that runs here.
func (a *attacher) tell(ctx context.Context) (news <-chan struct{}, why *closed) {
	r, err := a.server.config.Jobs.Queue.Get(ctx, a.id)
	if errors.Is(err, queue.ErrNotFound) {
		return nil, closedUnknown
	}
	if err != nil {
		return nil, a.failed(err)
	}
	a.followed = nil
	if r.Attempts != a.at.attempt {
		a.at = cursor{attempt: r.Attempts, state: untold, offset: a.began}
		a.began = [2]int{} // they are of the attempt that was there
	}
	if r.State != a.at.state && !r.State.Final() {
		a.at.state = r.State
		if why := a.say(object{"type": "state", "job": a.server.jobStatus(&r)}); why != nil {
			return nil, why
		}
	}
	if r.State.Final() {
		return nil, a.last(ctx, &r)
	}
	l, began := a.server.live.get(a.id, r.Attempts)
	if l == nil {
		return a.away(&r, began)
	}
	if l.input == nil && !a.watch {
		return nil, closedNoInput
	}
	if !a.given && l.input != nil {
		a.given = true
		a.life <- l.input
	}
	return a.live(l)
}

// away is for a job that does not run here. What it prints in another service can be read
// here all the same.
func (a *attacher) away(r *queue.Record, began <-chan struct{}) (<-chan struct{}, *closed) {
	switch q := a.server.config.Jobs.Queue; {
	case !q.Away(r):
		return began, nil
	case !a.watch:
		return nil, closedElsewhere
	case r.State != queue.Running:
		return nil, nil
	}
	a.mirror = a.server.mirrored(r, a.mirror)
	a.mirror.life.want(a.every)
	return a.live(a.mirror.life)
}

// live tells of a job that runs here.
func (a *attacher) live(l *life) (<-chan struct{}, *closed) {
	if a.followed = l; a.samples == 0 {
		l.sample(a.every)
	}
	now := l.look()
	for i := range now.out {
		if why := a.output(i, now.out[i]); why != nil {
			return nil, why
		}
	}
	if now.samples != a.samples {
		a.samples = now.samples
		if why := a.say(object{"type": "usage", "usage": now.usage}); why != nil {
			return nil, why
		}
	}
	return now.news, nil
}

// last tells how a job has ended.
func (a *attacher) last(ctx context.Context, r *queue.Record) *closed {
	text, err := a.server.config.Jobs.Queue.Result(ctx, r)
	if err != nil && !errors.Is(err, queue.ErrNotFound) {
		return a.failed(err)
	}
	if r.State != queue.Failed && text != nil {
		all, _, err := printed(text)
		if err != nil {
			return a.failed(err)
		}
		for i := range all {
			if why := a.output(i, all[i]); why != nil {
				return why
			}
		}
	}
	status := newJobStatus(r)
	status.withResult(text)
	if why := a.say(object{"type": "result", "job": status}); why != nil {
		return why
	}
	return closedEnd
}

func (a *attacher) failed(err error) *closed {
	a.server.config.Logger.Error("an attached client cannot be served", "job", a.id, "error", err)
	return &closed{closeInternal, "internal_error: the queue has failed"}
}
