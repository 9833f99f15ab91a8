package tenants

import (
	"fmt"
	"slices"
	"time"
)

// Find gives a tenant.
func (d *Document) Find(name string) (*Tenant, error) {
	for i := range d.Tenants {
		if d.Tenants[i].Name == name {
			return &d.Tenants[i], nil
		}
	}
	return nil, fmt.Errorf("there is no tenant %q; cordon tenant set %s makes it", clip(name), clip(name))
}

// Set makes a tenant, where there is none of this name, and changes its limits.
func (d *Document) Set(name string, now time.Time, change func(*Limits) error) (created bool, err error) {
	if err := CheckName(name); err != nil {
		return false, err
	}
	t, err := d.Find(name)
	if err != nil {
		d.Tenants = append(d.Tenants, Tenant{Name: name, Created: stampTime(now)})
		t, created = &d.Tenants[len(d.Tenants)-1], true
	}
	if err := change(&t.Limits); err != nil {
		return created, err
	}
	return created, t.Limits.Check()
}

// Remove takes a tenant away, with its keys.
func (d *Document) Remove(name string) error {
	if _, err := d.Find(name); err != nil {
		return err
	}
	d.Tenants = slices.DeleteFunc(d.Tenants, func(t Tenant) bool { return t.Name == name })
	return nil
}

// stampTime is a time as the file has it.
func stampTime(t time.Time) time.Time { return t.UTC().Truncate(time.Second) }

// AddKey makes a key. The text is shown once and kept nowhere.
func (d *Document) AddKey(tenant, name string, scopes []Scope, now, expires time.Time) (text string, k Key, err error) {
	t, err := d.Find(tenant)
	if err != nil {
		return "", k, err
	}
	if len(t.Keys) >= maxKeys { // those that are no good any more go first
		t.Keys = slices.DeleteFunc(t.Keys, func(k Key) bool { return k.State(now) != "good" })
	}
	k = Key{ID: newID(), Name: name, Scopes: scopes, Created: stampTime(now)}
	if !expires.IsZero() {
		k.Expires = stampTime(expires)
	}
	text, k.SHA256 = newKey(k.ID)
	if err := k.check(); err != nil {
		return "", k, err
	}
	t.Keys = append(t.Keys, k)
	return text, k, nil
}

// FindKey gives a key and whose it is.
func (d *Document) FindKey(id string) (*Tenant, *Key, error) {
	for i := range d.Tenants {
		for k := range d.Tenants[i].Keys {
			if d.Tenants[i].Keys[k].ID == id {
				return &d.Tenants[i], &d.Tenants[i].Keys[k], nil
			}
		}
	}
	if idOf(id) != "" {
		return nil, nil, fmt.Errorf("a whole key is given, which is now in this terminal's history: give its id, %s", idOf(id))
	}
	return nil, nil, fmt.Errorf("there is no key %q; cordon key list has those there are", clip(id))
}

// Revoke ends a key for good, with all its secrets. Done again it changes nothing.
func (d *Document) Revoke(id string, now time.Time) (Key, error) {
	_, k, err := d.FindKey(id)
	if err != nil {
		return Key{}, err
	}
	if k.Revoked.IsZero() {
		k.Revoked = stampTime(now)
	}
	k.Previous = nil
	return *k, nil
}

// Rotate gives a key a new secret. The one it has, and earlier ones, stay good for overlap at
// most.
func (d *Document) Rotate(id string, now time.Time, overlap time.Duration) (text string, of Key, err error) {
	_, k, err := d.FindKey(id)
	if err != nil {
		return "", of, err
	}
	if state := k.State(now); state != "good" {
		return "", *k, fmt.Errorf("key %s is %s; make another with cordon key add", id, state)
	}
	end := stampTime(now.Add(overlap).Add(time.Second - 1))
	k.Previous = slices.DeleteFunc(k.Previous, func(o Old) bool { return overlap == 0 || !now.Before(o.Until) })
	for i := range k.Previous {
		if end.Before(k.Previous[i].Until) {
			k.Previous[i].Until = end
		}
	}
	if overlap > 0 {
		k.Previous = append(k.Previous, Old{k.SHA256, end})
	}
	if len(k.Previous) > maxPrevious {
		return "", *k, fmt.Errorf("key %s has %d earlier secrets that are good still; revoke it, or wait until %v", id, maxPrevious, k.Previous[0].Until)
	}
	k.Rotated = stampTime(now)
	text, k.SHA256 = newKey(id)
	return text, *k, nil
}
