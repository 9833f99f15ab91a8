package cell

import (
	"encoding/binary"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// gcc compiles files of this package or of testdata into a program. The package
// cannot be built without it, so a machine without it fails the test.
func gcc(t testing.TB, name string, args ...string) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), name)
	out, err := exec.Command("gcc", append([]string{"-std=gnu11", "-Wall", "-Wextra", "-Wshadow", "-Wconversion", "-Werror",
		"-o", program}, args...)...).CombinedOutput()
	if err != nil {
		t.Fatalf("gcc %s: %v (the package gcc is needed)\n%s", name, err, out)
	}
	return program
}

func header(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("cell.h")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// ask compiles a program that prints each C expression and returns the values.
func ask(t *testing.T, expressions []string) map[string]int64 {
	t.Helper()
	var source strings.Builder
	source.WriteString("#include \"cell.h\"\n#include <stdio.h>\nint main(void)\n{\n")
	for _, e := range expressions {
		fmt.Fprintf(&source, "\tprintf(\"%%lld\\n\", (long long)(%s));\n", e)
	}
	source.WriteString("\treturn 0;\n}\n")
	file := filepath.Join(t.TempDir(), "ask.c")
	if err := os.WriteFile(file, []byte(source.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(gcc(t, "ask", "-I.", file)).Output()
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Fields(string(out))
	if len(lines) != len(expressions) {
		t.Fatalf("%d answers to %d questions", len(lines), len(expressions))
	}
	values := map[string]int64{}
	for i, e := range expressions {
		if values[e], err = strconv.ParseInt(lines[i], 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	return values
}

// constants are the numbers of cell.h as the Go side knows them.
func constants() map[string]int64 {
	c := map[string]int64{
		"CELL_VERSION": protocolVersion, "CELL_MESSAGE_MAX": messageMax, "CELL_RLIMITS": maxRlimits,
		"CELL_FDS_MAX": maxFDs, "CELL_FURTHER": maxFurther, "CELL_UID_INIT": 0, "CELL_UID_JOB": 1000, // rootfs.JobID, in /etc/passwd of a cell
		"CELL_CGROUP_V2": flagCgroupV2, "CELL_SINGLE_ID": flagSingleID,
		"CELL_NETWORK": flagNetwork, "CELL_NO_STRAYS": noStrays,
		"CELL_FLAGS": flagCgroupV2 | flagSingleID | flagNetwork, "STEP_NONE": 0, "STEP_COUNT": int64(len(steps)),
		"STAGE_COUNT":  int64(stageCount),
		"PACK_REGULAR": int64(Regular), "PACK_DIR": int64(Dir), "PACK_SYMLINK": int64(Symlink),
		"OP_TMPFS": int64(OpTmpfs), "OP_BIND": int64(OpBind), "OP_MKDIR": int64(OpMkdir), "OP_FILE": int64(OpFile),
		"OP_SYMLINK": int64(OpSymlink), "OP_PROC": int64(OpProc), "OP_OVERLAY": int64(OpOverlay), "OP_ATTR": int64(OpAttr),
		"OP_PIVOT": int64(OpPivot), "OP_CHOWN": int64(OpChown), "OP_SCRATCH": int64(OpScratch),
		"MSG_TEMPLATE": int64(msgTemplate), "MSG_TEMPLATE_DONE": int64(msgTemplateDone), "MSG_CELL": int64(msgCell),
		"MSG_CELL_MADE": int64(msgCellMade), "MSG_READY": int64(msgReady), "MSG_RUN": int64(msgRun),
		"MSG_FAILED": int64(msgFailed), "MSG_ENDED": int64(msgEnded), "MSG_STRAYS": int64(msgStrays), "MSG_LAYER": int64(msgLayer), "MSG_LAYER_SHOWN": int64(msgLayerShown), "MSG_FILES": int64(msgFiles),
		"MSG_SIGNAL": int64(msgSignal), "CELL_TERMINAL": flagTerminal, "CELL_VIEW": flagView,
	}
	for i := range steps[1:] {
		c["STEP_"+strings.ToUpper(Step(i+1).String())] = int64(i + 1)
	}
	for s := range stageCount {
		c["STAGE_"+strings.ToUpper(strings.ReplaceAll(s.String(), "-", "_"))] = int64(s)
	}
	return c
}

// Every number that cell.h defines is known to the Go side under its name, and
// the other way round: a new one cannot be forgotten on either side.
func TestHeaderConstants(t *testing.T) {
	text := header(t)
	names := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^\t((?:STAGE|MSG|OP|PACK)_[A-Z_]+)\b`).FindAllStringSubmatch(text, -1) {
		names[m[1]] = true
	}
	for _, m := range regexp.MustCompile(`(?m)^#define (CELL_\w+) `).FindAllStringSubmatch(text, -1) {
		names[m[1]] = true
	}
	for _, m := range regexp.MustCompile(`enum pack_file_type \{(.*?)\}`).FindAllStringSubmatch(text, -1) {
		for _, n := range regexp.MustCompile(`PACK_\w+`).FindAllString(m[1], -1) {
			names[n] = true
		}
	}
	want := constants()
	for _, m := range regexp.MustCompile(`(?s)enum cell_step \{(.*?)\}`).FindAllStringSubmatch(text, -1) {
		for _, n := range regexp.MustCompile(`STEP_\w+`).FindAllString(m[1], -1) {
			names[n] = true
		}
	}
	got := ask(t, slices.Sorted(maps.Keys(names)))
	for name, value := range got {
		if w, ok := want[name]; !ok || w != value {
			t.Errorf("%s is %d in cell.h and %d (known: %v) in Go", name, value, w, ok)
		}
	}
	for name := range want {
		if _, ok := got[name]; !ok {
			t.Errorf("%s is known in Go and not found in cell.h", name)
		}
	}
	if len(got) < 140 {
		t.Errorf("only %d names found in cell.h", len(got))
	}
}

func TestStructSizes(t *testing.T) {
	want := map[string]int64{"sizeof(struct cell_head)": headSize, "sizeof(struct cell_op_head)": opHeadSize,
		"sizeof(struct pack_head)": packHeadSize, "sizeof(struct pack_file)": packFileSize, "sizeof(struct view_head)": viewHead}
	for e, value := range ask(t, slices.Sorted(maps.Keys(want))) {
		if value != want[e] {
			t.Errorf("%s is %d in C and %d in Go", e, value, want[e])
		}
	}
}

// place is where a C member lies in a message of the Go side, and what the Go
// side was told to write there.
type place struct {
	member string // "struct name, member"
	base   int    // of the struct in the bytes
	size   int
	want   uint64
}

func checkPlaces(t *testing.T, b []byte, places []place) {
	t.Helper()
	var offsets []string
	for _, p := range places {
		offsets = append(offsets, "offsetof(struct "+p.member+")")
	}
	at := ask(t, offsets)
	for i, p := range places {
		from := p.base + int(at[offsets[i]])
		var got uint64
		if p.size == 4 {
			got = uint64(binary.LittleEndian.Uint32(b[from:]))
		} else {
			got = binary.LittleEndian.Uint64(b[from:])
		}
		if got != p.want {
			t.Errorf("%s: the Go side wrote %d, want %d", p.member, got, p.want)
		}
	}
}

// Every member lies where C looks for it.
func TestStructLayouts(t *testing.T) {
	h := head{kind: 2, stage: 3, index: 4, errno: 5, pid: 6, a: 7, b: 8, c: 9}
	b := h.encode(nil)
	op := len(b)
	b = encodeOps(b, []Op{{Kind: 10, Source: "s", Target: "ta", Data: "dat", Mode: 11, Flags: 12}})
	checkPlaces(t, b, []place{
		{"cell_head, version", 0, 4, protocolVersion}, {"cell_head, kind", 0, 4, 2}, {"cell_head, stage", 0, 4, 3},
		{"cell_head, index", 0, 4, 4}, {"cell_head, error", 0, 4, 5}, {"cell_head, pid", 0, 4, 6},
		{"cell_head, a", 0, 8, 7}, {"cell_head, b", 0, 8, 8}, {"cell_head, c", 0, 8, 9},
		{"cell_op_head, op", op, 4, 10}, {"cell_op_head, mode", op, 4, 11}, {"cell_op_head, flags", op, 8, 12},
		{"cell_op_head, source_len", op, 4, 2}, {"cell_op_head, target_len", op, 4, 3}, {"cell_op_head, data_len", op, 4, 4},
		{"cell_op_head, zero", op, 4, 0},
	})
}
