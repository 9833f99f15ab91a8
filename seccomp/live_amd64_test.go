package seccomp

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func init() {
	scenarios["x32"] = scenario{rules: Rules{Profile: "default"}, probes: []probe{
		{x32Bit | unix.SYS_GETPID, [6]uintptr{}, unix.ENOSYS, "foreign architecture x32, call 39", true},
		{x32Bit | unix.SYS_GETPID, [6]uintptr{}, unix.ENOSYS, "", true}, // after the end nobody counts
	}, killed: []string{"foreign architecture x32, call 39"}}
	scenarios["i386"] = scenario{rules: Rules{Profile: "ci"}}
}

// i386 is the smallest program for it: exit(42), again and again.
func i386() []byte {
	const at, head = 0x08048000, 52 + 32
	code := []byte{0xb8, 1, 0, 0, 0, 0xbb, 42, 0, 0, 0, 0xcd, 0x80, 0xeb, 0xf2} // mov $1,%eax; mov $42,%ebx; int $0x80; jmp back
	b := []byte{0x7f, 'E', 'L', 'F', 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0}
	e := binary.LittleEndian
	for _, v := range []uint16{2, 3} { // an executable, for i386
		b = e.AppendUint16(b, v)
	}
	for _, v := range []uint32{1, at + head, 52, 0, 0} { // version, entry, program headers, no sections, flags
		b = e.AppendUint32(b, v)
	}
	for _, v := range []uint16{52, 32, 1, 0, 0, 0} { // sizes and counts of headers
		b = e.AppendUint16(b, v)
	}
	size := uint32(head + len(code))
	for _, v := range []uint32{1, 0, at, at, size, size, 5, 0x1000} { // one segment to load, readable and executable
		b = e.AppendUint32(b, v)
	}
	return append(b, code...)
}

// TestLiveI386: a program of another architecture is stopped at its first call,
// even one that every profile allows.
func TestLiveI386(t *testing.T) {
	path := filepath.Join(t.TempDir(), "i386")
	if err := os.WriteFile(path, i386(), 0o755); err != nil {
		t.Fatal(err)
	}
	r := live(t, "i386", programEnv+"="+path)
	if strings.Contains(r.Program[0], "exec format error") {
		t.Skip("this kernel is built without CONFIG_IA32_EMULATION: there is no such program to stop")
	}
	if r.Program[0] != "exit status 42" || r.Program[1] != "signal: killed" {
		t.Errorf("without the filter %q, with it %q", r.Program[0], r.Program[1])
	}
	const name = "foreign architecture 0x40000003, call 1"
	if !slices.Equal(r.Killed, []string{name}) || len(r.Denied) != 1 || r.Denied[0].Name != name {
		t.Errorf("ended for %q, counted %v", r.Killed, r.Denied)
	}
}
