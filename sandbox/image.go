package sandbox

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"cordon/policy"
	"cordon/rootfs"
	"cordon/sandbox/cell"
)

// JobImage is the image that a job runs on, with what its configuration says of a job.
type JobImage struct {
	policy.Image
	Needed string     // the name by which another service can find it
	Env    []string   // its variables, and of its user the home and the name
	User   *cell.User // who the job is, where it has a range of ids; nil: root
	Dir    string     // where the run starts; "": /work
}

// baseEnv is what each program of the job has, on the job's root.
func (j *Job) baseEnv() []string {
	if j.Image == nil {
		return fixedEnv
	}
	return mergeEnv(fixedEnv, j.Image.Env)
}

// onRoot adds to a request what all programs of a job have in common: its root.
func (j *Job) onRoot(q policy.Request) policy.Request {
	q.WritableRoot, q.RootDirs, q.IDRange = j.WritableRoot, j.RootDirs, j.IDRange
	if j.Image != nil {
		q.Image = &j.Image.Image
	}
	return q
}

// placed says where a job's own program starts, and who it is.
func (j *Job) placed(s *stepSpec) {
	if j.Image != nil {
		s.dir, s.user = j.Image.Dir, j.Image.User
	}
}

// imageIDs are the ids of a kind's image.
type imageIDs struct {
	files cell.IDs // none: the cells know none
	job   bool     // a job may have any of them
}

// owner is the id outside of what belongs to a job's program; 0: the service's own. u is
// who it is where it may choose, nil root.
func (w *warm) owner(u *cell.User) int {
	ids := w.kind.ids
	switch {
	case w.firstID == 0:
		return 0
	case !ids.job:
		return w.firstID + 1
	case u == nil || u.UID == 0:
		return ids.files.First
	case int(u.UID) >= ids.files.Count-1 && ids.files.Count <= nobody: // as image_map in server.c
		return ids.files.First + ids.files.Count - 1
	}
	return ids.files.First + int(u.UID)
}

const nobody = 65534

// user is who a program of the cell's is: root where it may be, if nothing else is said.
func (w *warm) user(u *cell.User) *cell.User {
	if !w.kind.ids.job {
		return nil
	}
	return cmp.Or(u, &cell.User{})
}

// holdImage keeps the image of a root; there is none for others.
func (p *pool) holdImage(root policy.Root) (rootfs.HeldImage, error) {
	if root.Kind != policy.RootImage {
		return nil, nil
	}
	if p.config.Images == nil {
		return nil, &InvalidError{"image", "this service has no images"}
	}
	held, err := p.config.Images.Hold(root.Image)
	if err != nil {
		return nil, &InvalidError{"image", err.Error()}
	}
	return held, nil
}

func closeImage(h rootfs.HeldImage) {
	if h != nil {
		_ = h.Close() // locks that the end of the process would take as well
	}
}

// imageRoot is what the root of an image is made of, or a refusal.
func (p *pool) imageRoot(root policy.Root, held rootfs.HeldImage) (*rootfs.Image, error) {
	i, err := held.Root()
	if err != nil {
		return nil, &InvalidError{"image", err.Error()}
	}
	if p.config.Ranges == nil { // the files are the service's own then, as the job's id is
		i.IDs = cell.IDs{}
	}
	if root.IDRange && i.IDs.Count == 0 {
		return nil, fmt.Errorf("%w: id_range: this host has no subordinate ids for the users of images, 4096 are the least; see cordon doctor", ErrUnsupportedHost)
	}
	return i, nil
}

// imageTemplates is how many fork servers of images there are, at most, where nothing
// else is said; imageIdle how long one stays that nobody uses: as long as it is there,
// the layers of its image cannot be removed.
const imageTemplates = 8

var imageIdle = 10 * time.Minute

// makeRoomForImage ends the fork server of an image that was not used for the longest
// time, where there are as many as there may be.
func (p *pool) makeRoomForImage(root policy.Root) {
	if root.Kind != policy.RootImage {
		return
	}
	most, there := p.config.ImageTemplates, 0
	if most <= 0 {
		most = imageTemplates
	}
	for _, k := range p.kinds {
		if k.held != nil {
			there++
		}
	}
	for i := 0; i < len(p.order) && there >= most; i++ {
		if k := p.kinds[p.order[i]]; k.held != nil && k.users == 0 {
			p.end(k)
			there--
			i--
		}
	}
}

// used puts a kind behind all others in the order of use.
func (p *pool) used(k *kind) {
	if k.idle != nil {
		k.idle.Stop()
	}
	if i := slices.Index(p.order, k.name); i >= 0 {
		p.order = append(slices.Delete(p.order, i, i+1), k.name)
	}
}

// unused has the fork server of an image end when nobody uses it for long.
func (p *pool) unused(k *kind) {
	if k.held == nil || k.users > 0 || p.closed {
		return
	}
	if k.idle != nil {
		k.idle.Stop()
	}
	k.idle = time.AfterFunc(imageIdle, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		if !p.closed && k.users == 0 && p.kinds[k.name] == k {
			p.end(k)
		}
	})
}

// end takes a kind out of the pool, and takes it down beside what goes on.
func (p *pool) end(k *kind) {
	p.order = slices.DeleteFunc(p.order, func(name string) bool { return name == k.name })
	delete(p.kinds, k.name)
	p.fillers.Add(1)
	go func() { defer p.fillers.Done(); p.retire(k) }()
}
