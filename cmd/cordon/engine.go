package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"sync/atomic"

	"cordon/audit"
	"cordon/cgroup"
	"cordon/image"
	"cordon/imageroots"
	"cordon/languages"
	"cordon/policies"
	"cordon/policy"
	"cordon/queue"
	"cordon/rootfs"
	"cordon/sandbox"
	"cordon/store"
	"cordon/tenants"
	"cordon/userns"
)

// resolver answers requests from a set of policies.
type resolver struct{ *policies.Set }

// Resolve finds the policy and asks it.
func (r resolver) Resolve(name string, q policy.Request) (*policy.Grant, error) {
	p, err := r.Get(name)
	if err != nil {
		return nil, err
	}
	return policy.ResolveChecked(q, p)
}

// private is what no job may see of the service.
func (c *config) private() []string {
	all := []string{c.State, c.Tenants}
	if c.QueueSecret != "" {
		all = append(all, c.QueueSecret)
	}
	if c.WebhookSecret != "" {
		all = append(all, c.WebhookSecret)
	}
	if c.AuditLog != "" && c.AuditLog != audit.Stdout {
		all = append(all, c.AuditLog)
	}
	return all
}

// engine is everything that runs jobs, inside the daemon's user namespace.
type engine struct {
	runner    *sandbox.Runner
	policies  *policies.Set
	languages *languages.Set
	cgroups   cgroup.Driver
	ranges    *userns.Ranges                // nil in a namespace of a single id
	files     *store.Store                  // nil: none are kept
	images    *image.Store                  // nil: there are none
	queue     *queue.Queue                  // nil: there is none
	shared    *shared                       // nil: files are this service's own
	tenants   *tenants.Registry             // nil: there are none
	meter     atomic.Pointer[tenants.Meter] // nil until requests are answered
	base      string
}

// engineOptions differ between the service and a single run.
type engineOptions struct {
	config    config
	instance  string // name of the cgroup directory; leftovers of the same name are swept
	runFiles  string // directory of the starts' runtime files, of which leftovers are swept; "": none
	parallel  int
	warm      int
	files     bool       // keep files by their content, and have a queue
	languages bool       // detect toolchains and prepare their caches
	images    bool       // have images of the state directory, and make it where there is none
	audit     *audit.Log // nil: none
	logger    *slog.Logger
	tenants   *tenants.Registry // nil: there are none
}

// newEngine puts the parts together. Every guard is found, or the error names
// what is missing and what to do.
func newEngine(ctx context.Context, o engineOptions) (*engine, error) {
	set, err := policies.Load(o.config.Policies, policyOptions...)
	if err != nil {
		return nil, err
	}
	kept, err := o.config.buildsBytes()
	if err != nil {
		return nil, err
	}
	scale, err := o.config.cpuScale()
	if err != nil {
		return nil, err
	}
	if scale != 1 {
		o.logger.Info("limits of CPU time and wall time are multiplied when they are enforced", "cpu_scale", scale)
	}
	e := &engine{policies: set, tenants: o.tenants}
	if e.languages, err = loadLanguages(&o.config); err != nil {
		return nil, err
	}
	host := rootfs.Host{FS: rootfs.HostFS{}, CPUs: runtime.NumCPU(), Private: o.config.private()}
	if o.languages {
		if host.Extra, err = e.prepareLanguages(ctx, o); err != nil {
			return nil, err
		}
	}
	mapped, err := userns.Mapped()
	if err != nil {
		return nil, fmt.Errorf("id maps: %w", err)
	}
	var ranges *userns.Ranges
	if mapped >= userns.IDsPerCell {
		claim, err := userns.Claim()
		if err != nil {
			return nil, err
		}
		ranges = userns.NewRanges(userns.ForCells(mapped), claim)
	}
	left := leftovers{runFiles: sweepRunFiles(o.runFiles), roots: sweepRoots()}
	if e.cgroups, err = cgroup.Discover(cgroup.Options{Path: o.config.Cgroup, Name: o.instance, Stale: staleInstance,
		Swept: func(n int) { left.groups = n }}); err != nil {
		return nil, err
	}
	left.tell(o.logger)
	if e.base, err = mountPoint(); err != nil {
		return nil, errors.Join(fmt.Errorf("mount point of the roots: %w", err), e.cgroups.Close())
	}
	host.Base, e.ranges = e.base, ranges
	if o.files {
		if e.files, err = openFiles(&o.config, o.logger); err != nil {
			return nil, errors.Join(err, e.cgroups.Close(), os.Remove(e.base))
		}
	}
	builds := "" // one of its own: only a service has the state directory for itself
	if o.files {
		builds = filepath.Join(o.config.State, buildsDir)
	}
	settings := sandbox.Config{Policies: resolver{set}, Cgroups: e.cgroups, Host: host, Ranges: ranges,
		CPUScale: scale, Parallel: o.parallel, Warm: o.warm, WarmMost: o.config.warmMost(),
		BuildsDir: builds, BuildsBytes: kept, Logger: o.logger}
	if o.files {
		if err := o.config.bound(&settings, o.logger); err != nil {
			return nil, errors.Join(err, e.closeKept(), e.cgroups.Close(), os.Remove(e.base))
		}
		o.config.warnOfPolicies(set, &settings, o.logger)
	}
	if o.images {
		if e.images, err = openImages(&o.config, nil); err != nil {
			return nil, errors.Join(err, e.closeKept(), e.cgroups.Close(), os.Remove(e.base))
		}
		settings.Images, settings.ImageTemplates = imageroots.Store{Images: e.images}, o.config.ImageTemplates
	}
	settings.Tenants = shares(o.tenants)
	e.runner = sandbox.New(settings)
	if o.files {
		if e.queue, err = e.openQueue(ctx, &o); err != nil {
			return nil, errors.Join(err, e.close())
		}
	}
	return e, nil
}

