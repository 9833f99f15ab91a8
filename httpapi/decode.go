package httpapi

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// maxDepth is more than any request has; deeper ones are answered as such.
const maxDepth = 32

// noNull refuses null everywhere: as a limit it could be meant as "none", and
// would be taken as the policy's default.
var noNull = json.UnmarshalFromFunc(func(d *jsontext.Decoder, v any) error {
	if d.PeekKind() == jsontext.KindNull {
		return &json.SemanticError{JSONKind: jsontext.KindNull, GoType: reflect.TypeOf(v)}
	}
	return errors.ErrUnsupported // go on as without this function
})

// decodeRun reads a request strictly: unknown and repeated names, wrong types, null,
// invalid UTF-8, names in other letters and anything behind the value are
// problems with a code and the path of the field.
func decodeRun(body []byte) (*RunRequest, *Problem) { return decodeBody[RunRequest](body) }

// decodeJob does that for what is to be queued.
func decodeJob(body []byte) (*JobRequest, *Problem) { return decodeBody[JobRequest](body) }

func decodeBody[T any](body []byte) (*T, *Problem) {
	if tooMany(body) {
		return nil, problem(CodeTooLarge, "", fmt.Sprintf("the request has more than %d values; send fewer", maxValues))
	}
	var r T
	d := jsontext.NewDecoder(bytes.NewReader(body))
	if err := json.UnmarshalDecode(d, &r, json.RejectUnknownMembers(true), json.WithUnmarshalers(noNull)); err != nil {
		return nil, decodeProblem(body, err)
	}
	if _, err := d.ReadToken(); !errors.Is(err, io.EOF) {
		return nil, problem(CodeTrailingData, "", fmt.Sprintf("there is something behind the request, from byte %d on; send one JSON object", d.InputOffset()))
	}
	return &r, nil
}

func decodeProblem(body []byte, err error) *Problem {
	if tooDeep(body) {
		return problem(CodeTooDeep, "", fmt.Sprintf("values are nested more than %d deep; no field of a request is", maxDepth))
	}
	var syntax *jsontext.SyntacticError
	if errors.As(err, &syntax) {
		path := dotted(syntax.JSONPointer)
		if errors.Is(err, jsontext.ErrDuplicateName) {
			return problem(CodeDuplicateKey, path, fmt.Sprintf("%s stands more than once; give it once", orBody(path)))
		}
		return problem(CodeMalformed, path, fmt.Sprintf("not JSON at byte %d: %v", syntax.ByteOffset, syntax.Err))
	}
	if errors.Is(err, errTooMany) {
		path := ""
		var at *json.SemanticError
		if errors.As(err, &at) {
			path = dotted(at.JSONPointer)
		}
		return problem(CodeTooLarge, path, fmt.Sprintf("%s has more than %d elements; send fewer", orBody(path), maxElements))
	}
	var semantic *json.SemanticError
	if !errors.As(err, &semantic) {
		if errors.Is(err, io.EOF) {
			return problem(CodeMalformed, "", "the body is empty; send one JSON object")
		}
		return problem(CodeMalformed, "", "not JSON: "+err.Error())
	}
	path := dotted(semantic.JSONPointer)
	if errors.Is(err, json.ErrUnknownName) {
		return problem(CodeUnknownField, path, fmt.Sprintf("there is no field %s; see /openapi.yaml for those there are", path))
	}
	detail := fmt.Sprintf("%s: a JSON %s was given, %s is wanted", orBody(path), kindName(semantic.JSONKind), goName(semantic))
	if semantic.Err != nil && semantic.JSONKind == jsontext.KindNumber {
		detail += " (" + semantic.Err.Error() + ")"
	}
	return problem(CodeWrongType, path, detail)
}

func orBody(path string) string {
	if path == "" {
		return "the body"
	}
	return path
}

func kindName(k jsontext.Kind) string {
	switch k {
	case jsontext.KindNull:
		return "null"
	case jsontext.KindFalse, jsontext.KindTrue:
		return "boolean"
	case jsontext.KindString:
		return "string"
	case jsontext.KindNumber:
		return "number"
	case jsontext.KindBeginObject:
		return "object"
	case jsontext.KindBeginArray:
		return "array"
	}
	return "value"
}

// goName says in the words of JSON what a field wants.
func goName(e *json.SemanticError) string {
	if e.GoType == nil {
		return "another type"
	}
	t := e.GoType
	for t.Kind().String() == "ptr" {
		t = t.Elem()
	}
	switch k := t.Kind().String(); {
	case strings.HasPrefix(k, "int"):
		return "a whole number"
	case strings.HasPrefix(k, "uint"):
		return "a whole number from 0"
	case strings.HasPrefix(k, "float"):
		return "a number"
	case k == "bool":
		return "true or false"
	case k == "string":
		return "a string"
	case k == "slice":
		return "an array"
	}
	return "an object"
}

// dotted writes a JSON pointer as the policies do: files[0].path.
func dotted(p jsontext.Pointer) string {
	var b strings.Builder
	for token := range p.Tokens() {
		switch {
		case isIndex(token) && b.Len() > 0 && b.String() != "env": // whose names may be numbers
			b.WriteString("[" + token + "]")
		case b.Len() > 0:
			b.WriteString("." + clip(token))
		default:
			b.WriteString(clip(token))
		}
	}
	return b.String()
}

// clip keeps a name of the client's from filling the answer.
func clip(s string) string {
	const max = 64
	if len(s) <= max {
		return s
	}
	return strings.ToValidUTF8(s[:max], "") + "…"
}

func isIndex(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// tooDeep looks at bodies that were refused anyway.
func tooDeep(body []byte) bool {
	d := jsontext.NewDecoder(bytes.NewReader(body), jsontext.AllowDuplicateNames(true))
	for {
		if _, err := d.ReadToken(); err != nil {
			return false
		}
		if d.StackDepth() > maxDepth {
			return true
		}
	}
}
