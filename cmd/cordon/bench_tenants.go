package main

import (
	"context"
	"os"
	"path/filepath"
	"time"

	"cordon/bench"
	"cordon/tenants"
)

// benchTenants makes the two tenants of a flood.
var benchTenants bench.Tenants = func(_ context.Context, _, state string) (flooding, other string, err error) {
	if err := os.MkdirAll(state, 0o700); err != nil {
		return "", "", err
	}
	err = tenants.File(filepath.Join(state, tenants.FileName)).Edit(func(d *tenants.Document) error {
		for name, key := range map[string]*string{"flooding": &flooding, "other": &other} {
			if _, err := d.Set(name, time.Now(), func(*tenants.Limits) error { return nil }); err != nil {
				return err
			}
			if *key, _, err = d.AddKey(name, "", tenants.DefaultScopes, time.Now(), time.Time{}); err != nil {
				return err
			}
		}
		return nil
	})
	return flooding, other, err
}
