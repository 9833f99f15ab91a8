package tenants

import (
	"regexp"
	"strings"
	"testing"
	"time"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

// withKeys is a document with a tenant of each name, and the text of a key for each.
func withKeys(t testing.TB, names ...string) (*Document, []string) {
	t.Helper()
	d := &Document{Version: 1}
	var texts []string
	for _, name := range names {
		if _, err := d.Set(name, noon, func(*Limits) error { return nil }); err != nil {
			t.Fatal(err)
		}
		text, _, err := d.AddKey(name, "", DefaultScopes, noon, time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, text)
	}
	return d, texts
}

func TestKeyForm(t *testing.T) {
	seen := map[string]bool{}
	whole := regexp.MustCompile(`^cordon_[a-z2-7]{10}_[a-z2-7]{39}$`)
	for range 200 {
		id := newID()
		text, sum := newKey(id)
		if !whole.MatchString(text) || idOf(text) != id || !isSum(sum) || seen[text] || seen[id] {
			t.Fatalf("%q of %q, read as %q", text, id, idOf(text))
		}
		seen[text], seen[id] = true, true
		// One letter that is another, anywhere, and it is no key.
		for _, i := range []int{0, 8, 20, len(text) - 1} {
			other := []byte(text)
			if other[i] = 'a'; text[i] == 'a' {
				other[i] = 'b'
			}
			if idOf(string(other)) != "" {
				t.Errorf("%q passes for %q", other, text)
			}
		}
	}
	for _, text := range []string{"", "cordon_", "x", strings.Repeat("a", 57), "cordon_" + strings.Repeat("a", 50), "cordon_" + strings.Repeat("_", 50)} {
		if idOf(text) != "" {
			t.Errorf("%q has the id %q", text, idOf(text))
		}
	}
}

func TestConceal(t *testing.T) {
	text, _ := newKey(newID())
	for given, want := range map[string]string{"": "", "/v1/run": "/v1/run", "/" + text: "/[key]", "a " + text + " b" + text: "a [key] b[key]", "cordon_x": "cordon_x"} {
		if got := Conceal(given); got != want {
			t.Errorf("%q became %q", given, got)
		}
	}
}

// registry is one with a document, at noon.
func registry(d *Document) (*Registry, *time.Time) {
	r, now := NewRegistry(), noon
	r.now = func() time.Time { return now }
	r.Use(d)
	return r, &now
}

func TestAuthenticate(t *testing.T) {
	d, keys := withKeys(t, "one", "two")
	r, _ := registry(d)
	for i, tenant := range []string{"one", "two"} {
		c, known := r.Authenticate(keys[i])
		if !known || c.Tenant != tenant || c.Key != idOf(keys[i]) || !c.May(Run) || c.May(Metrics) {
			t.Errorf("%v %+v", known, c)
		}
	}
	// The secret of one under the id of the other, with a right checksum.
	body := keys[0][:len("cordon_")+idLength+1] + keys[1][len("cordon_")+idLength+1:len(keys[1])-checkText]
	unknown, _ := newKey(newID())
	for name, text := range map[string]string{"empty": "", "mixed": body + checksum(body), "unknown": unknown, "cut": keys[0][:56], "longer": keys[0] + "a",
		"capitals": strings.ToUpper(keys[0]), "id alone": idOf(keys[0]), "hash": d.Tenants[0].Keys[0].SHA256} {
		if c, known := r.Authenticate(text); known || c.Tenant != "" {
			t.Errorf("%s: %v %+v", name, known, c)
		}
	}
}

func TestKeyEnds(t *testing.T) {
	d, keys := withKeys(t, "one")
	id := idOf(keys[0])
	d.Tenants[0].Keys[0].Expires = noon.Add(time.Hour)
	r, now := registry(d)
	first, known := r.Authenticate(keys[0])
	if holds, until := r.Holds(&first); !known || !holds || !until.Equal(noon.Add(time.Hour)) {
		t.Fatalf("%v %v %v", known, holds, until)
	}
	// Rotated: both are good, the earlier one until the overlap ends.
	second, _, err := d.Rotate(id, noon, 30*time.Minute)
	if err != nil || second == keys[0] || idOf(second) != id {
		t.Fatal(second, err)
	}
	changed := r.Changed()
	r.Use(d)
	<-changed
	for _, text := range []string{keys[0], second} {
		if _, known := r.Authenticate(text); !known {
			t.Errorf("%s is not good in the overlap", text)
		}
	}
	if holds, until := r.Holds(&first); !holds || !until.Equal(noon.Add(30*time.Minute)) {
		t.Errorf("%v %v", holds, until)
	}
	*now = noon.Add(31 * time.Minute)
	if _, known := r.Authenticate(keys[0]); known {
		t.Error("an earlier secret is good behind the overlap")
	}
	if holds, _ := r.Holds(&first); holds {
		t.Error("it still holds")
	}
	c, known := r.Authenticate(second)
	if !known {
		t.Fatal("control: the new secret is not good")
	}
	*now = noon.Add(time.Hour)
	if _, known := r.Authenticate(second); known {
		t.Error("an expired key is good")
	}
	if _, _, err := d.Rotate(id, *now, 0); err == nil {
		t.Error("an expired key was rotated")
	}
	*now = noon.Add(32 * time.Minute)
	if _, err := d.Revoke(id, *now); err != nil {
		t.Fatal(err)
	}
	r.Use(d)
	if holds, _ := r.Holds(&c); holds {
		t.Error("a revoked key holds")
	}
	for _, text := range []string{keys[0], second} {
		if _, known := r.Authenticate(text); known {
			t.Error("a revoked key is good")
		}
	}
	if r.Keys() != 0 || !r.Has("one") || r.Has("two") {
		t.Errorf("%d keys", r.Keys())
	}
}

func TestRotateWithoutOverlap(t *testing.T) {
	d, keys := withKeys(t, "one")
	for range maxPrevious + 2 { // secrets that are no good are not kept
		if _, _, err := d.Rotate(idOf(keys[0]), noon, 0); err != nil {
			t.Fatal(err)
		}
	}
	r, _ := registry(d)
	if _, known := r.Authenticate(keys[0]); known || len(d.Tenants[0].Keys[0].Previous) != 0 {
		t.Error("an earlier secret is good")
	}
	for i := range maxPrevious + 1 {
		_, _, err := d.Rotate(idOf(keys[0]), noon, time.Hour)
		if (err != nil) != (i == maxPrevious) {
			t.Errorf("rotation %d: %v", i, err)
		}
	}
}

// Whoever has a key's secret replaced without an overlap is rid of all that it had before.
func TestRotateEndsAllEarlier(t *testing.T) {
	d, r, now := &Document{Version: documentVersion}, NewRegistry(), time.Now()
	if _, err := d.Set("a", now, func(*Limits) error { return nil }); err != nil {
		t.Fatal(err)
	}
	first, k, err := d.AddKey("a", "", DefaultScopes, now, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	second, _, err := d.Rotate(k.ID, now, 24*time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	r.Use(d)
	if _, good := r.Authenticate(first); !good {
		t.Fatal("control: the first is not good within its overlap")
	}
	third, _, err := d.Rotate(k.ID, now, 0)
	if err != nil {
		t.Fatal(err)
	}
	r.Use(d)
	for text, want := range map[string]bool{first: false, second: false, third: true} {
		if _, good := r.Authenticate(text); good != want {
			t.Errorf("good is %t, want %t (first %t, second %t)", good, want, text == first, text == second)
		}
	}
}
