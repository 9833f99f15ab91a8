package userns

import (
	"testing"

	"pgregory.net/rapid"
)

// TestSplit: cells and images share no id, lose none that either could have, and a plain
// range holds the ids that an image really has.
func TestSplit(t *testing.T) {
	for _, c := range []struct{ mapped, cells, first, count int }{
		{0, 0, 0, 0}, {4095, 4095, 0, 0}, {4096, 2048, 2049, 2048}, {65536, 32768, 32769, 32768}, {131072, 65536, 65537, 65536}, {1 << 20, 1<<20 - 65536, 1<<20 - 65535, 65536},
	} {
		cells := ForCells(c.mapped)
		first, count := ForImages(c.mapped)
		if cells != c.cells || first != c.first || count != c.count {
			t.Errorf("%d: cells %d, images from %d, %d; want %+v", c.mapped, cells, first, count, c)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		mapped := rapid.IntRange(0, 1<<22).Draw(t, "mapped")
		cells := ForCells(mapped)
		first, count := ForImages(mapped)
		if count > 0 && (first != cells+1 || first+count-1 > mapped) || cells > mapped || count == 0 && cells != mapped {
			t.Fatalf("%d: cells %d, images %d+%d", mapped, cells, first, count)
		}
	})
}
