package httpapi

import (
	"context"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"cordon/sandbox"
	"cordon/tenants"
)

// TestStatus: what runs and waits is there with whose it is, and what has ended is counted.
func TestStatus(t *testing.T) {
	s := startTenants(t, nil, "a", "b")
	key := s.key(t, "b", tenants.Status)
	look := func() ServiceStatus { return bodyOf[ServiceStatus](t, s.as(t, key, "GET", statusPath, ""), 200) }
	go_, over := make(chan struct{}), make(chan struct{})
	s.runner.does(func(_ context.Context, j *sandbox.Job) (*sandbox.Result, error) {
		j.Placed()
		j.Gauge.Show(func() (sandbox.Sample, bool) { return sandbox.Sample{Pids: 3}, true })
		<-go_
		r := ended(j, sandbox.CPULimit)
		r.Timings.RunNanos = 5e6
		return r, nil
	})
	for _, priority := range []string{"high", "low", "low"} {
		s.as(t, s.keys["a"], "POST", jobsPath, `{"command":["true"],"priority":"`+priority+`"}`)
	}
	now := look()
	if q := now.Queue; len(now.Jobs) != 0 || q == nil || q.States["queued"] != 3 || len(q.Waiting) != 2 || q.Waiting[0].Tenant != "a" || q.Waiting[0].Priority != "low" ||
		q.Waiting[0].Jobs != 2 || q.Waiting[0].Oldest.IsZero() || now.Hour.Jobs != 0 || len(now.Minutes) != 0 || now.Version != "test" {
		t.Errorf("%+v %+v", now, now.Queue)
	}
	go func() {
		s.run(t, `{"command":["true"],"policy":"judge"}`)
		close(over)
	}()
	for now = look(); len(now.Jobs) == 0 || now.Jobs[0].Usage == nil; now = look() {
		time.Sleep(time.Millisecond)
	}
	if j := now.Jobs[0]; now.Inside != 1 || j.Tenant != "" || j.Policy != "judge" || j.Queued || j.Waiting || j.Usage.Pids != 3 || time.Since(j.Since) > time.Minute {
		t.Errorf("%+v", now.Jobs)
	}
	close(go_)
	<-over
	now = look()
	if len(now.Jobs) != 0 || now.Inside != 0 || now.Hour.Jobs != 1 || now.Hour.Verdicts["cpu_limit"] != 1 || len(now.Minutes) < 1 || now.Hour.Run.P50 < 45e5 || now.Hour.Run.P50 > 55e5 {
		t.Errorf("%+v", now)
	}
	if i := slices.IndexFunc(now.Tenants, func(one TenantStatus) bool { return one.Name == "a" }); len(now.Tenants) != 2 || now.Tenants[i].Waiting != 3 || now.Tenants[i].Running != 0 {
		t.Errorf("%+v", now.Tenants)
	}
	s.as(t, s.keys["a"], "GET", statusPath, "").wants(t, CodeMissingScope, "") // its default scopes are about itself
}

// TestHour: minutes go when an hour is over, quantiles are right to a tenth, and nothing grows.
func TestHour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHour()
		for range 200 {
			h.add(&sandbox.Result{Step: sandbox.Step{Verdict: sandbox.OK}, Timings: sandbox.Timings{RunNanos: 1 + rand.Int64N(1e9)}})
			time.Sleep(time.Minute)
		}
		all, minutes := h.look()
		if all.Jobs != minutesKept-1 || len(minutes) != minutesKept-1 || minutes[0].At.After(minutes[1].At) { // the last minute has none yet
			t.Errorf("%d jobs in %d minutes", all.Jobs, len(minutes))
		}
		time.Sleep(2 * time.Hour)
		if all, minutes = h.look(); all.Jobs != 0 || len(minutes) != 0 {
			t.Errorf("%d jobs in %d minutes, long after", all.Jobs, len(minutes))
		}
		var lengths []int64
		for range 10_000 {
			ns := int64(1000 << rand.IntN(20) * (1 + rand.IntN(100)) / 50)
			lengths = append(lengths, ns)
			h.add(&sandbox.Result{Step: sandbox.Step{Verdict: sandbox.Nonzero}, Timings: sandbox.Timings{RunNanos: ns}})
		}
		slices.Sort(lengths)
		all, _ = h.look()
		for q, got := range map[int]int64{5000: all.Run.P50, 9000: all.Run.P90, 9900: all.Run.P99} {
			if want := float64(lengths[q-1]); float64(got) < want*0.9-1000 || float64(got) > want*1.1+1000 {
				t.Errorf("quantile %d: %d, want %v", q, got, want)
			}
		}
		if all.Verdicts["nonzero"] != 10_000 {
			t.Errorf("%v", all.Verdicts)
		}
		for _, ns := range []int64{-1, 0, 1, 1 << 62} { // what is beyond the scale is at its end
			if step := stepOf(ns); step < 0 || step >= timeSteps {
				t.Errorf("%d: step %d", ns, step)
			}
		}
	})
}

// TestInsiders: of many only so many are shown.
func TestInsiders(t *testing.T) {
	var i insiders
	var leave []func()
	for range shownInside + 5 {
		leave = append(leave, i.enter(&sandbox.Job{}, "", false))
	}
	if shown, all, running := i.look(); len(shown) != shownInside || all != shownInside+5 || len(running) != 0 || !shown[0].Waiting {
		t.Errorf("%d of %d", len(shown), all)
	}
	for _, f := range leave {
		f()
	}
	if _, all, _ := i.look(); all != 0 {
		t.Errorf("%d are left", all)
	}
}
