package tenants

import (
	"bytes"
	stdjson "encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// noNull refuses null everywhere: as a limit it could be meant as "nothing at all", and
// would be taken as no limit.
var noNull = json.UnmarshalFromFunc(func(d *jsontext.Decoder, v any) error {
	if d.PeekKind() == jsontext.KindNull {
		return &json.SemanticError{JSONKind: jsontext.KindNull, GoType: reflect.TypeOf(v)}
	}
	return errors.ErrUnsupported // go on as without this function
})

// Decode reads a document strictly: unknown or repeated names, names in other letters,
// wrong types, null, and anything behind the object are errors, and so is what Check finds.
func Decode(text []byte) (*Document, error) {
	if len(text) > maxFileBytes {
		return nil, fmt.Errorf("larger than %d bytes", maxFileBytes)
	}
	var d Document
	in := jsontext.NewDecoder(bytes.NewReader(text))
	if err := json.UnmarshalDecode(in, &d, json.RejectUnknownMembers(true), json.WithUnmarshalers(noNull)); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, errors.New("it is empty; a JSON object is wanted")
		}
		return nil, err
	}
	if _, err := in.ReadToken(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("there is something behind the object, from byte %d on", in.InputOffset())
	}
	return &d, d.Check()
}

// encode writes a document as Decode reads it.
func encode(d *Document) ([]byte, error) {
	for i := range d.Tenants { // [] instead of null
		if d.Tenants[i].Keys == nil {
			d.Tenants[i].Keys = []Key{}
		}
	}
	if d.Tenants == nil {
		d.Tenants = []Tenant{}
	}
	text, err := stdjson.MarshalIndent(d, "", "  ")
	return append(text, '\n'), err
}
