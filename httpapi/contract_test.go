package httpapi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"mime"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/google/jsonschema-go/jsonschema"
)

// contract is openapi.yaml, ready to hold answers against. The schemas are
// checked by a library that has no part in making them.
type contract struct {
	answers map[string]map[string]*jsonschema.Resolved // "POST /v1/run 200" → media type → schema
	known   map[string]bool                            // "POST /v1/run"
	empty   map[string]bool                            // those that declare 204
	paths   map[string]bool
	request *jsonschema.Resolved // body of POST /v1/run
	// submission is that of POST /v1/jobs.
	submission *jsonschema.Resolved
	loose      map[string]any // components/schemas as they are
	problem    *jsonschema.Resolved
	compiled   map[string]*jsonschema.Resolved // by their own text
}

var theContract = sync.OnceValues(func() (*contract, error) {
	text, err := os.ReadFile("openapi.yaml")
	if err != nil {
		return nil, err
	}
	var doc struct {
		Paths map[string]map[string]struct {
			RequestBody *struct{ Content map[string]media }
			Responses   map[string]struct {
				Description string
				Content     map[string]media
			}
		}
		Components struct{ Schemas map[string]any }
	}
	whole, err := yaml.YAMLToJSON(text)
	if err != nil {
		return nil, err
	}
	// A schema on its own finds the others below its $defs.
	whole = bytes.ReplaceAll(whole, []byte("#/components/schemas/"), []byte("#/$defs/"))
	if err := json.Unmarshal(whole, &doc); err != nil {
		return nil, err
	}
	c := &contract{compiled: map[string]*jsonschema.Resolved{}, answers: map[string]map[string]*jsonschema.Resolved{}, known: map[string]bool{}, empty: map[string]bool{}, paths: map[string]bool{}, loose: doc.Components.Schemas}
	if c.problem, err = c.compile(map[string]any{"$ref": "#/$defs/Problem"}); err != nil {
		return nil, err
	}
	for path, methods := range doc.Paths {
		for method, op := range methods {
			name := strings.ToUpper(method) + " " + path
			c.known[name], c.paths[path] = true, true
			for status, r := range op.Responses {
				c.empty[name] = c.empty[name] || status == "204"
				if r.Description == "" || len(r.Content) == 0 && status != "204" && status != "101" {
					return nil, fmt.Errorf("%s %s: no description or no content", name, status)
				}
				for kind, m := range r.Content {
					schema, err := c.compile(m.Schema)
					if err != nil {
						return nil, fmt.Errorf("%s %s: %w", name, status, err)
					}
					if c.answers[name+" "+status] == nil {
						c.answers[name+" "+status] = map[string]*jsonschema.Resolved{}
					}
					c.answers[name+" "+status][kind] = schema
				}
			}
			if op.RequestBody == nil || path == filesPath { // which is of any type
				continue
			}
			if kinds := slices.Collect(maps.Keys(op.RequestBody.Content)); !slices.Equal(kinds, []string{"application/json"}) {
				return nil, fmt.Errorf("%s: takes %v", name, kinds)
			}
			body, err := c.compile(op.RequestBody.Content["application/json"].Schema)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			switch path {
			case runPath:
				c.request = body
			case jobsPath:
				c.submission = body
			}
		}
	}
	return c, nil
})

type media struct{ Schema map[string]any }

// compile takes a good part of a second, and most answers are the same problem.
func (c *contract) compile(schema map[string]any) (*jsonschema.Resolved, error) {
	own, err := json.Marshal(schema)
	if err != nil {
		return nil, err
	}
	if c.compiled[string(own)] == nil {
		if c.compiled[string(own)], err = c.resolve(schema); err != nil {
			return nil, err
		}
	}
	return c.compiled[string(own)], nil
}

func (c *contract) resolve(schema map[string]any) (*jsonschema.Resolved, error) {
	whole := maps.Clone(schema)
	if whole == nil {
		whole = map[string]any{}
	}
	whole["$defs"] = c.loose
	text, err := json.Marshal(whole)
	if err != nil {
		return nil, err
	}
	var s jsonschema.Schema
	if err := json.Unmarshal(text, &s); err != nil {
		return nil, err
	}
	return s.Resolve(nil)
}

func agreed(t testing.TB) *contract {
	t.Helper()
	c, err := theContract()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// templateOf is the path as openapi.yaml has it.
func templateOf(path string) string {
	if sum, ok := strings.CutPrefix(path, "/v1/files/"); ok && sum != "" && !strings.ContainsAny(sum, "/%") {
		return filesPath
	}
	if id, ok := strings.CutPrefix(path, snippetsPath+"/"); ok && id != "" && !strings.ContainsAny(id, "/%") {
		return snippetPath
	}
	if rest, ok := strings.CutPrefix(path, jobsPath+"/"); ok && rest != "" && !strings.Contains(rest, "%") {
		switch id, below, deeper := strings.Cut(rest, "/"); {
		case !deeper:
			return jobPath
		case id != "" && below == "events":
			return eventsPath
		case id != "" && below == "attach":
			return attachPath
		}
	}
	return path
}

// hold checks an answer: its status and media type are declared, its body is
// valid, and the token is nowhere in it.
func hold(t testing.TB, method, path string, r *reply) {
	t.Helper()
	c := agreed(t)
	path, _, _ = strings.Cut(path, "?")
	path = templateOf(path)
	if text := fmt.Sprint(r.header, string(r.body)); strings.Contains(text, canary) {
		t.Errorf("%s %s: the token is in the answer: %s", method, path, text)
	}
	if name := method + " " + path; r.status == http.StatusNoContent && c.known[name] && len(r.body) == 0 {
		if !c.empty[name] {
			t.Errorf("%s: 204 is not declared in openapi.yaml", name)
		}
		return
	}
	kind, _, err := mime.ParseMediaType(r.header.Get("Content-Type"))
	if err != nil {
		t.Errorf("%s %s: Content-Type %q: %v", method, path, r.header.Get("Content-Type"), err)
		return
	}
	as := method
	if method == http.MethodHead && !c.known[method+" "+path] {
		as = http.MethodGet
	}
	schema := c.answers[as+" "+path+" "+strconv.Itoa(r.status)][kind]
	if !c.known[as+" "+path] {
		// No operation: only the refusals that every path has.
		if !slices.Contains([]int{401, 403, 404, 405, 421, 429, 431}, r.status) || kind != "application/problem+json" {
			t.Errorf("%s %s: %d %s is not for a path that does not exist", method, path, r.status, kind)
		}
		schema = c.problem
	}
	if schema == nil {
		t.Errorf("%s %s: %d with %s is not declared in openapi.yaml", method, path, r.status, kind)
		return
	}
	if method == http.MethodHead {
		return
	}
	var body any = string(r.body)
	if strings.HasSuffix(kind, "json") {
		if err := json.Unmarshal(r.body, &body); err != nil {
			t.Errorf("%s %s: %v: %s", method, path, err, r.body)
			return
		}
	}
	if err := schema.Validate(body); err != nil {
		t.Errorf("%s %s %d: the body is not what openapi.yaml says: %v\n%s", method, path, r.status, err, r.body)
	}
	if kind == "application/problem+json" {
		p := r.problem(t)
		if p.Status != r.status || p.Type != "about:blank" || p.Title == "" || p.Detail == "" || statusOf[p.Code] != r.status {
			t.Errorf("%s %s %d: a part of the problem is missing or wrong: %s", method, path, r.status, r.body)
		}
	}
}
