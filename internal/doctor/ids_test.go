package doctor

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
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

// FuzzParseSubids: every line becomes a range that says the same, or the first that
// cannot is named; and what is offered as free overlaps none of them.
func FuzzParseSubids(f *testing.F) {
	for _, text := range []string{"ann:100000:65536\n# x\n\n1000:1:2", "a:1\n", "a:1:2:3", ":1:2\n", "a:-1:2", "a:4294967295:1\n",
		"a:100000:65536\nb:165536:65536\n", " a:007:8 \r\n", "a:0:0\n"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		ranges, err := parseSubids("x", text)
		number, bad := 0, 0
		var want []idRange
		for line := range strings.Lines(text) {
			number++
			line = strings.TrimSpace(line)
			m := regexp.MustCompile(`^([^:]+):([0-9]+):([0-9]+)$`).FindStringSubmatch(line)
			if line == "" || line[0] == '#' {
				continue
			}
			var first, count uint64
			if m != nil {
				first, _ = strconv.ParseUint(m[2], 10, 33) // at the limit where it is too great
				count, _ = strconv.ParseUint(m[3], 10, 33)
			}
			if m == nil || first+count >= 1<<32 {
				bad = number
				break
			}
			want = append(want, idRange{m[1], uint32(first), uint32(count)})
		}
		if bad > 0 {
			if err == nil || !strings.HasPrefix(err.Error(), fmt.Sprintf("x line %d: ", bad)) || ranges != nil {
				t.Fatalf("%q: %v, %v; line %d is wrong", text, ranges, err, bad)
			}
			return
		}
		if err != nil || !slices.Equal(ranges, want) {
			t.Fatalf("%q: %v, %v; want %v", text, ranges, err, want)
		}
		free, ok := freeRange(ranges)
		for _, r := range ranges {
			if ok && r.count > 0 && uint64(r.first) < free+rangeSize && r.end() > free {
				t.Fatalf("%q: %d overlaps %+v", text, free, r)
			}
		}
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
