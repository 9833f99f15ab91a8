package sandbox

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"cordon/internal/testkit"
)

// BenchmarkOnImage is what a job costs on images of 1 to 120 layers, and on the host's
// root, in turns: each of them the same static program in a warm cell. A first job on an
// image is told as well: its layers are mounted for it.
func BenchmarkOnImage(b *testing.B) {
	g := newGallery(b, func(c *Config) { c.Warm, c.WarmMost, c.ImageTemplates = 2, 2, 16 })
	kinds := []string{"host"}
	first := map[string]time.Duration{}
	jobs := map[string]func() *Job{"host": func() *Job {
		j := shell("")
		j.Command = []string{"./tool", "ids"}
		j.Files = []File{{Path: "tool", Mode: 0o755, Data: g.tool}}
		return j
	}}
	for _, n := range []int{1, 10, 50, 120} {
		name := fmt.Sprintf("layers:%d", n)
		var layers [][]byte
		for i := range n - 1 {
			layers = append(layers, testkit.Archive(b, testkit.Regular(fmt.Sprintf("usr/lib/%d/file", i), 0o644, 0, name)))
		}
		g.brings(b, name, nil, layers...)
		kinds = append(kinds, name)
		jobs[name] = func() *Job {
			j := g.on(b, ImageRequest{Name: name}, "default", "")
			j.Command = []string{"./tool", "ids"}
			j.Files = []File{{Path: "tool", Mode: 0o755, Data: g.tool}}
			return j
		}
		// The same program out of the lowest layer: each name is looked for in all of them.
		kinds = append(kinds, "own-"+name)
		jobs["own-"+name] = func() *Job { return g.on(b, ImageRequest{Name: name}, "default", "ids") }
		began := time.Now()
		g.run(b, jobs[name]())
		first[name] = time.Since(began)
	}
	took := map[string][]time.Duration{}
	for b.Loop() {
		for _, k := range kinds {
			j := jobs[k]()
			began := time.Now()
			if r := g.run(b, j); r.Verdict != OK {
				b.Fatalf("%s: %s (%s)", k, r.Verdict, r.Message)
			}
			took[k] = append(took[k], time.Since(began))
		}
	}
	b.ReportMetric(0, "ns/op")
	middle := func(k string) float64 {
		slices.Sort(took[k])
		return float64(took[k][len(took[k])/2])
	}
	for _, k := range kinds {
		b.ReportMetric(middle(k)/1e6, "ms/"+k)
		if k != "host" {
			b.ReportMetric(middle(k)/middle("host"), "ratio/"+k)
			if !strings.HasPrefix(k, "own-") {
				b.ReportMetric(first[k].Seconds()*1000, "first-ms/"+k)
			}
		}
	}
}
