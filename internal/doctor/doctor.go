// Package doctor tells whether a host can run jobs with every limit, and what to
// do where it cannot. What the kernel can do is tried in short-lived processes of
// this program, never read from a version number: distributions backport and
// forbid.
package doctor

import (
	"context"
	"fmt"
	"strings"
	"sync"
)

// Status of a row.
type Status string

// The three states. Degraded means that every limit holds and something less is
// lost.
const (
	OK       Status = "ok"
	Degraded Status = "degraded"
	Missing  Status = "missing"
)

// Row is one feature of the kernel or the host.
type Row struct {
	Name   string `json:"name"`
	Status Status `json:"status"`
	Found  string `json:"found"`         // what is there, with the kernel's own error name
	Lost   string `json:"lost"`          // what cannot be had without the feature
	Fix    string `json:"fix,omitempty"` // the command that mends it, or what to do; empty when ok
	// Needed rows may not be missing: without one, a shipped policy's plain job
	// cannot run, or one of its limits does not hold.
	Needed bool `json:"needed"`
}

// Toolchain is one language. Missing says what to install; empty when it is there.
type Toolchain struct {
	ID      string `json:"id"`
	Version string `json:"version,omitempty"`
	Missing string `json:"missing,omitempty"`
}

// Report is the whole answer.
type Report struct {
	Ready      bool        `json:"ready"` // no needed row is missing
	Rows       []Row       `json:"rows"`
	Toolchains []Toolchain `json:"toolchains,omitempty"`
}

// Lacking are the names of the needed rows that are missing.
func (r *Report) Lacking() []string {
	var names []string
	for _, row := range r.Rows {
		if row.Needed && row.Status == Missing {
			names = append(names, row.Name)
		}
	}
	return names
}

// Summary is the report in one line.
func (r *Report) Summary() string {
	lacking := r.Lacking()
	switch len(lacking) {
	case 0:
		return "ready: jobs can run with every limit"
	case 1:
		return "not ready: 1 needed feature is missing: " + lacking[0]
	}
	return fmt.Sprintf("not ready: %d needed features are missing: %s", len(lacking), strings.Join(lacking, ", "))
}

// Options of a run.
type Options struct {
	// CgroupPath is the operator's delegated directory; "" looks in the usual places.
	CgroupPath string
	// Languages finds the toolchains; nil leaves the row out.
	Languages func(context.Context) ([]Toolchain, error)
	// Roots are directories of the host that policies show besides those of every root.
	Roots []string
	// Inside: the caller is in the daemon's user namespace, as its uid 0.
	Inside bool
}

// Run looks at everything. It takes some tens of processes, so a caller that is
// asked often keeps the answer for a while. Any number may run at once. The
// error means that the look itself could not be taken.
func Run(ctx context.Context, o Options) (*Report, error) {
	h, err := thisHost(o)
	if err != nil {
		return nil, err
	}
	var tools []Toolchain
	var toolsErr error
	var wg sync.WaitGroup
	if o.Languages != nil {
		wg.Go(func() { tools, toolsErr = o.Languages(ctx) })
	}
	h.outcomes = tryAll(ctx)
	wg.Wait()
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("doctor: %w", err)
	}
	r := h.report(o.CgroupPath)
	if o.Languages != nil {
		r.Toolchains = tools
		r.Rows = append(r.Rows, toolchainRow(tools, toolsErr))
	}
	return r, nil
}

// report runs the checks in the order of the table: who, ids, kernel, cgroups, rest.
func (h *host) report(cgroupPath string) *Report {
	r := &Report{}
	for _, check := range []func(*host) Row{
		kernelRow, userRow, usernsRow, usernsLimitRow, apparmorRow, newuidmapRow, subordinateRow,
		namespacesRow, nestingRow, procRow, tmpfsRow, overlayRow, layersRow, bindRow,
		seccompRow, killableRow, clone3Row, callsRow, oomScoreRow,
	} {
		r.Rows = append(r.Rows, check(h))
	}
	r.Rows = append(r.Rows, h.cgroupRows(cgroupPath)...)
	r.Rows = append(r.Rows, tunRow(h), coreRow(h))
	for i := range r.Rows {
		if r.Rows[i].Status == OK {
			r.Rows[i].Fix = ""
		}
	}
	r.Ready = len(r.Lacking()) == 0
	return r
}
