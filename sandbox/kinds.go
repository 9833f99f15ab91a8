package sandbox

import (
	"fmt"
	"os"
	"slices"
	"sync/atomic"

	"cordon/policy"
	"cordon/rootfs"
	"cordon/sandbox/cell"
	"cordon/seccomp"
)

// kind is one sort of cell: the same root, the same filter. Its cells are
// exchangeable before they have run, and never used twice.
type kind struct {
	name     string
	template cell.Template
	server   *cell.Server // guarded by pool.mu; see renew
	program  *seccomp.Program
	filter   *os.File
	cells    chan *warm // warm ones
	demand   *demand    // how many there should be
	filling  atomic.Bool
	asked    atomic.Bool     // by a job, since the filler has begun its last cell
	users    int             // jobs and fillers that hold it; guarded by pool.mu
	policies map[string]bool // whose jobs have used it; likewise, and there are not many
}

// warmBytes and warmFiles are the size of a plan's scratch, enough for its own
// directories. The cells of a kind have that of its first job instead.
const (
	warmBytes = 1 << 20
	warmFiles = 1024
)

// maxKinds bounds the fork servers: a request that names its own root makes one.
// maxPlans bounds what is remembered about roots.
const (
	maxKinds = 16
	maxPlans = 256
)

// kind finds or starts the fork server for a grant. The caller gives it back by
// release.
func (p *pool) kind(g *policy.Grant) (*kind, error) {
	plan, err := p.plan(g.Root)
	if err != nil {
		return nil, err
	}
	program, err := try(stepCompileFilter, func() (*seccomp.Program, error) { return p.filters.program(g.Seccomp) })
	if err != nil {
		return nil, err
	}
	name := plan.Key + "-" + program.Digest
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, ErrShuttingDown
	}
	k := p.kinds[name]
	if k == nil {
		// Most jobs of a kind have the same limits: cells are made for those of the first.
		if k, err = p.startKind(name, plan.Template, plan.CellFor(g.Limits.DiskBytes, g.Limits.DiskFiles), program); err != nil {
			return nil, err
		}
	}
	k.users++
	k.policies[g.Policy] = true
	return k, nil
}

// release gives a kind back.
func (p *pool) release(k *kind) {
	p.mu.Lock()
	defer p.mu.Unlock()
	k.users--
}

// makeRoom ends the oldest fork server that nobody uses. With every one in use
// there are more than maxKinds for a while.
func (p *pool) makeRoom() {
	if len(p.kinds) < maxKinds {
		return
	}
	i := slices.IndexFunc(p.order, func(name string) bool { return p.kinds[name].users == 0 })
	if i < 0 {
		return
	}
	old := p.kinds[p.order[i]]
	p.order = slices.Delete(p.order, i, i+1)
	delete(p.kinds, old.name)
	p.fillers.Add(1)
	go func() { defer p.fillers.Done(); p.retire(old) }()
}

// plan looks at the host the first time that a root is asked for. It is made
// again when the service starts anew, or when too many others were asked for.
func (p *pool) plan(root policy.Root) (*rootfs.Plan, error) {
	wanted := fmt.Sprintf("%s %t %q", root.Kind, root.Writable, root.Dirs)
	p.mu.Lock()
	defer p.mu.Unlock()
	if plan := p.plans[wanted]; plan != nil {
		return plan, nil
	}
	// A plan is for jobs of every size.
	plan, err := rootfs.Make(root, p.config.Host, warmBytes, warmFiles)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalidJob, err)
	}
	if len(p.plans) >= maxPlans {
		clear(p.plans)
	}
	p.plans[wanted] = plan
	return plan, nil
}

// startKind holds the lock while the root is built: it happens once per kind.
func (p *pool) startKind(name string, root, ofCell []cell.Op, program *seccomp.Program) (*kind, error) {
	p.makeRoom()
	filter, err := try(stepFilterFile, func() (*os.File, error) { return cell.Input(program.BPF) })
	if err != nil {
		return nil, err
	}
	template := cell.Template{Name: name, Root: root, Cell: ofCell}
	server, err := try(stepStartServer, func() (*cell.Server, error) { return cell.Start(template) })
	if err != nil {
		filter.Close()
		return nil, err
	}
	k := &kind{name: name, template: template, server: server, program: program, filter: filter, policies: map[string]bool{}}
	k.demand = newDemand(p.config.Warm, p.config.WarmMost, func() { p.thin(k) })
	k.cells = make(chan *warm, max(k.demand.most, 1))
	p.kinds[name] = k
	p.order = append(p.order, name)
	return k, nil
}

func (p *pool) retire(k *kind) {
	k.demand.stop()
	p.dropWarm(k)
	k.server.Close()
	k.filter.Close()
}
