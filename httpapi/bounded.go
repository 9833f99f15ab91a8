package httpapi

import (
	"errors"
	"reflect"

	"github.com/danielgtaylor/huma/v2"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// maxElements of an array in a request is more than any policy can allow. A body of
// empty objects has twenty million of them, and each would take a hundred times its
// bytes in memory.
const maxElements = 1 << 16

var errTooMany = errors.New("too many elements")

// maxValues of a whole request: arrays of arrays, and those of strings, count together.
const maxValues = 1 << 19

// tooMany: the request has more values than that. The commas tell, before anything is
// decoded.
func tooMany(body []byte) bool {
	if len(body) <= maxValues {
		return false
	}
	commas := 0
	for i := 0; i < len(body); i++ {
		switch body[i] {
		case ',':
			if commas++; commas == maxValues {
				return true
			}
		case '"':
			for i++; i < len(body) && body[i] != '"'; i++ {
				if body[i] == '\\' {
					i++
				}
			}
		}
	}
	return false
}

// Bounded is an array that is not decoded past maxElements.
type Bounded[T any] []T

// UnmarshalJSONFrom decodes the elements one by one.
func (b *Bounded[T]) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	if d.PeekKind() != jsontext.KindBeginArray {
		return &json.SemanticError{JSONKind: d.PeekKind(), GoType: reflect.TypeFor[[]T]()}
	}
	if _, err := d.ReadToken(); err != nil {
		return err
	}
	*b = Bounded[T]{} // there, if empty
	for d.PeekKind() != jsontext.KindEndArray {
		if len(*b) == maxElements {
			return errTooMany
		}
		var one T
		if err := json.UnmarshalDecode(d, &one); err != nil {
			return err
		}
		*b = append(*b, one)
	}
	_, err := d.ReadToken()
	return err
}

// Schema is that of the array.
func (b Bounded[T]) Schema(r huma.Registry) *huma.Schema {
	return r.Schema(reflect.TypeFor[[]T](), true, "")
}
