package cores

import (
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
)

func TestParseNoise(t *testing.T) {
	const stat = "cpu  1 2 3 4 5 6 7 8 9 10\ncpu0 1 2 3 4 5 6 7 99 9 10\n"
	const pressure = "some avg10=0.00 avg60=0.00 avg300=0.00 total=17\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=99\n"
	for name, c := range map[string]struct {
		stat, pressure string
		want           Noise
	}{
		"all":              {stat, pressure, Noise{80e6, 17e3}},
		"no PSI":           {stat, "", Noise{80e6, -1}},
		"an old kernel":    {"cpu  1 2 3 4 5 6 7\n", "", Noise{-1, -1}},
		"no numbers":       {"cpu  1 2 3 4 5 6 7 x 9 10\n", "some total=many\n", Noise{-1, -1}},
		"nothing":          {"", "", Noise{-1, -1}},
		"without its ends": {"cpu 1 2 3 4 5 6 7 8", "some total=17", Noise{80e6, 17e3}},
	} {
		if got := parseNoise([]byte(c.stat), []byte(c.pressure)); got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
	if n, err := ReadNoise(); err != nil || n.StealNanos < 0 {
		t.Errorf("this host: %+v, %v", n, err)
	}
}

func TestSince(t *testing.T) {
	for _, c := range []struct{ now, before, want Noise }{
		{Noise{7, 9}, Noise{5, 4}, Noise{2, 5}},
		{Noise{7, 9}, Noise{5, -1}, Noise{2, -1}},
		{Noise{-1, 9}, Noise{5, 10}, Noise{-1, 0}},
	} {
		if got := c.now.Since(c.before); got != c.want {
			t.Errorf("%+v since %+v: %+v, want %+v", c.now, c.before, got, c.want)
		}
	}
}

// The kernel itself says where a thread may run.
func TestPin(t *testing.T) {
	own, err := Own()
	if err != nil || len(own) == 0 || !slices.IsSorted(own) {
		t.Fatalf("%v, %v", own, err)
	}
	pinned := make(chan struct{})
	go func() {
		defer close(pinned)
		runtime.LockOSThread() // and so the thread ends with this goroutine
		last := own[len(own)-1]
		if err := Pin(0, last); err != nil {
			t.Error(err)
		}
		status, err := os.ReadFile("/proc/thread-self/status")
		if err != nil {
			t.Error(err)
		}
		_, rest, _ := strings.Cut(string(status), "Cpus_allowed_list:")
		line, _, _ := strings.Cut(rest, "\n")
		if got, err := Own(); err != nil || len(got) != 1 || got[0] != last || strings.TrimSpace(line) == "" || strings.ContainsAny(line, ",-") {
			t.Errorf("bound to core %d: %v, %q, %v", last, got, line, err)
		}
		if err := Pin(0, 1023); err == nil && !slices.Contains(own, 1023) {
			t.Error("bound to a core that is not there")
		}
	}()
	<-pinned
}

func TestParseModel(t *testing.T) {
	for name, c := range map[string]struct {
		text, model string
		virtual     bool
	}{
		"virtual": {"processor\t: 0\nmodel name\t: Some Chip @ 3 GHz\nflags\t\t: fpu hypervisor vme\n\nprocessor\t: 1\nmodel name\t: Other\n", "Some Chip @ 3 GHz", true},
		"bare":    {"model name\t: Some Chip\nflags\t\t: fpu hypervisors\n", "Some Chip", false},
		"arm":     {"processor\t: 0\nFeatures\t: fp asimd\nCPU implementer\t: 0x41\n", runtime.GOARCH, false},
		"nothing": {"", runtime.GOARCH, false},
	} {
		if model, virtual := parseModel(c.text); model != c.model || virtual != c.virtual {
			t.Errorf("%s: %q, %t", name, model, virtual)
		}
	}
}
