package main

import (
	"errors"
	"strings"
	"testing"
)

func TestLeast(t *testing.T) {
	for _, tt := range []struct{ guess, most, need, want int64 }{
		{10, 2048, 1, 1}, {10, 2048, 7, 7}, {10, 2048, 10, 10}, {10, 2048, 11, 11}, {1, 2048, 2000, 2000}, {0, 512, 1, 1}, {100, 128, 128, 128},
	} {
		got, err := least(tt.guess, tt.most, func(v int64) (bool, error) { return v >= tt.need, nil })
		if got != tt.want || err != nil {
			t.Errorf("%+v: %d, %v", tt, got, err)
		}
	}
	if got, err := least(1, 512, func(int64) (bool, error) { return false, nil }); err == nil {
		t.Errorf("never enough: %d", got)
	}
	gone := errors.New("gone")
	if _, err := least(1, 512, func(int64) (bool, error) { return false, gone }); !errors.Is(err, gone) {
		t.Errorf("%v", err)
	}
	if _, err := least(8, 512, func(v int64) (bool, error) {
		if v < 8 {
			return false, gone
		}
		return true, nil
	}); !errors.Is(err, gone) {
		t.Errorf("%v", err)
	}
}

func TestWithMinimum(t *testing.T) {
	const file = "id: x\nrun:\n  command: [x]\nversions:\n  - id: x-1\n    words: {a: b}\n  - id: x-2\n    words: {a: c}\n"
	m := &minimum{language: language{ID: "x"}, run: need{memoryMiB: 3, pids: 1}}
	once := withMinimum(file, m)
	if want := "id: x\nrun:\n  command: [x]\nminimum: {run: {memory_mib: 3, pids: 1}}\nversions:\n  - id: x-1\n    words: {a: b}\n  - id: x-2\n    words: {a: c}\n"; once != want {
		t.Errorf("%s", once)
	}
	m.run.pids = 2
	m.build = &need{memoryMiB: 9, pids: 4}
	if want := "id: x\nrun:\n  command: [x]\nminimum: {build: {memory_mib: 9, pids: 4}, run: {memory_mib: 3, pids: 2}}\n"; !strings.HasPrefix(withMinimum(once, m), want) {
		t.Errorf("%s", withMinimum(once, m))
	}
	m.language = language{ID: "x-2", Family: "x"}
	m.build = nil
	want := once + "    minimum: {run: {memory_mib: 3, pids: 2}}\n"
	if got := withMinimum(once, m); got != want || withMinimum(got, m) != want {
		t.Errorf("%s", got)
	}
}

func TestWithRow(t *testing.T) {
	m := &minimum{language: language{ID: "b", Version: "1.0"}, run: need{memoryMiB: 3, pids: 1, cpuNanos: 2.6e6}}
	const row = "| `b` | 1.0 | – | – | – | 3 MiB | 1 | 3 ms |\n"
	for _, tt := range []struct{ rows, want string }{
		{"", row},
		{"| `a` | x |\n| `b-1` | x |\n| `c` | x |\n", "| `a` | x |\n| `b-1` | x |\n" + row + "| `c` | x |\n"},
		{"| `b` | old |\n", row},
	} {
		for _, end := range []string{"", "\nMore | text.\n"} {
			got, err := withRow("Text.\n\n"+tableHead+tt.rows+end, m)
			if want := "Text.\n\n" + tableHead + tt.want + end; got != want || err != nil {
				t.Errorf("%q became %q, %v; want %q", tt.rows, got, err, want)
			}
		}
	}
	if _, err := withRow("no table", m); err == nil {
		t.Error("no table, no error")
	}
}
