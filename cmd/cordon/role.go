package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"cordon/httpapi"
	"cordon/internal/doctor"
	"cordon/languages"
	"cordon/policies"
	"cordon/queue"
)

// What a service does.
const (
	roleAll    = "all"    // it answers requests and runs jobs
	roleAPI    = "api"    // it answers requests: jobs go into the queue, and others run them
	roleWorker = "worker" // it runs jobs of the queue
)

// checkRole holds the role against the other settings.
func (c *config) checkRole() error {
	if !slices.Contains([]string{roleAll, roleAPI, roleWorker}, c.Role) {
		return fmt.Errorf("role: %q given, allowed are all, api and worker", c.Role)
	}
	if c.QueueListen != "" && c.QueueURL != "" {
		return errors.New("queue-listen and queue-url: both are given; others reach those servers as this service does")
	}
	if c.QueueJobs == 0 && (c.Role != roleAll || c.QueueListen != "") {
		return fmt.Errorf("queue-jobs: 0 given, but role %s and queue-listen %q want a queue", c.Role, c.QueueListen)
	}
	if c.Role == roleWorker && c.QueueURL == "" {
		return errors.New("role: worker wants queue-url: the servers of the queue, or a service that has queue-listen")
	}
	if c.Role == roleAPI && c.QueueURL == "" && c.QueueListen == "" {
		return errors.New("role: api wants queue-url or queue-listen: nobody could run its jobs")
	}
	if c.QueueListen == "" {
		for _, one := range []struct{ name, value string }{{"queue-listen-cert", c.QueueListenCert}, {"queue-listen-key", c.QueueListenKey}, {"queue-listen-ca", c.QueueListenCA}} {
			if one.value != "" {
				return fmt.Errorf("%s: given without queue-listen, to which it belongs", one.name)
			}
		}
		return nil
	}
	if c.QueueSecret == "" {
		return errors.New("queue-listen: wants queue-secret, a file with what other services have to know")
	}
	secret, err := c.queueSecret()
	if err != nil {
		return err
	}
	if err := c.queueListen(secret).Check(); err != nil {
		return fmt.Errorf("queue-listen: %w", err)
	}
	return nil
}

// queueListen says how others reach the queue; nil where they do not.
func (c *config) queueListen(secret string) *queue.Listen {
	if c.QueueListen == "" {
		return nil
	}
	return &queue.Listen{Address: c.QueueListen, Secret: secret, Cert: c.QueueListenCert, Key: c.QueueListenKey, CA: c.QueueListenCA}
}

// queueSecret reads what services show to each other; "" without a file.
func (c *config) queueSecret() (string, error) {
	if c.QueueSecret == "" {
		return "", nil
	}
	info, err := os.Stat(c.QueueSecret)
	if err != nil {
		return "", fmt.Errorf("queue-secret: %w", err)
	}
	if info.Mode().Perm()&0o007 != 0 {
		return "", fmt.Errorf("queue-secret: %s has mode %04o: everybody on this machine comes to it; chmod 600 it", c.QueueSecret, info.Mode().Perm())
	}
	text, err := os.ReadFile(c.QueueSecret)
	if err != nil {
		return "", fmt.Errorf("queue-secret: %w", err)
	}
	secret := strings.TrimSpace(string(text))
	if secret == "" {
		return "", fmt.Errorf("queue-secret: %s is empty", c.QueueSecret)
	}
	return secret, nil
}

// beginAPI is what a service of role api does in place of entering a user namespace: it
// needs none, nor cgroups, nor ids.
func beginAPI(c *config) error {
	if os.Geteuid() == 0 {
		return errors.New("role: api wants no right at all, and is not run as root; start it as another user")
	}
	if err := os.MkdirAll(c.State, 0o700); err != nil {
		return fmt.Errorf("state: %w", err)
	}
	return nil
}

