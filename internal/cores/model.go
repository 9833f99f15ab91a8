package cores

import (
	"os"
	"runtime"
	"slices"
	"strings"
)

// Model is what the processors call themselves, or their architecture where they do not
// tell; virtual: they say that there is a hypervisor below, which not every one does.
func Model() (name string, virtual bool) {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return runtime.GOARCH, false
	}
	return parseModel(string(text))
}

func parseModel(cpuinfo string) (name string, virtual bool) {
	name = runtime.GOARCH
	first, _, _ := strings.Cut(cpuinfo, "\n\n") // one paragraph for each processor
	for line := range strings.Lines(first) {
		key, value, _ := strings.Cut(line, ":")
		switch value = strings.TrimSpace(value); strings.TrimSpace(key) {
		case "model name":
			name = value
		case "flags":
			virtual = slices.Contains(strings.Fields(value), "hypervisor")
		}
	}
	return name, virtual
}
