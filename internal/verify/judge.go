package verify

import (
	"iter"
	"maps"
	"slices"
	"strings"

	"cordon/test/victims"
)

// judge compares the account with what the row promises.
func judge(r *victims.Row, got *result, o *Outcome) {
	e := r.Expect
	if !slices.Contains(e.Verdict, got.Verdict) {
		o.problem("verdict %s (%s), want %s; it wrote %.300q, %.300q", got.Verdict, got.Message, strings.Join(e.Verdict, " or "), got.stdout(), got.stderr())
	}
	if e.Exit != nil && (got.ExitCode == nil || *got.ExitCode != *e.Exit) {
		o.problem("exit_code %s, want %d", show(got.ExitCode), *e.Exit)
	}
	if e.Signal != "" && (got.Signal == nil || *got.Signal != e.Signal) {
		o.problem("signal %s, want %s", show(got.Signal), e.Signal)
	}
	if !strings.Contains(got.Message, e.Message) {
		o.problem("message %q, want %q in it", got.Message, e.Message)
	}
	streams(&e, got, o)
	for name, bounds := range sorted(e.Usage) {
		within("usage."+name, got.Usage[name], bounds, o)
	}
	events := map[string]int64{"oom_kill": got.Events.OOMKill, "pids_max_hits": got.Events.PidsMaxHits, "stray_killed": got.Events.StrayKilled}
	for name, bounds := range sorted(e.Events) {
		within("events."+name, events[name], bounds, o)
	}
	for _, name := range e.Denied {
		if !slices.ContainsFunc(got.Events.DeniedSyscalls, func(d struct {
			Name  string `json:"name"`
			Count int64  `json:"count"`
		}) bool {
			return d.Name == name && d.Count > 0
		}) {
			o.problem("events.denied_syscalls does not name %s: %v", name, got.Events.DeniedSyscalls)
		}
	}
	files(&e, got, o)
	always(got, o)
}

func streams(e *victims.Expect, got *result, o *Outcome) {
	if e.Stdout != nil && got.stdout() != *e.Stdout {
		o.problem("stdout %.200q, want %.200q", got.stdout(), *e.Stdout)
	}
	for name, want := range sorted(e.Bytes) {
		text := map[string]string{"stdout": got.stdout(), "stderr": got.stderr()}[name]
		if len(text) != want {
			o.problem("%s has %d bytes, want %d", name, len(text), want)
		}
	}
	for _, name := range []string{"stdout", "stderr"} {
		if want := slices.Contains(e.Truncated, name); got.Truncated[name] != want {
			o.problem("truncated.%s is %v, want %v", name, got.Truncated[name], want)
		}
	}
}

func files(e *victims.Expect, got *result, o *Outcome) {
	seen := map[string]file{}
	for _, f := range got.Files {
		seen[f.name()] = f
	}
	if len(e.Files) > 0 && len(seen) != len(e.Files) {
		o.problem("%d files collected, want %d: %v", len(seen), len(e.Files), slices.Sorted(maps.Keys(seen)))
	}
	for name, want := range sorted(e.Files) {
		if encoded, ok := strings.CutPrefix(name, "base64:"); ok {
			name = text("", encoded)
		}
		f, ok := seen[name]
		content := text(f.Content, f.Base64)
		switch {
		case !ok:
			o.problem("file %q: not told of", name)
		case f.Error != want.Error:
			o.escape("file %q: error %q, want %q", name, f.Error, want.Error)
		case f.Error != "" && content != "":
			o.escape("file %q: there is an error and content as well", name)
		case want.Content != nil && content != *want.Content:
			o.problem("file %q: content %.200q, want %.200q", name, content, *want.Content)
		case want.Size > 0 && (f.Size != want.Size || f.Error == "" && int64(len(content)) != want.Size):
			o.problem("file %q: %d bytes, size %d, want %d", name, len(content), f.Size, want.Size)
		}
	}
}

// always holds what is true of every job: the result is complete, and what it
// used is within its limits. A process that is being killed may be charged a few
// pages past the limit; the cell's own init counts among the pids.
func always(got *result, o *Outcome) {
	if got.Verdict == "exec_failed" {
		return
	}
	for _, name := range []string{"wall_ns", "cpu_ns", "user_ns", "system_ns", "memory_peak_bytes", "pids_peak", "disk_bytes"} {
		if _, ok := got.Usage[name]; !ok {
			o.problem("usage.%s is missing", name)
		}
	}
	for _, name := range []string{"cpu_ms", "wall_ms", "memory_bytes", "pids", "output_bytes", "disk_bytes", "disk_files", "open_files", "file_bytes", "cpus"} {
		if l := got.Limits[name]; l.Value <= 0 || l.EnforcedBy == "" {
			o.problem("limits.%s: value %v, enforced by %q", name, l.Value, l.EnforcedBy)
		}
	}
	if peak, limit := got.Usage["memory_peak_bytes"], got.Limits["memory_bytes"].Value; float64(peak) > limit+256<<10 {
		o.escape("memory_peak_bytes %d is above the limit %.0f", peak, limit)
	}
	if peak, limit := got.Usage["pids_peak"], got.Limits["pids"].Value; float64(peak) > limit+1 {
		o.escape("pids_peak %d is above the limit %.0f", peak, limit)
	}
}

func within(name string, got int64, bounds [2]int64, o *Outcome) {
	if got < bounds[0] || got > bounds[1] {
		o.problem("%s is %d, want %d to %d", name, got, bounds[0], bounds[1])
	}
}

func show[T any](p *T) any {
	if p == nil {
		return "null"
	}
	return *p
}

// sorted goes over a map in the order of its keys: reports do not change from run
// to run.
func sorted[V any](m map[string]V) iter.Seq2[string, V] {
	return func(yield func(string, V) bool) {
		for _, k := range slices.Sorted(maps.Keys(m)) {
			if !yield(k, m[k]) {
				return
			}
		}
	}
}
