package sandbox

import (
	"errors"

	"cordon/sandbox/cell"
)

// makeOrRenew makes a cell, with a new fork server if the old one is gone: one
// that the kernel took, for want of memory on the host, must not end the service.
func (p *pool) makeOrRenew(k *kind, now bool) (*warm, error) {
	p.mu.Lock()
	server := k.server
	p.mu.Unlock()
	w, err := p.make(k, server, now)
	if !serverGone(err) {
		return w, err
	}
	p.config.Logger.Error("a fork server is gone and is started again", "kind", k.name, "error", err)
	if server, err = p.renew(k, server); err != nil {
		return nil, err
	}
	return p.make(k, server, now)
}

// serverGone: the socket to the fork server has no other end any more.
func serverGone(err error) bool {
	return errors.Is(err, cell.ErrGone)
}

// renew starts a fork server in the place of one that is gone, unless another job
// has done so. Warm cells of the old one are dropped: their inits are orphans,
// and on cgroup v1 a group is empty only when somebody has collected its init.
func (p *pool) renew(k *kind, gone *cell.Server) (*cell.Server, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, ErrShuttingDown
	}
	if k.server != gone {
		return k.server, nil
	}
	server, err := try(stepStartServer, func() (*cell.Server, error) { return cell.Start(k.template) })
	if err != nil {
		return nil, err
	}
	gone.Close()
	k.server = server
	p.dropWarm(k)
	return server, nil
}

// dropWarm takes down the warm cells of a kind.
func (p *pool) dropWarm(k *kind) {
	for {
		select {
		case w := <-k.cells:
			p.drop(w)
		default:
			return
		}
	}
}
