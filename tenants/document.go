package tenants

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Scope is something that a key may do. docs/api.md has which route wants which.
type Scope string

// The scopes.
const (
	Run       Scope = "run"        // run a job and wait for it
	JobsRead  Scope = "jobs:read"  // look at queued jobs and follow them
	JobsWrite Scope = "jobs:write" // queue and cancel jobs
	Files     Scope = "files"      // keep and read files
	Attach    Scope = "attach"     // talk with a job that runs
	Metrics   Scope = "metrics"    // counters of the whole service, of all tenants
	Doctor    Scope = "doctor"     // what the host offers
	Status    Scope = "status"     // how the whole service is, with the jobs of all tenants
)

// Scopes are all of them.
var Scopes = []Scope{Run, JobsRead, JobsWrite, Files, Attach, Metrics, Doctor, Status}

// DefaultScopes are those of a key for which nothing else is said: all that are about the
// tenant's own jobs.
var DefaultScopes = []Scope{Run, JobsRead, JobsWrite, Files, Attach}

// Document is what the file has.
type Document struct {
	Version int      `json:"version"`
	Tenants []Tenant `json:"tenants"`
}

// Tenant is somebody with jobs of their own.
type Tenant struct {
	Name    string    `json:"name"`
	Created time.Time `json:"created"`
	Limits  Limits    `json:"limits"`
	Keys    []Key     `json:"keys"`
}

// Limits are what a tenant may use. 0, or nothing, is no limit but the service's own.
type Limits struct {
	Concurrency int      `json:"concurrency,omitempty"`          // jobs that run at once
	Rate        float64  `json:"rate,omitempty"`                 // jobs that come in a second
	Burst       int      `json:"burst,omitempty"`                // jobs that may come at once; 0: as rate, at least 1
	Queue       int      `json:"queue,omitempty"`                // jobs that wait in the durable queue
	CPUPerHour  float64  `json:"cpu_seconds_per_hour,omitempty"` // seconds of CPU time within an hour, ending now
	MemoryBytes int64    `json:"memory_bytes,omitempty"`         // memory limits of all jobs that run, together
	StoredBytes int64    `json:"stored_bytes,omitempty"`         // of kept files
	Policies    []string `json:"policies,omitempty"`             // whose jobs it may run; none given: all
}

// Key is one that a tenant has, or had.
type Key struct {
	ID       string    `json:"id"`
	Name     string    `json:"name,omitempty"`
	Scopes   []Scope   `json:"scopes"`
	Created  time.Time `json:"created"`
	Rotated  time.Time `json:"rotated,omitzero"`
	Expires  time.Time `json:"expires,omitzero"`
	Revoked  time.Time `json:"revoked,omitzero"`
	SHA256   string    `json:"sha256"`
	Previous []Old     `json:"previous,omitempty"` // that are still good for a while
}

// Old is a secret that was replaced.
type Old struct {
	SHA256 string    `json:"sha256"`
	Until  time.Time `json:"until"`
}

// What one file may have: enough for anybody, and a bound on labels of metrics and on the
// time of a change.
const (
	documentVersion = 1
	maxTenants      = 1000
	maxKeys         = 100 // of a tenant, those that were revoked included
	maxPrevious     = 8
	maxName         = 64
	maxPolicies     = 100
	maxFileBytes    = 32 << 20
)

// MaxCount is the largest limit that is a number of jobs.
const MaxCount = 1_000_000

// What is less is counted as nothing, and so would be no limit, or no time to wait that can be
// told.
const (
	leastRate = 1e-6
	leastCPU  = 1e-3
)

// CheckName says what is wrong with the name of a tenant. It becomes a label and the name
// of a directory.
func CheckName(name string) error {
	good := name != "" && len(name) <= maxName && name[0] != '-' && name[0] != '.' && name[0] != '_'
	for _, c := range []byte(name) {
		good = good && (c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c == '.')
	}
	if !good {
		return fmt.Errorf("tenant: %q given; up to %d lower-case letters, digits, '-', '_' and '.' are wanted, the first of them a letter or digit", clip(name), maxName)
	}
	return nil
}

// clip keeps an error short whatever was given.
func clip(s string) string {
	if len(s) > 100 {
		return s[:100] + "…"
	}
	return s
}

// Check says what is wrong with a document.
func (d *Document) Check() error {
	if d.Version != documentVersion {
		return fmt.Errorf("version: %d given, %d is what this cordon knows", d.Version, documentVersion)
	}
	if len(d.Tenants) > maxTenants {
		return fmt.Errorf("tenants: %d given, allowed are %d", len(d.Tenants), maxTenants)
	}
	names, ids := map[string]bool{}, map[string]bool{}
	for i := range d.Tenants {
		t := &d.Tenants[i]
		at := fmt.Sprintf("tenants[%d]", i)
		if err := CheckName(t.Name); err != nil {
			return fmt.Errorf("%s.name: %w", at, err)
		}
		if names[t.Name] {
			return fmt.Errorf("%s.name: %q stands twice", at, t.Name)
		}
		names[t.Name] = true
		if err := t.Limits.Check(); err != nil {
			return fmt.Errorf("%s.limits.%w", at, err)
		}
		if len(t.Keys) > maxKeys {
			return fmt.Errorf("%s.keys: %d given, allowed are %d, those that were revoked included", at, len(t.Keys), maxKeys)
		}
		for k := range t.Keys {
			if err := t.Keys[k].check(); err != nil {
				return fmt.Errorf("%s.keys[%d].%w", at, k, err)
			}
			if ids[t.Keys[k].ID] {
				return fmt.Errorf("%s.keys[%d].id: %q stands twice", at, k, t.Keys[k].ID)
			}
			ids[t.Keys[k].ID] = true
		}
	}
	return nil
}

