package sandbox

import (
	"math"

	"cordon/policy"
)

// stepSpec begins what one cell gets of a Spec. Here, and nowhere else, the times that the
// policy has granted become those that are enforced: all that limits, watches or tells
// of a step reads its limits.
func (r *Runner) stepSpec(granted policy.Limits) *stepSpec {
	return &stepSpec{granted: granted, limits: scaled(granted, r.config.CPUScale), core: r.core}
}

// scaled are limits on a host that takes so many times as long as another for the same
// work. Everything but time is the same on both.
func scaled(l policy.Limits, scale float64) policy.Limits {
	l.CPUMillis, l.WallMillis = scaledMillis(l.CPUMillis, scale), scaledMillis(l.WallMillis, scale)
	return l
}

// scaledMillis is a limit of time on this host; 0 is no scale. No limit becomes so small
// that it is none.
func scaledMillis(ms int64, scale float64) int64 {
	if scale == 0 {
		return ms
	}
	return max(int64(math.Round(float64(ms)*scale)), 1)
}

// appliedMillis tells of a limit of time, and of what was granted where that is
// something else.
func appliedMillis(name string, enforced, granted int64, by string) AppliedLimit {
	a := AppliedLimit{Name: name, Value: float64(enforced), EnforcedBy: by}
	if granted != enforced {
		a.Asked = float64(granted)
	}
	return a
}
