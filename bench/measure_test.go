package bench

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func TestStat(t *testing.T) {
	for _, c := range []struct {
		values []float64
		want   Stat
	}{
		{nil, Stat{}},
		{[]float64{3}, Stat{3, 3, 3}},
		{[]float64{9, 1, 2}, Stat{2, 1, 9}},
		{[]float64{4, 1, 2, 9}, Stat{3, 1, 9}},
	} {
		if got := statOf(c.values); got != c.want {
			t.Errorf("%v: %+v, want %+v", c.values, got, c.want)
		}
	}
}

func of(ms ...int) sample {
	var times []time.Duration
	for _, m := range ms {
		times = append(times, time.Duration(m)*time.Millisecond)
	}
	return sample{clients: [][]time.Duration{times}, took: time.Second}
}

func TestSample(t *testing.T) {
	s := sample{clients: [][]time.Duration{of(5, 1, 3).clients[0], of(2, 4).clients[0]}, took: 2 * time.Second}
	if s.runs() != 5 || s.p50() != 3 || s.quantile(1) != 5 || s.quantile(0) != 1 || s.perSecond() != 2.5 {
		t.Errorf("%d runs, p50 %v, %v to %v, %v a second", s.runs(), s.p50(), s.quantile(0), s.quantile(1), s.perSecond())
	}
	whole, parts := of(1, 2, 3, 4, 5, 6, 7), 0
	for i := range 3 {
		parts += whole.part(i, 3).runs()
	}
	if first := whole.part(0, 3); parts != 7 || first.runs() != 2 || first.quantile(1) != 2 {
		t.Errorf("three parts have %d runs, the first %v", parts, first)
	}
	if (sample{}).p50() != 0 {
		t.Error("the median of nothing is not 0")
	}
}

func TestRatiosAreTakenRoundByRound(t *testing.T) {
	// The machine is three times as slow in the second round.
	a, b := []sample{of(2), of(6)}, []sample{of(1), of(3)}
	if got := ratios(a, b, sample.p50); got != (Stat{2, 2, 2}) {
		t.Errorf("%+v", got)
	}
	if got := ratios(a, []sample{{}, {}}, sample.p50); got != (Stat{}) {
		t.Errorf("over nothing: %+v", got)
	}
}

// counted is a target whose runs take as many milliseconds as there were before.
func counted(n *atomic.Int64, fail int64) target {
	return target{"counted", func() (loop, func(), error) {
		return repeated(func() (time.Duration, error) {
			if i := n.Add(1); i != fail {
				return time.Duration(i) * time.Millisecond, nil
			}
			return 0, errors.New("no luck")
		}), func() {}, nil
	}}
}

func TestMeasure(t *testing.T) {
	var n atomic.Int64
	s, err := measure(t.Context(), counted(&n, 0), 2, 0)
	if err != nil || s.runs() != 2*leastRuns || int(n.Load()) != s.runs()+2 { // each client's first is not counted
		t.Errorf("%d of %d runs, %v", s.runs(), n.Load(), err)
	}
	if _, err := measure(t.Context(), counted(&n, n.Load()+3), 1, 0); err == nil || !strings.Contains(err.Error(), "no luck") {
		t.Errorf("a failed run: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := measure(ctx, counted(&n, 0), 1, 0); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestInTurns(t *testing.T) {
	var a, b atomic.Int64
	all, err := inTurns(t.Context(), 3, []turn{{counted(&a, 0), 1, 0}, {counted(&b, 0), 2, 0}})
	if err != nil || len(all) != 2 || len(all[0]) != 3 || len(all[1]) != 3 {
		t.Fatalf("%v, %v", all, err)
	}
	s := seriesOf(Latency, "x", 2, all[1])
	if s.Runs != 3*2*leastRuns || s.Rounds != 3 || s.P50.Min > s.P50.Median || s.P50.Median > s.P50.Max || s.P99.Median < s.P50.Median {
		t.Errorf("%+v", s)
	}
	a.Store(0)
	if _, err := inTurns(t.Context(), 1, []turn{{counted(&a, 1), 1, 0}}); err == nil || !strings.HasPrefix(err.Error(), "counted: no luck") {
		t.Errorf("a failed run: %v", err)
	}
}
