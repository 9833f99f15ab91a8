package sandbox

import (
	"fmt"
	"os"
	"slices"
	"sync/atomic"
	"time"

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
	asked    atomic.Bool      // by a job, since the filler has begun its last cell
	users    int              // jobs and fillers that hold it; guarded by pool.mu
	ids      imageIDs         // of the image, where it has one
	held     rootfs.HeldImage // that; nil: none
	idle     *time.Timer      // its end, when nobody uses it any more; guarded by pool.mu
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
	program, err := try(stepCompileFilter, func() (*seccomp.Program, error) { return p.filters.program(g.Seccomp) })
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, ErrShuttingDown
	}
	base, err := p.base(g.Root)
	if err != nil {
		return nil, err
	}
	defer func() { closeImage(base.held) }() // unless a new kind has it
	name := base.plan.Key + "-" + program.Digest
	k := p.kinds[name]
	if k == nil {
		if base.held == nil {
			if base.held, err = p.holdImage(g.Root); err != nil {
				return nil, err
			}
		}
		p.makeRoomForImage(g.Root)
		// Most jobs of a kind have the same limits: cells are made for those of the first.
		if k, err = p.startKind(name, base.plan, base.plan.CellFor(g.Limits.DiskBytes, g.Limits.DiskFiles), program); err != nil {
			return nil, err
		}
		k.ids, k.held, base.held = imageIDs{base.ids, g.Root.IDRange}, base.held, nil
	}
	p.used(k)
	k.users++
	return k, nil
}

// release gives a kind back.
func (p *pool) release(k *kind) {
	p.mu.Lock()
	defer p.mu.Unlock()
	k.users--
	p.unused(k)
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
	p.end(p.kinds[p.order[i]])
}

// base is what the cells of a root are made by.
type base struct {
	plan *rootfs.Plan
	ids  cell.IDs         // of its image's files
	held rootfs.HeldImage // nil: the root has no image, or it is not held
}

// base looks at the host, or at the image, the first time that a root is asked for, and
// the image is held then. It is made again when the service starts anew, or when too many
// others were asked for. Under the lock.
func (p *pool) base(root policy.Root) (*base, error) {
	wanted := fmt.Sprintf("%s %t %q %s %t", root.Kind, root.Writable, root.Dirs, root.Image, root.IDRange)
	if b := p.plans[wanted]; b != nil {
		return &base{b.plan, b.ids, nil}, nil
	}
	held, err := p.holdImage(root)
	if err != nil {
		return nil, err
	}
	host := p.config.Host
	b := &base{}
	if held != nil {
		if host.Image, err = p.imageRoot(root, held); err != nil {
			closeImage(held)
			return nil, err
		}
		b.ids = host.Image.IDs
	}
	// A plan is for jobs of every size.
	if b.plan, err = rootfs.Make(root, host, warmBytes, warmFiles); err != nil {
		closeImage(held)
		return nil, fmt.Errorf("%w: %w", ErrInvalidJob, err)
	}
	if len(p.plans) >= maxPlans {
		clear(p.plans)
	}
	p.plans[wanted] = b
	return &base{b.plan, b.ids, held}, nil
}

// startKind holds the lock while the root is built: it happens once per kind.
func (p *pool) startKind(name string, plan *rootfs.Plan, ofCell []cell.Op, program *seccomp.Program) (*kind, error) {
	p.makeRoom()
	filter, err := try(stepFilterFile, func() (*os.File, error) { return cell.Input(program.BPF) })
	if err != nil {
		return nil, err
	}
	template := cell.Template{Name: name, Root: plan.Template, Cell: ofCell, Dir: plan.Dir}
	server, err := try(stepStartServer, func() (*cell.Server, error) { return cell.Start(template) })
	if err != nil {
		filter.Close()
		return nil, err
	}
	k := &kind{name: name, template: template, server: server, program: program, filter: filter}
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
	closeImage(k.held)
}
