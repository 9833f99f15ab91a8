package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"cordon/calibrate"
	"cordon/internal/cores"
)

// calibrateCLI runs `cordon calibrate`.
func calibrateCLI(t *testing.T, args ...string) (out, problems string, err error) {
	t.Helper()
	cmd := newCalibrateCommand()
	cmd.SilenceUsage, cmd.SilenceErrors = true, true
	var o, e bytes.Buffer
	cmd.SetOut(&o)
	cmd.SetErr(&e)
	cmd.SetArgs(args)
	err = cmd.Execute()
	return o.String(), e.String(), err
}

// What it measures here is a scale that the service takes.
func TestCalibrate(t *testing.T) {
	file := filepath.Join(t.TempDir(), "scale.yaml")
	out, _, err := calibrateCLI(t, "--seconds", "0.1", "--all-cores", "--json", "--force", "--write", file)
	if err != nil {
		t.Fatal(err)
	}
	var r calibrate.Report
	decoder := json.NewDecoder(strings.NewReader(out))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&r); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	own, err := cores.Own()
	if err != nil {
		t.Fatal(err)
	}
	logs := 0.0
	for _, k := range r.Kernels {
		logs -= math.Log(k.Speed) / 3
	}
	if len(r.Kernels) != 3 || len(r.Cores) != len(own) || math.Abs(math.Exp(logs)/r.Scale-1) > 1e-9 || time.Since(r.Date) > time.Hour || r.TooNoisy == nil {
		t.Errorf("%s", out)
	}
	t.Setenv("HOME", t.TempDir())
	c, err := load(t, "--config", file)
	if err != nil {
		t.Fatal(err)
	}
	if scale, err := c.cpuScale(); err != nil || math.Abs(scale-r.Scale) > 0.0051 {
		t.Errorf("the file says %v, the report %v; %v", scale, r.Scale, err)
	}
	out, problems, err := calibrateCLI(t, "--seconds", "0.1", "--core", fmt.Sprint(own[0]), "--force")
	if err != nil || problems != "" {
		t.Fatalf("%v, %s", err, problems)
	}
	wantAll(t, out, "machine:", "reference: "+calibrate.Reference, "MEDIAN MS", "5 % TO 95 %", "integer", "float", "memory", fmt.Sprintf("core %d: scale ", own[0]), "between cores: 0.0 %", "times as long as on the reference")
}

// A host that is too noisy is shown, told of, and its scale not written but by force.
func TestCalibrateTooNoisy(t *testing.T) {
	r := &calibrate.Report{Scale: 1.234, Date: time.Unix(1e9, 0).UTC(), Reference: calibrate.Reference, Machine: calibrate.Machine{Processor: "Chip", Processors: 8, Kernel: "7.1"},
		Kernels: []calibrate.Kernel{{Name: "integer", MedianMillis: 30, Spread: 0.2, Speed: 0.8}}, Cores: []calibrate.Core{{Core: 5, Scale: 1.234}},
		Noise: calibrate.Noise{Steal: -1, Pressure: 0.07}, TooNoisy: []string{"reasons enough"}}
	for _, c := range []struct {
		name         string
		noisy, force bool
		json         bool
		err          error
		written      bool
	}{
		{"quiet", false, false, false, nil, true},
		{"noisy", true, false, false, tooNoisy, false},
		{"noisy, JSON", true, false, true, tooNoisy, false},
		{"forced", true, true, false, nil, true},
	} {
		r := *r
		if !c.noisy {
			r.TooNoisy = nil
		}
		f := calibrateFlags{json: c.json, force: c.force, write: filepath.Join(t.TempDir(), "s.yaml")}
		var out, problems bytes.Buffer
		if err := f.tell(&out, &problems, &r); err != c.err {
			t.Errorf("%s: %v", c.name, err)
		}
		text, err := os.ReadFile(f.write)
		if (err == nil) != c.written {
			t.Errorf("%s: written is %t: %v", c.name, !c.written, err)
		}
		if c.written {
			wantAll(t, string(text), scaleFileHead, "2001-09-09T01:46:40Z", "Chip × 8", "\ncpu-scale: 1.23\n")
		}
		if told := strings.Contains(string(text), "too noisy: reasons enough"); told != (c.noisy && c.force) {
			t.Errorf("%s: the file says %q", c.name, text)
		}
		if c.json {
			continue
		}
		wantAll(t, out.String(), "taken by the hypervisor: not told", "7.0 %", "scale 1.23")
		if told := strings.Contains(out.String(), "too noisy: reasons enough"); told != c.noisy {
			t.Errorf("%s: %s", c.name, out.String())
		}
		if told := strings.Contains(problems.String(), "--force"); told != (c.noisy && !c.force) {
			t.Errorf("%s: %s", c.name, problems.String())
		}
	}
	for _, scale := range []float64{0.09, 10.1, math.Inf(1), math.NaN()} {
		r := *r
		r.Scale = scale
		if err := writeScale(filepath.Join(t.TempDir(), "s.yaml"), &r); err == nil {
			t.Errorf("%v was written", scale)
		}
	}
}

func TestCalibrateRefused(t *testing.T) {
	settings := filepath.Join(t.TempDir(), "cordon.yaml")
	if err := os.WriteFile(settings, []byte("listen: 127.0.0.1:9000\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for says, args := range map[string][]string{
		"0.1 to 600":                {"--seconds", "0"},
		"0.1 to 600 is allowed":     {"--seconds", "NaN"},
		"--core: 1023 given":        {"--core", "1023"},
		"has not written it":        {"--write", settings},
		"if any flags in the group": {"--core", "0", "--all-cores"},
	} {
		if _, _, err := calibrateCLI(t, args...); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v", args, err)
		}
	}
	if text, err := os.ReadFile(settings); err != nil || string(text) != "listen: 127.0.0.1:9000\n" {
		t.Errorf("%q, %v", text, err)
	}
}

func TestCalibrateWhich(t *testing.T) {
	var many []int
	for i := range 64 {
		many = append(many, i)
	}
	for _, c := range []struct {
		f    calibrateFlags
		own  []int
		one  bool
		want []int
	}{
		{calibrateFlags{}, []int{2, 3}, false, []int{2, 3}},
		{calibrateFlags{}, many, false, []int{0, 16, 32, 48}},
		{calibrateFlags{allCores: true}, many, false, many},
		{calibrateFlags{core: 7}, many, true, []int{7}},
		{calibrateFlags{core: 7}, []int{2, 3}, true, nil},
	} {
		if got, err := c.f.which(c.own, c.one); !slices.Equal(got, c.want) || (err != nil) != (c.want == nil) {
			t.Errorf("%+v of %d cores: %v, %v", c.f, len(c.own), got, err)
		}
	}
}