// Check says which limit is wrong.
func (l *Limits) Check() error {
	for _, n := range []struct {
		name  string
		value int
	}{{"concurrency", l.Concurrency}, {"burst", l.Burst}, {"queue", l.Queue}} {
		if n.value < 0 || n.value > MaxCount {
			return fmt.Errorf("%s: %d given, allowed is 1 to %d, or 0 for no limit", n.name, n.value, MaxCount)
		}
	}
	// Not "is less": a NaN is neither.
	if !(l.Rate == 0 || l.Rate >= leastRate && l.Rate <= MaxCount) {
		return fmt.Errorf("rate: %v given, allowed is %v to %d jobs a second, as in 0.5, or 0 for no limit", l.Rate, leastRate, MaxCount)
	}
	if !(l.CPUPerHour == 0 || l.CPUPerHour >= leastCPU && l.CPUPerHour <= 1e9) {
		return fmt.Errorf("cpu_seconds_per_hour: %v given, allowed is %v to 1e9, or 0 for no limit", l.CPUPerHour, leastCPU)
	}
	if l.Rate == 0 && l.Burst > 0 {
		return fmt.Errorf("burst: %d given without rate, to which it belongs", l.Burst)
	}
	for _, n := range []struct {
		name  string
		value int64
	}{{"memory_bytes", l.MemoryBytes}, {"stored_bytes", l.StoredBytes}} {
		if n.value < 0 || n.value > 1<<60 {
			return fmt.Errorf("%s: %d given, allowed is 1 to 2^60, or 0 for no limit", n.name, n.value)
		}
	}
	if len(l.Policies) > maxPolicies {
		return fmt.Errorf("policies: %d given, allowed are %d", len(l.Policies), maxPolicies)
	}
	for i, p := range l.Policies {
		if p == "" || len(p) > maxName || strings.ContainsFunc(p, func(r rune) bool { return r <= ' ' || r > '~' }) || slices.Contains(l.Policies[:i], p) {
			return fmt.Errorf("policies[%d]: %q given; the name of a policy is wanted, each once", i, clip(p))
		}
	}
	return nil
}

func (k *Key) check() error {
	if len(k.ID) != idLength || strings.Trim(k.ID, "abcdefghijklmnopqrstuvwxyz234567") != "" {
		return fmt.Errorf("id: %q given; %d letters of a to z and 2 to 7 are wanted", clip(k.ID), idLength)
	}
	if err := CheckKeyName(k.Name); err != nil {
		return err
	}
	if err := CheckScopes(k.Scopes); err != nil {
		return err
	}
	if !isSum(k.SHA256) {
		return fmt.Errorf("sha256: 64 lower-case hexadecimal digits are wanted")
	}
	if len(k.Previous) > maxPrevious {
		return fmt.Errorf("previous: %d given, allowed are %d", len(k.Previous), maxPrevious)
	}
	for i, p := range k.Previous {
		if !isSum(p.SHA256) || p.Until.IsZero() {
			return fmt.Errorf("previous[%d]: a sha256 of 64 lower-case hexadecimal digits and a time until are wanted", i)
		}
	}
	return nil
}

// CheckKeyName says what is wrong with a key's name, which is for people.
func CheckKeyName(name string) error {
	if len(name) > maxName || strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r > '~' }) {
		return fmt.Errorf("name: %q given; up to %d printable ASCII characters are wanted", clip(name), maxName)
	}
	if keyForm.MatchString(name) {
		return fmt.Errorf("name: it holds a key; a name is shown to everybody who may list keys")
	}
	return nil
}

// CheckScopes says what is wrong with a list of scopes.
func CheckScopes(list []Scope) error {
	if len(list) == 0 {
		return fmt.Errorf("scopes: none given; one at least is wanted of %v", Scopes)
	}
	for i, s := range list {
		if !slices.Contains(Scopes, s) || slices.Contains(list[:i], s) {
			return fmt.Errorf("scopes[%d]: %q given; allowed are %v, each once", i, clip(string(s)), Scopes)
		}
	}
	return nil
}

func isSum(s string) bool {
	return len(s) == 64 && strings.Trim(s, "0123456789abcdef") == ""
}

// State says in a word whether a key is good.
func (k *Key) State(now time.Time) string {
	switch {
	case !k.Revoked.IsZero():
		return "revoked"
	case !k.Expires.IsZero() && !now.Before(k.Expires):
		return "expired"
	}
	return "good"
}
