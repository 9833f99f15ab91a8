package tenants

import (
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"
)

const goodKey = `{"id":"abcdefghij","scopes":["run"],"created":"2026-01-02T12:00:00Z","sha256":"0000000000000000000000000000000000000000000000000000000000000000"}`

func documentWith(limits, keys string) string {
	return `{"version":1,"tenants":[{"name":"a","created":"2026-01-02T12:00:00Z","limits":` + limits + `,"keys":[` + keys + `]}]}`
}

func TestDecode(t *testing.T) {
	full := documentWith(`{"concurrency":1,"rate":0.5,"burst":2,"queue":3,"cpu_seconds_per_hour":4.5,"memory_bytes":5,"stored_bytes":6,"policies":["judge"]}`, goodKey)
	d, err := Decode([]byte(full))
	if err != nil {
		t.Fatal(err)
	}
	want := Limits{1, 0.5, 2, 3, 4.5, 5, 6, []string{"judge"}}
	if !reflect.DeepEqual(d.Tenants[0].Limits, want) || d.Tenants[0].Keys[0].ID != "abcdefghij" {
		t.Errorf("%+v", d)
	}
	text, err := encode(d)
	if err != nil {
		t.Fatal(err)
	}
	again, err := Decode(text)
	if err != nil || !reflect.DeepEqual(again, d) {
		t.Errorf("%v: %s", err, text)
	}
	for name, c := range map[string]struct{ text, says string }{
		"empty":             {"", "empty"},
		"no object":         {"[]", "array"},
		"null":              {"null", "null"},
		"version":           {`{"version":2,"tenants":[]}`, "version: 2"},
		"no version":        {`{"tenants":[]}`, "version: 0"},
		"unknown":           {`{"version":1,"tenants":[],"x":1}`, "x"},
		"other letters":     {`{"Version":1,"tenants":[]}`, "Version"},
		"twice":             {`{"version":1,"version":1,"tenants":[]}`, "duplicate"},
		"behind":            {`{"version":1,"tenants":[]} {}`, "behind"},
		"limit of null":     {documentWith(`{"concurrency":null}`, ""), "null"},
		"limit of text":     {documentWith(`{"concurrency":"1"}`, ""), "string"},
		"limit below 0":     {documentWith(`{"concurrency":-1}`, ""), "tenants[0].limits.concurrency: -1"},
		"unknown limit":     {documentWith(`{"concurency":1}`, ""), "concurency"},
		"fraction":          {documentWith(`{"queue":1.5}`, ""), "1.5"},
		"burst alone":       {documentWith(`{"burst":1}`, ""), "burst: 1"},
		"rate":              {documentWith(`{"rate":-1}`, ""), "rate: -1"},
		"policy twice":      {documentWith(`{"policies":["a","a"]}`, ""), "policies[1]"},
		"key twice":         {documentWith(`{}`, goodKey+","+goodKey), "keys[1].id"},
		"scope":             {documentWith(`{}`, strings.Replace(goodKey, `"run"`, `"root"`, 1)), "scopes[0]"},
		"no scope":          {documentWith(`{}`, strings.Replace(goodKey, `"run"`, ``, 1)), "scopes: none"},
		"hash":              {documentWith(`{}`, strings.Replace(goodKey, "0000", "ZZZZ", 1)), "sha256"},
		"id":                {documentWith(`{}`, strings.Replace(goodKey, "abcdefghij", "abcdefghi/", 1)), "keys[0].id"},
		"time":              {documentWith(`{}`, strings.Replace(goodKey, "2026-01", "2026-13", 1)), "2026-13"},
		"tenant twice":      {strings.Replace(documentWith(`{}`, ""), `}]}`, `},{"name":"a","created":"2026-01-02T12:00:00Z","limits":{},"keys":[]}]}`, 1), "twice"},
		"name with a slash": {strings.Replace(documentWith(`{}`, ""), `"a"`, `"../a"`, 1), "tenants[0].name"},
		"name of dots":      {strings.Replace(documentWith(`{}`, ""), `"a"`, `".."`, 1), "tenants[0].name"},
		"the operator":      {strings.Replace(documentWith(`{}`, ""), `"a"`, `"_operator"`, 1), "tenants[0].name"},
		"no name":           {strings.Replace(documentWith(`{}`, ""), `"a"`, `""`, 1), "tenants[0].name"},
		"not UTF-8":         {"{\"version\":1,\"tenants\":[],\"\xff\":1}", "UTF-8"},
	} {
		if d, err := Decode([]byte(c.text)); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %+v, %v; want %q", name, d, err, c.says)
		}
	}
	for _, l := range []Limits{{Rate: math.NaN()}, {CPUPerHour: math.Inf(1)}, {StoredBytes: -1}, {MemoryBytes: 1 << 61}, {Queue: MaxCount + 1}} {
		if l.Check() == nil {
			t.Errorf("%+v is taken", l)
		}
	}
	if err := CheckKeyName(func() string { text, _ := newKey(newID()); return text }()); err == nil {
		t.Error("a key is taken as a name")
	}
}

// FuzzDecode: what is taken is good, can be written, and is the same when it is read again.
func FuzzDecode(f *testing.F) {
	f.Add([]byte(documentWith(`{"rate":1}`, goodKey)))
	f.Add([]byte(`{"version":1,"tenants":[]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		d, err := Decode(text)
		if err != nil {
			return
		}
		if err := d.Check(); err != nil {
			t.Fatalf("taken, and then: %v", err)
		}
		for i := range d.Tenants {
			if name := d.Tenants[i].Name; strings.ContainsAny(name, "/\x00") || name == "." || name == ".." || name == operator {
				t.Fatalf("the name %q", name)
			}
		}
		written, err := encode(d)
		if err != nil {
			t.Fatal(err)
		}
		again, err := Decode(written)
		if err != nil {
			t.Fatalf("%v: %s", err, written)
		}
		rewritten, err := encode(again)
		if err != nil || string(rewritten) != string(written) {
			t.Fatalf("%v: %s, then %s", err, written, rewritten)
		}
	})
}

// FuzzUsage: a file of charges is read without harm, and what counts is never negative.
func FuzzUsage(f *testing.F) {
	f.Add([]byte(`{"a":{"1":5}}`))
	f.Add(fmt.Appendf(nil, `{"a":{"%d":5,"%d":9223372036854775807}}`, noon.Unix()/60, noon.Unix()/60-1))
	f.Fuzz(func(t *testing.T, text []byte) {
		m, _ := meter()
		if m.take(text) != nil {
			return
		}
		for name := range m.tenants {
			if CheckName(name) != nil || m.Used(name) < 0 {
				t.Fatalf("%q has used %v", name, m.Used(name))
			}
			if wait := m.Rest(name, &Limits{CPUPerHour: 1}); wait < 0 || wait > cpuSlots*slot {
				t.Fatalf("wait for %v", wait)
			}
		}
	})
}
