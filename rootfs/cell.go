package rootfs

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"cordon/sandbox/cell"
)

const maskDir = "/.mask"

// masked are files and directories of /proc that tell of the host or of other
// jobs and that programs do not need. The cell's /proc is read-only as a whole;
// of these only what others may read is covered, the rest is root's anyway.
var masked = []string{"acpi", "asound", "bootconfig", "cgroups", "cmdline", "config.gz", "consoles", "devices", "diskstats", "driver", "interrupts", "irq",
	"kallsyms", "key-users", "keys", "latency_stats", "misc", "modules", "partitions", "sched_debug", "scsi", "timer_list"}

// cellOps is what each cell adds: its scratch and its own /proc. The scratch as a
// whole must not be reached by the job, only the directories of it that are bound to
// their places. Where the root is read-only it is mounted below the last of those: to
// cover it costs half of what it costs to detach it, for which the kernel waits until
// no processor can still be looking (namespace_unlock).
func (b *builder) cellOps(writable bool, bytes, files int64) []cell.Op {
	at, root := covered, ""
	if writable {
		at, root = scratch, scratch+"/root"
	}
	ops := []cell.Op{
		{Kind: cell.OpTmpfs, Target: at, Data: scratchMount(bytes, files), Flags: noSuid | noDev},
	}
	for _, d := range scratchDirs {
		ops = append(ops, cell.Op{Kind: cell.OpMkdir, Target: at + d.in, Mode: d.mode})
	}
	ops = append(ops, cell.Op{Kind: cell.OpChown, Target: at + "/work", Mode: b.owner})
	if writable {
		ops = append(ops, b.upper(root)...)
		ops = append(ops, scratchBinds(at, root)...)
		ops = append(ops, b.proc(root)...)
		// The whole old root, the scratch's mount with it, goes by the pivot.
		return append(ops, cell.Op{Kind: cell.OpScratch, Target: at}, cell.Op{Kind: cell.OpPivot, Target: root})
	}
	ops = append(ops, cell.Op{Kind: cell.OpScratch, Target: at})
	ops = append(ops, scratchBinds(at, root)...)
	return append(ops, b.proc(root)...)
}

// covered is where the last of scratchDirs is bound.
const covered = "/tmp"

// scratchDirs are what a job may write to: where in the scratch, and where in its root.
var scratchDirs = []struct {
	in, at string
	mode   uint32
}{{"/work", "/work", 0o755}, {"/shm", "/dev/shm", 0o1777}, {"/tmp", covered, 0o1777}}

// ScratchLimits are the tmpfs options that bound a scratch, by name. Inodes count
// the cell's own as well.
func ScratchLimits(bytes, inodes int64) map[string]string {
	return map[string]string{"size": strconv.FormatInt(bytes, 10), "nr_inodes": strconv.FormatInt(inodes, 10)}
}

// CellFor are the operations of a cell whose scratch has, from the beginning, room for a
// job's bytes and files.
func (p *Plan) CellFor(bytes, files int64) []cell.Op {
	ops := slices.Clone(p.Cell)
	at, own := ops[0].Target, int64(1) // its root, which is an inode too
	for _, o := range ops {
		if o.Kind == cell.OpMkdir && strings.HasPrefix(o.Target, at+"/") {
			own++
		}
	}
	ops[0].Data = scratchMount(bytes, files+own)
	return ops
}

// scratchMount are the options of a scratch's tmpfs.
func scratchMount(bytes, inodes int64) string {
	return scratchOptions(bytes, inodes) + ",mode=0711"
}

func scratchOptions(bytes, files int64) string {
	l := ScratchLimits(bytes, files)
	return "size=" + l["size"] + ",nr_inodes=" + l["nr_inodes"]
}

func scratchBinds(at, root string) []cell.Op {
	var ops []cell.Op
	for _, d := range scratchDirs {
		ops = append(ops, cell.Op{Kind: cell.OpBind, Source: at + d.in, Target: root + d.at}) // with the scratch's attributes
	}
	return ops
}

// proc is the cell's own /proc, and what is covered of it.
func (b *builder) proc(root string) []cell.Op {
	ops := []cell.Op{{Kind: cell.OpProc, Target: root + "/proc", Flags: readOnly | noSuid | noDev | noExec}}
	for _, name := range masked {
		info, err := b.host.FS.Lstat("/proc/" + name)
		if err != nil || info.Mode().Perm()&0o004 == 0 {
			continue
		}
		source := maskDir + "/file"
		if info.IsDir() {
			source = maskDir + "/dir"
		}
		ops = append(ops, cell.Op{Kind: cell.OpBind, Source: source, Target: root + "/proc/" + name})
	}
	return ops
}

// upper stacks a writable layer in the scratch over the root and over each tree
// mounted in it. Directories are the job's only where they exist in the upper,
// so the usual ones are made there; they merge with what is below.
func (b *builder) upper(root string) []cell.Op {
	ops := []cell.Op{{Kind: cell.OpMkdir, Target: root, Mode: 0o755}}
	for i, tree := range append([]string{""}, b.trees...) {
		layer := scratch + "/layer" + strconv.Itoa(i)
		up, work := layer+"/up", layer+"/work"
		ops = append(ops, cell.Op{Kind: cell.OpMkdir, Target: layer, Mode: 0o700})
		own := append([]string{""}, ownDirs[tree]...)
		if b.owner != JobID { // who is root may change what the image has, as it is
			own = own[:1]
		}
		for _, d := range own {
			ops = append(ops, cell.Op{Kind: cell.OpMkdir, Target: up + d, Mode: 0o755},
				cell.Op{Kind: cell.OpChown, Target: up + d, Mode: b.owner})
		}
		lower := tree
		if tree == "" {
			lower = lowerDir
		}
		ops = append(ops, cell.Op{Kind: cell.OpMkdir, Target: work, Mode: 0o700},
			cell.Op{Kind: cell.OpOverlay, Target: root + tree, Flags: noSuid | noDev,
				Data: fmt.Sprintf("lowerdir=%s,upperdir=%s,workdir=%s,userxattr", lower, up, work)})
	}
	for _, f := range b.files {
		ops = append(ops, cell.Op{Kind: cell.OpBind, Source: f, Target: root + f, Flags: lowerAttr})
	}
	return append(ops, cell.Op{Kind: cell.OpBind, Source: "/dev", Target: root + "/dev", Mode: 1})
}

// ownDirs are the directories that a job with a writable root may change, by tree.
var ownDirs = map[string][]string{
	"":     {"/etc", "/var", "/opt", "/home", "/root", "/run"},
	"/usr": {"/local", "/local/bin", "/local/lib", "/local/include", "/local/share"},
}
