package rootfs

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"golang.org/x/sys/unix"

	"cordon/policy"
	"cordon/sandbox/cell"
)

// Mount attributes. Nothing in a cell has set-id bits, and only the few device
// nodes of /dev are devices.
const (
	readOnly  = unix.MOUNT_ATTR_RDONLY
	noSuid    = unix.MOUNT_ATTR_NOSUID
	noDev     = unix.MOUNT_ATTR_NODEV
	noExec    = unix.MOUNT_ATTR_NOEXEC
	lowerAttr = readOnly | noSuid | noDev
)

// Scratch is the mount point of a cell's writable filesystem while it is built;
// the job reaches it only as /work, /tmp and /dev/shm.
const scratch = "/.scratch"

// lowerDir shows the bare root, for the writable layer of a cell.
const lowerDir = "/.lower"

// JobID is the id of the job inside its cell.
const JobID = cell.JobID

// Host is what Plan needs to know of this machine.
type Host struct {
	Base string // an existing empty directory of the service user: the template is mounted here
	FS   FS     // looks at the host's files
	CPUs int    // processors online
	// Extra are further read-only directories for kind "host", such as what a
	// toolchain reads below /etc, or a prepared compiler cache.
	Extra []Bind
	Image *Image // what a root of kind "image" is made of
	// Private are directories that no job may see, such as the state directory.
	Private []string
}

// Bind shows Source, a file or directory of the host, at Target.
type Bind struct{ Source, Target string }

// Plan is the mount tree of one root.
type Plan struct {
	Key      string // equal plans have equal keys: cells of one key are exchangeable
	Dir      string // the working directory in which Template begins; "": any
	Template []cell.Op
	Cell     []cell.Op
}

// Make computes the plan of a root. Scratch bytes and files bound the writable
// filesystem of a cell until its job's own limits replace them.
func Make(root policy.Root, host Host, scratchBytes, scratchFiles int64) (*Plan, error) {
	b := &builder{host: host, base: host.Base, writable: root.Writable, owner: JobID}
	if root.IDRange {
		b.owner = 0 // root of the image; the job's process gives /work to whom it is
	}
	var err error
	switch root.Kind {
	case "host":
		err = b.hostRoot(root.Dirs)
	case "dirs":
		err = b.dirsRoot(root.Dirs)
	case policy.RootImage:
		err = b.imageRoot(root)
	default:
		err = fmt.Errorf("root.kind: %q given, allowed are host, dirs and image", root.Kind)
	}
	if err != nil {
		return nil, err
	}
	p := &Plan{Template: b.ops, Cell: b.cellOps(root.Writable, scratchBytes, scratchFiles)}
	if host.Image != nil && root.Kind == policy.RootImage {
		p.Dir = host.Image.Layers
	}
	p.Key, err = key(p, root.IDRange)
	return p, err
}

// key is a digest of everything that decides what a cell looks like.
func key(p *Plan, idRange bool) (string, error) {
	text, err := json.Marshal([]any{p.Template, p.Cell, p.Dir, idRange})
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:8]), nil
}

// builder collects operations. Targets below root are written as the job will
// see them; they are prefixed with the place where the template is built.
type builder struct {
	host  Host
	base  string // where the template's root is being built
	ops   []cell.Op
	trees []string // directories of the root that are mounts of their own, such as /usr
	files []string // files that are
	links []string // links of the host's root that were made again, such as /bin

	writable bool
	owner    uint32 // of what the job may write
}

func (b *builder) at(path string) string { return b.base + path }

func (b *builder) add(ops ...cell.Op) { b.ops = append(b.ops, ops...) }

func (b *builder) mkdir(path string, mode uint32) {
	b.add(cell.Op{Kind: cell.OpMkdir, Target: b.at(path), Mode: mode})
}

func (b *builder) file(path, content string) {
	b.add(cell.Op{Kind: cell.OpFile, Target: b.at(path), Mode: 0o644, Data: content})
}

func (b *builder) symlink(to, path string) {
	b.add(cell.Op{Kind: cell.OpSymlink, Source: to, Target: b.at(path)})
}

func (b *builder) bind(source, target string, flags uint64) {
	b.add(cell.Op{Kind: cell.OpBind, Source: source, Target: b.at(target), Mode: 1, Flags: flags})
}

// finish attaches what every root has and moves into it: from then on no path of
// the host can be named any more.
func (b *builder) finish() {
	if b.writable {
		// A layer below a cell's own overlay may not have mounts in it that the
		// cell cannot take off (clone_private_mount refuses): a bare view of the
		// root, taken before there are any.
		b.add(cell.Op{Kind: cell.OpBind, Source: b.base, Target: b.at(lowerDir), Flags: lowerAttr})
	}
	// A mount for itself: what covers a file of a cell's /proc has its attributes.
	b.add(cell.Op{Kind: cell.OpBind, Source: b.at(maskDir), Target: b.at(maskDir), Flags: lowerAttr | noExec})
	b.devMounts()
	b.procMount()
	b.add(cell.Op{Kind: cell.OpAttr, Target: b.base, Flags: lowerAttr}, cell.Op{Kind: cell.OpPivot, Target: b.base})
}
