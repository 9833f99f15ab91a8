package victims

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
)

// Row is one case of the corpus.
type Row struct {
	ID    string   `yaml:"id"`    // as in A-06
	Title string   `yaml:"title"` // what the job does
	Also  []string `yaml:"also"`  // further cases that this row shows, as in R10

	// Missing says which part of Cordon the row waits for; nothing runs then.
	Missing string `yaml:"missing"`
	// Special rows are more than one job: code of internal/verify runs them.
	Special bool `yaml:"special"`

	Policy  string   `yaml:"policy"` // "default" when absent
	Command []string `yaml:"command"`
	Stdin   string   `yaml:"stdin"`
	// So many bytes of standard input, and of each of Arguments more arguments.
	StdinBytes    int `yaml:"stdin_bytes"`
	ArgumentBytes int `yaml:"argument_bytes"`
	Arguments     int `yaml:"arguments"`
	// Files as the API takes them, besides the victims' binary.
	Files   []map[string]any  `yaml:"files"`
	Env     map[string]string `yaml:"env"`
	Limits  map[string]any    `yaml:"limits"` // over the corpus' own
	Outputs []string          `yaml:"outputs"`

	Control *Control `yaml:"control"`
	Expect  Expect   `yaml:"expect"`
}

// Control is how the probe is run outside, where it must be able to do what the
// cell denies: a probe that fails there too proves nothing.
type Control struct {
	// As is "user" (the service user, as it is) or "userns" (root of a fresh user
	// namespace, with every other namespace new as well).
	As      string   `yaml:"as"`
	Command []string `yaml:"command"` // instead of the row's
}

// Expect is what must be true inside. Absent fields are not looked at.
type Expect struct {
	Status    int            `yaml:"status"` // of the HTTP answer, when it is no result
	Code      string         `yaml:"code"`   // of the problem
	Verdict   oneOrMore      `yaml:"verdict"`
	Exit      *int           `yaml:"exit"`
	Signal    string         `yaml:"signal"`
	Message   string         `yaml:"message"` // a part of it
	Stdout    *string        `yaml:"stdout"`  // exact
	Bytes     map[string]int `yaml:"bytes"`   // of stdout and stderr
	Truncated []string       `yaml:"truncated"`
	Denied    []string       `yaml:"denied"` // calls that the events must name

	// Usage and events: [least, most] by the field's name in the result.
	Usage  map[string][2]int64 `yaml:"usage"`
	Events map[string][2]int64 `yaml:"events"`

	// Lines are "name value" on standard output: the value inside, then what
	// outside shows that the probe could have succeeded. "*" outside is anything
	// but the value inside. A line without a second value states a fact.
	Lines map[string]oneOrMore `yaml:"lines"`
	Files map[string]File      `yaml:"files"` // by name, or "base64:" and the name's bytes
}

// File is a collected output.
type File struct {
	Error   string  `yaml:"error"`
	Content *string `yaml:"content"`
	Size    int64   `yaml:"size"`
}

// oneOrMore is a word or a list of them.
type oneOrMore []string

// UnmarshalYAML takes both.
func (o *oneOrMore) UnmarshalYAML(text []byte) error {
	var one string
	if err := yaml.Unmarshal(text, &one); err == nil {
		*o = oneOrMore{one}
		return nil
	}
	return yaml.Unmarshal(text, (*[]string)(o))
}

var idPattern = regexp.MustCompile(`^[ARW]-?[0-9]{2}[b-d]?$`)

// Load reads the corpus and checks that every row can be judged.
func Load() ([]Row, error) { return decode(rows) }

func decode(text []byte) ([]Row, error) {
	var all []Row
	if err := yaml.NewDecoder(bytes.NewReader(text), yaml.Strict(), yaml.DisallowUnknownField()).Decode(&all); err != nil {
		return nil, fmt.Errorf("rows.yaml: %w", err)
	}
	seen := map[string]bool{}
	var errs []error
	for i := range all {
		r := &all[i]
		if seen[r.ID] {
			errs = append(errs, fmt.Errorf("%s: there twice", r.ID))
		}
		seen[r.ID] = true
		if err := r.check(); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", r.ID, err))
		}
	}
	return all, errors.Join(errs...)
}

func (r *Row) check() error {
	switch e := r.Expect; {
	case !idPattern.MatchString(r.ID) || r.Title == "":
		return errors.New("an id such as A-06 and a title are wanted")
	case r.Missing != "" || r.Special:
		if r.Missing != "" && r.Special || len(r.Command) > 0 {
			return errors.New("a row is missing, special, or has a command")
		}
	case len(r.Command) == 0:
		return errors.New("no command")
	case e.Status == 0 && len(e.Verdict) == 0:
		return errors.New("expect: a verdict or a status is wanted")
	case r.Control != nil && r.Control.As != "user" && r.Control.As != "userns":
		return fmt.Errorf("control.as: %q given, allowed are user and userns", r.Control.As)
	}
	return r.checkLines()
}

// checkLines: a control and lines that need one go together.
func (r *Row) checkLines() error {
	controlled := false
	for name, values := range r.Expect.Lines {
		if len(values) == 0 {
			return fmt.Errorf("lines.%s: no value", name)
		}
		controlled = controlled || len(values) > 1
		if slices.Contains(values[1:], values[0]) {
			return fmt.Errorf("lines.%s: the same inside and outside proves nothing", name)
		}
	}
	if controlled != (r.Control != nil) {
		return errors.New("lines with a value for outside and a control go together")
	}
	return nil
}

// Vacuous are the probes that prove nothing on a kernel, by the name that the
// verifier gives it; ok is false for a kernel that nobody has listed.
func Vacuous(kernel string) (probes []string, ok bool, err error) {
	var all map[string][]string
	if err := yaml.UnmarshalWithOptions(vacuous, &all, yaml.Strict()); err != nil {
		return nil, false, fmt.Errorf("vacuous.yaml: %w", err)
	}
	probes, ok = all[kernel]
	return probes, ok, nil
}

// Uses reports whether a row needs the victims' binary.
func (r *Row) Uses() bool { return len(r.Command) > 0 && strings.HasPrefix(r.Command[0], Program) }
