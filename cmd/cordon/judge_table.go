package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"
	"unicode"

	"github.com/jedib0t/go-pretty/v6/table"
)

// paint colours words on a terminal.
type paint bool

func (p paint) in(colour, s string) string {
	if !p || s == "" {
		return s
	}
	return "\x1b[" + colour + "m" + s + "\x1b[0m"
}

const (
	green  = "32"
	red    = "31"
	yellow = "33"
)

// printable is a text of the package or of a program, fit for a terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, s)
}

// table prints what came of it for a person.
func (j *judging) table(w io.Writer) error {
	columns, tty := terminal(w)
	p := paint(tty && os.Getenv("NO_COLOR") == "")
	text := j.rows(p, true)
	if first, _, _ := strings.Cut(text, "\n"); tty && len(first) > columns {
		text = j.rows(p, false)
	}
	_, err := fmt.Fprintf(w, "%s%s\n%s%s\n", j.heading(), text, j.remarks(p), j.report.sum(p))
	return err
}

// heading says what was run, and within which limits.
func (j *judging) heading() string {
	r := &j.report
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %d sample and %d secret cases, %s validation, policy %s\n", printable(r.Problem), r.Samples, r.Secret, r.Validation, r.Policy)
	if r.TimeMillis > 0 {
		fmt.Fprintf(&b, "time limit %v (%s), wall %v", time.Duration(r.TimeMillis)*time.Millisecond, j.limits.why, time.Duration(r.WallMillis)*time.Millisecond)
	} else {
		b.WriteString("no time limit")
	}
	fmt.Fprintf(&b, "\nmemory %s (%s), output %s (%s)\n", size(r.MemoryBytes), j.limits.memoryWhy, size(r.OutputBytes), j.limits.outputWhy)
	for _, note := range r.Notes {
		b.WriteString("note: " + printable(note) + "\n")
	}
	if j.flags.verbose {
		for _, note := range r.Ignored {
			b.WriteString("means nothing here: " + printable(note) + "\n")
		}
	}
	return b.String()
}

// rows is the table. apart: the samples in a column of their own.
func (j *judging) rows(p paint, apart bool) string {
	columns := []string{"submission", "language", "expected", "got", "promise", "first failing", "CPU", "memory"}
	if apart {
		columns = append(columns, "sample", "secret")
	} else {
		columns = append(columns, "passed")
	}
	t := newTable(columns...)
	for _, s := range j.report.Submissions {
		got, kept := p.in(green, string(s.Verdict)), p.in(green, "kept")
		switch {
		case s.Verdict == notJudged:
			got, kept = "-", p.in(yellow, "not judged")
		case s.Verdict == judgeError:
			got, kept = p.in(yellow, string(s.Verdict)), p.in(yellow, "not judged")
		case !s.Kept:
			got, kept = p.in(red, string(s.Verdict)), p.in(red, "BROKEN")
		}
		row := table.Row{strings.TrimPrefix(s.Name, "submissions/"), s.Language, expectedWords(s.Expected), got, kept, s.Failing}
		if s.Sample.Run+s.Secret.Run > 0 {
			row = append(row, fmt.Sprintf("%.3f s", float64(s.CPUNanos)/1e9), size(s.MemoryPeak).String())
		} else {
			row = append(row, "", "")
		}
		if apart {
			row = append(row, s.Sample.String(), s.Secret.String())
		} else {
			row = append(row, fmt.Sprintf("%d/%d", s.Sample.Passed+s.Secret.Passed, s.Sample.Total+s.Secret.Total))
		}
		t.AppendRow(row)
	}
	return t.Render()
}

// remarks tell why a promise was broken.
func (j *judging) remarks(p paint) string {
	var b strings.Builder
	for _, s := range j.report.Submissions {
		if s.Kept || s.Verdict == notJudged && s.Message == "" {
			continue
		}
		colour := red
		if s.Verdict == judgeError {
			colour = yellow
		}
		fmt.Fprintf(&b, "%s: %s\n", p.in(colour, s.Name), printable(s.told()))
		lines := strings.Split(s.BuildOut, "\n")
		for i, line := range lines {
			if i == buildLines {
				fmt.Fprintf(&b, "  … and %d more lines\n", len(lines)-i)
				break
			}
			if line != "" {
				b.WriteString("  " + printable(line) + "\n")
			}
		}
	}
	return b.String()
}

// buildLines of a compiler are shown: the first errors are the ones that help.
const buildLines = 10

// told is the outcome in one line.
func (t *trial) told() string {
	if t.Verdict == notJudged {
		return "not judged"
	}
	out := string(t.Verdict)
	if !t.Kept {
		out += ", " + expectedWords(t.Expected) + " was promised"
	}
	if t.Failing != "" {
		out += "; " + t.Failing
	}
	if t.Message != "" && (!t.Kept || t.Verdict != accepted) {
		out += ": " + oneLine(t.Message)
	}
	return out
}
