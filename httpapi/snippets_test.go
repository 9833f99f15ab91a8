package httpapi

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cordon/store"
	"cordon/tenants"
)

// snippetsOfOne is more than snippetBurst: what one tenant may have in TestSnippets.
const snippetsOfOne = snippetBurst + 10

// withSnippets keeps a little.
func withSnippets(t testing.TB) func(*Config) {
	t.Helper()
	texts, err := store.Open(store.Config{Dir: filepath.Join(t.TempDir(), "snippets"), MaxBytes: 4 * SnippetMax, MaxFiles: 100, MaxFileBytes: SnippetMax})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if s := texts.Stats(); s.PinnedFiles != 0 {
			t.Errorf("%+v", s)
		}
		if err := texts.Close(); err != nil {
			t.Error(err)
		}
	})
	owners, err := tenants.OpenHoldings(t.TempDir(), func(sum string) (int64, bool) {
		info, err := texts.Stat(sum)
		return info.Size, err == nil
	})
	if err != nil {
		t.Fatal(err)
	}
	texts.OnGone(owners.Gone)
	return func(c *Config) {
		c.Snippets = &Snippets{Store: texts, Holdings: owners, Most: SnippetMax, MostOf: snippetsOfOne, TTL: time.Hour}
	}
}

func snippet(content string) string {
	text, _ := json.Marshal(SnippetRequest{content})
	return string(text)
}

// TestSnippets: what one tenant keeps another reads by its id, as it was; nothing is run; each has
// a part of the room, and of the time.
func TestSnippets(t *testing.T) {
	s := startTenants(t, withSnippets(t), "a", "b")
	code := "print('<script>alert(1)</script> ö \x00')\n"
	kept := bodyOf[SnippetResult](t, s.as(t, s.keys["a"], "POST", snippetsPath, snippet(code)), 201)
	if len(kept.ID) != 64 || time.Until(kept.Expires) > time.Hour || time.Until(kept.Expires) < 50*time.Minute {
		t.Errorf("%+v", kept)
	}
	r := s.as(t, s.keys["b"], "GET", snippetsPath+"/"+kept.ID, "")
	if got := bodyOf[Snippet](t, r, 200); got.Content != code || got.ID != kept.ID || r.header.Get("Content-Type") != "application/json" {
		t.Errorf("%+v, %v", got, r.header)
	}
	if again := bodyOf[SnippetResult](t, s.as(t, s.keys["b"], "POST", snippetsPath, snippet(code)), 201); again.ID != kept.ID {
		t.Errorf("%+v", again)
	}
	s.as(t, s.keys["a"], "GET", snippetsPath+"/"+strings.Repeat("0", 64), "").wants(t, CodeUnknownFile, "")
	s.as(t, s.keys["a"], "GET", snippetsPath+"/x", "").wants(t, CodeInvalidField, "id")
	s.as(t, s.keys["a"], "POST", snippetsPath, snippet("")).wants(t, CodeInvalidField, "content")
	s.as(t, s.keys["a"], "POST", snippetsPath, snippet(strings.Repeat("x", SnippetMax+1))).wants(t, CodeTooLarge, "content")
	s.as(t, s.keys["a"], "POST", snippetsPath, `{"content":1}`).wants(t, CodeWrongType, "content")
	s.as(t, s.keys["a"], "POST", snippetsPath, snippet(strings.Repeat("x", SnippetMax))).wants(t, CodeTenantStoreFull, "") // with what it has
	if r := s.send(t, "POST", snippetsPath, strings.NewReader(snippet(strings.Repeat("x", SnippetMax)))); r.status != 201 {
		t.Errorf("control: the operator's: %d %s", r.status, r.body)
	}
	refused := 0
	for i := range snippetBurst + 2 {
		if r := s.as(t, s.keys["b"], "POST", snippetsPath, snippet(strings.Repeat("y", i+1))); r.status == 429 {
			r.wants(t, CodeRateLimited, "")
			refused++
		}
	}
	if refused == 0 {
		t.Error("no bound on how fast they come")
	}
	if s.runner.count() != 0 {
		t.Error("something was run")
	}
	// The file routes do not know them, nor are they jobs' to name.
	s.send(t, "GET", "/v1/files/"+kept.ID, nil).wants(t, CodeUnknownFile, "")
}

func TestNoSnippets(t *testing.T) {
	s := start(t, nil)
	s.send(t, "POST", snippetsPath, strings.NewReader(snippet("x"))).wants(t, CodeNotFound, "")
	s.send(t, "GET", snippetsPath+"/"+strings.Repeat("0", 64), nil).wants(t, CodeNotFound, "")
}

// TestSnippetsOfOneTenant: many small ones do not push out what another one has.
func TestSnippetsOfOneTenant(t *testing.T) {
	with := withSnippets(t)
	s := startTenants(t, func(c *Config) { with(c); c.Snippets.MostOf = 3 }, "a", "b")
	first := bodyOf[SnippetResult](t, s.as(t, s.keys["b"], "POST", snippetsPath, snippet("mine")), 201)
	for _, text := range []string{"1", "2", "3", "3"} {
		bodyOf[SnippetResult](t, s.as(t, s.keys["a"], "POST", snippetsPath, snippet(text)), 201)
	}
	s.as(t, s.keys["a"], "POST", snippetsPath, snippet("4")).wants(t, CodeTenantStoreFull, "")
	bodyOf[SnippetResult](t, s.as(t, s.keys["b"], "POST", snippetsPath, snippet("4")), 201)
	bodyOf[Snippet](t, s.as(t, s.keys["a"], "GET", snippetsPath+"/"+first.ID, ""), 200)
}

// TestSnippetBody: no more is read than a snippet can need, however it is written.
func TestSnippetBody(t *testing.T) {
	s := start(t, withSnippets(t))
	escaped := `{"content":"` + strings.Repeat(`\u0001`, SnippetMax) + `"}`
	if r := s.send(t, "POST", snippetsPath, strings.NewReader(escaped)); r.status != 201 {
		t.Errorf("control: %d %s", r.status, r.body)
	}
	s.send(t, "POST", snippetsPath, strings.NewReader(snippet("x")+strings.Repeat(" ", snippetBody))).wants(t, CodeTooLarge, "")
}
