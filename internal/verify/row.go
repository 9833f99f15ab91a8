package verify

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"cordon/test/victims"
)

// Records of a row.
const (
	Contained = "contained"
	Vacuous   = "vacuous" // each of its probes fails outside as well
	Escaped   = "ESCAPED" // a probe got what it must not get
	Wrong     = "WRONG"   // another verdict, account or after-state than promised
	Missing   = "not yet"
)

// Outcome is what came of a row.
type Outcome struct {
	ID       string           `json:"id"`
	Also     []string         `json:"also,omitempty"`
	Title    string           `json:"title"`
	Record   string           `json:"record"`
	Verdict  string           `json:"verdict,omitempty"`
	Probes   int              `json:"probes,omitempty"`  // lines that a control stands against
	Vacuous  []string         `json:"vacuous,omitempty"` // those that fail outside too
	Problems []string         `json:"problems,omitempty"`
	Missing  string           `json:"missing,omitempty"`
	Usage    map[string]int64 `json:"usage,omitempty"`
	Took     int64            `json:"took_ms"` // with its control and the look afterwards

	escaped bool
}

func (o *Outcome) problem(format string, args ...any) {
	o.Problems = append(o.Problems, fmt.Sprintf(format, args...))
}

// escape is a problem with what a job got.
func (o *Outcome) escape(format string, args ...any) {
	o.escaped = true
	o.problem(format, args...)
}

// close settles the record.
func (o *Outcome) close() {
	switch {
	case o.Missing != "":
		o.Record = Missing
	case o.escaped:
		o.Record = Escaped
	case len(o.Problems) > 0:
		o.Record = Wrong
	case o.Probes > 0 && len(o.Vacuous) == o.Probes:
		o.Record = Vacuous
	default:
		o.Record = Contained
	}
}

// row runs one row and looks at what it has left.
func (s *session) row(ctx context.Context, r *victims.Row) *Outcome {
	o := &Outcome{ID: r.ID, Also: r.Also, Title: r.Title, Missing: r.Missing}
	began := time.Now()
	defer func() { o.close(); o.Took = time.Since(began).Milliseconds() }()
	switch {
	case r.Missing != "":
		return o
	case r.Special:
		run := specials[r.ID]
		if run == nil {
			o.problem("there is no code for this special row")
			return o
		}
		run(s, ctx, o)
	default:
		s.plain(ctx, r, o)
	}
	for _, left := range s.observer.settled(s.baseline) {
		o.problem("afterwards: %s", left)
	}
	return o
}

// plain is a row of one job.
func (s *session) plain(ctx context.Context, r *victims.Row, o *Outcome) {
	a, err := s.service.post(ctx, s.request(r))
	if err != nil {
		o.problem("%v", err)
		return
	}
	if r.Expect.Status != 0 {
		if a.status != r.Expect.Status || a.code != r.Expect.Code {
			o.escape("answered %d %s, want %d %s", a.status, a.code, r.Expect.Status, r.Expect.Code)
		}
		return
	}
	if a.status != 200 {
		o.problem("answered %d: %.500s", a.status, a.body)
		return
	}
	o.Verdict, o.Usage = a.result.Verdict, a.result.Usage
	judge(r, &a.result, o)
	s.lines(ctx, r, a.result.stdout(), o)
}

// lines compares what a probe said inside with what must be, and with what the
// same probe says outside.
func (s *session) lines(ctx context.Context, r *victims.Row, said string, o *Outcome) {
	inside, outside := parse(said), map[string]string{}
	if r.Control != nil {
		command := r.Control.Command
		if len(command) == 0 {
			command = r.Command
		}
		text, err := s.outside(ctx, r.Control.As, s.substitute(command))
		if err != nil {
			o.problem("%v", err)
			return
		}
		outside = parse(text)
	}
	for name, want := range sorted(r.Expect.Lines) {
		name = s.word(name)
		vacuous := len(want) > 1 && o.control(name, inside[name], outside, want[1:])
		if vacuous && inside[name] == outside[name] { // this kernel has no such thing for anybody
			continue
		}
		switch value, said := inside[name]; {
		case value == want[0]:
		case !said:
			o.problem("%s: it did not come so far, want %q", name, want[0])
		default:
			o.escape("%s: %q inside, want %q", name, value, want[0])
		}
	}
}

// control records whether a probe could have succeeded.
func (o *Outcome) control(name, inside string, outside map[string]string, reach []string) (vacuous bool) {
	o.Probes++
	value, said := outside[name]
	for _, want := range reach {
		if said && (value == want || want == "*" && value != inside) {
			return false
		}
	}
	o.Vacuous = append(o.Vacuous, name)
	return true
}

// parse reads "name value" lines; the last one of a name counts.
func parse(text string) map[string]string {
	out := map[string]string{}
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimRight(line, "\n"), " ")
		out[name] = value
	}
	return out
}

// request is the row as the API takes it.
func (s *session) request(r *victims.Row) map[string]any {
	limits := maps.Clone(corpusLimits)
	maps.Copy(limits, r.Limits)
	command := s.substitute(r.Command)
	job := map[string]any{"policy": policyOf(r), "limits": limits}
	files := slices.Clone(r.Files)
	if r.Uses() {
		command[0] = "./" + victims.Program
		files = append(files, map[string]any{"path": victims.Program, "base64": s.program, "mode": 0o755})
	}
	if len(files) > 0 {
		job["files"] = files
	}
	for range r.Arguments {
		command = append(command, strings.Repeat("x", r.ArgumentBytes))
	}
	job["command"] = command
	if input := r.Stdin + strings.Repeat("x", r.StdinBytes); input != "" {
		job["stdin"] = input
	}
	if len(r.Env) > 0 {
		job["env"] = r.Env
	}
	if len(r.Outputs) > 0 {
		job["outputs"] = r.Outputs
	}
	return job
}

func (s *session) substitute(command []string) []string {
	out := make([]string, len(command))
	for i, word := range command {
		out[i] = s.word(word)
	}
	return out
}

// word puts this session's own values for {pid}, the verifier's, {port}, the
// service's, and {tree}, a directory like a root that may be written to.
func (s *session) word(word string) string {
	if !strings.Contains(word, "{") {
		return word
	}
	return strings.NewReplacer("{pid}", strconv.Itoa(os.Getpid()), "{port}", s.service.port(), "{tree}", s.tree()).Replace(word)
}

// tree is made when it is first asked for.
func (s *session) tree() string {
	dir := filepath.Join(s.dir, "tree")
	for _, name := range []string{"usr", "etc", "bin", "lib", "dev", "proc", "sys"} {
		_ = os.MkdirAll(filepath.Join(dir, name), 0o755) // the control says so when it is not there
	}
	_ = os.WriteFile(filepath.Join(dir, "own"), nil, 0o600)
	_ = os.Remove(filepath.Join(dir, "linked"))
	return dir
}
