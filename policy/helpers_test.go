package policy

import "testing"

func ptr[T any](v T) *T { return &v }

// sound returns a whole policy without a problem. Every ceiling is twice its
// default.
func sound() *Policy {
	p := &Policy{Name: "sound", Description: "For tests.",
		Root: RootRules{Kind: RootHost, Reason: "why", Writable: &WritableRule{Reason: "why"},
			JobMayChooseDirs: &ChoiceRule{Reason: "why"}},
		Seccomp:       SeccompRules{Profile: "default", Reason: "why"},
		RequireSubuid: &SubuidRule{Reason: "why"},
	}
	p.Limits, p.BuildLimits = soundLimits(), soundLimits()
	for _, f := range capFields {
		*f.rule(&p.Caps) = &CapRule{Max: 4, Reason: "why"}
	}
	return p
}

func soundLimits() LimitRules {
	r := func(v int64) *Rule[int64] { return &Rule[int64]{ptr(v), ptr(2 * v), "why"} }
	return LimitRules{CPUMillis: r(1000), WallMillis: r(2000), MemoryBytes: r(64 * mib), Pids: r(16), OutputBytes: r(kib),
		DiskBytes: r(mib), DiskFiles: r(100), OpenFiles: r(32), FileBytes: r(mib), StackBytes: r(mib),
		CPUs: &Rule[float64]{ptr(1.0), ptr(2.0), "why"}}
}

func TestSoundIsSound(t *testing.T) {
	if problems := Check(sound(), nil); len(problems) != 0 {
		t.Fatalf("problems in the policy the tests stand on: %v", problems)
	}
}
