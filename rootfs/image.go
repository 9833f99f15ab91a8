package rootfs

import (
	"fmt"
	"slices"
	"strings"

	"cordon/policy"
	"cordon/sandbox/cell"
)

// Image is what a root of kind "image" is made of.
type Image struct {
	Layers string   // the directory in which Lowers begin
	Lowers []string // trees of the layers, topmost first, relative
	IDs    cell.IDs // those that stand for the image's; none: its files are the service's own
	// Passwd and Group are the image's own files, in which a job with one id has no name.
	Passwd, Group string
}

// imageRoot stacks an image's layers below what every root has. As with dirs, what is made
// here lies on top and is never made through a link of the image's.
func (b *builder) imageRoot(root policy.Root) error {
	i := b.host.Image
	if i == nil || len(i.Lowers) == 0 {
		return fmt.Errorf("root.image: %s: no layers", root.Image)
	}
	b.add(cell.Op{Kind: cell.OpTmpfs, Target: b.base, Data: "mode=0755,size=8m", Flags: noSuid | noDev})
	top := b.base
	b.mkdir("/root", 0o755)
	b.base = top + "/skeleton"
	made := len(b.ops)
	b.mkdir("", 0o755)
	b.imageSkeleton(i, root.IDRange)
	b.ownedBy(i.IDs.First, made)
	b.base = top + "/root"
	options := "lowerdir=" + strings.Join(append([]string{top + "/skeleton"}, i.Lowers...), ":") + ",userxattr"
	if len(options) >= overlayOptions {
		return fmt.Errorf("root.image: %s: %d layers do not fit one mount (%d bytes of %d); make an image of fewer layers", root.Image, len(i.Lowers), len(options), overlayOptions)
	}
	b.add(cell.Op{Kind: cell.OpOverlay, Target: b.base, Data: options, Flags: lowerAttr})
	b.finish()
	return nil
}

// overlayOptions is what mount(2) takes: a page, with the NUL.
const overlayOptions = 4096

// imageSkeleton is what is ours in the root of an image: mount points, devices, the
// processors, and what names the cell. Users are the image's. A job with one id of its own
// is nobody of the image's and gets a name, where the image has none for its number.
func (b *builder) imageSkeleton(i *Image, idRange bool) {
	for _, d := range slices.Concat(rootDirs, []rootDir{{"/etc", 0o755}, {"/var", 0o755}, {"/run", 0o755}}) {
		b.mkdir(d.path, d.mode)
	}
	b.file(maskDir+"/file", "")
	b.symlink("../tmp", "/var/tmp")
	b.names()
	if !idRange && len(i.Passwd)+len(i.Group) <= mostAccounts {
		b.file("/etc/passwd", withEntry(i.Passwd, fmt.Sprintf("job:x:%d:%d:job:/work:/bin/sh", JobID, JobID)))
		b.file("/etc/group", withEntry(i.Group, fmt.Sprintf("job:x:%d:", JobID)))
	}
	b.sys()
	b.devFiles()
}

// mostAccounts is what fits the message by which a root is made, with room to spare. Where
// an image has more, the job has no name.
const mostAccounts = 16 << 10

// withEntry adds a line to a text like that of /etc/passwd where none has its number.
func withEntry(text, entry string) string {
	number := func(line string) string {
		if f := strings.Split(strings.TrimSuffix(line, "\n"), ":"); len(f) > 2 {
			return f[2]
		}
		return ""
	}
	for line := range strings.Lines(text) {
		if number(line) == number(entry) {
			return text
		}
	}
	if text != "" && !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	return text + entry + "\n"
}

// ownedBy gives what was made since to an id: root of the image. A link's own owner
// nobody asks for.
func (b *builder) ownedBy(id, since int) {
	if id == 0 {
		return
	}
	for _, o := range slices.Clone(b.ops[since:]) {
		if o.Kind == cell.OpMkdir || o.Kind == cell.OpFile {
			b.add(cell.Op{Kind: cell.OpChown, Target: o.Target, Mode: uint32(id)})
		}
	}
}
