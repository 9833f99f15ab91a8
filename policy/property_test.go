package policy

import (
	"errors"
	"math"
	"testing"

	"pgregory.net/rapid"
)

// genLimit draws a value for a limit with this ceiling: mostly one that is
// granted, else one at or beyond a bound.
func genLimit(t *rapid.T, f Field, max float64, label string) float64 {
	if rapid.IntRange(0, 49).Draw(t, label+" odd") != 13 {
		v := rapid.Float64Range(f.Floor, max).Draw(t, label)
		if f.Whole {
			v = math.Floor(v)
		}
		return v
	}
	odd := []float64{0, -1, f.Floor, f.Floor / 2, max, max + 1, f.Ceiling, f.Ceiling * 2, math.MaxInt64, math.MinInt64}
	if !f.Whole {
		odd = append(odd, math.NaN(), math.Inf(1), math.Inf(-1), 0.005)
	}
	return rapid.SampledFrom(odd).Draw(t, label)
}

// setAsked writes into a request without the detour over text.
func setAsked(f Field, q *LimitRequest, v float64) {
	switch a := f.access.(type) {
	case reach[int64]:
		n := int64(math.MaxInt64) // the conversion of a float64 beyond int64 is not defined
		if v < math.MaxInt64 {
			n = int64(v)
		}
		*a.wanted(q) = &n
	case reach[float64]:
		*a.wanted(q) = &v
	}
}

func setRule(f Field, rs *LimitRules, def, max float64) {
	switch a := f.access.(type) {
	case reach[int64]:
		*a.rules(rs) = &Rule[int64]{ptr(int64(def)), ptr(int64(max)), "why"}
	case reach[float64]:
		*a.rules(rs) = &Rule[float64]{&def, &max, "why"}
	}
}

// genPolicy draws a sound policy: floor ≤ default ≤ max ≤ ceiling.
func genPolicy(t *rapid.T) *Policy {
	p := sound()
	for _, rs := range []*LimitRules{&p.Limits, &p.BuildLimits} {
		for _, f := range fields {
			max := rapid.Float64Range(f.Floor, f.Ceiling).Draw(t, f.Name+" max")
			def := rapid.Float64Range(f.Floor, max).Draw(t, f.Name+" default")
			if f.Whole {
				max, def = math.Floor(max), math.Floor(def)
			}
			setRule(f, rs, def, max)
		}
	}
	p.Root.Writable.Allowed = rapid.Bool().Draw(t, "writable")
	p.Root.JobMayChooseDirs.Allowed = rapid.Bool().Draw(t, "choice")
	return p
}

func genAsked(t *rapid.T, rules *LimitRules, label string) LimitRequest {
	var q LimitRequest
	for _, f := range fields {
		if rapid.Bool().Draw(t, label+f.Name+" asked") {
			r, _ := f.rule(rules)
			setAsked(f, &q, genLimit(t, f, *r.max, label+f.Name))
		}
	}
	return q
}

// genCount draws mostly what the sound policy's caps of 4 grant.
func genCount(t *rapid.T, label string) int {
	return rapid.SampledFrom([]int{0, 0, 0, 0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4, 4, 5}).Draw(t, label)
}

func genRequest(t *rapid.T, p *Policy) Request {
	q := Request{Limits: genAsked(t, &p.Limits, "run "), HasBuild: rapid.Bool().Draw(t, "build"),
		Files: rapid.SampledFrom([]int{0, 1, 2, 3, 4, 4, 4, 4, 5, -1}).Draw(t, "files"), FileBytes: rapid.Int64Range(-1, 66*kib).Draw(t, "file bytes"),
		StdinBytes: int64(genCount(t, "stdin")), Outputs: make([]string, genCount(t, "outputs")),
		Env: make([]string, genCount(t, "env")), WritableRoot: p.Root.Writable.Allowed && rapid.Bool().Draw(t, "writable asked")}
	if q.HasBuild {
		q.BuildLimits = genAsked(t, &p.BuildLimits, "build ")
	}
	return q
}

// enough fails a property that hardly ever met a granted request, and so would
// hold for nothing.
func enough(t *testing.T, granted int) {
	t.Helper()
	if granted < 10 {
		t.Errorf("only %d requests were granted; the generator must find more", granted)
	}
	t.Logf("%d requests were granted", granted)
}

// TestNoLimitIsEverOpen: no accepted request has a limit that is unset, below
// the floor or above the ceiling; a refused one says why; and what was asked for
// is what is granted.
func TestNoLimitIsEverOpen(t *testing.T) {
	granted := 0
	rapid.Check(t, func(t *rapid.T) {
		if noLimitIsOpen(t) {
			granted++
		}
	})
	enough(t, granted)
}

