package sandbox

import (
	"testing"
)

// TestTimeline: what a program prints on two streams, one after the other, has that order and
// the times between, and adds up to what it has printed.
func TestTimeline(t *testing.T) {
	l := newLab(t)
	job := shell("printf aa; sleep 0.05; printf b >&2; sleep 0.05; printf ccc; sleep 0.05; printf dd >&2")
	job.Timeline = &Timeline{}
	r := l.run(t, job)
	if r.Verdict != OK {
		t.Fatalf("%+v", r)
	}
	got := job.Timeline.Marks(0)
	want := []Printed{{0, 2, 0}, {1, 1, 50e6}, {0, 5, 100e6}, {1, 3, 150e6}}
	if len(got) != len(want) {
		t.Fatalf("%+v", got)
	}
	for i, m := range got {
		if m.Stream != want[i].Stream || m.End != want[i].End || m.At < want[i].At || m.At > r.Usage.WallNanos+1e9 {
			t.Errorf("%+v, want %+v at the earliest, of %d ns", m, want[i], r.Usage.WallNanos)
		}
	}
	if behind := job.Timeline.Marks(3); len(behind) != 1 || behind[0] != got[3] || job.Timeline.Marks(5) != nil {
		t.Errorf("%+v", behind)
	}
}

// TestTimelineBounded: of more than can be noted the beginning is.
func TestTimelineBounded(t *testing.T) {
	l := newLab(t)
	job := shell("i=0; while [ $i -lt 6000 ]; do echo a; echo b >&2; i=$((i+1)); done")
	job.Timeline = &Timeline{}
	r := l.run(t, job)
	marks := job.Timeline.Marks(0)
	if r.Verdict != OK || len(marks) < 100 || len(marks) > maxMarks+1 {
		t.Fatalf("%d marks: %+v", len(marks), r.Verdict)
	}
	var sizes [2]int64
	for i, m := range marks {
		if m.End <= sizes[m.Stream] || m.End > 12000 || i > 0 && m.At < marks[i-1].At {
			t.Fatalf("mark %d: %+v behind %v", i, m, sizes)
		}
		sizes[m.Stream] = m.End
	}
}
