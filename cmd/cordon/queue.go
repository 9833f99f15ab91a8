package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/google/uuid"

	"cordon/httpapi"
	"cordon/queue"
	"cordon/sandbox"
)

const (
	queueDir   = "queue"         // below the state directory
	queueOpens = 2 * time.Minute // within which the queue is open: a hang, or servers that nobody can reach
)

// queueSettings are those of the queue, read.
type queueSettings struct {
	bytes, resultsBytes int64
	ttl, resultsTTL     time.Duration
	lease               time.Duration
}

// queueSettings reads what has to be read.
func (c *config) queueSettings() (s queueSettings, err error) {
	for _, one := range []struct {
		name, text string
		to         *int64
	}{{"queue-bytes", c.QueueBytes, &s.bytes}, {"results-bytes", c.ResultsBytes, &s.resultsBytes}} {
		var n size
		if err := n.Set(one.text); err != nil || n <= 0 {
			return s, fmt.Errorf("%s: %q given, a size such as 512M is wanted", one.name, one.text)
		}
		*one.to = int64(n)
	}
	if s.ttl, err = time.ParseDuration(c.QueueTTL); err != nil || s.ttl <= 0 {
		return s, fmt.Errorf("queue-ttl: %q given, a duration such as 24h is wanted", c.QueueTTL)
	}
	if s.resultsTTL, err = time.ParseDuration(c.ResultsTTL); err != nil || s.resultsTTL < 0 {
		return s, fmt.Errorf("results-ttl: %q given, a duration such as 24h is wanted, or 0 for no end", c.ResultsTTL)
	}
	if s.lease, err = time.ParseDuration(c.QueueLease); err != nil || s.lease < time.Second || s.lease > time.Hour {
		return s, fmt.Errorf("queue-lease: %q given, 1s to 1h is wanted", c.QueueLease)
	}
	return s, nil
}

// checkQueue holds the settings of the queue against each other.
func (c *config) checkQueue() error {
	if c.QueueJobs < 0 || c.QueueJobs > 1_000_000 {
		return fmt.Errorf("queue-jobs: %d given, allowed is 0 to 1000000", c.QueueJobs)
	}
	if c.QueueParallel < 0 || c.QueueParallel > c.Parallel {
		return fmt.Errorf("queue-parallel: %d given, allowed is 1 to %d, as in parallel, or 0 for all of those", c.QueueParallel, c.Parallel)
	}
	if c.QueueReplicas < 1 || c.QueueReplicas > 5 {
		return fmt.Errorf("queue-replicas: %d given, allowed is 1 to 5", c.QueueReplicas)
	}
	if (c.QueueCert == "") != (c.QueueKey == "") {
		return errors.New("queue-cert and queue-key: one of them is given; a certificate wants its key")
	}
	for _, one := range []struct{ name, value string }{{"queue-credentials", c.QueueCredentials}, {"queue-ca", c.QueueCA}, {"queue-cert", c.QueueCert}} {
		if c.QueueURL == "" && one.value != "" {
			return fmt.Errorf("%s: given without queue-url, to which it belongs", one.name)
		}
	}
	_, err := c.queueSettings()
	return err
}

// openQueue opens the queue of the service, or none.
func (e *engine) openQueue(ctx context.Context, o *engineOptions) (*queue.Queue, error) {
	c, logger := &o.config, o.logger
	if c.QueueJobs == 0 {
		return nil, nil
	}
	abilities := e.abilities(c)
	settings, err := c.queueSettings()
	if err != nil {
		return nil, err
	}
	boot, err := uuid.NewV7()
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithTimeout(ctx, queueOpens)
	defer stop()
	worker, journal, err := openJournal(ctx, c, logger)
	if err != nil {
		return nil, fmt.Errorf("queue: %w; --queue-jobs 0 does without", err)
	}
	q, err := queue.Open(ctx, queue.Config{Journal: journal, Worker: worker, Boot: boot.String(), MaxJobs: int64(c.QueueJobs), MaxBytes: settings.bytes,
		ResultsTTL: settings.resultsTTL, ResultsBytes: settings.resultsBytes, Ran: e.ran, Logger: logger,
		Settled: httpapi.AuditSettled(o.audit), Told: httpapi.AuditTold(o.audit),
		Abilities: abilities, Most: c.queueMost(), Follow: c.Role != roleWorker, Lease: settings.lease})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("queue: %w", err), journal.Close())
	}
	if e.shared, err = e.shareFiles(ctx, c, q, journal, logger); err != nil {
		return nil, errors.Join(fmt.Errorf("shared files: %w", err), q.Close())
	}
	if at := queue.Address(journal); at != "" {
		logger.Info("other services reach the queue", "queue_listen", at)
	}
	return q, nil
}

// openJournal also gives the name of this service among those that share the journal: the
// same at every start with this state directory.
func openJournal(ctx context.Context, c *config, logger *slog.Logger) (worker string, j queue.Journal, err error) {
	worker = instanceName(c.State)
	secret, err := c.queueSecret()
	if err != nil {
		return "", nil, err
	}
	if c.QueueURL == "" {
		j, err = queue.EmbeddedFor(ctx, filepath.Join(c.State, queueDir), c.queueListen(secret), logger)
		return worker, j, err
	}
	host, err := os.Hostname()
	if err != nil {
		return "", nil, err
	}
	j, err = queue.Connect(ctx, queue.Remote{URL: c.QueueURL, Credentials: c.QueueCredentials, Secret: secret, CA: c.QueueCA, Cert: c.QueueCert, Key: c.QueueKey,
		Replicas: c.QueueReplicas}, logger)
	return host + "-" + worker, j, err
}

// jobs is the queue as the API wants it; nil without one.
func (e *engine) jobs(c *config, logger *slog.Logger) (*httpapi.Jobs, error) {
	if e.queue == nil {
		return nil, nil
	}
	settings, err := c.queueSettings()
	if err != nil {
		return nil, err
	}
	hooks, err := c.hooks(logger)
	if err != nil {
		return nil, err
	}
	if e.runner == nil { // its jobs run elsewhere
		promise := func(job *sandbox.Job) (sandbox.Promise, error) {
			return sandbox.PromiseElsewhere(resolver{e.policies}, job)
		}
		return &httpapi.Jobs{Queue: e.queue, TTL: settings.ttl, Hooks: hooks, Promise: promise}, nil
	}
	return &httpapi.Jobs{Queue: e.queue, Most: c.queueMost(), TTL: settings.ttl, Hooks: hooks, Promise: e.runner.Promise, Reserve: func(ctx context.Context, r *queue.Record) (httpapi.Place, error) {
		p, err := e.runner.Reserve(ctx, r.Tenant, sandbox.Promise{Memory: r.Memory, CPUs: r.CPUs})
		if err != nil {
			return nil, err
		}
		return place{p}, nil
	}}, nil
}

// queueMost is how many jobs of the queue run at once.
func (c *config) queueMost() int {
	if c.QueueParallel == 0 {
		return c.Parallel
	}
	return c.QueueParallel
}

// place is the runner's, as the API wants it.
type place struct{ *sandbox.Place }

// ran is told of a job that has run elsewhere: its tenant is charged here as well, so that
// all services that share the queue see the same. What is read when the queue is opened was
// charged by an earlier start.
func (e *engine) ran(tenant string, cpu, held, ago time.Duration) {
	if e.runner != nil {
		e.runner.Charge(tenant, cpu, held, ago)
	}
	if m := e.meter.Load(); m != nil && tenant != "" && ago < time.Hour {
		m.Charge(tenant, cpu)
	}
}
