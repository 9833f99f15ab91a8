package seccomp

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// Describe writes what a filter does, for people: the calls by what happens to
// them. Dump has the same by number.
func Describe(w io.Writer, r Rules, a Arch) error {
	allowed, err := r.allowed()
	if err != nil {
		return err
	}
	d := &description{w: w, program: &Program{Arch: a, profile: r.Profile}, calls: map[string]int{}, allowed: allowed}
	for n := range maxNumber {
		if name, ok := a.callName(n); ok && (n <= newest || allowed[name]) {
			d.calls[name] = n
		}
	}
	d.printf("profile %s, architecture %s\n", r.Profile, a)
	d.changes("allowed", r.Allow)
	d.changes("denied", r.Deny)
	d.free()
	d.conditional()
	d.immediate()
	d.denied()
	d.ends()
	return d.err
}

// description is one text. It keeps the first error of many writes.
type description struct {
	w       io.Writer
	err     error
	program *Program
	calls   map[string]int // every call that has a name here
	allowed map[string]bool
}

func (d *description) printf(format string, args ...any) {
	if d.err == nil {
		_, d.err = fmt.Fprintf(d.w, format, args...)
	}
}

// list prints names in lines of a width that fits a terminal.
func (d *description) list(indent string, names []string) {
	line := indent
	for i, name := range names {
		if i < len(names)-1 {
			name += ","
		}
		if line != indent && len(line)+1+len(name) > 100 {
			d.printf("%s\n", line)
			line = indent
		}
		if line != indent {
			line += " "
		}
		line += name
	}
	d.printf("%s\n", line)
}

func (d *description) changes(word string, names []string) {
	if len(names) > 0 {
		d.list("", append([]string{"the policy's own, " + word + " besides"}, slices.Compact(slices.Sorted(slices.Values(names)))...))
	}
}

// pick are the names of calls that f holds for, sorted.
func (d *description) pick(f func(name string) bool) []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(d.calls)), func(name string) bool { return !f(name) })
}

func (d *description) ways(name string) [][]condition { return ways(d.program.profile, name) }

func (d *description) free() {
	names := d.pick(func(name string) bool { return d.allowed[name] && len(d.ways(name)) == 0 })
	d.printf("\nallowed, with any argument: %d\n", len(names))
	by := map[string][]string{}
	for _, name := range names {
		by[why(name)] = append(by[why(name)], name)
	}
	reasons := []string{}
	for _, g := range allowGroups {
		reasons = append(reasons, g.reason)
	}
	for _, reason := range append(reasons, ownRule) {
		if len(by[reason]) > 0 {
			d.printf("  %s\n", reason)
			d.list("    ", by[reason])
		}
	}
}

func (d *description) conditional() {
	names := d.pick(func(name string) bool { return d.allowed[name] && len(d.ways(name)) > 0 })
	d.printf("\nallowed on a condition: %d\n", len(names))
	for _, name := range names {
		d.printf("  %s\n", name)
		ways := d.ways(name)
		if values, ok := oneArgument(name, ways); ok {
			d.list("    ", values)
		} else {
			for _, way := range ways {
				d.printf("    %s\n", wayWords(name, way))
			}
		}
		if slices.Contains(tellers, name) {
			d.printf("    allowed, told to the daemon each time; not counted\n")
		}
		for _, r := range refusals[name] {
			d.printf("    %s: %s at once, not counted\n", wayWords(name, r.way), errnoText(r.errno))
		}
		d.printf("    else %s, counted\n", strings.TrimSuffix(reported(d.program, d.calls[name], ^uint64(0)), " reported"))
	}
}

// oneArgument are the values of a call that is allowed by those of one argument.
func oneArgument(name string, ways [][]condition) ([]string, bool) {
	first := ways[0][0]
	out := []string{wayWords(name, ways[0])}
	for _, way := range ways {
		if len(way) != 1 || way[0].arg != first.arg || way[0].mask != first.mask {
			return nil, false
		}
		if way[0] != first {
			out = append(out, meanings[name][first.arg].value(way[0].value))
		}
	}
	return out, true
}

func (d *description) immediate() {
	names := d.pick(func(name string) bool { _, ok := atOnce[name]; return ok && !d.allowed[name] })
	d.printf("\nanswered at once by the kernel, not counted: %d\n", len(names))
	d.byText(names, func(name string) string {
		if atOnce[name] == 0 {
			return "0, as if done"
		}
		return errnoText(atOnce[name])
	})
}

func (d *description) denied() {
	names := d.pick(func(name string) bool { _, ok := atOnce[name]; return !ok && !d.allowed[name] })
	d.printf("\ndenied, counted in the result: %d\n", len(names))
	d.byText(names, func(name string) string {
		return strings.TrimSuffix(reported(d.program, d.calls[name], 0), " reported")
	})
}

// byText lists names below what text says of them.
func (d *description) byText(names []string, text func(name string) string) {
	by := map[string][]string{}
	for _, name := range names {
		by[text(name)] = append(by[text(name)], name)
	}
	for _, t := range slices.Sorted(maps.Keys(by)) {
		d.printf("  %s\n", t)
		d.list("    ", by[t])
	}
}

func (d *description) ends() {
	d.printf("\nthe job is killed\n  at the first call of another architecture")
	if d.program.Arch == AMD64 {
		d.printf(", which x32 is, too (numbers from 0x%x on)", x32Bit)
	}
	d.printf("\n  at the first call denied and counted after %d of them\n", maxAnswers)
	d.printf("\ndefault, every other number\n  ENOSYS, counted\n")
}
