package policies

import (
	"fmt"
	"reflect"
	"regexp"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"cordon/policy"
)

// walker fills a policy from the parsed text. The library's own decoder is too
// kind for a ceiling: it takes 1.9 for 1, "10" for 10 and null for nothing.
type walker struct {
	*document
	failed []string // fields that could not be decoded
}

func (w *walker) fail(path string, node ast.Node, given, allowed, fix string) {
	w.failed = append(w.failed, path)
	w.addAt(placeOf(node), policy.Problem{Field: path, Given: given, Allowed: allowed, Fix: fix})
}

// covered says whether a field, or one that holds it, has failed before.
func (w *walker) covered(field string) bool {
	for _, f := range w.failed {
		if rest, ok := strings.CutPrefix(field, f); ok && (rest == "" || rest[0] == '.' || rest[0] == '[') {
			return true
		}
	}
	return false
}

// object fills the struct that target points to.
func (w *walker) object(path string, node *ast.MappingNode, target any) {
	w.fields(path, node, reflect.ValueOf(target).Elem())
}

func (w *walker) fields(path string, node *ast.MappingNode, v reflect.Value) {
	index, names, required := fieldsOf(v.Type())
	given := map[string]bool{}
	for _, pair := range node.Values {
		name := pair.Key.GetToken().Value
		i, ok := index[name]
		if !ok {
			// The name is the author's own text, so it is quoted where it could
			// hold what a terminal obeys.
			shown := name
			if !fieldName.MatchString(name) {
				shown = fmt.Sprintf("%.60q", name)
			}
			w.fail(join(path, shown), pair.Key, fmt.Sprintf("the unknown field %q", name), strings.Join(names, ", "), "use one of these fields")
			continue
		}
		given[name] = true
		field := join(path, name)
		w.at[field] = placeOf(pair.Key)
		w.value(field, pair.Value, v.Field(i))
	}
	for _, name := range required {
		if !given[name] {
			field := join(path, name)
			w.failed = append(w.failed, field)
			w.add(policy.Problem{Field: field, Given: "nothing", Allowed: "this field must be there", Fix: "write it"})
		}
	}
}

// value fills one value by its Go type.
func (w *walker) value(path string, node ast.Node, v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		w.value(path, node, v.Elem())
	case reflect.Struct:
		if m, ok := node.(*ast.MappingNode); ok {
			w.fields(path, m, v)
			return
		}
		_, names, _ := fieldsOf(v.Type())
		w.fail(path, node, nodeKind(node), "fields: "+strings.Join(names, ", "), "write the fields below it, indented")
	case reflect.Slice:
		s, ok := node.(*ast.SequenceNode)
		if !ok {
			w.fail(path, node, nodeKind(node), "a list", "begin each entry with a dash")
			return
		}
		v.Set(reflect.MakeSlice(v.Type(), len(s.Values), len(s.Values)))
		for i, entry := range s.Values {
			field := fmt.Sprintf("%s[%d]", path, i)
			w.at[field] = placeOf(entry)
			w.value(field, entry, v.Index(i))
		}
	default:
		w.scalar(path, node, v)
	}
}

// fieldName is what a mistyped field mostly looks like. Numbers are plain decimal: 010, 0x10, 1_000 and 1e3 mean different things to
// different readers of YAML.
var (
	fieldName   = regexp.MustCompile(`^[a-z_]{1,60}$`)
	wholeNumber = regexp.MustCompile(`^-?(0|[1-9][0-9]*)$`)
	anyNumber   = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?$`)
)

func (w *walker) scalar(path string, node ast.Node, v reflect.Value) {
	w.at[path] = placeOf(node)
	text := numberText(node)
	switch v.Kind() {
	case reflect.String:
		if s, ok := stringOf(node); ok && s != "" {
			v.SetString(s)
			return
		}
		w.fail(path, node, nodeKind(node), "a text", "write a text; one that looks like something else needs quotes")
	case reflect.Bool:
		if b, ok := node.(*ast.BoolNode); ok {
			v.SetBool(b.Value)
			return
		}
		w.fail(path, node, nodeKind(node), "true or false", "write one of them, without quotes")
	case reflect.Int64:
		if n, err := strconv.ParseInt(text, 10, 64); err == nil && wholeNumber.MatchString(text) {
			v.SetInt(n)
			return
		}
		w.fail(path, node, nodeKind(node), "a whole number in plain digits", "write the number alone, in the unit of the field's name")
	case reflect.Float64:
		if f, err := strconv.ParseFloat(text, 64); err == nil && anyNumber.MatchString(text) {
			v.SetFloat(f)
			return
		}
		w.fail(path, node, nodeKind(node), "a number in plain digits", "write the number alone")
	default:
		// A new kind of field in policy.Policy that nobody taught the walker.
		panic("policies: no decoding for " + v.Type().String())
	}
}

// numberText is a number as it stands in the file, and "" for all else, quoted
// digits too.
func numberText(node ast.Node) string {
	switch node.(type) {
	case *ast.IntegerNode, *ast.FloatNode:
		return node.GetToken().Value
	}
	return ""
}

func stringOf(node ast.Node) (string, bool) {
	switch n := node.(type) {
	case *ast.StringNode:
		return n.Value, true
	case *ast.LiteralNode:
		return n.Value.Value, true
	}
	return "", false
}

// nodeKind describes what stands in the file, for a message.
func nodeKind(node ast.Node) string {
	switch n := node.(type) {
	case nil, *ast.NullNode:
		return "nothing"
	case *ast.MappingNode:
		return "fields"
	case *ast.SequenceNode:
		return "a list"
	case *ast.StringNode, *ast.LiteralNode:
		s, _ := stringOf(n)
		return fmt.Sprintf("the text %.60q", s)
	}
	return fmt.Sprintf("%.60q", node.GetToken().Value)
}

// fieldsOf reads the field names from the json tags. A field without omitempty
// or omitzero must be written.
func fieldsOf(t reflect.Type) (index map[string]int, names, required []string) {
	index = map[string]int{}
	for i := range t.NumField() {
		name, option, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		index[name] = i
		names = append(names, name)
		if option == "" {
			required = append(required, name)
		}
	}
	return index, names, required
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}
