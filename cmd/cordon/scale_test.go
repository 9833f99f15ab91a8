package main

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// The scale is the same by its flag, its variable and its key, however it is written there.
func TestCPUScale(t *testing.T) {
	t.Setenv("HOME", t.TempDir())
	if c, err := load(t); err != nil || c.CPUScale != "1" {
		t.Fatalf("%q, %v", c.CPUScale, err)
	}
	file := filepath.Join(t.TempDir(), "c.yaml")
	for text, want := range map[string]float64{"0.1": 0.1, "1": 1, "1.0": 1, "1.20": 1.2, "2.5": 2.5, "10": 10, "10.000": 10} {
		check := func(how string, args ...string) {
			t.Helper()
			c, err := load(t, args...)
			if err != nil {
				t.Errorf("%s %s: %v", how, text, err)
				return
			}
			if got, err := c.cpuScale(); err != nil || got != want {
				t.Errorf("%s %s: %v, %v", how, text, got, err)
			}
		}
		check("flag", "--cpu-scale", text)
		for _, quote := range []string{"", "'"} {
			if err := os.WriteFile(file, fmt.Appendf(nil, "cpu-scale: %s%s%s\n", quote, text, quote), 0o600); err != nil {
				t.Fatal(err)
			}
			check("key", "--config", file)
		}
		t.Run("variable "+text, func(t *testing.T) {
			t.Setenv("CORDON_CPU_SCALE", text)
			check("variable")
		})
	}
	for _, text := range []string{"", " 1", "+1", "1.", ".5", "1_0", "Inf", "NaN", "0.09", "11", "1e1", "0x1", "1/2", "2x"} {
		if _, err := load(t, "--cpu-scale", text); err == nil {
			t.Errorf("%q was taken", text)
		}
	}
}
