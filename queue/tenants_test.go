package queue

import (
	"context"
	"errors"
	"fmt"
	"testing"
)

// TestTenants: each has a part of the queue, keys and pages of its own.
// TestTenantsPart: whatever is configured, one tenant leaves a quarter of the queue to others.
func TestTenantsPart(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Config)
		bytes  int
	}{"jobs": {func(c *Config) { c.MaxJobs = 4 }, 1}, "bytes": {func(c *Config) { c.MaxBytes = 400 }, 100}} {
		q := open(t, inMemory{NewMemory()}, newClock(), c.change)
		try := func(id, tenant string) error {
			_, _, err := q.Submit(t.Context(), Submission{ID: id, Tenant: tenant, Request: make([]byte, c.bytes), Priority: Normal, TTL: 1 << 50})
			return err
		}
		for i := range 4 {
			if err := try(fmt.Sprint("job", i), "a"); errors.Is(err, ErrTenantFull) != (i == 3) || i < 3 && err != nil {
				t.Errorf("%s: job %d: %v", name, i, err)
			}
		}
		if err := try("job4", "b"); err != nil {
			t.Errorf("%s: another tenant: %v", name, err)
		}
		if err := try("job5", ""); !errors.Is(err, ErrFull) {
			t.Errorf("%s: it is full: %v", name, err)
		}
		for i := range 3 {
			if _, err := q.Cancel(t.Context(), fmt.Sprint("job", i)); err != nil {
				t.Fatal(err)
			}
		}
		for i := 6; i < 9; i++ { // the operator's own have all there is
			if err := try(fmt.Sprint("job", i), ""); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		q.close()
	}
}

func TestTenants(t *testing.T) {
	everywhere(t, func(t *testing.T, h home) {
		c := newClock()
		q := open(t, h, c, nil)
		try := func(id, tenant, key string) (Record, bool, error) {
			return q.Submit(t.Context(), Submission{ID: id, Tenant: tenant, Request: []byte("x"), Priority: Normal, TTL: 1 << 50, Key: key, Most: 2})
		}
		for i, who := range []string{"a", "b", "a", ""} {
			if _, created, err := try(fmt.Sprint("job", i), who, "k"+fmt.Sprint(i/2)); err != nil || !created {
				t.Fatalf("%d: %t, %v", i, created, err)
			}
		}
		if _, _, err := try("job4", "a", ""); !errors.Is(err, ErrTenantFull) {
			t.Errorf("a third of two: %v", err)
		}
		if r, created, err := try("job5", "a", "k0"); err != nil || created || r.ID != "job0" {
			t.Errorf("one that is there already: %s, %t, %v", r.ID, created, err)
		}
		if _, created, err := try("job6", "b", "k1"); err != nil || !created { // which a has, and the operator
			t.Errorf("another tenant with the same key: %t, %v", created, err)
		}
		q.close()
		q = open(t, h, c, nil) // all of it is in the journal
		if q.WaitingOf("a") != 2 || q.WaitingOf("b") != 2 || q.WaitingOf("") != 1 || q.WaitingOf("c") != 0 {
			t.Errorf("%d, %d, %d wait", q.WaitingOf("a"), q.WaitingOf("b"), q.WaitingOf(""))
		}
		if page, more := q.ListOf("a", "", "", 1); len(page) != 1 || page[0].ID != "job0" || !more {
			t.Errorf("%v, %t", page, more)
		}
		if page, more := q.ListOf("a", Queued, "job1", 1); len(page) != 1 || page[0].ID != "job2" || more {
			t.Errorf("%v, %t", page, more)
		}
		if page, _ := q.ListOf("", "", "", 9); len(page) != 1 || page[0].ID != "job3" {
			t.Errorf("%v", page)
		}
		if _, err := q.Cancel(t.Context(), "job0"); err != nil {
			t.Fatal(err)
		}
		if c, err := q.Claim(context.Background(), "job1"); err != nil || c == nil {
			t.Fatalf("%+v, %v", c, err)
		}
		if q.WaitingOf("a") != 1 || q.WaitingOf("b") != 1 {
			t.Errorf("%d and %d wait", q.WaitingOf("a"), q.WaitingOf("b"))
		}
		if _, created, err := try("job7", "a", ""); err != nil || !created {
			t.Errorf("there is room again: %t, %v", created, err)
		}
	})
}
