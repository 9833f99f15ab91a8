package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// row is a line of the manual's table.
func (m *minimum) row() string {
	build := "– | – | –"
	if m.build != nil {
		build = m.build.cells()
	}
	return fmt.Sprintf("| `%s` | %s | %s | %s |", m.language.ID, m.language.Version, build, m.run.cells())
}

func (n need) cells() string {
	return fmt.Sprintf("%d MiB | %d | %.0f ms", n.memoryMiB, n.pids, max(1, float64(n.cpuNanos)/1e6))
}

// field is the line of the data file.
func (m *minimum) field() string {
	build := ""
	if m.build != nil {
		build = fmt.Sprintf("build: {memory_mib: %d, pids: %d}, ", m.build.memoryMiB, m.build.pids)
	}
	return fmt.Sprintf("minimum: {%srun: {memory_mib: %d, pids: %d}}\n", build, m.run.memoryMiB, m.run.pids)
}

// writeData puts the field into the language's file, or into its version's part of
// the family's file.
func (m *minimum) writeData(dir string) error {
	id := m.language.ID
	if m.language.Family != "" {
		id = m.language.Family
	}
	name := filepath.Join(dir, id+".yaml")
	text, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	return os.WriteFile(name, []byte(withMinimum(string(text), m)), 0o644)
}

var (
	ownField  = regexp.MustCompile(`(?m)^minimum: .*\n`)
	belowThat = regexp.MustCompile(`(?m)^(default|versions):`)
)

func withMinimum(text string, m *minimum) string {
	if m.language.Family != "" && m.language.Family != m.language.ID {
		part := regexp.MustCompile(`(?m)^  - id: ` + regexp.QuoteMeta(m.language.ID) + `\n(    .*\n)*`)
		return part.ReplaceAllStringFunc(text, func(version string) string {
			version = regexp.MustCompile(`(?m)^    minimum: .*\n`).ReplaceAllString(version, "")
			return version + "    " + m.field()
		})
	}
	text = ownField.ReplaceAllString(text, "")
	if at := belowThat.FindStringIndex(text); at != nil {
		return text[:at[0]] + m.field() + text[at[0]:]
	}
	return text + m.field()
}

// The manual's table begins with this head.
const tableHead = "| id | version | build: memory | pids | CPU | run: memory | pids | CPU |\n| --- | --- | --- | --- | --- | --- | --- | --- |\n"

func (m *minimum) writeManual(name string) error {
	text, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	changed, err := withRow(string(text), m)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return os.WriteFile(name, []byte(changed), 0o644)
}

// withRow puts the language's row into the table, in order.
func withRow(text string, m *minimum) (string, error) {
	before, after, found := strings.Cut(text, tableHead)
	if !found {
		return "", fmt.Errorf("no table with the head\n%s", tableHead)
	}
	rows := []string{m.row() + "\n"}
	for {
		row, rest, _ := strings.Cut(after, "\n")
		if !strings.HasPrefix(row, "| ") {
			break
		}
		after = rest
		if !strings.HasPrefix(row, "| `"+m.language.ID+"` |") {
			rows = append(rows, row+"\n")
		}
	}
	slices.Sort(rows)
	return before + tableHead + strings.Join(rows, "") + after, nil
}
