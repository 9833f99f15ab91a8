// Package policies holds the shipped policy documents and reads those of the
// operator. Package policy says what a document means; this package only knows
// how it is written: YAML, strictly, with the place of every problem.
package policies

import (
	"embed"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"cordon/policy"
)

//go:embed default.yaml judge.yaml playground.yaml ci.yaml dev.yaml
var shippedFiles embed.FS

// Set is the policies of a service: the shipped ones, and those of the operator
// over them. It does not change once loaded.
type Set struct {
	entries map[string]*entry
}

type entry struct {
	whole *policy.Policy
	info  Info
}

// Info describes a policy for a list.
type Info struct {
	Name        string `json:"name"`
	Description string `json:"description"`
	Extends     string `json:"extends,omitempty"`
	Source      string `json:"source"` // "shipped", or the operator's file
}

// Option changes how documents are checked.
type Option func(*config)

type config struct{ knownSyscall func(string) bool }

// WithSyscalls refuses names of system calls that known does not know. Without
// it only their shape is checked.
func WithSyscalls(known func(string) bool) Option {
	return func(c *config) { c.knownSyscall = known }
}

func settings(options []Option) config {
	var c config
	for _, o := range options {
		o(&c)
	}
	return c
}

// Load reads the shipped policies and every *.yaml and *.yml file in dir; an
// empty dir means the shipped ones alone. A file in dir may extend a shipped
// policy, or replace one by its name; one that replaces a policy may extend the
// one it replaces. The error joins a *FileError for each file with a problem.
func Load(dir string, options ...Option) (*Set, error) {
	files, err := list(dir)
	if err != nil {
		return nil, err
	}
	set, documents, err := load(files, options)
	if err != nil {
		return nil, err
	}
	var all []error
	for _, d := range documents {
		if d.err != nil {
			all = append(all, d.err)
		}
	}
	if len(all) > 0 {
		return nil, errors.Join(all...)
	}
	return set, nil
}

// Report is the outcome of checking one file.
type Report struct {
	File   string
	Policy *policy.Policy // whole; nil when there is an error
	Err    *FileError     // nil when the file can be used
}

// CheckFiles checks files as Load would if they lay in dir. The reports come in
// the order of files. The error is for what keeps a file from being read.
func CheckFiles(dir string, files []string, options ...Option) ([]Report, error) {
	all, err := list(dir)
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		if !slices.ContainsFunc(all, func(a string) bool { return same(a, f) }) {
			all = append(all, f)
		}
	}
	set, documents, err := load(all, options)
	if err != nil {
		return nil, err
	}
	reports := make([]Report, 0, len(files))
	for _, f := range files {
		i := slices.IndexFunc(documents, func(d *document) bool { return !d.shipped && same(d.file, f) })
		r := Report{File: f, Err: documents[i].err}
		if r.Err == nil {
			r.Policy = set.entries[documents[i].policy.Name].whole
		}
		reports = append(reports, r)
	}
	return reports, nil
}

func same(a, b string) bool {
	a, errA := filepath.Abs(a)
	b, errB := filepath.Abs(b)
	return errA == nil && errB == nil && a == b
}

// Get returns a policy with everything it takes over from others. Do not change
// it: it is shared.
func (s *Set) Get(name string) (*policy.Policy, error) {
	if e := s.entries[name]; e != nil {
		return e.whole, nil
	}
	return nil, fmt.Errorf("%w: %.60q; the policies are %s", ErrUnknown, name, strings.Join(s.Names(), ", "))
}

// Names lists the names in order.
func (s *Set) Names() []string { return slices.Sorted(maps.Keys(s.entries)) }

// List describes the policies in the order of their names.
func (s *Set) List() []Info {
	infos := make([]Info, 0, len(s.entries))
	for _, name := range s.Names() {
		infos = append(infos, s.entries[name].info)
	}
	return infos
}

// list names the policy files of a directory, in order. Hidden files are left
// out: editors and config maps keep copies there.
func list(dir string) ([]string, error) {
	if dir == "" {
		return nil, nil
	}
	found, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("policies: given the directory %q: %w; name a directory that can be read, or none", dir, err)
	}
	var files []string
	for _, f := range found {
		ext := filepath.Ext(f.Name())
		if !strings.HasPrefix(f.Name(), ".") && (ext == ".yaml" || ext == ".yml") {
			files = append(files, filepath.Join(dir, f.Name()))
		}
	}
	return files, nil
}

// readFile reads one byte more than a policy may have, so that the decoder sees
// that it is too large.
func readFile(name string) ([]byte, error) {
	info, err := os.Stat(name) // not Lstat: config maps are links
	if err != nil {
		return nil, fmt.Errorf("policies: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("policies: %s is a %s; a policy is a regular file", name, info.Mode().Type())
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("policies: %w", err)
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxSize+1))
}
