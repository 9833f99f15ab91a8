package main

import (
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/jedib0t/go-pretty/v6/table"

	"cordon/bench"
)

// benchPrinter writes tables for a terminal, or in Markdown.
type benchPrinter struct {
	io.Writer
	markdown bool
}

func (w benchPrinter) table(t table.Writer) error {
	if !w.markdown {
		return printTable(w, t)
	}
	_, err := fmt.Fprintf(w, "\n%s\n\n", t.RenderMarkdown())
	return err
}

// print shows the figures that have a bar, then what they come from.
func (w benchPrinter) print(r *bench.Report) error {
	m := r.Machine
	fmt.Fprintf(w, "kernel %s, %s, %s × %d, %s; %.0f s\n", m.Kernel, m.Cgroup, m.Processor, m.CPUs, amount(float64(m.MemoryBytes)/(1<<30), "GiB"), r.Seconds)
	t := newTable("figure", "measured", "spread", "bar", "aim", "held")
	for i := range r.Figures {
		if f := &r.Figures[i]; f.Value != nil {
			t.AppendRow(table.Row{f.Title, amount(f.Value.Median, f.Unit), spread(*f.Value), limit(f, f.Bar), limit(f, f.Aim), f.Held()})
		}
	}
	if t.Length() > 0 {
		if err := w.table(t); err != nil {
			return err
		}
	}
	if err := w.missing(r); err != nil {
		return err
	}
	if err := w.series(r); err != nil {
		return err
	}
	for _, note := range r.Notes {
		if _, err := fmt.Fprintln(w, note); err != nil {
			return err
		}
	}
	return nil
}

// missing tells what was not measured, each reason once.
func (w benchPrinter) missing(r *bench.Report) error {
	var reasons []string
	titles := map[string]int{}
	for i := range r.Figures {
		f := &r.Figures[i]
		if f.Value == nil {
			if titles[f.Missing]++; titles[f.Missing] == 1 {
				reasons = append(reasons, f.Missing)
			}
		}
	}
	for _, reason := range reasons {
		plural := "s"
		if titles[reason] == 1 {
			plural = ""
		}
		if _, err := fmt.Fprintf(w, "%d figure%s not measured: %s\n", titles[reason], plural, reason); err != nil {
			return err
		}
	}
	return nil
}

// series shows the plain numbers, and the figures' notes.
func (w benchPrinter) series(r *bench.Report) error {
	if len(r.Series) > 0 {
		t := newTable("of", "series", "clients", "runs", "p50 ms", "p90 ms", "p99 ms", "per second", "spread")
		for _, s := range r.Series {
			t.AppendRow(table.Row{s.Group, s.Name, s.Clients, s.Runs, number(s.P50.Median), number(s.P90.Median), number(s.P99.Median),
				fmt.Sprintf("%.0f", s.PerSecond.Median), spread(s.PerSecond)})
		}
		if err := w.table(t); err != nil {
			return err
		}
	}
	if len(r.Amounts) > 0 {
		t := newTable("amount", "measured", "spread")
		for _, a := range r.Amounts {
			t.AppendRow(table.Row{a.Name, amount(a.Value.Median, a.Unit), spread(a.Value)})
		}
		if err := w.table(t); err != nil {
			return err
		}
	}
	for _, f := range r.Figures {
		if f.Note != "" && f.Value != nil {
			if _, err := fmt.Fprintf(w, "%s: %s\n", f.Title, f.Note); err != nil {
				return err
			}
		}
	}
	return nil
}

// compared shows two reports side by side.
func (w benchPrinter) compared(r, other *bench.Report) error {
	t := newTable("figure", "this", "other", "this over other")
	for _, d := range r.Compare(other) {
		quotient := ""
		if !math.IsNaN(d.Quotient) {
			quotient = number(d.Quotient)
		}
		t.AppendRow(table.Row{d.Figure.Title, side(d.Figure), side(d.Other), quotient})
	}
	fmt.Fprintf(w, "this: %s, %s\nother: %s, %s\n", r.Started.Format("2006-01-02 15:04"), r.Machine.Kernel, other.Started.Format("2006-01-02 15:04"), other.Machine.Kernel)
	if err := w.table(t); err != nil {
		return err
	}
	s := newTable("series", "clients", "this p50 ms", "other p50 ms", "this per second", "other per second")
	for _, a := range r.Series {
		i := slices.IndexFunc(other.Series, func(b bench.Series) bool { return b.Group == a.Group && b.Name == a.Name && b.Clients == a.Clients })
		row := table.Row{a.Name, a.Clients, number(a.P50.Median), "", fmt.Sprintf("%.0f", a.PerSecond.Median), ""}
		if i >= 0 {
			row[3], row[5] = number(other.Series[i].P50.Median), fmt.Sprintf("%.0f", other.Series[i].PerSecond.Median)
		}
		s.AppendRow(row)
	}
	return w.table(s)
}

// side is a figure as one of two.
func side(f *bench.Figure) string {
	if f == nil || f.Value == nil {
		return bench.NoValue
	}
	return amount(f.Value.Median, f.Unit)
}

// limit is a bar or an aim with its direction.
func limit(f *bench.Figure, bar float64) string {
	sign := "≤ "
	if f.AtLeast {
		sign = "≥ "
	}
	return sign + amount(bar, f.Unit)
}

func amount(v float64, unit string) string {
	if unit == "" {
		return number(v)
	}
	return number(v) + " " + unit
}

// number has as many decimals as its size needs.
func number(v float64) string {
	if math.Abs(v) >= 100 {
		return fmt.Sprintf("%.0f", v)
	}
	return fmt.Sprintf("%.2f", v)
}

func spread(s bench.Stat) string {
	if s.Min == s.Max {
		return ""
	}
	return number(s.Min) + " to " + number(s.Max)
}

// points of a job's way, as the service calls them, for people.
var points = map[string]string{
	"request": "the request's header is read", "read": "its body is read", "decoded": "it is a job that may run", "taken": "a cell is there",
	"limited": "its limits are written and read back", "sent": "the cell has the job", "exec": "the program is executed",
	"ended": "the program has ended", "gone": "no process of the job is left", "accounted": "its counters are read",
	"collected": "its outputs are collected", "result": "the result is complete", "answered": "the answer is written",
}

// stages shows where the time of jobs went.
func (w benchPrinter) stages(r *bench.Traced) error {
	fmt.Fprintf(w, "kernel %s, %s, %s × %d; %s, %d jobs of %d clients: p50 %.0f µs, p99 %.0f µs; all times in µs\n", r.Machine.Kernel, r.Machine.Cgroup,
		r.Machine.Processor, r.Machine.CPUs, r.Program, r.Jobs, r.Clients, r.P50, r.P99)
	t := newTable("until", "p50", "p99", "share")
	var sum float64
	for _, s := range r.Stages {
		what := points[s.To]
		if what == "" {
			what = s.To
		}
		t.AppendRow(table.Row{what, fmt.Sprintf("%.0f", s.P50), fmt.Sprintf("%.0f", s.P99), fmt.Sprintf("%.0f %%", 100*s.Share)})
		sum += s.P50
	}
	t.AppendRow(table.Row{"on the way there and back, and in the client", fmt.Sprintf("%.0f", max(r.P50-sum, 0)), "", ""})
	return w.table(t)
}
