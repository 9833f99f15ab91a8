package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"cordon/calibrate"
	"cordon/internal/cores"
)

// calibrateFlags are what cordon calibrate takes.
type calibrateFlags struct {
	seconds     float64
	core        int
	allCores    bool
	json, force bool
	write       string
}

// tooNoisy is the exit status of a host that cannot be measured now.
const tooNoisy statusError = 1

// fewCores are as many as are looked at when nothing else is asked for.
const fewCores = 4

func newCalibrateCommand() *cobra.Command {
	var f calibrateFlags
	cmd := &cobra.Command{
		Use: "calibrate", Short: "Measure this host's speed, for limits of time that mean the same on other hosts", Args: cobra.NoArgs,
		Long: "Runs three fixed kernels (integer, floating point, memory latency) on one core after the other, compares their CPU\n" +
			"time with that of a reference machine, and prints the scale: how many times as long a program takes here. Give it\n" +
			"to cordon serve --cpu-scale. Of several cores, " + fmt.Sprint(fewCores) + " at most are looked at unless --core or --all-cores says otherwise.\n" +
			"Any user may do this, without a service. Leave the machine alone meanwhile: the exit status is 1 when it was\n" +
			"too noisy for the scale to be trusted.",
		Example: "  cordon calibrate --all-cores --write scale.yaml && cordon serve --config scale.yaml\n  cordon calibrate --json | jq .scale",
		RunE:    func(cmd *cobra.Command, _ []string) error { return calibrateCommand(cmd, &f) },
	}
	flags := cmd.Flags()
	flags.Float64Var(&f.seconds, "seconds", 4, "how `long` to measure each core, 0.1 to 600; every kernel runs at least five times")
	flags.IntVar(&f.core, "core", 0, "only the core of this `number`")
	flags.BoolVar(&f.allCores, "all-cores", false, "every core that this user may use")
	flags.BoolVar(&f.json, "json", false, "print JSON")
	flags.StringVar(&f.write, "write", "", "write the scale into this `file`, as cordon serve --config reads it")
	flags.BoolVar(&f.force, "force", false, "take what was measured although the host was too noisy")
	cmd.MarkFlagsMutuallyExclusive("core", "all-cores")
	return cmd
}

func calibrateCommand(cmd *cobra.Command, f *calibrateFlags) error {
	if !(f.seconds >= 0.1 && f.seconds <= 600) {
		return fmt.Errorf("--seconds: %v given, 0.1 to 600 is allowed", f.seconds)
	}
	if f.write != "" {
		if err := checkScaleFile(f.write); err != nil {
			return err
		}
	}
	own, err := cores.Own()
	if err != nil {
		return err
	}
	which, err := f.which(own, cmd.Flags().Changed("core"))
	if err != nil {
		return err
	}
	r, err := calibrate.Run(calibrate.Options{Cores: which, Length: time.Duration(f.seconds * float64(time.Second))})
	if err != nil {
		return err
	}
	return f.tell(cmd.OutOrStdout(), cmd.ErrOrStderr(), r)
}

// which cores to look at; of many, some that are far from each other.
func (f *calibrateFlags) which(own []int, one bool) ([]int, error) {
	switch {
	case one && !slices.Contains(own, f.core):
		return nil, fmt.Errorf("--core: %d given, this user may use %s", f.core, list(own))
	case one:
		return []int{f.core}, nil
	case f.allCores || len(own) <= fewCores:
		return own, nil
	}
	var some []int
	for i := range fewCores {
		some = append(some, own[i*len(own)/fewCores])
	}
	return some, nil
}

func list(cores []int) string { return strings.Trim(fmt.Sprint(cores), "[]") }

// tell prints and writes what was found. What is too noisy is shown, but not written.
func (f *calibrateFlags) tell(out, problems io.Writer, r *calibrate.Report) error {
	var err error
	if f.json {
		err = printJSON(out, r)
	} else {
		err = printCalibration(out, r)
	}
	if err != nil {
		return err
	}
	if len(r.TooNoisy) > 0 && !f.force {
		if !f.json {
			fmt.Fprintln(problems, "cordon: too noisy to calibrate; try again when the machine is quiet, or take it with --force")
		}
		return tooNoisy
	}
	if f.write == "" {
		return nil
	}
	return writeScale(f.write, r)
}

func printCalibration(w io.Writer, r *calibrate.Report) error {
	fmt.Fprintf(w, "machine:   %s\nreference: %s\n", r.Machine, r.Reference)
	t := newTable("kernel", "repetitions", "median ms", "5 % to 95 %", "spread", "speed")
	for _, k := range r.Kernels {
		t.AppendRow(table.Row{k.Name, k.Repetitions, number(k.MedianMillis), number(k.P5Millis) + " to " + number(k.P95Millis), calibrate.Percent(k.Spread), number(k.Speed)})
	}
	if err := printTable(w, t); err != nil {
		return err
	}
	for _, c := range r.Cores {
		fmt.Fprintf(w, "core %d: scale %.2f\n", c.Core, c.Scale)
	}
	told := func(share float64) string {
		if share < 0 {
			return "not told"
		}
		return calibrate.Percent(share)
	}
	fmt.Fprintf(w, "between cores: %s; taken by the hypervisor: %s; tasks waited for a processor: %s of the time\n",
		calibrate.Percent(r.BetweenCores), told(r.Noise.Steal), told(r.Noise.Pressure))
	for _, why := range r.TooNoisy {
		fmt.Fprintln(w, "too noisy:", why)
	}
	_, err := fmt.Fprintf(w, "scale %.2f: a program takes %.2f times as long as on the reference\n", r.Scale, r.Scale)
	return err
}

// scaleFileHead is how a file begins that may be written over.
const scaleFileHead = "# Written by cordon calibrate; cordon serve --config reads it.\n"

// checkScaleFile: no settings of the operator's are written over.
func checkScaleFile(name string) error {
	text, err := os.ReadFile(name)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("--write: %w", err)
	}
	if !strings.HasPrefix(string(text), scaleFileHead) {
		return fmt.Errorf("--write: %s is there, and cordon calibrate has not written it; name another file", name)
	}
	return nil
}

func writeScale(name string, r *calibrate.Report) error {
	if !scaleAllowed(r.Scale) {
		return fmt.Errorf("--write: a scale of %.3g is no cpu-scale, which is %v to %v", r.Scale, leastScale, float64(mostScale))
	}
	noisy := ""
	for _, why := range r.TooNoisy {
		noisy += "# too noisy: " + why + "\n"
	}
	var measured []int
	for _, c := range r.Cores {
		measured = append(measured, c.Core)
	}
	text := fmt.Sprintf("%s# date:      %s\n# machine:   %s\n# reference: %s\n# cores:     %s, %s between them\n# spread:    %s\n%scpu-scale: %.2f\n",
		scaleFileHead, r.Date.Format(time.RFC3339), r.Machine, r.Reference, list(measured), calibrate.Percent(r.BetweenCores), calibrate.Percent(r.Spread), noisy, r.Scale)
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		return fmt.Errorf("--write: %w", err)
	}
	return nil
}
