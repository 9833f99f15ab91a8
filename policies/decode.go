package policies

import (
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"

	"cordon/policy"
)

// maxSize bounds a policy file. The shipped ones are under 10 KiB.
const maxSize = 64 << 10

// maxFlowDepth bounds nested brackets. A policy needs four levels; the parser's
// time grows with the square of the depth.
const maxFlowDepth = 8

// document is one policy file as it was read.
type document struct {
	policy  *policy.Policy
	file    string // shipped files are named shipped:NAME.yaml
	shipped bool
	text    []byte
	at      map[string]place // where each field stands
	err     *FileError       // nil while nothing is wrong
}

// Decode reads one policy document, strictly: an unknown or doubled field, a
// wrong type, an empty value, an anchor, an alias, a tag or a second YAML
// document is an error, and so is everything policy.Check finds. The error is a
// *FileError with line and column of every problem. A document that extends
// another is not whole; see policy.Flatten.
func Decode(file string, text []byte, options ...Option) (*policy.Policy, error) {
	d := read(file, text, options)
	if d.err != nil {
		return nil, d.err
	}
	return d.policy, nil
}

// read decodes and checks. Problems are kept in the document.
func read(file string, text []byte, options []Option) *document {
	d := &document{policy: &policy.Policy{}, file: file, text: text, at: map[string]place{}}
	body := d.parse()
	if d.err != nil {
		return d
	}
	w := &walker{document: d}
	w.object("", body, d.policy)
	// What could not be decoded is missing now: it is not reported again.
	for _, p := range policy.Check(d.policy, settings(options).knownSyscall) {
		if !w.covered(p.Field) {
			d.add(p)
		}
	}
	return d
}

// parse returns the one mapping the file must be.
func (d *document) parse() *ast.MappingNode {
	switch {
	case len(d.text) > maxSize:
		d.addAt(place{1, 1}, policy.Problem{Field: "file", Given: fmt.Sprintf("more than %d bytes", maxSize),
			Allowed: fmt.Sprintf("at most %d bytes", maxSize), Fix: "shorten the file"})
		return nil
	case !utf8.Valid(d.text):
		d.addAt(place{1, 1}, policy.Problem{Field: "file", Given: "bytes that are not UTF-8", Allowed: "UTF-8 text", Fix: "save the file as UTF-8"})
		return nil
	}
	tokens := lexer.Tokenize(string(d.text))
	if d.plain(tokens); d.err != nil {
		return nil
	}
	file, err := parser.Parse(tokens, 0)
	if err != nil {
		d.syntax(err)
		return nil
	}
	var body ast.Node
	for _, doc := range file.Docs {
		if doc.Body == nil {
			continue
		}
		if body != nil {
			d.addAt(placeOf(doc.Body), policy.Problem{Field: "file", Given: "a second document", Allowed: "one policy in each file", Fix: "move it to a file of its own"})
			return nil
		}
		body = doc.Body
	}
	m, ok := body.(*ast.MappingNode)
	if !ok {
		d.addAt(place{1, 1}, policy.Problem{Field: "file", Given: nodeKind(body), Allowed: "fields and their values", Fix: "begin with name: and description:"})
		return nil
	}
	return m
}

// plain refuses the parts of YAML that make a text mean something else than it
// seems to say, before the parser resolves them.
func (d *document) plain(tokens token.Tokens) {
	depth := 0
	for _, t := range tokens {
		given := ""
		switch t.Type {
		case token.AnchorType:
			given = "an anchor (&)"
		case token.AliasType:
			given = "an alias (*)"
		case token.TagType:
			given = "a tag (!)"
		case token.MergeKeyType:
			given = "a merge key (<<)"
		case token.DirectiveType:
			given = "a directive (%)"
		case token.MappingKeyType:
			given = "a complex key (?)"
		case token.SequenceStartType, token.MappingStartType:
			if depth++; depth > maxFlowDepth {
				given = fmt.Sprintf("brackets nested more than %d deep", maxFlowDepth)
			}
		case token.SequenceEndType, token.MappingEndType:
			depth--
		}
		if given != "" {
			d.addAt(place{t.Position.Line, t.Position.Column}, policy.Problem{Field: "file", Given: given,
				Allowed: "plain fields and values", Fix: "write the value out; use extends to share rules between policies"})
			return
		}
	}
}

// syntax keeps the parser's message and place.
func (d *document) syntax(err error) {
	at, message := place{1, 1}, err.Error()
	var y yaml.Error
	if errors.As(err, &y) {
		message = y.GetMessage() // may hold a key as it stands in the file
		if t := y.GetToken(); t != nil && t.Position != nil {
			at = place{t.Position.Line, t.Position.Column}
		}
	}
	d.addAt(at, policy.Problem{Field: "file", Given: "text that is not YAML: " + printable(message), Allowed: "YAML 1.2", Fix: "mend the line"})
}
