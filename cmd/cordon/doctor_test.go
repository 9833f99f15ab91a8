package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"cordon/internal/doctor"
	"cordon/languages"
)

// doctorCLI runs `cordon doctor` on a made-up report.
func doctorCLI(t *testing.T, run diagnosis, args ...string) (string, error) {
	t.Helper()
	t.Setenv("CORDON_CGROUP", "/of/the/variable")
	cmd := doctorCommand(run)
	cmd.SilenceUsage, cmd.SilenceErrors = true, true
	var out bytes.Buffer
	cmd.SetOut(&out)
	cmd.SetErr(&out)
	cmd.SetArgs(args)
	err := cmd.Execute()
	return out.String(), err
}

func answering(r *doctor.Report, options *doctor.Options) diagnosis {
	return func(_ context.Context, o doctor.Options) (*doctor.Report, error) {
		*options = o
		return r, nil
	}
}

const longFix = "sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 ann"

var sickReport = &doctor.Report{Rows: []doctor.Row{
	{Name: "kernel", Status: doctor.OK, Found: "6.12", Lost: "nothing"},
	{Name: "subordinate ids", Status: doctor.Missing, Found: "0 for ann", Lost: strings.Repeat("own ids ", 12), Fix: longFix, Needed: true},
	{Name: "tun", Status: doctor.Degraded, Found: "no /dev/net/tun", Lost: "egress", Fix: "sudo modprobe tun"},
	{Name: "tun again", Status: doctor.Degraded, Found: "no /dev/net/tun", Lost: "egress", Fix: "sudo modprobe tun"},
}}

func TestDoctorTable(t *testing.T) {
	var o doctor.Options
	out, err := doctorCLI(t, answering(sickReport, &o))
	wantStatus(t, err, notReady)
	// The command is whole, whatever its length.
	wantAll(t, out, "FEATURE", "6.12", "subordinate ids:\n    "+longFix+"\n", "tun, tun again:\n    sudo modprobe tun\n")
	if !strings.HasSuffix(out, "not ready: 1 needed feature is missing: subordinate ids\n") {
		t.Errorf("last line of:\n%s", out)
	}
	for line := range strings.Lines(out) {
		if strings.HasPrefix(line, "|") && len([]rune(line)) > 130 {
			t.Errorf("too wide: %s", line)
		}
	}
	if o.CgroupPath != "/of/the/variable" || o.Languages == nil || o.Inside {
		t.Errorf("%+v", o)
	}
}

func TestDoctorReady(t *testing.T) {
	var o doctor.Options
	r := &doctor.Report{Ready: true, Rows: sickReport.Rows[:1]}
	out, err := doctorCLI(t, answering(r, &o), "--cgroup", "/given")
	if err != nil || !strings.HasSuffix(out, "ready: jobs can run with every limit\n") || o.CgroupPath != "/given" {
		t.Errorf("%v, %q\n%s", err, o.CgroupPath, out)
	}
}

func TestDoctorJSON(t *testing.T) {
	var o doctor.Options
	out, err := doctorCLI(t, answering(sickReport, &o), "--json")
	wantStatus(t, err, notReady)
	var got doctor.Report
	if err := json.Unmarshal([]byte(out), &got); err != nil || !reflect.DeepEqual(&got, sickReport) {
		t.Errorf("%v: %s", err, out)
	}
}

func TestDoctorFails(t *testing.T) {
	failure := errors.New("no look")
	_, err := doctorCLI(t, func(context.Context, doctor.Options) (*doctor.Report, error) { return nil, failure })
	if !errors.Is(err, failure) || exitStatus(err) != ownFailure {
		t.Errorf("got %v", err)
	}
}

func TestToolchains(t *testing.T) {
	set, err := languages.Load()
	if err != nil {
		t.Fatal(err)
	}
	all, err := toolchains(set)(context.Background())
	want := 0 // a version that is not there is none that is missed
	for _, i := range set.List() {
		if i.Missing == "" || i.Family == "" || i.Family == i.ID {
			want++
		}
	}
	if err != nil || len(all) != want || want < 29 {
		t.Fatalf("%d of %d, %v", len(all), want, err)
	}
	for _, one := range all {
		if one.ID == "sh" && one.Missing != "" {
			t.Errorf("no shell: %+v", one)
		}
	}
}

func TestProbeCommand(t *testing.T) {
	cmd := newProbeCommand()
	var out bytes.Buffer
	cmd.SetOut(&out)
	cmd.SetErr(&out)
	cmd.SetArgs([]string{"pidfd"})
	if err := cmd.Execute(); err != nil || !cmd.Hidden || !strings.Contains(out.String(), `"found"`) {
		t.Errorf("%v: %s", err, &out)
	}
	cmd.SetArgs([]string{"none"})
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	if err := cmd.Execute(); err == nil {
		t.Error("an unknown probe was tried")
	}
}
