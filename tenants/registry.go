package tenants

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"slices"
	"sync"
	"time"
)

// Registry answers for the document as it is now. Its methods may be called at once.
type Registry struct {
	now func() time.Time

	mu      sync.RWMutex
	keys    map[string]*holder // by id
	limits  map[string]Limits
	removed map[string]Limits // of tenants that were there: what they have queued runs within these
	names   []string
	changed chan struct{} // closed when there is another document
	broken  error         // why the file that is there now is not followed

	stop func() // of who follows a file
}

// holder is a key with whose it is.
type holder struct {
	tenant string
	key    Key
}

// NewRegistry is one without tenants.
func NewRegistry() *Registry {
	r := &Registry{now: time.Now, stop: func() {}}
	r.Use(&Document{})
	return r
}

// Use takes a document over that was checked.
func (r *Registry) Use(d *Document) {
	keys, limits, names := map[string]*holder{}, map[string]Limits{}, []string{}
	for i := range d.Tenants {
		t := &d.Tenants[i]
		limits[t.Name], names = t.Limits, append(names, t.Name)
		for _, k := range t.Keys {
			keys[k.ID] = &holder{t.Name, k}
		}
	}
	slices.Sort(names)
	r.mu.Lock()
	defer r.mu.Unlock()
	removed := map[string]Limits{}
	for _, before := range []map[string]Limits{r.removed, r.limits} {
		for name, l := range before {
			if _, there := limits[name]; !there {
				removed[name] = l
			}
		}
	}
	r.removed = removed
	r.keys, r.limits, r.names, r.broken = keys, limits, names, nil
	if r.changed != nil {
		close(r.changed)
	}
	r.changed = make(chan struct{})
}

// Caller is who has shown a key.
type Caller struct {
	Tenant  string
	Key     string // its id
	KeyName string
	Scopes  []Scope

	sum   string    // of the secret that was shown
	until time.Time // when that is no good any more; zero: as long as the key
}

// May says whether the caller's key has a scope.
func (c *Caller) May(s Scope) bool { return slices.Contains(c.Scopes, s) }

// Authenticate says who has shown this text. It takes as long for a key that is unknown,
// revoked or expired as for one with a wrong secret.
func (r *Registry) Authenticate(text string) (Caller, bool) {
	given := sha256.Sum256([]byte(text))
	now := r.now()
	r.mu.RLock()
	defer r.mu.RUnlock()
	h := r.keys[idOf(text)]
	known := h != nil
	if !known {
		h = &nobody
	}
	right := same(&given, h.key.SHA256)
	until := h.key.Expires
	for _, old := range h.key.Previous {
		if same(&given, old.SHA256) && now.Before(old.Until) {
			right = true
			if until.IsZero() || old.Until.Before(until) {
				until = old.Until
			}
		}
	}
	if !known || !right || h.key.State(now) != "good" {
		return Caller{}, false
	}
	return Caller{Tenant: h.tenant, Key: h.key.ID, KeyName: h.key.Name, Scopes: h.key.Scopes, sum: hex.EncodeToString(given[:]), until: until}, true
}

// nobody is compared where a key is unknown.
var nobody = holder{key: Key{SHA256: hex.EncodeToString(make([]byte, sha256.Size))}}

func same(given *[sha256.Size]byte, sum string) bool {
	kept, err := hex.DecodeString(sum)
	return err == nil && subtle.ConstantTimeCompare(given[:], kept) == 1
}

// Holds says whether what a caller has shown is still good, and for how long if nothing
// changes; a zero time is no end.
func (r *Registry) Holds(c *Caller) (holds bool, until time.Time) {
	now := r.now()
	r.mu.RLock()
	defer r.mu.RUnlock()
	h := r.keys[c.Key]
	if h == nil || h.tenant != c.Tenant || h.key.State(now) != "good" {
		return false, time.Time{}
	}
	if h.key.SHA256 == c.sum {
		return true, h.key.Expires
	}
	for _, old := range h.key.Previous {
		if old.SHA256 == c.sum && now.Before(old.Until) {
			if !h.key.Expires.IsZero() && h.key.Expires.Before(old.Until) {
				return true, h.key.Expires
			}
			return true, old.Until
		}
	}
	return false, time.Time{}
}

// Changed is closed when there is another document.
func (r *Registry) Changed() <-chan struct{} {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.changed
}

// Limits of a tenant; of one that was removed those that it had, none for one that was not
// there since the start.
func (r *Registry) Limits(name string) Limits {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if l, there := r.limits[name]; there {
		return l
	}
	return r.removed[name]
}

// Has says whether there is a tenant of this name.
func (r *Registry) Has(name string) bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	_, there := r.limits[name]
	return there
}

// Removed says whether there was a tenant of this name since the start, and is none now.
func (r *Registry) Removed(name string) bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	_, was := r.removed[name]
	return was
}

// Names are those of all tenants.
func (r *Registry) Names() []string {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.names
}

// Keys is how many keys are good.
func (r *Registry) Keys() (n int) {
	now := r.now()
	r.mu.RLock()
	defer r.mu.RUnlock()
	for _, h := range r.keys {
		if h.key.State(now) == "good" {
			n++
		}
	}
	return n
}

// Broken says why the file that is there now is not followed; nil when it is.
func (r *Registry) Broken() error {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.broken
}

func (r *Registry) breaks(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.broken = err
}

// Close ends the following of a file.
func (r *Registry) Close() { r.stop() }
