package verify

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// Report is the outcome of one run of the corpus.
type Report struct {
	Kernel string    `json:"kernel"`
	Cgroup string    `json:"cgroup"`
	Loaded bool      `json:"loaded"`
	Rows   []Outcome `json:"rows"`
}

// Good: nothing escaped, and nothing came out another way than promised.
func (r *Report) Good() bool {
	return !slices.ContainsFunc(r.Rows, func(o Outcome) bool { return o.Record == Escaped || o.Record == Wrong })
}

// Count is how many rows have a record.
func (r *Report) Count(record string) int {
	n := 0
	for _, o := range r.Rows {
		if o.Record == record {
			n++
		}
	}
	return n
}

// Vacuous are the probes that prove nothing on this kernel, as "ROW/probe".
func (r *Report) Vacuous() []string {
	var out []string
	for _, o := range r.Rows {
		for _, probe := range o.Vacuous {
			out = append(out, o.ID+"/"+probe)
		}
	}
	slices.Sort(out)
	return out
}

// Key names the kind of kernel in the list of vacuous probes: "6.1 cgroup-v2".
func (r *Report) Key() string {
	release, _, _ := strings.Cut(r.Kernel, " ")
	parts := strings.SplitN(release, ".", 3)
	return strings.Join(parts[:min(2, len(parts))], ".") + " " + r.Cgroup
}

// Differences between two runs of the corpus, as far as records go.
func (r *Report) Differences(other *Report) []string {
	var out []string
	for i, o := range r.Rows {
		if i >= len(other.Rows) {
			break
		}
		if p := other.Rows[i]; o.ID != p.ID || o.Record != p.Record || !slices.Equal(o.Vacuous, p.Vacuous) {
			out = append(out, fmt.Sprintf("%s: %s, then %s", o.ID, o.Record, p.Record))
		}
	}
	return out
}

// Markdown prints the rows with a column for each report.
func Markdown(w io.Writer, reports []*Report) error {
	var b strings.Builder
	b.WriteString("| row | what the job does |")
	for _, r := range reports {
		fmt.Fprintf(&b, " %s, %s |", r.Key(), load(r))
	}
	b.WriteString("\n| --- | --- |" + strings.Repeat(" --- |", len(reports)) + "\n")
	for i, row := range reports[0].Rows {
		ids := strings.Join(append([]string{row.ID}, row.Also...), " ")
		fmt.Fprintf(&b, "| %s | %s |", ids, row.Title)
		for _, r := range reports {
			cell := "–"
			if i < len(r.Rows) && r.Rows[i].ID == row.ID {
				cell = r.Rows[i].cell()
			}
			b.WriteString(" " + cell + " |")
		}
		b.WriteString("\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func load(r *Report) string {
	if r.Loaded {
		return "busy"
	}
	return "quiet"
}

// cell is an outcome in a table.
func (o *Outcome) cell() string {
	parts := []string{o.Record}
	if o.Verdict != "" {
		parts = append(parts, "`"+o.Verdict+"`")
	}
	if n := len(o.Vacuous); n > 0 && o.Record != Vacuous {
		parts = append(parts, fmt.Sprintf("%d of %d probes vacuous", n, o.Probes))
	}
	if o.Missing != "" {
		parts = append(parts, o.Missing)
	}
	return strings.Join(parts, ", ")
}
