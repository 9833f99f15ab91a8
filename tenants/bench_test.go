package tenants

import (
	"fmt"
	"testing"
)

// BenchmarkAuthenticate: what a key costs a request, among many.
func BenchmarkAuthenticate(b *testing.B) {
	names := make([]string, 1000)
	for i := range names {
		names[i] = fmt.Sprint("tenant", i)
	}
	d, keys := withKeys(b, names...)
	r, _ := registry(d)
	for name, text := range map[string]string{"good": keys[500], "unknown": "cordon_aaaaaaaaaa_" + keys[500][18:], "nonsense": "x"} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				r.Authenticate(text)
			}
		})
	}
}

// BenchmarkLimits: what the limits of a tenant cost a job.
func BenchmarkLimits(b *testing.B) {
	m, _ := meter()
	l := &Limits{Rate: MaxCount, CPUPerHour: 1000}
	m.Charge("a", 1)
	for b.Loop() {
		m.Rest("a", l)
		m.Come("a", l)
		leave, _ := m.Enter("a", "x", 10)
		leave()
	}
}
