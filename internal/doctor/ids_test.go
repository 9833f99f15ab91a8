package doctor

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// A range that is offered overlaps nobody's and fits below 2^32.
func TestFreeRange(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		taken := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) idRange {
			first := rapid.Uint32Range(0, 2_000_000).Draw(t, "first")
			return idRange{"x", first, rapid.Uint32Range(0, 300_000).Draw(t, "count")}
		}), 0, 12).Draw(t, "taken")
		first, ok := freeRange(taken)
		if !ok || first < rangeFirst || first+rangeSize > 1<<32 {
			t.Fatalf("%d, %v", first, ok)
		}
		for _, r := range taken {
			if r.count > 0 && uint64(r.first) < first+rangeSize && r.end() > first {
				t.Fatalf("%d overlaps %+v", first, r)
			}
		}
	})
}

func TestParseSubids(t *testing.T) {
	for _, text := range []string{"ann:1", ":1:2", "ann:-1:2", "ann:1:x", "ann:4294967295:2", "ann:1:2:3"} {
		if _, err := parseSubids("/etc/subuid", "# ids\n"+text+"\n"); err == nil || !strings.Contains(err.Error(), "line 2") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func FuzzParseSubids(f *testing.F) {
	f.Add("ann:100000:65536\n# x\n\n1000:1:2")
	f.Fuzz(func(t *testing.T, text string) {
		ranges, err := parseSubids("x", text)
		for _, r := range ranges {
			if err == nil && (r.owner == "" || r.end() >= 1<<32) {
				t.Errorf("%q: %+v", text, r)
			}
		}
		freeRange(ranges)
	})
}

func TestOuterID(t *testing.T) {
	if n, err := outerID("         0       1000          1\n 1 100000 65536"); err != nil || n != 1000 {
		t.Errorf("%d, %v", n, err)
	}
	for _, text := range []string{"", "0", "1 2 3", "0 x 1", "0 -1 1"} {
		if _, err := outerID(text); err == nil {
			t.Errorf("%q: accepted", text)
		}
	}
}

func FuzzOuterID(f *testing.F) {
	f.Add("0 1000 1")
	f.Fuzz(func(t *testing.T, text string) {
		if n, err := outerID(text); err == nil && n < 0 {
			t.Errorf("%q: %d", text, n)
		}
	})
}
