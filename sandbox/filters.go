package sandbox

import (
	"strings"
	"sync"

	"cordon/policy"
	"cordon/seccomp"
)

// filters compiles each distinct set of rules once: libseccomp takes
// milliseconds, a cell does not.
type filters struct {
	mu       sync.Mutex
	programs map[string]*seccomp.Program
}

func (f *filters) program(rules policy.Seccomp) (*seccomp.Program, error) {
	key := rules.Profile + "+" + strings.Join(rules.Allow, ",") + "-" + strings.Join(rules.Deny, ",")
	f.mu.Lock()
	defer f.mu.Unlock()
	if p := f.programs[key]; p != nil {
		return p, nil
	}
	p, err := seccomp.Compile(seccomp.Rules{Profile: rules.Profile, Allow: rules.Allow, Deny: rules.Deny}, seccomp.Native())
	if err != nil {
		return nil, err
	}
	if f.programs == nil {
		f.programs = map[string]*seccomp.Program{}
	}
	f.programs[key] = p
	return p, nil
}
