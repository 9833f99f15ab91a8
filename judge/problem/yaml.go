package problem

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// maxNesting bounds brackets, and dashes in one line: the parser's time grows
// with the square of the depth.
const maxNesting = 16

// value is what stands behind a key.
type value struct {
	r     *report
	file  string
	field string // with what is around it: "limits.memory"
	node  ast.Node
}

func (v value) mistake(wanted string) {
	v.r.mistake(Mistake{File: v.file, Line: lineOf(v.node), Field: v.field, Given: v.given(), Wanted: wanted})
}

// document parses a file that has to be one mapping. An empty file is nil, and
// so is one in which a mistake was told.
func (r *report) document(name string, text []byte) (m *ast.MappingNode) {
	bad := func(line int, given, wanted string) {
		m = nil
		r.mistake(Mistake{File: name, Line: line, Given: given, Wanted: wanted})
	}
	if !utf8.Valid(text) {
		bad(0, "bytes that are not UTF-8", "save it as UTF-8")
		return nil
	}
	tokens := lexer.Tokenize(string(text))
	if at, given := fancy(tokens); given != "" {
		bad(at, given, "write the value out: only plain keys and values are read")
		return nil
	}
	parsed, err := parser.Parse(tokens, 0)
	if err != nil {
		at, message := 0, err.Error()
		var y yaml.Error
		if errors.As(err, &y) {
			message = y.GetMessage()
			if t := y.GetToken(); t != nil && t.Position != nil {
				at = t.Position.Line
			}
		}
		bad(at, "not YAML", shown(message))
		return nil
	}
	var body ast.Node
	for _, d := range parsed.Docs {
		if d.Body == nil || d.Body.Type() == ast.CommentType || d.Body.Type() == ast.NullType {
			continue
		}
		if body != nil {
			bad(lineOf(d.Body), "a second document", "keep one")
			return nil
		}
		body = d.Body
	}
	m, ok := body.(*ast.MappingNode)
	if body != nil && !ok {
		bad(lineOf(body), "not keys and values", "begin with \"name: …\"")
	}
	return m
}

// fancy finds the parts of YAML by which a text means something else than it
// seems to say.
func fancy(tokens token.Tokens) (line int, given string) {
	names := map[token.Type]string{
		token.AnchorType: "an anchor (&)", token.AliasType: "an alias (*)", token.TagType: "a tag (!)",
		token.MergeKeyType: "a merge key (<<)", token.DirectiveType: "a directive (%)", token.MappingKeyType: "a complex key (?)",
	}
	brackets, dashes := 0, 0
	for _, t := range tokens {
		if names[t.Type] != "" {
			return t.Position.Line, names[t.Type]
		}
		if t.Position.Line != line {
			line, dashes = t.Position.Line, 0
		}
		switch t.Type {
		case token.SequenceEntryType:
			dashes++
		case token.SequenceStartType, token.MappingStartType:
			brackets++
		case token.SequenceEndType, token.MappingEndType:
			brackets--
		}
		if brackets > maxNesting || dashes > maxNesting {
			return line, fmt.Sprintf("nested more than %d deep", maxNesting)
		}
	}
	return 0, ""
}

// each gives every key's value to the function of its name. A key that has none
// is a mistake; a key without a value counts as not written.
func (r *report) each(file, prefix string, m *ast.MappingNode, known map[string]func(value)) {
	if m == nil {
		return
	}
	for _, pair := range m.Values {
		key := pair.Key.GetToken().Value
		take, ok := known[key]
		switch {
		case !ok:
			r.mistake(Mistake{File: file, Line: lineOf(pair.Key), Field: prefix + shown(key), Given: "not a key of the format",
				Wanted: "known are " + strings.Join(slices.Sorted(maps.Keys(known)), ", ")})
		case take != nil && pair.Value != nil && pair.Value.Type() != ast.NullType:
			take(value{r, file, prefix + key, pair.Value})
		}
	}
}

// text is a single value as it is written.
func (v value) text() (string, bool) {
	switch n := v.node.(type) {
	case *ast.StringNode:
		return n.Value, true
	case *ast.LiteralNode:
		return n.Value.Value, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		return v.node.GetToken().Value, true
	}
	v.mistake("write one text")
	return "", false
}

// words are a text's words, or a list's entries.
func (v value) words() (out []string, ok bool) {
	list, ok := v.node.(*ast.SequenceNode)
	if !ok {
		s, ok := v.text()
		return strings.Fields(s), ok
	}
	for _, n := range list.Values {
		word, ok := value{v.r, v.file, v.field, n}.text()
		if !ok {
			return nil, false
		}
		out = append(out, word)
	}
	return out, true
}

// fields are the keys below a key.
func (v value) fields(known map[string]func(value)) {
	m, ok := v.node.(*ast.MappingNode)
	if !ok {
		v.mistake("write its keys below it, indented")
		return
	}
	v.r.each(v.file, v.field+".", m, known)
}

var decimal = regexp.MustCompile(`^[0-9]{1,12}(\.[0-9]{1,20})?([eE][+-]?[0-9]{1,3})?$`)

// number is a plain decimal number: 010, 0x10, 1_000 and .inf are none.
func number(s string) (float64, bool) {
	f, err := strconv.ParseFloat(s, 64)
	octal := len(s) > 1 && s[0] == '0' && s[1] >= '0' && s[1] <= '9'
	return f, err == nil && decimal.MatchString(s) && !octal && !math.IsInf(f, 0)
}

// units takes a whole number of units of so many bytes.
func (v value) units(target *int64, unit int64, name string) {
	const most = 1 << 20
	switch v.node.(type) {
	case *ast.IntegerNode, *ast.FloatNode:
		n, ok := number(v.node.GetToken().Value)
		if ok && n == math.Trunc(n) && n >= 1 && n <= most {
			*target = int64(n) * unit
			return
		}
	}
	v.mistake(fmt.Sprintf("write a whole number of %s from 1 to %d", name, most))
}

func (v value) given() string {
	switch n := v.node.(type) {
	case *ast.MappingNode:
		return "keys and values"
	case *ast.SequenceNode:
		return "a list"
	case *ast.StringNode:
		return "the text " + shown(n.Value)
	case *ast.LiteralNode:
		return "the text " + shown(n.Value.Value)
	}
	return shown(v.node.GetToken().Value)
}

func lineOf(n ast.Node) int {
	if n == nil || n.GetToken() == nil || n.GetToken().Position == nil {
		return 0
	}
	return n.GetToken().Position.Line
}
