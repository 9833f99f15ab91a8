package cell

import (
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"testing"
)

var someOps = []Op{
	{Kind: OpTmpfs, Target: "/base", Data: "size=1m,mode=0755", Flags: 6},
	{Kind: OpBind, Source: "/usr", Target: "/base/usr", Mode: 1, Flags: 1<<63 | 7},
	{Kind: OpFile, Target: "/base/etc/hosts", Mode: 0o644, Data: "a\x00b\n\x00"},
	{Kind: OpSymlink, Source: "usr/bin", Target: "/base/bin"},
	{Kind: OpPivot, Target: "/base"},
	{},
}

// readOps is a reader of its own, against which the encoder is checked. The C
// side's is held against the same bytes by TestDecoderUnderstands.
func readOps(t *testing.T, b []byte) []Op {
	t.Helper()
	e := binary.LittleEndian
	var ops []Op
	for len(b) > 0 {
		o := Op{Kind: OpKind(e.Uint32(b)), Mode: e.Uint32(b[4:]), Flags: e.Uint64(b[8:])}
		lengths := []uint32{e.Uint32(b[16:]), e.Uint32(b[20:]), e.Uint32(b[24:])}
		b = b[opHeadSize:]
		for i, to := range []*string{&o.Source, &o.Target, &o.Data} {
			n := int(lengths[i])
			if b[n-1] != 0 {
				t.Fatalf("string %d does not end in NUL", i)
			}
			*to = string(b[:n-1])
			b = b[n:]
		}
		ops = append(ops, o)
	}
	return ops
}

func TestOpsRoundTrip(t *testing.T) {
	if got := readOps(t, encodeOps(nil, someOps)); !slices.Equal(got, someOps) {
		t.Errorf("came back as %+v", got)
	}
	if b := encodeOps(nil, nil); len(b) != 0 {
		t.Errorf("no operations are %d bytes", len(b))
	}
	if b := encodeOps([]byte("kept"), someOps[:1]); !strings.HasPrefix(string(b), "kept") {
		t.Error("what was there is gone")
	}
}

func FuzzEncodeOps(f *testing.F) {
	f.Add(uint32(1), uint32(0), uint64(6), "", "/x", "size=1m")
	f.Fuzz(func(t *testing.T, kind, mode uint32, flags uint64, source, target, data string) {
		want := []Op{{OpKind(kind), source, target, data, mode, flags}, {OpKind(mode), data, source, target, kind, ^flags}}
		if got := readOps(t, encodeOps(nil, want)); !slices.Equal(got, want) {
			t.Errorf("%+v came back as %+v", want, got)
		}
	})
}

func TestOpsHaveNames(t *testing.T) {
	for k := OpTmpfs; k <= OpScratch; k++ {
		if opNames[k] == "" {
			t.Errorf("operation %d has no name", k)
		}
	}
	if len(opNames) != int(OpScratch) {
		t.Errorf("%d names for %d operations", len(opNames), OpScratch)
	}
	for index, want := range map[int]string{0: "tmpfs /base", 1: "bind /usr at /base/usr", -1: "", len(someOps): ""} {
		if got := detail(someOps, index); got != want {
			t.Errorf("operation %d is described as %q, want %q", index, got, want)
		}
	}
}

// A mount list that does not fit is refused before anything is started.
func TestStartRefusesLongTemplate(t *testing.T) {
	long := []Op{{Kind: OpFile, Target: "/x", Data: strings.Repeat("x", messageMax)}}
	for name, template := range map[string]Template{"root": {Root: long}, "cell": {Cell: long}} {
		if s, err := Start(template); !errors.Is(err, errOpsTooLong) {
			t.Errorf("%s: %v, %v", name, s, err)
		}
	}
}