// newEngineFor makes the parts that a role has.
func newEngineFor(ctx context.Context, o engineOptions) (*engine, error) {
	if o.config.Role != roleAPI {
		return newEngine(ctx, o)
	}
	set, err := policies.Load(o.config.Policies, policyOptions...)
	if err != nil {
		return nil, err
	}
	e := &engine{policies: set, tenants: o.tenants}
	if e.languages, err = loadLanguages(&o.config); err != nil {
		return nil, err
	}
	e.languages.Elsewhere()
	if e.files, err = openFiles(&o.config, o.logger); err != nil {
		return nil, err
	}
	if e.queue, err = e.openQueue(ctx, &o); err != nil {
		return nil, errors.Join(err, e.closeKept())
	}
	return e, nil
}

// prepare proves every guard of a service that runs jobs.
func (e *engine) prepare() error {
	if e.runner == nil {
		return nil
	}
	for _, name := range e.policies.Names() {
		if err := e.runner.Prepare(name); err != nil {
			return fmt.Errorf("policy %s cannot be held on this host: %w\nrun \"cordon doctor\" to see what is missing and how to mend it", name, err)
		}
	}
	return nil
}

// toolchains are looked for where jobs run.
func (e *engine) toolchains() func(context.Context) ([]doctor.Toolchain, error) {
	if e.runner == nil {
		return nil
	}
	return toolchains(e.languages)
}

// abilities are what jobs can run here; nil where none do.
func (e *engine) abilities(c *config) *queue.Abilities {
	if c.Role == roleAPI {
		return nil
	}
	a := &queue.Abilities{Policies: e.policies.Names(), Languages: []string{}, Arch: runtime.GOARCH, Memory: e.runner.Stats().MemoryAll}
	for _, l := range e.languages.List() {
		if l.Status == languages.StatusOK {
			a.Languages = append(a.Languages, l.ID)
		}
	}
	a.Images = e.imageNames()
	return a
}

// languagesElsewhere are those of a service that runs no jobs. It takes every language
// that it has a file of; the list tells which of them some worker has.
type languagesElsewhere struct {
	*languages.Set
	queue *queue.Queue
}

// List is that of the set, with what the workers have.
func (l *languagesElsewhere) List() []languages.Info {
	has := map[string]bool{}
	for _, w := range l.queue.Living() {
		for _, name := range w.Abilities.Languages {
			has[name] = true
		}
	}
	out := l.Set.List()
	for i := range out {
		if !has[out[i].ID] {
			out[i].Status, out[i].Missing = languages.StatusMissing, "no worker that is there has it; a job in it waits for one"
		}
	}
	return out
}

// shared are the files that services share.
type shared struct {
	objects *queue.Objects
	files   *httpapi.SharedFiles
}

// shareFiles opens them beside a queue that others have, too; nil where none are kept.
func (e *engine) shareFiles(ctx context.Context, c *config, q *queue.Queue, journal queue.Journal, logger *slog.Logger) (*shared, error) {
	if e.files == nil || q.Alone() {
		return nil, nil
	}
	bytes, err := c.filesBytes()
	if err != nil {
		return nil, err
	}
	ttl, err := c.filesTTL()
	if err != nil {
		return nil, err
	}
	j, err := queue.FilesOf(ctx, journal)
	if err != nil {
		return nil, err
	}
	objects, err := queue.OpenObjects(ctx, j, queue.ObjectsConfig{MaxBytes: bytes, MaxFiles: filesMax, TTL: ttl, Needed: q.Needed, CatchUp: q.CatchUp, Now: q.Time, Logger: logger})
	if err != nil {
		return nil, err
	}
	return &shared{objects, httpapi.NewSharedFiles(e.files, objects)}, nil
}

// sweep removes what nobody has used for long, until ctx is done. Others do so, too, and
// not at the same time.
func (s *shared) sweep(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(filesSweeper/2 + rand.N(filesSweeper)):
			s.objects.Sweep(ctx)
		}
	}
}