// FuzzResolve is TestNoLimitIsEverOpen, led by what the code does with its input
// and for as long as one likes.
func FuzzResolve(f *testing.F) {
	for i := range 8 { // each as long as the longest draw of policy and request
		seed := make([]byte, 8<<10)
		for j := range seed {
			seed[j] = byte((j*j*(2*i+1) + j>>3) >> i)
		}
		f.Add(seed)
	}
	f.Fuzz(rapid.MakeFuzz(func(t *rapid.T) { noLimitIsOpen(t) }))
}

func noLimitIsOpen(t *rapid.T) (granted bool) {
	p := genPolicy(t)
	q := genRequest(t, p)
	g, err := Resolve(q, p)
	if err != nil {
		var denied *DeniedError
		if g != nil || !errors.As(err, &denied) || len(denied.Denials) == 0 {
			t.Fatalf("grant %v with error %v", g, err)
		}
		for _, d := range denied.Denials {
			if d.Field == "" || d.Allowed == "" {
				t.Fatalf("a denial that does not say what of: %+v", d)
			}
		}
		return false
	}
	for _, step := range []struct {
		rules *LimitRules
		asked *LimitRequest
		got   *Limits
	}{{&p.Limits, &q.Limits, &g.Limits}, {&p.BuildLimits, &q.BuildLimits, &g.BuildLimits}} {
		for _, f := range fields {
			r, _ := f.rule(step.rules)
			v := f.value(step.got)
			if !(v >= f.Floor && v <= *r.max && v > 0) {
				t.Fatalf("%s: granted %v outside %v to %v", f.Name, v, f.Floor, *r.max)
			}
			if a, ok := f.asked(step.asked); ok && v != a || !ok && v != *r.def {
				t.Fatalf("%s: granted %v, asked %v (%v), default %v", f.Name, v, a, ok, *r.def)
			}
		}
	}
	if g.Root.Writable && !p.Root.Writable.Allowed {
		t.Fatal("a writable root that the policy does not allow")
	}
	if int64(q.Files) > g.Caps.Files || q.StdinBytes > g.Caps.StdinBytes || q.FileBytes > g.Limits.DiskBytes {
		t.Fatalf("more than the caps: %+v", q)
	}
	return true
}

// TestMonotoneInRequest: if a request is granted, the one that asks for less of
// one limit, but not less than the floor, is granted too, and gets no more.
func TestMonotoneInRequest(t *testing.T) {
	granted := 0
	rapid.Check(t, func(t *rapid.T) {
		p := genPolicy(t)
		var more, less Request
		for _, f := range fields {
			r, _ := f.rule(&p.Limits)
			a := genLimit(t, f, *r.max, f.Name)
			setAsked(f, &more.Limits, a)
			setAsked(f, &less.Limits, math.Max(f.Floor, a*rapid.Float64Range(0, 1).Draw(t, f.Name+" share")))
		}
		big, err := Resolve(more, p)
		if err != nil {
			return
		}
		granted++
		small, err := Resolve(less, p)
		if err != nil {
			t.Fatalf("less was refused where more was granted: %v", err)
		}
		for _, f := range fields {
			if f.value(&small.Limits) > f.value(&big.Limits) {
				t.Fatalf("%s: asked for less and got more", f.Name)
			}
		}
	})
	enough(t, granted)
}

// TestMonotoneInPolicy: a higher ceiling never refuses what a lower one granted,
// and never changes the answer.
func TestMonotoneInPolicy(t *testing.T) {
	granted := 0
	rapid.Check(t, func(t *rapid.T) {
		p := genPolicy(t)
		q := genRequest(t, p)
		before, err := Resolve(q, p)
		if err != nil {
			return
		}
		granted++
		for _, rs := range []*LimitRules{&p.Limits, &p.BuildLimits} {
			for _, f := range fields {
				r, _ := f.rule(rs)
				setRule(f, rs, *r.def, math.Min(f.Ceiling, *r.max*2))
			}
		}
		p.Root.Writable.Allowed, p.Root.JobMayChooseDirs.Allowed = true, true
		after, err := Resolve(q, p)
		if err != nil {
			t.Fatalf("a wider policy refuses: %v", err)
		}
		if before.Limits != after.Limits || before.BuildLimits != after.BuildLimits || before.Root.Writable != after.Root.Writable {
			t.Fatalf("a wider policy changed the grant: %+v, %+v", before, after)
		}
	})
	enough(t, granted)
}
