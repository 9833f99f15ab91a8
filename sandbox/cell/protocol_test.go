package cell

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strings"
	"syscall"
	"testing"
)

var heads = []head{
	{},
	{kind: msgCell, a: 1, b: 3, c: flagCgroupV2 | flagSingleID},
	{kind: msgFailed, stage: StageExec, index: 7, errno: int32(syscall.ENOENT)},
	{kind: msgEnded, a: math.MinInt64, b: math.MaxInt64, c: -1, pid: math.MaxUint32, errno: math.MinInt32},
	{kind: math.MaxUint32, stage: math.MaxUint32, index: math.MaxUint32},
}

func TestHeadRoundTrip(t *testing.T) {
	for _, want := range heads {
		b := want.encode([]byte("kept"))
		if string(b[:4]) != "kept" || len(b) != 4+headSize {
			t.Fatalf("%+v: encoded to %d bytes after what was there, want %d", want, len(b)-4, headSize)
		}
		got, err := decodeHead(b[4:])
		if err != nil || got != want {
			t.Errorf("%+v: came back as %+v, %v", want, got, err)
		}
	}
}

func TestDecodeHeadRefuses(t *testing.T) {
	whole := (&head{kind: msgReady}).encode(nil)
	for n := range headSize {
		if _, err := decodeHead(whole[:n]); err == nil {
			t.Errorf("%d bytes: accepted", n)
		}
	}
	if _, err := decodeHead(append(whole, 0)); err == nil {
		t.Error("a byte too many: accepted")
	}
	for _, version := range []uint32{0, protocolVersion + 1, protocolVersion << 8, math.MaxUint32} {
		binary.LittleEndian.PutUint32(whole, version)
		if _, err := decodeHead(whole); err == nil || !strings.Contains(err.Error(), "version") {
			t.Errorf("version %d: %v", version, err)
		}
	}
}

func FuzzDecodeHead(f *testing.F) {
	for _, h := range heads {
		f.Add(h.encode(nil))
	}
	f.Add([]byte{})
	f.Add(make([]byte, headSize+1))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := decodeHead(b)
		if err != nil {
			return
		}
		if again := h.encode(nil); string(again) != string(b) {
			t.Errorf("% x: encodes to % x", b, again)
		}
		_ = h.stage.String() // of any number
		if f := h.failure(); (f == nil) != (h.stage == StageNone) {
			t.Errorf("stage %d: failure %v", h.stage, f)
		} else if f != nil && f.Error() == "" {
			t.Error("a failure without words")
		}
	})
}

func TestFailure(t *testing.T) {
	for _, c := range []struct {
		failure Failure
		want    string
	}{
		{Failure{Stage: StageExec, Errno: syscall.ENOENT}, "cell stage exec: no such file or directory"},
		{Failure{Stage: StageIDs, Step: stepNamed(t, "setgroups"), Errno: syscall.EPERM}, "cell stage ids: setgroups: operation not permitted"},
		{Failure{Stage: StageMount, Step: stepNamed(t, "mount"), Index: 2, Detail: "tmpfs /x", Errno: syscall.EPERM},
			"cell stage mount: mount (tmpfs /x): operation not permitted"},
		{Failure{Stage: StageMount, Step: 1000, Errno: syscall.EPERM}, "cell stage mount: step(1000): operation not permitted"},
		{Failure{Stage: StageFiles}, "cell stage files: interrupted"},
		{Failure{Stage: stageCount, Errno: syscall.EIO}, fmt.Sprintf("cell stage stage(%d): input/output error", stageCount)},
	} {
		if got := c.failure.Error(); got != c.want {
			t.Errorf("%+v: %q, want %q", c.failure, got, c.want)
		}
	}
	var err error = &Failure{Stage: StageExec, Errno: syscall.EACCES}
	if !errors.Is(err, syscall.EACCES) {
		t.Error("the errno cannot be found in a failure")
	}
}

func stepNamed(t *testing.T, name string) Step {
	t.Helper()
	for i, s := range steps {
		if s.name == name {
			return Step(i)
		}
	}
	t.Fatalf("no step %s", name)
	return 0
}

func TestStagesHaveNames(t *testing.T) {
	seen := map[string]bool{}
	for s := range stageCount {
		if name := s.String(); name == "" || seen[name] || strings.HasPrefix(name, "stage(") {
			t.Errorf("stage %d is called %q", s, name)
		} else {
			seen[name] = true
		}
	}
}
