package rootfs

import (
	"bytes"
	"fmt"

	"github.com/moby/sys/mountinfo"
)

// mountsFile lists the mounts that this process sees. Nothing that the host mounts later is
// among them, nor does it come into a root.
const mountsFile = "/proc/self/mountinfo"

// SystemTrees are the directories that every host root has, where they are there.
func SystemTrees() []string { return append([]string(nil), system...) }

// MountBelow is a mount somewhere below a directory, by the text of mountinfo; "" where there
// is none.
func MountBelow(dir string, text []byte) (string, error) {
	mounts, err := mountinfo.GetMountsFromReader(bytes.NewReader(text), func(m *mountinfo.Info) (skip, stop bool) {
		below := m.Mountpoint != dir && within(m.Mountpoint, dir)
		return !below, below
	})
	if err != nil || len(mounts) == 0 {
		return "", err
	}
	return mounts[0].Mountpoint, nil
}

// layer wants a directory of the host that an overlay can lie over. One with another mount
// below it cannot be a layer for who is not root: below the mount there may be what others
// are not to see, and so the kernel takes neither the whole nor a part of it (EINVAL).
func (h Host) layer(dir string) error {
	real, err := h.FS.EvalSymlinks(dir)
	if err != nil {
		return fmt.Errorf("root directory %s: %w", dir, err)
	}
	text, err := h.FS.ReadFile(mountsFile)
	if err != nil {
		return fmt.Errorf("root directory %s: %w", dir, err)
	}
	below, err := MountBelow(real, text)
	if err != nil {
		return fmt.Errorf("root directory %s: %s: %w", dir, mountsFile, err)
	}
	if below == "" {
		return nil
	}
	return fmt.Errorf("root directory %s: %s is mounted below it, and the kernel lets nobody but root lay an overlay over a directory with another mount below; "+
		"name directories beside that one in the policy's root.dirs, do without root.writable (a root of kind host can then show it), or unmount %[2]s and start the service anew", dir, below)
}
