package cell

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// OpKind says what an Op does.
type OpKind uint32

// The operations, as in cell.h.
const (
	OpTmpfs   OpKind = iota + 1 // mount a tmpfs at Target with options Data
	OpBind                      // bind Source at Target with attributes Flags, recursively when Mode != 0
	OpMkdir                     // make directory Target with Mode
	OpFile                      // make file Target with Mode and content Data
	OpSymlink                   // make Target point to Source
	OpProc                      // mount the cell's own procfs at Target with attributes Flags
	OpOverlay                   // mount an overlay at Target with options Data
	OpAttr                      // add mount attributes Flags to Target, recursively when Mode != 0
	OpPivot                     // make Target the root and drop the old one
	OpChown                     // give Target to the id Mode
	OpScratch                   // keep Target, the scratch, for the daemon
)

var opNames = map[OpKind]string{OpTmpfs: "tmpfs", OpBind: "bind", OpMkdir: "mkdir", OpFile: "file",
	OpSymlink: "symlink", OpProc: "proc", OpOverlay: "overlay", OpAttr: "attributes", OpPivot: "pivot",
	OpChown: "chown", OpScratch: "scratch"}

// Op is one step of building a mount tree: data computed and checked by the
// daemon, carried out blindly by the child side.
type Op struct {
	Kind   OpKind
	Source string
	Target string
	Data   string
	Mode   uint32
	Flags  uint64 // MOUNT_ATTR_*
}

// String describes the operation for an error message.
func (o Op) String() string {
	if o.Source != "" {
		return fmt.Sprintf("%s %s at %s", opNames[o.Kind], o.Source, o.Target)
	}
	return opNames[o.Kind] + " " + o.Target
}

var errOpsTooLong = errors.New("the mount list does not fit one message; use fewer root directories")

func encodeOps(to []byte, ops []Op) []byte {
	e := binary.LittleEndian
	for _, o := range ops {
		to = e.AppendUint32(to, uint32(o.Kind))
		to = e.AppendUint32(to, o.Mode)
		to = e.AppendUint64(to, o.Flags)
		for _, s := range []string{o.Source, o.Target, o.Data} {
			to = e.AppendUint32(to, uint32(len(s)+1))
		}
		to = e.AppendUint32(to, 0)
		for _, s := range []string{o.Source, o.Target, o.Data} {
			to = append(append(to, s...), 0)
		}
	}
	return to
}

// detail names what the index of a failure stands for.
func detail(ops []Op, index int) string {
	if index >= 0 && index < len(ops) {
		return ops[index].String()
	}
	return ""
}
