// Command report reads what go test -json prints, shows what went wrong, and
// ends with one line that counts everything. A skipped test that is not on the
// list of allowed ones is a failure: a test that must run never skips unseen.
//
//	go test -json ./... | report ALLOWED-SKIPS
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"
)

// phaseFailed starts a line that the caller writes when a command ended badly.
const phaseFailed = "PHASE FAILED"

// event is one line of go test -json (go doc test2json).
type event struct {
	Action, Package, Test, Output string
	ImportPath                    string
	Elapsed                       float64
}

type report struct {
	out             io.Writer
	allowed         []string
	output          map[string][]string // by test, until it has ended
	passed, skipped int
	failed          []string
	began           time.Time
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: go test -json … | report ALLOWED-SKIPS")
		os.Exit(2)
	}
	list, err := os.ReadFile(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, "report:", err)
		os.Exit(2)
	}
	r := &report{out: os.Stdout, allowed: allowed(string(list)), output: map[string][]string{}, began: time.Now()}
	if err := r.read(os.Stdin); err != nil {
		r.fail("report: " + err.Error())
	}
	if !r.close() {
		os.Exit(1)
	}
}

// allowed reads "package/Test reason" lines.
func allowed(text string) []string {
	var out []string
	for line := range strings.Lines(text) {
		if f := strings.Fields(line); len(f) > 1 && !strings.HasPrefix(f[0], "#") {
			out = append(out, f[0])
		}
	}
	return out
}

func (r *report) read(in io.Reader) error {
	s := bufio.NewScanner(in)
	s.Buffer(nil, 64<<20)
	for s.Scan() {
		var e event
		if err := json.Unmarshal(s.Bytes(), &e); err != nil || e.Action == "" {
			r.plain(s.Text())
			continue
		}
		r.event(&e)
	}
	return s.Err()
}

func (r *report) plain(line string) {
	fmt.Fprintln(r.out, line)
	if strings.HasPrefix(line, phaseFailed) {
		r.fail(line)
	}
}

func (r *report) fail(what string) {
	if !slices.Contains(r.failed, what) {
		r.failed = append(r.failed, what)
	}
}

func (r *report) event(e *event) {
	name := strings.TrimPrefix(e.Package, "cordon/")
	if e.Test != "" {
		name += "/" + e.Test
	}
	switch e.Action {
	case "output":
		r.output[name] = append(r.output[name], e.Output)
	case "build-output":
		fmt.Fprint(r.out, e.Output)
	case "build-fail":
		r.fail("build of " + e.ImportPath)
	case "pass":
		if e.Test != "" {
			r.passed++
		} else {
			fmt.Fprintf(r.out, "ok    %-28s %6.1f s\n", name, e.Elapsed)
		}
		delete(r.output, name)
	case "skip":
		r.skip(e, name)
	case "fail":
		r.fail(name)
		fmt.Fprintf(r.out, "FAIL  %s\n%s", name, strings.Join(r.output[name], ""))
		delete(r.output, name)
	}
}

// skip: a package without tests is told as skipped too.
func (r *report) skip(e *event, name string) {
	if e.Test == "" {
		return
	}
	r.skipped++
	fmt.Fprintf(r.out, "skip  %s\n%s", name, strings.Join(r.output[name], ""))
	delete(r.output, name)
	if !slices.Contains(r.allowed, name) {
		r.fail(name + " (skipped, and not on the list of allowed skips)")
	}
}

// close prints the closing lines. Nothing passed is a failure as well.
func (r *report) close() bool {
	if r.passed == 0 {
		r.fail("no test has passed: nothing was run")
	}
	for _, f := range r.failed {
		fmt.Fprintln(r.out, "FAILED:", f)
	}
	fmt.Fprintf(r.out, "%d passed, %d failed, %d skipped in %v\n", r.passed, len(r.failed), r.skipped, time.Since(r.began).Round(time.Second))
	return len(r.failed) == 0
}
