package tenants

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"pgregory.net/rapid"
)

func sumNo(n int) string { return fmt.Sprintf("%064x", n) }

// TestHoldingsModel: whoever puts, gives up, and comes again after a start, everybody has
// what it has put, and nothing else; bytes are counted for each; and the store loses a file
// only when nobody has it.
func TestHoldingsModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp("", "holdings")
		if err != nil {
			rt.Fatal(err)
		}
		defer os.RemoveAll(dir)
		store := map[string]bool{}
		size := func(sum string) (int64, bool) { return int64(len(sum)) + int64(sum[63]), store[sum] }
		h, err := OpenHoldings(dir, size)
		if err != nil {
			rt.Fatal(err)
		}
		people := []string{"a", "b", operator}
		has := map[string]map[string]bool{"a": {}, "b": {}, operator: {}}
		for range rapid.IntRange(1, 40).Draw(rt, "steps") {
			who := rapid.SampledFrom(people).Draw(rt, "who")
			sum := sumNo(rapid.IntRange(0, 3).Draw(rt, "file"))
			n, _ := size(sum)
			switch action := rapid.SampledFrom([]string{"put", "put", "drop", "gone", "start"}).Draw(rt, "action"); {
			case action == "put" && who == operator:
				if err := h.Operator(sum); err != nil {
					rt.Fatal(err)
				}
				store[sum], has[operator][sum] = true, true
			case action == "put":
				created := !store[sum]
				store[sum] = true
				if err := h.Take(who, sum, n, created); err != nil {
					rt.Fatal(err)
				}
				has[who][sum] = true
			case action == "drop" && who != operator:
				err := h.Drop(who, sum, func() error {
					if has["a"][sum] && has["b"][sum] || has[operator][sum] {
						rt.Fatalf("%s goes, and others have it", sum)
					}
					delete(store, sum)
					return nil
				})
				if has[who][sum] != (err == nil) || err != nil && !errors.Is(err, ErrNotHeld) {
					rt.Fatalf("%s gives %s up: %v", who, sum, err)
				}
				delete(has[who], sum)
				if err == nil && store[sum] != (has["a"][sum] || has["b"][sum] || has[operator][sum]) {
					rt.Fatalf("%s in the store: %v", sum, store[sum])
				}
			case action == "gone":
				delete(store, sum)
				h.Gone(sum)
				for _, p := range people {
					delete(has[p], sum)
				}
			case action == "start":
				if h, err = OpenHoldings(dir, size); err != nil {
					rt.Fatal(err)
				}
			}
			for _, p := range []string{"a", "b"} {
				var bytes int64
				for i := range 4 {
					if h.Has(p, sumNo(i)) != has[p][sumNo(i)] {
						rt.Fatalf("%s has %d: %v", p, i, h.Has(p, sumNo(i)))
					}
					if n, _ := size(sumNo(i)); has[p][sumNo(i)] {
						bytes += n
					}
				}
				if h.Bytes(p) != bytes {
					rt.Fatalf("%s has %d bytes, want %d", p, h.Bytes(p), bytes)
				}
			}
		}
	})
}

func TestHoldingsRoom(t *testing.T) {
	h, err := OpenHoldings(filepath.Join(t.TempDir(), "h"), func(string) (int64, bool) { return 0, false })
	if err != nil {
		t.Fatal(err)
	}
	one, two := h.Begin("a", 100), h.Begin("a", 100)
	if err := errors.Join(one.More(60), two.More(40)); err != nil {
		t.Fatal(err)
	}
	if err := two.More(1); !errors.Is(err, ErrNoRoom) {
		t.Errorf("101 of 100 bytes: %v", err)
	}
	if err := h.Begin("b", 100).More(100); err != nil {
		t.Errorf("another tenant: %v", err)
	}
	if err := h.Begin("c", 0).More(1 << 40); err != nil {
		t.Errorf("without a limit: %v", err)
	}
	two.End()
	two.End()
	if err := h.Take("a", sumNo(1), 60, true); err != nil {
		t.Fatal(err)
	}
	one.End()
	if err := h.Begin("a", 100).More(41); !errors.Is(err, ErrNoRoom) || h.Bytes("a") != 60 {
		t.Errorf("%v, %d bytes", err, h.Bytes("a"))
	}
}

func TestHoldingsInUse(t *testing.T) {
	h, err := OpenHoldings(t.TempDir(), func(string) (int64, bool) { return 0, false })
	if err != nil {
		t.Fatal(err)
	}
	for _, who := range []string{"a", "b"} {
		if err := h.Take(who, sumNo(1), 1, who == "a"); err != nil {
			t.Fatal(err)
		}
	}
	done, err := h.Use("a", sumNo(1))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.Use("c", sumNo(1)); !errors.Is(err, ErrNotHeld) {
		t.Errorf("a stranger uses it: %v", err)
	}
	never := func() error { t.Error("it was removed"); return nil }
	if err := h.Drop("b", sumNo(1), never); err != nil {
		t.Errorf("another's use is in the way: %v", err)
	}
	if err := h.Drop("a", sumNo(1), never); !errors.Is(err, ErrUsed) {
		t.Errorf("given up in use: %v", err)
	}
	done()
	done()
	removed := false
	if err := h.Drop("a", sumNo(1), func() error { removed = true; return nil }); err != nil || !removed {
		t.Errorf("%v, removed: %v", err, removed)
	}
}

func TestHoldingsRefused(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "Not A Tenant"), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenHoldings(dir, nil); err == nil {
		t.Error("a stranger's directory is taken")
	}
}
