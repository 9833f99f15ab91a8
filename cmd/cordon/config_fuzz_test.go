package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

// FuzzDecodeConfig: what is refused names the file, and is no setting; what is taken
// means the same when it was written and read again; and what passes the check has
// a place to listen at and a bound on everything, or the error names the setting.
func FuzzDecodeConfig(f *testing.F) {
	for _, text := range []string{
		"listen: 127.0.0.1:9000\nparallel: 8\n", "a: !!binary |\n  %\n", "queue: 0\nwarm: 4096\ndrain: 1h\n", "parallel: 0\n",
		"socket: /run/cordon/api\nlisten: \"\"\nstate: state\n", "listen: ''\n", "drain: -1s\n", "queue: 1\n---\nqueue: 2\n", "{}", "# none\n",
		"languages: 'c, python'\ngo-cache: off\n", "cpu-scale: 1.20\n", "cpu-scale: 0x2\n", "cpu-scale: .5\n", "parallel: 0x10\nqueue: 1_000\n", "queue: 99999999999999999999\n", "parallel: &p 3\nqueue: *p\n",
	} {
		f.Add([]byte(text))
	}
	f.Setenv("HOME", "/home/fuzz")
	f.Fuzz(func(t *testing.T, text []byte) {
		c := defaultConfig()
		if err := decodeConfig("x.yaml", text, &c); err != nil {
			if !strings.HasPrefix(err.Error(), "config x.yaml: ") || len(err.Error()) < len("config x.yaml: ")+3 {
				t.Errorf("%q: %v", text, err)
			}
			return
		}
		again, err := yaml.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		back := defaultConfig()
		if err := decodeConfig("again", again, &back); err != nil || back != c {
			t.Errorf("%q is %+v, and became %q, which is %+v: %v", text, c, again, back, err)
		}
		checked := c
		if err := checked.check(); err != nil {
			named := func(o option) bool { return strings.HasPrefix(err.Error(), o.flag) }
			if !slices.ContainsFunc(options, named) {
				t.Errorf("%q: the error names no setting: %v", text, err)
			}
			return
		}
		if scale, err := checked.cpuScale(); err != nil || !(scale >= leastScale && scale <= mostScale) {
			t.Errorf("%q: scale %v, %v", text, scale, err)
		}
		drain, err := checked.drain()
		if checked.Listen == "" && checked.Socket == "" || !strings.HasPrefix(checked.State, "/") || checked.GoCache == "" || err != nil || drain < 0 ||
			checked.Parallel < 1 || checked.Parallel > 4096 || min(checked.Queue, checked.Warm) < 0 || max(checked.Queue, checked.Warm) > 4096 {
			t.Errorf("%q: passed as %+v", text, checked)
		}
	})
}
