package seccomp

import "testing"

// BenchmarkCompile is paid once for each set of rules, at the start or by the first
// job that needs it.
func BenchmarkCompile(b *testing.B) {
	for _, profile := range Profiles() {
		b.Run(profile, func(b *testing.B) {
			b.ReportAllocs()
			var p *Program
			for b.Loop() {
				var err error
				if p, err = Compile(Rules{Profile: profile}, Native()); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(p.Instructions()), "instructions")
		})
	}
}
