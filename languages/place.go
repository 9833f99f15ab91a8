package languages

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// fieldError is a value that may not stand in a field.
type fieldError struct {
	field string // as a path: versions[1].id
	err   error
}

func (e *fieldError) Error() string { return e.field + ": " + e.err.Error() }
func (e *fieldError) Unwrap() error { return e.err }

func wrong(field, format string, args ...any) error {
	return &fieldError{field, fmt.Errorf(format, args...)}
}

func at(field string, i int) string { return fmt.Sprintf("%s[%d]", field, i) }

// within puts the field of an error below another field.
func within(field string, err error) error {
	var f *fieldError
	if errors.As(err, &f) {
		return &fieldError{field + "." + f.field, f.err}
	}
	return err
}

// placed adds the line of the field. What is missing has no line of its own: the
// nearest field around it that is there stands for it.
func placed(text []byte, err error) error {
	var f *fieldError
	if !errors.As(err, &f) {
		return err
	}
	for field := f.field; field != ""; field = outer(field) {
		if line := lineOf(text, field); line > 0 {
			return fmt.Errorf("line %d: %w", line, err)
		}
	}
	return fmt.Errorf("line 1: %w", err)
}

// outer is the field around this one.
func outer(field string) string {
	i := strings.LastIndexAny(field, ".[")
	return field[:max(i, 0)]
}

// lineOf is the line of the field's value, 0 without that field.
func lineOf(text []byte, field string) int {
	path, err := yaml.PathString("$." + field)
	if err != nil {
		return 0
	}
	node, err := path.ReadNode(bytes.NewReader(text))
	if err != nil || node == nil || node.GetToken() == nil {
		return 0
	}
	return node.GetToken().Position.Line
}

// syntax says in one line what the YAML library shows in several, with the field.
func syntax(text []byte, err error) error {
	var y yaml.Error
	if !errors.As(err, &y) || y.GetToken() == nil || y.GetToken().Position == nil {
		return err
	}
	message := strings.ReplaceAll(y.GetMessage(), "\n", " ")
	if field := fieldAt(text, y.GetToken().Position.Offset); field != "" {
		message = field + ": " + message
	}
	return fmt.Errorf("line %d: %s", y.GetToken().Position.Line, message)
}

// fieldAt is the path of the value that begins there, "" where none does.
func fieldAt(text []byte, offset int) string {
	file, err := parser.ParseBytes(text, 0)
	if err != nil {
		return ""
	}
	s := &seeker{offset: offset}
	for _, d := range file.Docs {
		ast.Walk(s, d.Body)
	}
	return strings.TrimPrefix(s.path, "$.")
}

// seeker keeps the path of the last, innermost, node at an offset.
type seeker struct {
	offset int
	path   string
}

// Visit looks at one node.
func (s *seeker) Visit(n ast.Node) ast.Visitor {
	if t := n.GetToken(); t != nil && t.Position != nil && t.Position.Offset == s.offset {
		s.path = n.GetPath()
	}
	return s
}