// loadLanguages reads the files of the languages that are offered.
func loadLanguages(c *config) (*languages.Set, error) {
	set, err := languages.Load(c.languageDirs()...)
	if err != nil {
		return nil, err
	}
	if names := c.languageNames(); len(names) > 0 {
		if err := set.Keep(names); err != nil {
			return nil, fmt.Errorf("languages: %w", err)
		}
	}
	return set, nil
}

// prepareLanguages looks for toolchains and tells what they need in the root.
func (e *engine) prepareLanguages(ctx context.Context, o engineOptions) ([]rootfs.Bind, error) {
	if err := e.languages.Detect(ctx); err != nil {
		return nil, err
	}
	var binds []rootfs.Bind
	for _, path := range e.languages.EtcPaths() {
		binds = append(binds, rootfs.Bind{Source: path, Target: path})
	}
	if _, err := e.languages.Plan("go"); err != nil || o.config.GoCache == noGoCache {
		return binds, nil
	}
	if err := os.MkdirAll(o.config.GoCache, 0o755); err != nil {
		return nil, fmt.Errorf("go-cache: %w", err)
	}
	o.logger.Info("looking after Go's build cache; the first time takes about half a minute", "directory", o.config.GoCache)
	switch err := languages.PrepareGo(ctx, o.config.GoCache); {
	case errors.Is(err, languages.ErrMissing): // no Go here
	case err != nil:
		return nil, fmt.Errorf("go-cache: %w; --go-cache off does without, Go builds are slow then", err)
	default:
		binds = append(binds, rootfs.Bind{Source: o.config.GoCache, Target: languages.GoCacheInRoot})
		e.languages.UseGoCache(languages.GoCacheInRoot)
	}
	return binds, nil
}

// close takes everything down; what cannot be is told.
func (e *engine) close() error {
	if e.runner == nil {
		return e.closeKept()
	}
	e.runner.Close()
	err := errors.Join(e.cgroups.Close(), os.Remove(e.base), e.closeKept())
	if e.ranges != nil {
		err = errors.Join(err, e.ranges.Close())
	}
	return err
}

// closeKept closes what is on the disk.
func (e *engine) closeKept() (err error) {
	if e.shared != nil {
		err = e.shared.objects.Close()
	}
	if e.queue != nil {
		err = errors.Join(err, e.queue.Close())
	}
	if e.files != nil {
		err = errors.Join(err, e.files.Close())
	}
	if e.images != nil {
		err = errors.Join(err, e.images.Close())
	}
	return err
}

// instanceName is the same for every start with one state directory, so that a
// new daemon finds what a killed one has left.
func instanceName(state string) string {
	sum := sha256.Sum256([]byte(filepath.Clean(state)))
	return "cordon-" + hex.EncodeToString(sum[:4])
}
